// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Command demo shows what Binder does, on the device of the system that it runs on: a
// service manager, a service and two clients, each a process of its own, talk to each
// other and say what they are doing. It exits with 0 only if everything that it is meant
// to show happened.
//
// Without an argument it is the director (director.go), which runs itself in the other
// roles and directs them. Each role reports what it does and sees as events (event.go),
// which the director checks.
package main

import (
	"fmt"
	"os"
)

const device = "/dev/binder"

var roles = map[string]func() error{
	"manager": runManager,
	"service": runService,
	"client":  runClient,
}

func main() {
	if len(os.Args) == 1 {
		if err := direct(os.Stdout); err != nil {
			fmt.Fprintf(os.Stderr, "\nThis did not happen: %v\n", err)
			os.Exit(1)
		}
		return
	}
	run, ok := roles[os.Args[1]]
	if !ok || len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: demo")
		os.Exit(2)
	}
	// The role shows up in lists and traces of processes. Nothing else depends on it.
	_ = os.WriteFile("/proc/self/comm", []byte(os.Args[1]), 0)
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
