// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build race

package pool

import (
	"runtime"
	"unsafe"

	"gvisor.dev/gvisor/pkg/sync"
)

// poisonByte fills objects that were put back. As a pointer it is invalid: not
// canonical, and far from the heap.
const poisonByte = 0xdb

// Put puts v back; the caller must hold the only pointer to it. Get never returns it
// again.
func (p *Pool[T]) Put(v *T) { poison(v) }

// poison overwrites *v.
//
// The race detector orders goroutines by the synchronization that it sees. It sees
// what comes before the write, but is told to overlook the wait for it: all later
// accesses race with it.
func poison[T any](v *T) {
	memory := unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v))
	if len(memory) == 0 {
		return
	}
	done := make(chan struct{})
	go func() {
		// One write for all bytes, not one for each: the detector remembers only the
		// last few accesses to each word.
		runtime.RaceWriteRange(unsafe.Pointer(v), len(memory))
		overwrite(v, memory)
		sync.RaceDisable()
		close(done)
		sync.RaceEnable()
	}()
	sync.RaceDisable()
	<-done
	sync.RaceEnable()
}

// overwrite fills memory, which is *v. It clears *v as a T first, so that write barriers
// tell the garbage collector of the pointers that go: one that was loaded from *v may be
// on a stack that the collector has already scanned.
//
//go:norace
func overwrite[T any](v *T, memory []byte) {
	var zero T
	*v = zero
	for i := range memory {
		memory[i] = poisonByte
	}
}
