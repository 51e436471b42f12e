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
//   - layoutAndroid: what Android's init and ueventd make. A binderfs on BinderfsDir,
//     an instance of each container's own, has the devices, the features and the
//     logs; in /dev there are symbolic links to the devices; everybody may open them.
//
// The devices of a sandbox are either, so that it is an annotation of the sandbox.
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

// androidMode is the permissions of devices in layoutAndroid: those of ueventd.rc, and
// of init.rc where binderfs has them.
const androidMode linux.FileMode = 0666

// binderConfig is what the annotations of a sandbox say of its Binder devices.
type binderConfig struct {
	android bool
	// devices are the names of the devices.
	devices []string
}

// binderConfigOf returns what the spec of a sandbox's first container says.
func binderConfigOf(root *specs.Spec) (binderConfig, error) {
	where, err := layout.of(root)
	if err != nil {
		return binderConfig{}, err
	}
	names, err := devices.of(root)
	return binderConfig{where == layoutAndroid, names}, err
}

// files returns the names of the device files that are to be in /dev.
func (c binderConfig) files() []string {
	if c.android {
		return nil
	}
	return c.devices
}

// links returns the names of the symbolic links that are to be in /dev.
func (c binderConfig) links() []string {
	if c.android {
		return c.devices
	}
	return nil
}

// defaults returns how an instance of binderfs begins. In layoutAndroid it has the
// sandbox's devices, as on Linux.
func (c binderConfig) defaults() binderfs.Defaults {
	if c.android {
		return binderfs.Defaults{Devices: c.devices, Mode: androidMode}
	}
	return binderfs.LinuxDefaults
}

// validate returns an error if the names of the devices don't go with the layout.
func (c binderConfig) validate() error {
	if !c.android {
		return nil
	}
	for _, name := range c.devices {
		if slices.Contains(binderfs.FileNames, name) || name == path.Base(binderfsDir) {
			return fmt.Errorf("annotation %s: device %q: with %s=%s, there is something else by that name", devices.key, name, layout.key, layoutAndroid)
		}
	}
	return nil
}

// validateLinks returns an error if the config mounts something where a link is to be.
func (c binderConfig) validateLinks(spec *specs.Spec) error {
	for _, m := range spec.Mounts {
		name, ok := strings.CutPrefix(path.Clean(m.Destination), "/dev/")
		if ok && slices.Contains(c.links(), name) {
			return fmt.Errorf("mount at %s: annotation %s=%s makes a link there; devices of other mounts have to be mounted elsewhere", m.Destination, layout.key, layoutAndroid)
		}
	}
	return nil
}

// binderfsMount returns the mount that layoutAndroid adds, if the config has none.
func (c binderConfig) binderfsMount(spec *specs.Spec) (specs.Mount, bool) {
	if !c.android || slices.ContainsFunc(spec.Mounts, isBinderfsDir) {
		return specs.Mount{}, false
	}
	// Without a source, which could be that of a shared mount.
	return specs.Mount{Type: binderfs.Name, Destination: binderfsDir, Options: []string{"stats=global"}}, true
}

// isBinderfsDir returns whether m is where Android mounts binderfs.
func isBinderfsDir(m specs.Mount) bool {
	return path.Clean(m.Destination) == binderfsDir
}
