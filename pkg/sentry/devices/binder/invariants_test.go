// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"math"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/hostarch"
)

// requireSound checks what holds of the structures of a whole context whenever
// no call is under way.
//
// +checklocksignore
func (w *world) requireSound() {
	w.t.Helper()
	for _, c := range w.driver.ObjectCounts() {
		require.LessOrEqual(w.t, c.Active, c.Total, "more objects of kind %s went than came", c.Name)
	}
	for i := range w.ctx.procs.Len() {
		p := w.ctx.procs.At(i)
		require.Equal(w.t, i, p.index)
		require.False(w.t, p.dead)
		p.requireSound(w)
		p.alloc.requireSound(w)
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
		for j, held := range chunk.refs {
			r := held.Get()
			if r == nil {
				continue
			}
			used++
			require.Equal(w.t, i*handlesPerChunk+j, int(r.handle))
			require.True(w.t, p.handles.ids.InUse(int(r.handle)))
			require.Same(w.t, r, p.refs[r.node()])
			require.True(w.t, r.strong >= 0 && r.weak >= 0 && r.strong+r.weak > 0, "strong %d, weak %d", r.strong, r.weak)
			require.True(w.t, r.nodeLinks.Linked())
			require.NotSame(w.t, p, r.node().owner)
		}
		require.Equal(w.t, chunk.used, used)
		inUse += used
	}
	require.Len(w.t, p.refs, inUse)
	require.Equal(w.t, p.handles.ids.Len(), inUse)

	for ptr, held := range p.nodes {
		n := held.Get()
		require.Equal(w.t, ptr, n.ptr)
		require.Same(w.t, p, n.owner)
		require.False(w.t, n.dead)
		n.requireSound(w)
	}
	for id, held := range p.threads {
		th := held.Get()
		require.Equal(w.t, id, th.id)
		require.False(w.t, th.dead)
		require.False(w.t, th.waitingLinks.Linked(), "a thread waits that is in no call")
		th.requireStackSound(w)
	}
	require.True(w.t, p.waiting.Empty())
}

// +checklocksignore
func (n *Node) requireSound(w *world) {
	w.t.Helper()
	strong := 0
	for r := range n.refs.All() {
		require.Same(w.t, n, r.node())
		if r.strong > 0 { // +checklocksignore: no call is under way.
			strong++
		}
	}
	require.Equal(w.t, strong, n.internalStrong)
	require.GreaterOrEqual(w.t, n.localStrong, 0)
	require.GreaterOrEqual(w.t, n.localWeak, 0)
	require.True(w.t, n.asyncBusy || n.asyncTodo.empty(), "one-way calls wait for nothing")

	held := n.hasStrong || n.hasWeak || n.internalStrong+n.localStrong+n.localWeak > 0 || !n.refs.Empty()
	require.True(w.t, held, "nobody knows the node")
	told := n.hasWeak == (n.localWeak > 0 || !n.refs.Empty() || n.localStrong > 0)
	require.True(w.t, told || n.on != nil || w.deaf[n.owner], "the owner is not told that references came or went")
}

// requireStackSound checks that th's stack ends, and is linked by th.
//
// +checklocksignore
func (th *Thread) requireStackSound(w *world) {
	w.t.Helper()
	seen := make(map[*Transaction]bool)
	for t := th.stack.Get(); t != nil; {
		require.False(w.t, seen[t], "the stack is a circle")
		seen[t] = true
		require.False(w.t, t.reply || t.oneWay())
		switch {
		case t.toThread == th:
			require.Same(w.t, th.proc, t.to)
			t = t.toParent.Get()
		default:
			require.Same(w.t, th, t.from)
			require.Same(w.t, th.proc, t.fromProc)
			t = t.fromParent.Get()
		}
	}
}

// +checklocksignore
func (a *allocator) requireSound(w *world) {
	w.t.Helper()
	require.Zero(w.t, a.pins)
	if a.size == 0 {
		require.Empty(w.t, a.buffers)
		return
	}
	async := uint64(0)
	for start, b := range a.buffers {
		require.Equal(w.t, start, b.start)
		if b.async {
			async += b.size
		}
	}
	require.Equal(w.t, a.size/2, async+a.freeAsync)
	requireTiled(w.t, a.size, a.buffers, &a.free)
}

// requireGone checks that p, which was closed, has given everything back.
//
// +checklocksignore
func (p *Process) requireGone(w *world) {
	w.t.Helper()
	require.True(w.t, p.dead)
	require.Empty(w.t, p.refs)
	require.Empty(w.t, p.nodes)
	require.Empty(w.t, p.threads)
	require.True(w.t, p.todo.empty() && p.deliveredDeath.empty())
	require.Zero(w.t, p.handles.ids.Len())
	require.Empty(w.t, p.alloc.buffers)
	require.Zero(w.t, p.alloc.pins)
	require.Zero(w.t, p.alloc.fr.Length())
}

// foreignWord returns the address in a's mapping of a tagged word for another
// app, or false if there's none.
//
// +checklocksignore
func (a *app) foreignWord() (uint64, bool) {
	end := min(a.alloc.size, math.MaxUint32)
	for at := uint64(0); at < end; at += hostarch.PageSize {
		b, err := a.peek(testMapAddr+at, min(hostarch.PageSize, end-at))
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
