// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package kvvec

import (
	"fmt"
	"math/bits"
	"math/rand"
	"runtime"
	"testing"
	"weak"

	"github.com/stretchr/testify/require"
)

// from returns a Vec with the capacity cap and the values 0, 1, ... len-1.
func from(len, cap int) Vec[int] {
	v := Vec[int]{make([]int, len, cap)}
	for i := range v.s {
		v.s[i] = i
	}
	return v
}

func TestShrinkTo(t *testing.T) {
	const perPage = pageSize / 8
	for _, tc := range []struct {
		name                string
		len, cap, min, want int
	}{
		{"small", 3, 100, 10, 10},
		{"small to one less", 3, 100, 99, 99},
		{"small, never below the length", 30, 100, 10, 30},
		{"small to the length", 30, 100, 0, 30},
		{"negative is zero", 30, 100, -1, 30},
		{"at the bound", 3, 100, 100, 100},
		{"under the bound", 3, 100, 101, 100},
		{"full", 100, 100, 0, 100},
		{"none needed", 0, 100, 0, 0},
		{"none needed, negative", 0, 100, -5, 0},
		{"none needed, large", 0, 100 * perPage, 0, 0},
		{"empty, but some wanted", 0, 100, 7, 7},
		{"nothing to give", 0, 0, 0, 0},
		{"nothing to give, some wanted", 0, 0, 5, 0},

		{"large, no page comes free", 3, 10 * perPage, 9*perPage + 1, 10 * perPage},
		{"large, one page comes free", 3, 10 * perPage, 9 * perPage, 9 * perPage},
		{"large, last page barely used", 3, 9*perPage + 1, 9 * perPage, 9 * perPage},
		{"large, length in the last page", 9*perPage + 1, 10 * perPage, 0, 10 * perPage},
		{"large, length ends before it", 9 * perPage, 10 * perPage, 0, 9 * perPage},
		{"large to small", 3, 10 * perPage, 5, 5},

		{"the largest small", 3, 4*perPage - 1, 4*perPage - 2, 4*perPage - 2},
		{"the smallest large", 3, 4 * perPage, 4*perPage - 1, 4 * perPage},
		{"the smallest large gives a page", 3, 4 * perPage, 3 * perPage, 3 * perPage},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v := from(tc.len, tc.cap)
			before := buffer(&v)
			v.ShrinkTo(tc.min)
			require.Equal(t, tc.want, v.Cap())
			require.Equal(t, tc.len, v.Len())
			for i, x := range v.All() {
				require.Equal(t, i, x)
			}
			switch {
			case tc.want == 0 && tc.cap > 0:
				require.Nil(t, v.s)
			case tc.want == tc.cap:
				require.Equal(t, before, buffer(&v), "not moved")
			default:
				require.NotEqual(t, before, buffer(&v), "moved")
			}
		})
	}
}

// sized tests the page arithmetic for one size of values.
func sized[T any](t *testing.T) {
	size := int(size[T](1))
	t.Run(fmt.Sprint(size), func(t *testing.T) {
		rng := rand.New(rand.NewSource(int64(size)))
		for range 300 {
			cap := 1 + rng.Intn(1+40*pageSize/max(size, 16))
			length := rng.Intn(cap + 1)
			min := rng.Intn(cap + 1)
			v := Vec[T]{make([]T, length, cap)}
			v.ShrinkTo(min)

			// The same, by products and quotients without rounding.
			bound := max(min, length)
			want := bound
			if size*cap > maxSmall && (size*bound+pageSize-1)/pageSize == (size*cap+pageSize-1)/pageSize {
				want = cap
			}
			require.Equal(t, want, v.Cap(), "size %d, length %d, capacity %d, min %d", size, length, cap, min)
			require.Equal(t, length, v.Len())
		}
	})
}

func TestElementSizes(t *testing.T) {
	sized[struct{}](t)
	sized[[0]int](t)
	sized[byte](t)
	sized[[3]byte](t)
	sized[*int](t)
	sized[[3]uint64](t)
	sized[[4095]byte](t)
	sized[[4096]byte](t)
	sized[[pageSize - 1]byte](t)
	sized[[pageSize]byte](t)
	sized[[pageSize + 1]byte](t)
	sized[[100_000]byte](t)
}

// The page, and the limit between small and large, are those of Go's allocator:
// what is counted as coming free does come free.
func TestAllocatorPages(t *testing.T) {
	const perPage = pageSize / 8
	cap := func(n int) int { return cap(append([]*int(nil), make([]*int, n)...)) }
	require.Equal(t, maxSmall/8, cap(maxSmall/8), "the largest size class, less a header")
	for pages := 4; pages < 20; pages++ {
		require.Equal(t, pages*perPage, cap(pages*perPage-perPage+maxSmall%pageSize/8+1))
		require.Equal(t, pages*perPage, cap(pages*perPage))
		require.Equal(t, (pages+1)*perPage, cap(pages*perPage+1))
	}
}

func TestShrinkAfterRemoval(t *testing.T) {
	const perPage = pageSize / 8
	for _, tc := range []struct{ len, cap, want int }{
		{249, 1000, 1000},
		{perPage/4 - 1, perPage, perPage},
		{0, perPage, perPage},
		{perPage / 4, perPage + 1, perPage + 1},
		{perPage/4 - 1, perPage + 1, perPage/2 - 2},
		{0, perPage + 1, 0},
		{999, 4000, 1998},
		{1000, 4000, 4000},
		{1000, 4003, 4003},
		{1000, 4004, 2000},
		{24_999, 100_000, 49_998},
		{25_000, 100_000, 100_000},
		{100_000, 100_000, 100_000},
		{0, 0, 0},
	} {
		v := from(tc.len, tc.cap)
		v.ShrinkAfterRemoval()
		require.Equal(t, tc.want, v.Cap(), "%+v", tc)
		require.Equal(t, tc.len, v.Len())
	}
}

// churn runs n registrations, with the probability p, and deregistrations. It
// returns the number of reallocations and the greatest length.
func churn(seed int64, n int, p float64) (reallocations, peak int) {
	rng := rand.New(rand.NewSource(seed))
	var v Vec[*int]
	at := buffer(&v)
	for range n {
		if rng.Float64() < p {
			v.Append(nil)
		} else if v.Len() > 0 {
			v.SwapRemove(rng.Intn(v.Len()))
			v.ShrinkAfterRemoval()
		}
		if buffer(&v) != at {
			at = buffer(&v)
			reallocations++
		}
		peak = max(peak, v.Len())
	}
	return reallocations, peak
}

// No random sequence makes a Vec oscillate between shrinking and growing.
func TestNoOscillation(t *testing.T) {
	n, seeds := 1_000_000, 2
	if testing.Short() {
		n = 100_000
	}
	for _, p := range []float64{0.1, 0.4, 0.45, 0.49, 0.499, 0.5, 0.501, 0.51, 0.55, 0.6, 0.9, 1} {
		for seed := range seeds {
			reallocations, peak := churn(int64(seed), n, p)
			bound := 4 * bits.Len(uint(peak))
			require.LessOrEqual(t, reallocations, bound, "probability %v, peak %d", p, peak)
		}
	}
}

// The worst sequences copy less than four values per operation.
func TestWorstCase(t *testing.T) {
	for _, amplitude := range []int{1, 10, 1000, 1100, 5000, 30_000} {
		var v Vec[*int]
		copied, operations := 0, 0
		step := func(op func()) {
			at := buffer(&v)
			op()
			if buffer(&v) != at {
				copied += v.Len()
			}
			operations++
		}
		for range 20 {
			for range amplitude {
				step(func() { v.Append(nil) })
			}
			for range amplitude - amplitude/5 {
				step(func() { v.SwapRemove(0); v.ShrinkAfterRemoval() })
			}
		}
		require.LessOrEqual(t, copied, 4*operations, "amplitude %d", amplitude)
	}
}

// heap returns the number of bytes in use.
func heap() int {
	for range 3 {
		runtime.GC()
	}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int(stats.HeapAlloc)
}

// proc is a value of the size of a process.
type proc struct {
	_ [512]byte
}

// A Vec that had 100,000 values and has 10 holds at most two pages more than 20
// need, and a Vec that is emptied but keeps its capacity holds no values.
func TestMemory(t *testing.T) {
	const registered = 100_000
	before := heap()
	var v Vec[*proc]
	for range registered {
		v.Append(new(proc))
	}
	require.Greater(t, heap()-before, registered*512)
	for v.Len() > 10 {
		v.SwapRemove(v.Len() / 2)
		v.ShrinkAfterRemoval()
	}
	held := heap() - before
	require.LessOrEqual(t, held, 10*512+20*8+2*pageSize)
	runtime.KeepAlive(&v)

	before = heap()
	var c Vec[*proc]
	for range registered {
		c.Append(new(proc))
	}
	capacity := c.Cap()
	c.Clear()
	require.Equal(t, capacity, c.Cap())
	require.LessOrEqual(t, heap()-before, 8*capacity+2*pageSize)
	c.ShrinkTo(0)
	require.LessOrEqual(t, heap()-before, 2*pageSize)
	runtime.KeepAlive(&c)
}

// What was removed, by whichever method, can be collected.
func TestRemovedIsCollected(t *testing.T) {
	for name, remove := range map[string]func(v *Vec[*proc]){
		"SwapRemove": func(v *Vec[*proc]) {
			for v.Len() > 5 {
				v.SwapRemove(5)
			}
		},
		"Clear": func(v *Vec[*proc]) {
			kept := append([]*proc(nil), v.s[:5]...)
			v.Clear()
			for _, p := range kept {
				v.Append(p)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			var v Vec[*proc]
			var seen []weak.Pointer[proc]
			for range 10 {
				p := new(proc)
				seen = append(seen, weak.Make(p))
				v.Append(p)
			}
			remove(&v)
			require.Equal(t, 5, v.Len())
			runtime.GC()
			runtime.GC()
			for i, p := range seen {
				require.Equal(t, i >= 5, p.Value() == nil, "value %d", i)
			}
			runtime.KeepAlive(&v)
		})
	}
}

func TestPtr(t *testing.T) {
	v := from(3, 3)
	*v.Ptr(1) += 10
	require.Equal(t, 11, v.At(1))
	require.Panics(t, func() { v.Ptr(3) })
}

func TestIndexOutOfRange(t *testing.T) {
	v := from(3, 10)
	for _, i := range []int{-1, 3, 9} {
		require.Panics(t, func() { v.At(i) })
		require.Panics(t, func() { v.Set(i, 0) })
		require.Panics(t, func() { v.SwapRemove(i) })
	}
	require.Equal(t, []int{0, 1, 2}, v.s)
}
