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

// hintPrefix begins the keys of gVisor's annotations of mounts that a pod shares. The
// name of the mount and a field follow.
const hintPrefix = "dev.gvisor.spec.mount."

// hints returns the fields of a pod's annotations of shared mounts, by name and field.
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

// sharedOptions returns the options of each shared binderfs, by the source of its
// mounts.
func sharedOptions(root *specs.Spec) map[string][]string {
	all := make(map[string][]string)
	for _, h := range hints(root) {
		if h["type"] == binderfs.Name {
			all[h["source"]] = strings.Split(h["options"], ",")
		}
	}
	return all
}

// validateHints returns an error if what a pod's annotations say of shared instances
// of binderfs would be ignored.
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
			return fmt.Errorf("annotation %s.source is missing: it says which mounts are this binderfs", where)
		}
		if s := h["share"]; s != "pod" && s != "container" {
			return fmt.Errorf("annotation %s.share=%q: this is one of pod, container", where, s)
		}
		if options, ok := h["options"]; ok {
			if err := validateMountOptions(strings.Split(options, ","), devices); err != nil {
				return fmt.Errorf("annotation %s.options: %w", where, err)
			}
		}
	}
	return nil
}

// isBinderfs returns whether m is a mount of binderfs that is not shared.
func isBinderfs(m specs.Mount) bool {
	return m.Type == binderfs.Name && !isBind(m)
}

// isBind returns whether m is a bind mount, which options can make of any.
func isBind(m specs.Mount) bool {
	return m.Type == "bind" || slices.Contains(m.Options, "bind") || slices.Contains(m.Options, "rbind")
}

// validateMounts returns an error if spec has a mount of binderfs of which something
// would be ignored. root is the spec of the sandbox's first container.
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
			err = fmt.Errorf("it is of type %q, where annotation %s=%s needs a binderfs", m.Type, layout.key, layoutAndroid)
		case isBinderfsDir(m) && isBind(m):
			// What nobody means: a pod's volume, and containerd has dropped the
			// annotations that make it a binderfs.
			err = fmt.Errorf("it would be the host's %q, and no binderfs: neither its type nor annotations %sNAME.{source,type,share} say so; containerd passes annotations of a pod on if pod_annotations in its config names them", m.Source, hintPrefix)
		}
		if err != nil {
			return fmt.Errorf("mount at %s: %w", m.Destination, err)
		}
	}
	return nil
}

// validateType returns an error for what binderfs is often called, and no file system
// is. gVisor ignores mounts of unknown types.
func validateType(fsType string) error {
	if fsType == "binderfs" {
		return fmt.Errorf("there is no type %q: it is %q", fsType, binderfs.Name)
	}
	return nil
}

// vfsOptions are the options of any mount that can be obeyed: those that gVisor knows,
// and those that are so anyway.
var vfsOptions = []string{
	"ro", "rw", "noexec", "exec", "nosuid", "suid", "noatime", "atime", "dev", "defaults",
	"private", "rprivate", "slave", "rslave",
}

// validateMountOptions returns an error if a mount of binderfs can't have options.
func validateMountOptions(options, devices []string) error {
	var own []string
	for _, o := range options {
		switch key, _, _ := strings.Cut(o, "="); {
		case slices.Contains(binderfs.MountOptions, key):
			own = append(own, o)
		case o == "nodev":
			return fmt.Errorf("option %q: nobody could open the devices", o)
		case !slices.Contains(vfsOptions, o):
			return fmt.Errorf("option %q has no effect on binderfs: it would be one of %s", o, strings.Join(slices.Concat(binderfs.MountOptions, vfsOptions), ", "))
		}
	}
	return binderfs.CheckMountOptions(own, devices)
}

// validateSharedOptions returns an error if m, a mount of a shared binderfs with these
// options, can't have its own. It may repeat those of the binderfs. podman makes each
// volume nodev, which is about files of the volume that nobody sees here.
func validateSharedOptions(m specs.Mount, shared []string) error {
	for _, o := range m.Options {
		key, _, _ := strings.Cut(o, "=")
		switch {
		case slices.Contains(shared, o):
		case slices.Contains(binderfs.MountOptions, key):
			return fmt.Errorf("option %q of a shared binderfs belongs to the annotation %sNAME.options", o, hintPrefix)
		case o == "bind", o == "rbind", o == "nodev" && !isBinderfs(m):
		case !slices.Contains(vfsOptions, o):
			return fmt.Errorf("option %q has no effect on a shared binderfs: it would be one of %s", o, strings.Join(vfsOptions, ", "))
		}
	}
	return nil
}

// binderfsDirs returns where the container of spec has a binderfs.
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
