// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"math/bits"

	"gvisor.dev/gvisor/pkg/atomicbitops"
)

// MinEvents and MaxEvents are the smallest and the greatest capacity of a Ring, in events.
const (
	MinEvents = 1 << 10
	MaxEvents = 1 << 20
)

// Ring is a fixed-size queue of events. Any number of goroutines add to it, and one
// reads. None waits for another: an event that finds the ring full is dropped.
type Ring struct {
	slots []slot
	mask  uint64

	// dropped counts the dropped events.
	dropped atomicbitops.Uint64

	// tail is the number of events read. Only the reader uses it.
	tail uint64

	_ [64]byte // Writers and the reader don't share a cache line.

	// head is the number of events that have, or are about to get, a slot.
	head atomicbitops.Uint64
}

// slot is a place for an event. Event number n goes to slot n modulo the number of slots,
// once the previous event there was read.
type slot struct {
	// turn is n if the slot waits for event n to be written, and n + 1 if it waits for
	// it to be read.
	turn  atomicbitops.Uint64
	event Event
}

// NewRing returns a Ring for at least the given number of events, clamped to MinEvents and
// MaxEvents.
func NewRing(events int) *Ring {
	events = 1 << bits.Len(uint(min(max(events, MinEvents), MaxEvents)-1))
	r := &Ring{slots: make([]slot, events), mask: uint64(events - 1)}
	for i := range r.slots {
		r.slots[i].turn.RacyStore(uint64(i))
	}
	return r
}

// Add adds e, or drops it if there's no room.
func (r *Ring) Add(e *Event) {
	for {
		n := r.head.Load()
		s := &r.slots[n&r.mask]
		switch turn := s.turn.Load(); {
		case turn == n:
			if r.head.CompareAndSwap(n, n+1) {
				s.event = *e
				s.turn.Store(n + 1)
				return
			}
		case turn < n:
			// The previous round's event was not read yet.
			r.dropped.Add(1)
			return
		}
		// Another goroutine took the slot; try the next one.
	}
}

// Read appends the next events to b, encoded: all that there are and that fit in its
// capacity. An event that is being written briefly holds up those after it.
func (r *Ring) Read(b []byte) []byte {
	for cap(b)-len(b) >= Size {
		s := &r.slots[r.tail&r.mask]
		if s.turn.Load() != r.tail+1 {
			break
		}
		// AppendTo reads by memmove, which the race detector does not see.
		e := s.event
		b = e.AppendTo(b)
		s.turn.Store(r.tail + uint64(len(r.slots)))
		r.tail++
	}
	return b
}

// Dropped returns the number of events dropped for lack of room.
func (r *Ring) Dropped() uint64 { return r.dropped.Load() }

// Cap returns the number of events that r has room for.
func (r *Ring) Cap() int { return len(r.slots) }
