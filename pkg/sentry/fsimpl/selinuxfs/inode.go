// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package selinuxfs

import (
	"bytes"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/atomicbitops"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/sentry/fsimpl/kernfs"
	"gvisor.dev/gvisor/pkg/sentry/kernel/auth"
	"gvisor.dev/gvisor/pkg/sentry/memmap"
	"gvisor.dev/gvisor/pkg/sentry/vfs"
	"gvisor.dev/gvisor/pkg/usermem"
)

// inode is the common part of all inodes.
//
// +stateify savable
type inode struct {
	kernfs.InodeAttrs
	kernfs.InodeFSOwned
	kernfs.InodeNotAnonymous
	kernfs.InodeNotSymlink
	kernfs.InodeWatches
}

func (i *inode) init(ctx context.Context, fs *filesystem, mode linux.FileMode) {
	i.InitWithIDs(ctx, auth.RootKUID, auth.RootKGID, linux.UNNAMED_MAJOR, fs.devMinor, fs.NextIno(), mode)
}

// SetStat implements kernfs.Inode.SetStat. Truncation does nothing.
func (i *inode) SetStat(ctx context.Context, vfsfs *vfs.Filesystem, creds *auth.Credentials, opts vfs.SetStatOptions) error {
	opts.Stat.Mask &^= linux.STATX_SIZE
	return i.InodeAttrs.SetStat(ctx, vfsfs, creds, opts)
}

// StatFS implements kernfs.Inode.StatFS.
func (*inode) StatFS(context.Context, *vfs.Filesystem) (linux.Statfs, error) {
	return vfs.GenericStatFS(superMagic), nil
}

// dir is a directory, which never changes.
//
// +stateify savable
type dir struct {
	inode
	kernfs.InodeAlwaysValid
	kernfs.InodeDirectoryNoNewChildren
	kernfs.InodeTemporary
	kernfs.OrderedChildren

	locks vfs.FileLocks

	// refs counts the directory's parent and its dentries.
	refs atomicbitops.Int64
}

// IncRef implements kernfs.Inode.IncRef.
func (d *dir) IncRef() { d.refs.Add(1) }

// TryIncRef implements kernfs.Inode.TryIncRef.
func (d *dir) TryIncRef() bool {
	for {
		n := d.refs.Load()
		if n == 0 {
			return false
		}
		if d.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// DecRef implements kernfs.Inode.DecRef.
func (d *dir) DecRef(ctx context.Context) {
	if d.refs.Add(-1) == 0 {
		d.Destroy(ctx)
	}
}

// Open implements kernfs.Inode.Open.
func (d *dir) Open(_ context.Context, rp *vfs.ResolvingPath, kd *kernfs.Dentry, opts vfs.OpenOptions) (*vfs.FileDescription, error) {
	fd, err := kernfs.NewGenericDirectoryFD(rp.Mount(), kd, rp.Credentials(), &d.OrderedChildren, &d.locks, &opts, kernfs.GenericDirectoryFDOptions{
		SeekEnd: kernfs.SeekEndStaticEntries,
	})
	if err != nil {
		return nil, err
	}
	return fd.VFSFileDescription(), nil
}

// file is the common part of all files.
//
// +stateify savable
type file struct {
	inode
	kernfs.InodeNoopRefCount
	kernfs.InodeNotDirectory

	locks vfs.FileLocks
}

func (f *file) init(ctx context.Context, fs *filesystem, perm linux.FileMode) {
	f.inode.init(ctx, fs, linux.ModeRegular|perm)
}

// setting is a file with constant contents that accepts writes without keeping them.
//
// +stateify savable
type setting struct {
	file

	data string

	take takeID
}

func (fs *filesystem) newSetting(ctx context.Context, perm linux.FileMode, data string, take takeID) kernfs.Inode {
	s := &setting{data: data, take: take}
	s.init(ctx, fs, perm)
	return s
}

// Open implements kernfs.Inode.Open.
func (s *setting) Open(_ context.Context, rp *vfs.ResolvingPath, d *kernfs.Dentry, opts vfs.OpenOptions) (*vfs.FileDescription, error) {
	fd := &settingFD{setting: s}
	if err := fd.InitWithImpl(fd, rp.Mount(), d, s, &s.locks, opts.Flags, rp.Credentials()); err != nil {
		return nil, err
	}
	return fd.VFSFileDescription(), nil
}

// Generate implements vfs.DynamicBytesSource.Generate.
func (s *setting) Generate(_ context.Context, buf *bytes.Buffer) error {
	buf.WriteString(s.data)
	return nil
}

// settingFD is an open setting.
//
// +stateify savable
type settingFD struct {
	kernfs.DynamicBytesFD
	setting *setting
}

// Write implements vfs.FileDescriptionImpl.Write. It doesn't move the file's offset.
func (fd *settingFD) Write(ctx context.Context, src usermem.IOSequence, opts vfs.WriteOptions) (int64, error) {
	offset, err := fd.Seek(ctx, 0, linux.SEEK_CUR)
	if err != nil {
		return 0, err
	}
	return fd.PWrite(ctx, src, offset, opts)
}

// PWrite implements vfs.FileDescriptionImpl.PWrite.
//
// Errors: EINVAL if the file doesn't accept the data, ENOMEM if the data is a page or
// more.
func (fd *settingFD) PWrite(ctx context.Context, src usermem.IOSequence, offset int64, _ vfs.WriteOptions) (int64, error) {
	if fd.setting.take == takeNothing || offset != 0 {
		return 0, linuxerr.EINVAL
	}
	if src.NumBytes() >= hostarch.PageSize {
		return 0, linuxerr.ENOMEM
	}
	data := make([]byte, src.NumBytes())
	if _, err := src.CopyIn(ctx, data); err != nil {
		return 0, err
	}
	if err := fd.setting.take.check(string(data)); err != nil {
		return 0, err
	}
	return int64(len(data)), nil
}

// statusFile is status.
//
// +stateify savable
type statusFile struct {
	file
	fstype *FilesystemType
}

func (fs *filesystem) newStatusFile(ctx context.Context) kernfs.Inode {
	f := &statusFile{fstype: fs.fstype}
	f.init(ctx, fs, 0444)
	return f
}

// Open implements kernfs.Inode.Open.
func (f *statusFile) Open(_ context.Context, rp *vfs.ResolvingPath, d *kernfs.Dentry, opts vfs.OpenOptions) (*vfs.FileDescription, error) {
	fd := &statusFD{file: f}
	if err := fd.InitWithImpl(fd, rp.Mount(), d, f, &f.locks, opts.Flags, rp.Credentials()); err != nil {
		return nil, err
	}
	return fd.VFSFileDescription(), nil
}

// Generate implements vfs.DynamicBytesSource.Generate.
func (*statusFile) Generate(_ context.Context, buf *bytes.Buffer) error {
	buf.Write(statusBytes())
	return nil
}

// statusFD is an open status.
//
// +stateify savable
type statusFD struct {
	kernfs.DynamicBytesFD
	file *statusFile
}

// Write implements vfs.FileDescriptionImpl.Write.
func (*statusFD) Write(context.Context, usermem.IOSequence, vfs.WriteOptions) (int64, error) {
	return 0, linuxerr.EINVAL
}

// PWrite implements vfs.FileDescriptionImpl.PWrite.
func (*statusFD) PWrite(context.Context, usermem.IOSequence, int64, vfs.WriteOptions) (int64, error) {
	return 0, linuxerr.EINVAL
}

// ConfigureMMap implements vfs.FileDescriptionImpl.ConfigureMMap.
//
// Errors: EIO for a mapping beyond the one page, EPERM for a writable mapping, EACCES if
// the file isn't open for writing either.
func (fd *statusFD) ConfigureMMap(_ context.Context, opts *memmap.MMapOpts) error {
	if opts.Offset != 0 || opts.Length > hostarch.PageSize {
		return linuxerr.EIO
	}
	if opts.Perms.Write {
		if !opts.MaxPerms.Write {
			return linuxerr.EACCES
		}
		return linuxerr.EPERM
	}
	opts.MaxPerms.Write = false
	vfsfd := fd.VFSFileDescription()
	return vfs.GenericConfigureMMap(vfsfd, fd.file.fstype.status, opts)
}

// policy is the file policy, which can't be opened.
//
// +stateify savable
type policy struct {
	file
}

func (fs *filesystem) newPolicy(ctx context.Context) kernfs.Inode {
	f := &policy{}
	f.init(ctx, fs, 0444)
	return f
}

// Open implements kernfs.Inode.Open.
func (*policy) Open(context.Context, *vfs.ResolvingPath, *kernfs.Dentry, vfs.OpenOptions) (*vfs.FileDescription, error) {
	return nil, linuxerr.EINVAL
}

// nullMajor and nullMinor are the numbers of /dev/null.
const (
	nullMajor = 1
	nullMinor = 3
)

// null is a device file of /dev/null's device. Processes get it in place of files that a
// policy takes from them.
//
// +stateify savable
type null struct {
	file
}

func (fs *filesystem) newNull(ctx context.Context) kernfs.Inode {
	f := &null{}
	f.inode.init(ctx, fs, linux.ModeCharacterDevice|0666)
	return f
}

// Open implements kernfs.Inode.Open.
func (*null) Open(ctx context.Context, rp *vfs.ResolvingPath, d *kernfs.Dentry, opts vfs.OpenOptions) (*vfs.FileDescription, error) {
	return rp.VirtualFilesystem().OpenDeviceSpecialFile(ctx, rp.Mount(), d.VFSDentry(), vfs.CharDevice, nullMajor, nullMinor, &opts)
}

// Stat implements kernfs.Inode.Stat.
func (f *null) Stat(ctx context.Context, vfsfs *vfs.Filesystem, opts vfs.StatOptions) (linux.Statx, error) {
	stat, err := f.file.Stat(ctx, vfsfs, opts)
	stat.RdevMajor, stat.RdevMinor = nullMajor, nullMinor
	return stat, err
}
