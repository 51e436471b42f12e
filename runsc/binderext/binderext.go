// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package binderext makes the Binder driver an extension of runsc.
//
// It's configured by annotations: DevicesAnnotation in the OCI spec of a sandbox's
// root container, and SecurityContextAnnotation in that of each container. An
// invalid value keeps the container from starting.
package binderext

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"unicode"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/sentry/kernel"
	"gvisor.dev/gvisor/pkg/sentry/usage"
	"gvisor.dev/gvisor/pkg/sentry/vfs"

	"sentrybinder/pkg/sentry/devices/binder"
	"sentrybinder/pkg/sentry/fsimpl/binderfs"
)

// DevicesAnnotation is the OCI annotation whose value lists the names of a
// sandbox's Binder devices, separated by commas. Each device has a context, and
// so a context manager, of its own.
//
// Without the annotation a sandbox has DefaultDevices, with an empty value none.
// The names are distinct file names of at most 255 bytes, without spaces and
// control characters.
const DevicesAnnotation = "dev.sentrybinder.devices"

// DefaultDevices is the value that stands for an absent DevicesAnnotation: the
// devices that Android has.
const DefaultDevices = "binder,hwbinder,vndbinder"

// maxNameLen is the length in bytes of the longest name that a Binder device can
// have, Linux's BINDERFS_MAX_NAME.
const maxNameLen = 255

// devNames are what gVisor puts at the top of /dev in every sandbox. A device file
// of such a name would silently be left out.
var devNames = []string{
	"block", "char", "fd", "full", "fuse", "mqueue", "net", "null", "ptmx", "pts",
	"random", "shm", "stderr", "stdin", "stdout", "tty", "urandom", "zero",
}

// Extension implements gVisor's interface for extensions that provide devices
// and file systems.
type Extension struct {
	// Scheduler is the driver's, or nil for its own.
	Scheduler binder.Scheduler
	// driver is the sandbox's, in the process that is the sandbox.
	driver atomic.Pointer[binder.Driver]
}

// Name implements extension.Extension.Name.
func (*Extension) Name() string {
	return "binder"
}

// ValidateSpec reports an invalid annotation before the container is created, to
// whoever creates it.
func (*Extension) ValidateSpec(spec *specs.Spec) error {
	if _, err := devices(spec); err != nil {
		return err
	}
	if _, err := memoryLimit(spec, 0); err != nil {
		return err
	}
	_, err := securityContext(spec)
	return err
}

// Register implements extension.Extension.Register.
func (e *Extension) Register(ctx context.Context, vfsObj *vfs.VirtualFilesystem, spec *specs.Spec) error {
	names, err := devices(spec)
	if err != nil {
		return err
	}
	// Devices that only some sandboxes have are known by now.
	if err := vfsObj.ForEachDevice(func(pathname string, _ vfs.DeviceKind, _, _ uint32, _ uint16) error {
		if name, _, _ := strings.Cut(pathname, "/"); name != "" && slices.Contains(names, name) {
			return invalid(strings.Join(names, ","), name, "/dev has something else by that name")
		}
		return nil
	}); err != nil {
		return err
	}
	k := kernel.KernelFromContext(ctx)
	driver := binder.NewDriver(k.Timekeeper(), k, names...)
	if e.Scheduler != nil {
		driver.SetScheduler(e.Scheduler)
	}
	if err := driver.RegisterDevices(vfsObj); err != nil {
		return err
	}
	e.driver.Store(driver)
	k.AddStateToCheckpoint(driverKey, driver)
	return binderfs.Register(vfsObj, driver)
}

// driverKey is what a kernel keeps the driver by, for its restored copy to be
// found.
const driverKey = "dev.sentrybinder.driver"

// StartContainer implements the optional interface of package extension that tells
// of containers.
func (e *Extension) StartContainer(_ context.Context, id, name string, spec *specs.Spec) error {
	secctx, err := securityContext(spec)
	if err != nil {
		return err
	}
	limit, err := memoryLimit(spec, usage.MaximumTotalMemoryBytes)
	if err != nil {
		return err
	}
	e.driver.Load().StartContainer(binder.ContainerInfo{ID: id, Name: name, SecurityContext: secctx, MemoryLimit: limit})
	return nil
}

// StopContainer implements the same interface.
func (e *Extension) StopContainer(_ context.Context, id string) {
	e.driver.Load().StopContainer(id)
}

// RestoreContainers implements the same interface.
func (e *Extension) RestoreContainers(ctx context.Context, ids map[string]string) error {
	k := kernel.KernelFromContext(ctx)
	driver, ok := k.PopCheckpointState(driverKey).(*binder.Driver)
	if !ok {
		return fmt.Errorf("the checkpoint has no Binder driver")
	}
	k.AddStateToCheckpoint(driverKey, driver)
	driver.RestoreContainers(ids)
	e.driver.Store(driver)
	return nil
}

// MountOptions implements the optional interface of package extension by which a
// container's config can mount a file system.
func (*Extension) MountOptions(fsType string) ([]string, bool) {
	return binderfs.MountOptions, fsType == binderfs.Name
}

// devices returns the names of the Binder devices that spec asks for.
func devices(spec *specs.Spec) ([]string, error) {
	value, ok := spec.Annotations[DevicesAnnotation]
	if !ok {
		value = DefaultDevices
	}
	if value == "" {
		return nil, nil
	}
	names := strings.Split(value, ",")
	for i, name := range names {
		switch {
		case name == "":
			return nil, invalid(value, name, "a device name can't be empty")
		case len(name) > maxNameLen:
			return nil, invalid(value, name, fmt.Sprintf("a device name has at most %d bytes", maxNameLen))
		case name == "." || name == ".." || strings.ContainsRune(name, '/'):
			return nil, invalid(value, name, "a device name is a file name")
		case strings.ContainsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }):
			return nil, invalid(value, name, "a device name can't have spaces or control characters")
		case slices.Contains(devNames, name):
			return nil, invalid(value, name, "/dev has something else by that name")
		case slices.Contains(names[:i], name):
			return nil, invalid(value, name, "it's there twice")
		}
	}
	return names, nil
}

func invalid(value, name, why string) error {
	return fmt.Errorf("annotation %s=%q: device %q: %s", DevicesAnnotation, value, name, why)
}
