// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"sentrybinder/pkg/abi/binder"
)

// heldReferences makes n nodes of one process, to each of which another has a strong
// reference. The owner has been told and has acknowledged it.
//
// +checklocksignore
func heldReferences(t testing.TB, n int) *world {
	w := newWorld(t)
	owner, holder := w.newApp(), w.newApp()
	state, p := owner.state(), owner.app.Process
	for i := range n {
		o := nodeObject(uint64(i+1) * 64)
		p.mu.Lock()
		node := p.mustAddNode(&o)
		p.mu.Unlock()
		_, err := holder.acquireNode(owner, node, true, state, holder.account)
		require.NoError(t, err)
		p.mu.Lock()
		item, ok := state.inner.todo.popFront()
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
	runtime.GC() // The second frees what sync.Pools held.
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// memoryPerReference returns the memory that a node and its only reference take, in bytes,
// when there are n.
func memoryPerReference(t testing.TB, n int) float64 {
	before := heapInUse()
	w := heldReferences(t, n)
	after := heapInUse()
	w.closeAll()
	return float64(after-before) / float64(n)
}

// TestReferenceMemory limits the memory of a reference and its node. The map of the nodes
// is as full as with a million.
func TestReferenceMemory(t *testing.T) {
	const n = 1_000_000 / 16
	per := memoryPerReference(t, n)
	t.Logf("a reference and its node take %.1f bytes", per)
	require.LessOrEqual(t, per, 200.0)
}

// BenchmarkReferenceMemory reports the same for a million.
func BenchmarkReferenceMemory(b *testing.B) {
	for b.Loop() {
		b.ReportMetric(memoryPerReference(b, 1_000_000), "bytes/ref")
	}
}
