// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package alloc

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/hostarch"

	"sentrybinder/pkg/sentry/devices/binder/memorytest"
)

// TestClaim: an application can free what it received, once.
func TestClaim(t *testing.T) {
	f := newFixture(t, testSize)
	ctx := memorytest.Context()
	f.send(8)
	b := f.send(100)
	addr := b.Addr()
	for _, wrong := range []hostarch.Addr{0, addr - 1, addr + 1, addr + 8, testMapAddr - 8, 1 << 40, math.MaxUint64} {
		_, err := f.Claim(wrong)
		require.Equal(t, linuxerr.ENOENT, err, "%#x", wrong)
	}
	_, err := f.Claim(addr)
	require.Equal(t, linuxerr.EPERM, err, "it wasn't delivered yet")
	rec := b.rec
	b.Deliver(ctx)
	require.False(t, b.Ok())
	got, err := f.Claim(addr)
	require.NoError(t, err)
	require.Same(t, rec, got.rec)
	_, err = f.Claim(addr)
	require.Equal(t, linuxerr.EPERM, err, "it is about to be freed")
	got.Free(ctx)
	_, err = f.Claim(addr)
	require.Equal(t, linuxerr.ENOENT, err)

	left := f.send(8)
	addr = left.Addr()
	left.Strand(ctx)
	_, err = f.Claim(addr)
	require.Equal(t, linuxerr.EPERM, err, "it lasts until the process ends")
	f.requireSound(t)
}

// TestEndedTokens uses tokens after their end.
func TestEndedTokens(t *testing.T) {
	f := newFixture(t, testSize)
	ctx := memorytest.Context()
	word := make([]byte, 8)
	var cargo cargoes
	r, err := f.Reserve(&Request{DataSize: 8, OffsetsSize: 8}, testCargo{&cargo, 1})
	require.NoError(t, err)
	b := r.Commit()

	require.False(t, r.Ok())
	require.Equal(t, linuxerr.EFAULT, r.Write(0, word))
	require.Equal(t, linuxerr.EFAULT, r.Read(0, word))
	_, err = r.Blocks(0, 8)
	require.Equal(t, linuxerr.EFAULT, err)
	for _, err := range r.Offsets(8) {
		require.Equal(t, linuxerr.EFAULT, err)
	}
	require.Equal(t, Placement{}, r.Placement())
	require.Zero(t, r.Addr())
	require.Nil(t, r.Cargo())
	require.False(t, r.Async() || r.SpamSuspect())
	require.Zero(t, r.Sender())
	none := r.Commit()
	require.False(t, none.Ok())
	nothing := r.Abort()
	require.False(t, nothing.Ok())
	nothing.Free(ctx)

	require.True(t, b.Ok())
	require.Equal(t, testCargo{&cargo, 1}, b.Cargo())
	c := b.Recall()
	require.False(t, b.Ok())
	require.Equal(t, linuxerr.EFAULT, b.Write(0, word))
	b.Deliver(ctx)
	b.Strand(ctx)
	again := b.Recall()
	require.False(t, again.Ok())
	again.Free(ctx)
	require.Empty(t, cargo.ended)

	c.Free(ctx)
	require.Equal(t, linuxerr.EFAULT, c.Read(0, word))
	c.Free(ctx)
	require.Equal(t, []int{1}, cargo.ended)
	require.Zero(t, f.inner.pins) // +checklocksignore: there's one goroutine.
	f.requireSound(t)
}

// TestBounds: no access reaches beyond a buffer.
func TestBounds(t *testing.T) {
	f := newFixture(t, testSize)
	ctx := memorytest.Context()
	f.send(24)
	r, err := f.Reserve(&Request{DataSize: 13, OffsetsSize: 8, ExtraSize: 5}, nil)
	require.NoError(t, err)
	f.send(24)
	const size = 32
	for _, tc := range []struct {
		offset, n uint64
		ok        bool
	}{
		{0, size, true},
		{0, 0, true},
		{size, 0, true},
		{size - 1, 1, true},
		{0, size + 1, false},
		{1, size, false},
		{size, 1, false},
		{size + 1, 1, false},
		{math.MaxUint64, 1, false},
		{math.MaxUint64, 2, false},
		{1, math.MaxUint64, false},
		{math.MaxUint64 - 7, 16, false},
	} {
		bs, err := r.Blocks(tc.offset, tc.n)
		require.Equal(t, tc.ok, err == nil, "%+v", tc)
		if !tc.ok {
			require.Equal(t, linuxerr.EFAULT, err)
			continue
		}
		require.EqualValues(t, tc.n, bs.NumBytes())
	}
	buf := make([]byte, size+1)
	require.Equal(t, linuxerr.EFAULT, r.Write(0, buf))
	require.Equal(t, linuxerr.EFAULT, r.Read(1, buf[:size]))
	require.NoError(t, r.Read(0, buf[:size]))
	for _, err := range r.Offsets(16) {
		require.Equal(t, linuxerr.EFAULT, err, "there's one offset")
	}
	b := r.Commit()
	require.Equal(t, linuxerr.EFAULT, b.Write(size, buf[:1]))
	require.NoError(t, b.Write(size-1, buf[:1]))
	c := b.Recall()
	require.Equal(t, linuxerr.EFAULT, c.Read(size, buf[:1]))
	c.Free(ctx)
}

// TestOffsets reads more offsets than fit in a batch, and some of them.
func TestOffsets(t *testing.T) {
	f := newFixture(t, testSize)
	const n = 77
	r, err := f.Reserve(&Request{DataSize: 5, OffsetsSize: n * OffsetSize}, nil)
	require.NoError(t, err)
	placed := r.Placement()
	for i := range uint64(n) {
		var raw [OffsetSize]byte
		hostarch.ByteOrder.PutUint64(raw[:], i*i)
		require.NoError(t, r.Write(placed.OffsetsStart()+i*OffsetSize, raw[:]))
	}
	for _, want := range []uint64{0, 1, 32, 33, n} {
		i := uint64(0)
		for offset, err := range r.Offsets(want * OffsetSize) {
			require.NoError(t, err)
			require.Equal(t, i*i, offset)
			i++
		}
		require.Equal(t, want, i)
	}
	for range r.Offsets(n * OffsetSize) {
		break
	}
	c := r.Abort()
	c.Free(memorytest.Context())
}

func TestClearOnFree(t *testing.T) {
	for _, clearOnFree := range []bool{false, true} {
		f := newFixture(t, testSize)
		r, err := f.Reserve(&Request{DataSize: 16, ClearOnFree: clearOnFree}, nil)
		require.NoError(t, err)
		require.NoError(t, r.Write(0, []byte("secret, and more")))
		c := r.Abort()
		c.Free(memorytest.Context())
		want := "secret, and more"
		if clearOnFree {
			want = string(make([]byte, 16))
		}
		require.Equal(t, want, string(f.read(f.send(16))))
	}
}

// TestRelease ends a process with buffers in every state. Each cargo ends once.
func TestRelease(t *testing.T) {
	f := newFixture(t, testSize)
	ctx := memorytest.Context()
	var cargo cargoes
	n := 0
	reserve := func() *Reservation {
		n++
		r, err := f.Reserve(&Request{DataSize: 8, Sender: 3, Async: n%2 == 0}, testCargo{&cargo, n})
		require.NoError(t, err)
		return &r
	}
	send := func() *Buffer {
		r := reserve()
		b := r.Commit()
		return &b
	}
	// More than a batch of each, interleaved.
	var want []int
	for range 2 * maxSteps {
		b := send()
		b.Deliver(ctx)
		want = append(want, n)
		b = send()
		b.Strand(ctx)
		want = append(want, n)
		b = send()
		c := b.Recall()
		c.Free(ctx)
		want = append(want, n)
	}
	reserved, sent, sent2, sent3, recalled, kept := reserve(), send(), send(), send(), send(), send()
	claimed := recalled.Recall()
	lost := kept.Recall()

	f.Release(ctx)
	require.Equal(t, want, cargo.sorted())
	require.NotZero(t, f.memory().Length(), "there are pins")
	f.mu.Lock()
	in := &f.inner
	require.True(t, in.buffers == nil && in.pages == nil && in.asyncShares == nil)
	require.Equal(t, freeSpans{}, in.free)
	f.mu.Unlock()
	_, err := f.Claim(testMapAddr)
	require.Equal(t, linuxerr.ENOENT, err)
	_, err = f.Translate(pagesOf(0, 1), pagesOf(0, 1))
	require.Error(t, err)
	at, more := f.Walk(0, func(Info) { t.Error("there's a buffer") })
	require.Zero(t, at)
	require.False(t, more)

	// The remaining tokens still work.
	word := make([]byte, 8)
	require.NoError(t, reserved.Write(0, word))
	require.NoError(t, sent.Write(0, word))
	require.NoError(t, claimed.Read(0, word))
	committed := reserved.Commit()
	claimed.Free(ctx)
	lost.Free(ctx)
	sent.Deliver(ctx)
	sent2.Strand(ctx)
	require.NoError(t, committed.Write(0, word))
	committed.Strand(ctx)
	c := sent3.Recall()
	require.NoError(t, c.Read(0, word))
	require.NotZero(t, f.memory().Length())
	c.Free(ctx)
	require.Zero(t, f.memory().Length(), "the memory is still there")
	require.Len(t, cargo.ended, n)
	require.Equal(t, 1, cargo.sorted()[0])
	require.Equal(t, n, cargo.sorted()[n-1])
	f.Release(ctx)
}
