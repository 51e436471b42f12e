// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/sentry/arch"
	"gvisor.dev/gvisor/pkg/sentry/kernel"
	"gvisor.dev/gvisor/pkg/sentry/kernel/auth"
	"gvisor.dev/gvisor/pkg/sentry/memmap"
	"gvisor.dev/gvisor/pkg/sentry/pgalloc"
	"gvisor.dev/gvisor/pkg/sentry/vfs"
	"gvisor.dev/gvisor/pkg/usermem"
)

func (fd *deviceFD) process() *Process { return fd.proc }

// Device implements vfs.Device for a binder device.
//
// +stateify savable
type Device struct {
	ctx *Context
}

// NewDevice returns the device of ctx.
func NewDevice(ctx *Context) *Device { return &Device{ctx: ctx} }

// Open implements vfs.Device.Open.
//
// Errors: ENXIO if the driver doesn't know the caller's container, EINVAL if the
// caller asks for O_DIRECT.
func (d *Device) Open(ctx context.Context, mnt *vfs.Mount, vfsd *vfs.Dentry, opts vfs.OpenOptions) (*vfs.FileDescription, error) {
	t := kernel.TaskFromContext(ctx)
	if t == nil {
		return nil, linuxerr.ENXIO
	}
	if opts.Flags&linux.O_DIRECT != 0 {
		return nil, linuxerr.EINVAL
	}
	tenant := d.ctx.domain.driver.tenants.get(t.ContainerID())
	if tenant == nil {
		return nil, linuxerr.ENXIO
	}
	creds := auth.CredentialsFromContext(ctx)
	p, err := d.ctx.open(tenant, t.ThreadGroup(), identityOf(t.ThreadGroup(), int32(t.TGIDInRoot())), labelOf(t), pgalloc.MemoryFileFromContext(ctx))
	if err != nil {
		return nil, err
	}
	p.defaultNice = t.Niceness()
	fd := &deviceFD{proc: p}
	if err := fd.vfsfd.Init(fd, opts.Flags, creds, mnt, vfsd, &vfs.FileDescriptionOptions{
		UseDentryMetadata: true,
		SpecialFile:       true,
	}); err != nil {
		p.release(ctx)
		return nil, err
	}
	return &fd.vfsfd, nil
}

// labeled is implemented by tasks that may have their own security context.
type labeled interface {
	// SecurityLabel returns the task's security context, or "" if it has none.
	SecurityLabel() string
}

// labelOf returns a task's own security context, or "" if it has none.
func labelOf(t any) string {
	if l, ok := t.(labeled); ok {
		return l.SecurityLabel()
	}
	return ""
}

// deviceFD implements vfs.FileDescriptionImpl for an open binder device.
//
// +stateify savable
type deviceFD struct {
	vfsfd vfs.FileDescription
	vfs.FileDescriptionDefaultImpl
	vfs.DentryMetadataFileDescriptionImpl
	vfs.NoLockFD

	proc *Process
}

// openedBy returns whether t is a thread of the process that opened the device. Other
// processes may have inherited or received the descriptor.
func (fd *deviceFD) openedBy(t *kernel.Task) bool { return t.ThreadGroup() == fd.proc.opener.Load() }

// Ioctl implements vfs.FileDescriptionImpl.Ioctl. See Process.ioctl.
//
// Errors: EINVAL, too, if the caller isn't the process that opened the device, unless
// request is openToAll.
func (fd *deviceFD) Ioctl(ctx context.Context, uio usermem.IO, _ uintptr, args arch.SyscallArguments) (uintptr, error) {
	t := kernel.TaskFromContext(ctx)
	if t == nil {
		panic("Ioctl should be called from a task context")
	}
	request, arg := args[1].Uint(), args[2].Pointer()
	switch {
	case fd.openedBy(t):
		nonBlocking := fd.vfsfd.StatusFlags()&linux.O_NONBLOCK != 0
		return 0, fd.proc.ioctl(kernelTask{t}, uio, request, arg, nonBlocking)
	case openToAll(request):
		return 0, fd.proc.ioctlByOther(kernelTask{t}, uio, request, arg)
	default:
		return 0, linuxerr.EINVAL
	}
}

// ConfigureMMap implements vfs.FileDescriptionImpl.ConfigureMMap.
//
// Errors: EINVAL if the caller isn't the process that opened the device, or the length
// is 0, EPERM for a writable or executable mapping, EBUSY if the caller has mapped the
// device before.
func (fd *deviceFD) ConfigureMMap(ctx context.Context, opts *memmap.MMapOpts) error {
	if opts.Length == 0 {
		return linuxerr.EINVAL
	}
	if opts.Perms.Execute {
		return linuxerr.EPERM // A binderfs is noexec.
	}
	t := kernel.TaskFromContext(ctx)
	if t == nil || !fd.openedBy(t) {
		return linuxerr.EINVAL
	}
	if opts.Perms.Write {
		return linuxerr.EPERM
	}
	if fd.proc.alloc.EverMapped() {
		return linuxerr.EBUSY
	}
	opts.MaxPerms.Write = false
	opts.MaxPerms.Execute = false
	// The mapping shows all buffers, whatever the offset.
	opts.Offset = 0
	return vfs.GenericConfigureMMap(&fd.vfsfd, fd.proc, opts)
}

// OnClose implements vfs.FileDescriptionImpl.OnClose.
func (fd *deviceFD) OnClose(context.Context) error {
	fd.proc.flush()
	return nil
}

// OnImplicitClose implements vfs.ImplicitCloser.OnImplicitClose.
func (fd *deviceFD) OnImplicitClose(context.Context) { fd.proc.flush() }

// Release implements vfs.FileDescriptionImpl.Release.
func (fd *deviceFD) Release(ctx context.Context) {
	fd.proc.release(ctx)
}
