// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"runtime"
	"slices"

	"gvisor.dev/gvisor/pkg/sync"
)

// batchSize is the number of objects that are visited while a lock is held. It
// bounds how long a call waits for the lock, whatever an application owns.
const batchSize = 32

// yieldToWaiters lets others take a lock that the caller has unlocked before the caller
// locks it again. Without it, a waiter would mostly find the lock taken.
func yieldToWaiters() { runtime.Gosched() }

// sortedKeys returns the keys of m, which mu guards, in ascending order.
func sortedKeys[K uint64 | int32, V any](mu *sync.Mutex, m *map[K]V) []K {
	var keys []K
	var batch [batchSize]K
	n := 0
	mu.Lock()
	// m may change between the batches.
	for k := range *m {
		batch[n] = k
		if n++; n == len(batch) {
			n = 0
			mu.Unlock()
			keys = append(keys, batch[:]...)
			yieldToWaiters()
			mu.Lock()
		}
	}
	mu.Unlock()
	keys = append(keys, batch[:n]...)
	slices.Sort(keys)
	return keys
}
