// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"sentrybinder/test/benchmarks/peer"
)

// payload measures how many bytes per second reach another process: in calls with
// short answers, or by process_vm_readv, which wakes nobody.
func payload() {
	for _, size := range numbersOf(*sizes) {
		emitRate := func(name string, t timing) {
			emit(result{Series: name, X: float64(size), Value: t.Rate * float64(size) / 1e6})
		}
		measureWays(allWays, size, 0, emitRate)
		if wanted("process_vm_readv") {
			other, read := newReader(size)
			emitRate("process_vm_readv", measure(read))
			other.stop()
		}
	}
}

// newReader starts a process, and returns it and a function that reads size bytes
// of its memory.
func newReader(size int) (*process, func()) {
	other := start("payload/source", nil)
	var address uintptr
	other.result(&address)
	to := make([]byte, size)
	local := unix.Iovec{Base: unsafe.SliceData(to), Len: uint64(size)}
	remote := unix.RemoteIovec{Base: address, Len: size}
	pid := uintptr(other.cmd.Process.Pid)
	return other, func() {
		n, _, errno := unix.RawSyscall6(unix.SYS_PROCESS_VM_READV, pid,
			uintptr(unsafe.Pointer(&local)), 1, uintptr(unsafe.Pointer(&remote)), 1, 0)
		if errno != 0 || int(n) != size {
			peer.Fail("process_vm_readv: %d, %v", n, errno)
		}
	}
}

// source is the role of the process whose memory is read.
func source() {
	memory := make([]byte, 1<<20)
	for i := range memory {
		memory[i] = byte(i)
	}
	ready()
	report(uintptr(unsafe.Pointer(unsafe.SliceData(memory))))
	rest()
}
