// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package alloc

import (
	"gvisor.dev/gvisor/pkg/sentry/memmap"
)

// span is a range of a process's mapping, in bytes from its start.
type span struct {
	start, size uint64
}

func (s span) end() uint64 { return s.start + s.size }

// intersect returns the part of s in mr.
func (s span) intersect(mr memmap.MappableRange) span {
	start := max(s.start, mr.Start)
	return span{start, max(start, min(s.end(), mr.End)) - start}
}

// freeSpans is the free space of a process's mapping: disjoint spans, of which
// no two touch. It finds the best fit for a size in logarithmic time, so that an
// application that holds many small buffers doesn't slow its senders.
//
// It is not saved, since it is the space not covered by buffers.
type freeSpans struct {
	bySize  holeTree
	byStart map[uint64]*hole
	byEnd   map[uint64]*hole

	// unused are holes for the next insertions to use, linked by parent.
	unused *hole
}

func (f *freeSpans) init() {
	*f = freeSpans{byStart: make(map[uint64]*hole), byEnd: make(map[uint64]*hole)}
}

// allocate takes size bytes from the smallest span that has them. It returns their start,
// and the sender of the last buffer there, or 0 if unknown.
func (f *freeSpans) allocate(size uint64) (start uint64, lastSender int32, ok bool) {
	best := f.bySize.bestFit(size)
	if best == nil {
		return 0, 0, false
	}
	start, lastSender = best.start, best.lastSender
	if rest := (span{start + size, best.size - size}); rest.size != 0 {
		// Linux inserts the rest while the allocated hole is still in the tree.
		best.size = size
		f.insert(rest, 0)
	} else {
		delete(f.byEnd, best.end())
	}
	delete(f.byStart, start)
	f.discard(best)
	return start, lastSender, true
}

// release frees s, last used by lastSender, and joins it with the free spans at its
// ends. It returns the joined span.
func (f *freeSpans) release(s span, lastSender int32) span {
	start, end := s.start, s.end()
	next := f.byStart[end]
	if next != nil {
		s.size += next.size
		f.discard(next)
	}
	previous := f.byEnd[start]
	if previous != nil {
		s = span{previous.start, previous.size + s.size}
		lastSender = previous.lastSender
		f.discard(previous)
	}
	f.insert(s, lastSender)
	// A map that becomes empty, even for a moment, costs a new seed.
	if next != nil {
		delete(f.byStart, end)
	}
	if previous != nil {
		delete(f.byEnd, start)
	}
	return s
}

// insert adds s, which touches no other span. At an end shared with a discarded span, it
// takes that span's place in the maps.
func (f *freeSpans) insert(s span, lastSender int32) {
	h := f.unused
	if h == nil {
		h = &hole{}
	} else {
		f.unused = h.parent
	}
	*h = hole{span: s, lastSender: lastSender}
	f.bySize.insert(h)
	f.byStart[s.start], f.byEnd[s.end()] = h, h
}

// discard removes h from bySize and keeps it for the next insertion. byStart and byEnd are
// the caller's to update.
func (f *freeSpans) discard(h *hole) {
	f.bySize.remove(h)
	h.parent = f.unused
	f.unused = h
}

// align8 rounds n up to a multiple of 8 bytes, the alignment of everything in a
// buffer. It returns false if that overflows.
func align8(n uint64) (uint64, bool) {
	aligned := (n + 7) &^ 7
	return aligned, aligned >= n
}
