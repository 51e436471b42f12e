// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMachineResults(t *testing.T) {
	m := machine{place: "m", jobs: []job{
		{"demo", "systrap", "", false},
		{"tests", "ptrace", "", true},
		{"tests", "linux", "", true},
		{"cut off", "systrap", "", true},
		{"not begun", "systrap", "", false},
	}}
	const pass = "\x16=== RUN   TestA\n\x16--- PASS: TestA (0.00s)\n\x16PASS\n"
	const fail = "\x16=== RUN   TestA\n\x16--- FAIL: TestA (0.00s)\n\x16FAIL\n"
	rows, broken := m.results("hello\n" +
		"\n==== job 0\nworks\n\n==== job end 0\n" +
		"\n==== job 1\n" + pass + "\n==== job end 0\n" +
		"\n==== job 2\n" + fail + "\n==== job end 1\n" +
		"\n==== job 3\n" + "\x16=== RUN   TestA\n")
	require.True(t, broken)
	require.Equal(t, []row{
		{"demo", "m: systrap", counts{passed: 1}},
		{"tests", "m: ptrace", counts{passed: 1}},
		{"tests", "m: linux", counts{failed: 1}},
		{"cut off", "m: systrap", counts{failed: 1}},
		{"not begun", "m: systrap", counts{failed: 1}},
	}, rows)

	m.jobs = m.jobs[:2]
	_, broken = m.results("\n==== job 0\n\n==== job end 0\n\n==== job 1\n" + pass + "\n==== job end 0\n")
	require.False(t, broken)
}
