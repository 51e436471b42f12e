// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package androidext

import (
	"fmt"
	"path"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"sentrybinder/pkg/sentry/fsimpl/binderfs"
)

// nodeKind classifies a device node in a config.
type nodeKind int

const (
	// otherNode is not a Binder device.
	otherNode nodeKind = iota
	// ownNode has the path of one of the container's Binder devices.
	ownNode
	// foreignNode is a Binder device that the container lacks.
	foreignNode
)

// nodeKindOf returns what d is to a container that has binderfs on dirs.
func (c binderConfig) nodeKindOf(d *specs.LinuxDevice, dirs []string) nodeKind {
	dir, name := path.Split(path.Clean(d.Path))
	dir = path.Clean(dir)
	switch {
	case dir == "/dev" && slices.Contains(c.devices, name),
		slices.Contains(dirs, dir) && (name == binderfs.ControlName || slices.Contains(c.defaults().Devices, name)):
		return ownNode
	case dir == binderfsDir, strings.HasSuffix(name, "binder"):
		return foreignNode
	}
	return otherNode
}

// validateNodes returns an error if spec's device nodes, as Docker's --device adds them,
// include a Binder device that the container lacks. In a sandbox, the host's numbers of
// that device mean nothing, or another device. root is the spec of the sandbox's first
// container.
//
// A privileged container's config lists all devices of the host without asking for any
// of them: see ignoreDevice.
func (c binderConfig) validateNodes(spec, root *specs.Spec) error {
	if spec.Linux == nil || isPrivileged(spec.Linux) {
		return nil
	}
	dirs := c.binderfsDirs(spec, root)
	for _, d := range spec.Linux.Devices {
		switch c.nodeKindOf(&d, dirs) {
		case ownNode:
			if d.Type != "c" && d.Type != "u" {
				return fmt.Errorf("device %s: type %q: want c", d.Path, d.Type)
			}
		case foreignNode:
			return fmt.Errorf("device %s: this sandbox has no such Binder device: its /dev has %q, by annotation %s, and a host's can't be passed on",
				d.Path, strings.Join(c.devices, ","), devices.key)
		}
	}
	return nil
}

// ignoreDevice implements deviceFilter.ignoreDevice. A privileged container's only Binder
// devices are the sandbox's, where the layout puts them.
func (*binderDriver) ignoreDevice(d *specs.LinuxDevice, spec, root *specs.Spec) bool {
	c, err := binderConfigOf(root)
	return err == nil && isPrivileged(spec.Linux) && c.nodeKindOf(d, c.binderfsDirs(spec, root)) != otherNode
}

// isPrivileged returns whether a container may use all devices.
func isPrivileged(spec *specs.Linux) bool {
	return spec.Resources != nil && slices.ContainsFunc(spec.Resources.Devices, func(d specs.LinuxDeviceCgroup) bool {
		return d.Allow && (d.Type == "" || d.Type == "a") && d.Major == nil && d.Minor == nil
	})
}
