// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package androidext is the runsc extension that adds what Android needs and gVisor
// lacks: devices and file systems, configured in one place.
//
// They are configured by annotations in containers' OCI specs. Each part is a feature,
// which declares and applies its annotations in a file of its own. To add one, write
// the file and list the feature in New.
//
// No annotation is ignored. A container can't be created or restored, and whoever tries
// gets an error, if its spec has:
//
//   - a key that begins with Prefix and is not declared: it is misspelt;
//   - an invalid value;
//   - a sandbox annotation in a container other than the sandbox's first, unless it
//     means the same as in the first one's config;
//   - an annotation that means something else at restore than it did at checkpoint:
//     the meaning of annotations is part of the checkpoint.
//
// Annotations are compared by meaning: an absent one equals one that spells out the
// default. Under Kubernetes, the sandbox's first container is the pause container.
// containerd (1.7 and 2, if the runtime's pod_annotations let them through) and CRI-O
// pass a pod's annotations to it and to every other container of the pod, all with the
// same value. So sandbox annotations are valid in each of them, and a pod's container
// annotations are defaults for its containers.
package androidext

import (
	"maps"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/sentry/kernel"
	"gvisor.dev/gvisor/pkg/sentry/vfs"
	"gvisor.dev/gvisor/runsc/cmd/util"

	"sentrybinder/pkg/sentry/devices/binder"
	"sentrybinder/runsc/bindercmd"
)

// feature is a part of the extension that is configured separately. It may also be a
// containerObserver, deviceFilter, fileProvider, flagSetter, mounter or validator.
type feature interface {
	// settings returns the feature's annotations.
	settings() []setting

	// register registers devices and file system types with vfsObj, a new sandbox's.
	// spec is the sandbox's first container's, and valid. An error here ends the
	// sandbox but doesn't reach the user: whatever settings can reject, they must.
	//
	// register isn't called after a restore: what was registered is part of the
	// checkpoint.
	register(ctx context.Context, vfsObj *vfs.VirtualFilesystem, spec *specs.Spec) error
}

// containerObserver is implemented by features that keep track of containers. The
// methods are those of package extension's interface of that name.
type containerObserver interface {
	startContainer(ctx context.Context, id, name string, spec *specs.Spec) error
	stopContainer(ctx context.Context, id string)
	restoreContainers(ctx context.Context, ids map[string]string) error
}

// flagSetter is implemented by features that need runsc to run with certain flags.
type flagSetter interface {
	// flags returns the runsc flags that spec asks for: values by name.
	flags(spec *specs.Spec) (map[string]string, error)
}

// mounter is implemented by features that provide a file system which a container's
// config can mount.
type mounter interface {
	// mountOptions returns the options that fsType supports, or false if fsType isn't
	// the feature's.
	mountOptions(fsType string) ([]string, bool)
}

// deviceFilter is implemented by features whose devices may exist on the host, too.
type deviceFilter interface {
	// ignoreDevice returns whether d, a device in spec, is the host's and left out. root
	// is the spec of the sandbox's first container.
	ignoreDevice(d *specs.LinuxDevice, spec, root *specs.Spec) bool
}

// fileProvider is implemented by features that put files into containers.
type fileProvider interface {
	// files returns the mounts that a container gets in addition to its spec's, and
	// symbolic links: targets by path. root is the spec of the sandbox's first container.
	files(spec, root *specs.Spec) (mounts []specs.Mount, links map[string]string, err error)
}

// validator is implemented by features whose annotations depend on each other or on the
// rest of the spec.
type validator interface {
	// validate returns an error if spec's annotations, each of which is valid, contradict
	// each other or the rest of the spec. root is the spec of the sandbox's first
	// container, or nil if spec is.
	validate(spec, root *specs.Spec) error
}

// Extension implements gVisor's interface for extensions that provide devices and
// file systems.
type Extension struct {
	features []feature

	driver *binderDriver

	// load finds containers for commands. It is nil if commands aren't enabled.
	load bindercmd.Loader
}

// New returns the extension. If scheduler is nil, the Binder driver uses its own.
func New(scheduler binder.Scheduler) *Extension {
	driver := &binderDriver{scheduler: scheduler}
	// In the order in which they register.
	return &Extension{
		features: []feature{
			driver,
			&sharedMemory{binder: driver},
			cgroups{},
			release{},
			&labels{},
		},
		driver: driver,
	}
}

// EnableKernelLog makes the Binder driver report what it refuses to the container's
// kernel log, through log.
func (e *Extension) EnableKernelLog(log binder.KernelLog) *Extension {
	e.driver.kernelLog = log
	return e
}

// EnableCommands adds "runsc binder", which finds containers with load.
func (e *Extension) EnableCommands(load bindercmd.Loader) *Extension {
	e.load = load
	return e
}

// Name implements extension.Extension.Name.
func (*Extension) Name() string {
	return "android"
}

// Register implements extension.Extension.Register.
func (e *Extension) Register(ctx context.Context, vfsObj *vfs.VirtualFilesystem, spec *specs.Spec) error {
	for _, f := range e.features {
		if err := f.register(ctx, vfsObj, spec); err != nil {
			return err
		}
	}
	return nil
}

// ValidateSpec implements package extension's optional interface for checking a spec
// before its container is created.
func (e *Extension) ValidateSpec(spec, root *specs.Spec) error {
	if err := e.settings().validate(spec, root); err != nil {
		return err
	}
	for _, f := range e.features {
		if v, ok := f.(validator); ok {
			if err := v.validate(spec, root); err != nil {
				return err
			}
		}
	}
	return nil
}

// ValidateRestore implements package extension's optional interface for checking a spec
// before a sandbox is restored with it.
func (e *Extension) ValidateRestore(saved, spec *specs.Spec, isRoot bool) error {
	return e.settings().validateRestore(saved, spec, isRoot)
}

func (e *Extension) settings() settings {
	var all settings
	for _, f := range e.features {
		all = append(all, f.settings()...)
	}
	return all
}

// StartContainer implements package extension's optional interface for container events.
func (e *Extension) StartContainer(ctx context.Context, id, name string, spec *specs.Spec) error {
	for _, f := range e.features {
		if o, ok := f.(containerObserver); ok {
			if err := o.startContainer(ctx, id, name, spec); err != nil {
				return err
			}
		}
	}
	return nil
}

// StopContainer implements the same interface.
func (e *Extension) StopContainer(ctx context.Context, id string) {
	for _, f := range e.features {
		if o, ok := f.(containerObserver); ok {
			o.stopContainer(ctx, id)
		}
	}
}

// RestoreContainers implements the same interface.
func (e *Extension) RestoreContainers(ctx context.Context, ids map[string]string) error {
	for _, f := range e.features {
		if o, ok := f.(containerObserver); ok {
			if err := o.restoreContainers(ctx, ids); err != nil {
				return err
			}
		}
	}
	return nil
}

// Flags implements package extension's optional interface for specs that set flags.
func (e *Extension) Flags(spec *specs.Spec) (map[string]string, error) {
	all := make(map[string]string)
	for _, f := range e.features {
		if s, ok := f.(flagSetter); ok {
			flags, err := s.flags(spec)
			if err != nil {
				return nil, err
			}
			maps.Copy(all, flags)
		}
	}
	return all, nil
}

// commandGroup is the group in which "runsc help" lists the commands.
const commandGroup = "Android"

// Commands implements package extension's optional interface for runsc commands.
func (e *Extension) Commands() map[util.SubCommand]string {
	if e.load == nil {
		return nil
	}
	return map[util.SubCommand]string{bindercmd.New(e.load): commandGroup}
}

// ControlObjects implements package extension's optional interface for objects of the
// sandbox's control server.
func (e *Extension) ControlObjects(k *kernel.Kernel) []any {
	return []any{&Binder{kernel: k, driver: &e.driver.driver}, &BinderTrace{kernel: k, driver: &e.driver.driver}}
}

// MountOptions implements package extension's optional interface for file systems that a
// container's config can mount.
func (e *Extension) MountOptions(fsType string) ([]string, bool) {
	for _, f := range e.features {
		if m, ok := f.(mounter); ok {
			if options, ok := m.mountOptions(fsType); ok {
				return options, true
			}
		}
	}
	return nil, false
}

// Files implements package extension's optional interface for files added to containers.
func (e *Extension) Files(spec, root *specs.Spec) ([]specs.Mount, map[string]string, error) {
	var mounts []specs.Mount
	links := make(map[string]string)
	for _, f := range e.features {
		p, ok := f.(fileProvider)
		if !ok {
			continue
		}
		m, l, err := p.files(spec, root)
		if err != nil {
			return nil, nil, err
		}
		mounts = append(mounts, m...)
		maps.Copy(links, l)
	}
	return mounts, links, nil
}

// IgnoreDevice implements package extension's optional interface for leaving the host's
// devices out of a container.
func (e *Extension) IgnoreDevice(d *specs.LinuxDevice, spec, root *specs.Spec) bool {
	return slices.ContainsFunc(e.features, func(f feature) bool {
		filter, ok := f.(deviceFilter)
		return ok && filter.ignoreDevice(d, spec, root)
	})
}
