// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

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
	died := errors.New("the machine died")
	rows, err := m.results(printed{"hello\n" +
		"\n==== job 0\nworks\n\n==== job end 0\n" +
		"\n==== job 1\n" + pass + "\n==== job end 0\n" +
		"\n==== job 2\n" + fail + "\n==== job end 1\n" +
		"\n==== job 3\n" + "\x16=== RUN   TestA\n", died})
	require.NoError(t, err, "a failed job stands for it")
	require.Equal(t, []row{
		{"demo", "m: systrap", counts{passed: 1}, nil},
		{"tests", "m: ptrace", counts{passed: 1}, nil},
		{"tests", "m: linux", counts{failed: 1}, []string{"TestA"}},
		{"cut off", "m: systrap", counts{failed: 1}, []string{"TestA"}},
		{"not begun", "m: systrap", counts{failed: 1}, nil},
	}, rows)

	m.jobs = m.jobs[:2]
	_, err = m.results(printed{"\n==== job 0\n\n==== job end 0\n\n==== job 1\n" + pass + "\n==== job end 0\n", died})
	require.Equal(t, died, err)
}

func TestSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 2
		var running, most int
		var began []int
		var mu sync.Mutex
		var runs []func() int
		for i := range 5 {
			runs = append(runs, func() int {
				mu.Lock()
				running++
				most = max(most, running)
				began = append(began, i)
				mu.Unlock()
				time.Sleep(time.Duration(5-i) * time.Second)
				mu.Lock()
				running--
				mu.Unlock()
				return i
			})
		}
		waits := sideBySide(limit, runs)
		synctest.Wait()
		require.Empty(t, began, "nothing begins before somebody waits")
		for i, wait := range waits {
			require.Equal(t, i, wait())
		}
		require.Equal(t, limit, most)
		slices.Sort(began[:limit])
		require.Equal(t, []int{0, 1, 2, 3, 4}, began)
	})
}
