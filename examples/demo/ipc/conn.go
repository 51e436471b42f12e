// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package ipc talks to a Binder device: it is enough of a client library to write a service
// manager, a service and its clients, and short enough to read as a first example of the
// driver's protocol.
//
// A process opens the device and maps it once (Conn). It offers its own objects (Object)
// and calls others' (Ref), with values, objects and file descriptors in a Parcel. The
// driver knows operating system threads: replies and nested calls come to the thread that
// waits for them. So a call and a looper stay on theirs with runtime.LockOSThread.
//
// Everything goes through one ioctl, BINDER_WRITE_READ, which takes a buffer of commands
// (BC_...) for the driver and fills another with returns (BR_...) from it. The heart of the
// package is thread.go.
//
// The layout of parcels is this package's own. The driver doesn't interpret it; Android's
// user space uses another.
package ipc

import (
	"fmt"
	"runtime"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	abi "sentrybinder/pkg/abi/binder"
)

// mappingSize is the room, in bytes, for everything that was received and not yet
// freed. Android's libbinder uses the same.
const mappingSize = 1<<20 - 2*4096

// Conn is a process's connection to a Binder device, which lasts as long as the
// process. Its methods may be called from any goroutine.
type Conn struct {
	fd int

	// mapping is the memory that the driver writes payloads to, and base its address. The
	// process can only read it.
	mapping []byte
	base    uint64

	// mu guards the fields below. It is not held during system calls.
	mu sync.Mutex

	// objects holds this process's objects by the number under which the driver knows
	// them. Number 0 is the context manager's.
	objects map[uint64]*Object

	// deaths holds, by cookie, the functions to call when others' objects die.
	deaths map[uint64]func()

	// last is the last number given to an object or a death notification.
	last uint64

	// spawned, if not nil, is called by each new thread of the pool.
	spawned func()
}

// Open opens the Binder device at path and maps it.
func Open(path string) (*Conn, error) {
	// Not with os.OpenFile, which would make a pollable device non-blocking.
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	c := &Conn{
		fd:      fd,
		objects: make(map[uint64]*Object),
		deaths:  make(map[uint64]func()),
	}
	var version abi.Version
	if err := c.ioctl(abi.BINDER_VERSION, unsafe.Pointer(&version)); err != nil {
		return nil, fmt.Errorf("BINDER_VERSION on %s: %w", path, err)
	}
	if version.ProtocolVersion != abi.BINDER_CURRENT_PROTOCOL_VERSION {
		return nil, fmt.Errorf("%s speaks protocol %d, not %d", path, version.ProtocolVersion, abi.BINDER_CURRENT_PROTOCOL_VERSION)
	}
	c.mapping, err = unix.Mmap(fd, 0, mappingSize, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("mapping %s: %w", path, err)
	}
	c.base = uint64(uintptr(unsafe.Pointer(&c.mapping[0])))
	return c, nil
}

// BecomeContextManager makes o the object that handle 0 refers to in every process on
// the device. A device has at most one.
func (c *Conn) BecomeContextManager(o *Object) error {
	manager := abi.FlatObject{Type: abi.BINDER_TYPE_BINDER, Flags: abi.FLAT_BINDER_FLAG_ACCEPTS_FDS}
	if err := c.ioctl(abi.BINDER_SET_CONTEXT_MGR_EXT, unsafe.Pointer(&manager)); err != nil {
		return fmt.Errorf("BINDER_SET_CONTEXT_MGR_EXT: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.objects[0] = o
	return nil
}

// ContextManager returns a reference to the device's context manager.
func (c *Conn) ContextManager() *Ref { return &Ref{conn: c} }

// Serve answers calls to this process's objects, in this goroutine and in up to extra
// more threads, which the driver may ask for when all are busy. Each of these first
// calls spawned, if it is not nil. Serve returns when the driver fails.
func (c *Conn) Serve(extra uint32, spawned func()) error {
	c.mu.Lock()
	c.spawned = spawned
	c.mu.Unlock()
	if err := c.ioctl(abi.BINDER_SET_MAX_THREADS, unsafe.Pointer(&extra)); err != nil {
		return fmt.Errorf("BINDER_SET_MAX_THREADS: %w", err)
	}
	return c.loop(abi.BC_ENTER_LOOPER)
}

// loop makes this thread one of the pool. enter is BC_ENTER_LOOPER if it joins on its
// own, and BC_REGISTER_LOOPER if the driver asked for it.
func (c *Conn) loop(enter uint32) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	t := thread{conn: c}
	t.put(enter, nil)
	for {
		returns, err := t.talk()
		if err != nil {
			return err
		}
		for _, r := range returns {
			if err := t.handle(r); err != nil {
				return err
			}
		}
	}
}

// ioctl makes a request to the device, and repeats it when a signal interrupts it.
func (c *Conn) ioctl(request uint32, arg unsafe.Pointer) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(c.fd), uintptr(request), uintptr(arg))
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			return errno
		}
		return nil
	}
}
