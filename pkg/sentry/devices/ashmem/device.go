// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package ashmem

import (
	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/atomicbitops"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/sentry/kernel/auth"
	"gvisor.dev/gvisor/pkg/sentry/memmap"
	"gvisor.dev/gvisor/pkg/sentry/vfs"
	"gvisor.dev/gvisor/pkg/usermem"

	"sentrybinder/pkg/sentry/devices/binder/account"
	"sentrybinder/pkg/sentry/devices/misc"
)

// Accounts maps containers to their accounts.
type Accounts interface {
	// Account returns the account of the container of ctx's task. No other container
	// shares it. It is nil if ctx has no task, which happens only in tests.
	Account(ctx context.Context) *account.Account
}

// Device implements vfs.Device for /dev/ashmem.
//
// +stateify savable
type Device struct {
	bootID   string
	accounts Accounts
	tenants  tenants

	// devID is the device number that /proc/PID/maps shows for regions, and
	// lastFileID the inode number of the newest region.
	devID      uint64
	lastFileID atomicbitops.Uint64
}

// Name is the name of the device's file in /dev.
const Name = "ashmem"

// Register registers /dev/ashmem with vfsObj. bootID is the contents of
// /proc/sys/kernel/random/boot_id.
func Register(vfsObj *vfs.VirtualFilesystem, bootID string, accounts Accounts) error {
	d, err := newDevice(vfsObj, bootID, accounts)
	if err != nil {
		return err
	}
	return misc.Register(vfsObj, Name, d)
}

func newDevice(vfsObj *vfs.VirtualFilesystem, bootID string, accounts Accounts) (*Device, error) {
	minor, err := vfsObj.GetAnonBlockDevMinor()
	if err != nil {
		return nil, err
	}
	return &Device{
		bootID:   bootID,
		accounts: accounts,
		devID:    uint64(linux.MakeDeviceID(linux.UNNAMED_MAJOR, minor)),
	}, nil
}

// Symlinks implements vfs.DeviceSymlinks.Symlinks (see runsc/patches): Android's
// libcutils first looks for the name with the boot ID appended.
func (d *Device) Symlinks() []string { return []string{Name + d.bootID} }

// Open implements vfs.Device.Open.
//
// Errors: EINVAL if the caller asks for O_DIRECT.
func (d *Device) Open(ctx context.Context, mnt *vfs.Mount, vfsd *vfs.Dentry, opts vfs.OpenOptions) (*vfs.FileDescription, error) {
	if opts.Flags&linux.O_DIRECT != 0 {
		return nil, linuxerr.EINVAL
	}
	fd := &areaFD{area: newArea(d, d.tenants.get(d.accounts.Account(ctx)))}
	if err := fd.vfsfd.Init(fd, opts.Flags, auth.CredentialsFromContext(ctx), mnt, vfsd, &vfs.FileDescriptionOptions{
		UseDentryMetadata: true,
		SpecialFile:       true,
	}); err != nil {
		fd.area.release(ctx)
		return nil, err
	}
	return &fd.vfsfd, nil
}

// areaFD implements vfs.FileDescriptionImpl for an open of the device.
//
// +stateify savable
type areaFD struct {
	vfsfd vfs.FileDescription
	vfs.FileDescriptionDefaultImpl
	vfs.DentryMetadataFileDescriptionImpl
	vfs.NoLockFD

	area *area

	posMu posMutex `state:"nosave"`
	// pos is the position of the next read, in bytes.
	// +checklocks:posMu
	pos int64
}

// Release implements vfs.FileDescriptionImpl.Release.
func (fd *areaFD) Release(ctx context.Context) { fd.area.release(ctx) }

// PRead implements vfs.FileDescriptionImpl.PRead.
func (fd *areaFD) PRead(ctx context.Context, dst usermem.IOSequence, offset int64, opts vfs.ReadOptions) (int64, error) {
	if offset < 0 {
		return 0, linuxerr.EINVAL
	}
	// There is nothing to wait for, and nothing to write back.
	if opts.Flags&^(linux.RWF_HIPRI|linux.RWF_DSYNC|linux.RWF_SYNC) != 0 {
		return 0, linuxerr.EOPNOTSUPP
	}
	return fd.area.read(ctx, dst, offset)
}

// Read implements vfs.FileDescriptionImpl.Read.
func (fd *areaFD) Read(ctx context.Context, dst usermem.IOSequence, opts vfs.ReadOptions) (int64, error) {
	fd.posMu.Lock()
	defer fd.posMu.Unlock()
	n, err := fd.PRead(ctx, dst, fd.pos, opts)
	fd.pos += n
	return n, err
}

// Seek implements vfs.FileDescriptionImpl.Seek.
//
// Errors: EINVAL if the area has no size, EBADF if it was never mapped; and those of
// region.seek.
func (fd *areaFD) Seek(_ context.Context, offset int64, whence int32) (int64, error) {
	r, err := fd.area.mappedRegion()
	if err != nil {
		return 0, err
	}
	if r == nil {
		return 0, linuxerr.EINVAL
	}
	fd.posMu.Lock()
	defer fd.posMu.Unlock()
	pos, err := r.seek(fd.pos, offset, whence)
	if err != nil {
		return 0, err
	}
	fd.pos = pos
	return pos, nil
}

// ConfigureMMap implements vfs.FileDescriptionImpl.ConfigureMMap.
func (fd *areaFD) ConfigureMMap(ctx context.Context, opts *memmap.MMapOpts) error {
	return fd.area.configureMMap(ctx, opts)
}
