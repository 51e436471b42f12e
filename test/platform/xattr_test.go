// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/test/syscalls/remote"
)

// labels are extended attributes that only security modules interpret, none of which is
// active.
func labels() []string {
	// Without SELinux, no label is shown.
	if _, err := os.ReadFile("/proc/self/attr/current"); err == nil {
		return []string{"security.label"}
	}
	return []string{"security.selinux", "security.label"}
}

func (c caller) setxattr(path, name, value string, flags int) error {
	_, err := c.Call(c.t, unix.SYS_LSETXATTR, c.text(0, path), c.text(1, name), c.text(2, value), uintptr(len(value)), uintptr(flags))
	return err
}

func (c caller) getxattr(path, name string) (string, error) {
	n, err := c.Call(c.t, unix.SYS_LGETXATTR, c.text(0, path), c.text(1, name), c.place(2), placeSize)
	if err != nil {
		return "", err
	}
	return string(remote.Bytes(c.place(2), int(n))), nil
}

func (c caller) listxattr(path string) []string {
	n := c.Must(c.t, unix.SYS_LLISTXATTR, c.text(0, path), c.place(1), placeSize)
	return strings.FieldsFunc(string(remote.Bytes(c.place(1), int(n))), func(r rune) bool { return r == 0 })
}

func (c caller) removexattr(path, name string) error {
	_, err := c.Call(c.t, unix.SYS_LREMOVEXATTR, c.text(0, path), c.text(1, name))
	return err
}

// passable lets everyone reach dir, the root of a file system mounted in a directory of
// the test.
func passable(t *testing.T, dir string) {
	for ; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		require.NoError(t, os.Chmod(dir, 0o755))
	}
}

// labelledTmpfs mounts a tmpfs that keeps extended attributes.
func labelledTmpfs(t *testing.T) string {
	dir := privateTmpfs(t)
	if err := unix.Setxattr(dir, "trusted.test", nil, 0); err == unix.EOPNOTSUPP && onLinux() {
		t.Skip("this kernel has no CONFIG_TMPFS_XATTR")
	}
	return dir
}

// mountOverlay mounts an overlay of two directories of a new tmpfs, and returns the
// directories.
func mountOverlay(t *testing.T) (lower, upper, merged string) {
	dir := labelledTmpfs(t)
	for _, name := range []string{"lower", "upper", "work", "merged"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o755))
	}
	lower, upper, merged = filepath.Join(dir, "lower"), filepath.Join(dir, "upper"), filepath.Join(dir, "merged")
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s/work", lower, upper, dir)
	if err := unix.Mount("overlay", merged, "overlay", 0, options); err == unix.ENODEV && onLinux() {
		t.Skip("this kernel has no overlayfs")
	} else {
		require.NoError(t, err)
	}
	t.Cleanup(func() { require.NoError(t, unix.Unmount(merged, unix.MNT_DETACH)) })
	return lower, upper, merged
}

// eachLabelled calls f with an empty directory in each file system that keeps labels of
// all files.
func eachLabelled(t *testing.T, f func(t *testing.T, dir string)) {
	t.Run("tmpfs", func(t *testing.T) { f(t, labelledTmpfs(t)) })
	t.Run("overlay", func(t *testing.T) {
		_, _, dir := mountOverlay(t)
		f(t, dir)
	})
	t.Run("root", func(t *testing.T) {
		if onLinux() {
			t.Skip("User Mode Linux's root file system has no extended attributes")
		}
		dir, err := os.MkdirTemp("/", "label")
		require.NoError(t, err)
		defer os.RemoveAll(dir)
		f(t, dir)
	})
}

// eachLabelledDirectory calls f with an empty directory in each file system that keeps
// labels of directories.
func eachLabelledDirectory(t *testing.T, f func(t *testing.T, dir string)) {
	eachLabelled(t, f)
	t.Run("cgroup2", func(t *testing.T) {
		mount := t.TempDir()
		if err := unix.Mount("none", mount, "cgroup2", 0, ""); err == unix.ENODEV {
			t.Skip("this sandbox has no cgroup2")
		} else {
			require.NoError(t, err)
		}
		defer func() { require.NoError(t, unix.Unmount(mount, unix.MNT_DETACH)) }()
		dir := filepath.Join(mount, "labelled")
		require.NoError(t, os.Mkdir(dir, 0o755))
		defer os.Remove(dir)
		f(t, dir)
	})
}

// All kinds of files have labels.
func TestLabelFiles(t *testing.T) {
	eachLabelled(t, func(t *testing.T, dir string) {
		root := newCaller(t)
		for _, kind := range []string{"file", "directory", "link", "device", "pipe", "socket"} {
			t.Run(kind, func(t *testing.T) {
				path := filepath.Join(dir, kind)
				switch kind {
				case "file":
					require.NoError(t, os.WriteFile(path, nil, 0o600))
				case "directory":
					require.NoError(t, os.Mkdir(path, 0o700))
				case "link":
					require.NoError(t, os.Symlink("nowhere", path))
				case "device":
					require.NoError(t, unix.Mknod(path, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))))
				case "pipe":
					require.NoError(t, unix.Mknod(path, unix.S_IFIFO|0o600, 0))
				case "socket":
					require.NoError(t, unix.Mknod(path, unix.S_IFSOCK|0o600, 0))
				}
				for _, name := range labels() {
					value := "u:object_r:device:s0\x00"
					require.NoError(t, root.setxattr(path, name, value, 0))
					got, err := root.getxattr(path, name)
					require.NoError(t, err)
					require.Equal(t, value, got)
					require.Contains(t, root.listxattr(path), name)
				}
			})
		}
	})
}

// Only whoever has CAP_SYS_ADMIN in the file system's user namespace can change labels;
// everyone can read them. The file's permissions don't matter.
func TestLabelPrivileges(t *testing.T) {
	eachLabelledDirectory(t, func(t *testing.T, dir string) {
		passable(t, dir)
		for _, who := range []struct {
			name string
			caller
			may bool
		}{
			{"root", newCaller(t), true},
			{"root without CAP_DAC_OVERRIDE", newCaller(t).without(unix.CAP_DAC_OVERRIDE), true},
			{"root without CAP_SYS_ADMIN", newCaller(t).without(unix.CAP_SYS_ADMIN), false},
			{"user", newCaller(t).become(1000), false},
			{"root of another user namespace", newCaller(t).confine(), false},
		} {
			for _, file := range []struct {
				owner int
				mode  os.FileMode
			}{{0, 0o600}, {1000, 0o600}, {1000, 0}, {1001, 0o666}} {
				t.Run(fmt.Sprintf("%s/%o of %d", who.name, file.mode, file.owner), func(t *testing.T) {
					c := caller{t, who.Process}
					path := filepath.Join(dir, "file")
					require.NoError(t, os.Mkdir(path, 0o700))
					require.NoError(t, os.Chmod(path, file.mode))
					require.NoError(t, os.Chown(path, file.owner, file.owner))
					defer os.Remove(path)

					for _, name := range labels() {
						want := error(unix.EPERM)
						if who.may {
							want = nil
						}
						_, err := c.getxattr(path, name)
						require.Equal(t, unix.ENODATA, err)
						if err := c.removexattr(path, name); who.may {
							require.Equal(t, unix.ENODATA, err)
						} else {
							require.Equal(t, unix.EPERM, err)
						}
						require.Equal(t, want, c.setxattr(path, name, "caller's", 0))
						if !who.may {
							_, err := c.getxattr(path, name)
							require.Equal(t, unix.ENODATA, err)
							require.NotContains(t, c.listxattr(path), name)
						}

						require.NoError(t, unix.Lsetxattr(path, name, []byte("root's"), 0))
						value, err := c.getxattr(path, name)
						require.NoError(t, err)
						require.Equal(t, "root's", value)
						require.Contains(t, c.listxattr(path), name)
						require.Equal(t, want, c.removexattr(path, name))
					}
				})
			}
		}
	})
}

// A file system mounted in a user namespace belongs to its root.
func TestLabelUserNamespace(t *testing.T) {
	const dir = "/tmp"
	owner, mounter := newCaller(t), newCaller(t).confine()
	for _, fs := range []string{"tmpfs", "overlay"} {
		t.Run(fs, func(t *testing.T) {
			c := caller{t, mounter.Process}
			c.Must(t, unix.SYS_MOUNT, c.text(0, "none"), c.text(1, dir), c.text(2, "tmpfs"), 0, 0)
			if fs == "overlay" {
				for _, name := range []string{"lower", "upper", "work"} {
					c.Must(t, unix.SYS_MKDIRAT, 0, c.text(0, filepath.Join(dir, name)), 0o755)
				}
				_, err := c.Call(t, unix.SYS_MOUNT, c.text(0, "none"), c.text(1, dir), c.text(2, "overlay"), 0,
					c.text(3, strings.ReplaceAll("lowerdir=D/lower,upperdir=D/upper,workdir=D/work,userxattr", "D", dir)))
				if err == unix.ENODEV && onLinux() {
					t.Skip("this kernel has no overlayfs")
				}
				require.NoError(t, err)
			}
			c.Must(t, unix.SYS_MKDIRAT, 0, c.text(0, filepath.Join(dir, "file")), 0o755)
			// The namespace's owner is privileged there, too.
			path := fmt.Sprintf("/proc/%d/root%s/file", c.TID(), dir)
			for _, name := range labels() {
				err := c.setxattr(filepath.Join(dir, "file"), name, "mounter's", 0)
				if err == unix.EOPNOTSUPP && onLinux() {
					t.Skip("this kernel has no CONFIG_TMPFS_XATTR")
				}
				require.NoError(t, err)
				require.NoError(t, caller{t, owner.Process}.setxattr(path, name, "owner's", unix.XATTR_REPLACE))
				require.NoError(t, c.removexattr(filepath.Join(dir, "file"), name))
			}
		})
	}
}

// The meaning of flags, names and sizes.
func TestLabelArguments(t *testing.T) {
	eachLabelledDirectory(t, func(t *testing.T, path string) {
		for _, name := range labels() {
			require.Equal(t, unix.ENODATA, unix.Setxattr(path, name, nil, unix.XATTR_REPLACE))
			require.NoError(t, unix.Setxattr(path, name, nil, unix.XATTR_CREATE))
			require.Equal(t, unix.EEXIST, unix.Setxattr(path, name, []byte("value"), unix.XATTR_CREATE))
			n, err := unix.Getxattr(path, name, make([]byte, 8))
			require.NoError(t, err)
			require.Zero(t, n)

			require.NoError(t, unix.Setxattr(path, name, make([]byte, 65536), unix.XATTR_REPLACE))
			require.Equal(t, unix.E2BIG, unix.Setxattr(path, name, make([]byte, 65537), 0))
			_, err = unix.Getxattr(path, name, make([]byte, 65535))
			require.Equal(t, unix.ERANGE, err)
			n, err = unix.Getxattr(path, name, nil)
			require.NoError(t, err)
			require.Equal(t, 65536, n)
			require.NoError(t, unix.Removexattr(path, name))
			require.Equal(t, unix.ENODATA, unix.Removexattr(path, name))
		}
		require.Equal(t, unix.EINVAL, unix.Setxattr(path, "security.", nil, 0))
		_, err := unix.Getxattr(path, "security.", nil)
		require.Equal(t, unix.EINVAL, err)
		require.Equal(t, unix.EINVAL, unix.Removexattr(path, "security."))
	})
}

// bionic labels property files through descriptors, before it maps them.
func TestLabelProperties(t *testing.T) {
	eachLabelled(t, func(t *testing.T, dir string) {
		name, value := labels()[0], []byte("u:object_r:properties_serial:s0\x00")
		path := filepath.Join(dir, "properties")
		fd, err := unix.Open(path, unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_EXCL, 0o444)
		require.NoError(t, err)
		defer unix.Close(fd)
		require.NoError(t, unix.Fsetxattr(fd, name, value, 0))
		require.NoError(t, unix.Ftruncate(fd, 131072))
		m, err := unix.Mmap(fd, 0, 131072, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		require.NoError(t, err)
		defer unix.Munmap(m)

		// A read-only descriptor works as well.
		reader, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		require.NoError(t, err)
		defer unix.Close(reader)
		require.NoError(t, unix.Fsetxattr(reader, name, value, unix.XATTR_REPLACE))
		got := make([]byte, 64)
		n, err := unix.Fgetxattr(reader, name, got)
		require.NoError(t, err)
		require.Equal(t, value, got[:n])
		require.NoError(t, unix.Fremovexattr(reader, name))
		_, err = unix.Fgetxattr(reader, name, got)
		require.Equal(t, unix.ENODATA, err)
	})
}

// A file that is copied up keeps its labels; those that it gets are only in the upper
// layer.
func TestLabelCopyUp(t *testing.T) {
	lower, upper, merged := mountOverlay(t)
	name := labels()[0]
	require.NoError(t, os.WriteFile(filepath.Join(lower, "file"), nil, 0o600))
	require.NoError(t, unix.Setxattr(filepath.Join(lower, "file"), name, []byte("lower"), 0))
	require.NoError(t, unix.Setxattr(filepath.Join(lower, "file"), "security.other", []byte("other"), 0))
	path := filepath.Join(merged, "file")
	expect := func(path, name, want string) {
		t.Helper()
		value := make([]byte, 16)
		n, err := unix.Getxattr(path, name, value)
		require.NoError(t, err)
		require.Equal(t, want, string(value[:n]))
	}
	expect(path, name, "lower")
	require.NoError(t, unix.Setxattr(path, name, []byte("upper"), 0))
	expect(path, name, "upper")
	expect(path, "security.other", "other")
	expect(filepath.Join(upper, "file"), "security.other", "other")
	expect(filepath.Join(lower, "file"), name, "lower")
	require.NoError(t, unix.Removexattr(path, name))
	_, err := unix.Getxattr(path, name, nil)
	require.Equal(t, unix.ENODATA, err)
	expect(filepath.Join(lower, "file"), name, "lower")
}

// Extended attributes count against inodes: nothing sets more than a tmpfs allows, and
// removal makes room again.
func TestXattrSpace(t *testing.T) {
	dir := labelledTmpfs(t)
	require.NoError(t, unix.Mount("none", dir, "tmpfs", 0, "nr_inodes=100"))
	defer func() { require.NoError(t, unix.Unmount(dir, unix.MNT_DETACH)) }()
	free := func() uint64 {
		var st unix.Statfs_t
		require.NoError(t, unix.Statfs(dir, &st))
		return st.Ffree
	}
	full := free()
	for _, prefix := range []string{"security.", "trusted.", "user."} {
		t.Run(prefix, func(t *testing.T) {
			path := filepath.Join(dir, "file")
			require.NoError(t, os.WriteFile(path, nil, 0o600))
			value := make([]byte, 4096)
			fill := func() (names []string) {
				for {
					name := fmt.Sprint(prefix, len(names))
					err := unix.Setxattr(path, name, value, 0)
					if err != nil {
						require.Equal(t, unix.ENOSPC, err)
						return names
					}
					names = append(names, name)
					require.Less(t, len(names), 100, "no limit")
				}
			}
			names := fill()
			// About 4 inodes each, plus something for names and management.
			require.InDelta(t, 22, len(names), 3)
			require.Less(t, free(), uint64(10))
			_, err := unix.Getxattr(path, fmt.Sprint(prefix, len(names)), nil)
			require.Equal(t, unix.ENODATA, err)

			// A larger value doesn't fit, and the old one stays.
			require.Equal(t, unix.ENOSPC, unix.Setxattr(path, names[0], make([]byte, 32768), 0))
			n, err := unix.Getxattr(path, names[0], nil)
			require.NoError(t, err)
			require.Equal(t, len(value), n)

			for _, name := range names {
				require.NoError(t, unix.Removexattr(path, name))
			}
			require.Equal(t, full-1, free())
			require.Equal(t, names, fill())
			require.NoError(t, os.Remove(path))
			require.Equal(t, full, free())
		})
	}
}

// File capabilities keep their own rules: whoever may set them on the file can, if they
// are well-formed.
func TestFileCapabilities(t *testing.T) {
	dir := labelledTmpfs(t)
	passable(t, dir)
	path := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.NoError(t, os.Chown(path, 1000, 1000))
	const name = "security.capability"
	version2 := string(slices.Concat([]byte{1, 0, 0, 2}, make([]byte, 16)))
	for _, who := range []struct {
		caller
		want error
	}{
		{newCaller(t).without(unix.CAP_SYS_ADMIN), nil},
		{newCaller(t).become(1000), unix.EPERM},
		{newCaller(t).without(unix.CAP_SETFCAP), unix.EPERM},
	} {
		require.Equal(t, who.want, who.setxattr(path, name, version2, 0))
		require.Equal(t, unix.EINVAL, who.setxattr(path, name, "garbage", 0))
		value, err := who.getxattr(path, name)
		require.NoError(t, err)
		require.Equal(t, version2, value)
	}
}
