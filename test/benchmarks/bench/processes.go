// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/test/benchmarks/peer"
)

// The code of a call selects what a citizen does.
const (
	citizenEcho   = iota // answers with the data of the call
	citizenMeet          // finds the processes to call, among as many as the call says
	citizenCall          // one-way: calls one of them and passes the message on to another, until the time in it
	citizenReport        // answers with how long its calls took, in nanoseconds, and forgets that
)

// As on Android, a process has fifteen threads for calls, and knows a few others.
const (
	citizenThreads = 15
	acquaintances  = 16

	// callsAtOnce is how many calls are in flight at any time, whatever the number
	// of processes.
	callsAtOnce = 4
)

// processes measures calls between random pairs of processes, for each number of
// processes in -numbers. The processes pass messages around, and whoever has one
// makes one call, so that as many calls are in flight however many processes there
// are.
func processes() {
	all := []*process{start("hub", nil)}
	defer func() { stopAll(all) }()
	steps := numbersOf(*numbers)
	files := uint64(4*slices.Max(steps) + 100)
	peer.Check(unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: files, Max: files}))
	e := open()
	var citizens []uint32
	for _, n := range steps {
		for len(citizens) < n {
			all = append(all, start("processes/citizen", nil, fmt.Sprint("-n=", len(citizens))))
			citizens = append(citizens, e.find(len(citizens)))
		}
		ask := func(code uint32, number uint64) (answers [][]byte) {
			for _, handle := range citizens {
				answer := e.call(handle, code, binary.NativeEndian.AppendUint64(nil, number), nil)
				answers = append(answers, append([]byte(nil), e.Data(answer)...))
			}
			e.flush()
			return answers
		}
		ask(citizenMeet, uint64(n))
		e.letCall(citizens, *duration/4)
		ask(citizenReport, 0)
		took := e.letCall(citizens, *duration)
		var samples []uint64
		for _, times := range ask(citizenReport, 0) {
			for ; len(times) != 0; times = times[4:] {
				samples = append(samples, uint64(binary.NativeEndian.Uint32(times)))
			}
		}
		t := timingOf(samples, 1)
		emit(result{Series: "binder", X: float64(n), Value: float64(len(samples)) / took.Seconds(), P50: t.P50, P99: t.P99, Max: t.Max})
	}
}

// letCall has citizens call each other for a time, and returns how long they did.
func (e *endpoint) letCall(citizens []uint32, d time.Duration) time.Duration {
	begin := time.Now()
	until := binary.NativeEndian.AppendUint64(nil, uint64(monotonic()+d.Nanoseconds()))
	for range callsAtOnce {
		e.pass(citizens[rand.IntN(len(citizens))], until)
		if commands := e.out; !e.Send(commands) {
			peer.Fail("a process has no room for a message")
		}
		e.out = e.Commands()
	}
	pause(d)
	// The last calls may still be in flight.
	took := time.Since(begin)
	pause(d / 4)
	return took
}

// pass queues the message that lets a citizen call until a time.
func (e *endpoint) pass(handle uint32, until []byte) {
	e.out = peer.TransactionTo(e.out, binder.BC_TRANSACTION, handle, citizenCall, binder.TF_ONE_WAY, until, nil)
}

// monotonic returns the time by a clock that all processes share, in nanoseconds.
func monotonic() int64 {
	var t unix.Timespec
	peer.Check(unix.ClockGettime(unix.CLOCK_MONOTONIC, &t))
	return t.Nano()
}

// citizen is a process that calls others, and is called.
type citizen struct {
	mu    sync.Mutex
	known []uint32
	times []byte
}

// runCitizen is the role of the n-th citizen, whose node the hub keeps.
func runCitizen() {
	e := open()
	e.Dozing = true // there are many processes
	e.publish(node(0))
	c := &citizen{}
	for range citizenThreads - 1 {
		go func() {
			runtime.LockOSThread()
			c.serve(e.thread())
		}()
	}
	ready()
	c.serve(e)
}

func (c *citizen) serve(e *endpoint) {
	e.out = peer.Command(e.out, binder.BC_ENTER_LOOPER)
	payload := make([]byte, callBytes)
	for {
		call := e.await(binder.BR_TRANSACTION)
		data := append([]byte(nil), e.Data(call)...)
		e.free(call)
		var answer []byte
		switch call.Code {
		case citizenEcho:
			answer = data
		case citizenMeet:
			c.meet(e, int(binary.NativeEndian.Uint64(data)))
		case citizenCall:
			c.call(e, payload, data)
			continue
		case citizenReport:
			c.mu.Lock()
			answer, c.times = c.times, nil
			c.mu.Unlock()
		}
		e.out = peer.Transaction(e.out, binder.BC_REPLY, answer, nil)
	}
}

// meet picks acquaintances among all citizens but this one. all is how many there
// are.
func (c *citizen) meet(e *endpoint, all int) {
	var known []uint32
	for range acquaintances {
		known = append(known, e.find((*n+1+rand.IntN(all-1))%all))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known = known
}

// call makes a call and lets another citizen make the next, until a time.
func (c *citizen) call(e *endpoint, payload, until []byte) {
	if monotonic() > int64(binary.NativeEndian.Uint64(until)) {
		return
	}
	c.mu.Lock()
	callee, next := c.known[rand.IntN(len(c.known))], c.known[rand.IntN(len(c.known))]
	c.mu.Unlock()
	begin := monotonic()
	e.call(callee, citizenEcho, payload, nil)
	took := uint32(monotonic() - begin)
	c.mu.Lock()
	c.times = binary.NativeEndian.AppendUint32(c.times, took)
	c.mu.Unlock()
	e.pass(next, until)
}
