// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// The series of restore. Each time is from runsc's start to the answer to a client's
// first call.
const (
	coldStart     = "cold start"
	restored      = "restored"
	restoredAtOne = "restored, the last of four at once"

	// In AOSP's world, if make example has built it, the client is AOSP's, too.
	// runsc exec starts it at once, and it waits for a second if it gets there
	// before the service manager.
	aospColdStart = "AOSP's world: cold start"
	aospRestored  = "AOSP's world: restored"
)

// worlds are numbers of services in a world, each of which is a process.
var worlds = []int{1, 10, 30, 100}

// preloads are the MiB that one service of a world computes before it registers.
var preloads = []int{10, 30, 100, 200}

// besides is how many other services such a world has.
const besides = 10

// clonesAtOnce is how many sandboxes are restored at once.
const clonesAtOnce = 4

// restore starts worlds cold and from a checkpoint, in turn.
func restore(add func(place, []result)) error {
	for _, services := range worlds {
		if *short && services > 10 {
			break
		}
		if err := restoreWorld(func(series string, ms float64) {
			add(systrap, []result{{Series: series, X: float64(services), Value: ms}})
		}, fmt.Sprint("-count=", services)); err != nil {
			return fmt.Errorf("%d services: %w", services, err)
		}
	}
	// runsc doesn't find the root of a bundle by a relative path.
	bundle, err := filepath.Abs("build/android")
	if err != nil {
		return err
	}
	if _, err := os.Stat(bundle + "/init"); err != nil {
		fmt.Fprintln(os.Stderr, "restore: not measuring AOSP's world: make example builds", bundle)
		return nil
	}
	err = restoreAOSP(bundle, func(series string, ms float64) {
		add(systrap, []result{{Series: series, Value: ms}})
	})
	if err != nil {
		return fmt.Errorf("AOSP's world: %w", err)
	}
	return nil
}

func restoreAOSP(bundle string, add func(series string, ms float64)) (err error) {
	dir, err := os.MkdirTemp("", "restore")
	if err != nil {
		return err
	}
	s := &snapshots{dir: dir}
	defer func() { err = errors.Join(err, s.clean()) }()
	image := filepath.Join(dir, "image")
	greeted := func(series string, args ...string) (*sandboxed, error) {
		one := s.command(append(args, "--detach", "--bundle="+bundle)...)
		// The sandbox keeps its stderr, which must not be a pipe that somebody
		// reads to the end.
		one.cmd.Stderr = nil
		greet := s.runsc("exec", one.id, "greet")
		greet.Stdin = strings.NewReader("world\n")
		begin := time.Now()
		if err := one.cmd.Run(); err != nil {
			return nil, fmt.Errorf("runsc %s: %w", args[0], err)
		}
		output, err := greet.CombinedOutput()
		if err != nil || !bytes.Contains(output, []byte("Hello world")) {
			return nil, fmt.Errorf("greet: %w: %s", err, output)
		}
		add(series, time.Since(begin).Seconds()*1e3)
		return one, nil
	}
	cold, err := greeted(aospColdStart, "run")
	if err != nil {
		return err
	}
	if output, err := s.runsc("checkpoint", "--image-path="+image, cold.id).CombinedOutput(); err != nil {
		return fmt.Errorf("checkpoint: %w: %s", err, output)
	}
	for range 2 {
		if _, err := greeted(aospRestored, "restore", "--background", "--image-path="+image); err != nil {
			return err
		}
	}
	return nil
}

// restorePreloaded is restore for worlds in which a service has something to
// compute.
func restorePreloaded(add func(place, []result)) error {
	for _, mib := range preloads {
		if *short && mib > preloads[0] {
			break
		}
		if err := restoreWorld(func(series string, ms float64) {
			add(systrap, []result{{Series: series, X: float64(mib), Value: ms}})
		}, fmt.Sprint("-count=", besides), fmt.Sprint("-preload=", mib)); err != nil {
			return fmt.Errorf("%d MiB: %w", mib, err)
		}
	}
	return nil
}

// restoreWorld measures the world that these flags of the benchmarks' program
// describe.
func restoreWorld(add func(series string, ms float64), flags ...string) (err error) {
	s, err := newSnapshots(append(append([]string{"/bench"}, flags...), "world")...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.clean()) }()

	cold := s.command("run", "--bundle="+s.dir)
	ms, err := cold.untilAnswer()
	if err != nil {
		return err
	}
	add(coldStart, ms)
	image := filepath.Join(s.dir, "image")
	if output, err := s.runsc("checkpoint", "--compression=none", "--image-path="+image, cold.id).CombinedOutput(); err != nil {
		return fmt.Errorf("checkpoint: %w: %s", err, output)
	}
	again := func() *sandboxed {
		return s.command("restore", "--bundle="+s.dir, "--image-path="+image, "--background")
	}
	for range 2 {
		one := again()
		if ms, err = one.untilAnswer(); err != nil {
			return err
		}
		add(restored, ms)
		if err := one.delete(); err != nil {
			return err
		}
	}
	last := make(chan error, clonesAtOnce)
	begin := time.Now()
	for range clonesAtOnce {
		one := again()
		go func() {
			_, err := one.untilAnswer()
			last <- err
		}()
	}
	for range clonesAtOnce {
		err = errors.Join(err, <-last)
	}
	add(restoredAtOne, time.Since(begin).Seconds()*1e3)
	return err
}

// snapshots is a bundle and the sandboxes that run it.
type snapshots struct {
	dir       string
	sandboxes []*sandboxed
}

// newSnapshots makes a bundle that runs the benchmarks' program.
func newSnapshots(args ...string) (*snapshots, error) {
	dir, err := os.MkdirTemp("", "restore")
	if err != nil {
		return nil, err
	}
	s := &snapshots{dir: dir}
	root := filepath.Join(dir, "rootfs")
	for _, name := range []string{"dev", "proc", "tmp"} {
		if err := os.MkdirAll(filepath.Join(root, name), 0o755); err != nil {
			return nil, errors.Join(err, s.clean())
		}
	}
	binary, err := os.ReadFile("build/bench/bench")
	if err == nil {
		err = os.WriteFile(filepath.Join(root, "bench"), binary, 0o755)
	}
	if err != nil {
		return nil, errors.Join(err, s.clean())
	}
	config, err := json.Marshal(&specs.Spec{
		Version: "1.0.0",
		Root:    &specs.Root{Path: root, Readonly: true},
		Process: &specs.Process{Args: args, Cwd: "/"},
		Mounts:  []specs.Mount{{Type: "proc", Destination: "/proc", Source: "proc"}},
		Linux:   &specs.Linux{Namespaces: []specs.LinuxNamespace{{Type: specs.PIDNamespace}, {Type: specs.MountNamespace}}},
	})
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "config.json"), config, 0o644)
	}
	if err != nil {
		return nil, errors.Join(err, s.clean())
	}
	return s, nil
}

// clean deletes all sandboxes and the bundle.
func (s *snapshots) clean() error {
	var errs []error
	for _, one := range s.sandboxes {
		errs = append(errs, one.delete())
	}
	// runsc leaves this mount behind for the next sandbox.
	unix.Unmount(filepath.Join(s.dir, "state", "null-netns"), unix.MNT_DETACH)
	return errors.Join(append(errs, os.RemoveAll(s.dir))...)
}

func (s *snapshots) runsc(args ...string) *exec.Cmd {
	return exec.Command(*runsc, append([]string{
		"--root=" + filepath.Join(s.dir, "state"), "--network=none", "--ignore-cgroups",
	}, args...)...)
}

// sandboxed is a sandbox and the command that runs it until it ends.
type sandboxed struct {
	*snapshots
	id      string
	cmd     *exec.Cmd
	errors  bytes.Buffer
	deleted bool
}

// command returns a sandbox that is to be run by args, to which it adds the ID.
func (s *snapshots) command(args ...string) *sandboxed {
	// No ID may be a prefix of another: runsc would not know which is meant.
	one := &sandboxed{snapshots: s, id: fmt.Sprintf("bench-%d-%05d", os.Getpid(), pods.Add(1))}
	one.cmd = s.runsc(append(args, one.id)...)
	one.cmd.Stderr = &one.errors
	s.sandboxes = append(s.sandboxes, one)
	return one
}

// untilAnswer runs the sandbox and returns the time until its first line of output.
func (s *sandboxed) untilAnswer() (ms float64, err error) {
	output, err := s.cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	if err := s.cmd.Start(); err != nil {
		return 0, err
	}
	_, err = bufio.NewReader(output).ReadString('\n')
	ms = time.Since(begin).Seconds() * 1e3
	if err != nil {
		return 0, fmt.Errorf("no answer: %w: %s", err, s.errors.String())
	}
	return ms, nil
}

// delete ends and deletes the sandbox.
func (s *sandboxed) delete() error {
	if s.deleted || s.cmd.Process == nil {
		return nil
	}
	s.deleted = true
	output, err := s.runsc("delete", "--force", s.id).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("runsc delete: %w: %s", err, output)
	}
	// It is no failure that the command was killed, or that it was waited for
	// already.
	s.cmd.Wait()
	return err
}
