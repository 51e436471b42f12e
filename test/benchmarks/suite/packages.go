// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// packageBenchmarks returns a function that runs the benchmarks of a package once.
func packageBenchmarks(pkg string) func(func(place, []result)) error {
	return func(add func(place, []result)) error {
		// Benchmarks that take turns on their own are left to whoever wants them.
		cmd := exec.Command("build/bench/"+pkg+".test",
			"-test.run=^$", "-test.bench=.", "-test.skip=Ratio|Resize", "-test.benchtime=20ms")
		cmd.Stderr = os.Stderr
		output, err := cmd.Output()
		if err != nil {
			return err
		}
		add(host, parseBenchmarks(output))
		return nil
	}
}

// parseBenchmarks reads the benchmarks in the output of go test: lines of a name,
// the number of iterations, and figures with a unit each.
func parseBenchmarks(output []byte) []result {
	var results []result
	for lines := bufio.NewScanner(bytes.NewReader(output)); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") || fields[3] != "ns/op" {
			continue
		}
		name := strings.TrimPrefix(fields[0], "Benchmark")
		if i := strings.LastIndexByte(name, '-'); i >= 0 {
			if _, err := strconv.Atoi(name[i+1:]); err == nil {
				name = name[:i] // the number of CPUs
			}
		}
		if value, err := strconv.ParseFloat(fields[2], 64); err == nil {
			results = append(results, result{Series: name, Value: value})
		}
	}
	return results
}

// ownOf returns the name of the package's own benchmark to compare a peer's with.
func ownOf(series string) string {
	for _, peer := range []string{"linear", "bitset", "gvisor-bitmap", "slice", "slices-clip"} {
		if before, after, ok := strings.Cut(series, "/"+peer+"/"); ok {
			return before + "/sentrybinder/" + after
		}
	}
	return strings.NewReplacer(
		"list=ilist/", "list=List/",
		"list=container/list", "list=List/pointer",
		"by=ilist", "by=All",
	).Replace(series)
}
