// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package ashmem

import (
	"strings"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/sentry/arch"
	"gvisor.dev/gvisor/pkg/sentry/fsimpl/tmpfs"
	"gvisor.dev/gvisor/pkg/sentry/vfs"
	"gvisor.dev/gvisor/pkg/usermem"

	"sentrybinder/pkg/abi/ashmem"
)

// sealFutureWrite is F_SEAL_FUTURE_WRITE of linux/fcntl.h.
const sealFutureWrite = 0x10

// MemfdIoctler implements ashmem's requests on memfds, as Android's common kernels do:
// programs that know only ashmem receive memfds from newer ones. Only PROT_WRITE can be
// taken away, by a seal. Pages are always pinned, and names and sizes can't be set.
type MemfdIoctler struct{}

// Ioctl implements tmpfs.MemfdIoctler.Ioctl (see runsc/patches).
//
// Errors: ENOTTY for an unknown request, EFAULT for a bad pointer, EINVAL for a request
// that memfds don't support, and those of fcntl(F_ADD_SEALS).
func (MemfdIoctler) Ioctl(ctx context.Context, file *vfs.FileDescription, uio usermem.IO, _ uintptr, args arch.SyscallArguments) (uintptr, error) {
	mem := memory{ctx, uio, args[2].Pointer()}
	switch args[1].Uint() {
	case ashmem.ASHMEM_SET_NAME, ashmem.ASHMEM_SET_SIZE:
		return 0, linuxerr.EINVAL
	case ashmem.ASHMEM_GET_NAME:
		name := strings.TrimPrefix(file.MappedName(ctx), "/memfd:")
		name = strings.TrimSuffix(name, " (deleted)")
		return 0, mem.copyOut(append([]byte(name), 0))
	case ashmem.ASHMEM_GET_SIZE:
		stat, err := file.Stat(ctx, vfs.StatOptions{Mask: linux.STATX_SIZE})
		return uintptr(stat.Size), err
	case ashmem.ASHMEM_SET_PROT_MASK:
		return 0, setMemfdMask(file, args[2].Uint64())
	case ashmem.ASHMEM_GET_PROT_MASK:
		mask, err := memfdMask(file)
		return uintptr(mask), err
	case ashmem.ASHMEM_PIN:
		return ashmem.ASHMEM_NOT_PURGED, nil
	case ashmem.ASHMEM_UNPIN:
		return 0, nil
	case ashmem.ASHMEM_GET_PIN_STATUS:
		return ashmem.ASHMEM_IS_PINNED, nil
	case ashmem.ASHMEM_PURGE_ALL_CACHES:
		if !mayPurge(ctx) {
			return 0, linuxerr.EPERM
		}
		return 0, nil
	case ashmem.ASHMEM_GET_FILE_ID:
		stat, err := file.Stat(ctx, vfs.StatOptions{Mask: linux.STATX_INO})
		if err != nil {
			return 0, err
		}
		return 0, mem.copyOutID(stat.Ino)
	}
	return 0, linuxerr.ENOTTY
}

// memfdMask returns the PROT_ bits that mappings of file can have.
func memfdMask(file *vfs.FileDescription) (uint64, error) {
	seals, err := tmpfs.GetSeals(file)
	if err != nil {
		return 0, err
	}
	if seals&(linux.F_SEAL_WRITE|sealFutureWrite) != 0 {
		return allProt &^ linux.PROT_WRITE, nil
	}
	return allProt, nil
}

// setMemfdMask takes PROT_WRITE away if mask lacks it. It ignores the other bits.
func setMemfdMask(file *vfs.FileDescription, mask uint64) error {
	old, err := memfdMask(file)
	if err != nil {
		return err
	}
	mask |= allProt &^ linux.PROT_WRITE
	switch {
	case mask&^old != 0:
		return linuxerr.EINVAL
	case mask&linux.PROT_WRITE != 0:
		return nil
	case !file.IsWritable():
		return linuxerr.EPERM
	default:
		return tmpfs.AddSeals(file, sealFutureWrite)
	}
}
