// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/test/syscalls/remote"
)

const (
	fSealExec     = 0x20
	mfdNoexecSeal = 0x8
	mfdExec       = 0x10

	readWrite = unix.PROT_READ | unix.PROT_WRITE
)

// newMemfd creates a one-page file in memory.
func newMemfd(t *testing.T, flags int) int {
	fd, err := unix.MemfdCreate("sealed", flags|unix.MFD_CLOEXEC)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	require.NoError(t, unix.Ftruncate(fd, 4096))
	return fd
}

func addSeals(fd, seals int) error {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals)
	return err
}

func seals(t *testing.T, fd int) int {
	got, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0)
	require.NoError(t, err)
	return got
}

// mapShared maps the first page of a file.
func mapShared(fd, prot int) ([]byte, error) {
	return unix.Mmap(fd, 0, 4096, prot, unix.MAP_SHARED)
}

// mustMap maps the first page of a file until the end of the test.
func mustMap(t *testing.T, fd, prot, flags int) []byte {
	m, err := unix.Mmap(fd, 0, 4096, prot, flags)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Munmap(m) })
	return m
}

// reopen opens a file a second time.
func reopen(t *testing.T, fd, flags int) int {
	again, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), flags|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(again) })
	return again
}

// expectNoWrites expects that nothing but its present mappings can write to a file. m,
// one of them, is readable.
func expectNoWrites(t *testing.T, fd int, m []byte) {
	t.Helper()
	before := m[0]
	data := []byte{^before}
	source := newMemfd(t, 0)
	_, err := unix.Pwrite(source, data, 0)
	require.NoError(t, err)
	var pipe [2]int
	require.NoError(t, unix.Pipe2(pipe[:], unix.O_CLOEXEC))
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	_, err = unix.Write(pipe[1], data)
	require.NoError(t, err)

	for _, fd := range []int{fd, reopen(t, fd, unix.O_RDWR)} {
		for what, write := range map[string]func() error{
			"write":      func() error { _, err := unix.Write(fd, data); return err },
			"pwrite":     func() error { _, err := unix.Pwrite(fd, data, 0); return err },
			"pwritev":    func() error { _, err := unix.Pwritev(fd, [][]byte{data}, 0); return err },
			"at the end": func() error { _, err := unix.Pwrite(fd, data, 8192); return err },
			"sendfile":   func() error { _, err := unix.Sendfile(fd, source, new(int64), 1); return err },
			"splice":     func() error { _, err := unix.Splice(pipe[0], nil, fd, new(int64), 1, 0); return err },
			"copy_file_range": func() error {
				_, err := unix.CopyFileRange(source, new(int64), fd, new(int64), 1, 0)
				return err
			},
			"mmap":          func() error { _, err := mapShared(fd, readWrite); return err },
			"mmap to write": func() error { _, err := mapShared(fd, unix.PROT_WRITE); return err },
		} {
			require.Equal(t, unix.EPERM, write(), what)
		}

		// A read-only mapping stays so.
		r := mustMap(t, fd, unix.PROT_READ, unix.MAP_SHARED)
		require.Equal(t, unix.EACCES, unix.Mprotect(r, readWrite))
		mem, err := os.OpenFile("/proc/self/mem", os.O_WRONLY, 0)
		require.NoError(t, err)
		defer mem.Close()
		_, err = mem.WriteAt(data, int64(uintptr(unsafe.Pointer(&r[0]))))
		require.Error(t, err)

		// A private copy can be written.
		private := mustMap(t, fd, readWrite, unix.MAP_PRIVATE)
		private[0] = data[0]
	}
	require.Equal(t, before, m[0])
}

// F_SEAL_FUTURE_WRITE leaves existing mappings alone, and otherwise equals F_SEAL_WRITE.
func TestSealFutureWrite(t *testing.T) {
	fd := newMemfd(t, unix.MFD_ALLOW_SEALING)
	m := mustMap(t, fd, readWrite, unix.MAP_SHARED)
	m[0] = 1
	later := mustMap(t, fd, unix.PROT_READ, unix.MAP_SHARED)
	require.NoError(t, addSeals(fd, unix.F_SEAL_FUTURE_WRITE))
	require.Equal(t, unix.F_SEAL_FUTURE_WRITE, seals(t, fd))
	expectNoWrites(t, fd, m)

	// Existing mappings can be written, even if they become writable later.
	r := mustMap(t, fd, unix.PROT_READ, unix.MAP_SHARED)
	m[0] = 2
	require.EqualValues(t, 2, r[0])
	require.NoError(t, unix.Mprotect(later, readWrite))
	later[0] = 3
	require.EqualValues(t, 3, r[0])

	// The size isn't sealed.
	require.NoError(t, unix.Ftruncate(fd, 8192))
	require.NoError(t, unix.Fallocate(fd, 0, 0, 16384))
	require.NoError(t, unix.Ftruncate(fd, 4096))
	require.EqualValues(t, 3, r[0])

	// An existing writable mapping keeps the file from being sealed against it.
	require.Equal(t, unix.EBUSY, addSeals(fd, unix.F_SEAL_WRITE|unix.F_SEAL_SHRINK))
	require.Equal(t, unix.F_SEAL_FUTURE_WRITE, seals(t, fd))
	require.NoError(t, unix.Munmap(m))
	require.Equal(t, unix.EBUSY, addSeals(fd, unix.F_SEAL_WRITE))
	require.NoError(t, unix.Munmap(later))
	require.NoError(t, addSeals(fd, unix.F_SEAL_WRITE|unix.F_SEAL_SEAL))
	expectNoWrites(t, fd, r)
	require.Equal(t, unix.EPERM, addSeals(fd, unix.F_SEAL_GROW))
}

// A writable mapping survives fork and mremap after the file was sealed.
func TestSealFutureWriteCopiesOfMappings(t *testing.T) {
	fd := newMemfd(t, unix.MFD_ALLOW_SEALING)
	require.NoError(t, unix.Ftruncate(fd, 8192))
	r := mustMap(t, fd, unix.PROT_READ, unix.MAP_SHARED)
	c := newCaller(t)
	fd2 := c.SendFD(t, fd)
	at := c.Must(t, unix.SYS_MMAP, 0, 4096, readWrite, unix.MAP_SHARED, uintptr(fd2), 0)
	require.NoError(t, addSeals(fd, unix.F_SEAL_FUTURE_WRITE))
	_, err := c.Call(t, unix.SYS_MMAP, 0, 4096, readWrite, unix.MAP_SHARED, uintptr(fd2), 0)
	require.Equal(t, unix.EPERM, err)

	child := c.fork()
	require.NoError(t, child.WriteMemory(t, at, []byte{1}))
	require.EqualValues(t, 1, r[0])
	at = c.Must(t, unix.SYS_MREMAP, at, 4096, 8192, unix.MREMAP_MAYMOVE)
	require.NoError(t, c.WriteMemory(t, at, []byte{2}))
	require.EqualValues(t, 2, r[0])
}

// F_SEAL_WRITE after F_SEAL_FUTURE_WRITE, without writable mappings.
func TestSealWriteAfterFutureWrite(t *testing.T) {
	fd := newMemfd(t, unix.MFD_ALLOW_SEALING)
	require.NoError(t, addSeals(fd, unix.F_SEAL_FUTURE_WRITE))
	r := mustMap(t, fd, unix.PROT_READ, unix.MAP_SHARED)
	mustMap(t, fd, readWrite, unix.MAP_PRIVATE)
	require.NoError(t, addSeals(fd, unix.F_SEAL_WRITE))
	expectNoWrites(t, fd, r)
}

// Who may seal what with which seals.
func TestSealArguments(t *testing.T) {
	const unknown = 0x40
	fd := newMemfd(t, unix.MFD_ALLOW_SEALING)
	for _, bad := range []int{unknown, unix.F_SEAL_WRITE | unknown, 1 << 30} {
		require.Equal(t, unix.EINVAL, addSeals(fd, bad))
	}
	require.Zero(t, seals(t, fd))
	require.NoError(t, addSeals(fd, 0))
	require.Equal(t, unix.EPERM, addSeals(reopen(t, fd, unix.O_RDONLY), unix.F_SEAL_WRITE))
	require.Equal(t, unix.EPERM, addSeals(reopen(t, fd, unix.O_RDONLY), unknown))
	require.NoError(t, addSeals(reopen(t, fd, unix.O_WRONLY), unix.F_SEAL_GROW))
	require.Equal(t, unix.F_SEAL_GROW, seals(t, fd))

	// Files that can't be sealed have the seal against more seals.
	file, err := os.Create(filepath.Join(privateTmpfs(t), "file"))
	require.NoError(t, err)
	defer file.Close()
	for _, fd := range []int{newMemfd(t, 0), int(file.Fd())} {
		require.Equal(t, unix.F_SEAL_SEAL, seals(t, fd))
		require.Equal(t, unix.EPERM, addSeals(fd, unix.F_SEAL_FUTURE_WRITE))
		require.Equal(t, unix.EPERM, addSeals(fd, unix.F_SEAL_SEAL))
		require.Equal(t, unix.EINVAL, addSeals(fd, unknown))
	}

	pipe := make([]int, 2)
	require.NoError(t, unix.Pipe2(pipe, unix.O_CLOEXEC))
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	require.Equal(t, unix.EINVAL, addSeals(pipe[1], unix.F_SEAL_WRITE))
	_, err = unix.FcntlInt(uintptr(pipe[0]), unix.F_GET_SEALS, 0)
	require.Equal(t, unix.EINVAL, err)
}

// A file that can't grow isn't given memory beyond its end.
func TestSealGrowAllocation(t *testing.T) {
	fd := newMemfd(t, unix.MFD_ALLOW_SEALING)
	require.NoError(t, addSeals(fd, unix.F_SEAL_GROW))
	require.Equal(t, unix.EPERM, unix.Fallocate(fd, 0, 0, 8192))
	require.NoError(t, unix.Fallocate(fd, 0, 0, 4096))
	require.EqualValues(t, 4096, fstat(t, fd).Size)
}

func fstat(t *testing.T, fd int) unix.Stat_t {
	t.Helper()
	var stat unix.Stat_t
	require.NoError(t, unix.Fstat(fd, &stat))
	return stat
}

// memfd_create decides whether a file can be executed and sealed.
func TestMemfdFlags(t *testing.T) {
	for _, test := range []struct {
		flags int
		mode  uint32
		seals int
	}{
		{0, 0o777, unix.F_SEAL_SEAL},
		{unix.MFD_ALLOW_SEALING, 0o777, 0},
		{mfdExec, 0o777, unix.F_SEAL_SEAL},
		{mfdExec | unix.MFD_ALLOW_SEALING, 0o777, 0},
		{mfdNoexecSeal, 0o666, fSealExec},
		{mfdNoexecSeal | unix.MFD_ALLOW_SEALING, 0o666, fSealExec},
	} {
		t.Run(fmt.Sprintf("%#x", test.flags), func(t *testing.T) {
			fd := newMemfd(t, test.flags)
			require.Equal(t, unix.S_IFREG|test.mode, fstat(t, fd).Mode)
			require.Equal(t, test.seals, seals(t, fd))
		})
	}
	for _, flags := range []int{mfdExec | mfdNoexecSeal, 0x20, 1 << 25} {
		_, err := unix.MemfdCreate("sealed", flags)
		require.Equal(t, unix.EINVAL, err, "%#x", flags)
	}
}

// F_SEAL_EXEC fixes the execute permissions, and nothing else.
func TestSealExec(t *testing.T) {
	fd := newMemfd(t, mfdNoexecSeal)
	for _, mode := range []uint32{0o777, 0o100, 0o667, 0o010} {
		require.Equal(t, unix.EPERM, unix.Fchmod(fd, mode), "%o", mode)
		require.Equal(t, unix.EPERM, unix.Chmod(fmt.Sprintf("/proc/self/fd/%d", fd), mode), "%o", mode)
	}
	require.Equal(t, uint32(unix.S_IFREG|0o666), fstat(t, fd).Mode)
	for _, mode := range []uint32{0o600, 0o6666} {
		require.NoError(t, unix.Fchmod(fd, mode))
		require.Equal(t, unix.S_IFREG|mode, fstat(t, fd).Mode)
	}
	require.NoError(t, unix.Fchown(fd, 1000, 1000))

	// It can be written and sealed like others.
	_, err := unix.Pwrite(fd, []byte{1}, 0)
	require.NoError(t, err)
	require.NoError(t, addSeals(fd, fSealExec))
	require.NoError(t, addSeals(fd, unix.F_SEAL_FUTURE_WRITE))
	require.Equal(t, fSealExec|unix.F_SEAL_FUTURE_WRITE, seals(t, fd))

	// It can't be executed.
	_, _, errno := unix.Syscall6(unix.SYS_EXECVEAT, uintptr(fd), uintptr(unsafe.Pointer(new(byte))), 0, 0, unix.AT_EMPTY_PATH, 0)
	require.Equal(t, unix.EACCES, errno)
}

// F_SEAL_EXEC on an executable file also seals its contents.
func TestSealExecutable(t *testing.T) {
	const all = fSealExec | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE | unix.F_SEAL_FUTURE_WRITE
	fd := newMemfd(t, mfdExec|unix.MFD_ALLOW_SEALING)
	m := mustMap(t, fd, readWrite, unix.MAP_SHARED)
	require.Equal(t, unix.EBUSY, addSeals(fd, fSealExec))
	require.Zero(t, seals(t, fd))
	require.NoError(t, unix.Munmap(m))

	require.NoError(t, unix.Fchmod(fd, 0o610))
	require.NoError(t, addSeals(fd, fSealExec))
	require.Equal(t, all, seals(t, fd))
	expectNoWrites(t, fd, mustMap(t, fd, unix.PROT_READ, unix.MAP_SHARED))
	require.Equal(t, unix.EPERM, unix.Ftruncate(fd, 8192))
	require.Equal(t, unix.EPERM, unix.Ftruncate(fd, 0))
	require.Equal(t, unix.EPERM, unix.Fchmod(fd, 0o600))
	require.NoError(t, unix.Fchmod(fd, 0o010))

	// Not if it isn't executable yet.
	fd = newMemfd(t, mfdExec|unix.MFD_ALLOW_SEALING)
	require.NoError(t, unix.Fchmod(fd, 0o666))
	require.NoError(t, addSeals(fd, fSealExec))
	require.Equal(t, fSealExec, seals(t, fd))
}

// The sysctl vm.memfd_noexec sets memfd_create's default; each PID namespace has its own
// value, at least that of its parent.
func TestMemfdNoexec(t *testing.T) {
	const path = "/proc/sys/vm/memfd_noexec"
	set := func(c caller, value string) error {
		_, err := c.write(path, value)
		return err
	}
	parent := newCaller(t)
	defer func() { require.NoError(t, set(parent, "0")) }()
	child := newCaller(t)
	child.Must(t, unix.SYS_UNSHARE, unix.CLONE_NEWPID)
	child = child.fork()

	create := func(c caller, flags uintptr) (mode uint32, err error) {
		fd, err := c.Call(t, unix.SYS_MEMFD_CREATE, c.text(0, "sealed"), flags)
		if err != nil {
			return 0, err
		}
		defer c.Must(t, unix.SYS_CLOSE, fd)
		c.Must(t, unix.SYS_FSTAT, fd, c.place(0))
		return remote.Struct[unix.Stat_t](c.place(0)).Mode &^ unix.S_IFMT, nil
	}
	expect := func(c caller, sysctl string, neither, exec, noexec any) {
		t.Helper()
		value, err := c.read(path)
		require.NoError(t, err)
		require.Equal(t, sysctl+"\n", value)
		for flags, want := range map[uintptr]any{0: neither, mfdExec: exec, mfdNoexecSeal: noexec} {
			mode, err := create(c, flags)
			if errno, ok := want.(error); ok {
				require.Equal(t, errno, err)
			} else {
				require.NoError(t, err)
				require.EqualValues(t, want, mode, "%#x", flags)
			}
		}
	}

	expect(parent, "0", 0o777, 0o777, 0o666)
	for _, bad := range []string{"-1", "3", "x"} {
		require.Equal(t, unix.EINVAL, set(child, bad), bad)
	}
	require.NoError(t, set(child, "1\n"))
	expect(child, "1", 0o666, 0o777, 0o666)
	expect(parent, "0", 0o777, 0o777, 0o666)
	require.NoError(t, set(child, "2"))
	expect(child, "2", 0o666, unix.EACCES, 0o666)
	require.NoError(t, set(child, "0"))

	// A child's is never less.
	require.NoError(t, set(parent, "1"))
	expect(child, "1", 0o666, 0o777, 0o666)
	require.Equal(t, unix.EINVAL, set(child, "0"))
	require.NoError(t, set(child, "1"))
	require.NoError(t, set(parent, "0"))
	expect(parent, "0", 0o777, 0o777, 0o666)
	expect(child, "1", 0o666, 0o777, 0o666)
	require.NoError(t, set(child, "0"))

	// Writing it requires privileges.
	require.Equal(t, unix.EPERM, set(child.without(unix.CAP_SYS_ADMIN), "1"))
	require.Equal(t, unix.EACCES, set(newCaller(t).become(1000), "1"))
}
