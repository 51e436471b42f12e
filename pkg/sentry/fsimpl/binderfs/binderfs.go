// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package binderfs implements Linux's file system type binder.
//
// Each mount is an instance with its own devices, and each device has its own
// context. An instance starts with the devices that Defaults names, on Linux
// binder, hwbinder and vndbinder, and has:
//
//	binder-control    BINDER_CTL_ADD on it adds a device
//	features/         a file for each feature of the driver
//	binder_logs/      if mounted with stats=global
//
// Only devices can be removed and renamed, and only binder-control creates
// anything. A removed device stays usable while open.
//
// # Locks
//
//	kernfs.Filesystem.mu, kernfs.Dentry.dirMu
//	  dir.mu               of two directories only in a rename
//	    filesystem.mu      options, and the numbers of the instance's devices
//	      blocks.mu        the numbers of all instances
package binderfs

import (
	"fmt"
	"slices"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/sentry/fsimpl/kernfs"
	"gvisor.dev/gvisor/pkg/sentry/kernel/auth"
	"gvisor.dev/gvisor/pkg/sentry/vfs"

	"sentrybinder/pkg/sentry/devices/binder"
	"sentrybinder/pkg/sentry/devices/binder/account"
)

// Name is the filesystem type's name.
const Name = "binder"

// Defaults describes a new instance unless its options say otherwise.
//
// +stateify savable
type Defaults struct {
	// Devices are the names of its devices, as in Linux's parameter binder.devices.
	Devices []string

	// Mode is the permissions of these devices in an instance mounted by a container's
	// config.
	Mode linux.FileMode
}

// LinuxDefaults are Linux's defaults.
var LinuxDefaults = Defaults{Devices: []string{"binder", "hwbinder", "vndbinder"}, Mode: deviceMode}

// deviceMode is the permissions of devices.
const deviceMode = 0600

// FileNames are the names of an instance's other files, which devices can't have.
var FileNames = []string{ControlName, featuresName, logsName}

// Names of an instance's other files.
const (
	ControlName  = "binder-control"
	featuresName = "features"
	logsName     = "binder_logs"
)

// features are the names of the files in features, oldest first. reportFeature follows
// them if the driver has reports.
var features = []string{"oneway_spam_detection", "extended_error", "freeze_notification"}

const reportFeature = "transaction_report"

// Prices are the sentry memory that files take, in bytes; see package account.
// instancePrice covers an instance and its logs, without its devices.
const (
	instancePrice = 64 << 10
	devicePrice   = 2 << 10
)

// Inode numbers. A device's is firstDeviceIno plus its minor number.
const (
	rootIno        = 1
	controlIno     = 2
	firstDeviceIno = 3
	firstOtherIno  = firstDeviceIno + numMinors
	firstProcIno   = 1 << 40
)

// FilesystemType implements vfs.FilesystemType.
//
// +stateify savable
type FilesystemType struct {
	driver *binder.Driver

	// defaults never changes.
	defaults Defaults

	// major is the major device number of all devices.
	major  uint32
	blocks blocks
}

// Register registers the file system type for driver with vfsObj.
func Register(vfsObj *vfs.VirtualFilesystem, driver *binder.Driver, defaults Defaults) error {
	major, err := vfsObj.GetDynamicCharDevMajor()
	if err != nil {
		return err
	}
	if err := vfsObj.RegisterDevice(vfs.CharDevice, major, 0, reserved{}, &vfs.RegisterDeviceOptions{GroupName: Name}); err != nil {
		return err
	}
	fstype := &FilesystemType{driver: driver, defaults: defaults, major: major}
	return vfsObj.RegisterFilesystemType(Name, fstype, &vfs.RegisterFilesystemTypeOptions{
		AllowUserMount: true,
		AllowUserList:  true,
	})
}

// Name implements vfs.FilesystemType.Name.
func (*FilesystemType) Name() string { return Name }

// Release implements vfs.FilesystemType.Release.
func (*FilesystemType) Release(context.Context) {}

// GetFilesystem implements vfs.FilesystemType.GetFilesystem. Each mount is a new
// instance.
//
// Errors: EINVAL if an option is unknown or malformed, EPERM if the caller may not
// use it, ENOSPC if max leaves no room for the default devices, ENOMEM if the
// account of the caller's container has none for the instance.
func (fstype *FilesystemType) GetFilesystem(ctx context.Context, vfsObj *vfs.VirtualFilesystem, creds *auth.Credentials, _ string, opts vfs.GetFilesystemOptions) (*vfs.Filesystem, *vfs.Dentry, error) {
	var o options
	mode := linux.FileMode(deviceMode)
	var err error
	if opts.InternalMount {
		o, mode, err = parseConfigOptions(opts.Data, fstype.defaults.Mode)
	} else {
		o, err = parseOptions(opts.Data, creds.HasRootCapability(linux.CAP_SYS_ADMIN))
	}
	if err != nil {
		return nil, nil, err
	}
	payer := fstype.driver.Account(ctx)
	if err := payer.Charge(instancePrice); err != nil {
		return nil, nil, err
	}
	devMinor, err := vfsObj.GetAnonBlockDevMinor()
	if err != nil {
		payer.Credit(instancePrice)
		return nil, nil, err
	}
	// The name has the device number as mountinfo shows it.
	domain := fstype.driver.NewDomain(fmt.Sprintf("binderfs %d:%d", linux.UNNAMED_MAJOR, devMinor))
	fs := &filesystem{fstype: fstype, account: payer, domain: domain, devMinor: devMinor, userns: creds.UserNamespace}
	fs.owner, fs.dirOwner = owners(creds.UserNamespace)
	fs.initMinors()
	fs.setOptions(o)
	fs.VFSFilesystem().Init(vfsObj, fstype, fs)

	fs.root = fs.makeDir(ctx, fs.dirOwner, rootIno)
	fs.root.isRoot = true
	if err := fs.populate(ctx, mode); err != nil {
		fs.root.DecRef(ctx)
		fs.VFSFilesystem().DecRef(ctx)
		return nil, nil, err
	}
	var root kernfs.Dentry
	root.InitRoot(&fs.Filesystem, fs.root)
	return fs.VFSFilesystem(), root.VFSDentry(), nil
}

// owner is a file's owner.
//
// +stateify savable
type owner struct {
	uid auth.KUID
	gid auth.KGID
}

// owners returns the owners of devices and of all other files in an instance
// mounted in ns: its root user. If it has none, the root namespace's root user owns
// devices, and no user owns other files.
func owners(ns *auth.UserNamespace) (devices, others owner) {
	others = owner{ns.MapToKUID(auth.RootUID), ns.MapToKGID(auth.RootGID)}
	devices = others
	if !devices.uid.Ok() {
		devices.uid = auth.RootKUID
	}
	if !devices.gid.Ok() {
		devices.gid = auth.RootKGID
	}
	return devices, others
}

// filesystem implements vfs.FilesystemImpl: an instance.
//
// +stateify savable
type filesystem struct {
	kernfs.Filesystem

	// These fields come first, since checklocks mistakes the eighth for that of
	// kernfs.Filesystem.
	mu filesystemMutex `state:"nosave"`

	// +checklocks:mu
	options options

	// minors are the numbers of the devices, including those removed but still
	// open, and of binder-control.
	// +checklocks:mu
	minors minors

	fstype *FilesystemType

	// account is the account that the instance is charged to.
	account *account.Account

	// domain holds the devices' contexts.
	domain *binder.Domain

	devMinor uint32

	// userns is the user namespace that the instance was mounted in.
	userns *auth.UserNamespace

	// owner owns devices, dirOwner all other files.
	owner    owner
	dirOwner owner

	// root is the instance's root. Its dentry holds the reference.
	root *dir
}

// NextIno returns the inode number of the next file that isn't a device.
func (fs *filesystem) NextIno() uint64 { return firstOtherIno + fs.Filesystem.NextIno() }

// populate creates the initial files of an instance. Its devices have mode.
func (fs *filesystem) populate(ctx context.Context, mode linux.FileMode) error {
	minor, err := fs.getControl()
	if err != nil {
		return err
	}
	c := &control{}
	c.init(ctx, fs, minor, controlIno, deviceMode)
	fs.mustAdd(ctx, fs.root, ControlName, c)
	for _, name := range fs.fstype.defaults.Devices {
		if err := fs.addDevice(ctx, name, mode, func(uint32) error { return nil }); err != nil {
			return err
		}
	}
	dir := fs.makeDir(ctx, fs.dirOwner, fs.NextIno())
	fs.mustAdd(ctx, fs.root, featuresName, dir)
	names := features
	if fs.fstype.driver.HasReports() {
		names = append(slices.Clone(names), reportFeature)
	}
	for _, name := range names {
		f := &file{}
		f.init(ctx, fs, featureEnabled{})
		fs.mustAdd(ctx, dir, name, f)
	}
	if fs.globalStats() {
		fs.mustAdd(ctx, fs.root, logsName, fs.newLogs(ctx))
	}
	return nil
}

// Release implements vfs.FilesystemImpl.Release.
func (fs *filesystem) Release(ctx context.Context) {
	fs.Filesystem.Release(ctx)
	fs.releaseMinors()
	fs.VFSFilesystem().VirtualFilesystem().PutAnonBlockDevMinor(fs.devMinor)
	fs.account.Credit(instancePrice)
}

// SetStatAt implements vfs.FilesystemImpl.SetStatAt. kernfs doesn't check whether
// the mount is read-only.
func (fs *filesystem) SetStatAt(ctx context.Context, rp *vfs.ResolvingPath, opts vfs.SetStatOptions) error {
	mnt := rp.Mount()
	if err := mnt.CheckBeginWrite(); err != nil {
		return err
	}
	defer mnt.EndWrite()
	return fs.Filesystem.SetStatAt(ctx, rp, opts)
}

// MountOptions implements vfs.FilesystemImpl.MountOptions.
func (fs *filesystem) MountOptions() string {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.options.String()
}

// Reconfigure changes the options to those in data, as a remount does. Options
// missing in data get their defaults.
//
// Errors: EPERM if the caller isn't privileged in the instance's user namespace,
// EINVAL if stats would change, and those of parseOptions.
func (fs *filesystem) Reconfigure(_ context.Context, creds *auth.Credentials, data string) error {
	if !creds.HasCapabilityIn(linux.CAP_SYS_ADMIN, fs.userns) {
		return linuxerr.EPERM
	}
	o, err := parseOptions(data, creds.HasRootCapability(linux.CAP_SYS_ADMIN))
	if err != nil {
		return err
	}
	if o.globalStats != fs.globalStats() {
		return linuxerr.EINVAL
	}
	fs.setOptions(o)
	return nil
}

func (fs *filesystem) setOptions(o options) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.options = o
}

// globalStats returns whether the instance has logs. This never changes.
func (fs *filesystem) globalStats() bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.options.globalStats
}

// getControl returns the minor number for binder-control.
//
// Errors: ENOSPC if none is free.
func (fs *filesystem) getControl() (uint32, error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.minors.get(&fs.fstype.blocks)
}

// getDevice returns the minor number for another device.
//
// Errors: ENOSPC if there's no room for one.
func (fs *filesystem) getDevice() (uint32, error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	// binder-control has a number, too, but doesn't count.
	if fs.minors.len() > fs.options.max {
		return 0, linuxerr.ENOSPC
	}
	return fs.minors.get(&fs.fstype.blocks)
}

// putMinor frees the minor number of a device, or of binder-control.
func (fs *filesystem) putMinor(minor uint32) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.minors.put(minor)
}

// initMinors is called before the instance has devices.
func (fs *filesystem) initMinors() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.minors = newMinors()
}

// releaseMinors returns the minor numbers to other instances.
func (fs *filesystem) releaseMinors() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.fstype.blocks.put(fs.minors.blocks)
	fs.minors = newMinors()
}
