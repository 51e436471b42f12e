// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package alloc

import (
	"runtime"

	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/sentry/memmap"
)

// pin keeps the memory, and returns rec's, which is empty if the space has none any
// more.
func (in *inner) pin(rec *record) memmap.FileRange {
	in.pins++
	return in.memoryOf(rec)
}

// memoryOf returns the memory of rec, which is empty if the space has none any more.
func (in *inner) memoryOf(rec *record) memmap.FileRange {
	if in.fr.Length() == 0 {
		return memmap.FileRange{}
	}
	start := in.fr.Start + rec.Start
	return memmap.FileRange{Start: start, End: start + rec.size}
}

// unpin undoes pin. The caller drops the result, without the lock.
func (in *inner) unpin() memmap.FileRange {
	in.pins--
	return in.takeUnusedMemory()
}

// takeUnusedMemory returns the memory if it is no longer needed, and otherwise an empty
// range.
func (in *inner) takeUnusedMemory() memmap.FileRange {
	if !in.released || in.pins != 0 {
		return memmap.FileRange{}
	}
	fr := in.fr
	in.fr = memmap.FileRange{}
	return fr
}

// drop returns fr to the MemoryFile if it isn't empty.
func (s *Space) drop(fr memmap.FileRange) {
	if fr.Length() != 0 {
		s.mf.DecRef(fr)
	}
}

// Release ends the delivered and stranded buffers. The others end with their tokens, and
// the memory with the last pin.
func (s *Space) Release(ctx context.Context) {
	s.mu.Lock()
	s.inner.released = true
	s.mu.Unlock()
	s.mf.MarkAllUnevictable(s)

	var ended [maxSteps]*record
	for at, n, more := uint64(0), 0, true; more; {
		s.mu.Lock()
		n, at, more = s.inner.endSome(at, ended[:])
		s.mu.Unlock()
		for _, rec := range ended[:n] {
			rec.end(ctx)
		}
		runtime.Gosched()
	}

	s.mu.Lock()
	in := &s.inner
	in.buffers, in.asyncShares, in.pages, in.free = nil, nil, nil, freeSpans{}
	memory := in.takeUnusedMemory()
	s.mu.Unlock()
	s.drop(memory)
}

// endSome visits as many places as ended has elements, from offset at of the mapping on,
// and moves the buffers there that no token holds to ended. It returns their number, and
// where to go on, or false at the end.
func (in *inner) endSome(at uint64, ended []*record) (n int, next uint64, more bool) {
	for range ended {
		if at >= in.size {
			return n, at, false
		}
		rec, end := in.step(at)
		if rec != nil && in.fateOf(rec).ownedBySpace() {
			in.remove(rec)
			ended[n] = rec
			n++
		}
		at = end
	}
	return n, at, true
}

// Translate implements memmap.Mappable.Translate for offsets into the mapping.
func (s *Space) Translate(required, optional memmap.MappableRange) ([]memmap.Translation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	in := &s.inner
	// The mapping may be longer than its used part, by more pages than a page
	// number can count.
	if required.Start >= in.size || in.pages == nil || in.fr.Length() == 0 {
		return nil, &memmap.BusError{Err: linuxerr.EFAULT}
	}
	present := &in.pages.present
	all := span{0, in.size}
	wanted := touchedPages(all.intersect(required))
	got := pageRange{wanted.first, min(wanted.end, present.nextAbsent(wanted.first))}
	if got.first == got.end {
		return nil, &memmap.BusError{Err: linuxerr.EFAULT}
	}
	var err error
	if required.End > got.mappable().End {
		err = &memmap.BusError{Err: linuxerr.EFAULT}
	} else {
		// All required pages are present; add the present ones around them.
		around := touchedPages(all.intersect(optional))
		got.end = max(got.end, min(around.end, present.nextAbsent(got.first)))
		got.first = min(got.first, max(around.first, present.runStart(got.first)))
	}
	source := got.mappable()
	return []memmap.Translation{{
		Source: source,
		File:   s.mf,
		Offset: in.fr.Start + source.Start,
		Perms:  hostarch.Read,
	}}, err
}
