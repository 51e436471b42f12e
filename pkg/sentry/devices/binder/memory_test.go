// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"sentrybinder/pkg/abi/binder"
)

// heldReferences makes n nodes of one process, to each of which another one has a
// strong reference. The owner has heard of it and acknowledged it.
func heldReferences(t testing.TB, n int) *world {
	w := newWorld(t)
	owner, holder := w.newApp(), w.newApp()
	state, p := owner.state(), owner.app.Process
	for i := range n {
		o := nodeObject(uint64(i+1) * 64)
		p.mu.Lock()
		node := p.newNodeLocked(&o)
		p.mu.Unlock()
		_, err := holder.acquireNode(owner, node, true, state)
		require.NoError(t, err)
		p.mu.Lock()
		item, ok := state.todo.popFront()
		require.True(t, ok)
		_ = item.Get().take(owner, state)
		p.mu.Unlock()
		item.Release(owner)
		pc := binder.PtrCookie{Ptr: o.Binder, Cookie: o.Cookie}
		p.acknowledge(owner, false, &pc)
		p.acknowledge(owner, true, &pc)
	}
	return w
}

// heapInUse returns the size of all objects in the heap, in bytes.
func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkReferenceMemory has what a node and the only reference to it take, of
// a million.
func BenchmarkReferenceMemory(b *testing.B) {
	const n = 1_000_000
	for b.Loop() {
		before := heapInUse()
		w := heldReferences(b, n)
		b.ReportMetric(float64(heapInUse()-before)/n, "bytes/ref")
		w.closeAll()
	}
}
