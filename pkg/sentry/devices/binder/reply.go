// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"gvisor.dev/gvisor/pkg/usermem"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/binder/list"
)

// answer handles BC_REPLY.
func (th *Thread) answer(task Task, uio usermem.IO, m *message) {
	p := th.proc
	th.begin(task, m, logReply)
	p.mu.Lock()
	if !th.inner.stack.Ok() || th.inner.stack.Get().handler() != th {
		f := failedNoCall
		if th.inner.stack.Ok() {
			m.refused = refusalFor(reasonWrongStack, uint64(th.inner.stack.Get().debugID))
		}
		th.inner.lastError = extendedErrorOf(m.debugID, f)
		th.failLocked(f.br)
		p.mu.Unlock()
		th.end(task, m, f)
		return
	}
	th.inner.lastError = noError(m.debugID)
	call := th.inner.stack.Get()
	call.mu.Lock()
	held := th.swapStackLocked(call.inner.toParent.Take())
	defer held.Release(task)
	caller := call.inner.from
	call.inner.toThread = nil
	call.mu.Unlock()
	p.mu.Unlock()
	setNice(task, call.savedNice)

	var f *failure
	if caller == nil {
		f = deadCaller
	} else {
		m.to(caller.proc, caller)
		f = th.tryAnswer(task, uio, m, call, caller)
	}
	th.end(task, m, f)
	if f == nil {
		return
	}
	// The caller is told of the failure. The replier's part is complete.
	p.mu.Lock()
	call.endLocked(p)
	th.failLocked(binder.BR_TRANSACTION_COMPLETE)
	p.mu.Unlock()
	if caller != nil {
		caller.noteError(m.debugID, f)
	}
	call.fail(task, f.br)
}

func (th *Thread) tryAnswer(task Task, uio usermem.IO, m *message, call *Transaction, caller *Thread) *failure {
	done, err := newCompletion(th.proc)
	if err != nil {
		return failedNoMemory.by(err)
	}
	held, f := th.compose(task, uio, m, caller.proc, list.Arc[*Node]{}, call)
	if f == nil {
		f = th.sendReply(task, held.Get(), call, caller, done.Get())
		held.Release(task)
	}
	done.Release(task)
	return f
}

// sendReply queues t, the reply to call that compose has made, for caller, and done for
// th.
func (th *Thread) sendReply(task Task, t, call *Transaction, caller *Thread, done *completion) *failure {
	callTime.AddSample(t.sent - call.sent)

	th.proc.mu.Lock()
	th.completeLocked(th.proc, done, t)
	call.endLocked(th.proc)
	th.proc.mu.Unlock()

	q := caller.proc
	q.mu.Lock()
	popped, ok := caller.popCallLocked(call)
	if ok {
		t.beginLocked(q)
		caller.queueLocked(q, t)
		caller.signal()
	}
	q.mu.Unlock()
	if ok {
		popped.Release(task)
		t.watchDevices()
		return nil
	}

	th.proc.mu.Lock()
	dequeue(task, done)
	th.proc.mu.Unlock()
	t.abandon(task)
	return deadCallerOfReply
}
