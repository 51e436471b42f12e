// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

// A remote process and its threads are separate from the test's.
func TestIdentity(t *testing.T) {
	p := NewProcess(t)
	th := p.NewThread(t)
	require.EqualValues(t, p.PID(), p.Must(t, unix.SYS_GETPID))
	require.EqualValues(t, p.PID(), th.Must(t, unix.SYS_GETPID))
	require.EqualValues(t, p.TID(), p.Must(t, unix.SYS_GETTID))
	require.EqualValues(t, th.TID(), th.Must(t, unix.SYS_GETTID))
	require.EqualValues(t, os.Getpid(), p.Must(t, unix.SYS_GETPPID))
}

// Errors are errnos.
func TestError(t *testing.T) {
	_, err := NewProcess(t).Call(t, unix.SYS_CLOSE, 12345)
	require.Equal(t, unix.EBADF, err)
}

// A descriptor can be sent; blocking is noticed; threads run at the same time.
func TestBlocking(t *testing.T) {
	p := NewProcess(t)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer w.Close()
	defer r.Close()
	rfd := p.SendFD(t, int(r.Fd()))
	th := p.NewThread(t)
	th.Start(t, unix.SYS_READ, uintptr(rfd), th.Scratch(), 10)
	th.AwaitBlocked(t)
	require.EqualValues(t, p.PID(), p.Must(t, unix.SYS_GETPID))
	w.Write([]byte("hello"))
	n, err := th.Wait(t)
	require.NoError(t, err)
	require.Equal(t, "hello", string(Bytes(th.Scratch(), int(n))))
}

// A caught signal interrupts a blocked call.
func TestSignal(t *testing.T) {
	p := NewProcess(t)
	p.Handle(t, unix.SIGUSR1, 0)
	p.Start(t, unix.SYS_PPOLL) // of nothing, forever
	p.AwaitBlocked(t)
	p.Signal(t, unix.SIGUSR1)
	_, err := p.Wait(t)
	require.Equal(t, unix.EINTR, err)
}

// A forked process has its parent's descriptors and outlives it.
func TestFork(t *testing.T) {
	p := NewProcess(t)
	fd := p.Must(t, unix.SYS_DUP, 0)
	child := p.Fork(t)
	p.Kill(t)
	_, err := p.Call(t, unix.SYS_GETPID)
	require.Equal(t, ErrGone, err)
	child.Must(t, unix.SYS_CLOSE, fd)
}

// After execve a process keeps its descriptors and its ID, but not its memory.
func TestExec(t *testing.T) {
	p := NewProcess(t)
	fd := p.Must(t, unix.SYS_DUP, 0)
	addr := p.Must(t, unix.SYS_MMAP, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON, ^uintptr(0), 0)
	require.NoError(t, p.WriteMemory(t, addr, []byte("x")))
	p.Exec(t)
	require.EqualValues(t, p.PID(), p.Must(t, unix.SYS_GETPID))
	p.Must(t, unix.SYS_CLOSE, fd)
}

// Memory outside the arena can be read and written, and faults are reported.
func TestMemory(t *testing.T) {
	p := NewProcess(t)
	addr := p.Must(t, unix.SYS_MMAP, 0, 8192, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON, ^uintptr(0), 0)
	require.NoError(t, p.WriteMemory(t, addr+100, []byte("hello")))
	got, err := p.ReadMemory(t, addr+100, 5)
	require.NoError(t, err)
	require.Equal(t, "hello", string(got))
	p.Must(t, unix.SYS_MPROTECT, addr, 4096, unix.PROT_READ)
	require.Equal(t, unix.EFAULT, p.WriteMemory(t, addr, []byte("x")))
	p.Must(t, unix.SYS_MUNMAP, addr, 8192)
	_, err = p.ReadMemory(t, addr, 1)
	require.Equal(t, unix.EFAULT, err)
}

// A killed process is noticed.
func TestKill(t *testing.T) {
	p := NewProcess(t)
	th := p.NewThread(t)
	p.Start(t, unix.SYS_PPOLL) // of nothing, forever
	p.AwaitBlocked(t)
	p.Kill(t)
	_, err := p.Wait(t)
	require.Equal(t, ErrGone, err)
	_, err = th.Call(t, unix.SYS_GETPID)
	require.Equal(t, ErrGone, err)
}
