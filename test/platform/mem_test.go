// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"os/exec"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A write to /proc/PID/mem stops at unmapped memory, and fails if it has written nothing.
func TestWriteMem(t *testing.T) {
	mem, err := unix.Open("/proc/self/mem", unix.O_RDWR|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(mem)
	m := newMemory(t, 2*memPage)
	m.unmap(t, memPage)
	end := int64(m.addr) + memPage

	n, err := unix.Pwrite(mem, []byte("abcd"), end-2)
	require.NoError(t, err)
	require.Equal(t, 2, n)
	require.Equal(t, "ab", string([]byte{*m.at(memPage - 2), *m.at(memPage - 1)}))
	_, err = unix.Pwrite(mem, []byte("abcd"), end)
	require.Equal(t, unix.EIO, err)

	pwrite := func(from uintptr, to int64) error {
		return syscallError(unix.Syscall6(unix.SYS_PWRITE64, uintptr(mem), from, 4, uintptr(to), 0, 0))
	}
	require.Equal(t, unix.EFAULT, pwrite(uintptr(end), end-4), "the source is unmapped")
	require.Equal(t, unix.EFAULT, pwrite(uintptr(end), end), "the source and the destination are unmapped")
}

// A debugger that reads unmapped memory gets EIO, not EFAULT.
func TestPtraceMem(t *testing.T) {
	runtime.LockOSThread() // All ptrace requests must come from one thread.
	defer runtime.UnlockOSThread()
	cmd := exec.Command("/proc/self/exe")
	cmd.SysProcAttr = &unix.SysProcAttr{Ptrace: true}
	require.NoError(t, cmd.Start())
	pid := cmd.Process.Pid
	defer func() {
		unix.Kill(pid, unix.SIGKILL)
		cmd.Wait()
	}()
	_, err := unix.Wait4(pid, nil, 0, nil)
	require.NoError(t, err)

	const nowhere = memPage
	_, err = unix.PtracePokeData(pid, nowhere, make([]byte, 8))
	require.Equal(t, unix.EIO, err)
	_, err = unix.PtracePeekData(pid, nowhere, make([]byte, 8))
	require.Equal(t, unix.EIO, err)
}
