// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package alloc

import (
	"context"
	"slices"

	"gvisor.dev/gvisor/pkg/sentry/pgalloc"
)

// afterLoad is invoked by stateify.
func (s *Space) afterLoad(ctx context.Context) {
	s.Init(pgalloc.MemoryFileFromContext(ctx), s.reclaimer)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rec := range s.inner.buffers {
		if *s.inner.fateOf(rec) == undelivered {
			s.inner.pins++
		}
	}
	if s.inner.pages != nil {
		s.inner.restoreFree()
	}
}

// restoreFree finds the free space and the used pages anew, from the buffers.
func (in *inner) restoreFree() {
	in.free.init()
	starts := make([]uint64, 0, len(in.buffers)+1)
	for start := range in.buffers {
		starts = append(starts, start)
	}
	slices.Sort(starts)
	var end uint64
	for _, start := range append(starts, in.size) {
		if start > end {
			in.free.insert(span{end, start - end}, 0)
		}
		if rec := in.buffers[start]; rec != nil {
			end = start + rec.size
			in.pages.used.add(touchedPages(rec.span()))
		}
	}
}
