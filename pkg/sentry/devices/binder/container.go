// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"fmt"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/sentry/kernel"
	"gvisor.dev/gvisor/pkg/sentry/vfs"
)

// containerDevice implements vfs.Device for a device in /dev. All containers of a
// sandbox have the same devices, by number, but each has a /dev of its own, and
// must not reach other containers through it: for that there's binderfs, which they
// can share or not. So the device leads each container to a context of its own.
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

// Linux numbers the devices that have no number of their own among the misc
// devices downwards from this minor.
const lastDynamicMinor = 127

// RegisterDevices registers d's devices with vfsObj. Each container that opens one
// finds a context of its own.
func (d *Driver) RegisterDevices(vfsObj *vfs.VirtualFilesystem) error {
	minor := uint32(lastDynamicMinor)
	for _, name := range d.names {
		for vfsObj.IsDeviceRegistered(vfs.CharDevice, linux.MISC_MAJOR, minor) {
			if minor == 0 {
				return fmt.Errorf("no minor number is left for binder device %q", name)
			}
			minor--
		}
		if err := vfsObj.RegisterDevice(vfs.CharDevice, linux.MISC_MAJOR, minor, &containerDevice{driver: d, name: name}, &vfs.RegisterDeviceOptions{
			GroupName: "misc",
			Pathname:  name,
			FilePerms: 0666,
		}); err != nil {
			return err
		}
	}
	return nil
}
