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
)

const (
	oTmpfile   = unix.O_TMPFILE &^ unix.O_DIRECTORY // __O_TMPFILE
	oLargefile = 0o100000                           // which unix.O_LARGEFILE isn't
	oEmptyPath = 1 << 26
)

// openat is openat(2) without the flags that unix.Openat adds.
func openat(dir int, path string, flags int) (int, error) {
	p, err := unix.BytePtrFromString(path)
	if err != nil {
		return -1, err
	}
	fd, _, errno := unix.Syscall6(unix.SYS_OPENAT, uintptr(dir), uintptr(unsafe.Pointer(p)), uintptr(flags), 0o600, 0, 0)
	if errno != 0 {
		return -1, errno
	}
	return int(fd), nil
}

// statusFlags returns the status flags of fd, which it closes.
func statusFlags(t *testing.T, fd int) int {
	t.Helper()
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	require.NoError(t, err)
	require.NoError(t, unix.Close(fd))
	return flags
}

// inode returns the number of fd's inode.
func inode(t *testing.T, fd int) uint64 {
	t.Helper()
	var st unix.Stat_t
	require.NoError(t, unix.Fstat(fd, &st))
	return st.Ino
}

// openable creates a file, a pipe, and a device, and returns their paths by name, and the
// path of their directory.
func openable(t *testing.T) (string, map[string]string) {
	t.Helper()
	dir := privateTmpfs(t)
	paths := map[string]string{
		"file":   filepath.Join(dir, "file"),
		"pipe":   filepath.Join(dir, "pipe"),
		"device": filepath.Join(dir, "binder/binder-control"),
	}
	require.NoError(t, os.WriteFile(paths["file"], []byte("content"), 0o644))
	require.NoError(t, unix.Mkfifo(paths["pipe"], 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "binder"), 0o755))
	require.NoError(t, unix.Mount("none", filepath.Join(dir, "binder"), "binder", 0, ""))
	return dir, paths
}

// Unknown flags are ignored, and F_GETFL returns the others.
func TestOpenFlags(t *testing.T) {
	_, paths := openable(t)
	for name, path := range paths {
		for bit := range 32 {
			flag := 1 << bit
			want := unix.O_RDWR | oLargefile
			switch flag {
			case unix.O_APPEND, unix.O_NONBLOCK, unix.O_DSYNC, unix.O_ASYNC, unix.O_NOFOLLOW, unix.O_NOATIME, oEmptyPath:
				want |= flag
			case unix.O_SYNC &^ unix.O_DSYNC:
				want |= unix.O_SYNC
			case unix.O_PATH:
				want = unix.O_PATH
			case unix.O_WRONLY, unix.O_RDWR, unix.O_CREAT, unix.O_EXCL, unix.O_TRUNC, unix.O_DIRECT, unix.O_DIRECTORY, oTmpfile:
				continue // These have other effects.
			}
			t.Run(fmt.Sprintf("%s %#x", name, flag), func(t *testing.T) {
				fd, err := openat(unix.AT_FDCWD, path, unix.O_RDWR|flag)
				require.NoError(t, err)
				require.Equal(t, want, statusFlags(t, fd))
			})
		}
	}
}

func TestOpenTmpfile(t *testing.T) {
	dir, paths := openable(t)
	open := func(path string, flags int) error {
		fd, err := openat(unix.AT_FDCWD, path, unix.O_TMPFILE|flags)
		if err == nil {
			require.NoError(t, unix.Close(fd))
		}
		return err
	}
	for name, path := range paths {
		t.Run(name, func(t *testing.T) {
			for _, flags := range []int{unix.O_RDWR, unix.O_WRONLY, unix.O_RDWR | unix.O_EXCL, unix.O_RDWR | unix.O_NOFOLLOW} {
				require.Equal(t, unix.ENOTDIR, open(path, flags))
				require.Equal(t, unix.ENOTDIR, open(path+"/", flags))
				require.Equal(t, unix.ENOTDIR, open(path+"/x", flags))
			}
			require.Equal(t, unix.EINVAL, open(path, unix.O_RDONLY))
			require.Equal(t, unix.EINVAL, open(path, unix.O_RDWR|unix.O_CREAT))
		})
	}
	t.Run("link", func(t *testing.T) {
		require.NoError(t, os.Symlink("file", filepath.Join(dir, "link")))
		require.Equal(t, unix.ENOTDIR, open(filepath.Join(dir, "link"), unix.O_RDWR))
		require.NoError(t, os.Symlink("binder", filepath.Join(dir, "directory link")))
		require.Equal(t, unix.EOPNOTSUPP, open(filepath.Join(dir, "directory link"), unix.O_RDWR))
		require.Equal(t, unix.ENOTDIR, open(filepath.Join(dir, "directory link"), unix.O_RDWR|unix.O_NOFOLLOW))
		require.NoError(t, os.Symlink("nowhere", filepath.Join(dir, "dead link")))
		require.Equal(t, unix.ENOENT, open(filepath.Join(dir, "dead link"), unix.O_RDWR))
	})
	t.Run("missing", func(t *testing.T) {
		require.Equal(t, unix.ENOENT, open(filepath.Join(dir, "missing"), unix.O_RDWR))
		require.Equal(t, unix.ENOENT, open("", unix.O_RDWR))
	})
	t.Run("file systems without it", func(t *testing.T) {
		require.Equal(t, unix.EOPNOTSUPP, open(filepath.Join(dir, "binder"), unix.O_RDWR))
		require.Equal(t, unix.EOPNOTSUPP, open("/proc", unix.O_RDWR))
		require.Equal(t, unix.EOPNOTSUPP, open("/sys", unix.O_RDWR))
	})
	t.Run("read-only", func(t *testing.T) {
		ro := filepath.Join(dir, "read-only")
		require.NoError(t, os.Mkdir(ro, 0o755))
		require.NoError(t, unix.Mount("none", ro, "tmpfs", unix.MS_RDONLY, ""))
		require.Equal(t, unix.EROFS, open(ro, unix.O_RDWR))
	})
}

func TestOpenCreateDirectory(t *testing.T) {
	dir, paths := openable(t)
	paths["directory"] = dir
	paths["missing"] = filepath.Join(dir, "missing")
	paths["missing directory"] = filepath.Join(dir, "missing/missing")
	for name, path := range paths {
		t.Run(name, func(t *testing.T) {
			for _, flags := range []int{unix.O_RDONLY, unix.O_RDWR, unix.O_EXCL} {
				_, err := openat(unix.AT_FDCWD, path, unix.O_CREAT|unix.O_DIRECTORY|flags)
				require.Equal(t, unix.EINVAL, err)
			}
		})
	}
	// O_CREAT is ignored with O_PATH.
	fd, err := openat(unix.AT_FDCWD, dir, unix.O_CREAT|unix.O_DIRECTORY|unix.O_PATH)
	require.NoError(t, err)
	require.Equal(t, unix.O_PATH|unix.O_DIRECTORY, statusFlags(t, fd))
	require.NoFileExists(t, paths["missing"])
}

// O_EMPTYPATH reopens the file that the descriptor refers to.
func TestOpenEmptyPath(t *testing.T) {
	dir, paths := openable(t)
	for name, path := range paths {
		for _, flags := range []int{unix.O_RDWR, unix.O_PATH} {
			t.Run(fmt.Sprintf("%s %#x", name, flags), func(t *testing.T) {
				fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0)
				require.NoError(t, err)
				defer unix.Close(fd)

				again, err := openat(fd, "", unix.O_RDWR|oEmptyPath)
				require.NoError(t, err)
				require.Equal(t, inode(t, fd), inode(t, again))
				require.Equal(t, unix.O_RDWR|oLargefile|oEmptyPath, statusFlags(t, again))

				again, err = openat(fd, "", unix.O_PATH|oEmptyPath)
				require.NoError(t, err)
				require.Equal(t, inode(t, fd), inode(t, again))
				require.Equal(t, unix.O_PATH|oEmptyPath, statusFlags(t, again))

				again, err = unix.Openat2(fd, "", &unix.OpenHow{Flags: unix.O_RDWR | oEmptyPath})
				require.NoError(t, err)
				require.Equal(t, unix.O_RDWR|oLargefile|oEmptyPath, statusFlags(t, again))

				_, err = openat(fd, "", unix.O_RDWR)
				require.Equal(t, unix.ENOENT, err)
				_, err = openat(fd, "", unix.O_RDONLY|unix.O_DIRECTORY|oEmptyPath)
				require.Equal(t, unix.ENOTDIR, err)
				_, err = openat(fd, "", unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|oEmptyPath)
				require.Equal(t, unix.EEXIST, err)
				_, err = openat(fd, "x", unix.O_RDWR|oEmptyPath)
				require.Equal(t, unix.ENOTDIR, err)
			})
		}
	}
	t.Run("directory", func(t *testing.T) {
		fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		require.NoError(t, err)
		defer unix.Close(fd)
		again, err := openat(fd, "", oEmptyPath)
		require.NoError(t, err)
		require.Equal(t, inode(t, fd), inode(t, again))
		require.NoError(t, unix.Close(again))
		_, err = openat(fd, "", unix.O_RDWR|oEmptyPath)
		require.Equal(t, unix.EISDIR, err)
		again, err = openat(unix.AT_FDCWD, "", oEmptyPath)
		require.NoError(t, err)
		require.Equal(t, oLargefile|oEmptyPath, statusFlags(t, again))
		again, err = openat(fd, "file", oEmptyPath)
		require.NoError(t, err)
		require.Equal(t, oLargefile|oEmptyPath, statusFlags(t, again))
	})
	t.Run("no descriptor", func(t *testing.T) {
		_, err := openat(1<<20, "", oEmptyPath)
		require.Equal(t, unix.EBADF, err)
	})
}
