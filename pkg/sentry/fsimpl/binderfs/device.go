// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binderfs

import (
	"bytes"
	"strings"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/sentry/arch"
	"gvisor.dev/gvisor/pkg/sentry/fsimpl/kernfs"
	"gvisor.dev/gvisor/pkg/sentry/vfs"
	"gvisor.dev/gvisor/pkg/usermem"

	abi "sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/sentry/devices/binder"
	"sentrybinder/pkg/sentry/devices/binder/account"
)

// special is a character device that only this inode leads to: its number has no
// meaning elsewhere.
//
// +stateify savable
type special struct {
	inode
	kernfs.InodeNotDirectory

	fs    *filesystem
	minor uint32
}

// Stat implements kernfs.Inode.Stat.
func (s *special) Stat(ctx context.Context, vfsfs *vfs.Filesystem, opts vfs.StatOptions) (linux.Statx, error) {
	stat, err := s.inode.Stat(ctx, vfsfs, opts)
	stat.RdevMajor, stat.RdevMinor = s.fs.fstype.major, s.minor
	return stat, err
}

// checkOpen returns an error if the mount's devices can't be opened.
func checkOpen(mnt *vfs.Mount) error {
	if mnt.Options().Flags.NoDev {
		return linuxerr.EACCES
	}
	return nil
}

// device is a binder device. Its context lives as long as the inode and its open
// files.
//
// +stateify savable
type device struct {
	special

	dev *binder.Device

	// account is the account that the device is charged to.
	account *account.Account
}

// Open implements kernfs.Inode.Open.
func (d *device) Open(ctx context.Context, rp *vfs.ResolvingPath, kd *kernfs.Dentry, opts vfs.OpenOptions) (*vfs.FileDescription, error) {
	if err := checkOpen(rp.Mount()); err != nil {
		return nil, err
	}
	return d.dev.Open(ctx, rp.Mount(), kd.VFSDentry(), opts)
}

// Keep implements kernfs.Inode.Keep. kernfs requires that it kept the dentry of a file
// that it removes or replaces; only devices are.
func (*device) Keep() bool { return true }

// DecRef implements kernfs.Inode.DecRef.
func (d *device) DecRef(context.Context) {
	if d.drop() {
		d.fs.putMinor(d.minor)
		d.account.Credit(devicePrice)
	}
}

// control is binder-control.
//
// +stateify savable
type control struct {
	special
}

// Open implements kernfs.Inode.Open.
func (c *control) Open(ctx context.Context, rp *vfs.ResolvingPath, kd *kernfs.Dentry, opts vfs.OpenOptions) (*vfs.FileDescription, error) {
	if err := checkOpen(rp.Mount()); err != nil {
		return nil, err
	}
	fd := &controlFD{fs: c.fs}
	if err := fd.vfsfd.Init(fd, opts.Flags, rp.Credentials(), rp.Mount(), kd.VFSDentry(), &vfs.FileDescriptionOptions{
		DenyPRead:         true,
		DenyPWrite:        true,
		UseDentryMetadata: true,
		SpecialFile:       true,
	}); err != nil {
		return nil, err
	}
	return &fd.vfsfd, nil
}

// DecRef implements kernfs.Inode.DecRef.
func (c *control) DecRef(context.Context) {
	if c.drop() {
		c.fs.putMinor(c.minor)
	}
}

// controlFD is an open binder-control.
//
// +stateify savable
type controlFD struct {
	vfsfd vfs.FileDescription
	vfs.FileDescriptionDefaultImpl
	vfs.DentryMetadataFileDescriptionImpl
	vfs.NoLockFD

	fs *filesystem
}

// Release implements vfs.FileDescriptionImpl.Release.
func (*controlFD) Release(context.Context) {}

// Ioctl implements vfs.FileDescriptionImpl.Ioctl.
func (fd *controlFD) Ioctl(ctx context.Context, uio usermem.IO, _ uintptr, args arch.SyscallArguments) (uintptr, error) {
	if args[1].Uint() != abi.BINDER_CTL_ADD {
		return 0, linuxerr.EINVAL
	}
	cc := &usermem.IOCopyContext{Ctx: ctx, IO: uio}
	var req abi.BinderfsDevice
	if _, err := req.CopyIn(cc, args[2].Pointer()); err != nil {
		return 0, err
	}
	req.Name[abi.BINDERFS_MAX_NAME] = 0 // The caller sees this, as on Linux.
	name, _, _ := bytes.Cut(req.Name[:], []byte{0})
	return 0, fd.fs.addDevice(ctx, string(name), deviceMode, func(minor uint32) error {
		req.Major, req.Minor = fd.fs.fstype.major, minor
		_, err := req.CopyOut(cc, args[2].Pointer())
		return err
	})
}

// addDevice adds a device with permissions mode. It calls report with the device's
// future number before it checks the name, as Linux does.
//
// Errors: ENOSPC if there's no room for another device, EACCES if the name is not a
// valid file name, EEXIST if it's taken, ENOMEM if the account of the caller's
// container has no room, and those of report.
func (fs *filesystem) addDevice(ctx context.Context, name string, mode linux.FileMode, report func(minor uint32) error) error {
	payer := fs.fstype.driver.Account(ctx)
	if err := payer.Charge(devicePrice); err != nil {
		return err
	}
	minor, err := fs.getDevice()
	if err != nil {
		payer.Credit(devicePrice)
		return err
	}
	d := &device{dev: binder.NewDevice(fs.domain.NewContext(name)), account: payer}
	d.init(ctx, fs, minor, firstDeviceIno+uint64(minor), mode)
	if err = report(minor); err == nil {
		if name == "" || name == "." || name == ".." || strings.Contains(name, "/") {
			err = linuxerr.EACCES
		} else if err = fs.root.add(ctx, name, d); err == nil {
			fs.root.Watches().Notify(ctx, name, linux.IN_CREATE, 0, vfs.InodeEvent, false)
			return nil
		}
	}
	d.DecRef(ctx)
	return err
}

// init makes s a special file with one reference.
func (s *special) init(ctx context.Context, fs *filesystem, minor uint32, ino uint64, mode linux.FileMode) {
	s.fs, s.minor = fs, minor
	s.inode.init(ctx, fs, fs.owner, ino, linux.ModeCharacterDevice|mode)
}

// reserved reserves all of binderfs's device numbers: no file elsewhere can lead to
// a device.
//
// +stateify savable
type reserved struct{}

// Open implements vfs.Device.Open.
func (reserved) Open(context.Context, *vfs.Mount, *vfs.Dentry, vfs.OpenOptions) (*vfs.FileDescription, error) {
	return nil, linuxerr.ENXIO
}
