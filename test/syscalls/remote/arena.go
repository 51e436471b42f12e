// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"fmt"
	"os"
	"sync"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The arena is memory that the test shares with all remote processes, at the same address
// in each: whatever the test builds there, pointers included, can be the argument of a
// remote system call unchanged.
const (
	arenaStart = 0x10_0000_0000
	arenaSize  = 1 << 30
	chunkSize  = 64 << 10
)

var arena struct {
	file *os.File

	mu sync.Mutex
	// used has an element for each chunk.
	used [arenaSize / chunkSize]bool
}

func createArena() error {
	fd, err := unix.MemfdCreate("arena", unix.MFD_CLOEXEC)
	if err != nil {
		return err
	}
	if err := unix.Ftruncate(fd, arenaSize); err != nil {
		return err
	}
	arena.file = os.NewFile(uintptr(fd), "arena")
	return mapArena(fd)
}

func mapArena(fd int) error {
	addr, _, errno := syscall.RawSyscall6(syscall.SYS_MMAP, arenaStart, arenaSize,
		unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_FIXED_NOREPLACE, uintptr(fd), 0)
	if errno != 0 {
		return fmt.Errorf("mmap of the arena: %w", errno)
	}
	if addr != arenaStart {
		return fmt.Errorf("mmap of the arena: got %#x", addr)
	}
	return nil
}

// arenaPointer returns a pointer to address addr of the arena, which is unknown to Go's
// garbage collector.
func arenaPointer(addr uintptr) unsafe.Pointer {
	return *(*unsafe.Pointer)(unsafe.Pointer(&addr))
}

// Bytes returns the n bytes at address addr of the arena.
func Bytes(addr uintptr, n int) []byte {
	if addr < arenaStart || addr+uintptr(n) > arenaStart+arenaSize {
		panic(fmt.Sprintf("[%#x, +%d) is not in the arena", addr, n))
	}
	return unsafe.Slice((*byte)(arenaPointer(addr)), n)
}

// Alloc returns the address of n zeroed bytes of the arena, page-aligned, which are freed
// at the end of the test.
func Alloc(t testing.TB, n int) uintptr {
	t.Helper()
	addr, release := alloc(n)
	t.Cleanup(release)
	return addr
}

func alloc(n int) (uintptr, func()) {
	chunks := (n + chunkSize - 1) / chunkSize
	arena.mu.Lock()
	defer arena.mu.Unlock()
	run := 0
	for i, used := range arena.used {
		if used {
			run = 0
			continue
		}
		if run++; run < chunks {
			continue
		}
		first := i + 1 - chunks
		for j := first; j <= i; j++ {
			arena.used[j] = true
		}
		addr := uintptr(arenaStart + first*chunkSize)
		clear(Bytes(addr, chunks*chunkSize))
		return addr, func() {
			arena.mu.Lock()
			defer arena.mu.Unlock()
			for j := first; j <= i; j++ {
				arena.used[j] = false
			}
		}
	}
	panic(fmt.Sprintf("no %d bytes left in the arena", n))
}

// Struct returns the value at address addr of the arena.
func Struct[T any](addr uintptr) *T {
	var zero T
	return (*T)(unsafe.Pointer(&Bytes(addr, int(unsafe.Sizeof(zero)))[0]))
}
