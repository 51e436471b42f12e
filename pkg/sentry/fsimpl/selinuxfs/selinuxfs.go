// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package selinuxfs implements the file system type selinuxfs, by which applications
// ask SELinux, and set it up. Package selinux has the answers. It is permissive and
// stays so; a policy that is loaded changes nothing.
//
// All mounts show the same, none of it can be changed, and nothing is kept of what a
// container writes, so that containers that mount it don't meet here.
//
//	access, context, create, member, relabel, user
//	                 one question is written, then its answer can be read
//	load, enforce, checkreqprot, commit_pending_bools, disable, validatetrans
//	                 take what is right and changes nothing
//	status           says so in a page that can be mapped
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

// superMagic is SELINUX_MAGIC, by which applications know the file system.
const superMagic = 0xf97cff8c

// policyVersion is the newest version of a policy that can be loaded. Any can: this
// is the one that the compilers in Android's images know.
const policyVersion = "33"

// FilesystemType implements vfs.FilesystemType.
//
// +stateify savable
type FilesystemType struct {
	// status is the page that status shows. It has the only reference.
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
// Errors: EPERM if the caller is in a user namespace of its own, EINVAL if there are
// options.
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

// statusBytes returns what status has: struct selinux_kernel_status.
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

// newStatus returns a page of mf that begins with statusBytes.
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
