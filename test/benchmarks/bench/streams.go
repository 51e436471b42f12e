// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"sentrybinder/test/benchmarks/peer"
)

// transfer repeats the system call nr, read or write, until all of buf is
// transferred.
func transfer(nr uintptr, fd uintptr, buf []byte) {
	for len(buf) != 0 {
		n, _, errno := unix.RawSyscall(nr, fd, uintptr(unsafe.Pointer(unsafe.SliceData(buf))), uintptr(len(buf)))
		switch {
		case errno == unix.EINTR:
			continue
		case errno != 0:
			peer.Fail("%v", errno)
		case n == 0:
			os.Exit(0) // the other side has ended
		}
		buf = buf[n:]
	}
}

func openSeqpacket(size int) (client, server []*os.File, ok bool) {
	return openSockets(unix.SOCK_SEQPACKET, size)
}

func openStream(size int) (client, server []*os.File, ok bool) {
	return openSockets(unix.SOCK_STREAM, size)
}

// openSockets returns a pair of sockets. A socket's buffer must hold a whole
// packet.
func openSockets(kind, size int) (client, server []*os.File, ok bool) {
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	peer.Check(err)
	for _, fd := range fds {
		for _, option := range []int{unix.SO_SNDBUF, unix.SO_RCVBUF} {
			if room, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, option); err == nil && room < 2*size {
				unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, 2*size)
			}
		}
	}
	if kind == unix.SOCK_SEQPACKET && unix.Send(fds[0], make([]byte, max(size, 1)), unix.MSG_DONTWAIT) != nil {
		unix.Close(fds[0])
		unix.Close(fds[1])
		return nil, nil, false
	}
	if kind == unix.SOCK_SEQPACKET {
		transfer(unix.SYS_READ, uintptr(fds[1]), make([]byte, max(size, 1)))
	}
	return []*os.File{os.NewFile(uintptr(fds[0]), "")}, []*os.File{os.NewFile(uintptr(fds[1]), "")}, true
}

func openPipes(int) (client, server []*os.File, ok bool) {
	fromServer, toClient, err := os.Pipe()
	peer.Check(err)
	fromClient, toServer, err := os.Pipe()
	peer.Check(err)
	return []*os.File{fromServer, toServer}, []*os.File{fromClient, toClient}, true
}

// ends returns the descriptors to read from and to write to: those of two pipes, or
// that of a socket twice.
func ends(files []*os.File) (in, out uintptr) {
	return files[0].Fd(), files[len(files)-1].Fd()
}

// A message has at least one byte.
func streamClient(files []*os.File, call, answer int) func() {
	in, out := ends(files)
	sent, received := make([]byte, max(call, 1)), make([]byte, max(answer, 1))
	return func() {
		transfer(unix.SYS_WRITE, out, sent)
		transfer(unix.SYS_READ, in, received)
	}
}

func streamServer(files []*os.File, call, answer int) func() {
	in, out := ends(files)
	received, sent := make([]byte, max(call, 1)), make([]byte, max(answer, 1))
	return func() {
		transfer(unix.SYS_READ, in, received)
		transfer(unix.SYS_WRITE, out, sent)
	}
}
