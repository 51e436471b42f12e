// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// The benchmarks of many processes in a sandbox, and of many sandboxes on a host.
const (
	processesRate    = "processes"
	processesTime    = "processes-time"
	sandboxesStartup = "sandboxes-startup"
	sandboxesMemory  = "sandboxes-memory"
)

var (
	manyProcesses = several{run: runProcesses}
	manySandboxes = several{run: runSandboxes}
)

// runProcesses has processes call each other: as many as Android has, and more.
func runProcesses(add func(benchmark string, p place, results []result)) error {
	numbers := "-numbers=10,30,100,300,1000"
	if *short {
		numbers = "-numbers=10,30"
	}
	for _, p := range []place{systrap, systrapOneCPU} {
		results, err := p.run([]string{"-time=2s", numbers, "processes"})
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		for _, r := range results {
			add(processesRate, p, []result{{Series: r.Series, X: r.X, Value: r.Value}})
			add(processesTime, p, []result{
				{Series: "median", X: r.X, Value: r.P50},
				{Series: "99th percentile", X: r.X, Value: r.P99},
			})
		}
	}
	return nil
}

// sandboxesAtOnce is how many sandboxes run in the end, and sandboxesInStep how many are
// started between two measurements of their memory.
const (
	sandboxesAtOnce = 200
	sandboxesInStep = 10
)

// runSandboxes starts one sandbox after the other, each with a service manager, a
// service and a client, and keeps them running.
func runSandboxes(add func(benchmark string, p place, results []result)) (err error) {
	s, err := newSnapshots("/bench", "-count=1", "world")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.clean()) }()
	all := sandboxesAtOnce
	if *short {
		all = 2 * sandboxesInStep
	}
	for n := sandboxesInStep; n <= all; n += sandboxesInStep {
		var times []float64
		for range sandboxesInStep {
			ms, err := s.command("run", "--bundle="+s.dir).untilAnswer()
			if err != nil {
				return fmt.Errorf("with %d other sandboxes: %w", len(s.sandboxes)-1, err)
			}
			times = append(times, ms)
		}
		add(sandboxesStartup, systrap, []result{{Series: coldStart, X: float64(n), Value: median(times)}})
		bytes, err := s.memory()
		if err != nil {
			return err
		}
		add(sandboxesMemory, systrap, []result{{Series: "memory", X: float64(n), Value: bytes / float64(n) / (1 << 20)}})
	}
	return nil
}

// memory returns how much of the host's memory the processes of all sandboxes use,
// in bytes. Memory that several processes share counts in part for each.
func (s *snapshots) memory() (bytes float64, err error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return 0, err
	}
	parents := make(map[string]string)
	ours := make(map[string]bool)
	for _, dir := range dirs {
		stat, _ := os.ReadFile(dir + "/stat") // it may have ended
		// The name, in parentheses, may contain anything.
		if fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:])); len(fields) > 1 {
			parents[dir] = "/proc/" + fields[1]
		}
		// The sandbox and its gofer are known by their arguments, and the processes
		// that applications run in are their children. A runsc that waits for the
		// sandbox isn't part of it.
		text, _ := os.ReadFile(dir + "/cmdline")
		arguments := strings.Split(string(text), "\x00")
		ours[dir] = slices.Contains(arguments, "--root="+filepath.Join(s.dir, "state")) &&
			(arguments[0] == "runsc-sandbox" || arguments[0] == "runsc-gofer")
	}
	for _, dir := range dirs {
		for at := dir; at != ""; at = parents[at] {
			if ours[at] {
				size, err := proportionalSize(dir)
				if err != nil {
					return 0, err
				}
				bytes += size
				break
			}
		}
	}
	return bytes, nil
}

// proportionalSize returns the proportional set size of the process at dir in
// /proc, in bytes, or zero if it has ended.
func proportionalSize(dir string) (float64, error) {
	f, err := os.Open(dir + "/smaps_rollup")
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	} else if err != nil {
		return 0, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) == 3 && fields[0] == "Pss:" {
			kib, err := strconv.ParseFloat(fields[1], 64)
			return kib * 1024, err
		}
	}
	return 0, nil
}
