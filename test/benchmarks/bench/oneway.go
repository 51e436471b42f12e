// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/test/benchmarks/peer"
)

// onewayBytes is the size of a message.
const onewayBytes = 128

// oneway measures how many messages per second a receiver gets from a process that
// does nothing but send, and how long a synchronous call takes while a pool of
// threads receives them.
func oneway() {
	if wanted("binder") {
		floodOfTransactions()
	}
	if wanted("unix seqpacket") {
		floodOfPackets()
	}
	if wanted("calls") {
		callsDuringFlood()
	}
}

// floodOfTransactions receives in this process, and in one thread, since a node
// receives one one-way transaction at a time.
func floodOfTransactions() {
	e := open()
	e.BecomeManager()
	e.out = peer.Command(e.out, binder.BC_ENTER_LOOPER)
	e.flush()
	flood := start("oneway/flood", nil)
	t := measure(func() { e.free(e.await(binder.BR_TRANSACTION)) })
	emit(result{Series: "binder", X: onewayBytes, Value: t.Rate})
	flood.stop()
	e.Close()
}

func floodOfPackets() {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	peer.Check(err)
	far := os.NewFile(uintptr(fds[1]), "")
	flood := start("oneway/socket", []*os.File{far})
	far.Close()
	received := make([]byte, onewayBytes)
	t := measure(func() { transfer(unix.SYS_READ, uintptr(fds[0]), received) })
	emit(result{Series: "unix seqpacket", X: onewayBytes, Value: t.Rate})
	flood.stop()
	unix.Close(fds[0])
}

func callsDuringFlood() {
	server := start("pool", nil, "-n=2")
	client := open()
	payload := make([]byte, onewayBytes)
	call := func() { client.call(0, 0, payload, nil) }
	measure(call).emit("call, nothing else", onewayBytes)
	flood := start("oneway/flood", nil)
	measure(call).emit("call, during a flood", onewayBytes)
	flood.stop()
	server.stop()
}

// fullPause is how long the sender pauses if the receiver has no room.
const fullPause = 100 * time.Microsecond

// floodBinder is the role of a sender of one-way transactions.
func floodBinder() {
	e := open()
	payload := make([]byte, onewayBytes)
	send := peer.TransactionTo(nil, binder.BC_TRANSACTION, 0, 0, binder.TF_ONE_WAY, payload, nil)
	pause := unix.NsecToTimespec(int64(fullPause))
	ready()
	for {
		if !e.Send(send) {
			unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&pause)), 0, 0)
		}
	}
}

// floodSocket is the role of a sender of packets.
func floodSocket() {
	payload := make([]byte, onewayBytes)
	out := file(0).Fd()
	ready()
	for {
		transfer(unix.SYS_WRITE, out, payload)
	}
}
