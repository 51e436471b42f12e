// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/hostarch"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/sentry/devices/binder/alloc"
	"sentrybinder/pkg/sentry/devices/binder/memorytest"
)

func TestMappingChanges(t *testing.T) {
	w := newWorld(t)
	a := w.open(testMapping)
	ctx := memorytest.Context()
	at := func(start, length hostarch.Addr) hostarch.AddrRange {
		return hostarch.AddrRange{Start: start, End: start + length}
	}
	old := at(testMapAddr, testMapping)
	require.NoError(t, a.CopyMapping(ctx, nil, old, at(0x10000, testMapping), 0, false))
	require.NoError(t, a.InvalidateUnsavable(ctx))
	a.RemoveMapping(ctx, nil, at(testMapAddr, hostarch.PageSize), 0, false)
	_, err := a.alloc.Reserve(&alloc.Request{DataSize: 8}, nil)
	require.Equal(t, linuxerr.ESRCH, err)
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

// TestMemoryGoesBack sends a lot at once, and then nothing.
func TestMemoryGoesBack(t *testing.T) {
	const size = 1 << 20
	w := newWorld(t)
	p := newPairIn(w, size)
	usage := func() [2]alloc.Usage { return [2]alloc.Usage{p.server.alloc.Usage(), p.client.alloc.Usage()} }
	for round := range 3 {
		p.roundTrip()
		for _, u := range usage() {
			require.Equal(t, size/hostarch.PageSize, u.Idle, "round %d: after it", round)
		}
		for range 2 {
			w.clock.Advance(time.Second)
		}
		memorytest.Shared().StartEvictions()
		memorytest.Shared().WaitForEvictions()
		for _, u := range usage() {
			require.Zero(t, u.Used+u.Idle, "round %d: a while later", round)
		}
	}
}
