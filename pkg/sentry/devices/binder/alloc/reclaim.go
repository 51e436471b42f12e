// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package alloc

import (
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/sentry/memmap"
	"gvisor.dev/gvisor/pkg/sentry/pgalloc"
)

// age makes the free pages evictable but for those that a buffer was on since the
// last call. It returns whether there are any of these, for the next call.
func (s *Space) age() bool {
	s.mu.Lock()
	idle, again := s.inner.age()
	s.mu.Unlock()
	for run := range idle.runs() {
		s.mf.MarkEvictable(s, pgalloc.EvictableRange(run.mappable()))
	}
	if idle.empty() {
		return again
	}
	s.mu.Lock()
	released := s.inner.released
	s.mu.Unlock()
	if released {
		// Release may have come before the marks.
		s.mf.MarkAllUnevictable(s)
	}
	return again
}

// age returns the idle pages, and whether there are others that will be.
func (in *inner) age() (idle pageSet, again bool) {
	in.candidate = false
	if in.released {
		return pageSet{}, false
	}
	idle = in.pages.idle()
	in.candidate = !in.pages.recent.empty()
	in.pages.recent = pageSet{}
	return idle, in.candidate
}

// Evict implements pgalloc.EvictableMemoryUser.Evict.
func (s *Space) Evict(_ context.Context, er pgalloc.EvictableRange) {
	s.reclaim(wholePages(span{er.Start, er.Length()}))
}

// ReclaimAll gives back the memory of all pages that no buffer is on. A checkpoint
// that follows has none that the Reclaimer must see to.
func (s *Space) ReclaimAll() {
	s.mu.Lock()
	if s.inner.pages != nil {
		s.inner.pages.recent = pageSet{}
	}
	s.mu.Unlock()
	s.reclaim(pageRange{0, maxPages})
}

// reclaim gives the memory of the idle pages in within back to the host. The
// application doesn't see them any more, until a buffer is placed there again;
// then they're zero.
func (s *Space) reclaim(within pageRange) {
	for within.end = min(within.end, maxPages); within.first < within.end; {
		within.first = s.reclaimSome(within)
	}
}

// reclaimSome does it for some of the pages, and returns where to go on.
func (s *Space) reclaimSome(within pageRange) (next uint32) {
	// From here on, the application gets no access to the pages...
	s.mu.Lock()
	going, next := s.inner.hideIdle(within)
	start := s.inner.start
	s.mu.Unlock()
	if going.empty() {
		return next
	}

	// ... here it loses what it had...
	s.invalidate(&going, start)

	// ... and here the memory goes. A page that is still absent was so all the time:
	// nobody has it. The others have been given to buffers meanwhile.
	s.mu.Lock()
	fr, ok := s.inner.beginDecommit(&going)
	s.mu.Unlock()
	if !ok {
		return next
	}
	for run := range going.runs() {
		mr := run.mappable()
		s.mf.Decommit(memmap.FileRange{Start: fr.Start + mr.Start, End: fr.Start + mr.End})
	}
	s.mu.Lock()
	memory := s.inner.endDecommit(&going)
	s.decommitted.Broadcast()
	s.mu.Unlock()
	s.drop(memory)
	return next
}

// hideIdle hides idle pages in within from the application: some, which it returns,
// and where to go on.
func (in *inner) hideIdle(within pageRange) (hidden pageSet, next uint32) {
	if in.pages == nil || in.fr.Length() == 0 {
		return pageSet{}, within.end
	}
	idle := in.pages.idle()
	idle = idle.within(within)
	hidden = idle.firstRuns(maxSteps)
	in.pages.present = in.pages.present.without(&hidden)
	rest := idle.without(&hidden)
	return hidden, min(rest.next(within.first), within.end)
}

// invalidate takes pages from the application, whose mapping is at start.
func (s *Space) invalidate(pages *pageSet, start hostarch.Addr) {
	// The mapping stays while the lock is held, so that this meets nothing else.
	s.addressMu.Lock()
	defer s.addressMu.Unlock()
	address := s.address
	if address == nil {
		return
	}
	for run := range pages.runs() {
		mr := run.mappable()
		address.Invalidate(hostarch.AddrRange{
			Start: start + hostarch.Addr(mr.Start),
			End:   start + hostarch.Addr(mr.End),
		}, memmap.InvalidateOpts{InvalidatePrivate: true})
	}
}

// beginDecommit removes from going the pages that have come back. Unless none is left,
// it makes senders wait for the others and pins the memory, which it returns.
func (in *inner) beginDecommit(going *pageSet) (memmap.FileRange, bool) {
	if in.pages == nil || in.fr.Length() == 0 {
		return memmap.FileRange{}, false
	}
	*going = going.without(&in.pages.present)
	if going.empty() {
		return memmap.FileRange{}, false
	}
	in.pages.leaving = in.pages.leaving.with(going)
	in.pins++
	return in.fr, true
}

// endDecommit ends that. The caller drops the result, without the lock.
func (in *inner) endDecommit(gone *pageSet) memmap.FileRange {
	if in.pages != nil {
		in.pages.leaving = in.pages.leaving.without(gone)
	}
	return in.unpin()
}
