// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"runtime"
	"time"

	"gvisor.dev/gvisor/pkg/gohacks"
)

// batchSize is the number of objects that are visited while a lock is held. It
// bounds how long a call waits for the lock, whatever an application owns.
const batchSize = 32

// longWalk is a walk over as many batches as an application likes. It yields between
// them: if it locked again at once, nobody else would get the lock.
//
// Where the sentry has one CPU, others wait for that CPU rather than for the lock, and
// a goroutine that yields it gets it back after 10 ms or more if others are busy: Go
// lets goroutines that wake each other share a time slice. There, a walk yields only
// after maxTurn, or the end of a process with a million nodes would take minutes.
type longWalk struct {
	// began is when the walk last got the CPU, in gohacks.Nanotime units.
	began int64
}

// maxTurn is how long a longWalk may run before it yields the only CPU.
const maxTurn = 2 * time.Millisecond

func startWalk() longWalk { return longWalk{gohacks.Nanotime()} }

// yield lets others run. It is called between batches, with no lock held.
func (w *longWalk) yield() {
	if runtime.GOMAXPROCS(0) == 1 && gohacks.Nanotime()-w.began < int64(maxTurn) {
		return
	}
	runtime.Gosched()
	w.began = gohacks.Nanotime()
}
