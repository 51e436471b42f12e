// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Binary differential looks for programs that behave differently on our driver and on
// Linux's.
//
// It plays random programs (see package play) in a sandbox and under a kernel with
// Linux's own driver, and compares what happens, line by line. A program whose traces
// differ, a divergence, is reduced to the shortest one that still shows the difference,
// and printed as a test case for test/syscalls.
//
// The same binary is the tool and, with the argument "play", the program that runs in
// both places. Programs run in batches, each in a fresh sandbox or kernel. Within a batch,
// processes are reused unless a program has left them in an unusable state.
//
// rules.go lists the differences that are not bugs, each with its reason.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	var err error
	if len(os.Args) > 1 && os.Args[1] == "play" {
		err = playMain(os.Args[2:])
	} else {
		err = toolMain()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "differential:", err)
		os.Exit(1)
	}
}

var (
	seeds     = flag.String("seeds", "1-100", "first and last seed of the programs to play, as FIRST-LAST")
	batch     = flag.Int("batch", 400, "number of programs per batch")
	runsc     = flag.String("runsc", "build/sandbox", "runsc with the gate")
	oracle    = flag.String("oracle", os.Getenv("BINDER_ORACLE"), "program that runs a command under a kernel with Linux's driver")
	peer      = flag.String("peer", "c", "which of Linux's drivers to compare with: c or rust")
	common    = flag.Bool("common", false, "leave out of programs what either of Linux's drivers does differently, not only -peer")
	budget    = flag.Duration("for", 0, "continue with further seeds until this much time has passed; 0 plays only -seeds")
	limit     = flag.Duration("limit", 0, "stop after this much time even if seeds are left; 0 for no limit")
	fresh     = flag.Bool("fresh", false, "begin with a seed that was never used, instead of -seeds, and don't fail if a divergence is found")
	shrink    = flag.Bool("shrink", true, "reduce divergences to short programs")
	explained = flag.Bool("explained", false, "also show one explained divergence per rule")
	program   = flag.String("program", "", "file with programs, one step per line as in a trace, to play instead of -seeds")
	cover     = flag.Bool("cover", false, "report how much of the driver's code has run; -runsc must be built with -cover")
	missed    = flag.Bool("missed", false, "with -cover or -tests, print the places that have not run")
	rebuild   = flag.Bool("corpus", false, "instead of comparing, rebuild the corpus from itself and the seeds' programs; -runsc must be built with -cover")
	allTests  = flag.Bool("tests", false, "instead of comparing, report how much of the driver's code all of its tests cover; -runsc must be built with -cover")
	plant     = flag.Bool("faults", false, "instead of comparing, plant faults in the driver and check that the seeds' programs find them")
	named     = flag.Bool("named", false, "with -faults, plant only those that a particular test must find")
	only      = flag.String("only", "", "with -faults, plant only those whose name contains this")
	saved     = flag.String("traces", "", "directory to save the batches' traces in")
)
