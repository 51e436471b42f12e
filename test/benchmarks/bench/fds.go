// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"

	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/test/benchmarks/peer"
)

// fds measures how many files per second reach another process, which closes them:
// several in each call, or in each message with SCM_RIGHTS, which is answered.
func fds() {
	for _, files := range numbersOf(*numbers) {
		emitRate := func(name string, t timing) {
			emit(result{Series: name, X: float64(files), Value: t.Rate * float64(files)})
		}
		if wanted("binder") {
			server := start("fds/binder", nil)
			emitRate("binder", measure(newFileCall(files)))
			server.stop()
		}
		if wanted("SCM_RIGHTS") {
			client, far, _ := openSeqpacket(1)
			server := start("fds/socket", far)
			far[0].Close()
			emitRate("SCM_RIGHTS", measure(newRightsCall(client[0], files)))
			server.stop()
			client[0].Close()
		}
	}
}

// newFileCall returns a function that sends files over Binder.
func newFileCall(files int) func() {
	e := open()
	var data objects
	for range files {
		// An FD object holds its descriptor where others hold a pointer.
		data.add(binder.FlatObject{Type: binder.BINDER_TYPE_FD, Binder: 1})
	}
	return func() { e.call(0, 0, data.data, data.offsets) }
}

func newRightsCall(socket *os.File, files int) func() {
	numbers := make([]int, files)
	for i := range numbers {
		numbers[i] = 1
	}
	rights := unix.UnixRights(numbers...)
	fd, message := int(socket.Fd()), []byte{0}
	return func() {
		peer.Check(unix.Sendmsg(fd, message, rights, nil, 0))
		transfer(unix.SYS_READ, uintptr(fd), message)
	}
}

// fdsBinder is the role of a context manager that closes the files it receives.
func fdsBinder() {
	e := open()
	e.BecomeManager()
	ready()
	e.serve(func(call binder.TransactionData) ([]byte, []uint64) {
		for _, o := range objectsOf(e.Data(call)) {
			unix.RawSyscall(unix.SYS_CLOSE, uintptr(uint32(o.Binder)), 0, 0)
		}
		return nil, nil
	})
}

// fdsSocket is the role of a process that receives files from a socket and closes
// them.
func fdsSocket() {
	fd := int(file(0).Fd())
	data, control := make([]byte, 1), make([]byte, unix.CmsgSpace(4*253))
	ready()
	for {
		_, length, _, _, err := unix.Recvmsg(fd, data, control, 0)
		peer.Check(err)
		if length == 0 {
			return
		}
		messages, err := unix.ParseSocketControlMessage(control[:length])
		peer.Check(err)
		files, err := unix.ParseUnixRights(&messages[0])
		peer.Check(err)
		for _, f := range files {
			unix.RawSyscall(unix.SYS_CLOSE, uintptr(f), 0, 0)
		}
		transfer(unix.SYS_WRITE, uintptr(fd), data)
	}
}
