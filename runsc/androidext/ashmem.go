// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package androidext

import (
	"errors"
	"sync/atomic"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/sentry/arch"
	"gvisor.dev/gvisor/pkg/sentry/kernel"
	"gvisor.dev/gvisor/pkg/sentry/vfs"
	"gvisor.dev/gvisor/pkg/usermem"

	"sentrybinder/pkg/sentry/devices/ashmem"
)

// hasAshmem is the annotation that gives a sandbox /dev/ashmem, also under that name with
// the boot ID appended, and ashmem's ioctls on memfds.
var hasAshmem = annotation[bool]{
	key:   Prefix + "ashmem",
	scope: ofSandbox,
	parse: boolean,
}

// sharedMemory is the feature of Android's shared memory.
type sharedMemory struct {
	// binder holds the containers' accounts.
	binder *binderDriver

	// enabled is set in the sandbox process if the sandbox has ashmem.
	enabled atomic.Bool
}

// settings implements feature.settings.
func (*sharedMemory) settings() []setting {
	return []setting{&hasAshmem}
}

// register implements feature.register.
func (s *sharedMemory) register(ctx context.Context, vfsObj *vfs.VirtualFilesystem, spec *specs.Spec) error {
	if enabled, err := hasAshmem.of(spec); err != nil || !enabled {
		return err
	}
	k, ok := any(kernel.KernelFromContext(ctx)).(patchedKernel)
	if !ok {
		return errors.New("gVisor lacks the patches for ashmem")
	}
	s.enabled.Store(true)
	k.SetMemfdIoctler(ashmem.MemfdIoctler{})
	return ashmem.Register(vfsObj, k.BootID(), s.binder.driver.Load())
}

// startContainer implements containerObserver.startContainer.
func (*sharedMemory) startContainer(context.Context, string, string, *specs.Spec) error { return nil }

// stopContainer implements containerObserver.stopContainer.
func (*sharedMemory) stopContainer(context.Context, string) {}

// restoreContainers implements containerObserver.restoreContainers. The device is part
// of the checkpoint; the ioctls on memfds are not.
func (s *sharedMemory) restoreContainers(ctx context.Context, _ map[string]string) error {
	if s.enabled.Load() {
		any(kernel.KernelFromContext(ctx)).(patchedKernel).SetMemfdIoctler(ashmem.MemfdIoctler{})
	}
	return nil
}

// patchedKernel is what runsc/patches add to kernel.Kernel for ashmem. Asserting it
// lets this package build without them, too.
type patchedKernel interface {
	BootID() string
	SetMemfdIoctler(interface {
		Ioctl(ctx context.Context, file *vfs.FileDescription, uio usermem.IO, sysno uintptr, args arch.SyscallArguments) (uintptr, error)
	})
}
