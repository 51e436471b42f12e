// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package alloc

import (
	"gvisor.dev/gvisor/pkg/hostarch"
)

// Info is what a log shows of a buffer.
type Info struct {
	Placement

	// Delivered is true if the application has the buffer, or never will.
	Delivered bool
}

// Walk calls fn for buffers, in the order of their addresses, from offset from of the
// mapping on. It returns where to go on, or false if that's the end: a call looks at
// no more than what a lock may be held for. Buffers that come or go between two calls
// may be left out. fn is called without any lock held.
func (s *Space) Walk(from uint64, fn func(Info)) (next uint64, more bool) {
	var found [maxSteps]Info
	s.mu.Lock()
	n, next, more := s.inner.look(from, found[:])
	s.mu.Unlock()
	for _, info := range found[:n] {
		fn(info)
	}
	return next, more
}

// look notes the buffers at the next places from offset at of the mapping on, as many
// as found has elements, and returns how many that are.
func (in *inner) look(at uint64, found []Info) (n int, next uint64, more bool) {
	if in.released {
		return 0, at, false
	}
	for range found {
		if at >= in.size {
			return n, at, false
		}
		rec, end := in.step(at)
		if rec != nil {
			found[n] = Info{rec.Placement, in.fateOf(rec).isSpaces()}
			n++
		}
		at = end
	}
	return n, at, at < in.size
}

// step returns the buffer at offset at of the mapping, if there's one, and where that
// which is there ends. Buffers and free spans tile the mapping, so that this leads from
// each to the next. Where one of them ended earlier there may be the middle of another:
// then the next is not far.
func (in *inner) step(at uint64) (*record, uint64) {
	if rec := in.buffers[at]; rec != nil {
		return rec, rec.Start + rec.size
	}
	if h := in.free.byStart[at]; h != nil {
		return nil, h.end()
	}
	return nil, at&^7 + minBufferSize
}

// Holds returns whether the buffer at p is still allocated.
func (s *Space) Holds(p *Placement) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	rec := s.inner.buffers[p.Start]
	return rec != nil && rec.DebugID == p.DebugID
}

// Usage says how much of its mapping a process uses. Pages are used if a buffer is on
// them, idle if the application sees them nevertheless, and else absent.
type Usage struct {
	FreeAsync          uint64
	Buffers            int
	Used, Idle, Absent int

	// HighWater is the high-water mark, in pages.
	HighWater uint32
}

// Usage returns how much is used.
func (s *Space) Usage() Usage {
	s.mu.Lock()
	defer s.mu.Unlock()
	in := &s.inner
	u := Usage{FreeAsync: in.freeAsync, Buffers: len(in.buffers), HighWater: in.highWater}
	if !in.mapped || in.pages == nil {
		return u
	}
	present := in.pages.present.len()
	u.Used = in.pages.used.len()
	u.Idle = present - u.Used
	u.Absent = int(in.size/hostarch.PageSize) - present
	return u
}
