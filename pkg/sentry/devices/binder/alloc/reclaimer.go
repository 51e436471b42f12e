// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package alloc

import (
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
)

// idlePeriod is the minimum time that a page has no buffer before its memory may go
// back to the host. Twice that is the maximum.
const idlePeriod = time.Second

// Reclaimer finds memory of mappings that no buffer has used for a while, and
// makes it evictable. From then on the sentry's MemoryFile decides when it goes
// back to the host: under memory pressure if the MemoryFile watches for that,
// otherwise at once.
//
// Only the clock is saved; see Space.ReclaimAll.
//
// +stateify savable
type Reclaimer struct {
	// clock is the kernel's. It stops during a checkpoint, so that nothing becomes
	// evictable then.
	clock tcpip.Clock

	mu reclaimerMutex `state:"nosave"`

	// +checklocks:mu
	inner reclaimerInner `state:"nosave"`
}

// reclaimerInner holds the fields that Reclaimer.mu protects.
type reclaimerInner struct {
	// candidates lists the Spaces whose candidate is set, except for those that tick
	// has in hand.
	candidates *candidate

	// ticking is true if tick will be called, or is running.
	ticking bool
}

// candidate is a Space as an element of the list of candidates. Its Reclaimer
// protects next.
type candidate struct {
	space *Space
	next  *candidate
}

// NewReclaimer returns a Reclaimer that goes by clock.
func NewReclaimer(clock tcpip.Clock) *Reclaimer { return &Reclaimer{clock: clock} }

func (in *reclaimerInner) push(c *candidate) {
	c.next = in.candidates
	in.candidates = c
}

// add makes c a candidate.
func (r *Reclaimer) add(c *candidate) {
	r.mu.Lock()
	r.inner.push(c)
	start := !r.inner.ticking
	r.inner.ticking = true
	r.mu.Unlock()
	if start {
		r.clock.AfterFunc(idlePeriod, r.tick)
	}
}

// tick ages the candidates. It's called every idlePeriod while there are any.
func (r *Reclaimer) tick() {
	r.mu.Lock()
	due := r.inner.candidates
	r.inner.candidates = nil
	r.mu.Unlock()

	for c := due; c != nil; {
		next := c.next
		c.next = nil
		if c.space.age() {
			r.mu.Lock()
			r.inner.push(c)
			r.mu.Unlock()
		}
		c = next
	}

	r.mu.Lock()
	again := r.inner.candidates != nil
	r.inner.ticking = again
	r.mu.Unlock()
	if again {
		r.clock.AfterFunc(idlePeriod, r.tick)
	}
}
