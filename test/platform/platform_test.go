// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package platform tests what Android's user space asks of the kernel beside
// Binder. Each patch in runsc/patches that brings gVisor closer to Linux has its
// tests here. The same binary runs in the sandbox and on Linux, and expects the
// same of both.
package platform

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

// mustRun makes the tests run. They mount file systems and change limits, so
// they only run where they are sent.
var mustRun = flag.Bool("must-run", false, "run the tests, which need root and change the machine")

func TestMain(m *testing.M) {
	flag.Parse()
	if !*mustRun {
		fmt.Println("nothing was tested: these tests change the machine; -must-run runs them")
		os.Exit(0)
	}
	os.Exit(m.Run())
}
