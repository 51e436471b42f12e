// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// statsFile is where the driver counts its objects, if binderfs is mounted.
const statsFile = "/dev/binderfs/binder_logs/stats"

// counters returns the number of live objects of each kind that the driver
// holds. It returns false if the driver does not tell.
func counters() (map[string]int, bool) {
	stats, err := os.ReadFile(statsFile)
	if err != nil || isRust {
		return nil, false // the Rust driver's file is empty
	}
	counts := map[string]int{}
	// What follows is about single processes.
	global, _, _ := strings.Cut(string(stats), "\nproc ")
	for _, m := range regexp.MustCompile(`(?m)^(\w+): active (\d+) total \d+$`).FindAllStringSubmatch(global, -1) {
		n, _ := strconv.Atoi(m[2])
		if n != 0 {
			counts[m[1]] = n
		}
	}
	return counts, true
}

var watched sync.Map

// watchCounters makes the test fail if, when its processes are gone, the
// driver holds more objects than when it began.
func watchCounters(t testing.TB) {
	if _, ok := t.(*worker); ok {
		return // it is not alone
	}
	if _, again := watched.LoadOrStore(t, true); again {
		return
	}
	before, ok := counters()
	if !ok {
		return
	}
	t.Cleanup(func() {
		watched.Delete(t)
		var now map[string]int
		defer func() {
			if t.Failed() {
				t.Logf("the driver holds %v; before the test it held %v", now, before)
			}
		}()
		// Linux takes a process's things apart some time after its end.
		eventually(t, "the driver holds no more than before the test", func() bool {
			now, _ = counters()
			for what, n := range now {
				if n > before[what] {
					return false
				}
			}
			return true
		})
	})
}
