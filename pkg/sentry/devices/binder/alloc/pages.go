// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package alloc

import (
	"iter"
	"math/bits"

	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/sentry/memmap"
)

// maxPages is the number of pages that buffers can be placed on.
const maxPages = MaxSize / hostarch.PageSize

// pageRange is the pages of a mapping from first up to end.
type pageRange struct {
	first, end uint32
}

// touchedPages returns the pages that s overlaps.
func touchedPages(s span) pageRange {
	return pageRange{uint32(s.start / hostarch.PageSize), uint32((s.end() + hostarch.PageSize - 1) / hostarch.PageSize)}
}

// wholePages returns the pages that lie wholly in s.
func wholePages(s span) pageRange {
	first := uint32((s.start + hostarch.PageSize - 1) / hostarch.PageSize)
	return pageRange{first, max(first, uint32(s.end()/hostarch.PageSize))}
}

func (r pageRange) intersect(other pageRange) pageRange {
	first := max(r.first, other.first)
	return pageRange{first, max(first, min(r.end, other.end))}
}

// mappable returns r in bytes.
func (r pageRange) mappable() memmap.MappableRange {
	return memmap.MappableRange{Start: uint64(r.first) * hostarch.PageSize, End: uint64(r.end) * hostarch.PageSize}
}

// mask has a bit for each page of r among the 64 pages from 64*word on.
func (r pageRange) mask(word uint32) uint64 {
	m := ^uint64(0)
	if first := 64 * word; r.first > first {
		m <<= r.first - first
	}
	if end := 64 * (word + 1); r.end < end {
		m &= ^uint64(0) >> (end - r.end)
	}
	return m
}

// pageSet is a set of pages of a mapping. It is a few words, and no method does more than
// visit each.
//
// +stateify savable
type pageSet struct {
	words [maxPages / 64]uint64
}

func (s *pageSet) add(r pageRange) {
	for w := r.first / 64; w*64 < r.end; w++ {
		s.words[w] |= r.mask(w)
	}
}

func (s *pageSet) remove(r pageRange) {
	for w := r.first / 64; w*64 < r.end; w++ {
		s.words[w] &^= r.mask(w)
	}
}

// hasAny returns whether s has any page of r.
func (s *pageSet) hasAny(r pageRange) bool {
	for w := r.first / 64; w*64 < r.end; w++ {
		if s.words[w]&r.mask(w) != 0 {
			return true
		}
	}
	return false
}

func (s *pageSet) empty() bool { return *s == pageSet{} }

func (s *pageSet) len() int {
	n := 0
	for _, w := range s.words {
		n += bits.OnesCount64(w)
	}
	return n
}

// without returns the pages of s that are not in other.
func (s pageSet) without(other *pageSet) pageSet {
	for w := range s.words {
		s.words[w] &^= other.words[w]
	}
	return s
}

// with returns the pages in s or other.
func (s pageSet) with(other *pageSet) pageSet {
	for w := range s.words {
		s.words[w] |= other.words[w]
	}
	return s
}

// within returns the pages of s that are in r.
func (s pageSet) within(r pageRange) pageSet {
	for w := range s.words {
		s.words[w] &= r.mask(uint32(w))
	}
	return s
}

// next returns the first page from page on in s, or maxPages.
func (s *pageSet) next(page uint32) uint32 { return s.find(page, 0) }

// nextAbsent returns the first page from page on that is not in s, or maxPages.
func (s *pageSet) nextAbsent(page uint32) uint32 { return s.find(page, ^uint64(0)) }

// find returns the first page from page on whose bit is set in s, each of whose words is
// XORed with flip, or maxPages.
func (s *pageSet) find(page uint32, flip uint64) uint32 {
	if page >= maxPages {
		return maxPages
	}
	w := page / 64
	word := (s.words[w] ^ flip) >> (page % 64) << (page % 64)
	for word == 0 {
		if w++; w == uint32(len(s.words)) {
			return maxPages
		}
		word = s.words[w] ^ flip
	}
	return 64*w + uint32(bits.TrailingZeros64(word))
}

// runStart returns the first page of the run in s that page belongs to. s has page.
func (s *pageSet) runStart(page uint32) uint32 {
	w := page / 64
	absent := ^s.words[w] << (63 - page%64) >> (63 - page%64)
	for absent == 0 {
		if w == 0 {
			return 0
		}
		w--
		absent = ^s.words[w]
	}
	return 64*w + 64 - uint32(bits.LeadingZeros64(absent))
}

// runs yields each maximal run of pages in s.
func (s *pageSet) runs() iter.Seq[pageRange] {
	return func(yield func(pageRange) bool) {
		for first := s.next(0); first < maxPages; {
			end := s.nextAbsent(first)
			if !yield(pageRange{first, end}) {
				return
			}
			first = s.next(end)
		}
	}
}

// firstRuns returns the first n runs of s.
func (s *pageSet) firstRuns(n int) pageSet {
	var first pageSet
	for run := range s.runs() {
		if n == 0 {
			break
		}
		n--
		first.add(run)
	}
	return first
}
