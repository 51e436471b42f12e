// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	pkgprogram "sentrybinder/test/differential/program"
)

// What is found is printed as a test.
func TestCase(t *testing.T) {
	d := &divergence{
		before: []string{
			`1 {"Op":"open","P":0,"T":0}`, "  fd 6",
			`2 {"Op":"write-read","P":0,"T":1,"Write":[{"Code":1077961472,"Handle":9,"Transaction":{"Code":7,"Flags":16}}],"ReadSize":256}`, "  sleeps",
			`3 {"Op":"kill","P":1,"T":0}`,
		},
		linux: []string{"  P0.1:  ok w=68/68 r=8 NOOP", "    DEAD_REPLY "},
		steps: make([]pkgprogram.Step, 3),
	}
	assert.Equal(t, `func TestFound(t *testing.T) {
	p0 := newBareProcess(t)
	p0.fd = p0.open("/dev/binder", 0x2)
	//  fd 6
	p0t1 := p0.newBareThread()
	p0t1.start(256, bcTransaction{handle: 9, code: 7, flags: 0x10})
	p0t1.AwaitBlocked(t)
	//  sleeps
	p1 := newBareProcess(t)
	p1.kill()
	_ = p0t1.finish()
	//  P0.1:  ok w=68/68 r=8 NOOP
	//    DEAD_REPLY `+`
}
`, d.asCase())
}

// Each fault can still be planted, and only in one place.
func TestFaultsFit(t *testing.T) {
	for _, f := range faults {
		source, err := os.ReadFile(filepath.Join("../..", driverDir, f.file))
		require.NoError(t, err)
		assert.Equal(t, 1, strings.Count(string(source), f.old), "%s: in %s", f.name, f.file)
	}
}
