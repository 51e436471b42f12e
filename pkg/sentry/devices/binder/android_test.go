// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"testing"

	"github.com/stretchr/testify/require"

	"sentrybinder/pkg/abi/binder"
)

// androidDefault is a container's default memory limit in a sandbox whose own memory is
// not limited, or limited to 8 GiB or more: runsc/androidext's maxDefaultMemory.
// minAndroidDefault is the smallest default.
const (
	androidDefault    = 1 << 30
	minAndroidDefault = 16 << 20
)

// androidProcess is an application with as many objects as a busy Android process.
type androidProcess struct {
	*thread
	handles []uint32
}

// TestAndroid: a container with the default limit has room for 1,000 busy Android
// processes.
func TestAndroid(t *testing.T) {
	const (
		threads = 16
		nodes   = 200
		deaths  = 50
		calls   = 16
		oneWay  = 16
	)
	w := newWorld(t)
	pair := []*androidProcess{{thread: w.newApp()}, {thread: w.newApp()}}
	for i, a := range pair {
		other := pair[1-i]
		for n := range nodes {
			other.handles = append(other.handles, w.give(a.thread, other.thread, uint64(8*(n+1))))
		}
	}
	for _, a := range pair {
		for n, handle := range a.handles[:deaths] {
			a.write(cmd(binder.BC_REQUEST_DEATH_NOTIFICATION, binder.HandleCookie{Handle: handle, Cookie: uint64(n)}))
		}
		for n := range oneWay {
			a.write(a.call(a.handles[n], binder.TF_ONE_WAY, parcel("something")))
		}
		for n := range calls {
			th := a.thread
			if n < threads-1 {
				th = a.newThread()
			}
			th.write(th.call(a.handles[n], 0, parcel("something")))
		}
	}
	active := w.active()
	require.EqualValues(t, 2*threads, active["thread"])
	require.EqualValues(t, 2*nodes, active["node"])
	require.EqualValues(t, 2*nodes, active["ref"])
	require.EqualValues(t, 2*deaths, active["death"])
	require.EqualValues(t, 2*(calls+oneWay), active["transaction"])

	one := w.tenant.account.Used() / 2
	t.Logf("one process is charged %d bytes; 1,000 are charged %d MiB", one, 1000*one>>20)
	require.Less(t, 1000*one, int64(androidDefault))
	require.Less(t, 100*one, int64(minAndroidDefault))
}
