// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"sentrybinder/test/benchmarks/peer"
)

// futexArea is the first page of the shared memory: how many calls were made, and
// how many were answered.
type futexArea struct {
	calls    uint32
	_        [60]byte
	answered uint32
}

const futexHeader = 4096

func openShared(size int) (client, server []*os.File, ok bool) {
	fd, err := unix.MemfdCreate("futexes", unix.MFD_CLOEXEC)
	peer.Check(err)
	peer.Check(unix.Ftruncate(fd, int64(futexHeader+2*size)))
	f := os.NewFile(uintptr(fd), "")
	// One descriptor each, since the caller closes the server's.
	second, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	peer.Check(err)
	return []*os.File{f}, []*os.File{os.NewFile(uintptr(second), "")}, true
}

// openArea maps shared memory and returns the page of futexes and the rest.
func openArea(f *os.File, size int) (*futexArea, []byte) {
	b, err := unix.Mmap(int(f.Fd()), 0, futexHeader+2*size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	peer.Check(err)
	return (*futexArea)(unsafe.Pointer(unsafe.SliceData(b))), b[futexHeader:]
}

// futexWait waits until the number at an address differs from old, and returns it.
func futexWait(at *uint32, old uint32) uint32 {
	for {
		if now := atomic.LoadUint32(at); now != old {
			return now
		}
		unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(at)), 0 /* FUTEX_WAIT */, uintptr(old), 0, 0, 0)
	}
}

func futexWake(at *uint32) {
	atomic.AddUint32(at, 1)
	unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(at)), 1 /* FUTEX_WAKE */, 1, 0, 0, 0)
}

// A message is copied once in each direction, as in Binder: into memory that the
// receiver reads.
func futexClient(files []*os.File, call, answer int) func() {
	area, memory := openArea(files[0], max(call, answer))
	sent := make([]byte, call)
	var last uint32
	return func() {
		copy(memory, sent)
		futexWake(&area.calls)
		last = futexWait(&area.answered, last)
	}
}

func futexServer(files []*os.File, call, answer int) func() {
	area, memory := openArea(files[0], max(call, answer))
	memory = memory[max(call, answer):]
	sent := make([]byte, answer)
	var last uint32
	return func() {
		last = futexWait(&area.calls, last)
		copy(memory, sent)
		futexWake(&area.answered)
	}
}
