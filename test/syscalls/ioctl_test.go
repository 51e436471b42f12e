// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//covers:bad-requests
package syscalls

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
)

// BINDER_VERSION returns 8.
//
//covers:version
func TestVersion(t *testing.T) {
	p := newProcess(t)
	got, err := p.ioctlBytes(binder.BINDER_VERSION, words(0xdeadbeef).encode())
	require.NoError(t, err)
	require.EqualValues(t, words(8), got)
}

// Requests with an argument fail if it is at a bad address.
func TestBadArgument(t *testing.T) {
	p := newProcess(t)
	for name, request := range map[string]uintptr{
		"BINDER_VERSION":                      binder.BINDER_VERSION,
		"BINDER_SET_MAX_THREADS":              binder.BINDER_SET_MAX_THREADS,
		"BINDER_SET_CONTEXT_MGR_EXT":          binder.BINDER_SET_CONTEXT_MGR_EXT,
		"BINDER_WRITE_READ":                   binder.BINDER_WRITE_READ,
		"BINDER_GET_NODE_DEBUG_INFO":          binder.BINDER_GET_NODE_DEBUG_INFO,
		"BINDER_GET_NODE_INFO_FOR_REF":        binder.BINDER_GET_NODE_INFO_FOR_REF,
		"BINDER_GET_EXTENDED_ERROR":           binder.BINDER_GET_EXTENDED_ERROR,
		"BINDER_ENABLE_ONEWAY_SPAM_DETECTION": binder.BINDER_ENABLE_ONEWAY_SPAM_DETECTION,
	} {
		for where, addr := range map[string]uintptr{"null": 0, "bad": badAddress, "kernel": 1 << 63} {
			t.Run(name+" "+where, func(t *testing.T) {
				want := unix.EFAULT
				switch request {
				case binder.BINDER_VERSION, binder.BINDER_SET_MAX_THREADS, binder.BINDER_SET_CONTEXT_MGR_EXT:
					if differs(t, onBadAddress) {
						want = unix.EINVAL
					}
				}
				require.Equal(t, want, p.as(t).ioctl(request, addr))
			})
		}
	}
}

// An unknown request is refused.
func TestUnknownRequest(t *testing.T) {
	p := newProcess(t)
	for _, request := range []uintptr{
		0, 1, ^uintptr(0),
		unix.TCGETS, unix.TIOCINQ,
		binder.BINDER_VERSION + 1,
		binder.BINDER_VERSION &^ 0xff,
		binder.BINDER_VERSION ^ 0x40000000, // another direction
		binder.BINDER_VERSION + 1<<16,      // another size
		binder.BINDER_SET_IDLE_TIMEOUT,     // never implemented
		binder.BINDER_SET_IDLE_PRIORITY,    // never implemented
	} {
		t.Run(fmt.Sprintf("%#x", request), func(t *testing.T) {
			require.Equal(t, unix.EINVAL, p.ioctl(request, p.Scratch()))
		})
	}
}

// The upper half of a request number is ignored.
func TestRequestIs32Bits(t *testing.T) {
	p := newProcess(t)
	require.NoError(t, p.ioctl(binder.BINDER_VERSION|0xabcd<<32, p.Scratch()))
}

// Requests without an argument accept any.
func TestUnusedArgument(t *testing.T) {
	require.NoError(t, newProcess(t).ioctl(binder.BINDER_SET_CONTEXT_MGR, badAddress))
	require.NoError(t, newProcess(t).ioctl(binder.BINDER_THREAD_EXIT, badAddress))
}

// Any number of threads can be set.
//
//covers:threads
func TestSetMaxThreads(t *testing.T) {
	p := newProcess(t)
	for _, n := range []uint32{0, 1, 15, 1 << 31, ^uint32(0)} {
		p.setMaxThreads(n)
	}
}

// A thread that has exited is new at its next ioctl.
//
//covers:threads
func TestThreadExit(t *testing.T) {
	p := newProcess(t)
	require.NoError(t, p.ioctl(binder.BINDER_THREAD_EXIT, 0))
	if differs(t, onFirstRead) {
		p.expect(brNoop)
	}
	p.startRead()
}

// A thread that has done nothing can exit.
//
//covers:threads
func TestThreadExitFirst(t *testing.T) {
	require.NoError(t, newProcess(t).newBareThread().ioctl(binder.BINDER_THREAD_EXIT, 0))
}

// An answer that cannot be written is an error, too.
func TestReadOnlyArgument(t *testing.T) {
	p := newProcess(t)
	page := p.Must(t, unix.SYS_MMAP, 0, 4096, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANON, ^uintptr(0), 0)
	require.Equal(t, unix.EFAULT, p.ioctl(binder.BINDER_GET_NODE_DEBUG_INFO, page))
	require.Equal(t, unix.EFAULT, p.ioctl(binder.BINDER_GET_EXTENDED_ERROR, page))
	require.Equal(t, unix.EPERM, p.ioctl(binder.BINDER_GET_NODE_INFO_FOR_REF, page))
	manager := newManager(t)
	page = manager.Must(t, unix.SYS_MMAP, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON, ^uintptr(0), 0)
	h := p.offer(manager, 0x10)
	require.NoError(t, manager.WriteMemory(t, page, []byte(words(h))))
	manager.Must(t, unix.SYS_MPROTECT, page, 4096, unix.PROT_READ)
	require.Equal(t, unix.EFAULT, manager.ioctl(binder.BINDER_GET_NODE_INFO_FOR_REF, page))
}

// The idle requests were never more than numbers.
//
//covers:version
func TestIdleRequests(t *testing.T) {
	p := newProcess(t)
	for _, request := range []uintptr{binder.BINDER_SET_IDLE_TIMEOUT, binder.BINDER_SET_IDLE_PRIORITY} {
		for _, arg := range []uintptr{0, badAddress, p.Scratch()} {
			require.Equal(t, unix.EINVAL, p.ioctl(request, arg))
		}
	}
}
