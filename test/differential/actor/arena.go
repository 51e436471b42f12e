// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package actor

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The arena is memory that the controller shares with all actors, at the same address
// in each. What the controller builds there, pointers included, can be used as is as
// the arguments of an actor's system calls.
const (
	arenaStart = 0x20_0000_0000

	// MaxThreads is the maximum number of actors at a time.
	MaxThreads = 64

	// Each thread has a slot, a stack, which only signal handlers use, and scratch
	// memory.
	slotSize    = 4 << 10
	stackSize   = 8 << 10
	threadSize  = 128 << 10
	ScratchSize = threadSize - slotSize - stackSize

	// PatternSize is the size of the memory at Pattern.
	PatternSize = 1 << 20

	arenaSize = MaxThreads*threadSize + PatternSize + edgeSize
	edgeSize  = 64 << 10
)

// Edge is the end of the arena: there are a few writable pages below it, and no memory
// above.
const Edge = uintptr(arenaStart + arenaSize)

// Pattern is the address of PatternSize bytes that serve as payload. Each is the low
// byte of its index times 167.
const Pattern = uintptr(arenaStart + MaxThreads*threadSize)

// readOnlyStart is where the arena is mapped a second time, read-only.
const readOnlyStart = arenaStart + 1<<32

// ReadOnly returns the read-only address of the memory at addr, which must be in the
// arena.
func ReadOnly(addr uintptr) uintptr { return addr - arenaStart + readOnlyStart }

// mapArena creates and maps the arena.
func mapArena() error {
	fd, err := unix.MemfdCreate("arena", unix.MFD_CLOEXEC)
	if err != nil {
		return fmt.Errorf("arena: %w", err)
	}
	defer unix.Close(fd)
	if err := unix.Ftruncate(fd, arenaSize); err != nil {
		return fmt.Errorf("arena: %w", err)
	}
	for _, m := range []struct{ at, prot uintptr }{{arenaStart, unix.PROT_READ | unix.PROT_WRITE}, {readOnlyStart, unix.PROT_READ}} {
		addr, _, errno := unix.RawSyscall6(unix.SYS_MMAP, m.at, arenaSize, m.prot, unix.MAP_SHARED|unix.MAP_FIXED_NOREPLACE, uintptr(fd), 0)
		if errno != 0 || addr != m.at {
			return fmt.Errorf("mmap of the arena: %#x, %v", addr, errno)
		}
	}
	pattern := Bytes(Pattern, PatternSize)
	for i := range pattern {
		pattern[i] = byte(i * 167)
	}
	return nil
}

// pointer returns a pointer to address addr of the arena, which Go's garbage collector
// doesn't know about.
func pointer(addr uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&addr)) }

// Bytes returns the n bytes at address addr of the arena.
func Bytes(addr uintptr, n int) []byte {
	if addr < arenaStart || addr+uintptr(n) > arenaStart+arenaSize {
		panic(fmt.Sprintf("[%#x, +%d) is not in the arena", addr, n))
	}
	return unsafe.Slice((*byte)(pointer(addr)), n)
}
