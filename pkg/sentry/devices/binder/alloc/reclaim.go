// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package alloc

import (
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/sentry/memmap"
	"gvisor.dev/gvisor/pkg/sentry/pgalloc"
)

// age makes the free pages evictable, except for those that a buffer was on since the
// last call. It returns whether there were any of these, which it leaves to the next call.
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
		// Release may have preceded the marks.
		s.mf.MarkAllUnevictable(s)
	}
	return again
}

// age returns the idle pages, and whether others will become idle.
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

// ReclaimAll returns the memory of all pages without a buffer to the host. A checkpoint
// that follows leaves nothing to the Reclaimer.
func (s *Space) ReclaimAll() {
	s.mu.Lock()
	if s.inner.pages != nil {
		s.inner.pages.recent = pageSet{}
	}
	s.mu.Unlock()
	s.reclaim(pageRange{0, maxPages})
}

// reclaim returns the memory of the idle pages in within to the host. The application
// doesn't see them until a buffer is placed there again; then they're zero.
func (s *Space) reclaim(within pageRange) {
	for within.end = min(within.end, maxPages); within.first < within.end; {
		within.first = s.reclaimSome(within)
	}
}

// reclaimSome reclaims some of the pages, and returns where to go on.
func (s *Space) reclaimSome(within pageRange) (next uint32) {
	// From here on, the application gets no new access to the pages...
	s.mu.Lock()
	going, next := s.inner.hideIdle(within)
	start := s.inner.start
	s.mu.Unlock()
	if going.empty() {
		return next
	}

	// ... here it loses the access that it had...
	s.invalidate(&going, start)

	// ... and here the memory goes. A page that is still absent was absent all the
	// time: no one has it. Buffers were placed on the others meanwhile.
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

// hideIdle hides some idle pages in within from the application. It returns them, and
// where to go on.
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
	// The lock keeps the mapping in place, so that this hits nothing else.
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

// beginDecommit removes from going the pages that were reused. Unless none is left, it
// makes senders wait for the others, and pins and returns the memory.
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

// endDecommit undoes beginDecommit. The caller drops the result, without the lock.
func (in *inner) endDecommit(gone *pageSet) memmap.FileRange {
	if in.pages != nil {
		in.pages.leaving = in.pages.leaving.without(gone)
	}
	return in.unpin()
}
