// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/test/syscalls/remote"
)

// release calls process_mrelease.
func release(pidfd, flags int) error {
	_, _, errno := unix.Syscall(unix.SYS_PROCESS_MRELEASE, uintptr(pidfd), uintptr(flags), 0)
	return syscallError(0, 0, errno)
}

func openPidfd(t *testing.T, pid int) int {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// The memory of a process that is about to exit, and still has some, can be released.
func TestProcessMrelease(t *testing.T) {
	// Only the tracing thread can make requests.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p := remote.NewProcess(t)
	p.NewThread(t)
	fd := openPidfd(t, p.PID())
	require.Equal(t, unix.EINVAL, release(fd, 0), "it is not exiting")

	// It stops on its way to exit, with its memory.
	require.NoError(t, unix.PtraceSeize(p.PID()))
	const traceExit = unix.PTRACE_O_TRACEEXIT
	require.NoError(t, unix.PtraceInterrupt(p.PID()))
	require.True(t, waitFor(t, p.PID(), unix.WUNTRACED).Stopped())
	require.NoError(t, unix.PtraceSetOptions(p.PID(), traceExit))
	require.NoError(t, unix.PtraceCont(p.PID(), 0))
	require.NoError(t, unix.Kill(p.PID(), unix.SIGKILL))
	status := waitFor(t, p.PID(), unix.WUNTRACED)
	require.True(t, status.Stopped())
	require.Equal(t, unix.PTRACE_EVENT_EXIT, int(status)>>16)
	require.NoError(t, release(fd, 0))
	require.NoError(t, release(fd, 0), "it can be repeated")
	require.Equal(t, unix.EINVAL, release(fd, 1))

	require.NoError(t, unix.PtraceCont(p.PID(), 0))
	require.NoError(t, unix.Waitid(unix.P_PIDFD, fd, nil, unix.WEXITED|unix.WNOWAIT, nil))
	require.Equal(t, unix.ESRCH, release(fd, 0), "a zombie has no memory")
	require.Equal(t, unix.SIGKILL, p.Reap(t).Signal())
	require.Equal(t, unix.ESRCH, release(fd, 0), "it was reaped")
}

func TestProcessMreleaseInvalid(t *testing.T) {
	require.Equal(t, unix.EBADF, release(-1, 0))
	require.Equal(t, unix.EINVAL, release(-1, 1))
	f, err := os.Open("/proc/self")
	require.NoError(t, err)
	defer f.Close()
	require.Equal(t, unix.EBADF, release(int(f.Fd()), 0))
	require.Equal(t, unix.EINVAL, release(openPidfd(t, os.Getpid()), 0))
}
