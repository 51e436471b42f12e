// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package androidext

import (
	"fmt"
	"sync/atomic"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/sentry/kernel"
	"gvisor.dev/gvisor/pkg/sentry/vfs"

	"sentrybinder/pkg/sentry/fsimpl/selinuxfs"
	"sentrybinder/pkg/sentry/selinux"
)

// selinuxMode is the annotation that gives all tasks and files of a sandbox security
// labels, if its value is selinuxPermissive. The label of a container's first processes
// is then its securityContext. See package selinux.
var selinuxMode = annotation[string]{
	key:   Prefix + "selinux",
	scope: ofSandbox,
	parse: oneOf(selinuxPermissive),
}

// selinuxPermissive means that labels are kept, and that everything is allowed.
const selinuxPermissive = "permissive"

// labels is the feature of security labels and selinuxfs.
type labels struct {
	// set sets a kernel's security module.
	set func(*kernel.Kernel, *selinux.Module)
	// module is the sandbox's, or nil if it has no labels. It is set in the sandbox
	// process only.
	module atomic.Pointer[selinux.Module]
}

// EnableLabels lets sandboxes have security labels, and returns e. set sets a kernel's
// security module.
func (e *Extension) EnableLabels(set func(*kernel.Kernel, *selinux.Module)) *Extension {
	for _, f := range e.features {
		if l, ok := f.(*labels); ok {
			l.set = set
		}
	}
	return e
}

// settings implements feature.settings.
func (*labels) settings() []setting {
	return []setting{&selinuxMode}
}

// validate implements validator.validate. If the sandbox has labels, a security context
// must be one.
func (*labels) validate(spec, root *specs.Spec) error {
	if root == nil {
		root = spec
	}
	if mode, err := selinuxMode.of(root); err != nil || mode == "" {
		return err
	}
	label, err := securityContext.of(spec)
	if err != nil {
		return err
	}
	if _, err := selinux.Canonical(label); err != nil {
		return fmt.Errorf("annotation %s=%q: with %s, a security context is USER:ROLE:TYPE:RANGE", securityContext.key, label, selinuxMode.key)
	}
	return nil
}

// labelsKey is the key of the module in the kernel's checkpoint state, by which its
// restored copy is found.
const labelsKey = "dev.sentrybinder.labels"

// register implements feature.register.
func (l *labels) register(ctx context.Context, vfsObj *vfs.VirtualFilesystem, spec *specs.Spec) error {
	mode, err := selinuxMode.of(spec)
	if err != nil || mode == "" {
		return err
	}
	if l.set == nil {
		return fmt.Errorf("annotation %s: this program doesn't support labels", selinuxMode.key)
	}
	k := kernel.KernelFromContext(ctx)
	m := selinux.NewModule()
	l.set(k, m)
	l.module.Store(m)
	k.AddStateToCheckpoint(labelsKey, m)
	return selinuxfs.Register(ctx, vfsObj)
}

// startContainer implements containerObserver.startContainer.
func (l *labels) startContainer(_ context.Context, id, name string, spec *specs.Spec) error {
	m := l.module.Load()
	if m == nil {
		return nil
	}
	label, err := securityContext.of(spec)
	if err != nil {
		return err
	}
	return m.StartContainer(id, name, label)
}

// stopContainer implements containerObserver.stopContainer.
func (l *labels) stopContainer(_ context.Context, id string) {
	if m := l.module.Load(); m != nil {
		m.StopContainer(id)
	}
}

// restoreContainers implements containerObserver.restoreContainers.
func (l *labels) restoreContainers(ctx context.Context, ids map[string]string) error {
	k := kernel.KernelFromContext(ctx)
	m, _ := k.PopCheckpointState(labelsKey).(*selinux.Module)
	if m != nil {
		k.AddStateToCheckpoint(labelsKey, m)
		m.RestoreContainers(ids)
	}
	l.module.Store(m)
	return nil
}

// mountOptions implements mounter.mountOptions.
func (*labels) mountOptions(fsType string) ([]string, bool) {
	return nil, fsType == selinuxfs.Name
}
