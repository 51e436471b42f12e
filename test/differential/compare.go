// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	pkgprogram "sentrybinder/test/differential/program"
)

// A trace records what happened when a program was played, line by line.
type trace struct {
	name  string
	lines []string
	// reached is the code of the driver that has run, if -coverage=each was given.
	reached reach
}

// parseTraces parses the output of playMain.
func parseTraces(out string) []trace {
	var all []trace
	for line := range strings.Lines(out) {
		line = strings.TrimSuffix(line, "\n")
		if name, ok := strings.CutPrefix(line, header); ok {
			all = append(all, trace{name: name})
		} else if len(all) > 0 {
			t := &all[len(all)-1]
			if counters, ok := strings.CutPrefix(line, reachedHeader); ok {
				t.reached = parseReach(counters)
			} else {
				t.lines = append(t.lines, line)
			}
		}
	}
	return all
}

// steps returns the program of a trace up to line n.
func (t *trace) steps(n int) []pkgprogram.Step {
	var steps []pkgprogram.Step
	for _, line := range t.lines[:min(n, len(t.lines))] {
		if s, ok, err := parseStep(line); ok && err == nil {
			steps = append(steps, s)
		}
	}
	return steps
}

// stepAt returns the step that line n is a result of, or nil if the line is itself a step.
func (t *trace) stepAt(n int) *pkgprogram.Step {
	for i := n; i >= 0; i-- {
		s, ok, err := parseStep(t.lines[i])
		if !ok || err != nil {
			continue
		}
		if i == n {
			return nil
		}
		return &s
	}
	return nil
}

// A divergence is a difference between two drivers' traces of a program.
type divergence struct {
	name string
	// steps is the program up to and including the step that shows the difference.
	steps []pkgprogram.Step
	// before is the common part of the traces. linux and here are the first lines that
	// differ, and a few that follow.
	before      []string
	linux, here []string
	// linuxRest and hereRest are all lines from the difference on.
	linuxRest, hereRest []string
	// rule is the name of the rule that explains it, or "".
	rule string
}

// compare returns the first difference between two traces of a program that no rule hides,
// or nil. It adds the number of lines with hidden differences to hidden, by rule.
func compare(linux, here *trace, hidden map[string]int) *divergence {
	i := 0
	for i < len(linux.lines) && i < len(here.lines) && (linux.lines[i] == here.lines[i] || hide(linux, here, i, hidden)) {
		i++
	}
	if i == len(linux.lines) && i == len(here.lines) {
		return nil
	}
	const context = 6
	d := &divergence{
		name:   linux.name,
		steps:  linux.steps(i),
		before: linux.lines[:i],
		linux:  linux.lines[i:min(i+context, len(linux.lines))],
		here:   here.lines[i:min(i+context, len(here.lines))],

		linuxRest: linux.lines[i:],
		hereRest:  here.lines[i:],
	}
	d.rule = explain(d)
	return d
}

var numbers = regexp.MustCompile(`0x[0-9a-f]+|[0-9a-f]{8}|[0-9]+`)

// kind returns a description that is the same for divergences that probably have the same
// cause.
func (d *divergence) kind() string {
	if len(d.linux) > 0 && len(d.here) > 0 && strings.HasPrefix(d.linux[0], "counts ") {
		return "counts of" + differing(d.linux[0], d.here[0])
	}
	first := func(lines []string) string {
		if len(lines) == 0 {
			return "nothing"
		}
		return numbers.ReplaceAllString(lines[0], "#")
	}
	what := cmp.Or(string(d.last().Op), "the end")
	return fmt.Sprintf("%s: %s | %s", what, first(d.linux), first(d.here))
}

// last returns the step that shows the divergence, or the zero Step if there is none.
func (d *divergence) last() pkgprogram.Step {
	if len(d.steps) == 0 {
		return pkgprogram.Step{}
	}
	return d.steps[len(d.steps)-1]
}

// differing returns the names whose counts differ between two lines of counts.
func differing(a, b string) string {
	counts := func(line string) map[string]string {
		m := make(map[string]string)
		for _, word := range strings.Fields(line)[1:] {
			name, n, _ := strings.Cut(word, ":")
			m[name] = n
		}
		return m
	}
	ca, cb := counts(a), counts(b)
	names := slices.Collect(maps.Keys(ca))
	names = slices.AppendSeq(names, maps.Keys(cb))
	slices.Sort(names)
	var out string
	for _, name := range slices.Compact(names) {
		if ca[name] != cb[name] {
			out += " " + name
		}
	}
	return out
}

func (d *divergence) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "program %s, step %d:\n", d.name, len(d.steps))
	from := max(0, len(d.before)-12)
	for _, l := range d.before[from:] {
		fmt.Fprintf(&b, "    %s\n", l)
	}
	for _, l := range d.linux {
		fmt.Fprintf(&b, "  Linux: %s\n", l)
	}
	for _, l := range d.here {
		fmt.Fprintf(&b, "  here:  %s\n", l)
	}
	return b.String()
}
