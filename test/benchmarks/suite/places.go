// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// place is where a program can run.
type place string

const (
	systrap place = "systrap"
	ptrace  place = "ptrace"
	oracleC place = "Linux's C driver"
	oracleR place = "Linux's Rust driver"
	host    place = "host"

	// Places where no thread has to be woken on another CPU.
	systrapOneCPU place = systrap + oneCPU
	oracleCOneCPU place = oracleC + oneCPU
	oracleROneCPU place = oracleR + oneCPU
	hostOneCPU    place = host + oneCPU

	systrapTwoCPUs place = systrap + twoCPUs
)

// Suffixes of the names of places that don't use all CPUs.
const (
	oneCPU  = ", one CPU"
	twoCPUs = ", two CPUs"
)

// command returns a command that runs args in the place, or nil if the place isn't
// available.
func (p place) command(args ...string) *exec.Cmd {
	oracle := os.Getenv("BINDER_ORACLE")
	var before []string
	name := string(p)
	for _, some := range []struct{ suffix, cpus string }{{oneCPU, "0"}, {twoCPUs, "0,1"}} {
		if all, pinned := strings.CutSuffix(name, some.suffix); pinned {
			name, before = all, []string{"taskset", "--cpu-list", some.cpus}
		}
	}
	switch p := place(name); p {
	case systrap, ptrace:
		before = append(before, *runsc, "--network=none", "--ignore-cgroups", "--platform="+name, "do")
	case oracleC, oracleR:
		if oracle == "" {
			return nil
		}
		before = append(before, oracle, "-k", map[place]string{oracleC: "c", oracleR: "rust"}[p], "--")
	}
	all := append(before, args...)
	return exec.Command(all[0], all[1:]...)
}

// result is one figure of one run.
type result struct {
	Series string  `json:"series"`
	X      float64 `json:"x"`
	Value  float64 `json:"value"`
	P50    float64 `json:"p50"`
	P99    float64 `json:"p99"`
	Max    float64 `json:"max"`
}

// run runs a benchmark's program in the place.
func (p place) run(args []string) ([]result, error) {
	cmd := p.command(append([]string{"build/bench/bench"}, args...)...)
	if cmd == nil {
		return nil, nil
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return decodeAll[result](bytes.NewReader(stdout))
}

// decodeAll decodes values of JSON until the end.
func decodeAll[T any](r io.Reader) ([]T, error) {
	var all []T
	for decoder := json.NewDecoder(r); ; {
		var one T
		if err := decoder.Decode(&one); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return all, err
		}
		all = append(all, one)
	}
}
