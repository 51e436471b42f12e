// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
)

// benchmarks lists the suite in the order in which it runs.
var benchmarks = []*benchmark{
	{
		Name: "roundtrip", Title: "A call and an answer of the same size", Unit: "µs", X: "bytes", Subject: "binder",
		once: programs("roundtrip",
			job{systrap, nil},
			job{oracleC, []string{"-ways=binder"}},
			job{oracleR, []string{"-ways=binder"}},
			job{host, []string{"-ways=unix seqpacket,unix stream,pipes,futexes"}},
			job{ptrace, []string{"-sizes=0,128,4096,65536"}},
		),
	},
	{
		Name: "onecpu", Title: "A call and an answer of the same size, on one CPU and on all", Unit: "µs", X: "bytes", Subject: "binder", Home: systrapOneCPU,
		once: programs("roundtrip",
			job{systrapOneCPU, []string{"-sizes=0,128,65536,262144,1048576"}},
			job{systrap, []string{"-sizes=128"}},
			job{oracleCOneCPU, []string{"-sizes=128"}},
			job{oracleROneCPU, []string{"-sizes=128"}},
			job{hostOneCPU, []string{"-sizes=128", "-ways=unix seqpacket,futexes"}},
			job{host, []string{"-sizes=128", "-ways=unix seqpacket,futexes"}},
		),
	},
	{
		Name: "starts", Title: "A call and an answer of 128 bytes, on two CPUs, in many sandboxes", Unit: "µs", Subject: "binder", Home: systrapTwoCPUs,
		// A sandbox that has started to spin goes on spinning, and one that has not
		// doesn't start.
		Turns: 4,
		once:  programs("roundtrip", job{systrapTwoCPUs, []string{"-sizes=128", "-ways=binder,binder with TF_DEFER_COMPLETE,unix seqpacket,unix stream,pipes,futexes"}}),
	},
	{
		Name: "wake", Title: "Waking a thread: from before the system call that wakes it until after the one in which it slept", Unit: "µs", X: "µs asleep", Subject: wakeOther, Home: host,
		once: programs("wake", job{host, nil}),
	},
	{
		Name: "payload", Title: "Throughput to another process", Unit: "MB/s", X: "bytes in a call", Subject: "binder",
		once: programs("payload",
			job{systrap, []string{"-sizes=4096,65536,262144,1048576"}},
			job{oracleC, []string{"-sizes=4096,65536,262144,1048576", "-ways=binder"}},
			job{oracleR, []string{"-sizes=4096,65536,262144,1048576", "-ways=binder"}},
			job{host, []string{"-sizes=4096,65536,262144,1048576", "-ways=unix seqpacket,unix stream,process_vm_readv"}},
		),
	},
	{
		Name: "table", Title: "A call with a new node, to which the server keeps a reference", Unit: "µs", X: "nodes", Subject: "binder",
		once: programs("table",
			job{systrap, []string{count(100_000)}},
			job{systrapOneCPU, []string{count(100_000)}},
			job{oracleC, []string{count(100_000)}},
			job{oracleR, []string{count(100_000)}},
		),
	},
	{
		Name: "million", Title: "A call with a new node, to which the server keeps a reference, up to a million nodes", Unit: "µs", X: "nodes", Subject: "binder",
		once: programs("table", job{systrap, []string{count(1_000_000)}}),
	},
	{
		Name: "throughput", Title: "Calls of 128 bytes per second: pairs of a client and a server, and clients of one server with four threads",
		Unit: "calls/s", X: "pairs or clients", Subject: "binder",
		once: programs("throughput",
			job{systrap, nil},
			job{oracleC, []string{"-ways=binder,binder with a pool"}},
			job{oracleR, []string{"-ways=binder,binder with a pool"}},
			job{host, []string{"-ways=unix seqpacket"}},
		),
	},
	{
		Name: processesRate, Title: "Calls of 128 bytes per second, four at a time, between random pairs of processes with 15 threads each",
		Unit: "calls/s", X: "processes", Subject: "binder",
		once: manyProcesses.of(processesRate, processesTime),
	},
	{
		Name: processesTime, Title: "A call of 128 bytes, one of four at a time, between random pairs of processes with 15 threads each",
		Unit: "µs", X: "processes", Subject: "median",
		once: manyProcesses.of(processesTime, processesRate),
	},
	{
		Name: "oneway", Title: "One-way messages of 128 bytes, received by one thread", Unit: "messages/s", Subject: "binder",
		once: programs("oneway",
			job{systrap, []string{"-ways=binder,unix seqpacket"}},
			job{oracleC, []string{"-ways=binder"}},
			job{oracleR, []string{"-ways=binder"}},
			job{host, []string{"-ways=unix seqpacket"}},
		),
	},
	{
		Name: "flood", Title: "A call of 128 bytes to a server with two threads, with and without a flood of one-way messages", Unit: "µs", Subject: "call, during a flood",
		once: programs("oneway",
			job{systrap, []string{"-ways=calls"}},
			job{oracleC, []string{"-ways=calls"}},
			job{oracleR, []string{"-ways=calls"}},
		),
	},
	{
		Name: "fds", Title: "Files sent to another process, which closes them", Unit: "files/s", X: "files in a call", Subject: "binder",
		once: programs("fds",
			job{systrap, []string{"-numbers=1,16,100"}},
			job{oracleC, []string{"-numbers=1,16,100", "-ways=binder"}},
			job{oracleR, []string{"-numbers=1,16,100", "-ways=binder"}},
			job{host, []string{"-numbers=1,16,100", "-ways=SCM_RIGHTS"}},
		),
	},
	{
		Name: "handles", Title: "A call with handles to a third process's nodes", Unit: "µs", X: "handles", Subject: "handles",
		once: programs("handles",
			job{systrap, []string{"-numbers=1,100"}},
			job{oracleC, []string{"-numbers=1,100"}},
			job{oracleR, []string{"-numbers=1,100"}},
		),
	},
	{
		Name: "notifications", Title: "From the killing of a process with 1,000 nodes until another has been notified of each node's death", Unit: "µs", X: "nodes", Subject: "binder",
		once: programs("notifications",
			job{systrap, []string{"-count=1000"}},
			job{oracleC, []string{"-count=1000"}},
			job{oracleR, []string{"-count=1000"}},
		),
	},
	{
		Name: "logs", Title: "A call while another process reads binder_logs/state, which lists 1,000 processes and their nodes", Unit: "µs", X: "nodes",
		Subject: "call, nothing else",
		once:    programs("logs", job{systrap, []string{"-numbers=1000", count(100_000), "-time=2s"}}),
	},
	{
		Name: "hostile", Title: "A call of 128 bytes between two processes, alone and beside an attacker", Unit: "µs",
		attack: hostile,
	},
	{
		Name: "memory", Title: "Memory for one of each: on the sentry's heap, and of the host's for applications", Unit: "bytes",
		once: memory,
	},
	{
		Name: "startup", Title: "A sandbox that runs true(1), from start to exit", Unit: "ms", Subject: "bin/runsc",
		once: startup,
	},
	{
		Name: "restore", Title: "From runsc's start to the answer to a client's first call, in a sandbox with services that only register", Unit: "ms", X: "services",
		Subject: restored,
		once:    restore,
	},
	{
		Name: "preload", Title: "From runsc's start to the answer to a client's first call, in a sandbox with 11 services, one of which computes data before it registers", Unit: "ms", X: "MiB",
		Subject: restored,
		once:    restorePreloaded,
	},
	{
		Name: sandboxesStartup, Title: "From runsc's start to the answer to a client's first call, in the last of a number of sandboxes with a service each",
		Unit: "ms", X: "sandboxes", Subject: coldStart,
		once: manySandboxes.of(sandboxesStartup, sandboxesMemory),
	},
	{
		Name: sandboxesMemory, Title: "Memory of the host per sandbox, for a number of sandboxes with a service each",
		Unit: "MiB", X: "sandboxes", Subject: "memory",
		once: manySandboxes.of(sandboxesMemory, sandboxesStartup),
	},
	{
		Name: "size", Title: "Size of runsc", Unit: "bytes", Subject: "bin/runsc",
		once: size,
	},
	{
		Name: "idpool", Title: "Package idpool", Unit: "ns", once: packageBenchmarks("idpool"),
	},
	{
		Name: "kvvec", Title: "Package kvvec", Unit: "ns", once: packageBenchmarks("kvvec"),
	},
	{
		Name: "list", Title: "Package list", Unit: "ns", once: packageBenchmarks("list"),
	},
}

// job is a run of the benchmarks' program in one place.
type job struct {
	place place
	args  []string
}

// count returns the flag for n nodes, which -short overrides.
func count(n int) string { return fmt.Sprint("-count=", n) }

// programs returns a function that runs a benchmark of the program, in one place
// after the other.
func programs(name string, jobs ...job) func(func(place, []result)) error {
	return func(add func(place, []result)) error {
		var errs []error
		for _, j := range jobs {
			args := append([]string{fmt.Sprint("-time=", *span)}, j.args...)
			if *short {
				args = append(args, "-count=1000")
			}
			results, err := j.place.run(append(args, name))
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", j.place, err))
			}
			add(j.place, results)
		}
		return errors.Join(errs...)
	}
}
