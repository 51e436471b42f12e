// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/sentry/kernel"
	"gvisor.dev/gvisor/pkg/sentry/vfs"

	"sentrybinder/pkg/sentry/devices/misc"
)

// containerDevice implements vfs.Device for a device in /dev. All containers of a sandbox
// have the same devices, by number, but each has its own /dev, and must not reach other
// containers through it: containers that want to talk share a binderfs. So the device
// leads each container to its own context.
//
// +stateify savable
type containerDevice struct {
	driver *Driver
	name   string
}

// Open implements vfs.Device.Open.
//
// Errors: ENXIO if the driver doesn't know the caller's container.
func (d *containerDevice) Open(ctx context.Context, mnt *vfs.Mount, vfsd *vfs.Dentry, opts vfs.OpenOptions) (*vfs.FileDescription, error) {
	t := kernel.TaskFromContext(ctx)
	if t == nil {
		return nil, linuxerr.ENXIO
	}
	tenant := d.driver.tenants.get(t.ContainerID())
	if tenant == nil {
		return nil, linuxerr.ENXIO
	}
	return NewDevice(tenant.contexts[d.name]).Open(ctx, mnt, vfsd, opts)
}

// RegisterDevices registers d's devices with vfsObj. Each container that opens one gets
// its own context.
func (d *Driver) RegisterDevices(vfsObj *vfs.VirtualFilesystem) error {
	for _, name := range d.names {
		if err := misc.Register(vfsObj, name, &containerDevice{driver: d, name: name}); err != nil {
			return err
		}
	}
	return nil
}
