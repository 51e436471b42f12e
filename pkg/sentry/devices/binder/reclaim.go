// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"time"

	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/sentry/memmap"
	"gvisor.dev/gvisor/pkg/sentry/pgalloc"
	"gvisor.dev/gvisor/pkg/sync"
	"gvisor.dev/gvisor/pkg/tcpip"
)

// idlePeriod is how long no buffer is on a page, at least, before its memory may
// go back to the host. It goes before twice that time.
const idlePeriod = time.Second

// reclaimer finds memory of mappings that no buffer has used for a while, and
// makes it evictable. From then on it's up to the sentry's MemoryFile when it
// goes back to the host: under memory pressure if the MemoryFile watches for
// that, else at once.
//
// Nothing of it is saved but the clock: see Process.InvalidateUnsavable.
//
// +stateify savable
type reclaimer struct {
	// clock is the kernel's, which stands still during a checkpoint, so that
	// nothing becomes evictable then.
	clock tcpip.Clock

	mu sync.Mutex `state:"nosave"`

	// candidates has the allocators whose candidate is set.
	// +checklocks:mu
	candidates []*allocator `state:"nosave"`

	// ticking is true if tick will be called, or is at work.
	// +checklocks:mu
	ticking bool `state:"nosave"`
}

// add makes a a candidate.
func (r *reclaimer) add(a *allocator) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.candidates = append(r.candidates, a)
	if !r.ticking {
		r.ticking = true
		r.clock.AfterFunc(idlePeriod, r.tick)
	}
}

// tick looks at the candidates. It's called every idlePeriod as long as there
// are any.
func (r *reclaimer) tick() {
	r.mu.Lock()
	candidates := r.candidates
	r.candidates = nil
	r.mu.Unlock()

	kept := candidates[:0]
	for _, a := range candidates {
		if a.age() {
			kept = append(kept, a)
		}
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	r.candidates = append(kept, r.candidates...)
	if len(r.candidates) == 0 {
		r.candidates = nil
		r.ticking = false
		return
	}
	r.clock.AfterFunc(idlePeriod, r.tick)
}

// age makes the free pages evictable but for those that a buffer was on since the
// last call. It returns whether there are any of these, for the next call.
func (a *allocator) age() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.released {
		a.forIdleLocked(a.wholeLocked(), func(mr memmap.MappableRange) {
			a.mf.MarkEvictable(a, pgalloc.EvictableRange(mr))
		})
	}
	a.candidate = !a.released && !a.recent.IsEmpty()
	a.recent.Reset()
	return a.candidate
}

// Evict implements pgalloc.EvictableMemoryUser.Evict.
func (a *allocator) Evict(_ context.Context, er pgalloc.EvictableRange) {
	a.giveBack(memmap.MappableRange(er))
}

// giveBackAll gives back the memory of all pages that no buffer is on.
func (a *allocator) giveBackAll() {
	a.mu.Lock()
	a.recent.Reset()
	whole := a.wholeLocked()
	a.mu.Unlock()
	a.giveBack(whole)
}

// giveBack gives the memory of the idle pages in within back to the host. The
// application doesn't see them any more, until a buffer is placed there again;
// then they're zero.
func (a *allocator) giveBack(within memmap.MappableRange) {
	a.spaceMu.Lock()
	defer a.spaceMu.Unlock()

	// From here on, the application gets no access to the pages...
	var going []memmap.MappableRange
	a.mu.Lock()
	start := a.start
	if !a.released {
		a.forIdleLocked(within, func(mr memmap.MappableRange) {
			going = append(going, mr)
			for page, end := pageRange(mr.Start, mr.Length()); page < end; page++ {
				a.present.Remove(page) // +checklocksignore: a.mu is held.
			}
		})
	}
	a.mu.Unlock()

	// ... and here it loses what it had. The mapping stays while spaceMu is
	// held, so that this meets nothing else.
	if a.space != nil {
		for _, mr := range going {
			a.space.Invalidate(hostarch.AddrRange{
				Start: start + hostarch.Addr(mr.Start),
				End:   start + hostarch.Addr(mr.End),
			}, memmap.InvalidateOpts{InvalidatePrivate: true})
		}
	}

	// A page that is still absent was so all the time: nobody has it. The
	// others have been given to buffers meanwhile.
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.fr.Length() == 0 {
		return
	}
	for _, mr := range going {
		forRuns(mr, func(page uint32) bool { return !a.presentLocked(page) }, func(mr memmap.MappableRange) { // +checklocksignore: a.mu is held.
			a.mf.Decommit(memmap.FileRange{Start: a.fr.Start + mr.Start, End: a.fr.Start + mr.End}) // +checklocksignore: likewise.
		})
	}
}

// wholeLocked returns all that buffers can be placed in.
//
// +checklocks:a.mu
func (a *allocator) wholeLocked() memmap.MappableRange {
	return memmap.MappableRange{End: a.size}
}

// forIdleLocked calls fn for each run of pages in within that the application
// sees although no buffer is on them, nor was one recently.
//
// +checklocks:a.mu
func (a *allocator) forIdleLocked(within memmap.MappableRange, fn func(memmap.MappableRange)) {
	idle := func(page uint32) bool {
		return a.presentLocked(page) && !isSet(&a.recent, page) // +checklocksignore: a.mu is held.
	}
	a.free.wholePages(func(mr memmap.MappableRange) {
		if mr = mr.Intersect(within); mr.Length() != 0 {
			forRuns(mr, idle, fn)
		}
	})
}

// forRuns calls fn for each longest run of pages in mr for which in is true.
func forRuns(mr memmap.MappableRange, in func(page uint32) bool, fn func(memmap.MappableRange)) {
	for page, end := pageRange(mr.Start, mr.Length()); page < end; page++ {
		first := page
		for page < end && in(page) {
			page++
		}
		if first < page {
			fn(memmap.MappableRange{Start: uint64(first) * hostarch.PageSize, End: uint64(page) * hostarch.PageSize})
		}
	}
}
