// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package androidext

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"sentrybinder/pkg/sentry/fsimpl/binderfs"
)

// hintPrefix begins the keys of gVisor's annotations for a pod's shared mounts. The name
// of the mount and a field follow.
const hintPrefix = "dev.gvisor.spec.mount."

// hints returns the values of a pod's annotations for shared mounts, by name and field.
func hints(root *specs.Spec) map[string]map[string]string {
	all := make(map[string]map[string]string)
	for key, value := range root.Annotations {
		rest, ok := strings.CutPrefix(key, hintPrefix)
		if !ok {
			continue
		}
		name, field, _ := strings.Cut(rest, ".")
		if all[name] == nil {
			all[name] = make(map[string]string)
		}
		all[name][field] = value
	}
	return all
}

// sharedOptions returns the options of each shared binderfs, by its mounts' source.
func sharedOptions(root *specs.Spec) map[string][]string {
	all := make(map[string][]string)
	for _, h := range hints(root) {
		if h["type"] == binderfs.Name {
			all[h["source"]] = strings.Split(h["options"], ",")
		}
	}
	return all
}

// validateHints returns an error if gVisor would ignore a pod's annotation for a shared
// binderfs.
func validateHints(root *specs.Spec, devices []string) error {
	all := hints(root)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		h := all[name]
		where := hintPrefix + name
		if err := validateType(h["type"]); err != nil {
			return fmt.Errorf("annotation %s.type: %w", where, err)
		}
		if h["type"] != binderfs.Name {
			continue
		}
		if h["source"] == "" {
			return fmt.Errorf("annotation %s.source is missing: it identifies the mounts of this binderfs", where)
		}
		if s := h["share"]; s != "pod" && s != "container" {
			return fmt.Errorf("annotation %s.share=%q: want one of pod, container", where, s)
		}
		if options, ok := h["options"]; ok {
			if err := validateMountOptions(strings.Split(options, ","), devices); err != nil {
				return fmt.Errorf("annotation %s.options: %w", where, err)
			}
		}
	}
	return nil
}

// isBinderfs returns whether m mounts a binderfs by its type.
func isBinderfs(m specs.Mount) bool {
	return m.Type == binderfs.Name && !isBind(m)
}

// isBind returns whether m is a bind mount, by its type or its options.
func isBind(m specs.Mount) bool {
	return m.Type == "bind" || slices.Contains(m.Options, "bind") || slices.Contains(m.Options, "rbind")
}

// validateMounts returns an error if spec has a mount of binderfs that would be partly
// ignored. root is the spec of the sandbox's first container.
func (c binderConfig) validateMounts(spec, root *specs.Spec) error {
	shared := sharedOptions(root)
	for _, m := range spec.Mounts {
		err := validateType(m.Type)
		options, isShared := shared[m.Source]
		switch {
		case err != nil:
		case isShared:
			err = validateSharedOptions(m, options)
		case isBinderfs(m):
			err = validateMountOptions(m.Options, c.defaults().Devices)
		case c.android && isBinderfsDir(m):
			err = fmt.Errorf("its type is %q, but annotation %s=%s needs a binderfs there", m.Type, layout.key, layoutAndroid)
		case isBinderfsDir(m) && isBind(m):
			// Nobody means this: it is a pod's volume, and containerd has dropped the
			// annotations that make it a binderfs.
			err = fmt.Errorf("this would be the host's %q, not a binderfs: neither its type nor annotations %sNAME.{source,type,share} make it one; of a pod's annotations, containerd passes on only those that pod_annotations in its config names", m.Source, hintPrefix)
		}
		if err != nil {
			return fmt.Errorf("mount at %s: %w", m.Destination, err)
		}
	}
	return nil
}

// validateType returns an error for "binderfs", which is often used as the type and isn't
// one. gVisor ignores mounts of unknown types.
func validateType(fsType string) error {
	if fsType == "binderfs" {
		return fmt.Errorf("unknown type %q: want %q", fsType, binderfs.Name)
	}
	return nil
}

// vfsOptions are the options that hold for any mount: those that gVisor implements, and
// those that name what it does anyway.
var vfsOptions = []string{
	"ro", "rw", "noexec", "exec", "nosuid", "suid", "noatime", "atime", "dev", "defaults",
	"private", "rprivate", "slave", "rslave",
}

// validateMountOptions returns an error if options are invalid for a mount of binderfs.
func validateMountOptions(options, devices []string) error {
	var own []string
	for _, o := range options {
		switch key, _, _ := strings.Cut(o, "="); {
		case slices.Contains(binderfs.MountOptions, key):
			own = append(own, o)
		case o == "nodev":
			return fmt.Errorf("option %q: nobody could open the devices", o)
		case !slices.Contains(vfsOptions, o):
			return fmt.Errorf("option %q has no effect on binderfs: want one of %s", o, strings.Join(slices.Concat(binderfs.MountOptions, vfsOptions), ", "))
		}
	}
	return binderfs.CheckMountOptions(own, devices)
}

// validateSharedOptions returns an error if m's options are invalid for a mount of a
// binderfs shared with the options shared, which it may repeat. podman makes each volume
// nodev, which concerns files of the volume that nobody sees here.
func validateSharedOptions(m specs.Mount, shared []string) error {
	for _, o := range m.Options {
		key, _, _ := strings.Cut(o, "=")
		switch {
		case slices.Contains(shared, o):
		case slices.Contains(binderfs.MountOptions, key):
			return fmt.Errorf("option %q of a shared binderfs belongs to the annotation %sNAME.options", o, hintPrefix)
		case o == "bind", o == "rbind", o == "nodev" && !isBinderfs(m):
		case !slices.Contains(vfsOptions, o):
			return fmt.Errorf("option %q has no effect on a shared binderfs: want one of %s", o, strings.Join(vfsOptions, ", "))
		}
	}
	return nil
}

// binderfsDirs returns the paths at which the container of spec mounts a binderfs.
func (c binderConfig) binderfsDirs(spec, root *specs.Spec) []string {
	var dirs []string
	if c.android {
		dirs = append(dirs, binderfsDir)
	}
	shared := sharedOptions(root)
	for _, m := range spec.Mounts {
		if _, ok := shared[m.Source]; ok || isBinderfs(m) {
			dirs = append(dirs, path.Clean(m.Destination))
		}
	}
	return dirs
}
