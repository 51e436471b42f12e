// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"os"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

const memPage = 4096

// A mapping is unknown to Go, so that it can move.
type mapping struct {
	addr uintptr
	size int
}

// newMapping maps size bytes of fd, or of anonymous memory if fd is -1.
func newMapping(t *testing.T, size, prot, flags, fd int) mapping {
	t.Helper()
	if fd == -1 {
		flags |= unix.MAP_ANON
	}
	addr, _, errno := unix.Syscall6(unix.SYS_MMAP, 0, uintptr(size), uintptr(prot), uintptr(flags), uintptr(fd), 0)
	require.Zero(t, errno, "mmap")
	t.Cleanup(func() { unix.Syscall(unix.SYS_MUNMAP, addr, uintptr(size), 0) })
	return mapping{addr, size}
}

// newMemory maps writable private memory.
func newMemory(t *testing.T, size int) mapping {
	t.Helper()
	return newMapping(t, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE, -1)
}

// at returns the byte at an offset.
func (m mapping) at(offset int) *byte {
	// The address is not in Go's heap.
	return (*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&[1]uintptr{m.addr + uintptr(offset)})))
}

// unmap makes a hole of one page.
func (m mapping) unmap(t *testing.T, offset int) {
	t.Helper()
	_, _, errno := unix.Syscall(unix.SYS_MUNMAP, m.addr+uintptr(offset), memPage, 0)
	require.Zero(t, errno, "munmap")
}

// madvise gives advice about the mapping.
func (m mapping) madvise(advice int) error {
	return syscallError(unix.Syscall(unix.SYS_MADVISE, m.addr, uintptr(m.size), uintptr(advice)))
}

// syscallError returns the error of a system call, given what unix.Syscall returns.
func syscallError(_, _ uintptr, errno unix.Errno) error {
	if errno != 0 {
		return errno
	}
	return nil
}

// mremap calls mremap(2).
func mremap(old uintptr, oldSize, newSize, flags int, to uintptr) (uintptr, error) {
	addr, _, errno := unix.Syscall6(unix.SYS_MREMAP, old, uintptr(oldSize), uintptr(newSize), uintptr(flags), to, 0)
	if errno != 0 {
		return 0, errno
	}
	return addr, nil
}

// moveAway moves the mapping's pages to another mapping.
func (m mapping) moveAway(t *testing.T) mapping {
	t.Helper()
	addr, err := mremap(m.addr, m.size, m.size, unix.MREMAP_MAYMOVE|unix.MREMAP_DONTUNMAP, 0)
	require.NoError(t, err)
	require.NotEqual(t, m.addr, addr)
	t.Cleanup(func() { unix.Syscall(unix.SYS_MUNMAP, addr, uintptr(m.size), 0) })
	return mapping{addr, m.size}
}

// newBackingFile returns a file in memory that begins with content and has size bytes.
func newBackingFile(t *testing.T, content string, size int) int {
	t.Helper()
	fd, err := unix.MemfdCreate("file", unix.MFD_CLOEXEC)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	_, err = unix.Write(fd, []byte(content))
	require.NoError(t, err)
	require.NoError(t, unix.Ftruncate(fd, int64(size)))
	return fd
}

// MREMAP_DONTUNMAP takes away the pages of private memory; the mapping that remains reads
// as zero, and is memory like any other.
func TestMremapDontUnmap(t *testing.T) {
	m := newMemory(t, 4*memPage)
	*m.at(0), *m.at(3 * memPage) = 'a', 'd'
	moved := m.moveAway(t)
	require.Equal(t, "ad", string([]byte{*moved.at(0), *moved.at(3 * memPage)}))
	require.Zero(t, *m.at(0))
	require.Zero(t, *m.at(3 * memPage))
	*m.at(0) = 'A'
	require.EqualValues(t, 'a', *moved.at(0))

	// And back, over the existing mapping.
	addr, err := mremap(moved.addr, m.size, m.size, unix.MREMAP_MAYMOVE|unix.MREMAP_DONTUNMAP|unix.MREMAP_FIXED, m.addr)
	require.NoError(t, err)
	require.Equal(t, m.addr, addr)
	require.EqualValues(t, 'a', *m.at(0))
	require.Zero(t, *moved.at(0))
}

// A part of a mapping can be moved; its neighbours stay in place.
func TestMremapDontUnmapPart(t *testing.T) {
	m := newMemory(t, 3*memPage)
	for i := range 3 {
		*m.at(i * memPage) = byte('a' + i)
	}
	moved := mapping{m.addr + memPage, memPage}.moveAway(t)
	require.EqualValues(t, 'b', *moved.at(0))
	require.Equal(t, "a\x00c", string([]byte{*m.at(0), *m.at(memPage), *m.at(2 * memPage)}))

	// The mapping is in one piece again.
	whole := m.moveAway(t)
	require.Equal(t, "a\x00c", string([]byte{*whole.at(0), *whole.at(memPage), *whole.at(2 * memPage)}))
}

// A mapping of a file shows the file in both places; what was written to a
// private one moves.
func TestMremapDontUnmapFile(t *testing.T) {
	fd := newBackingFile(t, "f", 2*memPage)
	shared := newMapping(t, 2*memPage, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED, fd)
	require.EqualValues(t, 'f', *shared.at(0))
	moved := shared.moveAway(t)
	*shared.at(memPage) = 'g'
	require.Equal(t, "fg", string([]byte{*moved.at(0), *moved.at(memPage)}))

	private := newMapping(t, 2*memPage, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE, fd)
	*private.at(0) = 'p'
	moved = private.moveAway(t)
	require.Equal(t, "pg", string([]byte{*moved.at(0), *moved.at(memPage)}))
	require.Equal(t, "fg", string([]byte{*private.at(0), *private.at(memPage)}))
}

// What moves stays locked; what remains is not.
func TestMremapDontUnmapLocked(t *testing.T) {
	m := newMemory(t, memPage)
	require.NoError(t, syscallError(unix.Syscall(unix.SYS_MLOCK, m.addr, uintptr(m.size), 0)))
	moved := m.moveAway(t)
	require.NoError(t, m.madvise(unix.MADV_DONTNEED))
	require.Equal(t, unix.EINVAL, moved.madvise(unix.MADV_DONTNEED))
}

// The new address is a hint unless it is fixed, but must be valid.
func TestMremapDontUnmapHint(t *testing.T) {
	const flags = unix.MREMAP_MAYMOVE | unix.MREMAP_DONTUNMAP
	m := newMemory(t, 2*memPage)
	other := newMemory(t, 2*memPage)
	for name, hint := range map[string]uintptr{
		"in a page":       other.addr + 1,
		"the same":        m.addr,
		"overlapping":     m.addr + memPage,
		"the kernel's":    1 << 63,
		"beyond the last": ^uintptr(0) &^ (memPage - 1),
	} {
		_, err := mremap(m.addr, m.size, m.size, flags, hint)
		require.Equal(t, unix.EINVAL, err, name)
	}
	addr, err := mremap(m.addr, m.size, m.size, flags, other.addr)
	require.NoError(t, err)
	require.NotEqual(t, other.addr, addr, "it is in use")
	free := newMemory(t, 2*memPage)
	require.NoError(t, syscallError(unix.Syscall(unix.SYS_MUNMAP, free.addr, uintptr(free.size), 0)))
	again, err := mremap(addr, m.size, m.size, flags, free.addr)
	require.NoError(t, err)
	require.Equal(t, free.addr, again)
	require.NoError(t, syscallError(unix.Syscall(unix.SYS_MUNMAP, addr, uintptr(m.size), 0)))
}

func TestMremapDontUnmapRefused(t *testing.T) {
	const flags = unix.MREMAP_MAYMOVE | unix.MREMAP_DONTUNMAP
	m := newMemory(t, 2*memPage)
	for name, tc := range map[string]struct {
		addr             uintptr
		oldSize, newSize int
		flags            int
		want             error
	}{
		"in its place":  {m.addr, m.size, m.size, unix.MREMAP_DONTUNMAP, unix.EINVAL},
		"larger":        {m.addr, m.size, 2 * m.size, flags, unix.EINVAL},
		"smaller":       {m.addr, m.size, m.size / 2, flags, unix.EINVAL},
		"nothing":       {m.addr, 0, 0, flags, unix.EINVAL},
		"a copy":        {m.addr, 0, m.size, flags, unix.EINVAL},
		"in a page":     {m.addr + 1, memPage, memPage, flags, unix.EINVAL},
		"unknown flags": {m.addr, m.size, m.size, flags | 8, unix.EINVAL},
	} {
		_, err := mremap(tc.addr, tc.oldSize, tc.newSize, tc.flags, 0)
		require.Equal(t, tc.want, err, name)
	}
	m.unmap(t, memPage)
	_, err := mremap(m.addr, m.size, m.size, flags, 0)
	require.Equal(t, unix.EFAULT, err, "a hole")
	_, err = mremap(m.addr+memPage, memPage, memPage, flags, 0)
	require.Equal(t, unix.EFAULT, err, "nothing is mapped")
	addr, err := mremap(m.addr, memPage-1, memPage, flags, 0)
	require.NoError(t, err, "sizes are rounded up")
	mapping{addr, memPage}.unmap(t, 0)
}

// Both mappings count against the limit.
func TestMremapDontUnmapLimit(t *testing.T) {
	const size = 1 << 30
	m := newMapping(t, size, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_NORESERVE, -1)
	used := mappedBytes(t)
	var old unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_AS, &old))
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_AS, &unix.Rlimit{Cur: used + size/2, Max: old.Max}))
	_, err := mremap(m.addr, size, size, unix.MREMAP_MAYMOVE|unix.MREMAP_DONTUNMAP, 0)
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_AS, &old))
	require.Equal(t, unix.ENOMEM, err)

	moved := m.moveAway(t)
	require.GreaterOrEqual(t, mappedBytes(t), used+size)
	require.NoError(t, syscallError(unix.Syscall(unix.SYS_MUNMAP, moved.addr, size, 0)))
	require.Less(t, mappedBytes(t), used+size/2)
}

// mappedBytes returns the size of the address space.
func mappedBytes(t *testing.T) uint64 {
	t.Helper()
	statm, err := os.ReadFile("/proc/self/statm")
	require.NoError(t, err)
	var pages uint64
	for _, c := range statm {
		if c == ' ' {
			break
		}
		pages = 10*pages + uint64(c-'0')
	}
	return pages * memPage
}

// Only shared mappings can be copied, by an old size of zero.
func TestMremapCopy(t *testing.T) {
	fd := newBackingFile(t, "f", memPage)
	for _, fd := range []int{-1, fd} {
		private := newMapping(t, memPage, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE, fd)
		dest := newMemory(t, memPage)
		*dest.at(0) = 'd'
		for _, flags := range []int{0, unix.MREMAP_MAYMOVE, unix.MREMAP_MAYMOVE | unix.MREMAP_FIXED} {
			_, err := mremap(private.addr, 0, memPage, flags, dest.addr)
			require.Equal(t, unix.EINVAL, err, "flags %#x", flags)
		}
		require.EqualValues(t, 'd', *dest.at(0), "nothing was unmapped")

		shared := newMapping(t, memPage, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED, fd)
		_, err := mremap(shared.addr, 0, memPage, 0, 0)
		require.Equal(t, unix.ENOMEM, err)
		addr, err := mremap(shared.addr, 0, memPage, unix.MREMAP_MAYMOVE|unix.MREMAP_FIXED, dest.addr)
		require.NoError(t, err)
		require.Equal(t, dest.addr, addr)
		*shared.at(0) = 's'
		require.EqualValues(t, 's', *dest.at(0))
	}
}
