// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package androidext

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/sentry/kernel"
	"gvisor.dev/gvisor/pkg/sentry/usage"
	"gvisor.dev/gvisor/pkg/sentry/vfs"

	"sentrybinder/pkg/sentry/devices/binder"
	"sentrybinder/pkg/sentry/fsimpl/binderfs"
	"sentrybinder/pkg/sentry/socket/bindernetlink"
)

// binderDriver is the feature of the Binder driver, its devices and binderfs.
type binderDriver struct {
	// scheduler replaces the driver's own unless it is nil.
	scheduler binder.Scheduler
	// kernelLog is the driver's, or nil.
	kernelLog binder.KernelLog
	// driver is the sandbox's. It is set in the sandbox process only.
	driver atomic.Pointer[binder.Driver]

	// reporting is set if applications can listen to reports.
	reporting bool
}

// EnableReports lets applications listen to reports of failed transactions, and returns
// e. register registers a generic netlink family, and returns its ID.
func (e *Extension) EnableReports(register func(*bindernetlink.Family) uint16) *Extension {
	for _, f := range e.features {
		if b, ok := f.(*binderDriver); ok {
			family := bindernetlink.New(b.driver.Load)
			family.ID = register(family)
			b.reporting = true
		}
	}
	return e
}

// settings implements feature.settings.
func (*binderDriver) settings() []setting {
	return []setting{&devices, &layout, &memory, &securityContext}
}

// register implements feature.register.
func (b *binderDriver) register(ctx context.Context, vfsObj *vfs.VirtualFilesystem, spec *specs.Spec) error {
	config, err := binderConfigOf(spec)
	if err != nil {
		return err
	}
	// By now, devices that only some sandboxes have are registered.
	if err := vfsObj.ForEachDevice(func(pathname string, _ vfs.DeviceKind, _, _ uint32, _ uint16) error {
		if name, _, _ := strings.Cut(pathname, "/"); name != "" && slices.Contains(config.devices, name) {
			return fmt.Errorf("annotation %s: %w", devices.key, nameTaken(name))
		}
		return nil
	}); err != nil {
		return err
	}
	k := kernel.KernelFromContext(ctx)
	driver := binder.NewDriver(k.Timekeeper(), k, config.files()...)
	if b.scheduler != nil {
		driver.SetScheduler(b.scheduler)
	}
	driver.SetKernelLog(b.kernelLog)
	if b.reporting {
		driver.EnableReports()
	}
	if err := driver.RegisterDevices(vfsObj); err != nil {
		return err
	}
	b.driver.Store(driver)
	binder.ExportMetrics(driver)
	k.AddStateToCheckpoint(driverKey, driver)
	return binderfs.Register(vfsObj, driver, config.defaults())
}

// validate implements validator.validate.
func (*binderDriver) validate(spec, root *specs.Spec) error {
	if root == nil {
		root = spec
	}
	config, err := binderConfigOf(root)
	if err != nil {
		return err
	}
	if err := config.validate(); err != nil {
		return err
	}
	if spec == root {
		if err := validateHints(root, config.defaults().Devices); err != nil {
			return err
		}
	}
	if err := config.validateMounts(spec, root); err != nil {
		return err
	}
	if err := config.validateLinks(spec); err != nil {
		return err
	}
	return config.validateNodes(spec, root)
}

// files implements fileProvider.files.
func (*binderDriver) files(spec, root *specs.Spec) ([]specs.Mount, map[string]string, error) {
	config, err := binderConfigOf(root)
	if err != nil {
		return nil, nil, err
	}
	var mounts []specs.Mount
	if m, ok := config.binderfsMount(spec); ok {
		mounts = append(mounts, m)
	}
	links := make(map[string]string)
	for _, name := range config.links() {
		links["/dev/"+name] = binderfsDir + "/" + name
	}
	return mounts, links, nil
}

// driverKey is the key of the driver in the kernel's checkpoint state, by which its
// restored copy is found.
const driverKey = "dev.sentrybinder.driver"

// startContainer implements containerObserver.startContainer.
func (b *binderDriver) startContainer(_ context.Context, id, name string, spec *specs.Spec) error {
	secctx, err := securityContext.of(spec)
	if err != nil {
		return err
	}
	limit, err := memoryLimit(spec, usage.MaximumTotalMemoryBytes)
	if err != nil {
		return err
	}
	b.driver.Load().StartContainer(binder.ContainerInfo{ID: id, Name: name, SecurityContext: secctx, MemoryLimit: limit})
	return nil
}

// stopContainer implements containerObserver.stopContainer.
func (b *binderDriver) stopContainer(_ context.Context, id string) {
	b.driver.Load().StopContainer(id)
}

// restoreContainers implements containerObserver.restoreContainers.
func (b *binderDriver) restoreContainers(ctx context.Context, ids map[string]string) error {
	k := kernel.KernelFromContext(ctx)
	driver, ok := k.PopCheckpointState(driverKey).(*binder.Driver)
	if !ok {
		return fmt.Errorf("the checkpoint holds no Binder driver")
	}
	k.AddStateToCheckpoint(driverKey, driver)
	driver.SetKernelLog(b.kernelLog)
	driver.RestoreContainers(ids)
	b.driver.Store(driver)
	binder.ExportMetrics(driver)
	return nil
}

// mountOptions implements mounter.mountOptions.
func (*binderDriver) mountOptions(fsType string) ([]string, bool) {
	return binderfs.MountOptions, fsType == binderfs.Name
}
