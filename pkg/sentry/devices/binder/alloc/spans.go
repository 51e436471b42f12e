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

// intersect returns what of s is in mr.
func (s span) intersect(mr memmap.MappableRange) span {
	start := max(s.start, mr.Start)
	return span{start, max(start, min(s.end(), mr.End)) - start}
}

// freeSpans is the free space of a process's mapping: disjoint spans, of which
// no two touch. It finds the best fit for a size in logarithmic time, so that
// an application that holds many small buffers slows nobody who sends to it.
//
// It is not saved, since it is the space not covered by buffers.
type freeSpans struct {
	bySize  holeTree
	byStart map[uint64]*hole
	byEnd   map[uint64]*hole

	// unused are holes for use by the next insertions, linked by parent.
	unused *hole
}

func (f *freeSpans) init() {
	*f = freeSpans{byStart: make(map[uint64]*hole), byEnd: make(map[uint64]*hole)}
}

// allocate takes size bytes from the smallest span that has them, and returns where
// they start, and who has sent what was there last, as far as that's known.
func (f *freeSpans) allocate(size uint64) (start uint64, lastSender int32, ok bool) {
	best := f.bySize.bestFit(size)
	if best == nil {
		return 0, 0, false
	}
	start, lastSender = best.start, best.lastSender
	f.forget(best)
	if rest := (span{start + size, best.size - size}); rest.size != 0 {
		// Linux inserts the rest while that which is taken is still there.
		best.size = size
		f.insert(rest, 0)
	}
	f.bySize.remove(best)
	f.keep(best)
	return start, lastSender, true
}

// release frees s, last used by lastSender, and joins it with the free spans at its
// ends. It returns what that makes.
func (f *freeSpans) release(s span, lastSender int32) span {
	if next := f.byStart[s.end()]; next != nil {
		s.size += next.size
		f.remove(next)
	}
	if previous := f.byEnd[s.start]; previous != nil {
		s = span{previous.start, previous.size + s.size}
		lastSender = previous.lastSender
		f.remove(previous)
	}
	f.insert(s, lastSender)
	return s
}

// insert adds s, which touches no other span.
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

func (f *freeSpans) remove(h *hole) {
	f.forget(h)
	f.bySize.remove(h)
	f.keep(h)
}

// forget makes h be found by its size only.
func (f *freeSpans) forget(h *hole) {
	delete(f.byStart, h.start)
	delete(f.byEnd, h.end())
}

// keep keeps h, which was removed, for the next insertion.
func (f *freeSpans) keep(h *hole) {
	h.parent = f.unused
	f.unused = h
}

// align8 rounds n up to a multiple of 8 bytes, the alignment of everything in a
// buffer. It returns false if that overflows.
func align8(n uint64) (uint64, bool) {
	aligned := (n + 7) &^ 7
	return aligned, aligned >= n
}
