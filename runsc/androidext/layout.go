// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package androidext

import (
	"fmt"
	"path"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"gvisor.dev/gvisor/pkg/abi/linux"

	"sentrybinder/pkg/sentry/fsimpl/binderfs"
)

// layout is the annotation that says where Binder devices are.
//
//   - layoutPlain: device files in /dev, as on Linux without binderfs.
//   - layoutAndroid: as Android's init and ueventd set them up. Each container has its
//     own instance of binderfs on binderfsDir, with devices, features and logs; /dev has
//     symbolic links to the devices; everybody may open them.
//
// A sandbox's devices are one or the other, so this is an annotation of the sandbox.
var layout = annotation[string]{
	key:    Prefix + "layout",
	scope:  ofSandbox,
	absent: layoutPlain,
	parse:  oneOf(layoutPlain, layoutAndroid),
}

const (
	layoutPlain   = "plain"
	layoutAndroid = "android"
)

// binderfsDir is where Android mounts binderfs.
const binderfsDir = "/dev/binderfs"

// androidMode is the mode of devices in layoutAndroid: that of ueventd.rc, and of
// init.rc for devices in binderfs.
const androidMode linux.FileMode = 0666

// binderConfig is the configuration of a sandbox's Binder devices.
type binderConfig struct {
	android bool
	// devices holds the devices' names.
	devices []string
}

// binderConfigOf returns the configuration in the spec of a sandbox's first container.
func binderConfigOf(root *specs.Spec) (binderConfig, error) {
	where, err := layout.of(root)
	if err != nil {
		return binderConfig{}, err
	}
	names, err := devices.of(root)
	return binderConfig{where == layoutAndroid, names}, err
}

// files returns the names of the device files to create in /dev.
func (c binderConfig) files() []string {
	if c.android {
		return nil
	}
	return c.devices
}

// links returns the names of the symbolic links to create in /dev.
func (c binderConfig) links() []string {
	if c.android {
		return c.devices
	}
	return nil
}

// defaults returns the initial state of an instance of binderfs. In layoutAndroid it has
// the sandbox's devices, as on Linux.
func (c binderConfig) defaults() binderfs.Defaults {
	if c.android {
		return binderfs.Defaults{Devices: c.devices, Mode: androidMode}
	}
	return binderfs.LinuxDefaults
}

// validate returns an error if the layout needs a device's name for something else.
func (c binderConfig) validate() error {
	if !c.android {
		return nil
	}
	for _, name := range c.devices {
		if slices.Contains(binderfs.FileNames, name) || name == path.Base(binderfsDir) {
			return fmt.Errorf("annotation %s: device %q: the name is taken with %s=%s", devices.key, name, layout.key, layoutAndroid)
		}
	}
	return nil
}

// validateLinks returns an error if the config mounts something in a link's place.
func (c binderConfig) validateLinks(spec *specs.Spec) error {
	for _, m := range spec.Mounts {
		name, ok := strings.CutPrefix(path.Clean(m.Destination), "/dev/")
		if ok && slices.Contains(c.links(), name) {
			return fmt.Errorf("mount at %s: annotation %s=%s creates a link there; mount other devices elsewhere", m.Destination, layout.key, layoutAndroid)
		}
	}
	return nil
}

// binderfsMount returns the mount that layoutAndroid adds unless the config has one.
func (c binderConfig) binderfsMount(spec *specs.Spec) (specs.Mount, bool) {
	if !c.android || slices.ContainsFunc(spec.Mounts, isBinderfsDir) {
		return specs.Mount{}, false
	}
	// It has no source, which could be a shared mount's.
	return specs.Mount{Type: binderfs.Name, Destination: binderfsDir, Options: []string{"stats=global"}}, true
}

// isBinderfsDir returns whether m is mounted on binderfsDir.
func isBinderfsDir(m specs.Mount) bool {
	return path.Clean(m.Destination) == binderfsDir
}
