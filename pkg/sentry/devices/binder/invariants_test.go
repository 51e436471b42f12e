// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/sentry/memmap"

	"sentrybinder/pkg/sentry/devices/binder/alloc"
)

// check fails if ok is false. The functions below use it in place of require, which is too
// slow for a fuzzer's every step.
func (w *world) check(ok bool, what string) {
	if !ok {
		w.t.Helper()
		w.t.Fatalf("not true: %s", what)
	}
}

// requireSound checks the invariants of all structures of a context while no call is in
// progress.
//
// +checklocksignore
func (w *world) requireSound() {
	w.t.Helper()
	for _, c := range w.domain.ObjectCounts() {
		w.check(c.Active <= c.Total, "no more objects were deleted than created")
	}
	for p := range w.view().processes() {
		w.check(!p.inner.dead, "the domain has no dead process") // +checklocksignore
		p.requireSound(w)
		p.requireMappingSound(w)
	}
}

// +checklocksignore
func (p *Process) requireSound(w *world) {
	w.t.Helper()
	inUse := 0
	for i := range p.handles.chunks.Len() {
		chunk := p.handles.chunks.At(i)
		if chunk == nil {
			continue
		}
		used := 0
		for j := range chunk.refs {
			r := chunk.refs[j]
			if r == nil {
				continue
			}
			used++
			w.check(int(r.handle) == i*handlesPerChunk+j, "a reference knows its handle")
			w.check(isUsed(&p.handles.ids, int(r.handle)), "a handle with a reference is in use")
			w.check(r.node().inner.refs.of(p) == r, "a node knows its references, one for each process")
			w.check(r.inner.strong >= 0 && r.inner.weak >= 0, "the counts of a reference are not negative")
			w.check(r.inner.strong+r.inner.weak > 0, "a reference has a count")
			w.check(r.node().owner != p, "no process has a reference to its own node")
		}
		w.check(chunk.used == used, "a chunk knows how many references it has")
		inUse += used
	}
	w.check(p.handles.ids.Len() == inUse, "each handle in use has a reference")

	for _, n := range p.allNodes() {
		w.check(p.inner.nodes.get(n.ptr) == n && n.owner == p, "a node knows where it is")
		w.check(!n.inner.dead, "the nodes of a live process are alive")
		n.requireSound(w)
	}
	for id, held := range p.inner.threads {
		th := held.Get()
		w.check(th.id == id, "a thread knows its ID")
		w.check(!th.inner.dead, "the threads of a live process are alive")
		w.check(!th.waitingLinks.Linked(), "no thread waits")
		th.requireStackSound(w)
		th.requireTodoSound(w)
	}
	w.check(p.inner.waiting.Empty(), "no thread waits")
	w.check(p.inner.freezer.outstanding == p.countOutstanding(w), "a process knows how many transactions are outstanding")
	for cookie, l := range p.inner.deliveredFreezes.byCookie {
		w.check(!l.empty(), "no empty list is kept")
		for item := range l.items.All() {
			f, ok := item.(*freezeNotification)
			w.check(ok && f.cookie == cookie, "a delivered freeze notification is found by its cookie")
		}
	}
	stacked := 0
	for _, held := range p.inner.threads {
		if held.Get().inner.stack.Ok() {
			stacked++
		}
	}
	w.check(p.inner.stacked == stacked, "a process knows how many of its threads are in a transaction")
}

// countOutstanding counts the transactions to p that have not ended.
//
// +checklocksignore
func (p *Process) countOutstanding(w *world) int {
	n := 0
	count := func(l *workList) {
		for item := range l.items.All() {
			if t, ok := item.(*Transaction); ok {
				w.check(t.outstanding && t.to == p, "a queued transaction is outstanding") // +checklocksignore: there's one goroutine.
				n++
			}
		}
	}
	count(&p.inner.todo.workList)
	for _, n := range p.allNodes() {
		if n.inner.asyncTodo != nil {
			count(&n.inner.asyncTodo.list)
		}
	}
	for _, held := range p.inner.threads {
		th := held.Get()
		count(&th.inner.todo)
		for t := th.inner.stack.Get(); t != nil; {
			if t.inner.toThread == th {
				w.check(t.outstanding, "a call being handled is outstanding")
				n++
				t = t.inner.toParent.Get()
			} else {
				t = t.inner.fromParent.Get()
			}
		}
	}
	return n
}

// requireTodoSound checks th's own todo list.
//
// +checklocksignore
func (th *Thread) requireTodoSound(w *world) {
	w.t.Helper()
	w.check(!th.inner.processTodo || !th.inner.todo.empty(), "no read returns without work")
	calls, processTodo := 0, th.inner.processTodo
	for item := range th.inner.todo.items.All() {
		switch item.(type) {
		case *completion, *nodeWork:
		case *Transaction:
			calls++
			w.check(processTodo, "transactions are not deferred")
		default:
			w.check(processTodo, "failures and notifications are not deferred")
		}
	}
	w.check(!th.inner.selected || calls > 0, "a selected thread has a call to read")
}

// +checklocksignore
func (n *Node) requireSound(w *world) {
	w.t.Helper()
	strong := int32(0)
	w.check(n.inner.refs.only == nil || n.inner.refs.many == nil, "a node has one reference or many")
	w.check(n.inner.refs.many == nil || len(n.inner.refs.many) > 1, "a node has one reference or many")
	for _, r := range n.refsInOrder() {
		w.check(r.node() == n, "a reference knows its node")
		w.check(r.proc.handles.get(r.handle) == r, "each reference has a handle")
		if r.inner.strong > 0 {
			strong++
		}
	}
	w.check(n.inner.internalStrong == strong, "a node knows how many references are strong")
	w.check(n.inner.localStrong >= 0 && n.inner.localWeak >= 0, "the counts of a node are not negative")
	w.check(n.inner.asyncBusy || n.inner.asyncTodo == nil, "one-way calls wait for one before them")

	held := n.inner.hasStrong || n.inner.hasWeak || n.inner.internalStrong+n.inner.localStrong+n.inner.localWeak > 0 || !n.inner.refs.empty()
	w.check(held, "a node is referenced")
	told := n.inner.hasWeak == (n.inner.localWeak > 0 || !n.inner.refs.empty() || n.inner.localStrong > 0)
	w.check(told || n.inner.queued() || w.deaf[n.owner], "the owner is told that references came or went")
}

// requireStackSound checks that th's stack ends, and is linked by th.
//
// +checklocksignore
func (th *Thread) requireStackSound(w *world) {
	w.t.Helper()
	depth := uint64(0)
	for t := th.inner.stack.Get(); t != nil; {
		depth++
		w.check(depth <= w.domain.stats.objects[objectTransaction].created.Load(), "a stack ends")
		w.check(!t.reply && !t.oneWay(), "a transaction on a stack has a reply")
		if t.inner.toThread == th {
			w.check(t.to == th.proc, "a call is handled by its receiver")
			t = t.inner.toParent.Get()
		} else {
			w.check(t.inner.from == th && t.fromProc == th.proc, "a call on a stack is the thread's")
			t = t.inner.fromParent.Get()
		}
	}
}

// requireMappingSound checks that p sees all of its buffers.
func (p *Process) requireMappingSound(w *world) {
	w.t.Helper()
	n := 0
	for at, more := uint64(0), true; more; {
		at, more = p.alloc.Walk(at, func(b alloc.Info) {
			n++
			first := b.Start / hostarch.PageSize * hostarch.PageSize
			end := (b.ExtraStart() + b.ExtraSize + b.Start + hostarch.PageSize - 1) / hostarch.PageSize * hostarch.PageSize
			mr := memmap.MappableRange{Start: first, End: max(end, first+hostarch.PageSize)}
			_, err := p.alloc.Translate(mr, mr)
			w.check(err == nil, "the application sees all of its buffers")
		})
	}
	u := p.alloc.Usage()
	w.check(n == u.Buffers, "a walk visits all buffers")
	w.check(u.Used+u.Idle <= int(u.HighWater), "pages up to the high-water mark were used")
}

// requireGone checks that p, which was closed, has released everything.
//
// +checklocksignore
func (p *Process) requireGone(w *world) {
	w.t.Helper()
	require.True(w.t, p.inner.dead)
	require.Zero(w.t, p.inner.nodes.len())
	require.Empty(w.t, p.inner.threads)
	require.True(w.t, p.inner.todo.empty() && p.inner.deliveredDeath.empty() && p.inner.deliveredFreezes.empty())
	require.Zero(w.t, p.inner.freezer.outstanding)
	for other := range w.view().openedBy(p.id) {
		require.NotSame(w.t, p, other)
	}
	require.Zero(w.t, p.handles.ids.Len())
	require.Zero(w.t, p.alloc.Usage().Buffers)
	page := memmap.MappableRange{End: hostarch.PageSize}
	_, err := p.alloc.Translate(page, page)
	require.Error(w.t, err)
}

// foreignWord returns the address in a's mapping of a tagged word for another
// app, or false if there's none.
func (a *app) foreignWord() (uint64, bool) {
	end := uint64(a.alloc.Usage().HighWater) * hostarch.PageSize
	for at := uint64(0); at < end; at += hostarch.PageSize {
		b, err := a.peek(testMapAddr+at, hostarch.PageSize)
		if err != nil {
			continue // Nothing was placed there yet.
		}
		for i := 0; i+8 <= len(b); i += 8 {
			to, ok := wordReceiver(hostarch.ByteOrder.Uint64(b[i:]))
			if ok && int32(to) != a.pid {
				return testMapAddr + at + uint64(i), true
			}
		}
	}
	return 0, false
}
