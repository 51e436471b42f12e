// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build race

package pool

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

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

// misuse is the environment variable that names the element of misuses for TestMisuse
// to commit.
const misuse = "POOL_TEST_MISUSE"

// TestMisuse commits each misuse in a process of its own, and runs one without any.
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
