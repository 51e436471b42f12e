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
	"gvisor.dev/gvisor/pkg/state"
	"gvisor.dev/gvisor/pkg/tcpip/faketime"

	"sentrybinder/pkg/sentry/devices/binder/memorytest"
)

// savedProcess is what a kernel saves.
//
// +stateify savable
type savedProcess struct {
	space Space
	sent  Buffer
	cargo *savedCargo
}

// savedCargo is the cargo of a buffer.
//
// +stateify savable
type savedCargo struct {
	ended int
}

// Destroy implements Cargo.Destroy.
func (c *savedCargo) Destroy(context.Context) { c.ended++ }

// restore saves p, as its kernel does, and returns a restored Space and process.
func (f *fixture) restore(p *savedProcess) (*fixture, *savedProcess) {
	f.t.Helper()
	f.evict()
	f.ReclaimAll()
	// Unlike the kernel's, the tests' clock can't be saved.
	f.reclaimer.clock = nil
	var image bytes.Buffer
	_, err := state.Save(memorytest.Context(), &image, p)
	require.NoError(f.t, err)
	f.reclaimer.clock = f.clock
	if fr := f.memory(); fr.Length() != 0 {
		f.mf.IncRef(fr, 0) // For the restored Space.
	}
	twin := &savedProcess{}
	_, err = state.Load(memorytest.Context(), &image, twin)
	require.NoError(f.t, err)
	loaded := &fixture{&twin.space, f.t, &testAddressSpace{}, faketime.NewManualClock()}
	loaded.reclaimer.clock = loaded.clock
	f.t.Cleanup(func() { loaded.Release(memorytest.Context()) })
	return loaded, twin
}

// newSavedFixture returns a Space that can be saved.
func newSavedFixture(t testing.TB, size uint64) (*fixture, *savedProcess) {
	p := &savedProcess{}
	f := &fixture{&p.space, t, &testAddressSpace{}, faketime.NewManualClock()}
	f.Init(memorytest.Shared(), NewReclaimer(f.clock))
	require.NoError(t, f.Map(nil, rangeOf(size)))
	t.Cleanup(func() { f.Release(memorytest.Context()) })
	return f, p
}

// TestRestoreTokens saves a buffer on its way, with its cargo, next to a delivered one.
func TestRestoreTokens(t *testing.T) {
	saved, p := newSavedFixture(t, testSize)
	ctx := memorytest.Context()
	p.cargo = &savedCargo{}
	r, err := saved.Reserve(&Request{DebugID: 5, DataSize: 8, Sender: 7, Async: true}, p.cargo)
	require.NoError(t, err)
	require.NoError(t, r.Write(0, []byte("contents")))
	p.sent = r.Commit()
	other := saved.send(8)
	addr := other.Addr()
	other.Deliver(ctx)

	loaded, twin := saved.restore(p)
	loaded.requireSound(t)
	require.Equal(t, 1, loaded.inner.pins) // +checklocksignore: there's one goroutine.
	require.Equal(t, p.sent.Placement(), twin.sent.Placement())
	require.EqualValues(t, 7, twin.sent.Sender())
	c := twin.sent.Recall()
	require.Same(t, twin.cargo, c.Cargo())
	var got [8]byte
	require.NoError(t, c.Read(0, got[:]))
	require.Equal(t, "contents", string(got[:]))
	c.Free(ctx)
	require.Equal(t, 1, twin.cargo.ended)
	c, err = loaded.Claim(addr)
	require.NoError(t, err)
	c.Free(ctx)
	loaded.requireSound(t)
	require.Zero(t, loaded.Usage().Buffers)
	c = p.sent.Recall()
	c.Free(ctx)
	require.Equal(t, 1, p.cargo.ended)
}

// TestRestoreFree saves mappings with holes: the free space is worked out anew.
func TestRestoreFree(t *testing.T) {
	for _, kept := range [][]int{{}, {0}, {1, 3}, {0, 2, 4}, {0, 1, 2, 3, 4}} {
		f, p := newSavedFixture(t, 5*hostarch.PageSize/2*2)
		var all []*Buffer
		for range 5 {
			all = append(all, f.send(hostarch.PageSize-8))
		}
		for i, b := range all {
			if slices.Contains(kept, i) {
				b.Deliver(memorytest.Context())
			} else {
				f.recall(b)
			}
		}
		loaded, _ := f.restore(p)
		loaded.requireSound(t)
		require.Equal(t, f.Usage(), loaded.Usage())
		require.Equal(t, len(kept), loaded.Usage().Buffers)
	}
}

// TestRestoreNothing saves a process without a mapping, and one that has ended.
func TestRestoreNothing(t *testing.T) {
	f := func(p *savedProcess) *fixture {
		f := &fixture{&p.space, t, nil, faketime.NewManualClock()}
		f.Init(memorytest.Shared(), NewReclaimer(f.clock))
		return f
	}
	p := &savedProcess{}
	loaded, _ := f(p).restore(p)
	require.False(t, loaded.EverMapped())
	require.NoError(t, loaded.Map(nil, rangeOf(testSize)))
	loaded.send(8)
	loaded.requireSound(t)

	saved, p := newSavedFixture(t, testSize)
	saved.send(8).Deliver(memorytest.Context())
	saved.Release(memorytest.Context())
	loaded, _ = saved.restore(p)
	require.True(t, loaded.EverMapped())
	require.Zero(t, loaded.memory().Length())
}

// TestRestoreMemory saves a process with absent and with recent pages.
func TestRestoreMemory(t *testing.T) {
	saved, p := newSavedFixture(t, mib)
	var addrs []hostarch.Addr
	for i := range 6 {
		b := saved.sendFilled(2*hostarch.PageSize, 'a'+byte(i))
		addrs = append(addrs, b.Addr())
		b.Deliver(memorytest.Context())
	}
	free := func(f *fixture, i int) {
		c, err := f.Claim(addrs[i])
		require.NoError(t, err)
		got := make([]byte, 2*hostarch.PageSize)
		require.NoError(t, c.Read(0, got))
		require.Equal(t, bytes.Repeat([]byte{'a' + byte(i)}, len(got)), got)
		c.Free(memorytest.Context())
	}
	free(saved, 0)
	free(saved, 3)
	saved.pass()
	saved.pass()
	require.Equal(t, 8, saved.resident())
	free(saved, 1)
	require.Equal(t, 8, saved.resident())

	loaded, _ := saved.restore(p)
	require.Equal(t, 6, loaded.resident(), "a checkpoint contains unused memory")
	loaded.requireSound(t)
	seen := func(i int) bool {
		page := uint32((addrs[i] - testMapAddr) / hostarch.PageSize)
		_, err := loaded.Translate(pagesOf(page, 1), pagesOf(page, 1))
		return err == nil
	}
	for i := range addrs {
		require.Equal(t, i != 0 && i != 1 && i != 3, seen(i), "buffer %d", i)
	}
	// What is freed now goes, too, once it's idle.
	free(loaded, 2)
	free(loaded, 4)
	loaded.pass()
	loaded.pass()
	for i := range addrs {
		require.Equal(t, i == 5, seen(i), "buffer %d", i)
	}
	free(loaded, 5)
}
