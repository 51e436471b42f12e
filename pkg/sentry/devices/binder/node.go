// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"fmt"

	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/binder/list"
)

// Node is an object that a process offers to others. Its owner knows it by an
// address, ptr, and hands it out by sending it; all others know it by handles
// (see Ref).
//
// The owner is told when the first strong or weak reference to the node comes
// into being and when the last goes. Between being told of the first and saying
// that it has understood (the _DONE commands), it holds a reference itself.
//
// References are counted at two levels. The Count says how long the Go value
// is of use: the owner's table, each Ref and each buffer that the node is the
// target of hold one. The counters below are the protocol's.
//
// An application may have a million nodes and references to as many, so both are
// small: what few of them need is allocated for these.
//
// +stateify savable
type Node struct {
	list.Count
	debugID int32
	owner   *Process
	ptr     uint64
	cookie  uint64

	// work is what the node is queued by, if it is, to tell the owner how the
	// references stand.
	// +checklocks:owner.mu
	work *nodeWork

	// refs has the Refs, all of which hold a weak reference.
	// +checklocks:owner.mu
	refs refSet

	// asyncTodo has the one-way transactions that wait for another one; see
	// asyncBusy. It is nil if there are none.
	// +checklocks:owner.mu
	asyncTodo *asyncQueue

	// internalStrong counts the Refs that hold a strong reference, too.
	// +checklocks:owner.mu
	internalStrong int32

	// localStrong and localWeak count references that are held for the owner
	// itself: by the buffers that were sent to it, and by what it has been told
	// and has not answered.
	// +checklocks:owner.mu
	localStrong int32
	// +checklocks:owner.mu
	localWeak int32

	// users counts the calls that are about to make references to the node. They
	// keep it as a weak reference would.
	// +checklocks:owner.mu
	users int32

	// acceptsFDs, wantsSecctx and minPriority are what the owner asked for
	// when it first sent the node.
	acceptsFDs  bool
	wantsSecctx bool
	minPriority uint8

	// dead is true once the owner has closed the device.
	// +checklocks:owner.mu
	dead bool

	// hasStrong and hasWeak are what the owner has last been told.
	// pendingStrong and pendingWeak are true until it has answered.
	// +checklocks:owner.mu
	hasStrong bool
	// +checklocks:owner.mu
	hasWeak bool
	// +checklocks:owner.mu
	pendingStrong bool
	// +checklocks:owner.mu
	pendingWeak bool

	// asyncBusy is true while a one-way transaction to the node is queued or
	// its buffer is in use; the next ones wait in asyncTodo.
	// +checklocks:owner.mu
	asyncBusy bool
}

// Destroy implements list.Counted.Destroy.
func (n *Node) Destroy(context.Context) {
	n.owner.stats().deleted(objectNode)
	n.owner.account.Credit(nodePrice)
	n.owner.drop()
}

// nodeWork is work that tells the owner of a node how the references stand. The
// list that it is on holds the only reference to it.
//
// +stateify savable
type nodeWork struct {
	list.Count
	workItem

	node *Node
}

// Destroy implements list.Counted.Destroy.
func (*nodeWork) Destroy(context.Context) {}

// cancel implements work.cancel.
func (w *nodeWork) cancel(context.Context) {
	n := w.node
	n.owner.mu.Lock()
	defer n.owner.mu.Unlock()
	if n.work == w {
		n.work = nil
	}
}

// take implements work.take.
//
// +checklocks:w.node.owner.mu
func (w *nodeWork) take(ctx context.Context, _ *Thread) delivery {
	w.node.work = nil
	return w.node.tellLocked(ctx)
}

// describe implements work.describe.
func (w *nodeWork) describe(l *logWriter) {
	n := w.node
	fmt.Fprintf(l.buf, "node work %d: u%s c%s\n", n.debugID, l.pointers.format(n.ptr), l.pointers.format(n.cookie))
}

// queuedLocked returns whether n is on a todo list.
//
// +checklocks:n.owner.mu
func (n *Node) queuedLocked() bool { return n.work != nil && n.work.on != nil }

// queueLocked adds n, which is on no list, to l.
//
// +checklocks:n.owner.mu
func (n *Node) queueLocked(ctx context.Context, l *workList) {
	n.work = &nodeWork{node: n}
	fresh := list.NewUnique(n.work)
	held := fresh.Share()
	l.pushBack(n.work)
	held.Release(ctx)
}

// dequeueLocked takes n off the list that it is on, if it is on one.
//
// +checklocks:n.owner.mu
func (n *Node) dequeueLocked(ctx context.Context) {
	if n.work != nil {
		dequeue(ctx, n.work)
		n.work = nil
	}
}

// nodeLocked returns p's node at ptr, or nil.
//
// +checklocks:p.mu
func (p *Process) nodeLocked(ptr uint64) *Node { return p.nodes.get(ptr) }

// newNodeLocked adds a node to p as object describes it.
//
// Errors: ENOMEM if p's account has no room for it.
//
// Preconditions: p has no node at object.Binder.
//
// +checklocks:p.mu
func (p *Process) newNodeLocked(object *binder.FlatObject) (*Node, error) {
	if err := p.account.Charge(nodePrice); err != nil {
		return nil, err
	}
	p.hold()
	n := &Node{
		owner:       p,
		debugID:     p.ctx.domain.nextID(),
		ptr:         object.Binder,
		cookie:      object.Cookie,
		acceptsFDs:  object.Flags&binder.FLAT_BINDER_FLAG_ACCEPTS_FDS != 0,
		wantsSecctx: object.Flags&binder.FLAT_BINDER_FLAG_TXN_SECURITY_CTX != 0,
		minPriority: uint8(object.Flags & binder.FLAT_BINDER_FLAG_PRIORITY_MASK),
	}
	p.stats().created(objectNode)
	fresh := list.NewUnique(n)
	held := fresh.Share()
	p.nodes.insert(held.IntoRaw())
	return n, nil
}

// becomeManagerLocked makes n what a context manager is: it holds references to
// itself for ever, and isn't told.
//
// +checklocks:n.owner.mu
func (n *Node) becomeManagerLocked() {
	n.localStrong++
	n.localWeak++
	n.hasStrong, n.hasWeak = true, true
}

// incLocked adds a reference: strong or weak, by a Ref (internal) or by the
// owner's own buffers.
//
// If that is news to the owner, it is th, a thread of the owner that sends the
// node, that will hear it. Without th it is an error, EINVAL, to add the first
// strong reference: a process can't make one out of a weak one.
//
// +checklocks:n.owner.mu
func (n *Node) incLocked(ctx context.Context, strong, internal bool, th *Thread) error {
	if strong {
		if internal {
			if th == nil && n.internalStrong == 0 && !(!n.dead && n.owner.ctx.isManager(n) && n.hasStrong) {
				return linuxerr.EINVAL
			}
			n.internalStrong++
		} else {
			n.localStrong++
		}
		if !n.hasStrong && th != nil {
			n.dequeueLocked(ctx)
			n.queueLocked(ctx, &th.todo) // +checklocksignore: th.proc is n.owner.
		}
		return nil
	}
	if !internal {
		n.localWeak++
	}
	if !n.hasWeak && !n.queuedLocked() && th != nil {
		n.queueLocked(ctx, &th.todo) // +checklocksignore: th.proc is n.owner.
	}
	return nil
}

// decLocked drops a reference that incLocked added. If it was the last, the
// owner is told, or, if it knows of none, the node goes.
//
// +checklocks:n.owner.mu
func (n *Node) decLocked(ctx context.Context, strong, internal bool) {
	if strong {
		if internal {
			n.internalStrong--
		} else if !n.dead {
			// Those of a dead owner have gone with it.
			n.localStrong--
		}
		if n.internalStrong > 0 || n.localStrong > 0 {
			return
		}
	} else {
		if !internal && !n.dead {
			n.localWeak--
		}
		if n.localWeak > 0 || n.users > 0 || !n.refs.empty() {
			return
		}
	}
	if !n.dead && (n.hasStrong || n.hasWeak) {
		if !n.queuedLocked() {
			n.queueLocked(ctx, &n.owner.todo)
			n.owner.wakeupLocked()
		}
		return
	}
	if n.dead || n.internalStrong > 0 || n.localStrong > 0 || n.localWeak > 0 || n.users > 0 || !n.refs.empty() {
		return
	}
	n.dequeueLocked(ctx)
	n.owner.removeNodeLocked(ctx, n)
}

// useLocked keeps n, in the table of its owner too, until unuse.
//
// +checklocks:n.owner.mu
func (n *Node) useLocked() list.Arc[*Node] {
	n.users++
	return list.BorrowOf(n).Arc()
}

// unuse ends what useLocked has begun.
func unuse(ctx context.Context, used list.Arc[*Node]) {
	n := used.Get()
	n.owner.mu.Lock()
	n.users--
	// This drops no reference, but the node if there's none.
	n.decLocked(ctx, false, true)
	n.owner.mu.Unlock()
	used.Release(ctx)
}

// +checklocks:p.mu
func (p *Process) removeNodeLocked(ctx context.Context, n *Node) {
	p.nodes.remove(n)
	held := list.FromRaw(n)
	held.Release(ctx)
}

// dec is decLocked for callers that hold no lock of a Process.mu.
func (n *Node) dec(ctx context.Context, strong, internal bool) {
	n.owner.mu.Lock()
	defer n.owner.mu.Unlock()
	n.decLocked(ctx, strong, internal)
}

// tellLocked returns what the owner has to be told of how the references stand.
//
// +checklocks:n.owner.mu
func (n *Node) tellLocked(ctx context.Context) delivery {
	strong := n.internalStrong > 0 || n.localStrong > 0
	weak := strong || n.localWeak > 0 || n.users > 0 || !n.refs.empty()
	d := delivery{ptr: n.ptr, cookie: n.cookie}
	if weak && !n.hasWeak {
		n.hasWeak, n.pendingWeak = true, true
		n.localWeak++
		d.add(binder.BR_INCREFS)
	}
	if strong && !n.hasStrong {
		n.hasStrong, n.pendingStrong = true, true
		n.localStrong++
		d.add(binder.BR_ACQUIRE)
	}
	if !strong && n.hasStrong {
		n.hasStrong = false
		d.add(binder.BR_RELEASE)
	}
	if !weak && n.hasWeak {
		n.hasWeak = false
		d.add(binder.BR_DECREFS)
	}
	if !weak && !strong {
		n.owner.removeNodeLocked(ctx, n)
	}
	return d
}

// acknowledge handles BC_INCREFS_DONE and BC_ACQUIRE_DONE: the owner has
// understood that there are references. What doesn't fit is ignored, as in
// Linux.
func (p *Process) acknowledge(ctx context.Context, strong bool, pc *binder.PtrCookie) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.nodeLocked(pc.Ptr)
	if n == nil {
		return
	}
	n.users++ // +checklocksignore: n.owner is p.
	if n.cookie == pc.Cookie {
		n.acknowledgeLocked(ctx, strong) // +checklocksignore: n.owner is p.
	}
	n.users-- // +checklocksignore: n.owner is p.
	// As with unuse, this may wake a thread of p for nothing.
	n.decLocked(ctx, false, true) // +checklocksignore: n.owner is p.
}

// +checklocks:n.owner.mu
func (n *Node) acknowledgeLocked(ctx context.Context, strong bool) {
	pending := &n.pendingWeak
	if strong {
		pending = &n.pendingStrong
	}
	if !*pending {
		return
	}
	*pending = false
	n.decLocked(ctx, strong, false)
}

// nextAsyncLocked ends a one-way transaction to n, whose buffer is free, and
// queues the next one.
//
// +checklocks:n.owner.mu
func (n *Node) nextAsyncLocked(ctx context.Context) {
	if n.asyncTodo == nil {
		n.asyncBusy = false
		return
	}
	next, ok := n.asyncTodo.pop()
	if !ok {
		n.asyncBusy, n.asyncTodo = false, nil
		return
	}
	n.owner.todo.pushBack(next.Get())
	next.Release(ctx)
	n.owner.wakeupLocked()
}

// releaseLocked ends a node whose owner closes the device: its Refs stay, but
// refer to a dead node. It returns the one-way transactions that were waiting, if
// there are any.
//
// +checklocks:n.owner.mu
func (n *Node) releaseLocked(ctx context.Context) (waiting *asyncQueue) {
	n.dead = true
	n.localStrong, n.localWeak = 0, 0
	n.dequeueLocked(ctx)
	if !n.refs.empty() {
		n.owner.ctx.domain.dead.add(n)
	}
	waiting, n.asyncTodo = n.asyncTodo, nil
	return waiting
}
