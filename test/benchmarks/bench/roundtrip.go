// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"time"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/test/benchmarks/peer"
)

// roundtrip measures calls whose answers are as large as they are and, for
// comparison, a copy of that size, and a system call. A call takes three system
// calls: the one in which the server replies returns BR_TRANSACTION_COMPLETE, and
// only its next one waits for the next call. With TF_DEFER_COMPLETE it takes two.
func roundtrip() {
	ways := slices.Insert(slices.Clone(allWays), 1, deferred)
	for _, size := range numbersOf(*sizes) {
		measureWays(ways, size, size, func(name string, t timing) { t.emit(name, size) })
		if size == 0 && wanted("system call") {
			measure(peer.Open(*device).Version).emit("system call", size)
		}
		if size > 0 && wanted("one copy") {
			measure(copier(size)).emit("one copy", size)
		}
		if size > 0 && wanted("beyond an empty call") {
			emit(result{Series: "beyond an empty call", X: float64(size), Value: beyondEmpty(size)})
		}
	}
}

// copier returns a function that makes the copy of a call's data and the copy of
// its answer's, in turn. They use different memory, so that caches have to hold as
// much as with calls.
func copier(size int) func() {
	var memory [4][]byte
	for i := range memory {
		memory[i] = make([]byte, size)
		for at := range memory[i] {
			memory[i][at] = byte(at) // so that the pages are its own
		}
	}
	return func() {
		copy(memory[1], memory[0])
		memory[0], memory[1], memory[2], memory[3] = memory[2], memory[3], memory[0], memory[1]
	}
}

// beyondEmpty returns how much longer a call with size bytes each way takes than an
// empty one, in microseconds: the difference of their medians. Batches of both
// kinds take turns, so that no drift of the machine enters the difference.
func beyondEmpty(size int) float64 {
	const (
		turn   = 32
		settle = 4 // calls that free the other kind's last buffers, and fill caches
	)
	server := start("echo", nil)
	defer server.stop()
	e := open()
	data := make([]byte, size)
	var samples, empty, full []uint64
	begin, tick := time.Now(), startTicks()
	for time.Since(begin) < 2**duration || len(full) < 10*turn {
		samples = sample(samples[:0], turn, func() { e.call(0, 0, nil, nil) })
		empty = append(empty, samples[settle:]...)
		samples = sample(samples[:0], turn, func() { e.call(0, 0, data, nil) })
		full = append(full, samples[settle:]...)
	}
	unit := tick()
	return timingOf(full, unit).P50 - timingOf(empty, unit).P50
}

// echo is the role of a context manager that answers with as many bytes as it was
// sent.
func echo() {
	e := open()
	e.BecomeManager()
	ready()
	answer := make([]byte, 1<<20)
	e.serve(func(call binder.TransactionData) ([]byte, []uint64) { return answer[:call.DataSize], nil })
}
