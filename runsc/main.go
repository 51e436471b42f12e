// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build ignore

// Binary runsc is gVisor's runsc with the Binder driver built in.
//
// It needs the extension point that runsc/patches add to gVisor, so only
// "make runsc" can build it. The build constraint keeps it out of commands that use
// the published gVisor module, "go mod tidy" included.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/sentry/arch"
	"gvisor.dev/gvisor/pkg/sentry/kernel"
	"gvisor.dev/gvisor/pkg/sentry/socket/netlink"
	"gvisor.dev/gvisor/pkg/sentry/socket/netlink/generic"
	"gvisor.dev/gvisor/pkg/sentry/strace"
	"gvisor.dev/gvisor/pkg/syserr"
	"gvisor.dev/gvisor/runsc/boot/extension"
	"gvisor.dev/gvisor/runsc/cli/maincli"
	"gvisor.dev/gvisor/runsc/container"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/sentry/selinux"
	"sentrybinder/pkg/sentry/socket/bindernetlink"
	"sentrybinder/pkg/sentry/strace/android"
	"sentrybinder/runsc/androidext"
	"sentrybinder/runsc/bindercmd"
)

// sidecarDirEnv names the directory in which runsc looks for gVisor's sidecar
// binaries. One of them is a sentry, which runsc would run in place of this binary.
const sidecarDirEnv = "GVISOR_SIDECAR_BINARIES_DIR"

func main() {
	// By default runsc looks for sidecars beside itself, where another gVisor's may be
	// installed: a sentry of another version, without the driver.
	if os.Getenv(sidecarDirEnv) == "" {
		if exe, err := os.Executable(); err == nil {
			os.Setenv(sidecarDirEnv, filepath.Join(filepath.Dir(exe), "sentrybinder-bin"))
		}
	}
	extension.Register(androidext.New(nil).EnableLabels(func(k *kernel.Kernel, m *selinux.Module) {
		k.SetSecurityModule(m)
	}).EnableKernelLog(func(t *kernel.Task, msg string) {
		t.Syslog().Log(msg)
	}).EnableCommands(load).EnableReports(registerFamily))
	for request, r := range android.Requests() {
		strace.RegisterIoctl(request, strace.IoctlInfo{Name: r.Name, Enter: describe(r.Enter), Exit: describe(r.Exit)})
	}
	maincli.Main()
}

// describe adapts d to strace.
func describe(d android.Describer) func(*kernel.Task, int32, arch.SyscallArgument, uint) string {
	if d == nil {
		return nil
	}
	return func(t *kernel.Task, _ int32, arg arch.SyscallArgument, room uint) string {
		return d(t, arg.Pointer(), room)
	}
}

// load finds a container for a command.
func load(rootDir, id string) (*bindercmd.Container, error) {
	c, err := container.Load(rootDir, container.FullID{ContainerID: id}, container.LoadOpts{})
	if err != nil {
		return nil, fmt.Errorf("loading container %q: %w", id, err)
	}
	if c.Sandbox == nil || !c.IsSandboxRunning() {
		return nil, fmt.Errorf("the sandbox of container %q is not running", c.ID)
	}
	return &bindercmd.Container{ID: c.ID, ControlSocket: c.Sandbox.GetControlSocketPath()}, nil
}

// registerFamily registers f with generic netlink.
func registerFamily(f *bindernetlink.Family) uint16 {
	return generic.RegisterFamily(&generic.Family{
		Name:    binder.BINDER_FAMILY_NAME,
		Version: binder.BINDER_FAMILY_VERSION,
		Groups: []generic.Group{{
			Name: binder.BINDER_MCGRP_REPORT,
			Join: func(ctx context.Context, s *netlink.Socket, id uint32) (generic.Membership, *syserr.Error) {
				return f.Join(ctx, s, id)
			},
		}},
	})
}
