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

// A rule explains divergences that are not bugs of our driver. What a program does after an
// explained divergence is not compared, unless the rule can hide the difference.
type rule struct {
	name string
	// peer is the driver that differs: "c", "rust", or "" for both.
	peer string
	// why is the reason.
	why string
	// applies, if not nil, returns whether the rule explains d.
	applies func(d *divergence) bool

	// hide, if not nil, returns two result lines of step s without the difference, so
	// that the comparison can continue.
	hide func(s *pkgprogram.Step, linux, here string) (string, string)
}

var rules = []rule{
	{
		name: "which of a process's devices is released first",
		peer: "c",
		why: "On Linux, a worker releases devices. If a process ends with two, which one comes first depends on whether " +
			"the worker runs before the second one is queued. The sandbox releases them in order. A thread that requested " +
			"both death notifications gets one or the other first. If they have the same cookie, only a log says which.",
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
		name: "readiness that Linux's epoll was not notified of",
		why: "An epoll instance only checks a device again when it is woken. Linux wakes it for one thread's work, but " +
			"not for a flush, after which all threads return. gVisor can't tell threads apart there, and wakes it for " +
			"everything that happens to the process.",
		applies: func(d *divergence) bool {
			return d.last().Op == pkgprogram.Epoll &&
				first(d.linux) == "  ok 0 00000000" && first(d.here) == "  ok 1 01000000"
		},
		hide: func(_ *pkgprogram.Step, linux, here string) (string, string) {
			// The check sets a flag of the thread.
			return polled.ReplaceAllStringFunc(linux, notPolled), polled.ReplaceAllStringFunc(here, notPolled)
		},
	},
	{
		name: "an error of descriptors that surfaces at a node",
		peer: "c",
		why: "If a transaction can't be delivered since there is no room for its descriptors, Linux's C driver leaves the " +
			"error in a variable that it checks again if it comes to a node in the same read. The read then fails with " +
			"that error, and the node's notification is lost. The Rust driver has no such variable.",
		applies: func(d *divergence) bool {
			here := first(d.here)
			return d.last().ReadSize > 0 && d.has(pkgprogram.FileLimit) &&
				strings.HasPrefix(first(d.linux), "  ENOMEM w=") &&
				(strings.HasPrefix(here, "  EAGAIN w=") || strings.HasPrefix(here, "  ok w=") || here == "  sleeps")
		},
	},
	{
		name: "fields without a meaning",
		peer: "c",
		why: "Linux's C driver passes on the flags of descriptors and of arrays of descriptors, the Rust driver clears " +
			"them. If there are no offsets, their address is the end of the data in C, and 0 in Rust.",
		hide: without(regexp.MustCompile(`offsets=0x[0-9a-f]+\+0 |^      FD \d+ \S+ 0x[0-9a-f]+|^      FDA 0x[0-9a-f]+`)),
	},
	{
		name: "a handle that is unknown, or only weak",
		peer: "c",
		why: "In C, BINDER_GET_NODE_INFO_FOR_REF is EINVAL for an unknown handle and for a weak one. In Rust, it is ENOENT " +
			"for an unknown one, and a weak one will do.",
		hide: func(s *pkgprogram.Step, linux, here string) (string, string) {
			if rest, ok := strings.CutPrefix(linux, "  EINVAL"); ok && s.Op == pkgprogram.NodeInfo && (here == "  ENOENT"+rest || strings.HasPrefix(here, "  ok ")) {
				linux = here
			}
			return linux, here
		},
	},
	{
		name: "the receiver in a report",
		peer: "c",
		why: "Reports of failed transactions to the dead, and by a thread that waits for the reply to another one, name " +
			"the receiver in Rust, but not in C.",
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
		why:  "It is EINVAL for some requests in C, and EFAULT for all in Rust.",
		hide: func(s *pkgprogram.Step, linux, here string) (string, string) {
			if rest, ok := strings.CutPrefix(linux, "  EINVAL"); ok && s.Op == pkgprogram.Ioctl && here == "  EFAULT"+rest {
				linux = here
			}
			return linux, here
		},
	},
}

// withoutReceiver removes the receiver from reports if they differ in it.
var withoutReceiver = without(regexp.MustCompile(fmt.Sprintf(` (%d|%d)=\S+`, binder.BINDER_A_REPORT_TO_PID, binder.BINDER_A_REPORT_TO_TID)))

// polled matches a thread in a log up to the first digit of its looper flags, if these
// include BINDER_LOOPER_STATE_POLL.
var polled = regexp.MustCompile(`^  thread [^ ]+: l [23]`)

// notPolled returns a match of polled without that flag.
func notPolled(thread string) string {
	last := len(thread) - 1
	return thread[:last] + string(thread[last]-2)
}

func init() { rules = append(rules, rustRules...) }

// endsWithTwo returns whether a process has ended while it had two devices open. Of the ways
// to close one, it only knows program.Close.
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

// undelivered returns a log with all death notifications marked as not delivered yet.
func undelivered(lines []string) []string {
	lines = slices.Clone(lines)
	for i, line := range lines {
		if line == "  has delivered dead binder" {
			lines[i] = "  has dead binder"
		}
	}
	return lines
}

// sameLines returns whether a and b have the same lines in any order.
func sameLines(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// first returns the first line, or "" if there is none.
func first(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return lines[0]
}

// explain returns the name of the rule that explains d, or "" if none does.
func explain(d *divergence) string {
	for _, r := range rules {
		if (r.peer == "" || r.peer == *peer) && r.applies != nil && r.applies(d) {
			return r.name
		}
	}
	return ""
}

// hide returns whether rules hide every difference in line i. If they do, and hidden is
// not nil, it counts the line in hidden for each rule that this took.
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

// without returns a function for rule.hide that removes the parts of lines that match re, if
// these parts differ.
func without(re *regexp.Regexp) func(s *pkgprogram.Step, linux, here string) (string, string) {
	return func(_ *pkgprogram.Step, linux, here string) (string, string) {
		if slices.Equal(re.FindAllString(linux, -1), re.FindAllString(here, -1)) {
			return linux, here
		}
		return re.ReplaceAllString(linux, ""), re.ReplaceAllString(here, "")
	}
}
