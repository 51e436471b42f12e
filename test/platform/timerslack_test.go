// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/test/syscalls/remote"
)

// defaultSlack is the initial timer slack in nanoseconds.
const defaultSlack = 50000

// slack returns a thread's timer slack through both interfaces.
func slack(t *testing.T, th *remote.Thread) uint64 {
	t.Helper()
	asked := uint64(th.Must(t, unix.SYS_PRCTL, unix.PR_GET_TIMERSLACK))
	read, err := os.ReadFile(slackFile(th.TID()))
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("%d\n", asked), string(read))
	return asked
}

func setSlack(t *testing.T, th *remote.Thread, ns uint64) {
	t.Helper()
	th.Must(t, unix.SYS_PRCTL, unix.PR_SET_TIMERSLACK, uintptr(ns))
}

// slackFile returns a thread's file, which exists for threads only if they are treated as
// processes.
func slackFile(tid int) string { return fmt.Sprintf("/proc/%d/timerslack_ns", tid) }

// writeSlack writes to a file, without truncating it.
func writeSlack(tid int, value string) error {
	fd, err := unix.Open(slackFile(tid), unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, []byte(value))
	return err
}

func TestTimerSlack(t *testing.T) {
	p := remote.NewProcess(t)
	require.EqualValues(t, defaultSlack, slack(t, p.Thread))
	setSlack(t, p.Thread, 40000)
	require.EqualValues(t, 40000, slack(t, p.Thread))
	// Each thread has its own; its creator's is its default.
	thread, child := p.NewThread(t), p.Fork(t)
	for _, th := range []*remote.Thread{thread, child.Thread} {
		require.EqualValues(t, 40000, slack(t, th))
		setSlack(t, th, 1<<40)
		require.EqualValues(t, 1<<40, slack(t, th))
		setSlack(t, th, 0)
		require.EqualValues(t, 40000, slack(t, th))
	}
	require.EqualValues(t, 40000, slack(t, p.Thread))
	setSlack(t, p.Thread, 0)
	require.EqualValues(t, defaultSlack, slack(t, p.Thread))
	require.NoFileExists(t, fmt.Sprintf("/proc/%d/task/%d/timerslack_ns", p.PID(), p.PID()))

	// It survives execve.
	setSlack(t, p.Thread, 70000)
	p.Exec(t)
	require.EqualValues(t, 70000, slack(t, p.Thread))
	setSlack(t, p.Thread, 0)
	require.EqualValues(t, defaultSlack, slack(t, p.Thread))
}

func TestTimerSlackFile(t *testing.T) {
	p := remote.NewProcess(t)
	info, err := os.Stat(slackFile(p.PID()))
	require.NoError(t, err)
	require.EqualValues(t, 0o666, info.Mode())
	for _, value := range []string{"1", "60000", "18446744073709551615", "70000\n"} {
		require.NoError(t, writeSlack(p.PID(), value))
		read, err := os.ReadFile(slackFile(p.PID()))
		require.NoError(t, err)
		require.Equal(t, strings.TrimSpace(value)+"\n", string(read))
	}
	for value, want := range map[string]unix.Errno{
		"x": unix.EINVAL, "-1": unix.EINVAL, " 1": unix.EINVAL, "1 2": unix.EINVAL, "0x10": unix.EINVAL,
		"18446744073709551616": unix.ERANGE,
	} {
		require.Equal(t, want, writeSlack(p.PID(), value), "%q", value)
	}
	require.EqualValues(t, 70000, slack(t, p.Thread))
	require.NoError(t, writeSlack(p.PID(), "0"))
	require.EqualValues(t, defaultSlack, slack(t, p.Thread))
}

// Setting another's requires CAP_SYS_NICE, one's own nothing.
func TestTimerSlackPermission(t *testing.T) {
	p, other := remote.NewProcess(t), remote.NewProcess(t)
	// To the user nobody, files in /proc belong to others unless they are this process's.
	for _, th := range []*remote.Thread{p.Thread, other.Thread} {
		schedTask{t, th}.setUser(1000)
	}
	open := func(tid int) uintptr {
		path := slackFile(tid) + "\x00"
		at := p.Scratch()
		copy(remote.Bytes(at, len(path)), path)
		return p.Must(t, unix.SYS_OPENAT, 0, at, unix.O_RDWR)
	}
	value := "5\n"
	copy(remote.Bytes(p.Scratch()+512, len(value)), value)
	for _, tc := range []struct {
		tid  int
		want error
	}{{p.TID(), nil}, {other.TID(), unix.EPERM}} {
		_, err := p.Call(t, unix.SYS_WRITE, open(tc.tid), p.Scratch()+512, uintptr(len(value)))
		require.Equal(t, tc.want, err)
		_, err = p.Call(t, unix.SYS_READ, open(tc.tid), p.Scratch(), 64)
		require.Equal(t, tc.want, err)
	}
	require.EqualValues(t, 5, slack(t, p.Thread))
	require.EqualValues(t, defaultSlack, slack(t, other.Thread))
}

// Real-time tasks have no slack; afterwards they have their previous one.
func TestTimerSlackRealTime(t *testing.T) {
	for _, policy := range schedPolicies {
		t.Run(strconv.Itoa(policy), func(t *testing.T) {
			task := newSchedTask(t)
			setSlack(t, task.Thread, 40000)
			require.NoError(t, task.setScheduler(0, policy, somePriority(policy)))
			if !schedRealTime(policy) {
				require.EqualValues(t, 40000, slack(t, task.Thread))
				return
			}
			require.Zero(t, slack(t, task.Thread))
			setSlack(t, task.Thread, 40000)
			require.Zero(t, slack(t, task.Thread))
			require.NoError(t, writeSlack(task.TID(), "40000"))
			require.Zero(t, slack(t, task.Thread))
			require.NoError(t, task.setScheduler(0, schedNormal, 0))
			require.EqualValues(t, defaultSlack, slack(t, task.Thread))
		})
	}
}

// A child of a real-time task inherits no slack, which is also its default.
func TestTimerSlackRealTimeChild(t *testing.T) {
	for _, flags := range []int{0, schedResetOnFork} {
		p := remote.NewProcess(t)
		task := schedTask{t, p.Thread}
		require.NoError(t, task.setScheduler(0, schedFIFO|flags, 1))
		child := schedTask{t, p.Fork(t).Thread}
		require.Zero(t, slack(t, child.Thread))
		require.NoError(t, child.setScheduler(0, schedNormal, 0))
		require.Zero(t, slack(t, child.Thread))
		setSlack(t, child.Thread, 5)
		require.EqualValues(t, 5, slack(t, child.Thread))
	}
}
