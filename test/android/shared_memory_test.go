// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package android

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// sharedMemory is what libcutils does for a region that processes share: ashmem, or a
// memfd instead.
var sharedMemory = stage{"libcutils: shared memory", []step{
	{
		what: "`/dev/ashmem`, also with the boot ID appended", who: "libcutils", without: "no CursorWindow, no large Parcel, unless memfds replace it",
		run:   ashmemDevice,
		linux: "ashmem, which Linux dropped in 5.18",
	},
	{
		what: "an ashmem region: name, size, shared mappings", who: "libcutils", without: "the same",
		run:   ashmemRegion,
		linux: "ashmem, which Linux dropped in 5.18",
	},
	{
		what: "ASHMEM_SET_PROT_MASK", who: "libcutils, for read-only receivers", without: "receivers can write",
		run:   ashmemProtection,
		linux: "ashmem, which Linux dropped in 5.18",
	},
	{
		what: "ASHMEM_PIN, ASHMEM_UNPIN, ASHMEM_GET_PIN_STATUS", who: "libcutils", without: "nothing is purged",
		run:   ashmemPins,
		linux: "ashmem, which Linux dropped in 5.18",
	},
	{
		what: "ASHMEM_GET_SIZE of a memfd", who: "libcutils, from Android 16 on", without: "it uses `/dev/ashmem`",
		run: func(b *boot) error {
			fd, err := b.memfd()
			if err != nil {
				return err
			}
			return ashmemSize(fd, regionSize)
		},
		linux: "an Android kernel",
	},
	{
		what: "the seals F_SEAL_GROW and F_SEAL_SHRINK", who: "libcutils, for memfds", without: "a receiver can make the sender fault",
		run: func(b *boot) error {
			fd, err := b.memfd()
			if err != nil {
				return err
			}
			if err := addSeals(fd, unix.F_SEAL_GROW|unix.F_SEAL_SHRINK); err != nil {
				return err
			}
			for _, size := range []int64{regionSize / 2, 2 * regionSize} {
				if err := unix.Ftruncate(fd, size); err != unix.EPERM {
					return or(err, errors.New("has no effect"))
				}
			}
			return nil
		},
	},
	{
		what: "the seal F_SEAL_FUTURE_WRITE", who: "libcutils, for read-only receivers", without: "receivers can write",
		run: futureWrite,
	},
	{
		what: "MFD_NOEXEC_SEAL and F_SEAL_EXEC", who: "libcutils, in some of its versions", without: "a file can be made executable",
		run: func(b *boot) error {
			fd, err := b.closing(unix.MemfdCreate("region", unix.MFD_CLOEXEC|unix.MFD_NOEXEC_SEAL))
			if err != nil {
				return err
			}
			if seals, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0); err != nil || seals&unix.F_SEAL_EXEC == 0 {
				return or(err, fmt.Errorf("has seals %#x", seals))
			}
			if err := unix.Fchmod(fd, 0o777); err != unix.EPERM {
				return or(err, errors.New("has no effect"))
			}
			return nil
		},
	},
}}

const regionSize = 64 << 10

// ashmem's ioctls.
const (
	ashmemSetName     = 0x41007701
	ashmemGetName     = 0x81007702
	ashmemSetSize     = 0x40087703
	ashmemGetSize     = 0x7704
	ashmemSetProtMask = 0x40087705
	ashmemGetProtMask = 0x7706
	ashmemPin         = 0x40087707
	ashmemUnpin       = 0x40087708
	ashmemPinStatus   = 0x7709
)

// memfd returns a file that libcutils uses instead of ashmem.
func (b *boot) memfd() (int, error) {
	fd, err := b.closing(unix.MemfdCreate("region", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING))
	if err != nil {
		return -1, err
	}
	return fd, unix.Ftruncate(fd, regionSize)
}

func addSeals(fd, seals int) error {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals)
	return err
}

// futureWrite seals a region that is already mapped, and passes it to an app.
func futureWrite(b *boot) error {
	fd, err := b.memfd()
	if err != nil {
		return err
	}
	before, err := unix.Mmap(fd, 0, regionSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	defer unix.Munmap(before)
	if err := addSeals(fd, unix.F_SEAL_FUTURE_WRITE|unix.F_SEAL_GROW|unix.F_SEAL_SHRINK); err != nil {
		return err
	}
	copy(before, "still writable")

	app := b.process()
	theirs := uintptr(app.SendFD(b, fd))
	if err := app.do(unix.SYS_MMAP, 0, regionSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED, theirs, 0); err != unix.EPERM {
		return in("mmap", or(err, errors.New("has no effect")))
	}
	if err := app.do(unix.SYS_WRITE, theirs, app.text("x"), 1); err != unix.EPERM {
		return in("write", or(err, errors.New("has no effect")))
	}
	mapped, err := app.call(unix.SYS_MMAP, 0, regionSize, unix.PROT_READ, unix.MAP_SHARED, theirs, 0)
	if err != nil {
		return err
	}
	if err := app.do(unix.SYS_MPROTECT, mapped, regionSize, unix.PROT_READ|unix.PROT_WRITE); err != unix.EACCES {
		return in("mprotect", or(err, errors.New("has no effect")))
	}
	seen, err := app.ReadMemory(b, mapped, len("still writable"))
	if err == nil && string(seen) != "still writable" {
		err = errors.New("is not shared")
	}
	return err
}

// ashmem opens the device under the name that libcutils tries first.
func (b *boot) ashmem() (int, error) {
	id, err := read("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return -1, err
	}
	return b.open("/dev/ashmem"+id, unix.O_RDWR)
}

func ashmemDevice(b *boot) error {
	if _, err := b.ashmem(); err != nil {
		return err
	}
	_, err := b.open("/dev/ashmem", unix.O_RDWR)
	return err
}

// region returns an ashmem region.
func (b *boot) region() (int, error) {
	fd, err := b.ashmem()
	if err != nil {
		return -1, err
	}
	name := [256]byte{}
	copy(name[:], "CursorWindow")
	if _, err := call(unix.SYS_IOCTL, uintptr(fd), ashmemSetName, pointer(&name)); err != nil {
		return -1, in("ASHMEM_SET_NAME", err)
	}
	_, err = call(unix.SYS_IOCTL, uintptr(fd), ashmemSetSize, regionSize)
	return fd, in("ASHMEM_SET_SIZE", err)
}

// ashmemSize requires that a region has a size.
func ashmemSize(fd int, want uintptr) error {
	size, err := call(unix.SYS_IOCTL, uintptr(fd), ashmemGetSize, 0)
	if err == nil && size != want {
		err = fmt.Errorf("is %d", size)
	}
	return err
}

func ashmemRegion(b *boot) error {
	fd, err := b.region()
	if err != nil {
		return err
	}
	if err := ashmemSize(fd, regionSize); err != nil {
		return in("ASHMEM_GET_SIZE", err)
	}
	window, err := unix.Mmap(fd, 0, regionSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return in("mmap", err)
	}
	defer unix.Munmap(window)
	name := [256]byte{}
	if _, err := call(unix.SYS_IOCTL, uintptr(fd), ashmemGetName, pointer(&name)); err != nil || unix.ByteSliceToString(name[:]) != "CursorWindow" {
		return in("ASHMEM_GET_NAME", or(err, fmt.Errorf("is %q", unix.ByteSliceToString(name[:]))))
	}
	maps, err := read("/proc/self/maps")
	if err != nil || !strings.Contains(maps, "/dev/ashmem/CursorWindow") {
		return in("maps", or(err, errors.New("has no name")))
	}
	copy(window, "a row")
	app := b.process()
	theirs := uintptr(app.SendFD(b, fd))
	mapped, err := app.call(unix.SYS_MMAP, 0, regionSize, unix.PROT_READ, unix.MAP_SHARED, theirs, 0)
	if err != nil {
		return in("mmap", err)
	}
	seen, err := app.ReadMemory(b, mapped, len("a row"))
	if err == nil && string(seen) != "a row" {
		err = errors.New("is not shared")
	}
	return err
}

func ashmemProtection(b *boot) error {
	fd, err := b.region()
	if err != nil {
		return err
	}
	window, err := unix.Mmap(fd, 0, regionSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return in("mmap", err)
	}
	defer unix.Munmap(window)
	if _, err := call(unix.SYS_IOCTL, uintptr(fd), ashmemSetProtMask, unix.PROT_READ); err != nil {
		return err
	}
	if mask, err := call(unix.SYS_IOCTL, uintptr(fd), ashmemGetProtMask, 0); err != nil || mask != unix.PROT_READ {
		return in("ASHMEM_GET_PROT_MASK", or(err, fmt.Errorf("is %#x", mask)))
	}
	if _, err := call(unix.SYS_IOCTL, uintptr(fd), ashmemSetProtMask, unix.PROT_READ|unix.PROT_WRITE); err != unix.EINVAL {
		return or(err, errors.New("can be revoked"))
	}
	app := b.process()
	theirs := uintptr(app.SendFD(b, fd))
	if err := app.do(unix.SYS_MMAP, 0, regionSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED, theirs, 0); err != unix.EPERM {
		return in("mmap", or(err, errors.New("has no effect")))
	}
	mapped, err := app.call(unix.SYS_MMAP, 0, regionSize, unix.PROT_READ, unix.MAP_SHARED, theirs, 0)
	if err != nil {
		return in("mmap", err)
	}
	if err := app.do(unix.SYS_MPROTECT, mapped, regionSize, unix.PROT_READ|unix.PROT_WRITE); err != unix.EACCES {
		return in("mprotect", or(err, errors.New("has no effect")))
	}
	return nil
}

func ashmemPins(b *boot) error {
	const (
		unpinned, pinned = 0, 1
		notPurged        = 0
	)
	fd, err := b.region()
	if err != nil {
		return err
	}
	window, err := unix.Mmap(fd, 0, regionSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return in("mmap", err)
	}
	defer unix.Munmap(window)
	pages := [2]uint32{4096, 8192} // offset, length
	for _, c := range []struct {
		name    string
		request uintptr
		want    uintptr
	}{
		{"ASHMEM_GET_PIN_STATUS", ashmemPinStatus, pinned},
		{"ASHMEM_UNPIN", ashmemUnpin, 0},
		{"ASHMEM_GET_PIN_STATUS", ashmemPinStatus, unpinned},
		{"ASHMEM_PIN", ashmemPin, notPurged},
		{"ASHMEM_GET_PIN_STATUS", ashmemPinStatus, pinned},
	} {
		got, err := call(unix.SYS_IOCTL, uintptr(fd), c.request, pointer(&pages))
		if err != nil || got != c.want {
			return in(c.name, or(err, fmt.Errorf("is %d", got)))
		}
	}
	return nil
}
