// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package binderfs implements the file system type binder, as far as the logs
// go: an instance has binder_logs/stats if it's mounted with stats=global, and
// nothing else. Devices are in /dev.
package binderfs

import (
	"strconv"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/sentry/fsimpl/kernfs"
	"gvisor.dev/gvisor/pkg/sentry/kernel/auth"
	"gvisor.dev/gvisor/pkg/sentry/vfs"

	"sentrybinder/pkg/sentry/devices/binder"
)

// Name is the filesystem type's name.
const Name = "binder"

// maxDevices is the largest number of devices that an instance may be given.
const maxDevices = 1 << 20

// MountOptions are the names of the options that GetFilesystem accepts.
var MountOptions = []string{"max", "stats"}

// FilesystemType implements vfs.FilesystemType.
//
// +stateify savable
type FilesystemType struct {
	driver *binder.Driver
}

// Register registers the file system type, for driver, with vfsObj.
func Register(vfsObj *vfs.VirtualFilesystem, driver *binder.Driver) error {
	return vfsObj.RegisterFilesystemType(Name, &FilesystemType{driver: driver}, &vfs.RegisterFilesystemTypeOptions{
		AllowUserMount: true,
		AllowUserList:  true,
	})
}

// Name implements vfs.FilesystemType.Name.
func (*FilesystemType) Name() string { return Name }

// Release implements vfs.FilesystemType.Release.
func (*FilesystemType) Release(context.Context) {}

// options are the mount options of an instance.
//
// +stateify savable
type options struct {
	// globalStats is true if the instance has the driver's logs.
	globalStats bool
}

func parseOptions(data string) (options, error) {
	var o options
	mopts := vfs.GenericParseMountOptions(data)
	if s, ok := mopts["max"]; ok {
		delete(mopts, "max")
		if n, err := strconv.ParseUint(s, 10, 32); err != nil || n > maxDevices {
			return o, linuxerr.EINVAL
		}
	}
	if s, ok := mopts["stats"]; ok {
		delete(mopts, "stats")
		if s != "global" {
			return o, linuxerr.EINVAL
		}
		o.globalStats = true
	}
	if len(mopts) != 0 {
		return o, linuxerr.EINVAL
	}
	return o, nil
}

// GetFilesystem implements vfs.FilesystemType.GetFilesystem. Each mount is an
// instance of its own.
//
// Errors: EINVAL if an option is unknown or malformed.
func (fstype *FilesystemType) GetFilesystem(ctx context.Context, vfsObj *vfs.VirtualFilesystem, creds *auth.Credentials, _ string, opts vfs.GetFilesystemOptions) (*vfs.Filesystem, *vfs.Dentry, error) {
	o, err := parseOptions(opts.Data)
	if err != nil {
		return nil, nil, err
	}
	devMinor, err := vfsObj.GetAnonBlockDevMinor()
	if err != nil {
		return nil, nil, err
	}
	fs := &filesystem{driver: fstype.driver, devMinor: devMinor, options: o}
	fs.VFSFilesystem().Init(vfsObj, fstype, fs)

	children := make(map[string]kernfs.Inode)
	if o.globalStats {
		children["binder_logs"] = fs.newLogs(ctx, creds)
	}

	var root kernfs.Dentry
	root.InitRoot(&fs.Filesystem, fs.newDir(ctx, creds, children))
	return fs.VFSFilesystem(), root.VFSDentry(), nil
}

// filesystem implements vfs.FilesystemImpl.
//
// +stateify savable
type filesystem struct {
	kernfs.Filesystem

	driver   *binder.Driver
	devMinor uint32
	options  options
}

// Release implements vfs.FilesystemImpl.Release.
func (fs *filesystem) Release(ctx context.Context) {
	fs.VFSFilesystem().VirtualFilesystem().PutAnonBlockDevMinor(fs.devMinor)
	fs.Filesystem.Release(ctx)
}

// MountOptions implements vfs.FilesystemImpl.MountOptions.
func (fs *filesystem) MountOptions() string {
	if fs.options.globalStats {
		return "stats=global"
	}
	return ""
}

func (fs *filesystem) newDir(ctx context.Context, creds *auth.Credentials, children map[string]kernfs.Inode) kernfs.Inode {
	return kernfs.NewStaticDir(ctx, creds, linux.UNNAMED_MAJOR, fs.devMinor, fs.NextIno(), 0755, children, kernfs.GenericDirectoryFDOptions{
		SeekEnd: kernfs.SeekEndStaticEntries,
	})
}
