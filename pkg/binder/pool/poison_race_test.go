// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build race

package pool

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// owner holds the heap's only pointer to held.
type owner struct {
	held *[6]uint64
	next *owner
}

// TestHeldBeyondPut puts owners back while the garbage collector marks, and then uses
// what they held. A collector that finds the pointer neither in the owner nor on a stack
// that it has already scanned frees what is in use.
func TestHeldBeyondPut(t *testing.T) {
	intact := [6]uint64{1, 1, 1, 1, 1, 1}
	for range 10 {
		// The collector follows a list from its head, element by element, and reaches
		// the tail late.
		var p Pool[owner]
		var list *owner
		var tail [256]*owner
		for i := range 100_000 {
			list = &owner{held: &[6]uint64{1, 1, 1, 1, 1, 1}, next: list}
			if i < len(tail) {
				tail[i] = list
			}
		}
		collected := make(chan struct{})
		go func() {
			defer close(collected)
			runtime.GC()
		}()
		var held [len(tail)]*[6]uint64 // On the stack, which has no write barriers.
		for i, o := range tail {
			held[i] = o.held
			p.Put(o)
		}
		<-collected
		// Reuse what was freed by mistake.
		others := make([]*[6]uint64, 100_000)
		for i := range others {
			others[i] = new([6]uint64)
		}
		for _, h := range held {
			require.Equal(t, intact, *h)
		}
		runtime.KeepAlive(others)
		runtime.KeepAlive(list)
	}
}
