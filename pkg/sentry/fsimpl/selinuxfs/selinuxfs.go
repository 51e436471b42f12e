// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package selinuxfs implements the file system type selinuxfs, through which applications
// query and configure SELinux. Package selinux gives the answers. It is permissive and
// stays so; loading a policy changes nothing.
//
// All mounts show the same, nothing in them can be changed, and no write is kept, so that
// containers can't reach each other through it.
//
//	access, context, create, member, relabel, user
//	                 take one written question, whose answer can then be read
//	load, enforce, checkreqprot, commit_pending_bools, disable, validatetrans
//	                 accept what is valid and change nothing
//	status           shows the state in a page that can be mapped
//	policy           can't be opened, as there is none
//	policyvers, mls, deny_unknown, reject_unknown
//	booleans/, class/, initial_contexts/
//	null             is /dev/null
//
// # Locks
//
//	transactionFD.mu
//	  mm.MemoryManager.mappingMu, activeMu    of the caller
package selinuxfs

import (
	"encoding/binary"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/safemem"
	"gvisor.dev/gvisor/pkg/sentry/fsimpl/kernfs"
	"gvisor.dev/gvisor/pkg/sentry/kernel/auth"
	"gvisor.dev/gvisor/pkg/sentry/mm"
	"gvisor.dev/gvisor/pkg/sentry/pgalloc"
	"gvisor.dev/gvisor/pkg/sentry/usage"
	"gvisor.dev/gvisor/pkg/sentry/vfs"
)

// Name is the name of the file system type.
const Name = "selinuxfs"

// superMagic is SELINUX_MAGIC, by which applications recognize the file system.
const superMagic = 0xf97cff8c

// policyVersion is the reported newest version of a policy that can be loaded. Any can be:
// this is the one that the compilers in Android's images know.
const policyVersion = "33"

// FilesystemType implements vfs.FilesystemType.
//
// +stateify savable
type FilesystemType struct {
	// status is the page that the file status shows. This is the only reference to it.
	status *mm.SpecialMappable
}

// Register registers the file system type with vfsObj. ctx must have a MemoryFile.
func Register(ctx context.Context, vfsObj *vfs.VirtualFilesystem) error {
	status, err := newStatus(pgalloc.MemoryFileFromContext(ctx))
	if err != nil {
		return err
	}
	return vfsObj.RegisterFilesystemType(Name, &FilesystemType{status: status}, &vfs.RegisterFilesystemTypeOptions{
		AllowUserMount: true,
		AllowUserList:  true,
	})
}

// Name implements vfs.FilesystemType.Name.
func (*FilesystemType) Name() string { return Name }

// SysfsMountPoint implements vfs.SysfsMounter.SysfsMountPoint.
func (*FilesystemType) SysfsMountPoint() string { return "selinux" }

// Release implements vfs.FilesystemType.Release.
func (fstype *FilesystemType) Release(ctx context.Context) { fstype.status.DecRef(ctx) }

// GetFilesystem implements vfs.FilesystemType.GetFilesystem.
//
// Errors: EPERM without CAP_SYS_ADMIN in the root user namespace, EINVAL for any option.
func (fstype *FilesystemType) GetFilesystem(ctx context.Context, vfsObj *vfs.VirtualFilesystem, creds *auth.Credentials, _ string, opts vfs.GetFilesystemOptions) (*vfs.Filesystem, *vfs.Dentry, error) {
	if !opts.InternalMount && !creds.HasRootCapability(linux.CAP_SYS_ADMIN) {
		return nil, nil, linuxerr.EPERM
	}
	if opts.Data != "" {
		return nil, nil, linuxerr.EINVAL
	}
	devMinor, err := vfsObj.GetAnonBlockDevMinor()
	if err != nil {
		return nil, nil, err
	}
	fs := &filesystem{fstype: fstype, devMinor: devMinor}
	fs.VFSFilesystem().Init(vfsObj, fstype, fs)
	var root kernfs.Dentry
	root.InitRoot(&fs.Filesystem, fs.newRoot(ctx))
	return fs.VFSFilesystem(), root.VFSDentry(), nil
}

// filesystem implements vfs.FilesystemImpl.
//
// +stateify savable
type filesystem struct {
	kernfs.Filesystem

	fstype   *FilesystemType
	devMinor uint32
}

// Release implements vfs.FilesystemImpl.Release.
func (fs *filesystem) Release(ctx context.Context) {
	fs.VFSFilesystem().VirtualFilesystem().PutAnonBlockDevMinor(fs.devMinor)
	fs.Filesystem.Release(ctx)
}

// MountOptions implements vfs.FilesystemImpl.MountOptions.
func (*filesystem) MountOptions() string { return "" }

// statusLen is the size of struct selinux_kernel_status.
const statusLen = 20

// statusBytes returns the contents of status: struct selinux_kernel_status.
func statusBytes() []byte {
	b := make([]byte, 0, statusLen)
	for _, field := range [...]uint32{
		1, // version
		2, // sequence, which is odd during a change
		0, // enforcing
		1, // policyload
		0, // deny_unknown
	} {
		b = binary.NativeEndian.AppendUint32(b, field)
	}
	return b
}

// newStatus returns a page of mf that starts with statusBytes.
func newStatus(mf *pgalloc.MemoryFile) (*mm.SpecialMappable, error) {
	fr, err := mf.Allocate(hostarch.PageSize, pgalloc.AllocOpts{Kind: usage.System, Mode: pgalloc.AllocateAndWritePopulate})
	if err != nil {
		return nil, err
	}
	dst, err := mf.MapInternal(fr, hostarch.Write)
	if err == nil {
		_, err = safemem.CopySeq(dst, safemem.BlockSeqOf(safemem.BlockFromSafeSlice(statusBytes())))
	}
	if err != nil {
		mf.DecRef(fr)
		return nil, err
	}
	return mm.NewSpecialMappable("selinux_kernel_status", mf, fr), nil
}
