// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Command bench is the part of the benchmarks that runs where the driver is: in a
// sandbox, on one of Linux's own drivers or, for what needs no Binder, on the host.
//
//	bench [flags] BENCHMARK
//
// It makes one run: after a warm-up, each peer in turn. Its results are a line of
// JSON each, which make bench collects. It needs binder devices that nobody
// manages.
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
	duration = flag.Duration("time", 200*time.Millisecond, "time that each figure is measured for")
	ways     = flag.String("ways", "", "peers to measure, separated by commas; all if empty")
	sizes    = flag.String("sizes", "0,128,4096,65536,262144,1048576", "payloads in bytes")
	numbers  = flag.String("numbers", "1,2,4,8,16", "pairs, clients, files or handles at once")
	count    = flag.Int("count", 100_000, "nodes, notifications or processes")

	attackName = flag.String("attack", "", "attack that a call is measured beside; the attacks are below")
	calls      = flag.Int("calls", 20_000, "calls to measure alone, and as many beside an attack")
	repeats    = flag.Int("repeats", 3, "how often to measure alone and beside an attack, in turn")
	limit      = flag.Duration("limit", 4*time.Second, "time after which enough calls have been measured beside an attack")
	together   = flag.Bool("together", false, "the container of -elsewhere shares the device")
	elsewhere  = flag.String("elsewhere", "", "directory shared with the container in which a neighbour attacks; attack from this one if empty")
	preload    = flag.Int("preload", 0, "MiB that one service of a world computes before it registers")
	dozing     = flag.Bool("dozing", false, "let services sleep as whole processes when nobody calls, with Go's scheduler (internal)")
	boardPath  = flag.String("board", "", "file of a board (internal)")

	role   = flag.String("role", "", "what another process of the benchmark does (internal)")
	with   = flag.String("with", "", "peer that the role is about (internal)")
	n      = flag.Int("n", 0, "number that the role is about (internal)")
	given  = flag.Int("given", 0, "number of files that the role is given (internal)")
	answer = flag.Int("answer", 0, "size of an answer in bytes (internal)")
)

// benchmarks are what can be run.
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

// roles are what the processes do that a benchmark starts.
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
	// Neither the collector of garbage nor the scheduler of Go has a part in what is
	// measured: threads wait in system calls that Go doesn't know of.
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
	// Flags that come after the benchmark would be lost on those it starts, their
	// roles among them.
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

// wanted is whether a peer is to be measured.
func wanted(name string) bool {
	return *ways == "" || slices.Contains(strings.Split(*ways, ","), name)
}

// A result is a line of output.
type result struct {
	Series string  `json:"series"`
	X      float64 `json:"x"`

	// Value is the mean of the run, of which P50, P99 and Max say more if it is a
	// time.
	Value float64 `json:"value"`
	P50   float64 `json:"p50,omitempty"`
	P99   float64 `json:"p99,omitempty"`
	Max   float64 `json:"max,omitempty"`
}

func emit(r result) {
	peer.Check(json.NewEncoder(os.Stdout).Encode(r))
}
