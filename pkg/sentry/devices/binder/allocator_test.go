// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/sentry/memmap"
	"gvisor.dev/gvisor/pkg/tcpip/faketime"

	"sentrybinder/pkg/abi/binder"
)

// fakeSpace is an address space. It must not be empty, so that two of them
// differ.
type fakeSpace struct{ _ byte }

// Invalidate implements memmap.MappingSpace.Invalidate.
func (*fakeSpace) Invalidate(hostarch.AddrRange, memmap.InvalidateOpts) {}

var _ memmap.MappingSpace = (*fakeSpace)(nil)

// newAllocator returns an allocator with a mapping of size bytes.
func newAllocator(t testing.TB, size uint64) *allocator {
	a := &allocator{mf: testMemory(), reclaim: &reclaimer{clock: faketime.NewManualClock()}}
	require.NoError(t, a.setMapped(nil, hostarch.AddrRange{Start: testMapAddr, End: testMapAddr + hostarch.Addr(size)}))
	t.Cleanup(func() { a.releaseAll(newContext()) })
	return a
}

// mustAllocate returns a buffer that nobody copies to.
func mustAllocate(t testing.TB, a *allocator, size uint64) *buffer {
	t.Helper()
	b, err := a.allocate(1, size, 0, 0, 0, false)
	require.NoError(t, err)
	a.unpin()
	return b
}

// TestAllocatorModel allocates and frees at random. Buffers are where a search
// of all of the space finds the best fit, one-way ones take half of it at most,
// and spam is suspected when a count of all of them says so.
func TestAllocatorModel(t *testing.T) {
	const size = 4 * hostarch.PageSize
	w := newWorld(t)
	a := newAllocator(t, size)
	m := newSpanModel(size)
	async := uint64(size / 2)
	var held []*buffer
	rnd := rand.New(rand.NewPCG(3, 4))
	full, asyncFull, suspected := 0, 0, 0
	reported := false
	for range 3000 {
		if rnd.IntN(100) < 60 {
			data, offsets, extra := rnd.Uint64N(700), rnd.Uint64N(5)*8, rnd.Uint64N(20)
			sender := rnd.Int32N(3)
			oneWay := rnd.IntN(3) != 0
			n := max(8, (data+7)/8*8+offsets+(extra+7)/8*8)
			b, err := a.allocate(1, data, offsets, extra, sender, oneWay)
			if oneWay && n > async {
				require.Equal(t, linuxerr.ENOSPC, err)
				asyncFull++
				continue
			}
			if !m.fits(n) {
				require.Equal(t, linuxerr.ENOSPC, err)
				full++
				continue
			}
			require.NoError(t, err)
			a.unpin()
			lastSender := m.take(t, span{b.start, n}, sender)
			require.Equal(t, n, b.size)
			require.Equal(t, hostarch.Addr(testMapAddr+b.start), b.addr)
			suspect := false
			if oneWay {
				async -= n
				buffers, bytes := 0, uint64(0)
				counted := held
				if lastSender == sender {
					counted = append(slices.Clone(held), b)
				}
				for _, b := range counted {
					if b.async && b.sender == sender {
						buffers++
						bytes += b.size
					}
				}
				low := async < size/10
				suspect = low && !reported && (buffers > 50 || bytes > size/4)
				reported = low && (reported || suspect)
			}
			require.Equal(t, suspect, b.spamSuspect)
			if suspect {
				suspected++
			}
			held = append(held, b)
		} else if len(held) > 0 {
			i := rnd.IntN(len(held))
			b := held[i]
			held[i] = held[len(held)-1]
			held = held[:len(held)-1]
			a.deallocate(b)
			m.set(span{b.start, b.size}, true)
			if b.async {
				async += b.size
			}
		}
		a.requireSound(w)
	}
	require.NotZero(t, full, "the space was never used up")
	require.NotZero(t, asyncFull, "the space for one-way calls was never used up")
	require.NotZero(t, suspected, "nobody was suspected")
}

func TestBufferLayout(t *testing.T) {
	a := newAllocator(t, testMapping)
	b, err := a.allocate(1, 13, 16, 5, 0, false)
	require.NoError(t, err)
	a.unpin()
	require.Equal(t, []uint64{16, 32, 40}, []uint64{b.offsetsStart(), b.extraStart(), b.size})

	// A buffer without contents has an address of its own.
	empty, other := mustAllocate(t, a, 0), mustAllocate(t, a, 0)
	require.NotEqual(t, empty.addr, other.addr)
}

func TestAllocateErrors(t *testing.T) {
	ctx := newContext()
	a := &allocator{mf: testMemory()}
	_, err := a.allocate(1, 8, 0, 0, 0, false)
	require.Equal(t, linuxerr.ESRCH, err, "nothing is mapped")
	require.False(t, a.everMapped())

	a = newAllocator(t, testMapping)
	for _, sizes := range [][3]uint64{
		{math.MaxUint64, 0, 0},
		{8, math.MaxUint64 - 3, 0},
		{8, 8, math.MaxUint64 - 7},
		{1 << 63, 1 << 63, 0},
		{math.MaxUint64 - 7, 8, 0},
	} {
		_, err := a.allocate(1, sizes[0], sizes[1], sizes[2], 0, false)
		require.Equal(t, linuxerr.EINVAL, err, "%#x", sizes)
	}
	_, err = a.allocate(1, testMapping+1, 0, 0, 0, false)
	require.Equal(t, linuxerr.ENOSPC, err)
	_, err = a.allocate(1, testMapping/2+1, 0, 0, 1, true)
	require.Equal(t, linuxerr.ENOSPC, err)

	b := mustAllocate(t, a, testMapping)
	_, err = a.allocate(1, 1, 0, 0, 0, false)
	require.Equal(t, linuxerr.ENOSPC, err)
	a.deallocate(b)

	a.setUnmapped()
	require.True(t, a.everMapped())
	_, err = a.allocate(1, 8, 0, 0, 0, false)
	require.Equal(t, linuxerr.ESRCH, err, "nothing is mapped any more")

	a = newAllocator(t, testMapping)
	a.releaseAll(ctx)
	_, err = a.allocate(1, 8, 0, 0, 0, false)
	require.Equal(t, linuxerr.ESRCH, err, "the device is closed")
}

func TestMapOnce(t *testing.T) {
	ar := hostarch.AddrRange{Start: testMapAddr, End: testMapAddr + testMapping}
	first, second := &fakeSpace{}, &fakeSpace{}
	a := &allocator{mf: testMemory()}
	require.NoError(t, a.setMapped(first, ar))
	require.Equal(t, linuxerr.EAGAIN, a.setMapped(second, ar), "a fork")
	require.Equal(t, linuxerr.ENOMEM, a.setMapped(first, ar))
	a.setUnmapped()
	require.Equal(t, linuxerr.ENOMEM, a.setMapped(first, ar))
}

func TestMappingIsClamped(t *testing.T) {
	a := newAllocator(t, 2*maxMappingSize)
	_, err := a.allocate(1, maxMappingSize+1, 0, 0, 0, false)
	require.Equal(t, linuxerr.ENOSPC, err)
	mustAllocate(t, a, maxMappingSize)
	_, err = a.translate(pages(maxMappingSize/hostarch.PageSize, 1), pages(0, 2048))
	require.IsType(t, &memmap.BusError{}, err)
}

func TestMappingChanges(t *testing.T) {
	w := newWorld(t)
	a := w.open(testMapping)
	ctx := newContext()
	at := func(start, length hostarch.Addr) hostarch.AddrRange {
		return hostarch.AddrRange{Start: start, End: start + length}
	}
	old := at(testMapAddr, testMapping)
	require.NoError(t, a.CopyMapping(ctx, nil, old, at(0x10000, testMapping), 0, false))
	require.NoError(t, a.InvalidateUnsavable(ctx))
	a.RemoveMapping(ctx, nil, at(testMapAddr, hostarch.PageSize), 0, false)
	_, err := a.alloc.allocate(1, 8, 0, 0, 0, false)
	require.Equal(t, linuxerr.ESRCH, err)
}

// pages returns the range of n pages from first on.
func pages(first, n uint64) memmap.MappableRange {
	return memmap.MappableRange{Start: first * hostarch.PageSize, End: (first + n) * hostarch.PageSize}
}

// TestTranslate sees the pages on which buffers were placed, and a bus error for
// the others.
func TestTranslate(t *testing.T) {
	a := newAllocator(t, 16*hostarch.PageSize)
	all := pages(0, 16)
	_, err := a.translate(pages(0, 1), all)
	require.IsType(t, &memmap.BusError{}, err, "nothing was placed yet")

	// Pages 0 to 2, and 5 to 6, with page 4 between two that are not there.
	hole := func(n uint64) *buffer { return mustAllocate(t, a, n*hostarch.PageSize) }
	kept := hole(3)
	a.mu.Lock()
	a.free.remove(a.free.byStart[3*hostarch.PageSize])
	a.free.insert(span{5 * hostarch.PageSize, 11 * hostarch.PageSize}, 0)
	a.mu.Unlock()
	hole(2)

	for _, tc := range []struct {
		name               string
		required, optional memmap.MappableRange
		want               memmap.MappableRange
		fails              bool
	}{
		{"one page", pages(1, 1), pages(1, 1), pages(1, 1), false},
		{"all around it", pages(1, 1), all, pages(0, 3), false},
		{"up to the optional range", pages(1, 1), pages(1, 2), pages(1, 2), false},
		{"the other ones", pages(6, 1), all, pages(5, 2), false},
		{"the start of what is required", pages(2, 2), all, pages(2, 1), true},
		{"across a hole", pages(0, 7), all, pages(0, 3), true},
		{"nothing of what is required", pages(4, 1), all, memmap.MappableRange{}, true},
		{"behind the last buffer", pages(7, 1), all, memmap.MappableRange{}, true},
		{"behind the mapping", pages(16, 1), pages(0, 32), memmap.MappableRange{}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ts, err := a.translate(tc.required, tc.optional)
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
			require.Equal(t, a.memory().Start+tc.want.Start, ts[0].Offset)
			require.False(t, ts[0].Perms.Write, "the application can write")
			require.True(t, ts[0].Perms.Read)
		})
	}

	// Pages stay when their buffers go.
	a.deallocate(kept)
	ts, err := a.translate(pages(1, 1), all)
	require.NoError(t, err)
	require.Equal(t, pages(0, 3), ts[0].Source)
}

func TestWhoFreesBuffers(t *testing.T) {
	a := newAllocator(t, testMapping)
	mustAllocate(t, a, 8)
	b := mustAllocate(t, a, 100)
	addr := b.addr
	for _, wrong := range []hostarch.Addr{0, addr - 1, addr + 1, addr + 8, testMapAddr - 8, badAddr, math.MaxUint64} {
		_, err := a.takeBack(wrong)
		require.Equal(t, linuxerr.ENOENT, err, "%#x", wrong)
	}
	_, err := a.takeBack(addr)
	require.Equal(t, linuxerr.EPERM, err, "it isn't known yet")
	a.handOver(b)
	got, err := a.takeBack(addr)
	require.NoError(t, err)
	require.Same(t, b, got)
	_, err = a.takeBack(addr)
	require.Equal(t, linuxerr.EPERM, err, "somebody is about to free it")
	a.deallocate(b)
	_, err = a.takeBack(addr)
	require.Equal(t, linuxerr.ENOENT, err)
}

// TestPins closes the device while two senders copy.
func TestPins(t *testing.T) {
	a := newAllocator(t, testMapping)
	first, err := a.allocate(1, 8, 0, 0, 0, false)
	require.NoError(t, err)
	second, err := a.allocate(1, 8, 0, 0, 0, false)
	require.NoError(t, err)
	a.releaseAll(newContext())

	word := []byte("contents")
	require.NoError(t, a.write(first, 0, word))
	a.deallocate(first)
	a.unpin()
	require.NoError(t, a.write(second, 0, word))
	got := make([]byte, len(word))
	require.NoError(t, a.read(second, 0, got))
	require.Equal(t, word, got)
	require.NotZero(t, a.memory().Length())
	a.deallocate(second)
	a.unpin()
	require.Zero(t, a.memory().Length(), "the memory is still there")
}

// TestNewMemoryIsZero gives memory to one process after another.
func TestNewMemoryIsZero(t *testing.T) {
	for range 3 {
		a := newAllocator(t, testMapping)
		b := mustAllocate(t, a, testMapping)
		got := make([]byte, testMapping)
		require.NoError(t, a.read(b, 0, got))
		require.Equal(t, make([]byte, testMapping), got)
		require.NoError(t, a.write(b, 0, bytes.Repeat([]byte("x"), testMapping)))
		a.releaseAll(newContext())
	}
}

func TestClearBuffer(t *testing.T) {
	w := newWorld(t)
	manager, client := w.newManager(), w.newApp()
	for _, tc := range []struct {
		flags uint32
		want  string
	}{
		{binder.TF_ONE_WAY, "secret!!"},
		{binder.TF_ONE_WAY | binder.TF_CLEAR_BUF, "\x00\x00\x00\x00\x00\x00\x00\x00"},
	} {
		client.write(client.call(0, tc.flags, parcel("secret!!")))
		got := manager.expectTransaction(binder.BR_TRANSACTION)
		manager.write(got.free())
		left, err := manager.peek(got.TransactionData.Buffer, 8)
		require.NoError(t, err)
		require.Equal(t, tc.want, string(left))
	}
	client.read()
}
