// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Binary differential looks for a program that can tell the driver from Linux's.
//
// It plays random programs (see package play) in a sandbox and under a kernel with
// Linux's own driver, and compares what happens, line by line. A program whose
// traces differ, a divergence, is cut down to the shortest one that still shows
// it, and printed as a test case for test/syscalls.
//
// The same binary is the tool and, with the argument "play", what runs in both
// places. Programs run in batches, each in a fresh sandbox or kernel; within a
// batch the processes are used again as far as they have been left in order.
//
// Differences that are no mistake are in rules.go, each with its reason.
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
	seeds     = flag.String("seeds", "1-100", "the programs: the first and the last seed")
	batch     = flag.Int("batch", 400, "the number of programs in a batch")
	runsc     = flag.String("runsc", "build/sandbox", "runsc, with the gate")
	oracle    = flag.String("oracle", os.Getenv("BINDER_ORACLE"), "program that runs a command under a kernel with Linux's driver")
	peer      = flag.String("peer", "c", "which of Linux's drivers to compare with: c or rust")
	common    = flag.Bool("common", false, "make programs of what Linux's two drivers do alike, and not only of what the one does as the sandbox does")
	budget    = flag.Duration("for", 0, "how long to go on with further seeds; 0 for just those that are given")
	limit     = flag.Duration("limit", 0, "when to stop, even if there are seeds left; 0 for never")
	fresh     = flag.Bool("fresh", false, "begin with a seed that was never used, in place of those that are given, and don't fail for what that finds")
	shrink    = flag.Bool("shrink", true, "cut divergences down")
	explained = flag.Bool("explained", false, "show a divergence that has an explanation for each rule, too")
	program   = flag.String("program", "", "file with programs, one step a line as in a trace, to play in place of seeds")
	cover     = flag.Bool("cover", false, "tell how much of the driver's code has run; -runsc must be built with -cover")
	missed    = flag.Bool("missed", false, "with -cover, print the places that have not")
	anew      = flag.Bool("corpus", false, "make the corpus anew, of the seeds' programs; -runsc must be built with -cover")
	everyTest = flag.Bool("tests", false, "in place of all that, tell how much of the driver's code all its tests reach; -runsc must be built with -cover")
	plant     = flag.Bool("faults", false, "plant faults in the driver, and see whether the seeds' programs find them")
	named     = flag.Bool("named", false, "with -faults, plant only those that a certain test is to find")
	only      = flag.String("only", "", "plant only faults with this in their name")
	saved     = flag.String("traces", "", "directory to keep the batches' traces in")
)
