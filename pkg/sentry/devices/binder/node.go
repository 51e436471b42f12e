// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
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
// is of use: the owner's table, each Ref, each buffer that the node is the
// target of and a todo list hold one. The counters below are the protocol's.
//
// +stateify savable
type Node struct {
	list.Count
	workItem

	owner   *Process
	debugID int32
	ptr     uint64
	cookie  uint64

	// acceptsFDs, wantsSecctx and minPriority are what the owner asked for
	// when it first sent the node.
	acceptsFDs  bool
	wantsSecctx bool
	minPriority uint8

	// dead is true once the owner has closed the device.
	// +checklocks:owner.mu
	dead bool

	// internalStrong counts the Refs that hold a strong reference. All Refs
	// hold a weak one; refs counts those.
	// +checklocks:owner.mu
	internalStrong int
	// +checklocks:owner.mu
	refs list.List[*Ref, nodeRefsID]

	// localStrong and localWeak count references that are held for the owner
	// itself: by the buffers that were sent to it, and by what it has been told
	// and has not answered.
	// +checklocks:owner.mu
	localStrong int
	// +checklocks:owner.mu
	localWeak int

	// users counts the calls that are about to make references to the node. They
	// keep it as a weak reference would.
	// +checklocks:owner.mu
	users int

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
	// +checklocks:owner.mu
	asyncTodo workList
}

// nodeRefsID marks the links of Node.refs.
type nodeRefsID struct{}

// Destroy implements list.Counted.Destroy.
func (n *Node) Destroy(context.Context) { n.owner.stats().deleted(objectNode) }

// cancel implements work.cancel.
func (n *Node) cancel(context.Context) {}

// nodeLocked returns p's node at ptr, or nil.
//
// +checklocks:p.mu
func (p *Process) nodeLocked(ptr uint64) *Node { return p.nodes[ptr].Get() }

// newNodeLocked adds a node to p as object describes it.
//
// Preconditions: p has no node at object.Binder.
//
// +checklocks:p.mu
func (p *Process) newNodeLocked(object *binder.FlatObject) *Node {
	n := &Node{
		owner:       p,
		debugID:     p.ctx.driver.nextID(),
		ptr:         object.Binder,
		cookie:      object.Cookie,
		acceptsFDs:  object.Flags&binder.FLAT_BINDER_FLAG_ACCEPTS_FDS != 0,
		wantsSecctx: object.Flags&binder.FLAT_BINDER_FLAG_TXN_SECURITY_CTX != 0,
		minPriority: uint8(object.Flags & binder.FLAT_BINDER_FLAG_PRIORITY_MASK),
	}
	p.stats().created(objectNode)
	u := list.NewUnique(n)
	p.nodes[n.ptr] = u.Share()
	return n
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
			dequeue(ctx, n)
			th.todo.pushBack(n) // +checklocksignore: th.proc is n.owner.
		}
		return nil
	}
	if !internal {
		n.localWeak++
	}
	if !n.hasWeak && n.on == nil && th != nil {
		th.todo.pushBack(n) // +checklocksignore: th.proc is n.owner.
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
		if n.localWeak > 0 || n.users > 0 || !n.refs.Empty() {
			return
		}
	}
	if !n.dead && (n.hasStrong || n.hasWeak) {
		if n.on == nil {
			n.owner.todo.pushBack(n)
			n.owner.wakeupLocked()
		}
		return
	}
	if n.dead || n.internalStrong > 0 || n.localStrong > 0 || n.localWeak > 0 || n.users > 0 || !n.refs.Empty() {
		return
	}
	dequeue(ctx, n)
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
	held := p.nodes[n.ptr]
	delete(p.nodes, n.ptr)
	held.Release(ctx)
}

// dec is decLocked for callers that hold no lock of a Process.mu.
func (n *Node) dec(ctx context.Context, strong, internal bool) {
	n.owner.mu.Lock()
	defer n.owner.mu.Unlock()
	n.decLocked(ctx, strong, internal)
}

// take implements work.take: it tells the owner how the references stand.
//
// +checklocks:n.owner.mu
func (n *Node) take(ctx context.Context, _ *Thread) delivery {
	strong := n.internalStrong > 0 || n.localStrong > 0
	weak := strong || n.localWeak > 0 || n.users > 0 || !n.refs.Empty()
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
	n.users++
	if n.cookie == pc.Cookie {
		n.acknowledgeLocked(ctx, strong) // +checklocksignore: n.owner is p.
	}
	n.users--
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
	next, ok := n.asyncTodo.popFront()
	if !ok {
		n.asyncBusy = false
		return
	}
	n.owner.todo.pushBack(next.Get())
	next.Release(ctx)
	n.owner.wakeupLocked()
}

// releaseLocked ends a node whose owner closes the device: its Refs stay, but
// point at nothing. It moves the work that was waiting for n to waiting and
// returns the Refs, whose holders have to hear of the death.
//
// +checklocks:n.owner.mu
func (n *Node) releaseLocked(ctx context.Context, waiting *workList) []*Ref {
	n.dead = true
	n.localStrong, n.localWeak = 0, 0
	dequeue(ctx, n)
	n.asyncTodo.moveTo(waiting)
	var refs []*Ref
	for ref := range n.refs.All() {
		refs = append(refs, ref)
	}
	if len(refs) != 0 {
		n.owner.ctx.driver.registry.addDead(n)
	}
	return refs
}
