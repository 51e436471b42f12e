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

// A round is a batch of programs.
type round struct {
	// args are the arguments with which playMain plays them.
	args []string
	// reference has Linux's traces by the programs' names, except for programs that
	// diverge without a fault.
	reference map[string]*trace
}

// plantFaults builds a sandbox for each fault and checks whether the corpus or the programs
// of the given seeds find it.
func plantFaults(first, last uint64, linux, here place) error {
	rounds := []round{{args: corpusArgs()}}
	const few = 100
	for at := first; at <= last; at += few {
		rounds = append(rounds, round{args: seedArgs(at, min(last, at+few-1))})
	}
	for i := range rounds {
		r := &rounds[i]
		l, h, err := playBoth(linux, here, r.args...)
		if err != nil {
			return err
		}
		r.reference = make(map[string]*trace)
		for i := range l {
			if compare(&l[i], &h[i], nil) == nil {
				r.reference[l[i].name] = &l[i]
			}
		}
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
		by, err := f.find(rounds, place{name: "fault", command: append([]string{binary}, here.command[1:]...)})
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
	fmt.Printf("%d of %d faults found by the corpus and programs %d-%d\n", found, planted, first, last)
	if planted-found > planted/25 {
		return errors.New("too many faults were not found")
	}
	return nil
}

// plant returns the text of the fault's file, which is at path, with the fault.
func (f *fault) plant(path string) (string, error) {
	source, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(source), f.old); n != 1 {
		return "", fmt.Errorf("%s has %d places for it instead of one", path, n)
	}
	return strings.Replace(string(source), f.old, f.new, 1), nil
}

// overlay creates a file in dir that makes the go command build with the fault, and returns
// its name.
func (f *fault) overlay(dir string) (string, error) {
	path := filepath.Join(driverDir, f.file)
	source, err := f.plant(path)
	if err != nil {
		return "", err
	}
	faulty := filepath.Join(dir, "faulty.go")
	if err := os.WriteFile(faulty, []byte(source), 0o644); err != nil {
		return "", err
	}
	abs := func(name string) string {
		a, err2 := filepath.Abs(name)
		err = errors.Join(err, err2)
		return a
	}
	overlay, _ := json.Marshal(map[string]map[string]string{"Replace": {abs(path): abs(faulty)}})
	config := filepath.Join(dir, "overlay.json")
	return config, errors.Join(err, os.WriteFile(config, overlay, 0o644))
}

// build builds a sandbox with the fault in dir, and returns its name.
func (f *fault) build(dir string) (string, error) {
	config, err := f.overlay(dir)
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "sandbox")
	cmd := exec.Command("go", "build", "-modfile=build/go.mod", "-buildvcs=false", "-trimpath", "-ldflags=-s -w",
		"-overlay="+config, "-o", binary, "test/differential/sandbox/main.go")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return binary, nil
}

// find plays programs until one shows the fault, and says which did. It returns "" if none
// does.
func (f *fault) find(rounds []round, faulty place) (string, error) {
	for _, r := range rounds {
		traces, err := faulty.play(r.args...)
		if err != nil {
			return fmt.Sprintf("the sandbox fails: %.60q", err), nil
		}
		for i := range traces {
			ref := r.reference[traces[i].name]
			if ref == nil {
				continue
			}
			if d := compare(ref, &traces[i], nil); d != nil && d.rule == "" {
				return fmt.Sprintf("program %s, step %d", d.name, len(d.steps)), nil
			}
		}
	}
	return "", nil
}
