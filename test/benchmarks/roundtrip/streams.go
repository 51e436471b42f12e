// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"sentrybinder/test/benchmarks/peer"
)

// transfer makes the system call nr, read or write, on all of buf.
func transfer(nr uintptr, fd uintptr, buf []byte) {
	var n uintptr
	errno := unix.EINTR
	for errno == unix.EINTR {
		n, _, errno = unix.RawSyscall(nr, fd, uintptr(unsafe.Pointer(unsafe.SliceData(buf))), uintptr(len(buf)))
	}
	if errno != 0 {
		peer.Fail("%v", errno)
	}
	if n == 0 {
		os.Exit(0) // the other side has ended
	}
	if int(n) != len(buf) {
		peer.Fail("%d bytes of %d", n, len(buf))
	}
}

// newPayload returns what is sent: a packet or a pipe's message can't be empty.
func newPayload() []byte { return make([]byte, max(*bytes, 1)) }

func openSocket() (client, server []*os.File) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	peer.Check(err)
	return []*os.File{os.NewFile(uintptr(fds[0]), "")}, []*os.File{os.NewFile(uintptr(fds[1]), "")}
}

func socketCaller(files []*os.File) func() {
	return caller(files[0], files[0])
}

func socketAnswerer(files []*os.File) func() {
	return answerer(files[0], files[0])
}

func openPipes() (client, server []*os.File) {
	fromServer, toClient, err := os.Pipe()
	peer.Check(err)
	fromClient, toServer, err := os.Pipe()
	peer.Check(err)
	return []*os.File{fromServer, toServer}, []*os.File{fromClient, toClient}
}

func pipeCaller(files []*os.File) func() {
	return caller(files[0], files[1])
}

func pipeAnswerer(files []*os.File) func() {
	return answerer(files[0], files[1])
}

func caller(from, to *os.File) func() {
	buf, in, out := newPayload(), from.Fd(), to.Fd()
	return func() {
		transfer(unix.SYS_WRITE, out, buf)
		transfer(unix.SYS_READ, in, buf)
	}
}

func answerer(from, to *os.File) func() {
	buf, in, out := newPayload(), from.Fd(), to.Fd()
	return func() {
		transfer(unix.SYS_READ, in, buf)
		transfer(unix.SYS_WRITE, out, buf)
	}
}
