// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Command bench is the part of the benchmarks that runs where the driver is: in a
// sandbox, on one of Linux's own drivers or, for what needs no Binder, on the host.
//
//	bench [flags] BENCHMARK
//
// It makes one run: after a warm-up, each peer in turn. It prints a line of JSON for
// each result, which make bench collects. It needs binder devices without a context
// manager.
package main

import (
	"encoding/json"
	"flag"
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sentrybinder/test/benchmarks/peer"
)

var (
	device   = flag.String("device", "/dev/binder", "binder device")
	duration = flag.Duration("time", 200*time.Millisecond, "time to measure each figure for")
	ways     = flag.String("ways", "", "peers to measure, separated by commas; all if empty")
	sizes    = flag.String("sizes", "0,128,4096,65536,262144,1048576", "payloads in bytes")
	numbers  = flag.String("numbers", "1,2,4,8,16", "pairs, clients, files or handles at once")
	count    = flag.Int("count", 100_000, "nodes, notifications or processes")

	attackName = flag.String("attack", "", "attack to measure calls beside")
	calls      = flag.Int("calls", 20_000, "calls to measure alone, and again during an attack")
	repeats    = flag.Int("repeats", 3, "turns, in each of which calls are measured alone and then beside an attack")
	limit      = flag.Duration("limit", 4*time.Second, "longest time to measure calls during an attack")
	together   = flag.Bool("together", false, "the container that -elsewhere is shared with shares the device, too")
	elsewhere  = flag.String("elsewhere", "", "directory shared with the container to attack from; this one if empty")
	preload    = flag.Int("preload", 0, "MiB that one service of a world computes before it registers")
	dozing     = flag.Bool("dozing", false, "tell Go's scheduler that services wait, so that their processes sleep while nobody calls (internal)")
	boardPath  = flag.String("board", "", "file of a board (internal)")

	role   = flag.String("role", "", "role of this process in a benchmark (internal)")
	with   = flag.String("with", "", "peer for the role (internal)")
	n      = flag.Int("n", 0, "number for the role (internal)")
	given  = flag.Int("given", 0, "number of files for the role (internal)")
	answer = flag.Int("answer", 0, "size of an answer in bytes (internal)")
)

// benchmarks holds what can be run, by name.
var benchmarks = map[string]func(){
	"roundtrip":     roundtrip,
	"payload":       payload,
	"table":         table,
	"throughput":    throughput,
	"processes":     processes,
	"oneway":        oneway,
	"fds":           fds,
	"handles":       handles,
	"notifications": notifications,
	"memory":        memory,
	"logs":          logs,
	"hostile":       hostile,
	"world":         world,
	"wake":          wake,
}

// roles holds what the processes that a benchmark starts do, by role.
var roles = map[string]func(){
	"server":         wayServer,
	"echo":           echo,
	"hub":            runHub,
	"hub/second":     runSecondHub,
	"pool":           runPool,
	"owner":          owner,
	"payload/source": source,
	"pair/server":    pairServer,
	"pair/client":    pairClient,
	"oneway/flood":   floodBinder,
	"oneway/socket":  floodSocket,
	"fds/binder":     fdsBinder,
	"fds/socket":     fdsSocket,
	"logs/crowd":     crowd,
	"logs/reader":    reader,

	"hostile/service":   service,
	"hostile/asker":     asker,
	"hostile/attacker":  attacker,
	"hostile/owner":     nodeOwner,
	"hostile/holder":    holder,
	"hostile/crowd":     offeringCrowd,
	"hostile/neighbour": neighbour,

	"processes/citizen": runCitizen,
}

func main() {
	// Keep Go's garbage collector and scheduler out of what is measured: threads wait in
	// system calls that Go doesn't know of.
	const settings = "asyncpreemptoff=1"
	if os.Getenv("GODEBUG") != settings {
		os.Setenv("GODEBUG", settings)
		os.Setenv("GOGC", "off")
		os.Setenv("GOMAXPROCS", "64")
		peer.Check(unix.Exec("/proc/self/exe", os.Args, os.Environ()))
	}
	runtime.LockOSThread()
	flag.Parse()
	run := roles[*role]
	if *role == "" {
		run = benchmarks[flag.Arg(0)]
	}
	// Processes that a benchmark starts get their role's flags before the last
	// argument. That must be the benchmark: flags after it are not parsed.
	if run == nil || flag.NArg() > 1 {
		peer.Fail("usage: bench [flags] BENCHMARK; the benchmarks are %s", strings.Join(slices.Sorted(maps.Keys(benchmarks)), ", "))
	}
	run()
}

// numbersOf returns the numbers in a flag.
func numbersOf(list string) []int {
	var ns []int
	for s := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(s)
		peer.Check(err)
		ns = append(ns, n)
	}
	return ns
}

// wanted returns whether a peer is to be measured.
func wanted(name string) bool {
	return *ways == "" || slices.Contains(strings.Split(*ways, ","), name)
}

// result is a line of output.
type result struct {
	Series string  `json:"series"`
	X      float64 `json:"x"`

	// Value is the mean of the run. If it is a time, P50, P99 and Max say more.
	Value float64 `json:"value"`
	P50   float64 `json:"p50,omitempty"`
	P99   float64 `json:"p99,omitempty"`
	Max   float64 `json:"max,omitempty"`
}

func emit(r result) {
	peer.Check(json.NewEncoder(os.Stdout).Encode(r))
}
