// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"os/exec"
	"time"
)

// The stock runsc is built from the same gVisor, without the patches.
var runscs = []string{"bin/runsc", "build/bench/runsc-stock"}

// startsInRun is how many sandboxes of each kind a run starts, in turn.
const startsInRun = 4

func startup(add func(place, []result)) error {
	for range startsInRun {
		for _, runsc := range runscs {
			cmd := exec.Command(runsc, "--network=none", "--ignore-cgroups", "do", "true")
			begin := time.Now()
			if output, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("%s: %w: %s", runsc, err, output)
			}
			add(systrap, []result{{Series: runsc, Value: time.Since(begin).Seconds() * 1e3}})
		}
	}
	return nil
}

func size(add func(place, []result)) error {
	for _, runsc := range runscs {
		info, err := os.Stat(runsc)
		if err != nil {
			return err
		}
		add(systrap, []result{{Series: runsc, Value: float64(info.Size())}})
	}
	return nil
}
