// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	abi "sentrybinder/pkg/abi/ashmem"
	"sentrybinder/test/syscalls/remote"
)

const (
	ashmemPath = "/dev/ashmem"
	protRW     = unix.PROT_READ | unix.PROT_WRITE
	protRX     = unix.PROT_READ | unix.PROT_EXEC
	protRWX    = protRW | unix.PROT_EXEC
	sealFuture = 0x10 // F_SEAL_FUTURE_WRITE
)

// needAshmem skips a test if there is no /dev/ashmem: Linux has had none since 5.18, and
// memfds support its ioctls only in Android's kernels.
func needAshmem(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(ashmemPath); onLinux() && os.IsNotExist(err) {
		t.Skip("Linux has had no ashmem since 5.18")
	}
}

// An ashmemUser is a process that uses ashmem.
type ashmemUser struct {
	*remote.Process
	t *testing.T
}

func newAshmemUser(t *testing.T) ashmemUser {
	needAshmem(t)
	return ashmemUser{remote.NewProcess(t), t}
}

// open opens the device.
func (u ashmemUser) open() (fd int) {
	u.t.Helper()
	return int(u.Must(u.t, unix.SYS_OPENAT, 0, u.path(ashmemPath), unix.O_RDWR))
}

// path returns the address of a string for a system call.
func (u ashmemUser) path(path string) uintptr {
	copy(remote.Bytes(u.Scratch(), len(path)+1), path+"\x00")
	return u.Scratch()
}

func (u ashmemUser) ioctl(fd int, request, arg uintptr) (int, error) {
	u.t.Helper()
	n, err := u.Call(u.t, unix.SYS_IOCTL, uintptr(fd), request, arg)
	return int(n), err
}

// must makes an ioctl that succeeds, and returns its result.
func (u ashmemUser) must(fd int, request, arg uintptr) int {
	u.t.Helper()
	n, err := u.ioctl(fd, request, arg)
	require.NoError(u.t, err)
	return n
}

// pin makes an ioctl for n pages beginning with first, and returns its result.
func (u ashmemUser) pin(fd int, request uintptr, first, n uint32) int {
	u.t.Helper()
	*remote.Struct[abi.Pin](u.Scratch()) = abi.Pin{Offset: first * memPage, Len: n * memPage}
	return u.must(fd, request, u.Scratch())
}

// name returns the result of ASHMEM_GET_NAME.
func (u ashmemUser) name(fd int) string {
	u.t.Helper()
	u.must(fd, abi.ASHMEM_GET_NAME, u.Scratch())
	name, _, _ := bytes.Cut(remote.Bytes(u.Scratch(), abi.ASHMEM_NAME_LEN), []byte{0})
	return string(name)
}

// region opens the device for a region of n pages.
func (u ashmemUser) region(name string, n uintptr) (fd int) {
	u.t.Helper()
	fd = u.open()
	u.must(fd, abi.ASHMEM_SET_NAME, u.path(name))
	u.must(fd, abi.ASHMEM_SET_SIZE, n*memPage)
	return fd
}

// mmap maps n pages of fd beginning with page first.
func (u ashmemUser) mmap(fd int, first, n uintptr, prot, flags int) (addr uintptr, err error) {
	u.t.Helper()
	return u.Call(u.t, unix.SYS_MMAP, 0, n*memPage, uintptr(prot), uintptr(flags), uintptr(fd), first*memPage)
}

func (u ashmemUser) mustMap(fd int, n uintptr, prot int) (addr uintptr) {
	u.t.Helper()
	addr, err := u.mmap(fd, 0, n, prot, unix.MAP_SHARED)
	require.NoError(u.t, err)
	return addr
}

func (u ashmemUser) write(addr uintptr, data string) {
	u.t.Helper()
	require.NoError(u.t, u.WriteMemory(u.t, addr, []byte(data)))
}

// expect checks the memory at addr.
func (u ashmemUser) expect(want string, addr uintptr) {
	u.t.Helper()
	got, err := u.ReadMemory(u.t, addr, len(want))
	require.NoError(u.t, err)
	require.Equal(u.t, want, string(got))
}

// mapped returns what /proc/PID/maps shows of the mapping at addr, by field.
func (u ashmemUser) mapped(addr uintptr) []string {
	u.t.Helper()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", u.PID()))
	require.NoError(u.t, err)
	for _, line := range strings.Split(string(maps), "\n") {
		if strings.HasPrefix(line, fmt.Sprintf("%x-", addr)) {
			return strings.Fields(line)
		}
	}
	require.Failf(u.t, "no mapping", "%#x: %s", addr, maps)
	return nil
}

func TestAshmemDevice(t *testing.T) {
	needAshmem(t)
	var st unix.Stat_t
	require.NoError(t, unix.Stat(ashmemPath, &st))
	require.EqualValues(t, unix.S_IFCHR|0666, st.Mode)
	require.EqualValues(t, 10, unix.Major(st.Rdev))
	misc, err := os.ReadFile("/proc/misc")
	require.NoError(t, err)
	require.Contains(t, string(misc), fmt.Sprintf("%3d ashmem\n", unix.Minor(st.Rdev)))

	// This is how libcutils recognizes an ashmem descriptor.
	u := newAshmemUser(t)
	fd := u.open()
	var fdStat unix.Stat_t
	require.NoError(t, unix.Stat(fmt.Sprintf("/proc/%d/fd/%d", u.PID(), fd), &fdStat))
	require.Equal(t, st.Rdev, fdStat.Rdev)
	_, err = u.Call(t, unix.SYS_OPENAT, 0, u.path(ashmemPath), unix.O_RDWR|unix.O_DIRECT)
	require.Equal(t, unix.EINVAL, err)

	// Where libcutils looks first.
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	require.NoError(t, err)
	require.NoError(t, unix.Stat(ashmemPath+strings.TrimSpace(string(id)), &fdStat))
	require.Equal(t, st.Rdev, fdStat.Rdev)
}

// TestBootID: every procfs has the same one.
func TestBootID(t *testing.T) {
	const path = "/sys/kernel/random/boot_id"
	dir := t.TempDir()
	require.NoError(t, unix.Mount("proc", dir, "proc", 0, ""))
	defer unix.Unmount(dir, unix.MNT_DETACH)
	first, err := os.ReadFile("/proc" + path)
	require.NoError(t, err)
	second, err := os.ReadFile(dir + path)
	require.NoError(t, err)
	require.Equal(t, string(first), string(second))
	require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\n$`, string(first))
}

// TestAshmemShared: a region is shared by all who hold its descriptor.
func TestAshmemShared(t *testing.T) {
	u := newAshmemUser(t)
	fd := u.region("shared", 2)
	addr := u.mustMap(fd, 2, protRW)
	u.write(addr+memPage, "before")

	// By fork, the mapping and the descriptor.
	child := ashmemUser{u.Fork(t), t}
	child.expect("before", addr+memPage)
	child.write(addr, "child")
	u.expect("child", addr)
	require.Equal(t, "shared", child.name(fd))

	// By SCM_RIGHTS.
	stranger := newAshmemUser(t)
	passed := u.TakeFD(t, fd)
	defer unix.Close(passed)
	got := stranger.SendFD(t, passed)
	require.Equal(t, 2*memPage, stranger.must(got, abi.ASHMEM_GET_SIZE, 0))
	there := stranger.mustMap(got, 2, protRW)
	stranger.expect("child", there)
	stranger.write(there, "thing")
	u.expect("thing", addr)

	// By exec, the descriptor.
	child.Exec(t)
	require.Equal(t, "shared", child.name(fd))
	child.expect("thing", child.mustMap(fd, 1, unix.PROT_READ))

	// The memory exists as long as somebody holds it.
	u.Kill(t)
	child.Kill(t)
	stranger.expect("thing", there)
}

func TestAshmemState(t *testing.T) {
	u := newAshmemUser(t)
	fd := u.open()
	require.Equal(t, "dev/ashmem", u.name(fd))
	require.Zero(t, u.must(fd, abi.ASHMEM_GET_SIZE, 0))
	require.Equal(t, protRWX, u.must(fd, abi.ASHMEM_GET_PROT_MASK, 0))
	_, err := u.mmap(fd, 0, 1, unix.PROT_READ, unix.MAP_SHARED)
	require.Equal(t, unix.EINVAL, err, "mmap without a size")
	_, err = u.ioctl(fd, abi.ASHMEM_GET_FILE_ID, u.Scratch())
	require.Equal(t, unix.EINVAL, err)
	_, err = u.ioctl(fd, 0x7763, 0)
	require.Equal(t, unix.ENOTTY, err)
	_, err = u.ioctl(fd, abi.ASHMEM_SET_NAME, 0)
	require.Equal(t, unix.EFAULT, err)

	u.must(fd, abi.ASHMEM_SET_SIZE, memPage+1)
	_, err = u.mmap(fd, 0, 3, unix.PROT_READ, unix.MAP_SHARED)
	require.Equal(t, unix.EINVAL, err, "mmap beyond the end")
	u.must(fd, abi.ASHMEM_SET_NAME, u.path(strings.Repeat("n", 300)))
	require.Equal(t, strings.Repeat("n", 255), u.name(fd))
	addr := u.mustMap(fd, 2, protRW)
	for request, arg := range map[uintptr]uintptr{abi.ASHMEM_SET_NAME: u.path("late"), abi.ASHMEM_SET_SIZE: memPage} {
		_, err := u.ioctl(fd, request, arg)
		require.Equal(t, unix.EINVAL, err, "once it is mapped")
	}
	u.write(addr+memPage, "x")

	// A mapping at a larger offset has nothing there.
	beyond, err := u.mmap(fd, 2, 1, protRW, unix.MAP_SHARED)
	require.NoError(t, err)
	_, err = u.ReadMemory(t, beyond, 1)
	require.Equal(t, unix.EFAULT, err)

	for what, call := range map[string][]uintptr{
		"write":     {unix.SYS_WRITE, uintptr(fd), u.Scratch(), 1},
		"ftruncate": {unix.SYS_FTRUNCATE, uintptr(fd), 1},
		"fsync":     {unix.SYS_FSYNC, uintptr(fd)},
	} {
		_, err := u.Call(t, call[0], call[1:]...)
		require.Equal(t, unix.EINVAL, err, what)
	}
	_, err = u.Call(t, unix.SYS_FALLOCATE, uintptr(fd), 0, 0, memPage)
	require.Equal(t, unix.ENODEV, err)
}

func TestAshmemMask(t *testing.T) {
	u := newAshmemUser(t)
	fd := u.region("mask", 1)
	addr := u.mustMap(fd, 1, protRW)
	u.write(addr, "w")
	u.must(fd, abi.ASHMEM_SET_PROT_MASK, unix.PROT_READ)
	require.Equal(t, unix.PROT_READ, u.must(fd, abi.ASHMEM_GET_PROT_MASK, 0))
	for _, prot := range []uintptr{protRW, protRX, protRWX, unix.PROT_WRITE} {
		_, err := u.ioctl(fd, abi.ASHMEM_SET_PROT_MASK, prot)
		require.Equal(t, unix.EINVAL, err, "bits can't be set again")
		for _, flags := range []int{unix.MAP_SHARED, unix.MAP_PRIVATE} {
			_, err := u.mmap(fd, 0, 1, int(prot), flags)
			require.Equal(t, unix.EPERM, err, "mmap with %#x", prot)
		}
	}
	for _, flags := range []int{unix.MAP_SHARED, unix.MAP_PRIVATE} {
		ro, err := u.mmap(fd, 0, 1, unix.PROT_READ, flags)
		require.NoError(t, err)
		for _, prot := range []uintptr{protRW, protRX} {
			_, err = u.Call(t, unix.SYS_MPROTECT, ro, memPage, prot)
			require.Equal(t, unix.EACCES, err)
		}
	}
	u.write(addr, "W") // An older mapping is unchanged.
	_, err := u.Call(t, unix.SYS_MPROTECT, addr, memPage, unix.PROT_READ)
	require.NoError(t, err)
	_, err = u.Call(t, unix.SYS_MPROTECT, addr, memPage, protRW)
	require.NoError(t, err)

	// A read-only descriptor fails with EACCES, whatever the mask.
	ro := int(u.Must(t, unix.SYS_OPENAT, 0, u.path(ashmemPath), unix.O_RDONLY))
	u.must(ro, abi.ASHMEM_SET_SIZE, memPage)
	_, err = u.mmap(ro, 0, 1, protRW, unix.MAP_SHARED)
	require.Equal(t, unix.EACCES, err)
	wo := int(u.Must(t, unix.SYS_OPENAT, 0, u.path(ashmemPath), unix.O_WRONLY))
	u.must(wo, abi.ASHMEM_SET_SIZE, memPage)
	_, err = u.mmap(wo, 0, 1, unix.PROT_WRITE, unix.MAP_SHARED)
	require.Equal(t, unix.EACCES, err)
}

func TestAshmemMaps(t *testing.T) {
	u := newAshmemUser(t)
	fd := u.region("a name", 2)
	addr := u.mustMap(fd, 2, unix.PROT_READ)
	fields := u.mapped(addr)
	require.Equal(t, []string{"/dev/ashmem/a", "name", "(deleted)"}, fields[5:])
	require.Equal(t, "r--s", fields[1])
	u.must(fd, abi.ASHMEM_GET_FILE_ID, u.Scratch())
	require.Equal(t, fmt.Sprint(*remote.Struct[uint64](u.Scratch())), fields[4])
	private, err := u.mmap(fd, 0, 1, protRW, unix.MAP_PRIVATE)
	require.NoError(t, err)
	require.Equal(t, fields[3:], u.mapped(private)[3:])
	require.Equal(t, "rw-p", u.mapped(private)[1])

	unnamed := u.open()
	u.must(unnamed, abi.ASHMEM_SET_SIZE, 1)
	fields = u.mapped(u.mustMap(unnamed, 1, unix.PROT_READ))
	require.Equal(t, []string{"/dev/ashmem", "(deleted)"}, fields[5:])
}

// TestAshmemPrivate: a private mapping doesn't show the region, but its own zeroes.
func TestAshmemPrivate(t *testing.T) {
	u := newAshmemUser(t)
	fd := u.region("private", 1)
	shared := u.mustMap(fd, 1, protRW)
	u.write(shared, "shared")
	private, err := u.mmap(fd, 0, 1, protRW, unix.MAP_PRIVATE)
	require.NoError(t, err)
	u.expect("\x00\x00", private)
	u.write(private, "private")
	u.expect("shared", shared)
	child := ashmemUser{u.Fork(t), t}
	child.write(private, "child's")
	u.expect("private", private)
}

func TestAshmemRead(t *testing.T) {
	u := newAshmemUser(t)
	fd := u.open()
	seek := func(offset, whence int) (int, error) {
		n, err := u.Call(t, unix.SYS_LSEEK, uintptr(fd), uintptr(offset), uintptr(whence))
		return int(n), err
	}
	read := func(n int) (string, error) {
		got, err := u.Call(t, unix.SYS_READ, uintptr(fd), u.Scratch(), uintptr(n))
		if err != nil {
			return "", err
		}
		return string(remote.Bytes(u.Scratch(), int(got))), nil
	}
	got, err := read(1)
	require.NoError(t, err)
	require.Empty(t, got, "without a size")
	_, err = seek(0, unix.SEEK_SET)
	require.Equal(t, unix.EINVAL, err)
	u.must(fd, abi.ASHMEM_SET_SIZE, 4*memPage)
	_, err = read(1)
	require.Equal(t, unix.EBADF, err, "before it is mapped")
	_, err = seek(0, unix.SEEK_SET)
	require.Equal(t, unix.EBADF, err)

	addr, err := u.mmap(fd, 1, 2, protRW, unix.MAP_SHARED)
	require.NoError(t, err)
	u.write(addr, "one")
	u.write(addr+2*memPage-3, "end")
	for _, tc := range []struct {
		offset, whence, want int
		err                  error
	}{
		{99, unix.SEEK_SET, 99, nil},
		{memPage, unix.SEEK_CUR, memPage + 99, nil},
		{0, unix.SEEK_DATA, memPage, nil},
		{memPage, unix.SEEK_HOLE, 3 * memPage, nil},
		{3 * memPage, unix.SEEK_DATA, -1, unix.ENXIO},
		{-99, unix.SEEK_END, 4*memPage - 99, nil},
		{-4 * memPage, unix.SEEK_CUR, -1, unix.EINVAL},
		{3*memPage - 3, unix.SEEK_SET, 3*memPage - 3, nil},
	} {
		got, err := seek(tc.offset, tc.whence)
		if tc.err != nil {
			require.Equal(t, tc.err, err, "%+v", tc)
			continue
		}
		require.NoError(t, err, "%+v", tc)
		require.Equal(t, tc.want, got, "%+v", tc)
	}
	got, err = read(5)
	require.NoError(t, err)
	require.Equal(t, "end\x00\x00", got)
	n := u.Must(t, unix.SYS_PREAD64, uintptr(fd), u.Scratch(), 3, memPage)
	require.Equal(t, "one", string(remote.Bytes(u.Scratch(), int(n))))
	pos, err := seek(0, unix.SEEK_CUR)
	require.NoError(t, err)
	require.Equal(t, 3*memPage+2, pos)
}

func TestAshmemPins(t *testing.T) {
	u := newAshmemUser(t)
	fd := u.region("pins", 4)
	*remote.Struct[abi.Pin](u.Scratch()) = abi.Pin{}
	_, err := u.ioctl(fd, abi.ASHMEM_UNPIN, u.Scratch())
	require.Equal(t, unix.EINVAL, err, "before it is mapped")
	addr := u.mustMap(fd, 4, protRW)
	for page := range uintptr(4) {
		u.write(addr+page*memPage, string(rune('a'+page)))
	}
	child := ashmemUser{u.Fork(t), t}

	u.pin(fd, abi.ASHMEM_UNPIN, 1, 2)
	require.Equal(t, abi.ASHMEM_IS_UNPINNED, child.pin(fd, abi.ASHMEM_GET_PIN_STATUS, 0, 0))
	require.Equal(t, abi.ASHMEM_IS_PINNED, child.pin(fd, abi.ASHMEM_GET_PIN_STATUS, 3, 1))
	require.Equal(t, abi.ASHMEM_NOT_PURGED, u.pin(fd, abi.ASHMEM_PIN, 2, 1))

	user := ashmemUser{u.Fork(t), t}
	user.Must(t, unix.SYS_SETRESUID, 1000, 1000, 1000)
	_, err = user.ioctl(fd, abi.ASHMEM_PURGE_ALL_CACHES, 0)
	require.Equal(t, unix.EPERM, err)
	user.expect("b", addr+memPage)
	require.Equal(t, 1, u.must(fd, abi.ASHMEM_PURGE_ALL_CACHES, 0))

	for _, who := range []ashmemUser{u, child, user} {
		for page, want := range []string{"a", "\x00", "c", "d"} {
			who.expect(want, addr+uintptr(page)*memPage)
		}
	}
	// The page that is there now is shared by all of them.
	child.write(addr+memPage, "new")
	u.expect("new", addr+memPage)
	require.Equal(t, abi.ASHMEM_WAS_PURGED, u.pin(fd, abi.ASHMEM_PIN, 0, 0))
	require.Equal(t, abi.ASHMEM_NOT_PURGED, u.pin(fd, abi.ASHMEM_PIN, 0, 0))
	u.expect("new", addr+memPage)
}

// TestAshmemPurgeGivesBack: purged memory is no longer the sandbox's.
func TestAshmemPurgeGivesBack(t *testing.T) {
	const pages = 4096
	u := newAshmemUser(t)
	fd := u.region("big", pages)
	addr := u.mustMap(fd, pages, protRW)
	zero := u.Must(t, unix.SYS_OPENAT, 0, u.path("/dev/zero"), unix.O_RDONLY)
	require.EqualValues(t, pages*memPage, u.Must(t, unix.SYS_READ, zero, addr, pages*memPage))
	before := shmem(t)
	u.pin(fd, abi.ASHMEM_UNPIN, 0, 0)
	require.GreaterOrEqual(t, u.must(fd, abi.ASHMEM_PURGE_ALL_CACHES, 0), pages)
	require.LessOrEqual(t, shmem(t), before-pages*memPage/1024*9/10)
}

// shmem returns how much memory is shared, in KiB.
func shmem(t *testing.T) (kib int) {
	t.Helper()
	info, err := os.ReadFile("/proc/meminfo")
	require.NoError(t, err)
	_, rest, ok := strings.Cut(string(info), "\nShmem:")
	require.True(t, ok)
	_, err = fmt.Sscan(rest, &kib)
	require.NoError(t, err)
	return kib
}

// TestAshmemMemfd: memfds support ashmem's ioctls.
func TestAshmemMemfd(t *testing.T) {
	u := newAshmemUser(t)
	memfd := func(flags uintptr) int {
		fd := int(u.Must(t, unix.SYS_MEMFD_CREATE, u.path("region"), flags))
		u.Must(t, unix.SYS_FTRUNCATE, uintptr(fd), 5000)
		return fd
	}
	fd := memfd(unix.MFD_ALLOW_SEALING)
	require.Equal(t, 5000, u.must(fd, abi.ASHMEM_GET_SIZE, 0))
	require.Equal(t, "region", u.name(fd))
	for _, request := range []uintptr{abi.ASHMEM_SET_NAME, abi.ASHMEM_SET_SIZE} {
		_, err := u.ioctl(fd, request, u.path("x"))
		require.Equal(t, unix.EINVAL, err)
	}
	u.must(fd, abi.ASHMEM_GET_FILE_ID, u.Scratch())
	var st unix.Stat_t
	require.NoError(t, unix.Stat(fmt.Sprintf("/proc/%d/fd/%d", u.PID(), fd), &st))
	require.Equal(t, st.Ino, *remote.Struct[uint64](u.Scratch()))

	require.Equal(t, protRWX, u.must(fd, abi.ASHMEM_GET_PROT_MASK, 0))
	u.must(fd, abi.ASHMEM_SET_PROT_MASK, unix.PROT_WRITE)
	require.Equal(t, protRWX, u.must(fd, abi.ASHMEM_GET_PROT_MASK, 0), "only write access can be removed")
	u.must(fd, abi.ASHMEM_SET_PROT_MASK, unix.PROT_READ)
	require.Equal(t, protRX, u.must(fd, abi.ASHMEM_GET_PROT_MASK, 0))
	require.EqualValues(t, sealFuture, u.Must(t, unix.SYS_FCNTL, uintptr(fd), unix.F_GET_SEALS))
	_, err := u.ioctl(fd, abi.ASHMEM_SET_PROT_MASK, protRW)
	require.Equal(t, unix.EINVAL, err)
	_, err = u.ioctl(memfd(0), abi.ASHMEM_SET_PROT_MASK, unix.PROT_READ)
	require.Equal(t, unix.EPERM, err, "without sealing")

	u.mustMap(fd, 2, unix.PROT_READ)
	require.Zero(t, u.pin(fd, abi.ASHMEM_UNPIN, 0, 0))
	require.Equal(t, abi.ASHMEM_IS_PINNED, u.pin(fd, abi.ASHMEM_GET_PIN_STATUS, 0, 0))
	require.Zero(t, u.must(fd, abi.ASHMEM_PURGE_ALL_CACHES, 0))
	require.Equal(t, abi.ASHMEM_NOT_PURGED, u.pin(fd, abi.ASHMEM_PIN, 0, 0))
	_, err = u.ioctl(fd, 0x7763, 0)
	require.Equal(t, unix.ENOTTY, err)

	file, err := os.CreateTemp("/tmp", "")
	require.NoError(t, err)
	defer file.Close()
	defer os.Remove(file.Name())
	_, err = u.ioctl(u.SendFD(t, int(file.Fd())), abi.ASHMEM_GET_SIZE, 0)
	require.Equal(t, unix.ENOTTY, err, "another file in memory")
}
