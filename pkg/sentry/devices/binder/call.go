// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/usermem"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/binder/list"
)

// call handles BC_TRANSACTION.
func (th *Thread) call(task Task, uio usermem.IO, m *message) {
	kind := logCall
	if m.Flags&binder.TF_ONE_WAY != 0 {
		kind = logOneWay
	}
	th.begin(task, m, kind)
	f := th.tryCall(task, uio, m)
	th.end(task, m, f)
	if f != nil {
		th.proc.mu.Lock()
		defer th.proc.mu.Unlock()
		th.inner.lastError = extendedErrorOf(m.debugID, f)
		th.failLocked(f.br)
	}
}

func (th *Thread) tryCall(task Task, uio usermem.IO, m *message) *failure {
	p := th.proc
	target, f := p.target(uint32(m.Target), m)
	if f != nil {
		return f
	}
	n := target.Get()
	m.log.node = n.debugID
	oneWay := m.Flags&binder.TF_ONE_WAY != 0
	var inChain *Thread
	if n.owner == p {
		f = failedOwnNode
	} else {
		inChain, f = th.checkStack(task, n.owner, oneWay)
	}
	if f != nil {
		releaseTarget(task, target)
		return f
	}
	m.to(n.owner, inChain)

	done, err := newCompletion(p)
	if err != nil {
		releaseTarget(task, target)
		return failedNoMemory.by(err)
	}
	held, f := th.compose(task, uio, m, n.owner, target, nil)
	if f == nil {
		f = th.send(task, m, held.Get(), inChain, done.Get())
		held.Release(task)
	}
	done.Release(task)
	return f
}

// send queues t, a call that compose has made from m, for inChain or, if that is nil, for
// any thread of its receiver, and done for th.
func (th *Thread) send(task Task, m *message, t *Transaction, inChain *Thread, done *completion) *failure {
	p := th.proc
	if t.buffer.SpamSuspect() {
		done.spamSuspect = true
		th.report(task, m, binder.BR_ONEWAY_SPAM_SUSPECT)
	}
	p.mu.Lock()
	th.inner.lastError = noError(m.debugID)
	th.completeLocked(p, done, t)
	if !t.oneWay() {
		th.pushCallLocked(t)
	}
	p.mu.Unlock()
	pending, superseded, f := t.queue(task, inChain)
	if superseded.Ok() {
		superseded.Get().abandon(task)
		superseded.Release(task)
	}
	if f == nil {
		t.watchDevices()
		if pending {
			done.proc.mu.Lock()
			done.pendingFrozen = true
			th.hurryLocked(done.proc)
			done.proc.mu.Unlock()
			th.report(task, m, binder.BR_TRANSACTION_PENDING_FROZEN)
		}
		return nil
	}

	p.mu.Lock()
	dequeue(task, done)
	popped, _ := th.popCallLocked(t)
	p.mu.Unlock()
	popped.Release(task)
	t.abandon(task)
	return f
}

// target returns the node that p knows by handle, with a strong local reference
// for the buffer of a call to it. It records the owner in m, dead or alive.
func (p *Process) target(handle uint32, m *message) (list.Arc[*Node], *failure) {
	if handle != 0 {
		p.refsMu.Lock()
		defer p.refsMu.Unlock()
		r := p.refLocked(handle, true)
		if r == nil {
			return list.Arc[*Node]{}, failedUnknownHandle
		}
		m.receiver = r.node().owner
		return r.node().keepAsTarget()
	}
	manager := p.ctx.manager.Load()
	if manager == nil {
		return list.Arc[*Node]{}, deadNoManager
	}
	if manager.owner.pid == p.pid {
		return list.Arc[*Node]{}, failedOwnManager
	}
	m.receiver = manager.owner
	return manager.keepAsTarget()
}

// keepAsTarget makes n the target of a call: it adds a strong local reference, unless
// n's owner is dead.
//
// Preconditions: A reference keeps n in its owner's table while the owner lives.
func (n *Node) keepAsTarget() (list.Arc[*Node], *failure) {
	n.owner.mu.Lock()
	defer n.owner.mu.Unlock()
	if n.inner.dead {
		return list.Arc[*Node]{}, deadOwner
	}
	n.inner.localStrong++
	return list.BorrowOf(n).Arc(), nil
}

// mayCallLocked returns why th may not call, or nil: th has a transaction to read
// first, or awaits a reply.
//
// +checklocks:th.proc.mu
func (th *Thread) mayCallLocked() *failure {
	if th.inner.selected {
		return failedUnreadCall // Perhaps behind deferred work.
	}
	for w := range th.inner.todo.items.All() {
		if _, ok := w.(*Transaction); ok {
			return failedUnreadCall
		}
		break
	}
	if th.inner.stack.Ok() && th.inner.stack.Get().handler() != th {
		th.scratch.message.refused = refusalFor(reasonInCall, uint64(th.inner.stack.Get().debugID))
		return failedInCall
	}
	return nil
}

// checkStack checks that th may call process to. It returns the thread of to that
// waits for what th is doing, if there is one: the call goes to that thread.
func (th *Thread) checkStack(ctx context.Context, to *Process, oneWay bool) (*Thread, *failure) {
	if oneWay {
		return nil, nil
	}
	th.proc.mu.Lock()
	if f := th.mayCallLocked(); f != nil {
		th.proc.mu.Unlock()
		return nil, f
	}
	held := th.inner.stack.Clone()
	th.proc.mu.Unlock()
	// Further up, the calls are on other threads' stacks.
	for held.Ok() {
		t := held.Get()
		t.mu.Lock()
		from := t.inner.from
		next := t.inner.fromParent.Clone()
		t.mu.Unlock()
		held.Release(ctx)
		if from != nil && from.proc == to {
			next.Release(ctx)
			return from, nil
		}
		held = next
	}
	return nil, nil
}

// queue queues the call t for its receiver: for thread th or, if that is nil, for
// whichever takes it. It returns whether t is pending because the receiver is frozen,
// and the call that t supersedes, if any.
func (t *Transaction) queue(ctx context.Context, th *Thread) (pending bool, superseded list.Arc[*Transaction], f *failure) {
	n := t.targetNode()
	q := n.owner
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.refusesLocked(t.oneWay()) {
		return false, superseded, frozenReceiver
	}
	if q.inner.dead || th != nil && th.lockedBy(q).dead {
		return false, superseded, deadReceiver
	}
	t.beginLocked(q)
	if t.oneWay() {
		pending = q.inner.freezer.frozen
		if n.inner.asyncBusy {
			if n.inner.asyncTodo == nil {
				n.inner.asyncTodo = &asyncQueue{}
			}
			if pending {
				superseded = n.inner.asyncTodo.takeSuperseded(ctx, t)
				if old := superseded.Get(); old != nil {
					old.endLocked(q)
				}
			}
			n.inner.asyncTodo.push(t)
			return pending, superseded, nil
		}
		n.inner.asyncBusy = true
	}
	if th == nil {
		if th = q.selectThreadLocked(ctx); th != nil {
			th.lockedBy(q).selected = true
		}
	}
	if th != nil {
		th.queueLocked(q, t)
	} else {
		q.inner.todo.pushTransaction(t)
	}
	q.wakeThreadLocked(th)
	return pending, superseded, nil
}
