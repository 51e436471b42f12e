// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package alloc

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// spans returns all of f, by start, and checks that its indexes are sound.
func (f *freeSpans) spans(t testing.TB) []span {
	t.Helper()
	var all []span
	f.bySize.root.each(0, func(h *hole) {
		all = append(all, h.span)
		require.Same(t, h, f.byStart[h.start])
		require.Same(t, h, f.byEnd[h.end()])
	})
	require.Len(t, f.byStart, len(all))
	require.Len(t, f.byEnd, len(all))
	require.True(t, slices.IsSortedFunc(all, func(a, b span) int { return cmp.Compare(a.size, b.size) }))
	f.bySize.root.requireBalanced(t, nil)
	slices.SortFunc(all, func(a, b span) int { return cmp.Compare(a.start, b.start) })
	return all
}

// each calls fn for each hole below h that has at least size bytes, in the order of
// their sizes.
func (h *hole) each(size uint64, fn func(*hole)) {
	if h == nil {
		return
	}
	if h.size >= size {
		h.left.each(size, fn)
		fn(h)
	}
	h.right.each(size, fn)
}

// requireBalanced checks that the tree below h is a red-black tree, and returns the
// number of black holes on the way to each leaf.
func (h *hole) requireBalanced(t testing.TB, parent *hole) int {
	t.Helper()
	if h == nil {
		return 0
	}
	require.Same(t, parent, h.parent)
	require.False(t, h.red && (parent == nil || parent.red), "%v is red", h.span)
	black := h.left.requireBalanced(t, h)
	require.Equal(t, black, h.right.requireBalanced(t, h))
	if !h.red {
		black++
	}
	return black
}

// requireTiled checks that buffers and free tile [0, size), and that no two free spans
// touch.
func requireTiled(t testing.TB, size uint64, buffers map[uint64]*record, free *freeSpans) {
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
		t.Fatalf("%d buffers and the free spans %v are not in the tiling", len(buffers)-n, spans)
	}
}

// spanModel is a model of the free space.
type spanModel struct {
	// free has an element for every 8 bytes.
	free []bool
	// senders holds the sender of the last buffer at the start of each hole, and of
	// each buffer by its start.
	senders map[uint64]int32
}

func newSpanModel(size uint64) *spanModel {
	m := &spanModel{free: make([]bool, size/8), senders: make(map[uint64]int32)}
	m.set(span{0, size}, true)
	return m
}

func (m *spanModel) set(s span, free bool) {
	for i := s.start / 8; i < s.end()/8; i++ {
		m.free[i] = free
	}
}

// holes returns all holes.
func (m *spanModel) holes() []span {
	var all []span
	for i := 0; i < len(m.free); i++ {
		j := i
		for j < len(m.free) && m.free[j] {
			j++
		}
		if i < j {
			all = append(all, span{uint64(i) * 8, uint64(j-i) * 8})
			i = j
		}
	}
	return all
}

// fits returns whether size bytes can be taken.
func (m *spanModel) fits(size uint64) bool {
	return slices.ContainsFunc(m.holes(), func(s span) bool { return s.size >= size })
}

// take takes s, which must be the start of one of the smallest holes that have its size,
// for sender, and returns the sender of the last buffer there.
func (m *spanModel) take(t testing.TB, s span, sender int32) (lastSender int32) {
	t.Helper()
	holes := m.holes()
	i := slices.IndexFunc(holes, func(h span) bool { return h.start == s.start })
	require.NotEqual(t, -1, i, "%v is not at the start of a hole", s)
	for _, other := range holes {
		require.False(t, s.size <= other.size && other.size < holes[i].size, "%v was taken from %v, not from %v", s, holes[i], other)
	}
	lastSender = m.senders[s.start]
	m.senders[s.start] = sender
	if s.size < holes[i].size {
		m.senders[s.end()] = 0
	}
	m.set(s, false)
	return lastSender
}

// TestSpansModel allocates and releases at random, and compares with a search of all of
// the space.
func TestSpansModel(t *testing.T) {
	const size = 4096
	rnd := rand.New(rand.NewPCG(1, 2))
	var f freeSpans
	f.init()
	f.insert(span{0, size}, 0)
	m := newSpanModel(size)

	used := make(map[uint64]*record)
	var starts []uint64
	for range 2000 {
		if rnd.IntN(100) < 55 {
			n := uint64(1+rnd.IntN(1<<(1+rnd.IntN(5)))) * 8
			fits := m.fits(n)
			start, lastSender, ok := f.allocate(n)
			require.Equal(t, fits, ok)
			if ok {
				sender := rnd.Int32N(3)
				require.Equal(t, m.take(t, span{start, n}, sender), lastSender)
				used[start] = &record{Placement: Placement{Start: start}, size: n, sender: sender}
				starts = append(starts, start)
			}
		} else if len(starts) > 0 {
			i := rnd.IntN(len(starts))
			start := starts[i]
			starts = slices.Delete(starts, i, i+1)
			s := span{start, used[start].size}
			got := f.release(s, used[start].sender)
			delete(used, start)
			m.set(s, true)
			require.Contains(t, m.holes(), got)
			require.True(t, got.start <= s.start && s.end() <= got.end())
		}
		requireTiled(t, size, used, &f)
	}
	for start, b := range used {
		f.release(span{start, b.size}, b.sender)
	}
	require.Equal(t, []span{{0, size}}, f.spans(t))
}

func TestSpansAllocateNothing(t *testing.T) {
	var f freeSpans
	f.init()
	for i := range uint64(100) {
		f.insert(span{i * 64, 8}, 0)
	}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		start, _, ok := f.allocate(8)
		if !ok {
			t.Fatal("there's no room")
		}
		f.release(span{start, 8}, 0)
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
