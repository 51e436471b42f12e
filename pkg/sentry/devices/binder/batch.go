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

// yieldToWaiters lets others take a lock that the caller has unlocked before the caller
// locks it again. Without it, a waiter would mostly find the lock taken.
func yieldToWaiters() { runtime.Gosched() }

// maxTurn is how long a long walk may run where the sentry has one CPU.
const maxTurn = 100 * time.Microsecond

// longWalk is a walk of as many batches as an application likes, which yields between
// them.
//
// Where the sentry has one CPU, nobody waits for a lock while the walk runs, but all
// wait for the CPU; and whoever yields that gets it back after milliseconds, if others
// are busy. There, a walk yields when it has run for maxTurn.
type longWalk struct {
	// began is when the walk had the CPU last, in gohacks.Nanotime units.
	began int64
}

// yield is called between batches.
func (w *longWalk) yield() {
	if runtime.GOMAXPROCS(0) == 1 && gohacks.Nanotime()-w.began < int64(maxTurn) {
		return
	}
	yieldToWaiters()
	w.began = gohacks.Nanotime()
}
