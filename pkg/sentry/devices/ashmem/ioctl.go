// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package ashmem

import (
	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/sentry/arch"
	"gvisor.dev/gvisor/pkg/sentry/kernel/auth"
	"gvisor.dev/gvisor/pkg/usermem"

	"sentrybinder/pkg/abi/ashmem"
)

// Ioctl implements vfs.FileDescriptionImpl.Ioctl.
//
// Errors: ENOTTY for an unknown request, EFAULT for a bad pointer, and those of the
// methods of area. PURGE_ALL_CACHES, which purges what the caller's container has
// unpinned, fails with EPERM without CAP_SYS_ADMIN in the container's user namespace.
func (fd *areaFD) Ioctl(ctx context.Context, uio usermem.IO, sysno uintptr, args arch.SyscallArguments) (uintptr, error) {
	a := fd.area
	mem := memory{ctx, uio, args[2].Pointer()}
	switch args[1].Uint() {
	case ashmem.ASHMEM_SET_NAME:
		name, err := mem.copyInName()
		if err != nil {
			return 0, err
		}
		return 0, a.setName(name)
	case ashmem.ASHMEM_GET_NAME:
		return 0, mem.copyOut(append([]byte(a.name()), 0))
	case ashmem.ASHMEM_SET_SIZE:
		return 0, a.setSize(args[2].Uint64())
	case ashmem.ASHMEM_GET_SIZE:
		return uintptr(a.size()), nil
	case ashmem.ASHMEM_SET_PROT_MASK:
		return 0, a.setMask(args[2].Uint64())
	case ashmem.ASHMEM_GET_PROT_MASK:
		return uintptr(a.mask()), nil
	case ashmem.ASHMEM_GET_FILE_ID:
		id, err := a.fileID()
		if err != nil {
			return 0, err
		}
		return 0, mem.copyOutID(id)
	case ashmem.ASHMEM_PIN:
		pin, err := mem.copyInPin()
		if err != nil {
			return 0, err
		}
		purged, err := a.pin(pin)
		if purged && err == nil {
			return ashmem.ASHMEM_WAS_PURGED, nil
		}
		return ashmem.ASHMEM_NOT_PURGED, err
	case ashmem.ASHMEM_UNPIN:
		pin, err := mem.copyInPin()
		if err != nil {
			return 0, err
		}
		return 0, a.unpin(pin)
	case ashmem.ASHMEM_GET_PIN_STATUS:
		pin, err := mem.copyInPin()
		if err != nil {
			return 0, err
		}
		pinned, err := a.isPinned(pin)
		if pinned && err == nil {
			return ashmem.ASHMEM_IS_PINNED, nil
		}
		return ashmem.ASHMEM_IS_UNPINNED, err
	case ashmem.ASHMEM_PURGE_ALL_CACHES:
		if !mayPurge(ctx) {
			return 0, linuxerr.EPERM
		}
		return uintptr(a.device.purge(ctx)), nil
	}
	return fd.FileDescriptionDefaultImpl.Ioctl(ctx, uio, sysno, args)
}

// mayPurge returns whether the caller may purge unpinned pages.
func mayPurge(ctx context.Context) bool {
	return auth.CredentialsFromContext(ctx).HasRootCapability(linux.CAP_SYS_ADMIN)
}

// purge purges what the caller's container has unpinned, and returns the number of pages.
func (d *Device) purge(ctx context.Context) uint64 {
	t := d.tenants.get(d.accounts.Account(ctx))
	defer d.tenants.put(t)
	return t.purge()
}

// memory is the caller's memory that an ioctl's argument points to.
type memory struct {
	ctx  context.Context
	uio  usermem.IO
	addr hostarch.Addr
}

func (m memory) copyOut(b []byte) error {
	_, err := m.uio.CopyOut(m.ctx, m.addr, b, usermem.IOOpts{})
	return err
}

func (m memory) copyOutID(id uint64) error {
	return m.copyOut(hostarch.ByteOrder.AppendUint64(nil, id))
}

func (m memory) copyInPin() (pin ashmem.Pin, err error) {
	var b [ashmem.SizeOfPin]byte
	if _, err := m.uio.CopyIn(m.ctx, m.addr, b[:], usermem.IOOpts{}); err != nil {
		return pin, err
	}
	pin.UnmarshalBytes(b[:])
	return pin, nil
}

// copyInName returns a name, truncated if too long.
func (m memory) copyInName() (string, error) {
	name, err := usermem.CopyStringIn(m.ctx, m.uio, m.addr, ashmem.ASHMEM_NAME_LEN, usermem.IOOpts{})
	if linuxerr.Equals(linuxerr.ENAMETOOLONG, err) {
		return name[:ashmem.ASHMEM_NAME_LEN-1], nil
	}
	return name, err
}
