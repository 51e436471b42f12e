// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package alloc

import (
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
)

// idlePeriod is how long no buffer is on a page, at least, before its memory may
// go back to the host. It goes before twice that time.
const idlePeriod = time.Second

// Reclaimer finds memory of mappings that no buffer has used for a while, and
// makes it evictable. From then on it's up to the sentry's MemoryFile when it
// goes back to the host: under memory pressure if the MemoryFile watches for
// that, else at once.
//
// Nothing of it is saved but the clock: see Space.ReclaimAll.
//
// +stateify savable
type Reclaimer struct {
	// clock is the kernel's, which stands still during a checkpoint, so that
	// nothing becomes evictable then.
	clock tcpip.Clock

	mu reclaimerMutex `state:"nosave"`

	// +checklocks:mu
	inner reclaimerInner `state:"nosave"`
}

// reclaimerInner is the fields of a Reclaimer that its mu protects.
type reclaimerInner struct {
	// candidates has the Spaces whose candidate is set, but for those that tick
	// looks at.
	candidates *candidate

	// ticking is true if tick will be called, or is at work.
	ticking bool
}

// candidate is a Space as an element of a list of such. The list's Reclaimer
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

// tick looks at the candidates. It's called every idlePeriod as long as there
// are any.
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
