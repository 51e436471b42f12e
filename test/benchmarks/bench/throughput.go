// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"slices"
)

// pairBytes is the size of a call and of its answer.
const pairBytes = 128

// throughput measures calls per second: of pairs of a client and a server, all at
// the same time, and of many clients of one server with a pool of threads.
func throughput() {
	for _, pairs := range numbersOf(*numbers) {
		if wanted("binder") {
			binderPairs(pairs)
		}
		if wanted("unix seqpacket") {
			socketPairs(pairs)
		}
		if wanted("binder with a pool") {
			oneServer(pairs)
		}
	}
}

// poolSize is how many threads that server has.
const poolSize = 4

func binderPairs(pairs int) {
	processes := []*process{start("hub", nil)}
	g := newGate()
	var clients []*process
	for i := range pairs {
		processes = append(processes, start("pair/server", nil, fmt.Sprint("-n=", i)))
	}
	for i := range pairs {
		clients = append(clients, start("pair/client", []*os.File{g.out}, "-with=binder", fmt.Sprint("-n=", i)))
	}
	g.open()
	emitRates("binder", pairs, clients)
	stopAll(append(processes, clients...))
}

func socketPairs(pairs int) {
	w := allWays[1]
	g := newGate()
	var processes, clients []*process
	for range pairs {
		client, server, _ := w.open(pairBytes)
		processes = append(processes, start("server", server, "-with="+w.name,
			fmt.Sprint("-n=", pairBytes), fmt.Sprint("-answer=", pairBytes)))
		clients = append(clients, start("pair/client", []*os.File{g.out, client[0]}, "-with="+w.name))
		server[0].Close()
		client[0].Close()
	}
	g.open()
	emitRates(w.name, pairs, clients)
	stopAll(append(processes, clients...))
}

func oneServer(clients int) {
	server := start("pool", nil, fmt.Sprint("-n=", poolSize))
	g := newGate()
	var all []*process
	for range clients {
		all = append(all, start("pair/client", []*os.File{g.out}, "-with=binder", "-n=-1"))
	}
	g.open()
	emitRates("binder with a pool", clients, all)
	stopAll(append(all, server))
}

// emitRates prints the sum of the rates that clients report.
func emitRates(series string, x int, clients []*process) {
	var sum timing
	var p50 []float64
	for _, c := range clients {
		var t timing
		c.result(&t)
		sum.Rate += t.Rate
		sum.P99 = max(sum.P99, t.P99)
		sum.Max = max(sum.Max, t.Max)
		p50 = append(p50, t.P50)
	}
	slices.Sort(p50)
	emit(result{Series: series, X: float64(x), Value: sum.Rate, P50: p50[len(p50)/2], P99: sum.P99, Max: sum.Max})
}

func stopAll(processes []*process) {
	for _, p := range processes {
		p.stop()
	}
}

// pairServer is the role of the n-th server, whose node the hub keeps.
func pairServer() {
	e := open()
	e.publish(node(*n))
	ready()
	payload := make([]byte, pairBytes)
	e.serve(replyWith(payload))
}

// pairClient is the role of a client: of the n-th server, of the context manager if
// n is negative, or of a server at the other end of a socket.
func pairClient() {
	var call func()
	if *with == "binder" {
		e := open()
		var handle uint32
		if *n >= 0 {
			handle = e.find(*n)
		}
		payload := make([]byte, pairBytes)
		call = func() { e.call(handle, 0, payload, nil) }
	} else {
		call = streamClient([]*os.File{file(1)}, pairBytes, pairBytes)
	}
	ready()
	await(file(0))
	report(measure(call))
	rest()
}
