// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	pkgprogram "sentrybinder/test/differential/program"
)

// A rule explains divergences that are no mistake of the driver's. What a program
// does after one that is explained says nothing any more.
type rule struct {
	name string
	// peer is the driver that differs: "c", "rust" or "" for both.
	peer string
	// why is the reason.
	why string
	// applies says whether d is explained.
	applies func(d *divergence) bool
}

var rules = []rule{
	{
		name: "which device of a process is released first",
		peer: "c",
		why: "Linux leaves the release of devices to a worker. If a process ends with two of them, which it takes " +
			"first depends on whether it comes before the second one is there. The sandbox releases them in order.",
		applies: func(d *divergence) bool {
			return d.endsWithTwo() && sameLines(d.linuxRest, d.hereRest)
		},
	},
	{
		name: "readiness that Linux's epoll has not heard of",
		why: "An epoll instance asks a device again only when it's woken, and Linux wakes it for what one thread " +
			"has to do, not for a close that makes all return. gVisor can't tell threads apart there, and wakes " +
			"it for all that happens to the process.",
		applies: func(d *divergence) bool {
			return len(d.steps) > 0 && d.steps[len(d.steps)-1].Op == pkgprogram.Epoll &&
				first(d.linux) == "  ok 0 00000000" && first(d.here) == "  ok 1 01000000"
		},
	},
	{
		name: "which of several holes of the same size",
		peer: "rust",
		why: "Linux's driver in C, and with it this one, finds a hole for a buffer in a tree by size. Among holes " +
			"that fit exactly it takes the one that happens to be at the top, the one in Rust the lowest.",
		applies: func(d *divergence) bool {
			l, h := first(d.linux), first(d.here)
			return l != h && dataPlace.MatchString(l) && dataPlace.ReplaceAllString(l, "") == dataPlace.ReplaceAllString(h, "")
		},
	},
}

// dataPlace is where a trace says that a buffer is.
var dataPlace = regexp.MustCompile(`data=m\d+:0x[0-9a-f]+|buffer \d+: [0-9a-f]+|offset [0-9a-f]+`)

// endsWithTwo returns whether a process has ended that had two devices open, if it
// has not closed one of them otherwise than by program.Close.
func (d *divergence) endsWithTwo() bool {
	var open [pkgprogram.MaxProcesses]int
	var last pkgprogram.Step
	for _, line := range d.before {
		p := -1
		if s, ok, _ := parseStep(line); ok {
			last = s
			if s.Op == pkgprogram.Kill || s.Op == pkgprogram.Exit {
				p = s.P
			}
		} else if last.Op == pkgprogram.Open && strings.HasPrefix(line, "  fd ") && !strings.HasPrefix(line, "  fd -") {
			open[last.P]++
		} else if last.Op == pkgprogram.Close && line == "  ok" {
			open[last.P]--
		} else {
			fmt.Sscanf(line, "end P%d", &p)
		}
		if p >= 0 && open[p] > 1 {
			return true
		}
	}
	return false
}

// sameLines returns whether a and b differ in the order of lines only.
func sameLines(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

func first(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return lines[0]
}

// explain returns the name of the rule that explains d, or "".
func explain(d *divergence) string {
	for _, r := range rules {
		if (r.peer == "" || r.peer == *peer) && r.applies(d) {
			return r.name
		}
	}
	return ""
}
