// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// counts are numbers of tests.
type counts struct {
	passed, failed, skipped int
}

// outcome is how a test ended. It is a bit, so that outcomes can form a set.
type outcome int

const (
	passed outcome = 1 << iota
	failed
	skipped
)

// outcomes maps the actions of events that end a test or a package.
var outcomes = map[string]outcome{"pass": passed, "fail": failed, "skip": skipped}

// testResult is what is known about a test.
type testResult struct {
	outcome outcome // 0 until it has ended
	output  strings.Builder
}

// packageResult holds the results of a package's tests, by name. The name "" is the
// package itself, and its outcome the test binary's own verdict.
type packageResult struct {
	name  string
	tests map[string]*testResult
	order []string // the names, in the order in which the tests began
}

// test returns the result of the named test, adding it if it is new.
func (p *packageResult) test(name string) *testResult {
	t := p.tests[name]
	if t == nil {
		t = &testResult{}
		p.tests[name] = t
		p.order = append(p.order, name)
	}
	return t
}

// readEvents reads the output of go test -json or go tool test2json to its end, and
// returns the packages in the order in which they ended; those that never did have failed.
// Meanwhile it writes to w the output of what failed, and a line for each package.
func readEvents(r io.Reader, w io.Writer) []*packageResult {
	var ended []*packageResult
	running := map[string]*packageResult{}
	end := func(p *packageResult, elapsed float64) {
		delete(running, p.name)
		ended = append(ended, p)
		io.WriteString(w, p.failures())
		c := p.counts(false)
		fmt.Fprintf(w, "%s: %d passed, %d failed, %d skipped in %.1f s\n",
			p.name, c.passed, c.failed, c.skipped, elapsed)
	}
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if err != nil && line == "" {
			for _, name := range slices.Sorted(maps.Keys(running)) {
				p := running[name]
				p.test("").outcome = failed
				end(p, 0)
			}
			return ended
		}
		var e struct {
			Action  string
			Package string
			Test    string
			Output  string
			Elapsed float64 // seconds
		}
		if json.Unmarshal([]byte(line), &e) != nil {
			io.WriteString(w, line)
			continue
		}
		if e.Package == "" { // about a build
			io.WriteString(w, e.Output)
			continue
		}

		p := running[e.Package]
		if p == nil {
			p = &packageResult{name: e.Package, tests: map[string]*testResult{}}
			running[e.Package] = p
		}
		t := p.test(e.Test)
		t.output.WriteString(e.Output)
		t.outcome |= outcomes[e.Action]
		if e.Test == "" && t.outcome != 0 {
			end(p, e.Elapsed)
		}
	}
}

// failures returns the output of the tests that failed.
func (p *packageResult) failures() string {
	var b strings.Builder
	for _, name := range p.order {
		if t := p.tests[name]; t.outcome != passed && t.outcome != skipped {
			b.WriteString(t.output.String())
		}
	}
	return b.String()
}

// counts returns the numbers of the package's tests. If the package failed as a whole, by
// its own verdict or because its process did, the number of failures is at least 1.
func (p *packageResult) counts(processFailed bool) counts {
	c := p.count(p.counted())
	own := p.tests[""] // nil if nothing ran
	if c.failed == 0 && (processFailed || own != nil && own.outcome == failed) {
		c.failed = 1
	}
	return c
}

// row returns a row of the table; see counts.
func (p *packageResult) row(suite, place string, processFailed bool) row {
	r := row{suite: suite, place: place, counts: p.counts(processFailed)}
	for _, name := range slices.Sorted(slices.Values(p.counted())) {
		if p.tests[name].outcome == failed {
			r.failing = append(r.failing, name)
		}
	}
	return r
}

// counted returns the names of the tests that count. If a test has subtests, those count;
// it counts itself only if it failed or was skipped and none of them did. A test that has
// not ended took its process with it, and counts as failed.
func (p *packageResult) counted() []string {
	below := map[string]outcome{} // the set of a test's subtests' outcomes
	for name, t := range p.tests {
		if t.outcome == 0 {
			t.outcome = failed
		}
		for i := range name {
			if name[i] == '/' {
				below[name[:i]] |= t.outcome
			}
		}
	}
	var names []string
	for name, t := range p.tests {
		sub, ok := below[name]
		if name != "" && (!ok || t.outcome != passed && sub&t.outcome == 0) {
			names = append(names, name)
		}
	}
	return names
}

// count returns how many of the named tests ended in each way.
func (p *packageResult) count(names []string) counts {
	var c counts
	for _, name := range names {
		switch p.tests[name].outcome {
		case passed:
			c.passed++
		case failed:
			c.failed++
		case skipped:
			c.skipped++
		}
	}
	return c
}

// readLog reads what the test binary of a package printed, with -test.v=test2json, and
// writes to w what readEvents does.
func readLog(name string, log io.Reader, w io.Writer) (*packageResult, error) {
	convert := exec.Command("go", "tool", "test2json", "-p", name)
	convert.Stdin = log
	convert.Stderr = os.Stderr
	events, err := convert.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := convert.Start(); err != nil {
		return nil, err
	}
	packages := readEvents(events, w)
	if err := convert.Wait(); err != nil {
		return nil, err
	}
	return packages[0], nil // test2json begins with it, whatever it reads
}
