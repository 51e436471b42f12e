// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/test/syscalls/remote"
)

// A process whose main thread has exited ends with its last thread. The tracer of the
// main thread is notified then, whether it is the parent or not.
func TestExitOfATracedProcess(t *testing.T) {
	const traceSeize = uintptr(unix.PTRACE_SEIZE)
	// endWhile starts a process, has trace trace its main thread, ends that, and ends the
	// last thread once wait has blocked.
	endWhile := func(t *testing.T, trace func(pid int), wait func(pid int)) {
		p := remote.NewProcess(t)
		last := p.NewThread(t)
		trace(p.PID())
		p.Start(t, unix.SYS_EXIT, 0)
		require.Eventually(t, func() bool { return p.State() == "Z" }, remote.Timeout, time.Millisecond)
		wait(p.PID())
		last.Start(t, unix.SYS_EXIT, 0)
	}

	t.Run("by another process", func(t *testing.T) {
		var tracer *remote.Process
		endWhile(t, func(pid int) {
			tracer = remote.NewProcess(t)
			tracer.Must(t, unix.SYS_PTRACE, traceSeize, uintptr(pid))
		}, func(pid int) {
			tracer.Start(t, unix.SYS_WAIT4, uintptr(pid))
			tracer.AwaitBlocked(t)
		})
		_, err := tracer.Wait(t)
		require.NoError(t, err)
	})

	t.Run("by the parent", func(t *testing.T) {
		// ptrace(2) requests must come from the tracing thread.
		requests := make(chan func())
		defer close(requests)
		go func() {
			runtime.LockOSThread()
			for f := range requests {
				f()
			}
		}()
		ended := make(chan error, 1)
		endWhile(t, func(pid int) {
			traced := make(chan error)
			requests <- func() { traced <- unix.PtraceSeize(pid) }
			require.NoError(t, <-traced)
		}, func(pid int) {
			var tid atomic.Int32
			requests <- func() {
				tid.Store(int32(unix.Gettid()))
				ended <- unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
			}
			require.Eventually(t, func() bool {
				id := tid.Load()
				return id != 0 && threadState(t, os.Getpid(), int(id)) == "S"
			}, remote.Timeout, time.Millisecond)
		})
		select {
		case err := <-ended:
			require.NoError(t, err)
		case <-time.After(remote.Timeout):
			t.Fatal("the parent was not notified")
		}
	})
}
