// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Binary test runs all of the repository's checks and tests, and ends with a
// table of what ran where and a last line of totals:
//
//	N passed, N failed, N skipped
//
// It exits with status 1 if anything failed. make test runs it in the repository's root.
// With -table it only updates the table of what works in docs/conformance.md; with -android
// it only rehearses Android's boot, and with -android-table it updates the table of results.
// With -arm64 it only tests arm64 under emulation, and with -arm64-small only a part of
// that which takes minutes; -only runs only those of their parts whose names it matches.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"
)

// A row of the table.
type row struct {
	suite string // a package's directory, or the name of a check
	place string // where it ran
	counts
	failing []string // the names of tests that failed, as far as they are known
}

// A step runs something and returns its counts by suite and place. An error is a failure
// that no row shows.
type step struct {
	name string
	run  func() ([]row, error)
}

var steps = []step{
	{"gofmt", check("sh", "-c", "! find . -path ./build -prune -o -name '*.go' -print0 | xargs -0 gofmt -l 2>&1 | grep .")},
	{"go vet", check("go", "vet", "./...")},
	{"go vet, arm64", check("env", "GOARCH=arm64", "go", "vet", "./...")},
	{"tests build for arm64", check("env", "GOARCH=arm64", "go", "test", "-c", "-o", os.DevNull, "./...")},
	{"generated code", check("make", "--no-print-directory", "check-generated")},
	{"checklocks", check("make", "--no-print-directory", "checklocks")},
	{"BUILD files", check("sh", "-c", buildFiles)},
	{"surface and its table", checkSurface},
	{"links in the documentation", checkLinks},
	{"unit tests with the race detector", unitTests},
	{"bazel test //...", bazelTests},
}

// buildFiles prints the packages, and those with tests, that BUILD files lack.
const buildFiles = `! go list -f '{{.Dir}} {{if or .TestGoFiles .XTestGoFiles}}_test{{else}}_library{{end}}(' ./... |
	while read -r dir rule; do
		grep -qs "$rule" "$dir/BUILD.bazel" || echo "$dir: no rule go$rule...) in BUILD.bazel"
	done | grep .`

func main() {
	table := flag.Bool("table", false, "only update the table in "+tableFile)
	boot := flag.Bool("android", false, "only rehearse Android's boot")
	bootTable := flag.Bool("android-table", false, "only update the rehearsal's table in "+bootTableFile)
	arm64 := flag.Bool("arm64", false, "only test arm64, under emulation")
	small := flag.Bool("arm64-small", false, "only do a small part of that")
	only := flag.String("only", "", "with either: only what this regular expression matches")
	flag.Parse()
	if *arm64 || *small {
		steps = emulate(*small, regexp.MustCompile(*only))
	}
	for _, mode := range []struct {
		chosen bool
		run    func() error
	}{{*table, writeTable}, {*boot, rehearse}, {*bootTable, writeBootTable}} {
		if mode.chosen {
			if err := mode.run(); err != nil {
				fmt.Println(err)
				os.Exit(1)
			}
			return
		}
	}

	var rows []row
	for _, s := range steps {
		fmt.Printf("\n==== %s\n", s.name)
		start := time.Now()
		counted, err := s.run()
		if err != nil {
			fmt.Printf("%s: %v\n", s.name, err)
			counted = append(counted, row{suite: s.name, place: "-", counts: counts{failed: 1}})
		}
		// A check is its own suite.
		for i := range counted {
			if counted[i].suite == "" {
				counted[i].suite = s.name
			}
		}
		rows = append(rows, counted...)
		fmt.Printf("---- %s: %.0f s\n", s.name, time.Since(start).Seconds())
	}

	fmt.Println()
	total := row{suite: "total"}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "suite\twhere\tpassed\tfailed\tskipped")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\n", r.suite, r.place, r.passed, r.failed, r.skipped)
		total.passed += r.passed
		total.failed += r.failed
		total.skipped += r.skipped
	}
	w.Flush()
	printFailures(os.Stdout, rows)
	fmt.Printf("\n%d passed, %d failed, %d skipped\n", total.passed, total.failed, total.skipped)
	if total.failed > 0 {
		os.Exit(1)
	}
}

// printFailures names what failed.
func printFailures(w io.Writer, rows []row) {
	for _, r := range rows {
		for _, name := range r.failing {
			fmt.Fprintf(w, "--- FAIL: %s (%s, %s)\n", name, r.suite, r.place)
		}
		if r.failed > len(r.failing) {
			fmt.Fprintf(w, "--- FAIL: %s (%s)\n", r.suite, r.place)
		}
	}
}

// check returns a step's function that runs a command and counts as one test.
func check(name string, args ...string) func() ([]row, error) {
	return func() ([]row, error) {
		result := row{place: "source", counts: counts{passed: 1}}
		cmd := command(name, args...)
		// Compile packages like make runsc and Bazel's rules, for the sake of the go
		// command's cache: gVisor has many.
		flags, err := exec.Command("go", "env", "GOFLAGS").Output()
		if err != nil {
			return nil, err
		}
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath "+strings.TrimSpace(string(flags)))
		if err := cmd.Run(); err != nil {
			fmt.Println(err)
			result.counts = counts{failed: 1}
		}
		return []row{result}, nil
	}
}

// command returns a command that writes to this program's standard streams.
func command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd
}

// unitTests runs the tests that need neither the device nor a sandbox.
func unitTests() ([]row, error) {
	list, err := exec.Command("go", "list", "./...").Output()
	if err != nil {
		return nil, err
	}
	// lockdep records the order in which locks are taken; see package locking.
	args := []string{"test", "-race", "-tags=lockdep", "-json"}
	for _, pkg := range strings.Fields(string(list)) {
		if !strings.HasPrefix(pkg, "sentrybinder/test/") {
			args = append(args, pkg)
		}
	}
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1") // The race detector needs it.
	cmd.Stderr = os.Stderr
	events, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	var rows []row
	broken := false
	for _, p := range readEvents(events, os.Stdout) {
		r := p.row(strings.TrimPrefix(p.name, "sentrybinder/"), "host, race", false)
		broken = broken || r.failed > 0
		if r.counts != (counts{}) {
			rows = append(rows, r)
		}
	}
	if err := cmd.Wait(); err != nil && !broken {
		return rows, err
	}
	return rows, nil
}
