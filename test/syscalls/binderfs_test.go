// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//covers:files-of-binderfs
package syscalls

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/test/syscalls/remote"
)

// tempDir returns a directory that everybody can reach, until the end of the test.
func tempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "binderfs")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	require.NoError(t, unix.Chmod(dir, 0o755))
	return dir
}

// mountBinderfs mounts a binderfs until the end of the test, and returns where.
func mountBinderfs(t testing.TB, options string) string {
	t.Helper()
	dir := tempDir(t)
	require.NoError(t, mountAt(dir, 0, options))
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

func mountAt(dir string, flags uintptr, options string) error {
	return unix.Mount("binder", dir, "binder", flags, options)
}

// mountOptions returns a mount's options in /proc/mounts.
func mountOptions(t testing.TB, dir string) string {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mounts")
	require.NoError(t, err)
	found := ""
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); fields[1] == dir {
			require.Equal(t, "binder", fields[2])
			found = fields[3]
		}
	}
	return found
}

// requireOptions checks a mount's options that are specific to binderfs.
func requireOptions(t testing.TB, dir, want string) {
	t.Helper()
	got := mountOptions(t, dir)
	i := strings.Index(got, "max=")
	require.GreaterOrEqual(t, i, 0, got)
	require.Equal(t, want, got[i:])
}

// defaultMax is the option of a mount without max.
var defaultMax = func() string {
	if inSandbox() {
		return "max=4096"
	}
	return "max=1048576"
}()

// controlAdd makes a BINDER_CTL_ADD on the binder-control in dir.
func controlAdd(t testing.TB, dir string, device *binder.BinderfsDevice) error {
	t.Helper()
	fd, err := unix.Open(dir+"/binder-control", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(fd)
	return ctlAdd(fd, uintptr(unsafe.Pointer(device)))
}

func ctlAdd(fd int, arg uintptr) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), binder.BINDER_CTL_ADD, arg); errno != 0 {
		return errno
	}
	return nil
}

// addDevice adds a device to the binderfs in dir.
func addDevice(t testing.TB, dir, name string) error {
	t.Helper()
	var device binder.BinderfsDevice
	copy(device.Name[:], name)
	return controlAdd(t, dir, &device)
}

func lstat(t testing.TB, path string) unix.Stat_t {
	t.Helper()
	var st unix.Stat_t
	require.NoError(t, unix.Lstat(path, &st), path)
	return st
}

// names returns the names of the files in dir, in directory order.
func names(t testing.TB, dir string) []string {
	t.Helper()
	f, err := os.Open(dir)
	require.NoError(t, err)
	defer f.Close()
	list, err := f.Readdirnames(-1)
	require.NoError(t, err)
	return list
}

// The initial contents of an instance, the newest first.
//
//covers:files-of-binderfs,mount
func TestBinderfsContents(t *testing.T) {
	for options, logs := range map[string][]string{"": nil, "stats=global": {"binder_logs"}} {
		dir := mountBinderfs(t, options)
		require.Equal(t, append(logs, "features", "vndbinder", "hwbinder", "binder", "binder-control"), names(t, dir))
		for name, mode := range map[string]uint32{
			".":              unix.S_IFDIR | 0o755,
			"binder-control": unix.S_IFCHR | 0o600,
			"binder":         unix.S_IFCHR | 0o600,
			"hwbinder":       unix.S_IFCHR | 0o600,
			"vndbinder":      unix.S_IFCHR | 0o600,
			"features":       unix.S_IFDIR | 0o755,
		} {
			st := lstat(t, dir+"/"+name)
			require.Equal(t, mode, st.Mode, "%s: %#o", name, st.Mode)
			require.Zero(t, st.Uid, name)
			require.Zero(t, st.Gid, name)
			require.Zero(t, st.Size, name)
			require.Zero(t, st.Blocks, name)
			require.EqualValues(t, 4096, st.Blksize, name)
			if mode&unix.S_IFMT == unix.S_IFCHR {
				require.NotZero(t, unix.Major(st.Rdev), name)
				require.EqualValues(t, 1, st.Nlink, name)
			}
		}
		require.EqualValues(t, 3+len(logs), lstat(t, dir).Nlink)
		require.EqualValues(t, 2, lstat(t, dir+"/features").Nlink)
		if logs != nil {
			require.EqualValues(t, unix.S_IFDIR|0o755, lstat(t, dir+"/binder_logs").Mode)
		}
	}
}

// The inode number of a device follows from its minor number.
func TestBinderfsInodeNumbers(t *testing.T) {
	dir := mountBinderfs(t, "")
	require.NoError(t, addDevice(t, dir, "x"))
	require.EqualValues(t, 1, lstat(t, dir).Ino)
	require.EqualValues(t, 2, lstat(t, dir+"/binder-control").Ino)
	seen := make(map[uint64]bool)
	for _, name := range names(t, dir) {
		st := lstat(t, dir+"/"+name)
		require.False(t, seen[st.Ino], "inode number %d", st.Ino)
		seen[st.Ino] = true
		if name != "binder-control" && st.Mode&unix.S_IFMT == unix.S_IFCHR {
			require.EqualValues(t, unix.Minor(st.Rdev)+3, st.Ino, name)
		}
	}
}

// All devices share the major number, and each has its own minor number.
//
//covers:control
func TestBinderfsDeviceNumbers(t *testing.T) {
	major, minors := uint32(0), make(map[uint32]bool)
	for range 2 {
		dir := mountBinderfs(t, "")
		for _, name := range []string{"binder-control", "binder", "hwbinder", "vndbinder"} {
			rdev := lstat(t, dir+"/"+name).Rdev
			if major == 0 {
				major = unix.Major(rdev)
			}
			require.Equal(t, major, unix.Major(rdev))
			require.False(t, minors[unix.Minor(rdev)])
			minors[unix.Minor(rdev)] = true
		}
	}
	devices, err := os.ReadFile("/proc/devices")
	require.NoError(t, err)
	name := "binder"
	if differs(t, onNames) {
		name = "rust_binder"
	}
	require.Contains(t, string(devices), fmt.Sprintf("%3d %s\n", major, name))
}

// features has a file for each feature.
//
//covers:files-of-binderfs,report
func TestBinderfsFeatures(t *testing.T) {
	dir := mountBinderfs(t, "") + "/features"
	want := []string{"transaction_report", "freeze_notification", "extended_error", "oneway_spam_detection"}
	require.Equal(t, want, names(t, dir))
	for _, name := range want {
		path := dir + "/" + name
		st := lstat(t, path)
		require.EqualValues(t, unix.S_IFREG|0o444, st.Mode, "%s: %#o", name, st.Mode)
		require.Zero(t, st.Size)
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, "1\n", string(content))
	}

	fd, err := unix.Open(dir+"/extended_error", unix.O_RDWR|unix.O_TRUNC, 0)
	require.NoError(t, err)
	defer unix.Close(fd)
	_, err = unix.Write(fd, []byte("0"))
	require.Equal(t, unix.EINVAL, err)
	_, err = unix.Seek(fd, 0, unix.SEEK_END)
	require.Equal(t, unix.EINVAL, err)
	var b [8]byte
	n, err := unix.Pread(fd, b[:], 1)
	require.NoError(t, err)
	require.Equal(t, "\n", string(b[:n]))
	n, err = unix.Read(fd, b[:])
	require.NoError(t, err)
	require.Equal(t, "1\n", string(b[:n]))
	n, err = unix.Read(fd, b[:])
	require.NoError(t, err)
	require.Zero(t, n)
}

//covers:mount
func TestBinderfsStatfs(t *testing.T) {
	dir := mountBinderfs(t, "")
	want := int64(binder.BINDERFS_SUPER_MAGIC)
	if differs(t, onNames) {
		want++
	}
	for _, path := range []string{"", "/binder", "/binder-control", "/features", "/features/extended_error"} {
		var st unix.Statfs_t
		require.NoError(t, unix.Statfs(dir+path, &st), path)
		require.Equal(t, want, st.Type, path)
		require.EqualValues(t, 255, st.Namelen)
		require.EqualValues(t, 4096, st.Bsize)
		require.Zero(t, st.Blocks)
		require.Zero(t, st.Files)
	}
}

//covers:mount
func TestBinderfsInProcFilesystems(t *testing.T) {
	list, err := os.ReadFile("/proc/filesystems")
	require.NoError(t, err)
	require.Contains(t, "\n"+string(list), "\nnodev\tbinder\n")
}

// Valid mount options, and how /proc/mounts shows them.
//
//covers:mount
func TestBinderfsOptions(t *testing.T) {
	for options, want := range map[string]string{
		"":                          defaultMax,
		",":                         defaultMax,
		"max=3":                     "max=3",
		"max=1048576":               "max=1048576",
		"max=3,max=4":               "max=4",
		"max=+3":                    "max=3",
		"max=0x10":                  "max=16",
		"max=0X10":                  "max=16",
		"max=010":                   "max=8",
		"stats=global":              defaultMax + ",stats=global",
		"stats=global,,max=9":       "max=9,stats=global",
		"stats=global,stats=global": defaultMax + ",stats=global",
	} {
		requireOptions(t, mountBinderfs(t, options), want)
	}
	dir := tempDir(t)
	for _, options := range []string{
		"max=1048577", "max=-1", "max=x", "max=", "max", "max=08", "max=3 ", "max=x,max=3", "MAX=3",
		"stats=local", "stats=", "stats", "stats=Global", "foo", "foo=1", "max=3,foo",
	} {
		require.Equal(t, unix.EINVAL, mountAt(dir, 0, options), options)
	}
}

// If there is no room for the default devices, the mount fails.
//
//covers:mount
func TestBinderfsNoRoomForDefaultDevices(t *testing.T) {
	dir := tempDir(t)
	for _, options := range []string{"max=0", "max=2"} {
		require.Equal(t, unix.ENOSPC, mountAt(dir, 0, options), options)
	}
	first := mountBinderfs(t, "max=3")
	minor := lstat(t, first+"/binder").Rdev
	require.NoError(t, unix.Unmount(first, 0))
	// What the failed mounts allocated is free again.
	require.Equal(t, unix.ENOSPC, mountAt(dir, 0, "max=1"))
	require.Equal(t, minor, lstat(t, mountBinderfs(t, "")+"/binder").Rdev)
}

// A remount sets max to the given value, or else to the default, and can't change stats.
//
//covers:mount
func TestBinderfsRemount(t *testing.T) {
	dir := mountBinderfs(t, "max=5,stats=global")
	for _, step := range []struct {
		options string
		err     error
		want    string
	}{
		{"max=5,stats=global", nil, "max=5,stats=global"},
		{"max=6,stats=global", nil, "max=6,stats=global"},
		{"", unix.EINVAL, "max=6,stats=global"},
		{"max=7", unix.EINVAL, "max=6,stats=global"},
		{"max=x,stats=global", unix.EINVAL, "max=6,stats=global"},
		{"max=7,stats=global,foo", unix.EINVAL, "max=6,stats=global"},
		{"stats=global", nil, defaultMax + ",stats=global"},
	} {
		err := mountAt(dir, unix.MS_REMOUNT, step.options)
		if step.err == nil {
			require.NoError(t, err, step.options)
		} else {
			require.Equal(t, step.err, err, step.options)
		}
		requireOptions(t, dir, step.want)
	}

	dir = mountBinderfs(t, "max=5")
	require.Equal(t, unix.EINVAL, mountAt(dir, unix.MS_REMOUNT, "stats=global"))
	requireOptions(t, dir, "max=5")
	require.NoError(t, mountAt(dir, unix.MS_REMOUNT, ""))
	requireOptions(t, dir, defaultMax)
}

// A remount of a single mount leaves the options as they are.
//
//covers:mount
func TestBinderfsBindRemount(t *testing.T) {
	dir := mountBinderfs(t, "max=5")
	require.NoError(t, mountAt(dir, unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, "foo"))
	requireOptions(t, dir, "max=5")
	require.True(t, strings.HasPrefix(mountOptions(t, dir), "ro,"))
}

// A remount that fails changes nothing.
//
//covers:mount
func TestBinderfsRemountFails(t *testing.T) {
	dir := mountBinderfs(t, "max=5")
	// Devices can be written to on a read-only mount, other files can't.
	fd, err := unix.Open(dir+"/features/oneway_spam_detection", unix.O_RDWR|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	require.Equal(t, unix.EBUSY, mountAt(dir, unix.MS_REMOUNT|unix.MS_RDONLY, "max=6"))
	requireOptions(t, dir, "max=5")
	require.True(t, strings.HasPrefix(mountOptions(t, dir), "rw,"))
	require.NoError(t, unix.Close(fd))

	require.Equal(t, unix.EINVAL, mountAt(dir, unix.MS_REMOUNT|unix.MS_RDONLY, "max=x"))
	requireOptions(t, dir, "max=5")
	require.True(t, strings.HasPrefix(mountOptions(t, dir), "rw,"))

	require.NoError(t, mountAt(dir, unix.MS_REMOUNT|unix.MS_RDONLY, "max=6"))
	requireOptions(t, dir, "max=6")
	require.True(t, strings.HasPrefix(mountOptions(t, dir), "ro,"))
	require.Equal(t, unix.EINVAL, mountAt(dir, unix.MS_REMOUNT, "max=x"))
	require.True(t, strings.HasPrefix(mountOptions(t, dir), "ro,"))
}

// binderfs can be mounted with the new mount API.
//
//covers:mount
func TestBinderfsMountInSteps(t *testing.T) {
	fs, err := unix.Fsopen("binder", unix.FSOPEN_CLOEXEC)
	require.NoError(t, err)
	defer unix.Close(fs)
	require.NoError(t, unix.FsconfigSetString(fs, "source", "binder"))
	require.NoError(t, unix.FsconfigSetString(fs, "max", "5"))
	require.NoError(t, unix.FsconfigSetString(fs, "stats", "global"))
	require.NoError(t, unix.FsconfigCreate(fs))
	mnt, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(mnt)
	dir := tempDir(t)
	require.NoError(t, unix.MoveMount(mnt, "", unix.AT_FDCWD, dir, unix.MOVE_MOUNT_F_EMPTY_PATH))
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	requireOptions(t, dir, "max=5,stats=global")
	require.NoError(t, addDevice(t, dir, "a"))
	require.Equal(t, "a", names(t, dir)[0])
}

// max can be set below the number of existing devices, which stay.
//
//covers:mount
func TestBinderfsRemountBelow(t *testing.T) {
	dir := mountBinderfs(t, "max=5")
	require.NoError(t, mountAt(dir, unix.MS_REMOUNT, "max=1"))
	require.Equal(t, unix.ENOSPC, addDevice(t, dir, "a"))
	require.NoError(t, unix.Unlink(dir+"/binder"))
	require.NoError(t, unix.Unlink(dir+"/hwbinder"))
	require.Equal(t, unix.ENOSPC, addDevice(t, dir, "a"))
	require.NoError(t, unix.Unlink(dir+"/vndbinder"))
	require.NoError(t, addDevice(t, dir, "a"))
	require.NoError(t, mountAt(dir, unix.MS_REMOUNT, "max=2"))
	require.NoError(t, addDevice(t, dir, "b"))
}

// A device can have any file name. The number that the device would have had is returned
// even if the name is refused.
//
//covers:control
func TestBinderfsAdd(t *testing.T) {
	dir := mountBinderfs(t, "")
	major := unix.Major(lstat(t, dir+"/binder").Rdev)
	for _, name := range []string{"x", "anbox-binder", " \n\xff", "...", strings.Repeat("y", 255)} {
		var device binder.BinderfsDevice
		copy(device.Name[:], name)
		require.NoError(t, controlAdd(t, dir, &device), "%q", name)
		st := lstat(t, dir+"/"+name)
		require.EqualValues(t, unix.S_IFCHR|0o600, st.Mode)
		require.Equal(t, unix.Mkdev(device.Major, device.Minor), st.Rdev)
		require.Equal(t, name, names(t, dir)[0])

		p := newBareProcess(t)
		p.connect(dir + "/" + name)
		p.becomeManager()
	}
	before := names(t, dir)
	for name, want := range map[string]error{
		"x": unix.EEXIST, "binder": unix.EEXIST, "binder-control": unix.EEXIST, "features": unix.EEXIST,
		"": unix.EACCES, ".": unix.EACCES, "..": unix.EACCES, "/": unix.EACCES, "a/b": unix.EACCES, "/x": unix.EACCES,
	} {
		device := binder.BinderfsDevice{Major: 77, Minor: 77}
		copy(device.Name[:], name)
		require.Equal(t, want, controlAdd(t, dir, &device), "%q", name)
		require.Equal(t, major, device.Major)
		require.NotEqual(t, 77, device.Minor)
		require.Equal(t, before, names(t, dir))
	}
}

// A name ends at its first NUL, or at its last byte.
//
//covers:control
func TestBinderfsAddEndOfName(t *testing.T) {
	dir := mountBinderfs(t, "")
	require.NoError(t, addDevice(t, dir, "a\x00b"))
	require.Equal(t, "a", names(t, dir)[0])
	require.NoError(t, addDevice(t, dir, strings.Repeat("z", 256)))
	require.Equal(t, strings.Repeat("z", 255), names(t, dir)[0])
}

// The number of devices is limited per instance. The default devices count, and so do
// removed ones that are still open.
//
//covers:control,mount
func TestBinderfsLimit(t *testing.T) {
	dir, other := mountBinderfs(t, "max=5"), mountBinderfs(t, "max=4")
	require.NoError(t, addDevice(t, dir, "a"))
	require.NoError(t, addDevice(t, dir, "b"))
	for _, name := range []string{"c", "a", ""} {
		device := binder.BinderfsDevice{Major: 77, Minor: 78}
		copy(device.Name[:], name)
		require.Equal(t, unix.ENOSPC, controlAdd(t, dir, &device), "%q", name)
		require.EqualValues(t, 77, device.Major)
		require.EqualValues(t, 78, device.Minor)
	}
	require.NoError(t, addDevice(t, other, "a"))
	require.Equal(t, unix.ENOSPC, addDevice(t, other, "b"))

	require.NoError(t, unix.Unlink(dir+"/a"))
	require.NoError(t, addDevice(t, dir, "c"))
	require.Equal(t, unix.ENOSPC, addDevice(t, dir, "d"))

	fd, err := unix.Open(dir+"/binder", unix.O_RDWR, 0)
	require.NoError(t, err)
	require.NoError(t, unix.Unlink(dir+"/binder"))
	require.Equal(t, unix.ENOSPC, addDevice(t, dir, "d"))
	require.NoError(t, unix.Close(fd))
	eventually(t, "there is room for a device", func() bool { return addDevice(t, dir, "d") == nil })
}

// A refused name uses no room.
//
//covers:control
func TestBinderfsLimitAfterRefusal(t *testing.T) {
	dir := mountBinderfs(t, "max=4")
	for _, name := range []string{"binder", ".", ""} {
		require.Error(t, addDevice(t, dir, name))
		require.NotEqual(t, unix.ENOSPC, addDevice(t, dir, name))
	}
	require.NoError(t, addDevice(t, dir, "a"))
}

// The lowest free minor number is reused.
//
//covers:control
func TestBinderfsMinorIsUsedAgain(t *testing.T) {
	dir := mountBinderfs(t, "")
	rdev := lstat(t, dir+"/hwbinder").Rdev
	require.NoError(t, unix.Unlink(dir+"/hwbinder"))
	require.NoError(t, addDevice(t, dir, "again"))
	require.Equal(t, rdev, lstat(t, dir+"/again").Rdev)

	// Not while the device is open.
	fd, err := unix.Open(dir+"/again", unix.O_RDWR, 0)
	require.NoError(t, err)
	require.NoError(t, unix.Unlink(dir+"/again"))
	require.NoError(t, addDevice(t, dir, "again"))
	require.NotEqual(t, rdev, lstat(t, dir+"/again").Rdev)
	require.NoError(t, unix.Close(fd))
}

// An argument that can't be read or written adds nothing.
//
//covers:control,bad-requests
func TestBinderfsAddBadAddress(t *testing.T) {
	dir := mountBinderfs(t, "max=4")
	p := newBareProcess(t)
	p.fd = p.open(dir+"/binder-control", unix.O_RDONLY)
	name := append([]byte("a"), make([]byte, 263)...)
	edge := p.pageEdge()
	require.Equal(t, unix.EFAULT, p.ioctl(binder.BINDER_CTL_ADD, 0))
	require.NoError(t, p.WriteMemory(t, edge-263, name[:263]))
	require.Equal(t, unix.EFAULT, p.ioctl(binder.BINDER_CTL_ADD, edge-263))

	readOnly := edge - 4096
	require.NoError(t, p.WriteMemory(t, readOnly, name))
	p.Must(t, unix.SYS_MPROTECT, readOnly, 4096, unix.PROT_READ)
	require.Equal(t, unix.EFAULT, p.ioctl(binder.BINDER_CTL_ADD, readOnly))
	require.NotContains(t, names(t, dir), "a")
	require.NoError(t, addDevice(t, dir, "a"), "there is room left")
}

// binder-control supports one request.
//
//covers:control
func TestBinderfsControl(t *testing.T) {
	dir := mountBinderfs(t, "")
	fd, err := unix.Open(dir+"/binder-control", unix.O_RDWR, 0)
	require.NoError(t, err)
	defer unix.Close(fd)
	var b [512]byte
	_, err = unix.Read(fd, b[:])
	require.Equal(t, unix.EINVAL, err)
	_, err = unix.Write(fd, b[:])
	require.Equal(t, unix.EINVAL, err)
	_, err = unix.Pread(fd, b[:], 0)
	require.Equal(t, unix.ESPIPE, err)
	_, err = unix.Seek(fd, 0, unix.SEEK_SET)
	require.Equal(t, unix.ESPIPE, err)
	_, err = unix.Mmap(fd, 0, 4096, unix.PROT_READ, unix.MAP_PRIVATE)
	require.Equal(t, unix.ENODEV, err)
	require.Equal(t, unix.EINVAL, unix.Fsync(fd))
	pfd := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN | unix.POLLOUT}}
	_, err = unix.Poll(pfd, 0)
	require.NoError(t, err)
	require.EqualValues(t, unix.POLLIN|unix.POLLOUT, pfd[0].Revents)
	epfd, err := unix.EpollCreate1(0)
	require.NoError(t, err)
	defer unix.Close(epfd)
	require.Equal(t, unix.EPERM, unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{}))
	for _, request := range []uintptr{binder.BINDER_VERSION, binder.BINDER_WRITE_READ, binder.BINDER_CTL_ADD + 1, binder.BINDER_CTL_ADD - 8<<16, 0} {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(unsafe.Pointer(&b)))
		require.Equal(t, unix.EINVAL, errno, "%#x", request)
	}

	// Nothing else supports it.
	device, err := unix.Open(dir+"/binder", unix.O_RDWR, 0)
	require.NoError(t, err)
	defer unix.Close(device)
	require.Equal(t, unix.EINVAL, ctlAdd(device, uintptr(unsafe.Pointer(&b))))
}

// An instance's devices have their own contexts, separate from those of another instance.
//
//covers:mount,contexts
func TestBinderfsContexts(t *testing.T) {
	one, two := mountBinderfs(t, ""), mountBinderfs(t, "")
	require.NoError(t, addDevice(t, one, "x"))
	requireContexts(t, one+"/binder", one+"/hwbinder", one+"/x", two+"/binder", defaultDevice)
}

// A removed device stays usable while open, and a new one of that name is a different
// device.
func TestBinderfsUnlinkInUse(t *testing.T) {
	dir := mountBinderfs(t, "")
	device := dir + "/binder"
	server, client := newBareProcess(t), newBareProcess(t)
	server.connect(device)
	server.becomeManager()
	client.connect(device)
	require.NoError(t, unix.Unlink(device))
	_, err := client.tryOpen(device, unix.O_RDWR)
	require.Equal(t, unix.ENOENT, err)
	require.NotContains(t, names(t, dir), "binder")
	client.call(server.thread, bcTransaction{}, nil)

	fd := client.TakeFD(t, client.fd)
	defer unix.Close(fd)
	var st unix.Stat_t
	require.NoError(t, unix.Fstat(fd, &st))
	require.Zero(t, st.Nlink)
	link, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	require.NoError(t, err)
	require.Equal(t, device+" (deleted)", link)

	// Whoever has it open can reopen it.
	again := newBareProcess(t)
	again.connect(fmt.Sprintf("/proc/%d/fd/%d", client.pid(), client.fd))
	again.call(server.thread, bcTransaction{}, nil)

	require.NoError(t, addDevice(t, dir, "binder"))
	other := newBareProcess(t)
	other.connect(device)
	other.becomeManager()
	client.call(server.thread, bcTransaction{}, nil)
}

// Only devices can be removed, and only binder-control creates anything.
func TestBinderfsRefused(t *testing.T) {
	root := mountBinderfs(t, "stats=global")
	outside := filepath.Join(tempDir(t), "f")
	require.NoError(t, os.WriteFile(outside, nil, 0o600))
	require.Equal(t, unix.EPERM, unix.Unlink(root+"/binder-control"))
	require.Equal(t, unix.EISDIR, unix.Unlink(root+"/features"))
	require.Equal(t, unix.EPERM, unix.Unlink(root+"/features/extended_error"))
	require.Equal(t, unix.EPERM, unix.Unlink(root+"/binder_logs/stats"))
	require.Equal(t, unix.ENOENT, unix.Unlink(root+"/nothing"))
	require.Equal(t, unix.EPERM, unix.Rmdir(root+"/features"))
	require.Equal(t, unix.EPERM, unix.Rmdir(root+"/binder_logs"))
	require.Equal(t, unix.ENOTDIR, unix.Rmdir(root+"/binder"))
	require.Equal(t, unix.ENOTDIR, unix.Rmdir(root+"/binder-control"))
	require.Equal(t, unix.ENOENT, unix.Rmdir(root+"/nothing"))
	for dir, file := range map[string]string{root: "binder", root + "/features": "extended_error", root + "/binder_logs": "stats"} {
		before := names(t, dir)
		there, absent := dir+"/"+file, dir+"/new"
		require.Equal(t, unix.EPERM, unix.Mkdir(absent, 0o755))
		require.Equal(t, unix.EEXIST, unix.Mkdir(there, 0o755))
		_, err := unix.Open(absent, unix.O_RDWR|unix.O_CREAT, 0o600)
		require.Equal(t, unix.EACCES, err)
		_, err = unix.Open(there, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL, 0o600)
		require.Equal(t, unix.EEXIST, err)
		require.Equal(t, unix.EPERM, unix.Symlink("binder", absent))
		require.Equal(t, unix.EEXIST, unix.Symlink("binder", there))
		require.Equal(t, unix.EPERM, unix.Link(there, absent))
		require.Equal(t, unix.EXDEV, unix.Link(outside, absent))
		require.Equal(t, unix.EPERM, unix.Mknod(absent, unix.S_IFIFO|0o600, 0))
		require.Equal(t, unix.EPERM, unix.Mknod(absent, unix.S_IFCHR|0o600, int(lstat(t, root+"/binder").Rdev)))
		require.Equal(t, unix.EEXIST, unix.Mknod(there, unix.S_IFIFO|0o600, 0))
		_, err = unix.Open(dir, unix.O_RDWR, 0)
		require.Equal(t, unix.EISDIR, err)
		require.Equal(t, before, names(t, dir))
	}
}

// Everything in the root can be renamed, except binder-control.
func TestBinderfsRename(t *testing.T) {
	dir := mountBinderfs(t, "")
	at := func(name string) string { return dir + "/" + name }
	rename := func(from, to string) error { return unix.Rename(at(from), at(to)) }
	noReplace := func(from, to string) error {
		return unix.Renameat2(unix.AT_FDCWD, at(from), unix.AT_FDCWD, at(to), unix.RENAME_NOREPLACE)
	}
	server := newBareProcess(t)
	server.connect(at("binder"))
	server.becomeManager()
	rdev := lstat(t, at("binder")).Rdev

	require.Equal(t, unix.EPERM, rename("binder-control", "x"))
	require.Equal(t, unix.EPERM, rename("binder", "binder-control"))
	require.Equal(t, unix.EPERM, rename("features/extended_error", "x"))
	require.Equal(t, unix.EPERM, rename("features/extended_error", "features/x"))
	require.Equal(t, unix.EISDIR, rename("binder", "features"))
	require.Equal(t, unix.ENOTDIR, rename("features", "binder"))
	require.Equal(t, unix.EINVAL, rename("features", "features/x"))
	require.Equal(t, unix.ENOENT, rename("nothing", "x"))
	require.Equal(t, unix.ENAMETOOLONG, rename("binder", strings.Repeat("k", 256)))
	require.Equal(t, unix.EXDEV, unix.Rename(at("binder"), filepath.Join(tempDir(t), "x")))
	require.Equal(t, unix.EEXIST, noReplace("binder", "vndbinder"))
	require.Equal(t, unix.EEXIST, noReplace("binder", "binder-control"))
	require.NoError(t, rename("binder", "binder"))
	require.NoError(t, rename("binder-control", "binder-control"))
	require.Equal(t, []string{"features", "vndbinder", "hwbinder", "binder", "binder-control"}, names(t, dir))

	require.NoError(t, noReplace("binder", "renamed"))
	require.Equal(t, []string{"renamed", "features", "vndbinder", "hwbinder", "binder-control"}, names(t, dir))
	require.Equal(t, rdev, lstat(t, at("renamed")).Rdev)
	require.NoError(t, rename("features", "f"))
	require.Equal(t, []string{"f", "renamed", "vndbinder", "hwbinder", "binder-control"}, names(t, dir))
	require.EqualValues(t, 3, lstat(t, dir).Nlink)

	// It is the same device, and is removed when replaced.
	client := newBareProcess(t)
	client.connect(at("renamed"))
	client.call(server.thread, bcTransaction{}, nil)
	require.NoError(t, rename("hwbinder", "renamed"))
	require.NotEqual(t, rdev, lstat(t, at("renamed")).Rdev)
	client.call(server.thread, bcTransaction{}, nil)
	other := newBareProcess(t)
	other.connect(at("renamed"))
	other.becomeManager()
	require.Equal(t, []string{"renamed", "f", "vndbinder", "binder-control"}, names(t, dir))
}

// A replaced device makes room for another.
func TestBinderfsRenameMakesRoom(t *testing.T) {
	dir := mountBinderfs(t, "max=3")
	require.NoError(t, unix.Rename(dir+"/binder", dir+"/hwbinder"))
	require.NoError(t, addDevice(t, dir, "a"))
	require.Equal(t, unix.ENOSPC, addDevice(t, dir, "b"))
}

// A device can be moved into features, but not out of it, nor removed from it.
func TestBinderfsRenameIntoFeatures(t *testing.T) {
	dir := mountBinderfs(t, "")
	require.NoError(t, unix.Rename(dir+"/binder", dir+"/features/binder"))
	require.Equal(t, unix.EPERM, unix.Unlink(dir+"/features/binder"))
	require.Equal(t, unix.EPERM, unix.Rename(dir+"/features/binder", dir+"/binder"))
	require.Equal(t, "binder", names(t, dir+"/features")[0])
	require.NotContains(t, names(t, dir), "binder")
	p := newBareProcess(t)
	p.connect(dir + "/features/binder")
}

// Everything's owner, mode and times can be changed.
func TestBinderfsAttributes(t *testing.T) {
	dir := mountBinderfs(t, "")
	for name, truncate := range map[string]error{
		".":                       unix.EISDIR,
		"features":                unix.EISDIR,
		"features/extended_error": nil,
		"binder-control":          unix.EINVAL,
		"binder":                  unix.EINVAL,
	} {
		path := dir + "/" + name
		before := lstat(t, path)
		require.NoError(t, unix.Chown(path, 7, 8), name)
		require.NoError(t, unix.Chmod(path, 0o751), name)
		require.NoError(t, unix.UtimesNano(path, []unix.Timespec{{Sec: 1}, {Sec: 2}}), name)
		st := lstat(t, path)
		require.Equal(t, before.Mode&unix.S_IFMT|0o751, st.Mode, name)
		require.EqualValues(t, 7, st.Uid, name)
		require.EqualValues(t, 8, st.Gid, name)
		require.EqualValues(t, 1, st.Atim.Sec, name)
		require.EqualValues(t, 2, st.Mtim.Sec, name)
		if err := unix.Truncate(path, 10); truncate == nil {
			require.NoError(t, err, name)
		} else {
			require.Equal(t, truncate, err, name)
		}
	}
}

// There are no extended attributes.
func TestBinderfsExtendedAttributes(t *testing.T) {
	dir := mountBinderfs(t, "")
	for name, user := range map[string][2]error{
		".":                       {unix.ENOTSUP, unix.ENOTSUP},
		"features":                {unix.ENOTSUP, unix.ENOTSUP},
		"features/extended_error": {unix.ENOTSUP, unix.ENOTSUP},
		"binder-control":          {unix.ENODATA, unix.EPERM},
		"binder":                  {unix.ENODATA, unix.EPERM},
	} {
		path := dir + "/" + name
		var b [64]byte
		n, err := unix.Listxattr(path, b[:])
		require.NoError(t, err, name)
		require.Zero(t, n, name)
		_, err = unix.Getxattr(path, "user.x", b[:])
		require.Equal(t, user[0], err, name)
		require.Equal(t, user[1], unix.Setxattr(path, "user.x", b[:1], 0), name)
		require.Equal(t, user[1], unix.Removexattr(path, "user.x"), name)
		_, err = unix.Getxattr(path, "trusted.x", b[:])
		require.Equal(t, unix.ENOTSUP, err, name)
		require.Equal(t, unix.ENOTSUP, unix.Setxattr(path, "trusted.x", b[:1], 0), name)
		require.Equal(t, unix.ENOTSUP, unix.Setxattr(path, "security.x", b[:1], 0), name)
	}
}

// Directories can be listed from any position, and listing continues as before when
// something is added or removed meanwhile.
func TestBinderfsListing(t *testing.T) {
	dir := mountBinderfs(t, "")
	const n = 300
	want := make(map[string]bool)
	for i := range n {
		name := fmt.Sprintf("device-with-quite-a-long-name-%d", i)
		require.NoError(t, addDevice(t, dir, name))
		want[name] = true
	}
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	require.NoError(t, err)
	defer unix.Close(fd)
	_, err = unix.Seek(fd, 0, unix.SEEK_END)
	require.Equal(t, unix.EINVAL, err)
	require.NoError(t, unix.Fsync(fd))

	got := make(map[string]int)
	for round := 0; ; round++ {
		var b [1024]byte
		size, err := unix.ReadDirent(fd, b[:])
		require.NoError(t, err)
		if size == 0 {
			break
		}
		_, _, list := unix.ParseDirent(b[:size], -1, nil)
		for _, name := range list {
			got[name]++
		}
		// The oldest is removed, and another is added.
		gone := fmt.Sprintf("device-with-quite-a-long-name-%d", round)
		if got[gone] == 0 {
			delete(want, gone)
			require.NoError(t, unix.Unlink(dir+"/"+gone))
			require.NoError(t, addDevice(t, dir, fmt.Sprintf("new-%d", round)))
		}
	}
	for name := range want {
		require.Equal(t, 1, got[name], name)
	}
	require.Len(t, got, len(want)+len([]string{"features", "vndbinder", "hwbinder", "binder", "binder-control"}))
	require.Less(t, len(want), n)
}

// Watchers of the directory are notified of what is added and removed.
func TestBinderfsWatch(t *testing.T) {
	dir := mountBinderfs(t, "")
	in, err := unix.InotifyInit1(unix.IN_NONBLOCK)
	require.NoError(t, err)
	defer unix.Close(in)
	_, err = unix.InotifyAddWatch(in, dir, unix.IN_CREATE|unix.IN_DELETE)
	require.NoError(t, err)
	next := func() (uint32, string) {
		b := make([]byte, 512)
		n, err := unix.Read(in, b)
		require.NoError(t, err)
		event := (*unix.InotifyEvent)(unsafe.Pointer(&b[0]))
		name, _, _ := bytes.Cut(b[unix.SizeofInotifyEvent:n], []byte{0})
		return event.Mask, string(name)
	}
	require.NoError(t, addDevice(t, dir, "a"))
	mask, name := next()
	require.EqualValues(t, unix.IN_CREATE, mask)
	require.Equal(t, "a", name)
	require.NoError(t, unix.Unlink(dir+"/a"))
	mask, name = next()
	require.EqualValues(t, unix.IN_DELETE, mask)
	require.Equal(t, "a", name)
}

// On a read-only mount, devices can be used, and even added.
//
//covers:mount
func TestBinderfsReadOnly(t *testing.T) {
	dir := mountBinderfs(t, "")
	require.NoError(t, mountAt(dir, unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	require.True(t, strings.HasPrefix(mountOptions(t, dir), "ro,"))
	require.NoError(t, addDevice(t, dir, "a"))
	require.Equal(t, unix.EROFS, unix.Unlink(dir+"/a"))
	require.Equal(t, unix.EROFS, unix.Chmod(dir+"/a", 0o666))
	require.Equal(t, unix.EROFS, unix.Mkdir(dir+"/d", 0o755))
	require.Equal(t, unix.EROFS, unix.Rename(dir+"/a", dir+"/b"))
	p := newBareProcess(t)
	p.connect(dir + "/a")
	p.becomeManager()
}

// On a nodev mount no device can be opened.
//
//covers:mount
func TestBinderfsNoDevices(t *testing.T) {
	dir := tempDir(t)
	require.NoError(t, mountAt(dir, unix.MS_NODEV, ""))
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	for _, name := range []string{"binder", "binder-control"} {
		_, err := unix.Open(dir+"/"+name, unix.O_RDWR, 0)
		require.Equal(t, unix.EACCES, err)
	}
	require.NoError(t, mountAt(dir, unix.MS_REMOUNT, ""))
	newBareProcess(t).connect(dir + "/binder")
}

// A device's number means nothing outside binderfs.
func TestBinderfsDeviceNumberElsewhere(t *testing.T) {
	dir := mountBinderfs(t, "")
	for _, name := range []string{"binder", "binder-control"} {
		path := filepath.Join(tempDir(t), "node")
		require.NoError(t, unix.Mknod(path, unix.S_IFCHR|0o666, int(lstat(t, dir+"/"+name).Rdev)))
		_, err := unix.Open(path, unix.O_RDWR, 0)
		require.Equal(t, unix.ENXIO, err)
	}
}

// A device can be bind-mounted elsewhere, or linked to, and is the same device.
func TestBinderfsDeviceElsewhere(t *testing.T) {
	dir, out := mountBinderfs(t, ""), tempDir(t)
	bound, link := out+"/bound", out+"/link"
	require.NoError(t, os.WriteFile(bound, nil, 0o600))
	require.NoError(t, unix.Mount(dir+"/binder", bound, "", unix.MS_BIND, ""))
	t.Cleanup(func() { unix.Unmount(bound, unix.MNT_DETACH) })
	require.NoError(t, unix.Symlink(dir+"/binder", link))
	server, client := newBareProcess(t), newBareProcess(t)
	server.connect(bound)
	server.becomeManager()
	client.connect(link)
	client.call(server.thread, bcTransaction{}, nil)

	// It stays there if it is removed from the first place.
	require.NoError(t, unix.Unlink(dir+"/binder"))
	other := newBareProcess(t)
	_, err := other.tryOpen(link, unix.O_RDWR)
	require.Equal(t, unix.ENOENT, err)
	other.connect(bound)
	other.call(server.thread, bcTransaction{}, nil)
}

// What Android's init does.
//
//covers:mount,control
func TestBinderfsAsAndroidsInit(t *testing.T) {
	dev := tempDir(t)
	require.NoError(t, unix.Mount("tmpfs", dev, "tmpfs", 0, "mode=0755"))
	t.Cleanup(func() { unix.Unmount(dev, unix.MNT_DETACH) })
	dir := dev + "/binderfs"
	require.NoError(t, unix.Mkdir(dir, 0o755))
	require.NoError(t, mountAt(dir, 0, "stats=global"))
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	require.NoError(t, unix.Chmod(dir, 0o755))
	for _, name := range []string{"binder", "hwbinder", "vndbinder"} {
		require.NoError(t, unix.Symlink(dir+"/"+name, dev+"/"+name))
		require.NoError(t, unix.Chmod(dir+"/"+name, 0o666))
		server, client := newBareProcess(t), newBareProcess(t)
		server.connect(dev + "/" + name)
		server.becomeManager()
		client.setUser(10000)
		client.connect(dev + "/" + name)
		client.call(server.thread, bcTransaction{}, nil)
	}
	for _, feature := range []string{"oneway_spam_detection", "extended_error"} {
		content, err := os.ReadFile(dir + "/features/" + feature)
		require.NoError(t, err)
		require.Equal(t, "1\n", string(content))
	}
}

// The effect of "chmod 666 /dev/binder*", which scripts run, where binderfs is on
// /dev/binderfs: it matches the directory, too, and ordinary users can no longer reach
// its files.
//
//covers:files-of-binderfs
func TestBinderfsChmodOfDirectory(t *testing.T) {
	dir := mountBinderfs(t, "")
	link := tempDir(t) + "/binder"
	require.NoError(t, unix.Symlink(dir+"/binder", link))
	require.NoError(t, unix.Chmod(link, 0o666))
	user := newBareProcess(t)
	user.setUser(1000)
	user.close(user.open(link, unix.O_RDWR))
	user.close(user.open(dir+"/features/extended_error", unix.O_RDONLY))

	require.NoError(t, unix.Chmod(dir, 0o666))
	for _, path := range []string{link, dir + "/binder", dir + "/features/extended_error"} {
		_, err := user.tryOpen(path, unix.O_RDONLY)
		require.Equal(t, unix.EACCES, err, path)
	}
	newBareProcess(t).open(link, unix.O_RDWR)

	require.NoError(t, unix.Chmod(dir, 0o755))
	user.open(link, unix.O_RDWR)
}

// A mount can't be unmounted while one of its devices is open, except lazily, which
// only detaches it.
//
//covers:mount
func TestBinderfsUnmount(t *testing.T) {
	dir := tempDir(t)
	require.NoError(t, mountAt(dir, 0, ""))
	server, client := newBareProcess(t), newBareProcess(t)
	server.connect(dir + "/binder")
	server.becomeManager()
	client.connect(dir + "/binder")
	require.Equal(t, unix.EBUSY, unix.Unmount(dir, 0))
	require.NoError(t, unix.Unmount(dir, unix.MNT_DETACH))
	client.call(server.thread, bcTransaction{}, nil)
	require.Empty(t, names(t, dir))

	require.NoError(t, mountAt(dir, 0, ""))
	other := newBareProcess(t)
	other.connect(dir + "/binder")
	other.becomeManager()
	other.kill()
	eventually(t, "nothing is open", func() bool { return unix.Unmount(dir, 0) == nil })
}

// Files' modes decide who may do what. A device belongs to root, whoever adds it.
func TestBinderfsOrdinaryUser(t *testing.T) {
	dir := mountBinderfs(t, "")
	p := newBareProcess(t)
	p.setUser(1000)
	for _, name := range []string{"binder", "binder-control"} {
		_, err := p.tryOpen(dir+"/"+name, unix.O_RDWR)
		require.Equal(t, unix.EACCES, err, name)
	}
	unlink := func(name string) error {
		_, err := p.Call(t, unix.SYS_UNLINKAT, atCWD, p.str(dir+"/"+name), 0)
		return err
	}
	require.Equal(t, unix.EACCES, unlink("binder"))
	require.Equal(t, unix.EPERM, p.mount("binder", tempDir(t), 0, ""))
	require.Equal(t, unix.EPERM, p.mount("binder", dir, unix.MS_REMOUNT, "max=9"))
	_, err := p.Call(t, unix.SYS_FCHMODAT, atCWD, p.str(dir+"/binder"), 0o666)
	require.Equal(t, unix.EPERM, err)
	_, err = p.Call(t, unix.SYS_MKDIRAT, atCWD, p.str(dir+"/d"), 0o755)
	require.Equal(t, unix.EACCES, err)

	require.NoError(t, unix.Chmod(dir+"/binder-control", 0o666))
	require.NoError(t, p.controlAdd(dir, "a"))
	st := lstat(t, dir+"/a")
	require.Zero(t, st.Uid)
	require.EqualValues(t, unix.S_IFCHR|0o600, st.Mode)

	require.NoError(t, unix.Chmod(dir, 0o777))
	require.NoError(t, unlink("a"))
	_, err = p.Call(t, unix.SYS_MKDIRAT, atCWD, p.str(dir+"/d"), 0o755)
	require.Equal(t, unix.EPERM, err)
}

// mount is mount(2) of a binderfs.
func (th *thread) mount(source, target string, flags uintptr, options string) error {
	th.t.Helper()
	at := th.Scratch()
	str := func(s string) uintptr {
		addr := at
		at += uintptr(copy(remote.Bytes(at, len(s)+1), s+"\x00"))
		return addr
	}
	_, err := th.Call(th.t, unix.SYS_MOUNT, str(source), str(target), str("binder"), flags, str(options))
	return err
}

// controlAdd is addDevice by the process.
func (p *process) controlAdd(dir, name string) error {
	p.t.Helper()
	fd := p.open(dir+"/binder-control", unix.O_RDONLY)
	defer p.close(fd)
	b := remote.Bytes(p.Scratch(), binder.SizeOfBinderfsDevice)
	clear(b)
	copy(b, name)
	_, err := p.Call(p.t, unix.SYS_IOCTL, uintptr(fd), binder.BINDER_CTL_ADD, p.Scratch())
	return err
}

// stat is lstat by the process.
func (p *process) stat(path string) unix.Stat_t {
	p.t.Helper()
	at := p.Scratch() + 4096
	p.Must(p.t, unix.SYS_NEWFSTATAT, atCWD, p.str(path), at, unix.AT_SYMLINK_NOFOLLOW)
	return *remote.Struct[unix.Stat_t](at)
}

// newNamespaces starts a process in new user and mount namespaces, with the given maps
// from uid and gid id of the parent.
func newNamespaces(t testing.TB, user int, uidMap, gidMap string) *process {
	t.Helper()
	p := newBareProcess(t)
	if user != 0 {
		p.Must(t, unix.SYS_SETRESGID, uintptr(user), uintptr(user), uintptr(user))
		p.setUser(user)
	}
	p.Must(t, unix.SYS_UNSHARE, unix.CLONE_NEWUSER|unix.CLONE_NEWNS)
	for file, ids := range map[string]string{"uid_map": uidMap, "gid_map": gidMap} {
		if ids != "" {
			require.NoError(t, os.WriteFile(fmt.Sprintf("/proc/%d/%s", p.pid(), file), []byte(ids), 0))
		}
	}
	return p
}

// Root of a user namespace can mount binderfs, and owns everything in it, but can't have
// the logs.
//
//covers:mount
func TestBinderfsInUserNamespace(t *testing.T) {
	for name, user := range map[string]int{"root's": 0, "a user's": 1000} {
		t.Run(name, func(t *testing.T) {
			dir := tempDir(t)
			require.NoError(t, unix.Chmod(dir, 0o777))
			p := newNamespaces(t, user, fmt.Sprintf("0 %d 1\n", user), fmt.Sprintf("0 %d 1\n", user))
			require.Equal(t, unix.EPERM, p.mount("binder", dir, 0, "stats=global"))
			require.NoError(t, p.mount("binder", dir, 0, "max=9"))
			require.NoError(t, p.controlAdd(dir, "a"))
			for _, name := range []string{".", "binder-control", "binder", "a", "features", "features/extended_error"} {
				st := p.stat(dir + "/" + name)
				require.Zero(t, st.Uid, name)
				require.Zero(t, st.Gid, name)
			}
			p.connect(dir + "/a")
			p.becomeManager()

			require.NoError(t, p.mount("binder", dir, unix.MS_REMOUNT, "max=3"))
			require.Equal(t, unix.ENOSPC, p.controlAdd(dir, "b"))
			require.Equal(t, unix.EPERM, p.mount("binder", dir, unix.MS_REMOUNT, "stats=global"))
			p.Must(t, unix.SYS_UNLINKAT, atCWD, p.str(dir+"/a"), 0)
			require.Empty(t, names(t, dir), "only the process sees the mount")
		})
	}
}

// A mount namespace whose user namespace has no root.
//
//covers:mount
func TestBinderfsInUserNamespaceWithoutRoot(t *testing.T) {
	dir := tempDir(t)
	p := newNamespaces(t, 0, "5 0 1\n", "6 0 1\n")
	require.NoError(t, p.mount("binder", dir, 0, ""))
	require.NoError(t, p.controlAdd(dir, "a"))
	for name, ids := range map[string][2]uint32{
		".":                       {65534, 65534},
		"features":                {65534, 65534},
		"features/extended_error": {65534, 65534},
		"binder-control":          {5, 6},
		"binder":                  {5, 6},
		"a":                       {5, 6},
	} {
		st := p.stat(dir + "/" + name)
		require.Equal(t, ids, [2]uint32{st.Uid, st.Gid}, name)
	}
	p.connect(dir + "/a")
}

// A user namespace's root has no special rights to what was mounted outside, only those
// that the files' modes give it.
//
//covers:mount
func TestBinderfsFromUserNamespace(t *testing.T) {
	dir := mountBinderfs(t, "")
	p := newNamespaces(t, 1000, "0 1000 1\n", "0 1000 1\n")
	require.Equal(t, unix.EPERM, p.mount("binder", dir, unix.MS_REMOUNT, "max=9"))
	_, err := p.tryOpen(dir+"/binder", unix.O_RDWR)
	require.Equal(t, unix.EACCES, err)
	require.NoError(t, unix.Chmod(dir+"/binder", 0o666))
	p.connect(dir + "/binder")
	p.becomeManager()
	client := newBareProcess(t)
	client.connect(dir + "/binder")
	client.write(bcTransaction{flags: oneWay})
}
