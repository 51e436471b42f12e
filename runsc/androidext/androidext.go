// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package androidext makes what Android needs beside gVisor an extension of runsc:
// devices and file systems, configured in one place.
//
// They are configured by annotations in the OCI specs of containers. Each part is a
// feature, which declares its annotations in a file of its own and applies them; New
// lists the features. To add one, write the file, and add it there.
//
// No annotation is ignored. What follows keeps a container from being created or
// restored, with an error to whoever tries:
//
//   - a key that begins with Prefix and is not declared, which is misspelt;
//   - a value that the annotation can't have;
//   - an annotation of the sandbox in a container that is not the sandbox's first
//     one, if it means something else than what the first one's config says;
//   - another meaning when a sandbox is restored than when it was checkpointed. What
//     annotations say is part of the checkpoint.
//
// Annotations are compared by what they mean, so that an absent one equals one that
// spells out the default. Under Kubernetes, the sandbox's first container is the
// pause container. containerd (1.7 and 2, where pod_annotations of the runtime let
// them through) and CRI-O pass the annotations of a pod on to it and to each other
// container of the pod, all with the same value. So an annotation of the sandbox is
// fine in each of them, and one of containers is the default of all containers of
// the pod.
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

// feature is a part of what Android needs that has a configuration of its own. It
// may also be a containerObserver, a deviceFilter, a fileProvider, a flagSetter, a mounter or a
// validator.
type feature interface {
	// settings returns the feature's annotations.
	settings() []setting

	// register registers devices and file system types with vfsObj, those of a new
	// sandbox. spec is that of its first container, and valid. An error here ends
	// the sandbox, but does not reach the user: settings are to reject what can be
	// rejected.
	//
	// Nothing of it is called when a sandbox has been restored, since what was
	// registered is part of the checkpoint.
	register(ctx context.Context, vfsObj *vfs.VirtualFilesystem, spec *specs.Spec) error
}

// containerObserver is implemented by features that have to know which containers
// there are. The methods are those of package extension's interface of that name.
type containerObserver interface {
	startContainer(ctx context.Context, id, name string, spec *specs.Spec) error
	stopContainer(ctx context.Context, id string)
	restoreContainers(ctx context.Context, ids map[string]string) error
}

// flagSetter is implemented by features that take a sandbox with certain flags.
type flagSetter interface {
	// flags returns the values, by name, of runsc's flags that spec asks for.
	flags(spec *specs.Spec) (map[string]string, error)
}

// mounter is implemented by features with a file system that a container's config
// can mount.
type mounter interface {
	// mountOptions returns the options that such a mount may have, or false if
	// fsType is another file system.
	mountOptions(fsType string) ([]string, bool)
}

// deviceFilter is implemented by features whose devices hosts have, too.
type deviceFilter interface {
	// ignoreDevice returns whether d, a device of spec's, is the host's and left out.
	// root is the spec of the sandbox's first container.
	ignoreDevice(d *specs.LinuxDevice, spec, root *specs.Spec) bool
}

// fileProvider is implemented by features that put files into containers.
type fileProvider interface {
	// files returns the mounts that a container has beside those of its spec, and
	// symbolic links, targets by path. root is the spec of the sandbox's first
	// container.
	files(spec, root *specs.Spec) (mounts []specs.Mount, links map[string]string, err error)
}

// validator is implemented by features for which annotations depend on each other.
type validator interface {
	// validate returns an error if spec's annotations, each of which is valid, don't
	// go together. root is the spec of the sandbox's first container, nil if spec is.
	validate(spec, root *specs.Spec) error
}

// Extension implements gVisor's interface for extensions that provide devices and
// file systems.
type Extension struct {
	features []feature

	driver *binderDriver

	// load finds containers for commands, or is nil without them.
	load bindercmd.Loader
}

// New returns the extension. scheduler is the Binder driver's, nil for its own.
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

// EnableKernelLog makes the Binder driver tell by log, to the kernel log of a container,
// what it has refused.
func (e *Extension) EnableKernelLog(log binder.KernelLog) *Extension {
	e.driver.kernelLog = log
	return e
}

// EnableCommands adds "runsc binder", which finds containers by load.
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

// ValidateSpec implements the optional interface of package extension by which a
// spec is checked before its container is created.
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

// ValidateRestore implements the optional interface of package extension by which a
// spec is checked before a sandbox is restored with it.
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

// StartContainer implements the optional interface of package extension that tells
// of containers.
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

// Flags implements the optional interface of package extension by which a spec sets
// flags.
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

// commandGroup is where "runsc help" lists the commands.
const commandGroup = "Android"

// Commands implements the optional interface of package extension that adds commands
// to runsc.
func (e *Extension) Commands() map[util.SubCommand]string {
	if e.load == nil {
		return nil
	}
	return map[util.SubCommand]string{bindercmd.New(e.load): commandGroup}
}

// ControlObjects implements the optional interface of package extension that adds
// objects to the sandbox's control server.
func (e *Extension) ControlObjects(k *kernel.Kernel) []any {
	return []any{&Binder{kernel: k, driver: &e.driver.driver}, &BinderTrace{kernel: k, driver: &e.driver.driver}}
}

// MountOptions implements the optional interface of package extension by which a
// container's config can mount a file system.
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

// Files implements the optional interface of package extension by which files are
// put into containers.
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

// IgnoreDevice implements the optional interface of package extension by which the
// host's devices are left out of a container.
func (e *Extension) IgnoreDevice(d *specs.LinuxDevice, spec, root *specs.Spec) bool {
	return slices.ContainsFunc(e.features, func(f feature) bool {
		filter, ok := f.(deviceFilter)
		return ok && filter.ignoreDevice(d, spec, root)
	})
}
