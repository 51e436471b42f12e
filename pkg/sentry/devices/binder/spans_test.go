// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/hostarch"
)

// spans returns all of f, by start, and checks that both of its trees have it.
func (f *freeSpans) spans(t testing.TB) []span {
	t.Helper()
	var all, bySize []span
	f.byStart.Ascend(func(s span) bool {
		all = append(all, s)
		return true
	})
	f.bySize.Ascend(func(s span) bool {
		bySize = append(bySize, s)
		return true
	})
	slices.SortFunc(bySize, func(a, b span) int { return int(a.start) - int(b.start) })
	if !slices.Equal(all, bySize) {
		t.Fatalf("the trees of free spans differ: %v by start, %v by size", all, bySize)
	}
	return all
}

// requireTiled checks that buffers and free, without any two free spans that
// touch, are [0, size).
func requireTiled(t testing.TB, size uint64, buffers map[uint64]*buffer, free *freeSpans) {
	t.Helper()
	t.Helper()
	spans := free.spans(t)
	wasFree, n := false, 0
	for at := uint64(0); at < size; {
		isFree := len(spans) > 0 && spans[0].start == at
		b, used := buffers[at]
		if isFree == used || isFree && wasFree || at > size {
			t.Fatalf("at %#x: used %t, free %t, free before it %t", at, used, isFree, wasFree)
		}
		if wasFree = isFree; isFree {
			at = spans[0].end()
			spans = spans[1:]
		} else {
			at += b.size
			n++
		}
	}
	if len(spans) != 0 || n != len(buffers) {
		t.Fatalf("%d buffers and the free spans %v are in nobody's place", len(buffers)-n, spans)
	}
}

// spanModel is the free space as a slice of bits, one for 8 bytes.
type spanModel []bool

// allocate takes size bytes like freeSpans.allocate.
func (m spanModel) allocate(size uint64) (uint64, bool) {
	var best span
	for i := 0; i < len(m); {
		j := i
		for j < len(m) && m[j] {
			j++
		}
		if s := (span{uint64(i) * 8, uint64(j-i) * 8}); s.size >= size && (best.size == 0 || s.size < best.size) {
			best = s
		}
		i = max(i+1, j)
	}
	if best.size == 0 {
		return 0, false
	}
	m.set(span{best.start, size}, false)
	return best.start, true
}

func (m spanModel) set(s span, free bool) {
	for i := s.start / 8; i < s.end()/8; i++ {
		m[i] = free
	}
}

// TestSpansModel allocates and releases at random, and finds the same places as
// a search of all of the space.
func TestSpansModel(t *testing.T) {
	const size = 4096
	rnd := rand.New(rand.NewPCG(1, 2))
	var f freeSpans
	f.init()
	f.insert(span{0, size})
	m := make(spanModel, size/8)
	m.set(span{0, size}, true)

	used := make(map[uint64]*buffer)
	var starts []uint64
	for range 2000 {
		if rnd.IntN(100) < 55 {
			n := uint64(1+rnd.IntN(1<<(1+rnd.IntN(5)))) * 8
			want, fits := m.allocate(n)
			start, ok := f.allocate(n)
			require.Equal(t, fits, ok)
			if ok {
				require.Equal(t, want, start)
				used[start] = &buffer{placement: placement{start: start}, size: n}
				starts = append(starts, start)
			}
		} else if len(starts) > 0 {
			i := rnd.IntN(len(starts))
			start := starts[i]
			starts = slices.Delete(starts, i, i+1)
			s := span{start, used[start].size}
			delete(used, start)
			m.set(s, true)
			f.release(s)
		}
		requireTiled(t, size, used, &f)
	}
	for start, b := range used {
		f.release(span{start, b.size})
	}
	require.Equal(t, []span{{0, size}}, f.spans(t))
}

func TestSpansAllocateNothing(t *testing.T) {
	var f freeSpans
	f.init()
	for i := range uint64(100) {
		f.insert(span{i * 64, 8})
	}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		start, ok := f.allocate(8)
		if !ok || start != 0 {
			t.Fatal("the lowest span was not taken")
		}
		f.release(span{start, 8})
	}))
}

func TestAlign8(t *testing.T) {
	for _, tc := range []struct {
		n, want uint64
		ok      bool
	}{
		{0, 0, true},
		{1, 8, true},
		{8, 8, true},
		{9, 16, true},
		{math.MaxUint64 - 7, math.MaxUint64 - 7, true},
		{math.MaxUint64 - 6, 0, false},
		{math.MaxUint64, 0, false},
	} {
		got, ok := align8(tc.n)
		require.Equal(t, tc.ok, ok, "%#x", tc.n)
		require.Equal(t, tc.want, got, "%#x", tc.n)
	}
}

func TestPageRange(t *testing.T) {
	const page = hostarch.PageSize
	for _, tc := range []struct {
		start, size uint64
		first, end  uint32
	}{
		{0, 1, 0, 1},
		{0, page, 0, 1},
		{0, page + 1, 0, 2},
		{page - 8, 8, 0, 1},
		{page - 8, 16, 0, 2},
		{3 * page, 2 * page, 3, 5},
	} {
		first, end := pageRange(tc.start, tc.size)
		require.Equal(t, [2]uint32{tc.first, tc.end}, [2]uint32{first, end}, "%+v", tc)
	}
}
