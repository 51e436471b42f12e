// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/test/syscalls/remote"
)

// A caller is another process, which makes system calls with its own privileges.
type caller struct {
	t *testing.T
	*remote.Process
}

// newCaller returns a caller with all of root's privileges.
func newCaller(t *testing.T) caller { return caller{t, remote.NewProcess(t)} }

// fork returns a child of the caller.
func (c caller) fork() caller { return caller{c.t, c.Fork(c.t)} }

// placeSize is the size of a place for an argument.
const placeSize = 512

// place returns the address of one of a few places for arguments.
func (c caller) place(i int) uintptr { return c.Scratch() + uintptr(i)*placeSize }

// text stores s in a place as a C string, and returns its address.
func (c caller) text(i int, s string) uintptr {
	require.Less(c.t, len(s), placeSize)
	copy(remote.Bytes(c.place(i), placeSize), s+"\x00")
	return c.place(i)
}

// become makes the caller another user, without capabilities.
func (c caller) become(uid uintptr) caller {
	c.Must(c.t, unix.SYS_SETGROUPS, 0, 0)
	c.Must(c.t, unix.SYS_SETRESGID, uid, uid, uid)
	c.Must(c.t, unix.SYS_SETRESUID, uid, uid, uid)
	return c
}

// without removes a capability from the caller.
func (c caller) without(capability int) caller {
	*remote.Struct[unix.CapUserHeader](c.place(0)) = unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := remote.Struct[[2]unix.CapUserData](c.place(1))
	c.Must(c.t, unix.SYS_CAPGET, c.place(0), c.place(1))
	data[capability/32].Effective &^= 1 << (capability % 32)
	data[capability/32].Permitted &^= 1 << (capability % 32)
	data[capability/32].Inheritable &^= 1 << (capability % 32)
	c.Must(c.t, unix.SYS_CAPSET, c.place(0), c.place(1))
	return c
}

// confine makes the caller root of a new user namespace and mount namespace, where its
// user remains the same.
func (c caller) confine() caller {
	c.Must(c.t, unix.SYS_UNSHARE, unix.CLONE_NEWUSER|unix.CLONE_NEWNS)
	for _, file := range []string{"uid_map", "gid_map"} {
		require.NoError(c.t, os.WriteFile(fmt.Sprintf("/proc/%d/%s", c.TID(), file), []byte("0 0 1"), 0))
	}
	return c
}

// open opens a file.
func (c caller) open(path string, flags int) (uintptr, error) {
	return c.Call(c.t, unix.SYS_OPENAT, ^uintptr(99), c.text(0, path), uintptr(flags), 0)
}

// read returns the result of the first read from a file.
func (c caller) read(path string) (string, error) {
	fd, err := c.open(path, unix.O_RDONLY)
	if err != nil {
		return "", err
	}
	defer c.Must(c.t, unix.SYS_CLOSE, fd)
	n, err := c.Call(c.t, unix.SYS_READ, fd, c.place(1), placeSize)
	if err != nil {
		return "", err
	}
	return string(remote.Bytes(c.place(1), int(n))), nil
}

// write writes to a file with one call, and returns how much was written.
func (c caller) write(path, data string) (int, error) {
	fd, err := c.open(path, unix.O_WRONLY)
	if err != nil {
		return 0, err
	}
	defer c.Must(c.t, unix.SYS_CLOSE, fd)
	n, err := c.Call(c.t, unix.SYS_WRITE, fd, c.text(1, data), uintptr(len(data)))
	return int(n), err
}
