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
	"path/filepath"
	"slices"
	"sync/atomic"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// pods counts the pods that this process made.
var pods atomic.Int64

// runInPod runs the benchmarks' program in a container that shares a sandbox and a
// directory with another container, in which attackers are started. If they are
// together, they share a binderfs, too. It needs root.
func runInPod(pinned, together bool, program []string, stdout, stderr io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "pod")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	p := &podOf{dir: dir, pinned: pinned, together: together, id: fmt.Sprintf("bench-%d-%d", os.Getpid(), pods.Add(1))}
	// runsc leaves this mount behind for the next sandbox.
	defer unix.Unmount(filepath.Join(dir, "state", "null-netns"), unix.MNT_DETACH)

	flags := []string{"/bench", "-elsewhere=/shared"}
	if together {
		flags = append(flags, "-together", "-device=/binderfs/binder")
	}
	attackers := slices.Concat(flags, []string{"-role=hostile/neighbour"}, program[1:])
	if err := p.bundle("attackers", program[0], attackers); err != nil {
		return err
	}
	victims := slices.Concat(flags, program[1:])
	if err := p.bundle("victims", program[0], victims); err != nil {
		return err
	}
	// A container that is left running keeps the files that it inherits, so they
	// must not be pipes that somebody reads to the end.
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	defer func() {
		text, _ := os.ReadFile(log.Name())
		stderr.Write(text)
	}()
	run := func(stdout, stderr io.Writer, args ...string) error {
		cmd := p.runsc(args...)
		cmd.Stdout, cmd.Stderr = stdout, stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("runsc %s: %w", args[0], err)
		}
		return nil
	}
	if err := run(log, log, "create", "--bundle="+filepath.Join(dir, "attackers"), p.id); err != nil {
		return err
	}
	var lost bytes.Buffer // what runsc delete prints is of no use
	defer func() { err = errors.Join(err, run(&lost, &lost, "delete", "--force", p.id)) }()
	if err := run(log, log, "start", p.id); err != nil {
		return err
	}
	return run(stdout, stderr, "run", "--bundle="+filepath.Join(dir, "victims"), p.id+"-victims")
}

type podOf struct {
	dir, id string
	pinned  bool
	started int

	// together says that the containers share a binderfs.
	together bool
}

func (p *podOf) runsc(args ...string) *exec.Cmd {
	all := append([]string{
		*runsc, "--root=" + filepath.Join(p.dir, "state"), "--network=none", "--ignore-cgroups", "--overlay2=none",
	}, args...)
	if p.pinned {
		all = append([]string{"taskset", "--cpu-list", "0"}, all...)
	}
	return exec.Command(all[0], all[1:]...)
}

// bundle writes the bundle of a container that runs args. The first argument is
// program.
func (p *podOf) bundle(name, program string, args []string) error {
	bundle := filepath.Join(p.dir, name)
	root := filepath.Join(bundle, "rootfs")
	for _, dir := range []string{"dev", "proc", "tmp", "shared", "binderfs"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return err
		}
	}
	shared := filepath.Join(p.dir, "shared")
	if err := os.MkdirAll(shared, 0o755); err != nil {
		return err
	}
	binary, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(root, "bench"), binary, 0o755); err != nil {
		return err
	}
	kind := "sandbox"
	if p.started++; p.started > 1 {
		kind = "container"
	}
	capabilities := []string{"CAP_SYS_ADMIN", "CAP_SYS_RESOURCE", "CAP_KILL"}
	spec := &specs.Spec{
		Version: "1.0.0",
		Root:    &specs.Root{Path: root, Readonly: true},
		Process: &specs.Process{
			Args: args, Cwd: "/", Env: []string{"TMPDIR=/tmp"},
			Capabilities: &specs.LinuxCapabilities{
				Bounding: capabilities, Effective: capabilities, Permitted: capabilities, Inheritable: capabilities,
			},
		},
		Mounts: []specs.Mount{
			{Type: "proc", Destination: "/proc", Source: "proc"},
			{Type: "tmpfs", Destination: "/tmp", Source: "tmpfs"},
			{Type: "bind", Destination: "/shared", Source: shared},
		},
		Linux: &specs.Linux{Namespaces: []specs.LinuxNamespace{{Type: specs.PIDNamespace}, {Type: specs.MountNamespace}}},
		Annotations: map[string]string{
			"io.kubernetes.cri.container-type": kind,
			"io.kubernetes.cri.container-name": name,
			"io.kubernetes.cri.sandbox-id":     p.id,
			accountLimit:                       accountBytes(),

			"dev.gvisor.spec.mount.shared.source": shared,
			"dev.gvisor.spec.mount.shared.type":   "tmpfs",
			"dev.gvisor.spec.mount.shared.share":  "pod",
		},
	}
	if p.together {
		const hint = "dev.gvisor.spec.mount.binders."
		spec.Mounts = append(spec.Mounts, specs.Mount{Type: "binder", Destination: "/binderfs", Source: "/binders"})
		for name, value := range map[string]string{"source": "/binders", "type": "binder", "share": "pod", "options": "stats=global"} {
			spec.Annotations[hint+name] = value
		}
	}
	config, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(bundle, "config.json"), config, 0o644)
}
