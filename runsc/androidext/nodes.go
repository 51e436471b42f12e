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

// nodeKind says what a device node in a config is.
type nodeKind int

const (
	// otherNode is none of Binder's.
	otherNode nodeKind = iota
	// ownNode is by a path where the container has a Binder device.
	ownNode
	// foreignNode is a Binder device that the container doesn't have.
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

// validateNodes returns an error if spec's device nodes, as Docker's --device adds
// them, have one of Binder's that the container won't have. The host's numbers of such
// a device mean nothing in a sandbox, or another device. root is the spec of the
// sandbox's first container.
//
// A privileged container lists all of its host's devices, and asks for none of them:
// see ignoreDevice.
func (c binderConfig) validateNodes(spec, root *specs.Spec) error {
	if spec.Linux == nil || isPrivileged(spec.Linux) {
		return nil
	}
	dirs := c.binderfsDirs(spec, root)
	for _, d := range spec.Linux.Devices {
		switch c.nodeKindOf(&d, dirs) {
		case ownNode:
			if d.Type != "c" && d.Type != "u" {
				return fmt.Errorf("device %s: its type is c, not %q", d.Path, d.Type)
			}
		case foreignNode:
			return fmt.Errorf("device %s: this sandbox has no such Binder device: those of /dev are %q, by annotation %s, and a host's can't be passed on",
				d.Path, strings.Join(c.devices, ","), devices.key)
		}
	}
	return nil
}

// ignoreDevice implements deviceFilter.ignoreDevice. Of Binder's devices, a privileged
// container has the sandbox's alone, as the layout makes them.
func (*binderDriver) ignoreDevice(d *specs.LinuxDevice, spec, root *specs.Spec) bool {
	c, err := binderConfigOf(root)
	return err == nil && isPrivileged(spec.Linux) && c.nodeKindOf(d, c.binderfsDirs(spec, root)) != otherNode
}

// isPrivileged returns whether a container may use any device there is.
func isPrivileged(spec *specs.Linux) bool {
	return spec.Resources != nil && slices.ContainsFunc(spec.Resources.Devices, func(d specs.LinuxDeviceCgroup) bool {
		return d.Allow && (d.Type == "" || d.Type == "a") && d.Major == nil && d.Minor == nil
	})
}
