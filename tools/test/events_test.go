// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// stream returns events of package p, each given as "ACTION TEST".
func stream(events ...string) io.Reader {
	var b strings.Builder
	for _, e := range events {
		action, test, _ := strings.Cut(e, " ")
		fmt.Fprintf(&b, `{"Action":%q,"Package":"p","Test":%q,"Output":"<output of %s>"}`+"\n", action, test, test)
	}
	return strings.NewReader(b.String())
}

func TestCounts(t *testing.T) {
	for _, tc := range []struct {
		name   string
		events []string
		want   counts
	}{
		{"each outcome", []string{"pass A", "skip B", "fail C", "pass D", "fail"}, counts{2, 1, 1}},
		{"subtests count, not their parent", []string{"pass A/1", "pass A/2", "pass A", "pass"}, counts{2, 0, 0}},
		{"a parent that shares its subtest's failure", []string{"fail A/1", "pass A/2", "fail A", "fail"}, counts{1, 1, 0}},
		{"a parent that fails itself", []string{"pass A/1", "fail A", "fail"}, counts{1, 1, 0}},
		{"a parent that is skipped itself", []string{"pass A/1", "skip A", "pass"}, counts{1, 0, 1}},
		{"slashes in a subtest's name", []string{"pass A/x/y", "pass A", "pass"}, counts{1, 0, 0}},
		{"a test whose name is a prefix of another's", []string{"pass A", "pass AB/1", "pass AB", "pass"}, counts{2, 0, 0}},
		{"a test that never ended", []string{"pass A", "run B", "fail"}, counts{1, 1, 0}},
		{"a package that failed without a failed test", []string{"pass A", "fail"}, counts{1, 1, 0}},
		{"a package that never ended", []string{"pass A", "run B"}, counts{1, 1, 0}},
		{"a package that never ended, between two tests", []string{"pass A"}, counts{1, 1, 0}},
		{"a package without tests", []string{"skip"}, counts{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			packages := readEvents(stream(tc.events...), io.Discard)
			require.Len(t, packages, 1)
			require.Equal(t, tc.want, packages[0].counts(false))
		})
	}
}

// TestFailuresAreNamed: whatever failed has a line, with the test's name if there is one.
func TestFailuresAreNamed(t *testing.T) {
	var rows []row
	for _, events := range [][]string{
		{"pass A", "fail B/1", "fail B", "run C", "fail"},
		{"pass A", "fail"},
		{"pass A", "pass"},
	} {
		p := readEvents(stream(events...), io.Discard)[0]
		rows = append(rows, p.row(fmt.Sprint("suite ", len(rows)), "host", false))
	}
	var shown strings.Builder
	printFailures(&shown, rows)
	require.Equal(t, "--- FAIL: B/1 (suite 0, host)\n--- FAIL: C (suite 0, host)\n--- FAIL: suite 1 (host)\n", shown.String())
}

func TestOnlyFailuresAreShown(t *testing.T) {
	var shown strings.Builder
	readEvents(stream("output A", "pass A", "output B", "fail B", "output C", "fail"), &shown)
	require.NotContains(t, shown.String(), "<output of A>")
	require.Contains(t, shown.String(), "<output of B>")
	require.Contains(t, shown.String(), "<output of C>")
	require.Contains(t, shown.String(), "p: 1 passed, 2 failed, 0 skipped")
}

func TestBuildFailureIsShown(t *testing.T) {
	var shown strings.Builder
	packages := readEvents(strings.NewReader(`{"ImportPath":"p [p.test]","Action":"build-output","Output":"p.go:1: oops\n"}
{"ImportPath":"p [p.test]","Action":"build-fail"}
{"Action":"start","Package":"p"}
{"Action":"fail","Package":"p","Elapsed":0,"FailedBuild":"p [p.test]"}
`), &shown)
	require.Len(t, packages, 1)
	require.Equal(t, counts{failed: 1}, packages[0].counts(false))
	require.Contains(t, shown.String(), "p.go:1: oops")
}

func TestBuildEvents(t *testing.T) {
	targets, err := readBuildEvents(strings.NewReader(`{"id":{"started":{}},"children":[{"targetConfigured":{"label":"//x:x"}}]}
{"id":{"targetConfigured":{"label":"//x:lib"}},"configured":{"targetKind":"go_library rule"}}
{"id":{"targetConfigured":{"label":"//x:b"}},"configured":{"testSize":"SMALL","tag":["place:host"]}}
{"id":{"targetConfigured":{"label":"//x:a"}},"configured":{"testSize":"SMALL","tag":["external","place:systrap"]}}
{"id":{"targetConfigured":{"label":"//y/z:c"}},"configured":{"testSize":"SMALL"}}
{"id":{"testResult":{"label":"//x:a"}},"testResult":{"status":"PASSED","testActionOutput":[{"name":"test.xml","uri":"file:///a.xml"},{"name":"test.log","uri":"file:///a.log"}]}}
{"id":{"testResult":{"label":"//x:b"}},"testResult":{"status":"TIMEOUT","testActionOutput":[{"name":"test.log","uri":"file:///b.log"}]}}
`))
	require.NoError(t, err)
	require.Equal(t, []*testTarget{
		{label: "//x:a", place: "systrap", ok: true, log: "/a.log"},
		{label: "//x:b", place: "host", log: "/b.log"},
		{label: "//y/z:c", place: "-"},
	}, targets)
	require.Equal(t, "y/z", targets[2].suite())
}

func TestTargetCounts(t *testing.T) {
	log := filepath.Join(t.TempDir(), "test.log")
	require.NoError(t, os.WriteFile(log, []byte("a header\n\x16=== RUN   A\nnoise\x16--- PASS: A (0.00s)\n\x16=== RUN   B\n\x16--- SKIP: B (0.00s)\n\x16PASS\n"), 0o600))

	cut := filepath.Join(t.TempDir(), "test.log")
	require.NoError(t, os.WriteFile(cut, []byte("\x16=== RUN   A\n\x16--- PASS: A (0.00s)\n"), 0o600))

	for _, tc := range []struct {
		target testTarget
		want   counts
	}{
		{testTarget{label: "//x:a", ok: true, log: log}, counts{passed: 1, skipped: 1}},
		// Bazel's verdict that it failed counts, whatever the log says.
		{testTarget{label: "//x:a", log: log}, counts{passed: 1, failed: 1, skipped: 1}},
		// So does a log that breaks off, whatever Bazel says.
		{testTarget{label: "//x:a", ok: true, log: cut}, counts{failed: 1}},
		// A target that didn't build has no log.
		{testTarget{label: "//x:a"}, counts{failed: 1}},
	} {
		results, err := tc.target.results()
		require.NoError(t, err)
		require.Equal(t, tc.want, results.counts(!tc.target.ok))
	}
}
