// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"github.com/google/btree"

	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/sentry/memmap"
)

// span is a free range of a process's mapping, in bytes from its start.
type span struct {
	start, size uint64
}

func (s span) end() uint64 { return s.start + s.size }

// freeSpans is the free space of a process's mapping: disjoint spans, of which
// no two touch. It finds the best fit for a size in logarithmic time, so that
// an application that holds many small buffers slows nobody who sends to it.
//
// It is not saved, since it is what the allocated buffers leave over.
type freeSpans struct {
	bySize  *btree.BTreeG[span]
	byStart *btree.BTreeG[span]

	// found is the result of the last search. It is a field, and take is made
	// once, so that a search allocates nothing.
	found  span
	exists bool
	take   func(span) bool
}

func (f *freeSpans) init() {
	const degree = 16 // 31 spans of 16 bytes to a node
	f.bySize = btree.NewG(degree, func(a, b span) bool {
		return a.size < b.size || a.size == b.size && a.start < b.start
	})
	f.byStart = btree.NewG(degree, func(a, b span) bool { return a.start < b.start })
	f.take = func(s span) bool {
		f.found, f.exists = s, true
		return false
	}
}

// allocate takes size bytes from the smallest span that has them, the one with
// the lowest address among equals, and returns where they start.
func (f *freeSpans) allocate(size uint64) (start uint64, ok bool) {
	f.exists = false
	f.bySize.AscendGreaterOrEqual(span{size: size}, f.take)
	if !f.exists {
		return 0, false
	}
	best := f.found
	f.remove(best)
	if rest := (span{best.start + size, best.size - size}); rest.size != 0 {
		f.insert(rest)
	}
	return best.start, true
}

// release gives s back and joins it with the free spans at its ends.
func (f *freeSpans) release(s span) {
	f.exists = false
	f.byStart.DescendLessOrEqual(s, f.take)
	if f.exists && f.found.end() == s.start {
		f.remove(f.found)
		s = span{f.found.start, f.found.size + s.size}
	}
	f.exists = false
	f.byStart.AscendGreaterOrEqual(s, f.take)
	if f.exists && f.found.start == s.end() {
		f.remove(f.found)
		s.size += f.found.size
	}
	f.insert(s)
}

// wholePages calls fn for each run of pages that are free as a whole. fn must not
// change f.
func (f *freeSpans) wholePages(fn func(memmap.MappableRange)) {
	f.bySize.AscendGreaterOrEqual(span{size: hostarch.PageSize}, func(s span) bool {
		first := (s.start + hostarch.PageSize - 1) / hostarch.PageSize
		end := s.end() / hostarch.PageSize
		if first < end {
			fn(memmap.MappableRange{Start: first * hostarch.PageSize, End: end * hostarch.PageSize})
		}
		return true
	})
}

func (f *freeSpans) insert(s span) {
	f.bySize.ReplaceOrInsert(s)
	f.byStart.ReplaceOrInsert(s)
}

func (f *freeSpans) remove(s span) {
	f.bySize.Delete(s)
	f.byStart.Delete(s)
}

// align8 rounds n up to a multiple of 8 bytes, the alignment of everything in a
// buffer. It returns false if that overflows.
func align8(n uint64) (uint64, bool) {
	aligned := (n + 7) &^ 7
	return aligned, aligned >= n
}

// pageRange returns the indices of the first page that [start, start+size)
// touches and of the first one after it.
func pageRange(start, size uint64) (first, end uint32) {
	return uint32(start / hostarch.PageSize), uint32((start + size + hostarch.PageSize - 1) / hostarch.PageSize)
}
