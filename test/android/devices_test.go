// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package android

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// devices is what ueventd does, and the devices that it would create.
var devices = stage{"ueventd and devices", []step{
	{
		what: "the uevent socket, with 16 MiB", who: "ueventd", without: "ueventd exits, and init with it",
		run: func(b *boot) error {
			_, err := ueventSocket(b)
			return err
		},
	},
	{
		what: "an event for whoever writes `add` to a device's `uevent`", who: "ueventd, for existing devices", without: "no devices, where `/dev` is replaced (not in redroid)",
		run:   coldboot,
		linux: "a network namespace that receives them",
		why:   "gVisor's sysfs has no devices",
	},
	{
		what: "`/dev/{full,null,random,urandom,zero,tty}`", who: "everybody", without: "little works",
		run: func(b *boot) error {
			var errs []error
			for _, name := range []string{"full", "null", "random", "urandom", "zero"} {
				_, err := b.open("/dev/"+name, unix.O_RDWR)
				errs = append(errs, in(name, err))
			}
			// A process without a terminal gets this error.
			if _, err := b.open("/dev/tty", unix.O_RDWR); err != nil && err != unix.ENXIO {
				errs = append(errs, in("tty", err))
			}
			return errors.Join(errs...)
		},
	},
	{
		what: "`/dev/fuse`, and a mount of it", who: "vold, for `/storage/emulated`", without: "no shared storage",
		run:   fuse,
		linux: "CONFIG_FUSE_FS",
	},
	{
		what: "`/dev/net/tun`", who: "VPNs", without: "no VPN",
		run: func(b *boot) error {
			_, err := b.open("/dev/net/tun", unix.O_RDWR)
			return err
		},
		linux: "CONFIG_TUN",
	},
	{
		what: "`/dev/dma_heap/system`", who: "graphics and codecs; not redroid's", without: "redroid's graphics use ashmem or a memfd",
		run: func(b *boot) error {
			_, err := b.open("/dev/dma_heap/system", unix.O_RDONLY)
			return err
		},
		linux: "CONFIG_DMABUF_HEAPS_SYSTEM",
		why:   "there are no devices to share memory with",
	},
}}

// ueventSocket creates libcutils' socket.
func ueventSocket(b *boot) (int, error) {
	const size = 16 << 20
	s, err := b.closing(unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_KOBJECT_UEVENT))
	if err != nil {
		return -1, err
	}
	if err := unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_RCVBUF, size); err != nil {
		return -1, in("SO_RCVBUF", err)
	}
	if got, err := unix.GetsockoptInt(s, unix.SOL_SOCKET, unix.SO_RCVBUF); err != nil || got < size {
		if err := unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, size); err != nil {
			return -1, in("SO_RCVBUFFORCE", err)
		}
		if got, err := unix.GetsockoptInt(s, unix.SOL_SOCKET, unix.SO_RCVBUF); err != nil || got < size {
			return -1, in("SO_RCVBUFFORCE", or(err, fmt.Errorf("is %d bytes", got)))
		}
	}
	if err := unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err != nil {
		return -1, in("SO_PASSCRED", err)
	}
	return s, in("bind", unix.Bind(s, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Pid: uint32(unix.Getpid()), Groups: 0xffffffff}))
}

// coldboot requests the event of a device that every Linux has.
func coldboot(b *boot) error {
	s, err := ueventSocket(b)
	if err != nil {
		return err
	}
	if err := write("/sys/devices/virtual/mem/null/uevent", "add\n"); err != nil {
		return err
	}
	if err := await(s, unix.POLLIN); err != nil {
		return err
	}
	event := make([]byte, 4096)
	n, _, err := unix.Recvfrom(s, event, 0)
	const want = "add@/devices/virtual/mem/null\x00"
	if err == nil && !bytes.HasPrefix(event[:n], []byte(want)) {
		err = fmt.Errorf("got %q", event[:n])
	}
	return err
}

// fuse mounts a file system, whose server gets the first request.
func fuse(b *boot) error {
	const (
		initialize = 26 // FUSE_INIT
		headerSize = 40 // of struct fuse_in_header
	)
	fd, err := b.open("/dev/fuse", unix.O_RDWR)
	if err != nil {
		return err
	}
	options := fmt.Sprintf("fd=%d,rootmode=40000,default_permissions,allow_other,user_id=0,group_id=0", fd)
	if err := b.mount("/dev/fuse", b.mkdir("mnt/fuse"), "fuse", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC|unix.MS_NOATIME, options); err != nil {
		return in("mount", err)
	}
	request := make([]byte, 64<<10)
	n, err := unix.Read(fd, request)
	if err != nil {
		return err
	}
	if n < headerSize || binary.NativeEndian.Uint32(request[4:]) != initialize {
		return fmt.Errorf("got %d bytes", n)
	}
	return nil
}
