// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"gvisor.dev/gvisor/pkg/context"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/binder/list"
)

// failCall tells th that its call t has failed. It returns false if th doesn't
// wait for t any more.
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

// pushCallLocked notes that th waits for the reply to t.
//
// +checklocks:th.proc.mu
func (th *Thread) pushCallLocked(t *Transaction) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.inner.from = th
	t.inner.fromParent = th.swapStackLocked(list.BorrowOf(t).Arc())
}

// popCallLocked notes that th doesn't wait for the reply to t any more, and
// returns its reference to t, or false if it didn't.
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

// handle makes th the thread that handles call, which it has just read.
func (th *Thread) handle(call list.Arc[*Transaction]) {
	th.proc.mu.Lock()
	defer th.proc.mu.Unlock()
	t := call.Get()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.inner.toThread, t.inner.read = th, true
	t.inner.toParent = th.swapStackLocked(call)
}

// swapStackLocked makes top the innermost transaction of th and returns the one
// that was.
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

// unwind ends what was the stack of th, which has left. Nobody finds it by th.
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
