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
	"os/exec"
	"strings"
	"testing"

	"sentrybinder/test/syscalls/remote"
)

// mustRun enables the tests. They mount file systems and change limits, so they only run
// where that is intended.
var mustRun = flag.Bool("must-run", false, "run the tests, which need root and change the machine")

func TestMain(m *testing.M) {
	if path, ok := os.LookupEnv(spinnersEnv); ok {
		spin(path)
		os.Exit(0)
	}
	flag.Parse()
	if !*mustRun {
		fmt.Println("nothing was tested: these tests change the machine; -must-run enables them")
		os.Exit(0)
	}
	os.Exit(remote.Main(m))
}

// onLinux reports whether the kernel is Linux itself.
func onLinux() bool {
	version, err := os.ReadFile("/proc/version")
	return err == nil && !strings.Contains(string(version), "gvisor")
}

// startChild starts the test binary as a child, with a variable that tells it what to do.
func startChild(variable string) (*exec.Cmd, error) {
	child := exec.Command("/proc/self/exe")
	child.Env = append(os.Environ(), variable)
	return child, child.Start()
}
