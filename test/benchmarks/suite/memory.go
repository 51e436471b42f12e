// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// memory inspects a sandbox's memory from outside after each step of the program:
// the sentry's heap after a garbage collection, which a runsc built for the purpose
// reports, and how much of the host's memory the memory file takes.
func memory(add func(place, []result)) (err error) {
	root, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(root)
	s := &sandbox{root: root}
	args := []string{"do", "build/bench/bench", "-numbers=1000", count(1_000_000), "memory"}
	if *short {
		args[2], args[3] = "-numbers=60", "-count=1000"
	}
	cmd := s.runsc(args...)
	cmd.Env = append(os.Environ(), "TMPDIR="+root)
	cmd.Stderr = os.Stderr
	input, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() {
		input.Close()
		err = errors.Join(err, cmd.Wait())
	}()

	var heap, file float64
	for steps := json.NewDecoder(output); ; {
		var step result
		if err := steps.Decode(&step); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		// runsc do makes a root directory of its own, in TMPDIR.
		if roots, _ := filepath.Glob(root + "/runsc*"); len(roots) == 1 {
			s.root = roots[0]
		}
		oldHeap, oldFile := heap, file
		// Measuring the heap takes a while, in which memory may go back to the
		// host.
		if file, err = s.file(); err != nil {
			return err
		}
		if heap, err = s.heap(); err != nil {
			return err
		}
		onHost := result{Series: "host: " + step.Series, Value: (file - oldFile) / step.X}
		switch {
		case strings.HasPrefix(step.Series, "message"):
			add(systrap, []result{onHost})
			heap, file = oldHeap, oldFile // compare all messages with the time before them
		case strings.HasSuffix(step.Series, "reference"):
			// What applications store about their nodes is up to them.
			add(systrap, []result{{Series: step.Series, Value: (heap - oldHeap) / step.X}})
		case step.Series != "":
			add(systrap, []result{{Series: step.Series, Value: (heap - oldHeap) / step.X}, onHost})
		}
		if _, err := fmt.Fprintln(input); err != nil {
			return err
		}
	}
}

// sandbox is the only sandbox under a root directory of runsc.
type sandbox struct{ root string }

func (s *sandbox) runsc(args ...string) *exec.Cmd {
	return exec.Command("build/bench/runsc-heap", append([]string{
		"--root=" + s.root, "--network=none", "--ignore-cgroups", "--profile"}, args...)...)
}

func (s *sandbox) id() (string, error) {
	id, err := s.runsc("list", "-quiet").Output()
	return strings.TrimSpace(string(id)), err
}

var total = regexp.MustCompile(`of (\d+)B total`)

// heap returns the bytes on the sentry's heap.
func (s *sandbox) heap() (float64, error) {
	id, err := s.id()
	if err != nil {
		return 0, err
	}
	profile := filepath.Join(s.root, "profile")
	if output, err := s.runsc("debug", "--profile-heap="+profile, id).CombinedOutput(); err != nil {
		return 0, fmt.Errorf("heap profile: %w: %s", err, output)
	}
	output, err := exec.Command("go", "tool", "pprof", "-top", "-sample_index=inuse_space", "-unit=B", profile).Output()
	if err != nil {
		return 0, fmt.Errorf("pprof: %w", err)
	}
	match := total.FindSubmatch(output)
	if match == nil {
		return 0, fmt.Errorf("pprof printed no total:\n%s", output)
	}
	return strconv.ParseFloat(string(match[1]), 64)
}

// file returns the bytes allocated in the file that holds the applications' memory.
func (s *sandbox) file() (float64, error) {
	id, err := s.id()
	if err != nil {
		return 0, err
	}
	output, err := s.runsc("state", id).Output()
	if err != nil {
		return 0, err
	}
	var state struct{ PID int }
	if err := json.Unmarshal(output, &state); err != nil {
		return 0, err
	}
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", state.PID))
	if err != nil {
		return 0, err
	}
	for _, f := range files {
		if name, err := os.Readlink(f); err == nil && strings.Contains(name, "memfd:runsc-memory") {
			var stat unix.Stat_t
			err := unix.Stat(f, &stat)
			return 512 * float64(stat.Blocks), err
		}
	}
	return 0, errors.New("the sandbox has no memory file")
}
