// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"gvisor.dev/gvisor/pkg/context"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/binder/list"
)

// failCall tells th that its call t has failed. It returns false if th no longer
// waits for t.
func (th *Thread) failCall(ctx context.Context, t *Transaction, br uint32) bool {
	th.proc.mu.Lock()
	defer th.proc.mu.Unlock()
	popped, ok := th.popCallLocked(t)
	if !ok {
		return false
	}
	popped.Release(ctx)
	if e := th.replyError.Get(); e.br == binder.BR_OK {
		e.br = br
		th.queueLocked(th.proc, e)
		th.signal()
	}
	return true
}

// pushCallLocked makes t the call that th awaits the reply to.
//
// +checklocks:th.proc.mu
func (th *Thread) pushCallLocked(t *Transaction) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.inner.from = th
	t.inner.fromParent = th.swapStackLocked(list.BorrowOf(t).Arc())
}

// popCallLocked undoes pushCallLocked and returns th's reference to t, or false if t
// is not the call that th awaits the reply to.
//
// +checklocks:th.proc.mu
func (th *Thread) popCallLocked(t *Transaction) (list.Arc[*Transaction], bool) {
	if th.inner.stack.Get() != t {
		return list.Arc[*Transaction]{}, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.inner.from != th {
		return list.Arc[*Transaction]{}, false
	}
	t.inner.from = nil
	return th.swapStackLocked(t.inner.fromParent.Take()), true
}

// handleLocked makes th the thread that handles call, which it has just read.
//
// +checklocks:th.proc.mu
func (th *Thread) handleLocked(call list.Arc[*Transaction]) {
	t := call.Get()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.inner.toThread, t.inner.read = th, true
	t.inner.toParent = th.swapStackLocked(call)
}

// swapStackLocked makes top the innermost transaction of th and returns the previous
// one.
//
// +checklocks:th.proc.mu
func (th *Thread) swapStackLocked(top list.Arc[*Transaction]) list.Arc[*Transaction] {
	was := th.inner.stack.Take()
	if was.Ok() {
		th.proc.inner.stacked--
	}
	if top.Ok() {
		th.proc.inner.stacked++
	}
	th.inner.stack = top
	return was
}

// unwind releases what was the stack of th, which has exited: it is no longer reachable
// through th.
func (th *Thread) unwind(ctx context.Context, top list.Arc[*Transaction]) {
	walk := startWalk()
	for top.Ok() {
		th.proc.mu.Lock()
		for n := 0; n < batchSize && top.Ok(); n++ {
			t := top.Get()
			t.mu.Lock()
			var next list.Arc[*Transaction]
			if t.inner.toThread == th {
				t.inner.toThread, t.inner.left = nil, true
				next = t.inner.toParent.Take()
				t.endLocked(th.proc)
			} else {
				t.inner.from = nil
				next = t.inner.fromParent.Clone()
			}
			t.mu.Unlock()
			top.Release(ctx)
			top = next
		}
		th.proc.mu.Unlock()
		if top.Ok() {
			walk.yield()
		}
	}
}
