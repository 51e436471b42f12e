// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/sentry/limits"

	"sentrybinder/pkg/abi/binder"
)

// TestPriority: a thread is as urgent as the call that it handles, and gets its own nice
// value back afterwards, even across a restore.
func TestPriority(t *testing.T) {
	w := newWorld(t)
	manager, client := w.newManager(), w.newApp()
	manager.defaultNice = 3
	client.nice = -4
	client.write(client.call(0, 0, parcel("")))
	client.nice = 1
	manager.nice = 9
	manager.takeCall()
	require.Equal(t, -4, manager.nice)
	twin := *manager
	twin.app = w.restore().apps[0]
	for _, th := range []*thread{manager, &twin} {
		th.write(th.reply(parcel("")))
		require.Equal(t, 3, th.nice)
		th.expect(binder.BR_TRANSACTION_COMPLETE)
	}

	client.nice = 2
	client.expectReply()
	client.write(client.call(0, binder.TF_ONE_WAY, parcel("")))
	require.Equal(t, 2, client.nice)
	manager.takeCall()
	require.Zero(t, manager.nice)
	manager.expectNothing()
	require.Equal(t, 3, manager.nice)
}

// TestPermittedNice checks Linux's rule.
func TestPermittedNice(t *testing.T) {
	for _, tc := range []struct {
		nice       int
		limit      uint64
		privileged bool
		want       int
		ok         bool
	}{
		{-20, 0, true, -20, true},
		{19, 0, true, 19, true},
		{19, 0, false, 0, false},
		{-20, 0, false, 0, false},
		{19, 1, false, 19, true},
		{18, 1, false, 19, true},
		{-8, 10, false, 10, true},
		{-8, 27, false, -7, true},
		{-8, 28, false, -8, true},
		{-20, 39, false, -19, true},
		{-20, 40, false, -20, true},
		{-20, limits.Infinity, false, -20, true},
	} {
		got, ok := permittedNice(tc.nice, tc.limit, tc.privileged)
		require.Equal(t, tc.ok, ok, "%+v", tc)
		if ok {
			require.Equal(t, tc.want, got, "%+v", tc)
		}
	}
}
