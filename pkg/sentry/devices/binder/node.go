// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"cmp"
	"fmt"
	"slices"

	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/binder/list"
)

// Node is an object that a process offers to others. Its owner knows it by an
// address, ptr, and hands it out by sending it; all others know it by handles
// (see Ref).
//
// The owner is told when the first strong or weak reference to the node appears
// and when the last one goes. From being told of the first until it acknowledges
// (the _DONE commands), it holds a reference itself.
//
// References are counted at two levels. The Count keeps the Go value alive: the
// owner's table, each Ref and each buffer that targets the node hold one. The
// counters below are the protocol's.
//
// An application may own a million nodes and hold references to as many, so both are
// small: what few of them need is allocated only for those.
//
// +stateify savable
type Node struct {
	list.Count
	debugID int32

	// acceptsFDs, wantsSecctx and minPriority are what the owner asked for
	// when it first sent the node.
	acceptsFDs  bool
	wantsSecctx bool
	minPriority uint8

	owner  *Process
	ptr    uint64
	cookie uint64

	// +checklocks:owner.mu
	inner nodeInner
}

// nodeInner is what the mu of a Node's owner guards.
//
// +stateify savable
type nodeInner struct {
	// work is the queued item that will tell the owner how the references stand,
	// or nil.
	work *nodeWork

	// refs holds the Refs, each of which holds a weak reference.
	refs refSet

	// asyncTodo holds the one-way transactions that wait for an earlier one; see
	// asyncBusy. It is nil if there are none.
	asyncTodo *asyncQueue

	// internalStrong counts the Refs that also hold a strong reference.
	internalStrong int32

	// localStrong and localWeak count references held on behalf of the owner:
	// by the buffers that were sent to it, and by notifications that it has not
	// acknowledged.
	localStrong int32
	localWeak   int32

	// users counts brief uses of the node, such as by a call that is about to make a
	// reference to it. They keep it as a weak reference would.
	users int32

	// dead is true once the owner has closed the device.
	dead bool

	// hasStrong and hasWeak are what the owner was last told.
	// pendingStrong and pendingWeak are true until it acknowledges that.
	hasStrong     bool
	hasWeak       bool
	pendingStrong bool
	pendingWeak   bool

	// asyncBusy is true while a one-way transaction to the node is queued or
	// its buffer is in use; the next ones wait in asyncTodo.
	asyncBusy bool
}

// lockedBy returns what the mu of p, n's owner, guards.
//
// +checklocks:p.mu
func (n *Node) lockedBy(p *Process) *nodeInner {
	p.mustBe(n.owner)
	return &n.inner // +checklocksignore: p is n.owner.
}

// Destroy implements list.Counted.Destroy.
func (n *Node) Destroy(context.Context) {
	n.owner.stats().deleted(objectNode)
	n.owner.account.Credit(nodePrice)
	n.owner.drop()
}

// nodeWork is work that tells the owner of a node how its references stand. The
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
	if n.inner.work == w {
		n.inner.work = nil
	}
}

// take implements work.take.
//
// +checklocks:w.node.owner.mu
func (w *nodeWork) take(ctx context.Context, _ *Thread) delivery {
	w.node.inner.work = nil
	return w.node.notifyOwnerLocked(ctx)
}

// describe implements work.describe.
func (w *nodeWork) describe(l *logWriter) {
	n := w.node
	fmt.Fprintf(l.buf, "node work %d: u%s c%s\n", n.debugID, l.pointers.format(n.ptr), l.pointers.format(n.cookie))
}

// queued returns whether the node is on a todo list.
func (in *nodeInner) queued() bool { return in.work != nil && in.work.on != nil }

// queueLocked adds n, which is on no list, to l, one of p's lists.
//
// +checklocks:p.mu
func (n *Node) queueLocked(ctx context.Context, p *Process, l *workList) {
	w := &nodeWork{node: n}
	n.lockedBy(p).work = w
	fresh := list.NewUnique(w)
	held := fresh.Share()
	l.pushBack(w)
	held.Release(ctx)
}

// dequeue takes the node off its list, if it is on one.
func (in *nodeInner) dequeue(ctx context.Context) {
	if in.work != nil {
		dequeue(ctx, in.work)
		in.work = nil
	}
}

// strong returns whether there are strong references.
func (in *nodeInner) strong() bool { return in.internalStrong > 0 || in.localStrong > 0 }

// weak returns whether there are weak references. Each Ref holds one, whether or not
// it also holds a strong one.
func (in *nodeInner) weak() bool { return in.localWeak > 0 || in.users > 0 || !in.refs.empty() }

// nodeLocked returns p's node at ptr, or nil.
//
// +checklocks:p.mu
func (p *Process) nodeLocked(ptr uint64) *Node { return p.inner.nodes.get(ptr) }

// newNodeLocked adds to p the node that object describes.
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
	p.inner.nodes.insert(held.IntoRaw())
	return n, nil
}

// becomeManagerLocked makes n, a node of p, a context manager's node: it holds references
// to itself for good, and p is not told of them.
//
// +checklocks:p.mu
func (n *Node) becomeManagerLocked(p *Process) {
	in := n.lockedBy(p)
	in.localStrong++
	in.localWeak++
	in.hasStrong, in.hasWeak = true, true
}

// incLocked adds a reference: strong or weak, by a Ref (internal) or by the
// owner's own buffers.
//
// If the owner must be told, the notification goes to th, the owner's thread that
// sends the node. Without th, a Ref's strong reference fails with EINVAL if it is the
// first, except to the context manager's node: a process can't turn a weak reference
// into a strong one.
//
// +checklocks:n.owner.mu
func (n *Node) incLocked(ctx context.Context, strong, internal bool, th *Thread) error {
	if strong {
		if internal {
			if th == nil && n.inner.internalStrong == 0 && !(!n.inner.dead && n.owner.ctx.isManager(n) && n.inner.hasStrong) {
				return linuxerr.EINVAL
			}
			n.inner.internalStrong++
		} else {
			n.inner.localStrong++
		}
		if !n.inner.hasStrong && th != nil {
			n.inner.dequeue(ctx)
			n.queueLocked(ctx, n.owner, &th.lockedBy(n.owner).todo)
		}
		return nil
	}
	if !internal {
		n.inner.localWeak++
	}
	if !n.inner.hasWeak && !n.inner.queued() && th != nil {
		n.queueLocked(ctx, n.owner, &th.lockedBy(n.owner).todo)
	}
	return nil
}

// decLocked drops a reference that incLocked added to n, a node of p. If it was the
// last, the owner is told or, if it was never told of any, the node is removed.
//
// +checklocks:p.mu
func (n *Node) decLocked(ctx context.Context, p *Process, strong, internal bool) {
	in := n.lockedBy(p)
	if strong {
		if internal {
			in.internalStrong--
		} else if !in.dead {
			// A dead owner's local references went with it.
			in.localStrong--
		}
		if in.strong() {
			return
		}
	} else {
		if !internal && !in.dead {
			in.localWeak--
		}
		if in.weak() {
			return
		}
	}
	if !in.dead && (in.hasStrong || in.hasWeak) {
		if !in.queued() {
			n.queueLocked(ctx, p, &p.inner.todo.workList)
			p.wakeupLocked(ctx)
		}
		return
	}
	if in.dead || in.strong() || in.weak() {
		return
	}
	in.dequeue(ctx)
	p.removeNodeLocked(ctx, n)
}

// useLocked keeps n, a node of p, alive and in p's table until unuse.
//
// +checklocks:p.mu
func (n *Node) useLocked(p *Process) list.Arc[*Node] {
	n.lockedBy(p).users++
	return list.BorrowOf(n).Arc()
}

// unuse undoes useLocked.
func unuse(ctx context.Context, used list.Arc[*Node]) {
	n := used.Get()
	n.owner.mu.Lock()
	n.inner.users--
	// This drops no reference, but removes the node if none is left.
	n.decLocked(ctx, n.owner, false, true)
	n.owner.mu.Unlock()
	used.Release(ctx)
}

// +checklocks:p.mu
func (p *Process) removeNodeLocked(ctx context.Context, n *Node) {
	p.inner.nodes.remove(n)
	held := list.FromRaw(n)
	held.Release(ctx)
}

// dec is decLocked for callers that hold no Process.mu.
func (n *Node) dec(ctx context.Context, strong, internal bool) {
	n.owner.mu.Lock()
	defer n.owner.mu.Unlock()
	n.decLocked(ctx, n.owner, strong, internal)
}

// notifyOwnerLocked returns what the owner has to be told of how the references stand.
//
// +checklocks:n.owner.mu
func (n *Node) notifyOwnerLocked(ctx context.Context) delivery {
	strong := n.inner.strong()
	weak := strong || n.inner.weak()
	d := delivery{ptr: n.ptr, cookie: n.cookie}
	if weak && !n.inner.hasWeak {
		n.inner.hasWeak, n.inner.pendingWeak = true, true
		n.inner.localWeak++
		d.add(binder.BR_INCREFS)
	}
	if strong && !n.inner.hasStrong {
		n.inner.hasStrong, n.inner.pendingStrong = true, true
		n.inner.localStrong++
		d.add(binder.BR_ACQUIRE)
	}
	if !strong && n.inner.hasStrong {
		n.inner.hasStrong = false
		d.add(binder.BR_RELEASE)
	}
	if !weak && n.inner.hasWeak {
		n.inner.hasWeak = false
		d.add(binder.BR_DECREFS)
	}
	if !weak && !strong {
		n.owner.removeNodeLocked(ctx, n)
	}
	return d
}

// acknowledge handles BC_INCREFS_DONE and BC_ACQUIRE_DONE: the owner knows that
// there are references. Mismatches are ignored, as in Linux; why names them.
func (p *Process) acknowledge(ctx context.Context, strong bool, pc *binder.PtrCookie) (why *refusal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.nodeLocked(pc.Ptr)
	if n == nil {
		return refusalFor(reasonNoNode, 0, pc.Ptr)
	}
	in := n.lockedBy(p)
	in.users++
	pending := &in.pendingWeak
	if strong {
		pending = &in.pendingStrong
	}
	if n.cookie == pc.Cookie && *pending {
		*pending = false
		n.decLocked(ctx, p, strong, false)
	} else if n.cookie != pc.Cookie {
		why = refusalFor(reasonNodeCookie, 0, pc.Ptr, uint64(n.debugID), pc.Cookie, n.cookie)
	} else {
		why = refusalFor(reasonNotPending, 0, uint64(n.debugID))
	}
	in.users--
	// As with unuse, this may wake a thread of p for nothing.
	n.decLocked(ctx, p, false, true)
	return why
}

// nextAsyncLocked ends a one-way transaction to n, whose buffer was freed, and
// queues the next one.
//
// +checklocks:n.owner.mu
func (n *Node) nextAsyncLocked(ctx context.Context) {
	if n.inner.asyncTodo == nil {
		n.inner.asyncBusy = false
		return
	}
	next, ok := n.inner.asyncTodo.pop()
	if !ok {
		n.inner.asyncBusy, n.inner.asyncTodo = false, nil
		return
	}
	n.owner.inner.todo.pushTransaction(next.Get().(*Transaction))
	next.Release(ctx)
	n.owner.wakeupLocked(ctx)
}

// releaseLocked marks n, a node of p, dead as p closes the device; its Refs stay. It
// returns the one-way transactions that were waiting, or nil.
//
// +checklocks:p.mu
func (n *Node) releaseLocked(ctx context.Context, p *Process) (waiting *asyncQueue) {
	in := n.lockedBy(p)
	in.dead = true
	in.localStrong, in.localWeak = 0, 0
	in.dequeue(ctx)
	if !in.refs.empty() {
		p.ctx.domain.dead.add(n)
	}
	waiting, in.asyncTodo = in.asyncTodo, nil
	return waiting
}

// visitRefs calls f for each Ref to n, in batches, and unlocks the owner's mu between
// them. Refs that come or go between batches may or may not be visited.
func (n *Node) visitRefs(f func(*Ref)) {
	n.owner.mu.Lock()
	defer n.owner.mu.Unlock()
	if only := n.inner.refs.only; only != nil {
		f(only)
		return
	}
	visited, walk := 0, startWalk()
	for _, r := range n.inner.refs.many {
		f(r)
		if visited++; visited%batchSize == 0 {
			n.owner.mu.Unlock()
			walk.yield()
			n.owner.mu.Lock()
		}
	}
}

// refsInOrder returns the Refs to n, oldest first. See visitRefs.
func (n *Node) refsInOrder() []*Ref {
	var refs []*Ref
	n.visitRefs(func(r *Ref) { refs = append(refs, r) })
	slices.SortFunc(refs, func(a, b *Ref) int { return cmp.Compare(a.debugID, b.debugID) })
	return refs
}
