// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/safemem"
	"gvisor.dev/gvisor/pkg/sentry/memmap"
	"gvisor.dev/gvisor/pkg/sentry/pgalloc"
	"gvisor.dev/gvisor/pkg/tcpip/faketime"
)

const mib = 1 << 20

// resident returns how many of a's pages take memory of the host's.
func (a *allocator) resident(t testing.TB) int {
	t.Helper()
	fr := a.memory()
	if fr.Length() == 0 {
		return 0
	}
	bs, err := a.mf.MapInternal(fr, hostarch.Read)
	require.NoError(t, err)
	n := 0
	for ; !bs.IsEmpty(); bs = bs.Tail() {
		n += residentPages(t, bs.Head())
	}
	return n
}

// fill writes c all over b.
func (a *allocator) fill(t testing.TB, b *buffer, c byte) {
	t.Helper()
	require.NoError(t, a.write(b, 0, bytes.Repeat([]byte{c}, int(b.size))))
}

// requireFilled checks that fill has written c.
func (a *allocator) requireFilled(t testing.TB, b *buffer, c byte) {
	t.Helper()
	got := make([]byte, b.size)
	require.NoError(t, a.read(b, 0, got))
	require.True(t, bytes.Equal(bytes.Repeat([]byte{c}, len(got)), got), "%d bytes of %q at %#x", b.size, c, b.start)
}

// mustFill returns a buffer full of c.
func mustFill(t testing.TB, a *allocator, size uint64, c byte) *buffer {
	t.Helper()
	b := mustAllocate(t, a, size)
	a.fill(t, b, c)
	return b
}

// evict has a's MemoryFile take back what's evictable.
func (a *allocator) evict() {
	a.mf.StartEvictions()
	a.mf.WaitForEvictions()
}

// pass lets an idlePeriod pass.
func pass(clock *faketime.ManualClock, a *allocator) {
	clock.Advance(idlePeriod)
	a.evict()
}

// watchedSpace is an address space that notes what it loses.
type watchedSpace struct {
	lost []hostarch.AddrRange
	run  func()
}

// Invalidate implements memmap.MappingSpace.Invalidate.
func (s *watchedSpace) Invalidate(ar hostarch.AddrRange, _ memmap.InvalidateOpts) {
	s.lost = append(s.lost, ar)
	if f := s.run; f != nil {
		s.run = nil
		f()
	}
}

// watched is an allocator with all that is around it.
type watched struct {
	*allocator
	space *watchedSpace
	clock *faketime.ManualClock
}

// newWatched returns an allocator of mf's with a mapping of size bytes.
func newWatched(t testing.TB, mf *pgalloc.MemoryFile, size uint64) *watched {
	clock := faketime.NewManualClock()
	w := &watched{&allocator{mf: mf, reclaim: &reclaimer{clock: clock}}, &watchedSpace{}, clock}
	require.NoError(t, w.setMapped(w.space, hostarch.AddrRange{Start: testMapAddr, End: testMapAddr + hostarch.Addr(size)}))
	t.Cleanup(func() { w.releaseAll(newContext()) })
	return w
}

func (w *watched) pass() { pass(w.clock, w.allocator) }

// pagesOf returns the addresses of n pages from first on.
func pagesOf(first, n uint64) hostarch.AddrRange {
	start := hostarch.Addr(testMapAddr + first*hostarch.PageSize)
	return hostarch.AddrRange{Start: start, End: start + hostarch.Addr(n*hostarch.PageSize)}
}

// TestMemoryGoesBack sends a lot at once, and then nothing.
func TestMemoryGoesBack(t *testing.T) {
	w := newWorld(t)
	p := newPairIn(w, mib)
	for round := range 3 {
		p.roundTrip()
		for _, a := range []*allocator{&p.server.alloc, &p.client.alloc} {
			require.Equal(t, mib/hostarch.PageSize, a.resident(t), "round %d: after it", round)
			a.evict()
			require.Equal(t, mib/hostarch.PageSize, a.resident(t), "round %d: used a moment ago", round)
		}
		w.clock.Advance(idlePeriod)
		require.NotZero(t, p.server.alloc.resident(t), "round %d: used not long ago", round)
		w.clock.Advance(idlePeriod)
		p.server.alloc.evict()
		require.Zero(t, p.server.alloc.resident(t), "round %d: idle", round)
		require.Zero(t, p.client.alloc.resident(t), "round %d: idle", round)
		require.False(t, w.driver.reclaim.isTicking(), "round %d: there's nothing to look for", round)
	}
}

// TestMemoryInUseStays frees every second of many buffers, of which some share a
// page.
func TestMemoryInUseStays(t *testing.T) {
	w := newWatched(t, testMemory(), mib)
	const size = 6 * hostarch.PageSize / 4
	var all []*buffer
	for i := range 8 {
		all = append(all, mustFill(t, w.allocator, size, 'a'+byte(i)))
	}
	for i := 0; i < len(all); i += 2 {
		w.deallocate(all[i])
	}
	require.Equal(t, 12, w.resident(t))
	w.pass()
	require.Equal(t, 12, w.resident(t))
	w.pass()
	// Of a buffer's page and a half, the other half page is a neighbour's.
	require.Equal(t, 8, w.resident(t))
	require.ElementsMatch(t, []hostarch.AddrRange{pagesOf(0, 1), pagesOf(3, 1), pagesOf(6, 1), pagesOf(9, 1)}, w.space.lost)
	for i := 1; i < len(all); i += 2 {
		w.requireFilled(t, all[i], 'a'+byte(i))
	}
	_, err := w.translate(pages(3, 1), pages(0, 16))
	require.IsType(t, &memmap.BusError{}, err, "the application sees a page that's gone")
	ts, err := w.translate(pages(4, 1), pages(0, 16))
	require.NoError(t, err)
	require.Equal(t, pages(4, 2), ts[0].Source)

	// A page that comes back is zero.
	again := mustAllocate(t, w.allocator, size)
	page := again.start / hostarch.PageSize
	require.Contains(t, []uint64{0, 3, 6, 9}, page)
	got := make([]byte, hostarch.PageSize)
	require.NoError(t, w.read(again, 0, got))
	require.Equal(t, make([]byte, hostarch.PageSize), got)
	_, err = w.translate(pages(page, 2), pages(page, 2))
	require.NoError(t, err)
}

// TestBusyMemoryStays uses a page again and again, next to one that it used once.
// A buffer that was held for long is not idle when it is freed.
func TestBusyMemoryStays(t *testing.T) {
	w := newWatched(t, testMemory(), mib)
	w.deallocate(mustFill(t, w.allocator, 2*hostarch.PageSize, 'x'))
	for range 5 {
		w.deallocate(mustFill(t, w.allocator, 8, 'y'))
		w.pass()
	}
	require.Equal(t, 1, w.resident(t))
	require.Equal(t, []hostarch.AddrRange{pagesOf(1, 1)}, w.space.lost)

	held := mustFill(t, w.allocator, 8, 'z')
	for range 3 {
		w.pass()
	}
	require.False(t, w.reclaim.isTicking())
	require.Equal(t, 1, w.resident(t))
	w.deallocate(held)
	w.pass()
	require.Equal(t, 1, w.resident(t))
	w.pass()
	require.Zero(t, w.resident(t))
}

// TestUsedWhileEvictable uses pages that the MemoryFile may take at any time. They
// stay, as long as they're used or were a moment ago.
func TestUsedWhileEvictable(t *testing.T) {
	w := newWatched(t, newMemory(pgalloc.DelayedEvictionManual), mib)
	w.deallocate(mustFill(t, w.allocator, 4*hostarch.PageSize, 'x'))
	w.clock.Advance(2 * idlePeriod)
	require.Equal(t, 4, w.resident(t), "nobody has asked for it")

	held := mustFill(t, w.allocator, hostarch.PageSize, 'y')
	freed := mustFill(t, w.allocator, hostarch.PageSize, 'z')
	w.deallocate(freed)
	w.evict()
	require.Equal(t, 2, w.resident(t))
	w.requireFilled(t, held, 'y')
	require.Equal(t, []hostarch.AddrRange{pagesOf(2, 2)}, w.space.lost)
	w.deallocate(held)
	w.clock.Advance(2 * idlePeriod)
	w.evict()
	require.Zero(t, w.resident(t))
}

// TestUsedWhileGoing does what can happen while the application loses pages.
func TestUsedWhileGoing(t *testing.T) {
	for name, tc := range map[string]struct {
		run  func(t *testing.T, w *watched) (after func())
		want int
	}{
		"used": {func(t *testing.T, w *watched) func() {
			b := mustFill(t, w.allocator, hostarch.PageSize, 'y')
			return func() {
				w.requireFilled(t, b, 'y')
				_, err := w.translate(pages(0, 1), pages(0, 1))
				require.NoError(t, err)
			}
		}, 1},
		"used and freed": {func(t *testing.T, w *watched) func() {
			w.deallocate(mustFill(t, w.allocator, hostarch.PageSize, 'y'))
			return func() {
				w.pass()
				w.pass()
				require.Zero(t, w.resident(t))
			}
		}, 1},
		"looked at": {func(t *testing.T, w *watched) func() {
			_, err := w.translate(pages(0, 1), pages(0, 1))
			require.IsType(t, &memmap.BusError{}, err)
			return func() {}
		}, 0},
		"unmapped": {func(t *testing.T, w *watched) func() {
			require.False(t, w.spaceMu.TryLock(), "the mapping goes, and another may be in its place")
			return w.setUnmapped
		}, 0},
		"closed": {func(t *testing.T, w *watched) func() {
			w.releaseAll(newContext())
			return func() {}
		}, 0},
		"closed while somebody copies": {func(t *testing.T, w *watched) func() {
			b, err := w.allocate(1, hostarch.PageSize, 0, 0, 0, false)
			require.NoError(t, err)
			w.releaseAll(newContext())
			w.fill(t, b, 'y')
			return func() {
				w.requireFilled(t, b, 'y')
				w.deallocate(b)
				w.unpin()
			}
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWatched(t, testMemory(), mib)
			w.deallocate(mustFill(t, w.allocator, 3*hostarch.PageSize, 'x'))
			var after func()
			w.space.run = func() { after = tc.run(t, w) }
			w.pass()
			w.pass()
			require.NotNil(t, after)
			require.Equal(t, tc.want, w.resident(t))
			after()
		})
	}
}

// TestMemoryGoesBackAfterUnmapping frees buffers of a process that has no mapping
// any more.
func TestMemoryGoesBackAfterUnmapping(t *testing.T) {
	w := newWatched(t, testMemory(), mib)
	b := mustFill(t, w.allocator, 3*hostarch.PageSize, 'x')
	w.setUnmapped()
	w.deallocate(b)
	w.pass()
	w.pass()
	require.Zero(t, w.resident(t))
	require.Empty(t, w.space.lost)
}

// TestClosedWhileEvictable closes a device whose memory the MemoryFile may take.
func TestClosedWhileEvictable(t *testing.T) {
	mf := newMemory(pgalloc.DelayedEvictionManual)
	w := newWatched(t, mf, mib)
	w.deallocate(mustFill(t, w.allocator, 3*hostarch.PageSize, 'x'))
	w.clock.Advance(2 * idlePeriod)
	w.releaseAll(newContext())
	w.evict()
	require.Empty(t, w.space.lost, "the MemoryFile still knows it")

	// ... or that is about to be looked at.
	w = newWatched(t, mf, mib)
	w.deallocate(mustFill(t, w.allocator, 3*hostarch.PageSize, 'x'))
	w.releaseAll(newContext())
	w.pass()
	require.False(t, w.reclaim.isTicking())
	w.giveBackAll()
	require.Empty(t, w.space.lost)
}

// TestMemoryModel uses mappings at random while time passes. Contents stay as long
// as they are in use, and the memory of the rest doesn't.
func TestMemoryModel(t *testing.T) {
	const size = 32 * hostarch.PageSize
	clock := faketime.NewManualClock()
	r := &reclaimer{clock: clock}
	var all []*watched
	for range 3 {
		w := newWatched(t, testMemory(), size)
		w.clock, w.reclaim = clock, r
		all = append(all, w)
	}
	rnd := rand.New(rand.NewPCG(5, 6))
	held := make(map[*watched][]*buffer)
	tag := func(w *watched, b *buffer) byte { return byte(slices.Index(all, w)*80) + byte(b.start/8%79) + 1 }
	for range 3000 {
		w := all[rnd.IntN(len(all))]
		switch bs := held[w]; {
		case rnd.IntN(10) == 0:
			pass(clock, w.allocator)
		case rnd.IntN(100) < 55 || len(bs) == 0:
			b, err := w.allocate(1, rnd.Uint64N(3*hostarch.PageSize), 0, 0, 0, false)
			if err != nil {
				continue
			}
			w.unpin()
			w.fill(t, b, tag(w, b))
			held[w] = append(bs, b)
		default:
			i := rnd.IntN(len(bs))
			b := bs[i]
			held[w] = slices.Delete(bs, i, i+1)
			w.requireFilled(t, b, tag(w, b))
			w.deallocate(b)
		}
	}
	pass(clock, all[0].allocator)
	pass(clock, all[0].allocator)
	for _, w := range all {
		used := make(map[uint32]bool)
		for _, b := range held[w] {
			w.requireFilled(t, b, tag(w, b))
			for page, end := pageRange(b.start, b.size); page < end; page++ {
				used[page] = true
			}
		}
		require.NotEmpty(t, used)
		require.Equal(t, len(used), w.resident(t))
		require.NotEmpty(t, w.space.lost)
	}
}

// TestRestoreMemory saves a process with absent pages, and with others that were
// free a moment ago.
func TestRestoreMemory(t *testing.T) {
	saved := newWorld(t)
	before := saved.open(mib)
	a := &before.alloc
	var bs []*buffer
	for i := range 6 {
		b := mustFill(t, a, 2*hostarch.PageSize, 'a'+byte(i))
		a.handOver(b)
		bs = append(bs, b)
	}
	free := func(a *allocator, b *buffer) {
		b, err := a.takeBack(b.addr)
		require.NoError(t, err)
		a.deallocate(b)
	}
	free(a, bs[0])
	free(a, bs[3])
	pass(saved.clock, a)
	pass(saved.clock, a)
	require.Equal(t, 8, a.resident(t))
	free(a, bs[1])
	require.Equal(t, 8, a.resident(t))

	loaded := saved.restore()
	require.Equal(t, 6, a.resident(t), "a checkpoint has what nobody uses")
	a = &loaded.apps[0].alloc
	seen := func(page uint64) bool {
		_, err := a.translate(pages(page, 1), pages(page, 1))
		return err == nil
	}
	for i, b := range bs {
		gone := i == 0 || i == 1 || i == 3
		require.Equal(t, !gone, seen(b.start/hostarch.PageSize), "buffer %d", i)
		if !gone {
			a.requireFilled(t, b, 'a'+byte(i))
		}
	}
	// What is freed now goes, too, once it's idle.
	for _, i := range []int{2, 4} {
		free(a, bs[i])
	}
	pass(loaded.clock, a)
	pass(loaded.clock, a)
	for i, b := range bs {
		require.Equal(t, i == 5, seen(b.start/hostarch.PageSize), "buffer %d", i)
	}
	a.requireFilled(t, bs[5], 'f')
}

// BenchmarkBuffer places buffers and frees them.
func BenchmarkBuffer(b *testing.B) {
	for _, bc := range []struct {
		name string
		size uint64
	}{{"8B", 8}, {"4KiB", 4 << 10}, {"1MiB", mib}} {
		b.Run(bc.name, func(b *testing.B) {
			a := newAllocator(b, maxMappingSize)
			for b.Loop() {
				buf, err := a.allocate(1, bc.size, 0, 0, 0, false)
				if err != nil {
					b.Fatal(err)
				}
				a.unpin()
				a.deallocate(buf)
			}
		})
	}
}

// BenchmarkGiveBack measures what it costs that memory of a process goes back to
// the host and comes again. No address space is involved.
func BenchmarkGiveBack(b *testing.B) {
	for _, bc := range []struct {
		name string
		size uint64
	}{{"4KiB", 4 << 10}, {"1MiB", mib}} {
		b.Run(bc.name, func(b *testing.B) {
			a := newAllocator(b, maxMappingSize)
			contents := make([]byte, bc.size)
			for b.Loop() {
				buf, err := a.allocate(1, bc.size, 0, 0, 0, false)
				if err != nil {
					b.Fatal(err)
				}
				if err := a.write(buf, 0, contents); err != nil {
					b.Fatal(err)
				}
				a.unpin()
				a.deallocate(buf)
				a.giveBackAll()
			}
		})
	}
}

// residentPages returns how many pages of b take memory.
func residentPages(t testing.TB, b safemem.Block) int {
	t.Helper()
	vec := make([]byte, b.Len()/hostarch.PageSize)
	_, _, errno := unix.Syscall(unix.SYS_MINCORE, b.Addr(), uintptr(b.Len()), uintptr(unsafe.Pointer(unsafe.SliceData(vec))))
	require.Zero(t, errno)
	n := 0
	for _, v := range vec {
		n += int(v & 1)
	}
	return n
}

// isTicking returns whether r looks for idle memory.
func (r *reclaimer) isTicking() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ticking
}
