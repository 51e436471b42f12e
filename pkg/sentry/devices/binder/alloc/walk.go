// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package alloc

import (
	"gvisor.dev/gvisor/pkg/hostarch"
)

// Info describes a buffer in a log.
type Info struct {
	Placement

	// Delivered is true if the application has the buffer, or never will.
	Delivered bool
}

// Walk calls fn for buffers, in the order of their addresses, from offset from of the
// mapping on. It returns where to go on, or false at the end: a call visits no more than
// a lock may be held for. Buffers that come or go between two calls may be left out. fn is
// called with no lock held.
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

// look visits as many places as found has elements, from offset at of the mapping on, and
// describes the buffers there in found. It returns their number, and where to go on, or
// false at the end.
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
			found[n] = Info{rec.Placement, in.fateOf(rec).ownedBySpace()}
			n++
		}
		at = end
	}
	return n, at, at < in.size
}

// step returns the buffer at offset at of the mapping, if there's one, and the end of what
// is there. Buffers and free spans tile the mapping, so that this leads from each to the
// next. An end found earlier may by now be the middle of another: then step moves on by
// the smallest buffer's size.
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

// Usage is how much of its mapping a process uses. Pages with a buffer are used; others
// are idle if the application sees them, and otherwise absent.
type Usage struct {
	FreeAsync          uint64
	Buffers            int
	Used, Idle, Absent int

	// HighWater is the high-water mark, in pages.
	HighWater uint32
}

// Usage returns the current usage.
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
