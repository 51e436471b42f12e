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

// longWalk is a walk of as many batches as an application likes, which yields between
// them: nobody takes a lock that the walk has unlocked if the walk locks it again at
// once.
//
// Where the sentry has one CPU, nobody waits for a lock while the walk runs, but all
// wait for the CPU; and whoever yields that gets it back after 10 ms and more, if
// others are busy: Go lets goroutines that wake each other have it in turn for that
// long. There, a walk yields when it has run for maxTurn, or the end of a process with
// a million nodes would take minutes.
type longWalk struct {
	// began is when the walk had the CPU last, in gohacks.Nanotime units.
	began int64
}

// maxTurn is how long a long walk may run where the sentry has one CPU.
const maxTurn = 2 * time.Millisecond

func startWalk() longWalk { return longWalk{gohacks.Nanotime()} }

// yield is called between batches, without a lock.
func (w *longWalk) yield() {
	if runtime.GOMAXPROCS(0) == 1 && gohacks.Nanotime()-w.began < int64(maxTurn) {
		return
	}
	runtime.Gosched()
	w.began = gohacks.Nanotime()
}
