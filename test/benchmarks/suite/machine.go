// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// machine says where and when the benchmarks ran, and of which commit.
type machine struct {
	CPU    string
	Cores  int
	Kernel string
	Commit string
	Go     string
	Date   string

	// LoadBefore and LoadAfter are load averages of one minute. If the machine does
	// anything else meanwhile, the figures mean little.
	LoadBefore, LoadAfter string
}

func (m machine) String() string {
	return fmt.Sprintf("Measured on %s: %s, %d cores, Linux %s, %s, commit %s; load %s before and %s after.",
		m.Date, m.CPU, m.Cores, m.Kernel, m.Go, m.Commit, m.LoadBefore, m.LoadAfter)
}

func describeMachine() machine {
	var uname unix.Utsname
	unix.Uname(&uname)
	m := machine{
		CPU:        "unknown",
		Cores:      runtime.NumCPU(),
		Kernel:     string(bytes.TrimRight(uname.Release[:], "\x00")),
		Commit:     "unknown",
		Go:         runtime.Version(),
		Date:       time.Now().UTC().Format(time.DateOnly),
		LoadBefore: load(),
	}
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			m.CPU = strings.TrimSpace(value)
		}
	}
	if commit, err := exec.Command("git", "describe", "--always", "--dirty").Output(); err == nil {
		m.Commit = strings.TrimSpace(string(commit))
	}
	return m
}

func load() string {
	b, _ := os.ReadFile("/proc/loadavg")
	one, _, _ := strings.Cut(string(b), " ")
	return one
}
