// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"maps"
	"slices"

	"gvisor.dev/gvisor/pkg/context"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/binder/list"
)

// releases is the context in which processes are released. Processes whose last
// descriptor was in flight to one of them wait here: an application can make a chain too
// long for recursion.
type releases struct {
	context.Context
	waiting []*Process
}

// release ends p, after the last close, and the processes whose last descriptor it held.
// It does nothing if p was already released.
func (p *Process) release(ctx context.Context) {
	if !p.released.CompareAndSwap(0, 1) {
		return
	}
	if r, ok := ctx.(*releases); ok {
		r.waiting = append(r.waiting, p)
		return
	}
	r := &releases{Context: ctx, waiting: []*Process{p}}
	for len(r.waiting) > 0 {
		last := len(r.waiting) - 1
		p := r.waiting[last]
		r.waiting = r.waiting[:last]
		p.releaseOne(r)
	}
}

// releaseOne ends p. No thread is in a call through it, but others may be about to send to
// it, or hold its nodes. They are notified in Linux's order: that of thread IDs, addresses
// and handles.
//
// However much p owns, no lock is held for more than a batch of it.
func (p *Process) releaseOne(ctx context.Context) {
	p.tracer().closed(p)
	p.ctx.deregister(p)
	p.ctx.domain.remove(p)
	p.tenant.procs.remove(p)

	p.mu.Lock()
	p.inner.dead = true
	p.setFrozenLocked(false)
	threads := p.inner.threads
	p.inner.threads = nil
	for i := range p.recent {
		p.recent[i].Store(nil)
	}
	p.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(threads)) {
		held := threads[id]
		held.Get().release(ctx)
		held.Release(ctx)
	}
	p.releaseNodes(ctx)
	p.releaseRefs(ctx)

	// Nothing is queued for p from here on. Untaken transactions fail, and their
	// senders are notified.
	cancelAll(ctx, p.popTodo)
	cancelAll(ctx, p.popDelivered)
	p.alloc.Release(ctx)
	p.opener.Store(nil)
	p.stats().deleted(objectProcess)
	p.drop()
}

// releaseNodes ends p's nodes: their Refs stay, but refer to dead nodes, and the holders
// are notified.
func (p *Process) releaseNodes(ctx context.Context) {
	var buf [batchSize]*Node
	var waiting [batchSize]*asyncQueue
	walk := startWalk()
	for more := true; more; walk.yield() {
		var nodes []*Node
		p.mu.Lock()
		nodes, more = p.inner.nodes.next(0, buf[:0])
		for i, n := range nodes {
			p.inner.nodes.remove(n)
			waiting[i] = n.releaseLocked(ctx, p)
		}
		p.mu.Unlock()
		for i, n := range nodes {
			cancelAll(ctx, func() (list.Arc[work], bool) { return p.popWaiting(waiting[i]) })
			for _, r := range n.refsInOrder() {
				r.announceDeath(ctx)
			}
			held := list.FromRaw(n)
			held.Release(ctx)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inner.nodes.clear()
}

// popTodo removes the first item of work for any thread of p.
func (p *Process) popTodo() (list.Arc[work], bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.inner.todo.pop()
}

// popDelivered removes a notification that p has not answered.
func (p *Process) popDelivered() (list.Arc[work], bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w, ok := p.inner.deliveredDeath.pop(); ok {
		return w, true
	}
	return p.inner.deliveredFreezes.pop()
}

// popWaiting removes the first one-way transaction of q, the queue of a node of p, which
// is nil if the node has none.
func (p *Process) popWaiting(q *asyncQueue) (list.Arc[work], bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if q == nil {
		return list.Arc[work]{}, false
	}
	return q.pop()
}

// releaseRefs gives up all references that p holds, in handle order. A thread about to
// send to p may create others meanwhile, and gives them up when it finds p dead.
func (p *Process) releaseRefs(ctx context.Context) {
	var buf [batchSize]*Ref
	walk := startWalk()
	for next, more := uint32(0), true; more; walk.yield() {
		var refs []*Ref
		p.refsMu.Lock()
		refs, next, more = p.handles.next(next, buf[:0])
		for _, r := range refs {
			r.removeLocked(ctx, p)
		}
		p.refsMu.Unlock()
	}
	p.refsMu.Lock()
	defer p.refsMu.Unlock()
	if p.handles.ids.Len() == 0 {
		p.handles = handleTable{}
	}
}

// exit handles BINDER_THREAD_EXIT.
func (th *Thread) exit(ctx context.Context) {
	p := th.proc
	p.mu.Lock()
	held := p.inner.threads[th.id]
	p.forgetLocked(th)
	p.mu.Unlock()
	th.die(ctx)
	th.handOver(ctx)
	held.Release(ctx)
}

// handOver disposes of th's work after th has exited. Nodes' changes go to the process,
// for another thread to read; an unread transaction's buffer is freed, since nobody
// knows its address.
//
// Preconditions: No lock is held.
func (th *Thread) handOver(ctx context.Context) {
	p := th.proc
	var buf [batchSize]list.Arc[work]
	walk := startWalk()
	for more := true; more; walk.yield() {
		ended := buf[:0]
		p.mu.Lock()
		for n := 0; n < batchSize; n++ {
			var w list.Arc[work]
			if w, more = th.inner.todo.popFront(); !more {
				break
			}
			if change, ok := w.Get().(*nodeWork); ok && !p.inner.dead {
				p.inner.todo.pushBack(change)
				p.wakeupLocked(ctx)
				w.Release(ctx)
				continue
			}
			ended = append(ended, w)
		}
		p.mu.Unlock()
		for _, w := range ended {
			if t, ok := w.Get().(*Transaction); ok {
				th.refuseDelivery(ctx, t, binder.BR_DEAD_REPLY)
			} else {
				w.Get().cancel(ctx)
			}
			w.Release(ctx)
		}
	}
}

// release ends th, whose process ends, and its work.
//
// Preconditions: No lock is held.
func (th *Thread) release(ctx context.Context) {
	th.die(ctx)
	cancelAll(ctx, th.popTodo)
}

// die ends th, which is no longer reachable. Whoever waits for a reply from it is told
// that it's dead; whoever replies to it later will be. Its work is left on todo.
//
// Preconditions: No lock is held.
func (th *Thread) die(ctx context.Context) {
	th.proc.mu.Lock()
	th.inner.dead = true
	stack := th.swapStackLocked(list.Arc[*Transaction]{})
	th.proc.mu.Unlock()

	// If th was handling a call, and not waiting inside it, that call goes unanswered.
	var unanswered list.Arc[*Transaction]
	if stack.Ok() && stack.Get().handler() == th {
		unanswered = stack.Clone()
	}
	th.unwind(ctx, stack)
	if unanswered.Ok() {
		unanswered.Get().fail(ctx, binder.BR_DEAD_REPLY)
		unanswered.Release(ctx)
	}
}

// popTodo removes the first item of work for th alone.
func (th *Thread) popTodo() (list.Arc[work], bool) {
	th.proc.mu.Lock()
	defer th.proc.mu.Unlock()
	return th.inner.todo.popFront()
}
