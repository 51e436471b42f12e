// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package alloc

import (
	"bytes"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/sentry/memmap"
	"gvisor.dev/gvisor/pkg/sentry/pgalloc"
	"gvisor.dev/gvisor/pkg/tcpip/faketime"

	"sentrybinder/pkg/sentry/devices/binder/memorytest"
)

const (
	mib         = 1 << 20
	testSize    = 64 << 10
	testMapAddr = 0x7f0000000000
)

// testAddressSpace is an address space that records its invalidations.
type testAddressSpace struct {
	lost []hostarch.AddrRange
	run  func()
}

// Invalidate implements memmap.MappingSpace.Invalidate.
func (s *testAddressSpace) Invalidate(ar hostarch.AddrRange, _ memmap.InvalidateOpts) {
	s.lost = append(s.lost, ar)
	if f := s.run; f != nil {
		s.run = nil
		f()
	}
}

// fixture is a Space and its environment.
type fixture struct {
	*Space
	t     testing.TB
	as    *testAddressSpace
	clock *faketime.ManualClock
}

// newFixture returns a Space with a mapping of size bytes.
func newFixture(t testing.TB, size uint64) *fixture {
	return newFixtureIn(t, memorytest.Shared(), size)
}

// newFixtureIn is newFixture with memory from mf.
func newFixtureIn(t testing.TB, mf *pgalloc.MemoryFile, size uint64) *fixture {
	clock := faketime.NewManualClock()
	f := &fixture{&Space{}, t, &testAddressSpace{}, clock}
	f.Init(mf, NewReclaimer(clock))
	require.NoError(t, f.Map(f.as, rangeOf(size)))
	t.Cleanup(func() { f.Release(memorytest.Context()) })
	return f
}

// rangeOf returns the addresses of a mapping of size bytes.
func rangeOf(size uint64) hostarch.AddrRange {
	return hostarch.AddrRange{Start: testMapAddr, End: testMapAddr + hostarch.Addr(size)}
}

// send returns a buffer on its way, with size bytes.
func (f *fixture) send(size uint64) *Buffer {
	f.t.Helper()
	b, err := f.trySend(Request{DataSize: size})
	require.NoError(f.t, err)
	return b
}

func (f *fixture) trySend(req Request) (*Buffer, error) {
	r, err := f.Reserve(&req, nil)
	if err != nil {
		return nil, err
	}
	b := r.Commit()
	return &b, nil
}

// recall frees b.
func (f *fixture) recall(b *Buffer) {
	c := b.Recall()
	c.Free(memorytest.Context())
}

// fill fills b with c.
func (f *fixture) fill(b *Buffer, c byte) {
	f.t.Helper()
	require.NoError(f.t, b.Write(0, bytes.Repeat([]byte{c}, int(b.rec.size))))
}

// sendFilled returns a buffer full of c.
func (f *fixture) sendFilled(size uint64, c byte) *Buffer {
	f.t.Helper()
	b := f.send(size)
	f.fill(b, c)
	return b
}

// read returns the contents of b.
func (f *fixture) read(b *Buffer) []byte {
	f.t.Helper()
	f.mu.Lock()
	c := contents{b.described, f.inner.memoryOf(b.rec)}
	f.mu.Unlock()
	got := make([]byte, b.rec.size)
	require.NoError(f.t, c.Read(0, got))
	return got
}

// requireFilled checks that b is full of c.
func (f *fixture) requireFilled(b *Buffer, c byte) {
	f.t.Helper()
	got := f.read(b)
	require.True(f.t, bytes.Equal(bytes.Repeat([]byte{c}, len(got)), got), "%d bytes of %q at %#x", len(got), c, b.rec.Start)
}

// +checklocksignore
func (s *Space) memory() memmap.FileRange { return s.inner.fr }

// resident returns the number of f's pages that take host memory.
func (f *fixture) resident() int {
	f.t.Helper()
	fr := f.memory()
	if fr.Length() == 0 {
		return 0
	}
	bs, err := f.mf.MapInternal(fr, hostarch.Read)
	require.NoError(f.t, err)
	n := 0
	for ; !bs.IsEmpty(); bs = bs.Tail() {
		n += residentPages(f.t, bs.Head())
	}
	return n
}

// evict makes f's MemoryFile evict all that it can.
func (f *fixture) evict() {
	f.mf.StartEvictions()
	f.mf.WaitForEvictions()
}

// pass lets an idlePeriod pass.
func (f *fixture) pass() {
	f.clock.Advance(idlePeriod)
	f.evict()
}

// isTicking returns whether r looks for idle memory.
func (r *Reclaimer) isTicking() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.inner.ticking
}

// check fails if ok is false. requireSound uses it in place of require, which is too slow
// for a fuzzer's every step.
func check(t testing.TB, ok bool, what string) {
	if !ok {
		t.Helper()
		t.Fatalf("not true: %s", what)
	}
}

// requireSound checks the invariants of a Space in use while no method is running.
//
// +checklocksignore
func (s *Space) requireSound(t testing.TB) {
	t.Helper()
	in := &s.inner
	async := uint64(0)
	shares := make(map[int32]asyncShare)
	var used pageSet
	for start, rec := range in.buffers {
		check(t, rec.Start == start && rec.space == s, "a buffer knows where it is")
		if rec.async {
			async += rec.size
			share := shares[rec.sender]
			shares[rec.sender] = asyncShare{share.buffers + 1, share.bytes + rec.size}
		}
		for page := rec.Start / hostarch.PageSize; page*hostarch.PageSize < rec.Start+rec.size; page++ {
			used.add(pageRange{uint32(page), uint32(page + 1)})
		}
	}
	check(t, in.size/2 == async+in.freeAsync, "the space of one-way transactions is counted")
	check(t, len(shares) == len(in.asyncShares), "senders without a share are forgotten")
	for sender, share := range shares {
		check(t, in.asyncShares[sender] == share, "the share of each sender is counted")
	}
	p := in.pages
	check(t, p.used == used, "the pages that buffers are on are known")
	hidden := used.without(&p.present)
	check(t, hidden.empty(), "the application sees all of its buffers")
	check(t, p.leaving.empty(), "no memory is leaving")
	check(t, in.candidate || p.recent.empty(), "freed pages will be aged")
	check(t, !in.candidate || s.reclaimer.isTicking(), "the Reclaimer ticks while there are candidates")
	requireTiled(t, in.size, in.buffers, &in.free)
}

// cargoes records the ends of cargo.
type cargoes struct {
	ended []int
}

// testCargo is a cargo with a number.
type testCargo struct {
	*cargoes
	n int
}

// Destroy implements Cargo.Destroy.
func (c testCargo) Destroy(context.Context) { c.ended = append(c.ended, c.n) }

// sorted returns the numbers of the cargoes that have ended.
func (c *cargoes) sorted() []int { return slices.Sorted(slices.Values(c.ended)) }
