// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package alloc

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/sentry/memmap"
	"gvisor.dev/gvisor/pkg/sentry/pgalloc"
	"gvisor.dev/gvisor/pkg/sync"
	"gvisor.dev/gvisor/pkg/tcpip/faketime"

	"sentrybinder/pkg/sentry/devices/binder/memorytest"
)

// addrsOf returns the addresses of n pages from first on.
func addrsOf(first, n uint32) hostarch.AddrRange {
	mr := pagesOf(first, n)
	return hostarch.AddrRange{Start: testMapAddr + hostarch.Addr(mr.Start), End: testMapAddr + hostarch.Addr(mr.End)}
}

// TestMemoryInUseStays frees every other one of many buffers, some of which share a
// page.
func TestMemoryInUseStays(t *testing.T) {
	w := newFixture(t, mib)
	const size = 6 * hostarch.PageSize / 4
	var all []*Buffer
	for i := range 8 {
		all = append(all, w.sendFilled(size, 'a'+byte(i)))
	}
	for i := 0; i < len(all); i += 2 {
		w.recall(all[i])
	}
	require.Equal(t, 12, w.resident())
	w.pass()
	require.Equal(t, 12, w.resident())
	w.pass()
	// Of a buffer's page and a half, the other half page is a neighbour's.
	require.Equal(t, 8, w.resident())
	require.ElementsMatch(t, []hostarch.AddrRange{addrsOf(0, 1), addrsOf(3, 1), addrsOf(6, 1), addrsOf(9, 1)}, w.as.lost)
	for i := 1; i < len(all); i += 2 {
		w.requireFilled(all[i], 'a'+byte(i))
	}
	_, err := w.Translate(pagesOf(3, 1), pagesOf(0, 16))
	require.IsType(t, &memmap.BusError{}, err, "the application sees a reclaimed page")
	ts, err := w.Translate(pagesOf(4, 1), pagesOf(0, 16))
	require.NoError(t, err)
	require.Equal(t, pagesOf(4, 2), ts[0].Source)

	// A page that comes back is zero.
	again := w.send(size)
	page := uint32(again.Placement().Start / hostarch.PageSize)
	require.Contains(t, []uint32{0, 3, 6, 9}, page)
	require.Equal(t, make([]byte, hostarch.PageSize), w.read(again)[:hostarch.PageSize])
	_, err = w.Translate(pagesOf(page, 2), pagesOf(page, 2))
	require.NoError(t, err)
}

// TestBusyMemoryStays uses a page again and again, next to one that it used once.
// A long-lived buffer's page is not idle right after it is freed.
func TestBusyMemoryStays(t *testing.T) {
	w := newFixture(t, mib)
	w.recall(w.sendFilled(2*hostarch.PageSize, 'x'))
	for range 5 {
		w.recall(w.sendFilled(8, 'y'))
		w.pass()
	}
	require.Equal(t, 1, w.resident())
	require.Equal(t, []hostarch.AddrRange{addrsOf(1, 1)}, w.as.lost)

	held := w.sendFilled(8, 'z')
	for range 3 {
		w.pass()
	}
	require.False(t, w.reclaimer.isTicking())
	require.Equal(t, 1, w.resident())
	w.recall(held)
	w.pass()
	require.Equal(t, 1, w.resident())
	w.pass()
	require.Zero(t, w.resident())
}

// TestUsedWhileEvictable uses pages that the MemoryFile may evict at any time. They
// stay while they're used or were recently.
func TestUsedWhileEvictable(t *testing.T) {
	w := newFixtureIn(t, memorytest.New(pgalloc.DelayedEvictionManual), mib)
	w.recall(w.sendFilled(4*hostarch.PageSize, 'x'))
	w.clock.Advance(2 * idlePeriod)
	require.Equal(t, 4, w.resident(), "no one asked for it")

	held := w.sendFilled(hostarch.PageSize, 'y')
	freed := w.sendFilled(hostarch.PageSize, 'z')
	w.recall(freed)
	w.evict()
	require.Equal(t, 2, w.resident())
	w.requireFilled(held, 'y')
	require.Equal(t, []hostarch.AddrRange{addrsOf(2, 2)}, w.as.lost)
	w.recall(held)
	w.clock.Advance(2 * idlePeriod)
	w.evict()
	require.Zero(t, w.resident())
}

// TestUsedWhileGoing covers what can happen while the application loses pages.
func TestUsedWhileGoing(t *testing.T) {
	for name, tc := range map[string]struct {
		run  func(t *testing.T, w *fixture) (after func())
		want int
	}{
		"used": {func(t *testing.T, w *fixture) func() {
			b := w.sendFilled(hostarch.PageSize, 'y')
			return func() {
				w.requireFilled(b, 'y')
				_, err := w.Translate(pagesOf(0, 1), pagesOf(0, 1))
				require.NoError(t, err)
			}
		}, 1},
		"used and freed": {func(t *testing.T, w *fixture) func() {
			w.recall(w.sendFilled(hostarch.PageSize, 'y'))
			return func() {
				w.pass()
				w.pass()
				require.Zero(t, w.resident())
			}
		}, 1},
		"looked at": {func(t *testing.T, w *fixture) func() {
			_, err := w.Translate(pagesOf(0, 1), pagesOf(0, 1))
			require.IsType(t, &memmap.BusError{}, err)
			return func() {}
		}, 0},
		"unmapped": {func(t *testing.T, w *fixture) func() {
			require.False(t, w.addressMu.mu.TryLock(), "the mapping goes, and another may be in its place")
			return w.Unmap
		}, 0},
		"closed": {func(t *testing.T, w *fixture) func() {
			w.Release(memorytest.Context())
			return func() {}
		}, 0},
		"closed during a copy": {func(t *testing.T, w *fixture) func() {
			r, err := w.Reserve(&Request{DataSize: hostarch.PageSize}, nil)
			require.NoError(t, err)
			w.Release(memorytest.Context())
			contents := bytes.Repeat([]byte("y"), hostarch.PageSize)
			require.NoError(t, r.Write(0, contents))
			return func() {
				got := make([]byte, hostarch.PageSize)
				require.NoError(t, r.Read(0, got))
				require.Equal(t, contents, got)
				c := r.Abort()
				c.Free(memorytest.Context())
				require.Zero(t, w.memory().Length())
			}
		}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			w := newFixture(t, mib)
			w.recall(w.sendFilled(3*hostarch.PageSize, 'x'))
			var after func()
			w.as.run = func() { after = tc.run(t, w) }
			w.pass()
			w.pass()
			require.NotNil(t, after)
			require.Equal(t, tc.want, w.resident())
			after()
		})
	}
}

// TestMemoryGoesBackAfterUnmapping frees buffers of a process that has unmapped its
// mapping.
func TestMemoryGoesBackAfterUnmapping(t *testing.T) {
	w := newFixture(t, mib)
	b := w.sendFilled(3*hostarch.PageSize, 'x')
	w.Unmap()
	w.recall(b)
	w.pass()
	w.pass()
	require.Zero(t, w.resident())
	require.Empty(t, w.as.lost)
}

// TestClosedWhileEvictable closes a device whose memory the MemoryFile may evict.
func TestClosedWhileEvictable(t *testing.T) {
	mf := memorytest.New(pgalloc.DelayedEvictionManual)
	w := newFixtureIn(t, mf, mib)
	w.recall(w.sendFilled(3*hostarch.PageSize, 'x'))
	w.clock.Advance(2 * idlePeriod)
	w.Release(memorytest.Context())
	w.evict()
	require.Empty(t, w.as.lost, "the MemoryFile still knows it")

	// ... or that is about to be aged.
	w = newFixtureIn(t, mf, mib)
	w.recall(w.sendFilled(3*hostarch.PageSize, 'x'))
	w.Release(memorytest.Context())
	w.pass()
	require.False(t, w.reclaimer.isTicking())
	w.ReclaimAll()
	require.Empty(t, w.as.lost)
}

// TestManyRuns gives back more runs of pages than are visited at once.
func TestManyRuns(t *testing.T) {
	const n = 5 * maxSteps
	if n > maxPages {
		t.Skip("a mapping doesn't have that many pages of this size")
	}
	w := newFixture(t, max(mib, n*hostarch.PageSize))
	var all []*Buffer
	for range n {
		all = append(all, w.sendFilled(hostarch.PageSize, 'x'))
	}
	for i := 0; i < n; i += 2 {
		w.recall(all[i])
	}
	w.ReclaimAll()
	require.Equal(t, n/2, w.resident())
	require.Len(t, w.as.lost, n/2)
	w.requireSound(t)
}

// TestSenderWaits reserves pages whose memory is leaving: the sender gets them once it
// has left.
func TestSenderWaits(t *testing.T) {
	w := newFixture(t, mib)
	w.recall(w.sendFilled(hostarch.PageSize, 'x'))
	w.mu.Lock()
	w.inner.pages.recent = pageSet{}
	going, _ := w.inner.hideIdle(pageRange{0, maxPages})
	_, ok := w.inner.beginDecommit(&going)
	require.True(t, ok)
	w.mu.Unlock()
	sent := make(chan *Buffer)
	go func() { sent <- w.send(hostarch.PageSize) }()
	for waiting := false; !waiting; {
		w.mu.Lock()
		waiting = len(w.inner.buffers) != 0
		w.mu.Unlock()
	}
	select {
	case <-sent:
		t.Fatal("the sender doesn't wait")
	default:
	}
	w.mu.Lock()
	require.Zero(t, w.inner.endDecommit(&going))
	w.decommitted.Broadcast()
	w.mu.Unlock()
	<-sent
	w.requireSound(t)
}

// TestReclaimWhileSending reclaims memory all the time, while senders fill buffers: no
// contents are lost.
func TestReclaimWhileSending(t *testing.T) {
	w := newFixture(t, 16*hostarch.PageSize)
	stop := make(chan struct{})
	var reclaiming, sending sync.WaitGroup
	for range 2 {
		reclaiming.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					w.ReclaimAll()
				}
			}
		})
	}
	for i := range 3 {
		sending.Go(func() {
			rnd := rand.New(rand.NewPCG(9, uint64(i)))
			for range 2000 {
				r, err := w.Reserve(&Request{DataSize: rnd.Uint64N(3 * hostarch.PageSize)}, nil)
				if err != nil {
					continue
				}
				contents := bytes.Repeat([]byte{byte(1 + rnd.IntN(255))}, int(r.Placement().DataSize))
				err = r.Write(0, contents)
				got := make([]byte, len(contents))
				runtime.Gosched()
				if err != nil || r.Read(0, got) != nil || !bytes.Equal(contents, got) {
					t.Errorf("contents are lost (%v)", err)
				}
				c := r.Abort()
				c.Free(memorytest.Context())
			}
		})
	}
	sending.Wait()
	close(stop)
	reclaiming.Wait()
	w.requireSound(t)
}

// TestMemoryModel uses mappings at random while time passes. Contents stay as long
// as they are in use, and the memory of the rest doesn't.
func TestMemoryModel(t *testing.T) {
	const size = 32 * hostarch.PageSize
	clock := faketime.NewManualClock()
	r := NewReclaimer(clock)
	var all []*fixture
	for range 3 {
		w := newFixture(t, size)
		w.clock, w.reclaimer = clock, r
		all = append(all, w)
	}
	rnd := rand.New(rand.NewPCG(5, 6))
	held := make(map[*fixture][]*Buffer)
	tag := func(w *fixture, b *Buffer) byte {
		return byte(slices.Index(all, w)*80) + byte(b.Placement().Start/8%79) + 1
	}
	for range 3000 {
		w := all[rnd.IntN(len(all))]
		switch bs := held[w]; {
		case rnd.IntN(10) == 0:
			w.pass()
		case rnd.IntN(100) < 55 || len(bs) == 0:
			b, err := w.trySend(Request{DataSize: rnd.Uint64N(3 * hostarch.PageSize)})
			if err != nil {
				continue
			}
			w.fill(b, tag(w, b))
			held[w] = append(bs, b)
		default:
			i := rnd.IntN(len(bs))
			b := bs[i]
			held[w] = slices.Delete(bs, i, i+1)
			w.requireFilled(b, tag(w, b))
			w.recall(b)
		}
		w.requireSound(t)
	}
	all[0].pass()
	all[0].pass()
	for _, w := range all {
		used := make(map[uint32]bool)
		for _, b := range held[w] {
			w.requireFilled(b, tag(w, b))
			touched := touchedPages(b.rec.span())
			for page := touched.first; page < touched.end; page++ {
				used[page] = true
			}
		}
		require.NotEmpty(t, used)
		require.Equal(t, len(used), w.resident())
		require.NotEmpty(t, w.as.lost)
	}
}

// BenchmarkReclaim measures the cost of returning a process's memory to the host and
// getting it back. No address space is involved.
func BenchmarkReclaim(b *testing.B) {
	for _, bc := range []struct {
		name string
		size uint64
	}{{"4KiB", 4 << 10}, {"1MiB", mib}} {
		b.Run(bc.name, func(b *testing.B) {
			f := newFixture(b, MaxSize)
			req := Request{DataSize: bc.size}
			contents := make([]byte, bc.size)
			for b.Loop() {
				r, err := f.Reserve(&req, nil)
				if err != nil {
					b.Fatal(err)
				}
				if err := r.Write(0, contents); err != nil {
					b.Fatal(err)
				}
				c := r.Abort()
				c.Free(memorytest.Context())
				f.ReclaimAll()
			}
		})
	}
}
