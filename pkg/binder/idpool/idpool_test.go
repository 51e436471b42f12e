// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package idpool

import (
	"bytes"
	"context"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/state"
)

// fill takes the n lowest free ids of p and returns the last.
func fill(t testing.TB, p *Pool, n int) int {
	t.Helper()
	last := -1
	for range n {
		u, ok := p.FindUnused(0)
		require.True(t, ok)
		require.NoError(t, u.Acquire())
		last = u.ID()
	}
	return last
}

// grow grows p once.
func grow(t testing.TB, p *Pool) {
	t.Helper()
	q, ok := p.GrowRequest()
	require.True(t, ok)
	require.True(t, p.Grow(q.Alloc()))
}

func TestZeroValue(t *testing.T) {
	var p Pool
	require.Equal(t, 64, p.Cap())
	require.Equal(t, 1<<31-1, p.Max())
	require.Zero(t, p.Len())
	require.Equal(t, 63, fill(t, &p, 64))
	_, ok := p.FindUnused(0)
	require.False(t, ok)
}

func TestNew(t *testing.T) {
	for _, tc := range []struct{ max, wantMax, wantCap int }{
		{-1, DefaultMax, 64},
		{0, DefaultMax, 64},
		{1, 1, 1},
		{63, 63, 63},
		{64, 64, 64},
		{65, 65, 64},
		{DefaultMax, DefaultMax, 64},
		{DefaultMax + 1, DefaultMax, 64},
	} {
		p := New(tc.max)
		require.Equal(t, tc.wantMax, p.Max())
		require.Equal(t, tc.wantCap, p.Cap())
		require.Equal(t, tc.wantCap-1, fill(t, &p, tc.wantCap))
		_, ok := p.FindUnused(0)
		require.False(t, ok, "max %d", tc.max)
		_, ok = p.GrowRequest()
		require.Equal(t, tc.wantMax > tc.wantCap, ok, "max %d", tc.max)
	}
}

// Acquire takes an id; FindUnused does not.
func TestFoundIsNotTaken(t *testing.T) {
	var p Pool
	for range 2 {
		u, ok := p.FindUnused(1)
		require.True(t, ok)
		require.Equal(t, 1, u.ID())
		require.False(t, p.InUse(1))
		require.Zero(t, p.Len())
	}
	u, _ := p.FindUnused(1)
	require.NoError(t, u.Acquire())
	require.True(t, p.InUse(1))
	require.Equal(t, 1, p.Len())
	u, _ = p.FindUnused(1)
	require.Equal(t, 2, u.ID())
	u, _ = p.FindUnused(0)
	require.Equal(t, 0, u.ID())
}

// After most changes, the next free id is known without a search.
func TestSearchesSpared(t *testing.T) {
	var p Pool
	fill(t, &p, 10)
	u, _ := p.FindUnused(1)
	require.Equal(t, []any{0, 10, true}, []any{p.lowest, p.next, p.found})
	require.NoError(t, u.Acquire())
	require.Equal(t, []any{0, 11, false}, []any{p.lowest, p.next, p.found}, "the search goes on from 11")
	require.NoError(t, p.Release(10))
	require.Equal(t, []any{0, 10, true}, []any{p.lowest, p.next, p.found})
	require.NoError(t, p.Release(4))
	require.Equal(t, []any{0, 4, true}, []any{p.lowest, p.next, p.found})
	require.NoError(t, p.Release(7))
	require.Equal(t, []any{0, 4, true}, []any{p.lowest, p.next, p.found})

	u, _ = p.FindUnused(6)
	require.Equal(t, 7, u.ID())
	require.Equal(t, []any{6, 7, true}, []any{p.lowest, p.next, p.found})
	require.NoError(t, u.Acquire())
	require.NoError(t, p.Release(8))
	require.Equal(t, []any{6, 8, true}, []any{p.lowest, p.next, p.found}, "8 was where the search was to go on")
}

func TestStaleUnused(t *testing.T) {
	t.Run("acquired twice", func(t *testing.T) {
		var p Pool
		u, _ := p.FindUnused(3)
		require.NoError(t, u.Acquire())
		require.ErrorIs(t, u.Acquire(), ErrStale)
		require.Equal(t, 1, p.Len())
	})
	t.Run("acquired by another", func(t *testing.T) {
		var p Pool
		u, _ := p.FindUnused(3)
		v, _ := p.FindUnused(3)
		require.NoError(t, v.Acquire())
		require.ErrorIs(t, u.Acquire(), ErrStale)
		require.Equal(t, 1, p.Len())
	})
	t.Run("cut off", func(t *testing.T) {
		var p Pool
		grow(t, &p)
		u, _ := p.FindUnused(64)
		require.Equal(t, 64, u.ID())
		q, _ := p.ShrinkRequest()
		require.True(t, p.Shrink(q.Alloc()))
		require.ErrorIs(t, u.Acquire(), ErrStale)
		require.Zero(t, p.Len())
		_, ok := p.FindUnused(64)
		require.False(t, ok)
		grow(t, &p)
		require.NoError(t, u.Acquire(), "free again")
	})
	t.Run("after growth", func(t *testing.T) {
		var p Pool
		u, _ := p.FindUnused(3)
		grow(t, &p)
		require.NoError(t, u.Acquire())
		checkLevels(t, &p)
	})
	t.Run("nothing found", func(t *testing.T) {
		var p Pool
		fill(t, &p, 64)
		u, ok := p.FindUnused(0)
		require.False(t, ok)
		require.ErrorIs(t, u.Acquire(), ErrStale)
		u, ok = p.FindUnused(-1)
		require.False(t, ok)
		require.ErrorIs(t, u.Acquire(), ErrStale)
		require.ErrorIs(t, Unused{}.Acquire(), ErrStale)
	})
}

func TestReleaseOfUnused(t *testing.T) {
	var p Pool
	grow(t, &p)
	fill(t, &p, 100)
	for _, id := range []int{100, 127, 128, 129, 1 << 40, -1, -64, -1 << 63} {
		require.ErrorIs(t, p.Release(id), ErrNotInUse, "%d", id)
		require.False(t, p.InUse(id), "%d", id)
	}
	require.NoError(t, p.Release(99))
	require.ErrorIs(t, p.Release(99), ErrNotInUse)
	require.Equal(t, 99, p.Len())
	checkLevels(t, &p)
}

func TestResizerOfAnother(t *testing.T) {
	var a, b Pool
	qa, _ := a.GrowRequest()
	b.GrowRequest()
	za := qa.Alloc()
	require.False(t, b.Grow(za))
	require.False(t, b.Grow(Resizer{}))
	require.False(t, b.Shrink(Resizer{}))
	require.Equal(t, 64, b.Cap())
	require.True(t, a.Grow(za))
	require.False(t, a.Grow(za), "used up")
	require.False(t, a.Shrink(za), "used up")
	require.Equal(t, 128, a.Cap())

	grow(t, &b)
	sa, _ := a.ShrinkRequest()
	b.ShrinkRequest()
	za = sa.Alloc()
	require.False(t, b.Shrink(za))
	require.False(t, a.Grow(za), "for shrinking")
	require.True(t, a.Shrink(za))

	qb, _ := b.GrowRequest()
	zb := qb.Alloc()
	b = Pool{}
	require.False(t, b.Grow(zb), "for the contents before")
	require.Equal(t, 64, b.Cap())
}

// A grow request overtaken by a change of the capacity is dropped.
func TestOvertakenGrowth(t *testing.T) {
	var p Pool
	grow(t, &p)
	grow(t, &p)
	q, _ := p.GrowRequest()
	z := q.Alloc()
	s, _ := p.ShrinkRequest()
	require.True(t, p.Shrink(s.Alloc()))
	require.False(t, p.Grow(z))
	require.Equal(t, 64, p.Cap())
}

// A pool shrinks to half if the last id in use is in the first quarter, and to the
// minimum if there is none.
func TestShrinkThreshold(t *testing.T) {
	for _, tc := range []struct{ max, steps, last, want int }{
		{0, 1, -1, 64},
		{0, 1, 31, 64},
		{0, 1, 32, 0},
		{0, 2, 63, 128},
		{0, 2, 64, 0},
		{0, 2, 255, 0},
		{0, 8, 1<<12 - 1, 1 << 13},
		{0, 8, 1 << 12, 0},
		{0, 8, -1, 64},
		{1000, 4, 255, 512},
		{1000, 4, 256, 0},
		{1025, 5, 511, 1024},
		{1025, 5, 512, 0},
		{0, 0, 0, 0},
		{0, 0, -1, 0},
	} {
		p := New(tc.max)
		for range tc.steps {
			grow(t, &p)
		}
		if tc.last >= 0 {
			u, _ := p.FindUnused(tc.last)
			require.NoError(t, u.Acquire())
		}
		q, ok := p.ShrinkRequest()
		require.Equal(t, tc.want != 0, ok, "%+v", tc)
		if ok {
			require.True(t, p.Shrink(q.Alloc()))
			require.Equal(t, tc.want, p.Cap(), "%+v", tc)
			require.Equal(t, tc.last >= 0, p.InUse(tc.last))
			checkLevels(t, &p)
		}
	}
}

// An acquisition since a shrink request can prevent the shrinking.
func TestShrinkAfterAcquisition(t *testing.T) {
	var p Pool
	grow(t, &p)
	grow(t, &p)
	fill(t, &p, 10)
	q, ok := p.ShrinkRequest()
	require.True(t, ok)
	z := q.Alloc()
	u, _ := p.FindUnused(64)
	require.NoError(t, u.Acquire())
	require.False(t, p.Shrink(z))
	require.Equal(t, 256, p.Cap())
	require.True(t, p.InUse(64))

	// It makes sense again.
	require.NoError(t, p.Release(64))
	require.True(t, p.Shrink(z))
	require.Equal(t, 128, p.Cap())

	// A request for less than what the pool can shrink to now.
	grow(t, &p)
	for id := range 10 {
		require.NoError(t, p.Release(id))
	}
	q, _ = p.ShrinkRequest()
	z = q.Alloc()
	fill(t, &p, 1)
	require.False(t, p.Shrink(z), "64 is less than half")
	require.Equal(t, 256, p.Cap())
}

// Between growing and shrinking lie many acquisitions and releases.
func TestNoOscillation(t *testing.T) {
	var p Pool
	resized := 0
	for round := range 1000 {
		u, ok := p.FindUnused(0)
		if !ok {
			grow(t, &p)
			resized++
			u, _ = p.FindUnused(0)
		}
		require.NoError(t, u.Acquire())
		if round%4 == 3 {
			// Back and forth around any number of ids.
			for range 3 {
				require.NoError(t, p.Release(u.ID()))
				if q, ok := p.ShrinkRequest(); ok {
					p.Shrink(q.Alloc())
					resized++
				}
				if u, ok = p.FindUnused(0); !ok {
					grow(t, &p)
					resized++
					u, _ = p.FindUnused(0)
				}
				require.NoError(t, u.Acquire())
			}
		}
	}
	require.Equal(t, 4, resized, "from 64 to 1024")
}

// The greatest capacity, with ids in use at both ends.
func TestDefaultMax(t *testing.T) {
	var p Pool
	fill(t, &p, 64)
	p.resize(&resizing{cap: DefaultMax, words: make([]uint64, treeWords(DefaultMax))})
	require.Equal(t, DefaultMax, p.Cap())
	require.Equal(t, maxHeight, p.height)
	_, ok := p.GrowRequest()
	require.False(t, ok)

	u, ok := p.FindUnused(0)
	require.True(t, ok)
	require.Equal(t, 64, u.ID())
	for _, id := range []int{DefaultMax - 1, DefaultMax - 2, 1 << 30, 1 << 29} {
		u, ok = p.FindUnused(id)
		require.True(t, ok)
		require.Equal(t, id, u.ID())
		require.NoError(t, u.Acquire())
	}
	for _, from := range []int{DefaultMax - 2, DefaultMax, DefaultMax + 1} {
		_, ok = p.FindUnused(from)
		require.False(t, ok)
	}
	_, ok = p.ShrinkRequest()
	require.False(t, ok)
	for _, id := range []int{DefaultMax - 1, DefaultMax - 2, 1 << 30, 1 << 29} {
		require.NoError(t, p.Release(id))
	}
	q, ok := p.ShrinkRequest()
	require.True(t, ok)
	require.Equal(t, 1<<30, q.r.cap)
}

func TestMemory(t *testing.T) {
	for cap := 2 * MinCap; cap <= 1<<24; cap *= 2 {
		bits := 64 * treeWords(cap)
		require.LessOrEqual(t, float64(bits), 1.1*float64(cap))
	}
	require.LessOrEqual(t, 64*treeWords(1000), 1100)

	// And as allocated.
	var p Pool
	for p.Cap() < 1<<24 {
		grow(t, &p)
	}
	require.LessOrEqual(t, 64*cap(p.words), 1<<24*11/10)
}

func TestAllocations(t *testing.T) {
	var p Pool
	require.Zero(t, testing.AllocsPerRun(10, func() {
		for range MinCap {
			u, _ := p.FindUnused(0)
			u.Acquire()
		}
		for id := range MinCap {
			p.Release(id)
		}
		p.ShrinkRequest()
	}))
	for range 7 {
		grow(t, &p)
	}
	fill(t, &p, p.Cap())
	require.Zero(t, testing.AllocsPerRun(10, func() {
		for _, id := range []int{0, 8191, 77} {
			p.Release(id)
			u, _ := p.FindUnused(1)
			u.Acquire()
			p.Release(id)
			p.ShrinkRequest()
			u, _ = p.FindUnused(id)
			u.Acquire()
		}
	}))
}

// Abandoned requests don't keep memory.
func TestGivenUp(t *testing.T) {
	var p Pool
	for range 10 {
		grow(t, &p)
	}
	request := func() {
		q, ok := p.GrowRequest()
		require.True(t, ok)
		q.Alloc()
		s, ok := p.ShrinkRequest()
		require.True(t, ok)
		s.Alloc()
	}
	request()
	for range 10 {
		runtime.GC()
	}
	require.Nil(t, p.growing.Value())
	require.Nil(t, p.shrinking.Value())
	runtime.KeepAlive(&p)
	grow(t, &p)
}

// table contains Pools.
//
// +stateify savable
type table struct {
	small Pool
	large Pool
	empty Pool
}

func TestSaveAndLoad(t *testing.T) {
	x := table{large: New(100_000)}
	fill(t, &x.small, 10)
	for range 7 {
		grow(t, &x.large)
	}
	fill(t, &x.large, 5000)
	require.NoError(t, x.large.Release(3))
	q, _ := x.large.GrowRequest()

	var buf bytes.Buffer
	_, err := state.Save(context.Background(), &buf, &x)
	require.NoError(t, err)
	var y table
	_, err = state.Load(context.Background(), &buf, &y)
	require.NoError(t, err)

	require.Equal(t, 10, y.small.Len())
	require.Equal(t, 4999, y.large.Len())
	require.Equal(t, 100_000, y.large.Max())
	require.Zero(t, y.empty.Len())
	for _, p := range []*Pool{&y.small, &y.large, &y.empty} {
		checkLevels(t, p)
	}
	require.Equal(t, 3, fill(t, &y.large, 1))
	require.Equal(t, 5000, fill(t, &y.large, 1))
	require.Equal(t, 10, fill(t, &y.small, 1))
	require.False(t, y.large.Grow(q.Alloc()), "requested before")
	grow(t, &y.large)
	checkLevels(t, &y.large)
}
