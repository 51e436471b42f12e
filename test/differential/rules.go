// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sentrybinder/pkg/abi/binder"
	pkgprogram "sentrybinder/test/differential/program"
)

// A rule explains divergences that are no mistake of the driver's. What a program
// does after one that is explained says nothing any more, unless the rule hides it.
type rule struct {
	name string
	// peer is the driver that differs: "c", "rust" or "" for both.
	peer string
	// why is the reason.
	why string
	// applies says whether d is explained.
	applies func(d *divergence) bool

	// hide, if it's there, returns two lines of what came of a step without the
	// difference, so that the comparison goes on.
	hide func(s *pkgprogram.Step, linux, here string) (string, string)
}

var rules = []rule{
	{
		name: "which device of a process is released first",
		peer: "c",
		why: "Linux leaves the release of devices to a worker. If a process ends with two of them, which it takes " +
			"first depends on whether it comes before the second one is there. The sandbox releases them in order. " +
			"Who has asked for both deaths is told of one or of the other; if by the same cookie, only a log says of which.",
		applies: func(d *divergence) bool {
			if !d.endsWithTwo() {
				return false
			}
			more, less := d.returns()
			return len(more) == len(less) && allNamed(slices.Concat(more, less), "DEAD_BINDER") && d.asked(more) && d.asked(less) ||
				sameLines(undelivered(d.linuxRest), undelivered(d.hereRest))
		},
	},
	{
		name: "readiness that Linux's epoll has not heard of",
		why: "An epoll instance asks a device again only when it's woken, and Linux wakes it for what one thread " +
			"has to do, not for a close that makes all return. gVisor can't tell threads apart there, and wakes " +
			"it for all that happens to the process.",
		applies: func(d *divergence) bool {
			return d.last().Op == pkgprogram.Epoll &&
				first(d.linux) == "  ok 0 00000000" && first(d.here) == "  ok 1 01000000"
		},
		hide: func(_ *pkgprogram.Step, linux, here string) (string, string) {
			// That it has asked the device is a flag of the thread's.
			return polled.ReplaceAllStringFunc(linux, notPolled), polled.ReplaceAllStringFunc(here, notPolled)
		},
	},
	{
		name: "an error of files that news of a node bring up",
		peer: "c",
		why: "If a transaction is not delivered since there's no room for its descriptors, Linux's driver in C keeps the " +
			"error in a variable that it looks at again when it comes to a node in the same read. The read fails " +
			"with it, and what was to be told of the node is lost. The one in Rust has no such variable.",
		applies: func(d *divergence) bool {
			here := first(d.here)
			return d.last().ReadSize > 0 && d.has(pkgprogram.FileLimit) &&
				strings.HasPrefix(first(d.linux), "  ENOMEM w=") &&
				(strings.HasPrefix(here, "  EAGAIN w=") || strings.HasPrefix(here, "  ok w=") || here == "  sleeps")
		},
	},
	{
		name: "fields that mean nothing",
		peer: "c",
		why: "Linux's driver in C carries the flags of descriptors and of arrays of them, the one in Rust clears them. " +
			"The address of offsets, if there are none, is the end of the data in C, and 0 in Rust.",
		hide: without(regexp.MustCompile(`offsets=0x[0-9a-f]+\+0 |^      FD \d+ \S+ 0x[0-9a-f]+|^      FDA 0x[0-9a-f]+`)),
	},
	{
		name: "a handle that is not known, or not strong",
		peer: "c",
		why: "BINDER_GET_NODE_INFO_FOR_REF says EINVAL of a handle that is unknown in C, and ENOENT in Rust, to which " +
			"a weak one will do.",
		hide: func(s *pkgprogram.Step, linux, here string) (string, string) {
			if rest, ok := strings.CutPrefix(linux, "  EINVAL"); ok && s.Op == pkgprogram.NodeInfo && (here == "  ENOENT"+rest || strings.HasPrefix(here, "  ok ")) {
				linux = here
			}
			return linux, here
		},
	},
	{
		name: "whom a report is for",
		peer: "c",
		why: "Reports of transactions to the dead, and by who waits for the answer to another one, say whom they are for " +
			"in Rust, and not in C.",
		hide: func(s *pkgprogram.Step, linux, here string) (string, string) {
			if strings.HasPrefix(linux, "  report ") && strings.HasPrefix(here, "  report ") {
				return withoutReceiver(s, linux, here)
			}
			return linux, here
		},
	},
	{
		name: "an argument at a bad address",
		peer: "c",
		why:  "Some requests of Linux's driver in C answer EINVAL, and none of the one in Rust.",
		hide: func(s *pkgprogram.Step, linux, here string) (string, string) {
			if rest, ok := strings.CutPrefix(linux, "  EINVAL"); ok && s.Op == pkgprogram.Ioctl && here == "  EFAULT"+rest {
				linux = here
			}
			return linux, here
		},
	},
}

// withoutReceiver leaves out whom reports are for, if they differ in that.
var withoutReceiver = without(regexp.MustCompile(fmt.Sprintf(` (%d|%d)=\S+`, binder.BINDER_A_REPORT_TO_PID, binder.BINDER_A_REPORT_TO_TID)))

// polled matches what a log says of a thread that has BINDER_LOOPER_STATE_POLL, up
// to the digit with that flag, and notPolled returns it without.
var polled = regexp.MustCompile(`^  thread [^ ]+: l [23]`)

func notPolled(thread string) string {
	last := len(thread) - 1
	return thread[:last] + string(thread[last]-2)
}

func init() { rules = append(rules, rustRules...) }

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

// undelivered returns a log in which no death has been told of.
func undelivered(lines []string) []string {
	lines = slices.Clone(lines)
	for i, line := range lines {
		if line == "  has delivered dead binder" {
			lines[i] = "  has dead binder"
		}
	}
	return lines
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
		if (r.peer == "" || r.peer == *peer) && r.applies != nil && r.applies(d) {
			return r.name
		}
	}
	return ""
}

// hide returns whether rules hide all that differs in line i, and counts those that
// are needed for it in hidden.
func hide(linux, here *trace, i int, hidden map[string]int) bool {
	s := linux.stepAt(i)
	if s == nil || here.lines[i] == "" {
		return false
	}
	l, h := linux.lines[i], here.lines[i]
	var needed []string
	for _, r := range rules {
		if r.hide == nil || r.peer != "" && r.peer != *peer {
			continue
		}
		newL, newH := r.hide(s, l, h)
		if newL != l || newH != h {
			needed = append(needed, r.name)
			l, h = newL, newH
		}
		if l == h {
			break
		}
	}
	if l != h {
		return false
	}
	for _, name := range needed {
		if hidden != nil {
			hidden[name]++
		}
	}
	return true
}

// without returns a function that leaves out what differs in the places of a line
// that match re.
func without(re *regexp.Regexp) func(s *pkgprogram.Step, linux, here string) (string, string) {
	return func(_ *pkgprogram.Step, linux, here string) (string, string) {
		if slices.Equal(re.FindAllString(linux, -1), re.FindAllString(here, -1)) {
			return linux, here
		}
		return re.ReplaceAllString(linux, ""), re.ReplaceAllString(here, "")
	}
}
