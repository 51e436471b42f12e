// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/test/benchmarks/peer"
)

const (
	messages     = 50
	messageBytes = 1 << 20

	// settled is how long it takes until the memory of a message has gone back to
	// the host.
	settled = 3 * time.Second
)

// memory creates many of each thing that takes memory: -numbers of processes and
// threads, and -count nodes and references. After each step it prints what it has
// added, and goes on once the parent has looked at the sandbox's memory and sent a
// line to standard input.
func memory() {
	hub := start("hub", nil)
	defer hub.stop()
	second := start("hub/second", nil)
	defer second.stop()
	many := numbersOf(*numbers)[0]
	limit := unix.Rlimit{Cur: uint64(many) + 1000, Max: uint64(many) + 1000}
	peer.Check(unix.Setrlimit(unix.RLIMIT_NOFILE, &limit))
	e := open()
	toSecond := e.find(0)

	step("", 0)
	processes := make([]*endpoint, many)
	for i := range processes {
		processes[i] = open()
	}
	step("process", many)

	// Threads that first only exist, and that the driver then gets to know.
	begin, done := make(chan bool), make(chan bool)
	for range many {
		go func() {
			runtime.LockOSThread()
			done <- true
			<-begin
			th := e.thread()
			th.out = peer.Command(th.out, binder.BC_ENTER_LOOPER)
			th.flush()
			done <- true
			<-begin
		}()
		<-done
	}
	step("any thread", many)
	for range many {
		begin <- true
	}
	for range many {
		<-done
	}
	step("thread", many)

	e.offer(0, *count)
	step("node and reference", *count)
	e.offer(toSecond, *count)
	step("reference", *count)

	for _, p := range processes[:messages] {
		p.publish(node(0))
	}
	step("", 0)
	payload := make([]byte, messageBytes)
	for i, p := range processes[:messages] {
		handle := e.find(1 + *count + i)
		e.Send(peer.TransactionTo(nil, binder.BC_TRANSACTION, handle, 0, binder.TF_ONE_WAY, payload, nil))
		p.out = peer.Command(p.out, binder.BC_ENTER_LOOPER)
		p.free(p.await(binder.BR_TRANSACTION))
		p.flush()
	}
	step("message of 1 MiB, received", messages)
	time.Sleep(settled)
	step("message of 1 MiB, seconds later", messages)
}

// step reports count more of something, and waits for a line.
func step(name string, count int) {
	emit(result{Series: name, X: float64(count)})
	if _, err := fmt.Fscanln(os.Stdin); err != nil && err.Error() != "unexpected newline" {
		peer.Fail("%s: %v", name, err)
	}
}

// offer sends count nodes to a service that keeps them.
func (e *endpoint) offer(handle uint32, count int) {
	for first := 0; first < count; first += objectsInCall {
		var o objects
		for i := first; i < min(first+objectsInCall, count); i++ {
			o.add(node(i))
		}
		e.call(handle, hubKeep, o.data, o.offsets)
	}
	e.flush()
}

// runSecondHub is the role of a hub that is not the context manager, but the first
// object that the manager keeps.
func runSecondHub() {
	h := hub{endpoint: open()}
	h.publish(node(0))
	ready()
	h.serve(h.answer)
}
