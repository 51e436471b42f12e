// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build race

package pool

import (
	"runtime"
	"unsafe"

	"gvisor.dev/gvisor/pkg/sync"
)

// poisonByte fills objects that were put back. As a pointer it is invalid: the
// address is not canonical, and far from any of the heap's.
const poisonByte = 0xdb

// Put gives v, to which nobody else has a pointer, back. Nobody gets it again.
func (p *Pool[T]) Put(v *T) { poison(v) }

// poison overwrites *v.
//
// The race detector orders goroutines by the synchronization that it sees. It sees
// what comes before the write, but is told to overlook that somebody waits for it:
// all accesses that follow race with it.
func poison[T any](v *T) {
	memory := unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v))
	if len(memory) == 0 {
		return
	}
	done := make(chan struct{})
	go func() {
		// One write of all, instead of one per byte: the detector remembers the last
		// few accesses to each word.
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

// overwrite fills memory, which is *v. It clears *v as a T first, so that the garbage
// collector hears of the pointers that go: one that was loaded from *v may be on a stack
// that the collector has looked at already.
//
//go:norace
func overwrite[T any](v *T, memory []byte) {
	var zero T
	*v = zero
	for i := range memory {
		memory[i] = poisonByte
	}
}
