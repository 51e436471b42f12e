// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Binary suite runs the benchmarks, each in turn with its peers, and prints a table for
// each. make bench runs it in the repository's root, and builds what it needs in build/.
//
//	suite [-runs 5] [-time 200ms] [-short] [-runsc bin/runsc] [-out build/bench] [BENCHMARK]...
//
// In the directory -out it writes the tables to report.md and all results, with a
// description of the machine, to results.json. With -record it copies those of the
// last run into the repository.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

var (
	runs        = flag.Int("runs", 5, "runs of each benchmark")
	span        = flag.Duration("time", 150*time.Millisecond, "time to measure each figure for, in each run")
	short       = flag.Bool("short", false, "use a hundredth of the nodes and processes, to test the benchmarks themselves")
	keep        = flag.Bool("record", false, "measure nothing, but record the last results in "+recordPage)
	runsc       = flag.String("runsc", "bin/runsc", "runsc to measure in sandboxes of")
	turns       = flag.Int("turns", 1, "turns of hostile, each of calls alone and beside an attack")
	only        = flag.String("attacks", "", "letters of the attacks that hostile measures; all if empty")
	memoryLimit = flag.Int64("memory", 4<<30, "bytes that the driver may keep for each container of hostile; no attack needs more than the default")
	at          = flag.String("places", "", "places where hostile measures, separated by semicolons; all if empty")
	out         = flag.String("out", "build/bench", "directory to write to")
)

func main() {
	flag.Parse()
	run := func() error { return suite(flag.Args()) }
	if *keep {
		run = record
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "suite:", err)
		os.Exit(1)
	}
}

func suite(names []string) error {
	for _, name := range names {
		if !slices.ContainsFunc(benchmarks, func(b *benchmark) bool { return b.Name == name }) {
			var all []string
			for _, b := range benchmarks {
				all = append(all, b.Name)
			}
			return fmt.Errorf("no benchmark %q; the benchmarks are %s", name, strings.Join(all, ", "))
		}
	}
	if os.Getenv("BINDER_ORACLE") == "" {
		fmt.Fprintln(os.Stderr, "suite: not measuring Linux's own drivers: build them with make oracle, or name them in BINDER_ORACLE")
	}
	r := report{Machine: describeMachine()}
	failed := 0
	for _, b := range benchmarks {
		if len(names) != 0 && !slices.Contains(names, b.Name) {
			continue
		}
		begin := time.Now()
		failed += b.runAll()
		fmt.Fprintf(os.Stderr, "%s: %.0f s\n", b.Name, time.Since(begin).Seconds())
		if len(b.Rows)+len(b.Attacks) != 0 {
			r.Benchmarks = append(r.Benchmarks, b)
		}
		// Whoever interrupts the rest keeps what has been measured.
		if err := r.write(); err != nil {
			return err
		}
	}
	fmt.Print(r.markdown())
	if failed > 0 {
		return fmt.Errorf("%d runs failed", failed)
	}
	return nil
}

// write writes the tables and results to -out.
func (r *report) write() error {
	r.Machine.LoadAfter = load()
	r.Marks = r.marks()
	encoded, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(*out, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(*out, "report.md"), []byte(r.markdown()), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(*out, "results.json"), append(encoded, '\n'), 0o644)
}
