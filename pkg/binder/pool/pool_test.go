// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package pool

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/sync"
)

type object struct {
	n    uint64
	next *object
	any  any
}

// TestZero: what comes from a pool is as good as new.
func TestZero(t *testing.T) {
	var p Pool[object]
	for range 100 {
		o := p.Get()
		require.Equal(t, object{}, *o)
		*o = object{1, &object{}, "any"}
		p.Put(o)
	}
}

// TestReuse: a Get after a Put takes no memory.
func TestReuse(t *testing.T) {
	if sync.RaceEnabled {
		t.Skip("in builds with the race detector, pools reuse nothing")
	}
	var p Pool[object]
	require.Zero(t, testing.AllocsPerRun(1000, func() { p.Put(p.Get()) }))
}

// misuses are mistakes that the race detector reports.
var misuses = map[string]func(p *Pool[object], o *object){
	"read":  func(_ *Pool[object], o *object) { _ = o.next == nil },
	"write": func(_ *Pool[object], o *object) { o.n++ },
	"put":   func(p *Pool[object], o *object) { p.Put(o) },
	"read by another goroutine": func(_ *Pool[object], o *object) {
		done := make(chan bool)
		go func() { done <- o.n == 0 }()
		<-done
	},
}

// misuse names the element of misuses that TestMisuse is to commit.
const misuse = "POOL_TEST_MISUSE"

// TestMisuse commits each misuse in a process of its own, and one that is none.
func TestMisuse(t *testing.T) {
	if name := os.Getenv(misuse); name != "" {
		var p Pool[object]
		o := p.Get()
		p.Put(o)
		if f := misuses[name]; f != nil {
			f(&p, o)
		}
		return
	}
	if !sync.RaceEnabled {
		t.Skip("only the race detector sees use after Put")
	}
	run := func(name string) (string, error) {
		cmd := exec.Command(os.Args[0], "-test.run=^TestMisuse$")
		cmd.Env = append(os.Environ(), misuse+"="+name)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := run("none")
	require.NoError(t, err, out)
	for name := range misuses {
		t.Run(name, func(t *testing.T) {
			out, err := run(name)
			require.Error(t, err, out)
			require.Contains(t, out, "DATA RACE")
			require.Contains(t, out, "pool.poison")
		})
	}
}

func BenchmarkPool(b *testing.B) {
	var p Pool[object]
	for b.Loop() {
		p.Put(p.Get())
	}
}
