// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binderfs

import (
	"bytes"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/atomicbitops"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/sentry/fsimpl/kernfs"
	"gvisor.dev/gvisor/pkg/sentry/kernel/auth"
	"gvisor.dev/gvisor/pkg/sentry/vfs"
	"gvisor.dev/gvisor/pkg/usermem"

	"sentrybinder/pkg/abi/binder"
)

// inode is the common part of all inodes of a binderfs.
//
// +stateify savable
type inode struct {
	kernfs.InodeAttrs
	kernfs.InodeFSOwned
	kernfs.InodeNotAnonymous
	kernfs.InodeNotSymlink
	kernfs.InodeTemporary
	kernfs.InodeWatches
	noXattrs
	statFS

	// refs counts the inode's directory and its dentries; an open file holds a
	// dentry.
	refs atomicbitops.Int64
}

// init makes i an inode with one reference.
func (i *inode) init(ctx context.Context, fs *filesystem, o owner, ino uint64, mode linux.FileMode) {
	i.InitWithIDs(ctx, o.uid, o.gid, linux.UNNAMED_MAJOR, fs.devMinor, ino, mode)
	i.refs.Store(1)
}

// IncRef implements kernfs.Inode.IncRef.
func (i *inode) IncRef() { i.refs.Add(1) }

// TryIncRef takes a reference, unless none is left.
func (i *inode) TryIncRef() bool {
	for {
		n := i.refs.Load()
		if n == 0 {
			return false
		}
		if i.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// SetStat implements kernfs.Inode.SetStat.
func (i *inode) SetStat(ctx context.Context, vfsfs *vfs.Filesystem, creds *auth.Credentials, opts vfs.SetStatOptions) error {
	if opts.Stat.Mask&linux.STATX_SIZE != 0 && !i.Mode().IsDir() {
		return linuxerr.EINVAL
	}
	return i.InodeAttrs.SetStat(ctx, vfsfs, creds, opts)
}

// drop drops a reference, and returns whether it was the last.
func (i *inode) drop() bool { return i.refs.Add(-1) == 0 }

// noXattrs is an inode without extended attributes.
//
// +stateify savable
type noXattrs struct{}

// GetXattr implements kernfs.InodeWithXattrs.GetXattr.
func (noXattrs) GetXattr(context.Context, vfs.GetXattrOptions) (string, error) {
	return "", linuxerr.ENOTSUP
}

// SetXattr implements kernfs.InodeWithXattrs.SetXattr.
func (noXattrs) SetXattr(context.Context, vfs.SetXattrOptions) error { return linuxerr.ENOTSUP }

// ListXattr implements kernfs.InodeWithXattrs.ListXattr.
func (noXattrs) ListXattr(context.Context, uint64) ([]string, error) { return nil, nil }

// RemoveXattr implements kernfs.InodeWithXattrs.RemoveXattr.
func (noXattrs) RemoveXattr(context.Context, string) error { return linuxerr.ENOTSUP }

// statFS is an inode's part of statfs(2).
//
// +stateify savable
type statFS struct{}

// StatFS implements kernfs.Inode.StatFS.
func (statFS) StatFS(context.Context, *vfs.Filesystem) (linux.Statfs, error) {
	return vfs.GenericStatFS(binder.BINDERFS_SUPER_MAGIC), nil
}

// file is a generated read-only file. It can be opened for writing, but not written.
// It must be initialized with its source of data before use.
//
// +stateify savable
type file struct {
	kernfs.DynamicBytesFile
	noXattrs
	statFS
}

// init makes f a file that shows what data generates.
func (f *file) init(ctx context.Context, fs *filesystem, data vfs.DynamicBytesSource) {
	f.initNumbered(ctx, fs, fs.NextIno(), data)
}

// initNumbered is init with an inode number.
func (f *file) initNumbered(ctx context.Context, fs *filesystem, ino uint64, data vfs.DynamicBytesSource) {
	f.DynamicBytesFile.InitWithIDs(ctx, fs.dirOwner.uid, fs.dirOwner.gid, linux.UNNAMED_MAJOR, fs.devMinor, ino, readOnly{data}, 0444)
}

// SetStat implements kernfs.Inode.SetStat.
func (f *file) SetStat(ctx context.Context, vfsfs *vfs.Filesystem, creds *auth.Credentials, opts vfs.SetStatOptions) error {
	return f.InodeAttrs.SetStat(ctx, vfsfs, creds, opts)
}

// readOnly is a source of data that refuses writes with Linux's error.
//
// +stateify savable
type readOnly struct {
	vfs.DynamicBytesSource
}

// Write implements vfs.WritableDynamicBytesSource.Write.
func (readOnly) Write(context.Context, *vfs.FileDescription, usermem.IOSequence, int64) (int64, error) {
	return 0, linuxerr.EINVAL
}

// featureEnabled is the contents of a file in features.
//
// +stateify savable
type featureEnabled struct{}

// Generate implements vfs.DynamicBytesSource.Generate.
func (featureEnabled) Generate(_ context.Context, buf *bytes.Buffer) error {
	buf.WriteString("1\n")
	return nil
}
