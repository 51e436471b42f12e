// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package alloc

import (
	"bytes"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/sentry/memmap"
	"gvisor.dev/gvisor/pkg/sync"

	"sentrybinder/pkg/sentry/devices/binder/memorytest"
)

func TestLayout(t *testing.T) {
	f := newFixture(t, testSize)
	b, err := f.trySend(Request{DataSize: 13, OffsetsSize: 16, ExtraSize: 5})
	require.NoError(t, err)
	p := b.Placement()
	require.Equal(t, []uint64{16, 32, 40}, []uint64{p.OffsetsStart(), p.ExtraStart(), b.rec.size})

	// A buffer without contents has a distinct address.
	require.NotEqual(t, f.send(0).Addr(), f.send(0).Addr())
}

func TestReserveErrors(t *testing.T) {
	tryReserve := func(s *Space, req Request) error {
		_, err := s.Reserve(&req, nil)
		return err
	}
	var s Space
	s.Init(memorytest.Shared(), nil)
	require.Equal(t, linuxerr.ESRCH, tryReserve(&s, Request{DataSize: math.MaxUint64}), "nothing is mapped")
	require.False(t, s.EverMapped())

	f := newFixture(t, testSize)
	for _, sizes := range [][3]uint64{
		{math.MaxUint64, 0, 0},
		{8, math.MaxUint64 - 3, 0},
		{8, 8, math.MaxUint64 - 7},
		{1 << 63, 1 << 63, 0},
		{math.MaxUint64 - 7, 8, 0},
	} {
		require.Equal(t, linuxerr.EINVAL, tryReserve(f.Space, Request{DataSize: sizes[0], OffsetsSize: sizes[1], ExtraSize: sizes[2]}), "%#x", sizes)
	}
	require.Equal(t, linuxerr.ENOSPC, tryReserve(f.Space, Request{DataSize: testSize/2 + 1, Async: true}))
	require.Zero(t, f.memory().Length(), "memory that no buffer needs")
	require.Equal(t, linuxerr.ENOSPC, tryReserve(f.Space, Request{DataSize: testSize + 1}))

	b := f.send(testSize)
	require.Equal(t, linuxerr.ENOSPC, tryReserve(f.Space, Request{DataSize: 1}))
	f.recall(b)

	f.Unmap()
	require.True(t, f.EverMapped())
	require.Equal(t, linuxerr.ESRCH, tryReserve(f.Space, Request{DataSize: 8}), "the mapping is gone")

	f = newFixture(t, testSize)
	f.Release(memorytest.Context())
	require.Equal(t, linuxerr.ESRCH, tryReserve(f.Space, Request{DataSize: 8}), "the device is closed")
}

func TestMapOnce(t *testing.T) {
	first, second := &testAddressSpace{}, &testAddressSpace{}
	var s Space
	s.Init(memorytest.Shared(), nil)
	require.NoError(t, s.Map(first, rangeOf(testSize)))
	require.Equal(t, linuxerr.EAGAIN, s.Map(second, rangeOf(testSize)), "a fork")
	require.Equal(t, linuxerr.ENOMEM, s.Map(first, rangeOf(testSize)))
	s.Unmap()
	require.Equal(t, linuxerr.ENOMEM, s.Map(first, rangeOf(testSize)))

	var released Space
	released.Init(memorytest.Shared(), nil)
	released.Release(memorytest.Context())
	require.Equal(t, linuxerr.ENOMEM, released.Map(first, rangeOf(testSize)))
}

func TestMappingIsClamped(t *testing.T) {
	f := newFixture(t, 2*MaxSize)
	_, err := f.trySend(Request{DataSize: MaxSize + 1})
	require.Equal(t, linuxerr.ENOSPC, err)
	f.send(MaxSize)
	_, err = f.Translate(pagesOf(maxPages, 1), pagesOf(0, 2*maxPages))
	require.IsType(t, &memmap.BusError{}, err)
	ts, err := f.Translate(pagesOf(maxPages-1, 1), pagesOf(0, 2*maxPages))
	require.NoError(t, err)
	require.Equal(t, pagesOf(0, maxPages), ts[0].Source)
}

// pagesOf returns the range of n pages from first on.
func pagesOf(first, n uint32) memmap.MappableRange { return pageRange{first, first + n}.mappable() }

// TestTranslate finds the pages that buffers were placed on, and a bus error for the
// others.
func TestTranslate(t *testing.T) {
	f := newFixture(t, 16*hostarch.PageSize)
	all := pagesOf(0, 16)
	_, err := f.Translate(pagesOf(0, 1), all)
	require.IsType(t, &memmap.BusError{}, err, "no buffer was placed yet")

	// Pages 0 to 2 and 5 to 6 have buffers; 3 and 4 are absent.
	kept := f.send(3 * hostarch.PageSize)
	f.mu.Lock()
	free := &f.inner.free
	hole := free.byStart[3*hostarch.PageSize]
	delete(free.byStart, hole.start)
	free.discard(hole)
	free.insert(span{5 * hostarch.PageSize, 11 * hostarch.PageSize}, 0)
	f.mu.Unlock()
	f.send(2 * hostarch.PageSize)

	for _, tc := range []struct {
		name               string
		required, optional memmap.MappableRange
		want               memmap.MappableRange
		fails              bool
	}{
		{"one page", pagesOf(1, 1), pagesOf(1, 1), pagesOf(1, 1), false},
		{"all around it", pagesOf(1, 1), all, pagesOf(0, 3), false},
		{"up to the optional range", pagesOf(1, 1), pagesOf(1, 2), pagesOf(1, 2), false},
		{"the other ones", pagesOf(6, 1), all, pagesOf(5, 2), false},
		{"the start of what is required", pagesOf(2, 2), all, pagesOf(2, 1), true},
		{"across a hole", pagesOf(0, 7), all, pagesOf(0, 3), true},
		{"nothing of what is required", pagesOf(4, 1), all, memmap.MappableRange{}, true},
		{"after the last buffer", pagesOf(7, 1), all, memmap.MappableRange{}, true},
		{"after the mapping", pagesOf(16, 1), pagesOf(0, 32), memmap.MappableRange{}, true},
		{"beyond the end of the mapping", pagesOf(6, 100), pagesOf(0, 200), pagesOf(6, 1), true},
		{"far after it", pagesOf(math.MaxUint32-1, 1), pagesOf(0, math.MaxUint32), memmap.MappableRange{}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ts, err := f.Translate(tc.required, tc.optional)
			require.Equal(t, tc.fails, err != nil, "%v", err)
			if tc.fails {
				require.IsType(t, &memmap.BusError{}, err)
			}
			if tc.want.Length() == 0 {
				require.Empty(t, ts)
				return
			}
			require.Len(t, ts, 1)
			require.Equal(t, tc.want, ts[0].Source)
			require.Equal(t, f.memory().Start+tc.want.Start, ts[0].Offset)
			require.False(t, ts[0].Perms.Write, "the application can write")
			require.True(t, ts[0].Perms.Read)
		})
	}

	// Pages stay when their buffers go.
	f.recall(kept)
	ts, err := f.Translate(pagesOf(1, 1), all)
	require.NoError(t, err)
	require.Equal(t, pagesOf(0, 3), ts[0].Source)
}

// TestNewMemoryIsZero passes memory from one process to the next.
func TestNewMemoryIsZero(t *testing.T) {
	for range 3 {
		f := newFixture(t, testSize)
		b := f.send(testSize)
		require.Equal(t, make([]byte, testSize), f.read(b))
		require.NoError(t, b.Write(0, bytes.Repeat([]byte("x"), testSize)))
		f.Release(memorytest.Context())
	}
}

// TestFirstBuffers sends to a process for the first time, from several goroutines, and
// ends others meanwhile: only one of them may provide the memory.
func TestFirstBuffers(t *testing.T) {
	for range 100 {
		f := newFixture(t, testSize)
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				if i == 3 {
					f.Release(memorytest.Context())
					return
				}
				r, err := f.Reserve(&Request{DataSize: 8}, nil)
				if err != nil {
					return
				}
				if err := r.Write(0, []byte("contents")); err != nil {
					t.Errorf("%d: %v", i, err)
				}
				c := r.Abort()
				c.Free(memorytest.Context())
			})
		}
		wg.Wait()
		require.Zero(t, f.memory().Length())
	}
}

// TestUsage: pages count as used, idle or absent, and the high-water mark stays.
func TestUsage(t *testing.T) {
	var s Space
	s.Init(memorytest.Shared(), newFixture(t, testSize).reclaimer)
	f := &fixture{Space: &s, t: t}
	require.Equal(t, Usage{}, f.Usage())
	require.NoError(t, f.Map(nil, rangeOf(16*hostarch.PageSize)))
	require.Equal(t, Usage{FreeAsync: 8 * hostarch.PageSize, Absent: 16}, f.Usage())
	first, err := f.trySend(Request{DebugID: 1, DataSize: 100})
	require.NoError(t, err)
	second, err := f.trySend(Request{DebugID: 2, DataSize: 3 * hostarch.PageSize, Sender: 7, Async: true})
	require.NoError(t, err)
	require.Equal(t, Usage{FreeAsync: 5 * hostarch.PageSize, Buffers: 2, Used: 4, Absent: 12, HighWater: 4}, f.Usage())
	placed := second.Placement()
	require.True(t, f.Holds(&placed))
	other := placed
	other.DebugID++
	require.False(t, f.Holds(&other))
	f.recall(second)
	require.False(t, f.Holds(&placed))
	require.Equal(t, Usage{FreeAsync: 8 * hostarch.PageSize, Buffers: 1, Used: 1, Idle: 3, Absent: 12, HighWater: 4}, f.Usage())
	f.recall(first)
	f.ReclaimAll()
	require.Equal(t, Usage{FreeAsync: 8 * hostarch.PageSize, Absent: 16, HighWater: 4}, f.Usage())
	f.Unmap()
	require.Equal(t, Usage{FreeAsync: 8 * hostarch.PageSize, HighWater: 4}, f.Usage())
	f.Release(memorytest.Context())
	require.Equal(t, Usage{FreeAsync: 8 * hostarch.PageSize, HighWater: 4}, f.Usage())
}

// TestNoAllocations: after the first ones, a buffer allocates nothing.
func TestNoAllocations(t *testing.T) {
	if sync.RaceEnabled {
		t.Skip("in builds with the race detector, pools reuse nothing")
	}
	f := newFixture(t, testSize)
	ctx := memorytest.Context()
	word := make([]byte, 8)
	req := Request{DataSize: 64, OffsetsSize: 8, Sender: 1, Async: true}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		r, err := f.Reserve(&req, nil)
		if err != nil || r.Write(64, word) != nil {
			t.Fatal("there's no room")
		}
		addr := r.Addr()
		b := r.Commit()
		b.Deliver(ctx)
		c, err := f.Claim(addr)
		if err != nil {
			t.Fatal(err)
		}
		for offset, err := range c.Offsets(8) {
			if err != nil || offset != 0 {
				t.Fatal(offset, err)
			}
		}
		c.Free(ctx)
	}))
	f.send(8)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		n := 0
		for at, more := uint64(0), true; more; {
			at, more = f.Walk(at, func(Info) { n++ })
		}
		if n != 1 {
			t.Fatal(n)
		}
	}))
}

// BenchmarkBuffer places buffers and frees them.
func BenchmarkBuffer(b *testing.B) {
	for _, bc := range []struct {
		name string
		size uint64
	}{{"8B", 8}, {"4KiB", 4 << 10}, {"1MiB", mib}} {
		b.Run(bc.name, func(b *testing.B) {
			f := newFixture(b, MaxSize)
			ctx := memorytest.Context()
			req := Request{DataSize: bc.size}
			for b.Loop() {
				r, err := f.Reserve(&req, nil)
				if err != nil {
					b.Fatal(err)
				}
				buf := r.Commit()
				c := buf.Recall()
				c.Free(ctx)
			}
		})
	}
}
