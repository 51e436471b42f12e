// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/test/syscalls/remote"
)

// tryNice calls setpriority for the thread who, or for itself if that is 0.
func (s schedTask) tryNice(who, nice int) error {
	_, err := s.Call(s.t, unix.SYS_SETPRIORITY, unix.PRIO_PROCESS, uintptr(who), uintptr(nice))
	return err
}

// niceOf returns a thread's niceness.
func (s schedTask) niceOf() int {
	return 20 - int(s.Must(s.t, unix.SYS_GETPRIORITY, unix.PRIO_PROCESS, 0))
}

// RLIMIT_NICE limits how low an unprivileged task can set its niceness: to 20 less the
// limit.
func TestNiceLimit(t *testing.T) {
	for _, limit := range []int{0, 1, 10, 20, 25, 40, 100} {
		task, setter := newSchedTask(t), newSchedTask(t)
		task.setLimit(unix.RLIMIT_NICE, uint64(limit))
		var got unix.Rlimit
		require.NoError(t, unix.Prlimit(task.TID(), unix.RLIMIT_NICE, nil, &got))
		require.Equal(t, unix.Rlimit{Cur: uint64(limit), Max: uint64(limit)}, got)
		for _, s := range []schedTask{task, setter} {
			s.setUser(1000)
		}
		lowest := 20 - limit
		for _, s := range []struct {
			schedTask
			who int
		}{{task, 0}, {setter, task.TID()}} {
			// More is always allowed, less only down to the limit; for another task, its
			// own limit counts.
			for _, nice := range []int{5, 19, 18, 0, -1, -5, -20} {
				before := task.niceOf()
				err := s.tryNice(s.who, nice)
				if nice < before && nice < lowest {
					require.Equal(t, unix.EACCES, err, "limit %d: from %d to %d", limit, before, nice)
					require.Equal(t, before, task.niceOf())
					continue
				}
				require.NoError(t, err, "limit %d: from %d to %d", limit, before, nice)
				require.Equal(t, nice, task.niceOf())
			}
		}
	}
}

// The limit is set like any other.
func TestNiceLimitSet(t *testing.T) {
	task := newSchedTask(t)
	set := func(cur, max uint64) error {
		*remote.Struct[unix.Rlimit](task.Scratch()) = unix.Rlimit{Cur: cur, Max: max}
		_, err := task.Call(t, unix.SYS_SETRLIMIT, unix.RLIMIT_NICE, task.Scratch())
		return err
	}
	require.NoError(t, set(10, 30))
	require.Equal(t, unix.EINVAL, set(31, 30))
	require.NoError(t, set(40, 40))
	task.setUser(1000)
	require.NoError(t, set(20, 35))
	require.NoError(t, set(35, 35))
	require.Equal(t, unix.EPERM, set(35, 36))
}

// With CAP_SYS_NICE there is no limit. Without it, another user's process is out of
// reach.
func TestNicePrivilege(t *testing.T) {
	task, root, other := newSchedTask(t), newSchedTask(t), newSchedTask(t)
	task.setUser(1000)
	other.setUser(1001)
	require.NoError(t, root.tryNice(task.TID(), -30))
	require.Equal(t, -20, task.niceOf())
	require.NoError(t, root.tryNice(0, -20))
	require.Equal(t, unix.EPERM, other.tryNice(task.TID(), 5))
	require.Equal(t, unix.EPERM, other.tryNice(task.TID(), -20))
	require.NoError(t, task.tryNice(0, 30))
	require.Equal(t, 19, task.niceOf())
}
