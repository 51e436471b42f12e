// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// The rehearsal of Android's boot, and the places in which it runs, as under bazel test.
const (
	bootPackage = "test/android"
	bootBinary  = "build/android.test"
)

var bootPlaces = []string{"systrap", "ptrace", "linux-c"}

// rehearse runs the rehearsal in each place and prints each step's result.
func rehearse() error {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := buildBoot(); err != nil {
		return err
	}
	results := map[string]*packageResult{}
	var total counts
	var broken []error
	for _, place := range bootPlaces {
		log := filepath.Join(dir, place)
		output, err := runBoot(place)
		if err := os.WriteFile(log, output, 0o666); err != nil {
			return err
		}
		target := testTarget{label: "//" + bootPackage, log: log}
		result, readErr := target.results()
		if readErr != nil {
			return fmt.Errorf("%s: %w\n%s", place, cmp.Or(err, readErr), output)
		}
		results[place] = result
		c := result.counts(err != nil)
		total.passed += c.passed
		total.failed += c.failed
		total.skipped += c.skipped
		if c.failed > 0 {
			broken = append(broken, fmt.Errorf("%s:\n%s", place, result.failures()))
		}
	}
	printBoot(os.Stdout, results)
	for _, err := range broken {
		fmt.Println(err)
	}
	fmt.Printf("\n%d passed, %d failed, %d skipped\n", total.passed, total.failed, total.skipped)
	if total.failed > 0 {
		return errors.New("see above")
	}
	return nil
}

// buildBoot builds the test binary like Bazel's rule.
func buildBoot() error {
	cmd := command("go", "test", "-c", "-trimpath", "-o", bootBinary, "./"+bootPackage)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	return cmd.Run()
}

// runBoot runs the test binary in a place and returns its output.
func runBoot(place string, args ...string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	runsc, err := filepath.Abs("bin/runsc")
	if err != nil {
		return nil, err
	}
	annotations, err := bootAnnotations()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("tools/bazel/run_test.sh", append([]string{place, bootBinary, bootPackage}, args...)...)
	cmd.Env = append(os.Environ(), "RUNSC="+runsc, "TEST_TMPDIR="+dir, "ANNOTATIONS="+annotations)
	return cmd.CombinedOutput()
}

// annotation matches annotations in the rule of the rehearsal's package.
var annotation = regexp.MustCompile(`"(dev\.sentrybinder\.[^"]*=[^"]*)"`)

// bootAnnotations returns the sandbox's annotations in the form that run_test.sh takes.
func bootAnnotations() (string, error) {
	rule, err := os.ReadFile(filepath.Join(bootPackage, "BUILD.bazel"))
	if err != nil {
		return "", err
	}
	var all []string
	for _, m := range annotation.FindAllStringSubmatch(string(rule), -1) {
		all = append(all, m[1])
	}
	if all == nil {
		return "", fmt.Errorf("%s/BUILD.bazel has no annotations", bootPackage)
	}
	return strings.Join(all, " "), nil
}

// skipReason matches the reason why a test was skipped in its output.
var skipReason = regexp.MustCompile(`(?m)^\s+\w+\.go:\d+: (.*)$`)

// printBoot prints the steps of each stage, with the results in each place for those that
// don't pass everywhere.
func printBoot(w io.Writer, results map[string]*packageResult) {
	stage := ""
	for _, name := range results[bootPlaces[0]].order {
		parts := strings.SplitN(name, "/", 3)
		if len(parts) < 3 {
			continue
		}
		if parts[1] != stage {
			stage = parts[1]
			fmt.Fprintf(w, "\n%s\n", strings.ReplaceAll(stage, "_", " "))
		}
		everywhere := true
		var text strings.Builder
		for _, place := range bootPlaces {
			t := results[place].tests[name]
			if t == nil {
				continue
			}
			outcome := "yes"
			switch t.outcome {
			case passed:
			case skipped:
				outcome, everywhere = reasonOf(t), false
			default:
				outcome, everywhere = "FAILED", false
			}
			fmt.Fprintf(&text, "      %s: %s\n", place, outcome)
		}
		mark := "yes"
		if !everywhere {
			mark = "  -"
		}
		fmt.Fprintf(w, "  %s  %s\n", mark, strings.ReplaceAll(parts[2], "_", " "))
		if !everywhere {
			io.WriteString(w, text.String())
		}
	}
}

func reasonOf(t *testResult) string {
	if m := skipReason.FindStringSubmatch(t.output.String()); m != nil {
		return m[1]
	}
	return "skipped"
}

// The table is in this file, between these lines, which the tests print, too.
const (
	bootTableFile  = "docs/android.md"
	bootTableBegin = "<!-- beyond binder: written by make android-table -->\n"
	bootTableEnd   = "<!-- end of beyond binder -->\n"
)

// writeBootTable updates the table of what Android's boot needs with the results in a
// sandbox.
func writeBootTable() error {
	if err := buildBoot(); err != nil {
		return err
	}
	output, err := runBoot("systrap", "-table")
	table, ok := between(output)
	if err != nil || !ok {
		return fmt.Errorf("%v\n%s", err, output)
	}
	page, err := os.ReadFile(bootTableFile)
	if err != nil {
		return err
	}
	old, ok := between(page)
	if !ok {
		return errors.New(bootTableFile + " lacks the lines around the table")
	}
	return os.WriteFile(bootTableFile, bytes.Replace(page, old, table, 1), 0o666)
}

// between returns a table and the lines around it.
func between(text []byte) ([]byte, bool) {
	begin := bytes.Index(text, []byte(bootTableBegin))
	if begin < 0 {
		return nil, false
	}
	end := bytes.Index(text[begin:], []byte(bootTableEnd))
	return text[begin : begin+max(end, 0)+len(bootTableEnd)], end >= 0
}
