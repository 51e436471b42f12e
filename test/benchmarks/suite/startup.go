// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"os/exec"
	"time"
)

// runscs are the runsc that is measured, and the stock one: built from the same
// gVisor, without the patches.
var runscs = []string{"bin/runsc", "build/bench/runsc-stock"}

// startsInRun is how many sandboxes of each kind a run starts, in turn.
const startsInRun = 4

// androidLayout is the series of sandboxes with Android's layout.
const androidLayout = "bin/runsc, Android's layout"

func startup(add func(place, []result)) error {
	type series struct {
		name, runsc string
		options     []string
	}
	all := []series{{androidLayout, runscs[0], []string{"--annotation", "dev.sentrybinder.layout=android"}}}
	for _, runsc := range runscs {
		all = append(all, series{runsc, runsc, nil})
	}
	for range startsInRun {
		for _, s := range all {
			args := append([]string{"--network=none", "--ignore-cgroups", "do"}, s.options...)
			cmd := exec.Command(s.runsc, append(args, "true")...)
			begin := time.Now()
			if output, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("%s: %w: %s", s.name, err, output)
			}
			add(systrap, []result{{Series: s.name, Value: time.Since(begin).Seconds() * 1e3}})
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
