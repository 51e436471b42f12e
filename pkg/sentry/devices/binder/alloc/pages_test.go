// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package alloc

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/sentry/memmap"
)

func TestPagesOfSpan(t *testing.T) {
	const page = hostarch.PageSize
	for _, tc := range []struct {
		span           span
		touched, whole pageRange
	}{
		{span{0, 1}, pageRange{0, 1}, pageRange{0, 0}},
		{span{0, page}, pageRange{0, 1}, pageRange{0, 1}},
		{span{0, page + 1}, pageRange{0, 2}, pageRange{0, 1}},
		{span{page - 8, 8}, pageRange{0, 1}, pageRange{1, 1}},
		{span{page - 8, 16}, pageRange{0, 2}, pageRange{1, 1}},
		{span{page - 8, page + 8}, pageRange{0, 2}, pageRange{1, 2}},
		{span{page + 8, 8}, pageRange{1, 2}, pageRange{2, 2}},
		{span{3 * page, 2 * page}, pageRange{3, 5}, pageRange{3, 5}},
	} {
		require.Equal(t, tc.touched, touchedPages(tc.span), "%+v", tc)
		require.Equal(t, tc.whole, wholePages(tc.span), "%+v", tc)
	}
	require.Equal(t, memmap.MappableRange{Start: 2 * page, End: 5 * page}, pageRange{2, 5}.mappable())
	require.Equal(t, pageRange{3, 4}, pageRange{1, 4}.intersect(pageRange{3, 9}))
	require.Equal(t, pageRange{7, 7}, pageRange{1, 4}.intersect(pageRange{7, 9}), "empty")
	all := span{0, 10 * page}
	require.Equal(t, span{2 * page, 8 * page}, all.intersect(memmap.MappableRange{Start: 2 * page, End: 12 * page}))
	require.Zero(t, all.intersect(memmap.MappableRange{Start: 20 * page, End: 22 * page}).size)
}

// TestPageSetModel compares a pageSet with a slice of bools.
func TestPageSetModel(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 8))
	random := func() pageRange {
		first := rnd.Uint32N(maxPages)
		n := rnd.Uint32N(1 << rnd.IntN(11))
		return pageRange{first, min(first+n, maxPages)}
	}
	type pair struct {
		set   pageSet
		model [maxPages]bool
	}
	find := func(m *[maxPages]bool, from uint32, want bool) uint32 {
		for from < maxPages && m[from] != want {
			from++
		}
		return from
	}
	var a, b pair
	for range 400 {
		if rnd.IntN(2) == 0 {
			a, b = b, a
		}
		r := random()
		add := rnd.IntN(2) == 0
		if add {
			a.set.add(r)
		} else {
			a.set.remove(r)
		}
		for page := r.first; page < r.end; page++ {
			a.model[page] = add
		}

		r = random()
		var n int
		any := false
		var with, without, within pair
		for page, in := range a.model {
			p := uint32(page)
			if in != a.set.has(p) {
				t.Fatalf("page %d: %t", p, !in)
			}
			if in {
				n++
			}
			inRange := r.first <= p && p < r.end
			any = any || in && inRange
			with.model[p] = in || b.model[p]
			without.model[p] = in && !b.model[p]
			within.model[p] = in && inRange
		}
		require.Equal(t, n, a.set.len())
		require.Equal(t, n == 0, a.set.empty())
		require.Equal(t, any, a.set.hasAny(r))
		with.set, without.set, within.set = a.set.with(&b.set), a.set.without(&b.set), a.set.within(r)
		for _, p := range []*pair{&with, &without, &within} {
			var got [maxPages]bool
			last := pageRange{}
			for run := range p.set.runs() {
				require.Less(t, run.first, run.end)
				require.True(t, last.end == 0 || last.end < run.first, "%v and %v touch", last, run)
				last = run
				for page := run.first; page < run.end; page++ {
					got[page] = true
				}
			}
			require.Equal(t, p.model, got)
		}
		from := rnd.Uint32N(maxPages + 1)
		require.Equal(t, find(&a.model, from, true), a.set.next(from))
		require.Equal(t, find(&a.model, from, false), a.set.nextAbsent(from))
		if from < maxPages && a.model[from] {
			start := from
			for start > 0 && a.model[start-1] {
				start--
			}
			require.Equal(t, start, a.set.runStart(from))
		}
	}
}

func TestFirstRuns(t *testing.T) {
	var s pageSet
	for page := range uint32(10) {
		s.add(pageRange{6 * page, 6*page + 3})
	}
	first := s.firstRuns(4)
	require.Equal(t, s.within(pageRange{0, 21}), first)
	require.Equal(t, s, s.firstRuns(10))
	require.Equal(t, s, s.firstRuns(11))
	none := s.firstRuns(0)
	require.True(t, none.empty())
	for range s.runs() {
		break
	}
}

// has returns whether s has a page.
func (s *pageSet) has(page uint32) bool { return s.words[page/64]>>(page%64)&1 != 0 }
