// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//covers:counters
package syscalls

import (
	"fmt"
	"maps"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// statsFile is the file in which the driver counts its objects, or "" if there is none.
var statsFile string

// findStats sets statsFile. It mounts binderfs if that is not mounted yet, and returns a
// function that undoes this.
func findStats() func() {
	const logs = "/binder_logs/stats"
	if exists("/dev/binderfs" + logs) {
		statsFile = "/dev/binderfs" + logs
		return func() {}
	}
	dir, err := os.MkdirTemp("", "binderfs")
	if err != nil {
		return func() {}
	}
	if unix.Mount("binder", dir, "binder", 0, "stats=global") != nil {
		os.Remove(dir)
		return func() {}
	}
	if exists(dir + logs) {
		statsFile = dir + logs
	}
	return func() {
		unix.Unmount(dir, 0)
		os.Remove(dir)
	}
}

// counters returns the number of live objects of each kind in the driver, or false if the
// driver does not report it.
func counters() (map[string]int, bool) {
	if statsFile == "" || isRust {
		return nil, false // the Rust driver's file is empty
	}
	stats, err := os.ReadFile(statsFile)
	if err != nil {
		return nil, false
	}
	counts := map[string]int{}
	// What follows is about single processes.
	global, _, _ := strings.Cut(string(stats), "\nproc ")
	for line := range strings.Lines(global) {
		var what string
		var active, total int
		if n, _ := fmt.Sscanf(line, "%s active %d total %d", &what, &active, &total); n == 3 && active != 0 {
			counts[strings.TrimSuffix(what, ":")] = active
		}
	}
	return counts, true
}

// watched maps a test to the counts that the driver may have once its processes are gone.
var watched sync.Map // of testing.TB to map[string]int

// watchCounters makes the test fail if, when its processes are gone, the
// driver holds more objects than when it began.
func watchCounters(t testing.TB) {
	if _, ok := t.(*worker); ok {
		return // it is not alone
	}
	before := map[string]int{}
	if _, again := watched.LoadOrStore(t, before); again {
		return
	}
	now, ok := counters()
	if !ok {
		return
	}
	maps.Copy(before, now)
	t.Cleanup(func() {
		watched.Delete(t)
		defer func() {
			if t.Failed() {
				t.Logf("the driver holds %v; it may hold %v", now, before)
			}
		}()
		// Linux releases a process's objects some time after its end.
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

// cMayLose excuses Linux's C driver, and only that, if it never frees n of the objects
// that it allocates in the test.
func cMayLose(t testing.TB, what string, n int) {
	if !isC {
		return
	}
	watchCounters(t)
	allowed, _ := watched.Load(t)
	allowed.(map[string]int)[what] += n
}

// The driver counts what it holds, and watchCounters can see it.
func TestCounters(t *testing.T) {
	before, ok := counters()
	if !ok {
		t.Skip("the driver does not report what it holds")
	}
	server, client := newManager(t), newProcess(t)
	h := server.give(client, 0x10, 0)
	client.write(bcRequestDeath(h, 1), bcTransaction{handle: h})
	now, _ := counters()
	for what, n := range map[string]int{"proc": 2, "thread": 2, "node": 2, "ref": 1, "death": 1, "transaction": 1, "transaction_complete": 1} {
		require.Equal(t, n, now[what]-before[what], what)
	}
}
