// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/sentry/kernel"
	"gvisor.dev/gvisor/pkg/sentry/vfs"
	"gvisor.dev/gvisor/pkg/sync"
)

// containerDevice implements vfs.Device for a device in /dev. All containers of a
// sandbox have the same devices, by number, but each has a /dev of its own, and
// should not meet the others behind it: for that there's binderfs, which they can
// share or not. So the device leads each container to a context of its own.
//
// +stateify savable
type containerDevice struct {
	driver *Driver
	name   string
	secctx string

	mu sync.Mutex `state:"nosave"`

	// devices has what containers have opened, by their name: a container that
	// is restored keeps it, and one that is started anew has it again.
	// +checklocks:mu
	devices map[string]*Device
}

// Open implements vfs.Device.Open.
func (d *containerDevice) Open(ctx context.Context, mnt *vfs.Mount, vfsd *vfs.Dentry, opts vfs.OpenOptions) (*vfs.FileDescription, error) {
	t := kernel.TaskFromContext(ctx)
	if t == nil {
		return nil, linuxerr.ENXIO
	}
	return d.device(t.Kernel().ContainerName(t.ContainerID())).Open(ctx, mnt, vfsd, opts)
}

// device returns the device of a container.
func (d *containerDevice) device(container string) *Device {
	d.mu.Lock()
	defer d.mu.Unlock()
	dev := d.devices[container]
	if dev == nil {
		dev = NewDevice(d.driver.NewContext(d.name, d.secctx))
		if d.devices == nil {
			d.devices = make(map[string]*Device)
		}
		d.devices[container] = dev
	}
	return dev
}
