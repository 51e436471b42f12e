// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// bazelTests runs bazel test //..., counts the tests in the targets' logs, and prints the
// matrix of the conformance tests.
func bazelTests() ([]row, error) {
	matrix, err := readSurface(surfaceSuite)
	if err != nil {
		matrix = nil // checkSurface reports the error
	}
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "events.json")
	testErr := command("tools/test/bazel", "test", "//...",
		"--color=no", "--show_progress_rate_limit=60", "--build_event_json_file="+file).Run()

	events, err := os.Open(file)
	if err != nil {
		return nil, testErr
	}
	defer events.Close()
	targets, err := readBuildEvents(events)
	if err != nil {
		return nil, err
	}
	var rows []row
	conformance := map[string]*packageResult{}
	for _, t := range targets {
		results, err := t.results()
		if err != nil {
			return rows, err
		}
		r := results.row(t.suite(), t.place, !t.ok)
		if r.failed > 0 {
			testErr = nil // a row shows it
		}
		rows = append(rows, r)
		// A place where the tests could not run has one skipped test instead.
		if t.suite() == surfaceSuite && t.log != "" && results.tests[t.place] == nil {
			conformance[t.place] = results
		}
	}
	fmt.Println()
	return rows, errors.Join(testErr, matrix.printMatrix(os.Stdout, conformance))
}

// testTarget is a Bazel test target.
type testTarget struct {
	label string
	place string
	ok    bool
	log   string // its path; "" if the test did not run
}

// suite returns the directory of the target's package.
func (t *testTarget) suite() string {
	pkg, _, _ := strings.Cut(t.label, ":")
	return strings.TrimPrefix(pkg, "//")
}

// results returns the results of the tests in the target's log.
func (t *testTarget) results() (*packageResult, error) {
	if t.log == "" {
		return &packageResult{name: t.suite()}, nil
	}
	log, err := os.Open(t.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	return readLog(t.suite(), log, io.Discard)
}

// readBuildEvents reads the build events of a bazel test, and returns the test targets,
// sorted by label.
func readBuildEvents(r io.Reader) ([]*testTarget, error) {
	var targets []*testTarget
	byLabel := map[string]*testTarget{}
	decoder := json.NewDecoder(bufio.NewReader(r))
	for {
		var e struct {
			ID struct {
				TargetConfigured struct{ Label string }
				TestResult       struct{ Label string }
			}
			Configured struct {
				TestSize string
				Tag      []string
			}
			TestResult struct {
				Status           string
				TestActionOutput []struct{ Name, URI string }
			}
		}
		if err := decoder.Decode(&e); err == io.EOF {
			slices.SortFunc(targets, func(a, b *testTarget) int { return strings.Compare(a.label, b.label) })
			return targets, nil
		} else if err != nil {
			return nil, err
		}
		if e.Configured.TestSize != "" {
			t := &testTarget{label: e.ID.TargetConfigured.Label, place: "-"}
			for _, tag := range e.Configured.Tag {
				if place, ok := strings.CutPrefix(tag, "place:"); ok {
					t.place = place
				}
			}
			targets = append(targets, t)
			byLabel[t.label] = t
		}
		if t := byLabel[e.ID.TestResult.Label]; t != nil {
			t.ok = e.TestResult.Status == "PASSED"
			for _, output := range e.TestResult.TestActionOutput {
				if output.Name == "test.log" {
					t.log = strings.TrimPrefix(output.URI, "file://")
				}
			}
		}
	}
}
