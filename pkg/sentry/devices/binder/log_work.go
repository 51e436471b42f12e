// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import "sentrybinder/pkg/binder/list"

// nextThread writes the thread at key, or the next ones by ID.
func (l *logWriter) nextThread() {
	ids, more := l.p.threadsFrom(int32(l.key))
	for _, id := range ids {
		if uint64(id) != l.key {
			l.leave(uint64(id))
		}
		if l.isFull() || !l.thread(id) {
			return
		}
		l.leave(uint64(id) + 1)
	}
	if !more {
		l.enter(logNodes)
	}
}

// thread writes thread id, from the current detail on. It returns false if the piece is
// full before all is written.
func (l *logWriter) thread(id int32) bool {
	l.p.mu.Lock()
	th := l.p.inner.threads[id].Get()
	l.p.mu.Unlock()
	if th == nil {
		return true
	}
	l.th = th
	defer func() { l.th = nil }()
	if l.detail == logHead {
		l.threadShown = false
		if l.all() {
			l.headings()
		}
		l.enterDetail(logStack)
	}
	if l.detail == logStack {
		if !l.stack(th) {
			return false
		}
		l.enterDetail(logQueue)
	}
	for l.queue(th.todoList(), "    ") {
		if l.isFull() {
			return false
		}
	}
	return true
}

// stack writes th's transactions, innermost first, and only those before item. It returns
// false if the piece is full before the end.
//
// Transactions nest: later ones have higher numbers, and those not written yet stay below.
// The process's lock is held only for the first, and each one's own lock for the next.
func (l *logWriter) stack(th *Thread) bool {
	ctx := l.ctx
	th.proc.mu.Lock()
	top := th.inner.stack.Clone()
	th.proc.mu.Unlock()
	for top.Ok() {
		if l.isFull() {
			top.Release(ctx)
			return false
		}
		t := top.Get()
		next, title := t.below(th)
		if title != "" && (l.item == 0 || t.debugID-int32(l.item) < 0) {
			l.line("    ")
			l.transaction(title, t)
			l.item = uint64(uint32(t.debugID))
		}
		top.Release(ctx)
		top = next
	}
	return true
}

// below returns the transaction below t on th's stack, and what t is to th, or "" if t has
// left the stack meanwhile.
func (t *Transaction) below(th *Thread) (next list.Arc[*Transaction], title string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch th {
	case t.inner.toThread:
		return t.inner.toParent.Clone(), "incoming transaction"
	case t.inner.from:
		return t.inner.fromParent.Clone(), "outgoing transaction"
	}
	return next, ""
}

// queue writes the next items of work of the current process: a batch of those after item
// on q. It returns false if there are none.
func (l *logWriter) queue(q *workList, indent string) bool {
	return l.eachQueued(q, func(w work) {
		l.line(indent)
		w.describe(l)
	})
}

// eachQueued calls f for a batch of the items after item on q, which the current process's
// lock guards. It returns false if there are none.
func (l *logWriter) eachQueued(q *workList, f func(work)) bool {
	ctx := l.ctx
	var buf [batchSize]queuedWork
	items := l.p.queuedAfter(ctx, q, l.item, buf[:0])
	for i := range items {
		f(items[i].Get())
		l.item = items[i].seq
		items[i].Release(ctx)
	}
	return len(items) > 0
}

// line starts a line below the headings.
func (l *logWriter) line(indent string) {
	l.headings()
	l.buf.WriteString(indent)
}

// delivered writes whether the process has read death or freeze notifications that it has
// not answered. Linux shows whether there are any, not how many.
func (l *logWriter) delivered() {
	l.p.mu.Lock()
	death, freeze := !l.p.inner.deliveredDeath.empty(), !l.p.inner.deliveredFreezes.empty()
	l.p.mu.Unlock()
	if death {
		l.line("  ")
		l.buf.WriteString("has delivered dead binder\n")
	}
	if freeze {
		l.line("  ")
		l.buf.WriteString("has delivered freeze binder\n")
	}
	l.enter(logNextProcess)
}
