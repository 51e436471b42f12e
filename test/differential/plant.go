// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const driverDir = "pkg/sentry/devices/binder"

// plantFaults builds the sandbox with one fault after the other and sees whether
// the programs of the given seeds find it. What is compared with is Linux's driver
// or, without one, the driver as it is.
func plantFaults(first, last uint64, linux, here place) error {
	var reference []trace
	where := linux
	if *oracle == "" {
		where = here
	}
	for at := first; at <= last; at += uint64(*batch) {
		t, err := where.play("-seeds", fmt.Sprintf("%d-%d", at, min(last, at+uint64(*batch)-1)))
		if err != nil {
			return err
		}
		reference = append(reference, t...)
	}
	dir, err := os.MkdirTemp("build", "faults")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	found, planted := 0, 0
	for _, f := range faults {
		if *only != "" && !strings.Contains(f.name, *only) {
			continue
		}
		planted++
		binary, err := f.build(dir)
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		start := time.Now()
		by, err := f.find(first, last, reference, place{name: "fault", command: append([]string{binary}, here.command[1:]...)})
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		if by != "" {
			found++
		} else {
			by = "NOT FOUND"
		}
		fmt.Printf("%-60s %s, in %v\n", f.name, by, time.Since(start).Round(time.Second))
	}
	fmt.Printf("%d of %d faults found by programs %d-%d\n", found, planted, first, last)
	if planted-found > planted/25 {
		return errors.New("too many are not found")
	}
	return nil
}

// build builds the sandbox with the fault.
func (f *fault) build(dir string) (string, error) {
	path := filepath.Join(driverDir, f.file)
	source, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(source), f.old); n != 1 {
		return "", fmt.Errorf("%s has %d places for it", path, n)
	}
	faulty := filepath.Join(dir, "faulty.go")
	if err := os.WriteFile(faulty, []byte(strings.Replace(string(source), f.old, f.new, 1)), 0o644); err != nil {
		return "", err
	}
	abs := func(name string) string {
		a, err2 := filepath.Abs(name)
		err = errors.Join(err, err2)
		return a
	}
	overlay, _ := json.Marshal(map[string]map[string]string{"Replace": {abs(path): abs(faulty)}})
	config := filepath.Join(dir, "overlay.json")
	if err := errors.Join(err, os.WriteFile(config, overlay, 0o644)); err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "sandbox")
	cmd := exec.Command("go", "build", "-modfile=build/go.mod", "-buildvcs=false", "-trimpath", "-tags=differential",
		"-overlay="+config, "-o", binary, "test/differential/sandbox/main.go")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return binary, nil
}

// find plays programs until one shows the fault, and says which.
func (f *fault) find(first, last uint64, reference []trace, faulty place) (string, error) {
	const few = 100
	for at := first; at <= last; {
		end := min(last, at+few-1)
		traces, err := faulty.play("-seeds", fmt.Sprintf("%d-%d", at, end))
		if err != nil {
			return fmt.Sprintf("program %d: %.60q", at, err), nil
		}
		for i := range traces {
			if d := compare(&reference[at-first+uint64(i)], &traces[i]); d != nil && d.rule == "" {
				return fmt.Sprintf("program %s, step %d", d.name, len(d.steps)), nil
			}
		}
		at = end + 1
	}
	return "", nil
}
