// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"math/bits"

	"gvisor.dev/gvisor/pkg/atomicbitops"
)

// MinEvents and MaxEvents are the fewest and the most events that a Ring has room for.
const (
	MinEvents = 1 << 10
	MaxEvents = 1 << 20
)

// Ring is a queue of events of a fixed size. Any number of goroutines add to it, and
// one reads. No one waits for another: who finds the ring full drops the event.
type Ring struct {
	slots []slot
	mask  uint64

	// dropped counts the events that found no room.
	dropped atomicbitops.Uint64

	// tail is the number of events that were read. Only the reader uses it.
	tail uint64

	_ [64]byte // Adding must not slow reading down, nor the other way round.

	// head is the number of events that have, or are about to have, a slot.
	head atomicbitops.Uint64
}

// slot is a place for an event. Event number n goes to slot n modulo their number, once
// the one before it there was read.
type slot struct {
	// turn is n if the slot waits for event n to be written, and n + 1 if it waits for
	// that to be read.
	turn  atomicbitops.Uint64
	event Event
}

// NewRing returns a Ring for at least so many events, within the bounds of MinEvents and
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
			// An event of the round before has not been read.
			r.dropped.Add(1)
			return
		}
		// Another one has taken the slot; there's a next one.
	}
}

// Read appends the next events to b, encoded: as many as there are, and fit in its
// capacity. An event that is about to be written holds up those after it, for a moment.
func (r *Ring) Read(b []byte) []byte {
	for cap(b)-len(b) >= Size {
		s := &r.slots[r.tail&r.mask]
		if s.turn.Load() != r.tail+1 {
			break
		}
		b = s.event.AppendTo(b)
		s.turn.Store(r.tail + uint64(len(r.slots)))
		r.tail++
	}
	return b
}

// Dropped returns the number of events that found no room.
func (r *Ring) Dropped() uint64 { return r.dropped.Load() }

// Cap returns the number of events that r has room for.
func (r *Ring) Cap() int { return len(r.slots) }
