// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package misc registers misc devices, the character devices that Linux lists in
// /proc/misc.
package misc

import (
	"fmt"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/sentry/vfs"
)

// Linux numbers the devices that have no number of their own downwards from this
// minor.
const lastDynamicMinor = 127

// Register registers dev with vfsObj under a minor number that is free. Its file in
// /dev is called name, and everybody may open it.
func Register(vfsObj *vfs.VirtualFilesystem, name string, dev vfs.Device) error {
	for minor := lastDynamicMinor; minor >= 0; minor-- {
		if vfsObj.IsDeviceRegistered(vfs.CharDevice, linux.MISC_MAJOR, uint32(minor)) {
			continue
		}
		return vfsObj.RegisterDevice(vfs.CharDevice, linux.MISC_MAJOR, uint32(minor), dev, &vfs.RegisterDeviceOptions{
			GroupName: "misc",
			Pathname:  name,
			FilePerms: 0666,
		})
	}
	return fmt.Errorf("no minor number is left for device %q", name)
}
