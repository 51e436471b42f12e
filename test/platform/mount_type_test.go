// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// privateTmpfs mounts a tmpfs, from which nothing propagates, and returns its path.
func privateTmpfs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, unix.Mount("none", dir, "tmpfs", 0, ""))
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	require.NoError(t, unix.Mount("", dir, "", unix.MS_PRIVATE, ""))
	return dir
}

// mountPoints creates a directory and one of each kind of file in a new tmpfs, and
// returns its path and the names of the files.
func mountPoints(t *testing.T) (dir string, files []string) {
	t.Helper()
	dir = privateTmpfs(t)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "directory"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), []byte("content"), 0o644))
	require.NoError(t, unix.Mknod(filepath.Join(dir, "device"), unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))))
	require.NoError(t, unix.Mknod(filepath.Join(dir, "pipe"), unix.S_IFIFO|0o600, 0))
	require.NoError(t, unix.Mknod(filepath.Join(dir, "socket"), unix.S_IFSOCK|0o600, 0))
	require.NoError(t, os.Symlink("file", filepath.Join(dir, "link")))
	return dir, []string{"file", "device", "pipe", "socket", "link"}
}

// mode returns the type of the file at path.
func mode(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Mode().Type()
}

func TestMountOnFile(t *testing.T) {
	dir, files := mountPoints(t)
	for _, file := range files {
		for _, fs := range []string{"tmpfs", "proc", "binder"} {
			t.Run(fmt.Sprintf("%s on %s", fs, file), func(t *testing.T) {
				path := filepath.Join(dir, file)
				before := mode(t, path)
				require.Equal(t, unix.ENOTDIR, unix.Mount("none", path, fs, 0, ""))
				require.Equal(t, before, mode(t, path))
			})
		}
	}

	t.Run("covered file", func(t *testing.T) {
		path := filepath.Join(dir, "file")
		require.NoError(t, unix.Mount(filepath.Join(dir, "device"), path, "", unix.MS_BIND, ""))
		require.Equal(t, unix.ENOTDIR, unix.Mount("none", path, "tmpfs", 0, ""))
		require.NoError(t, unix.Unmount(path, 0))
	})
	t.Run("errors of the file system come first", func(t *testing.T) {
		path := filepath.Join(dir, "file")
		require.Equal(t, unix.ENODEV, unix.Mount("none", path, "no such file system", 0, ""))
		require.Equal(t, unix.EINVAL, unix.Mount("none", path, "tmpfs", 0, "no such option"))
	})
}

func TestMountDevice(t *testing.T) {
	dir := privateTmpfs(t)
	require.NoError(t, unix.Mount("none", dir, "binder", 0, ""))
	defer func() { require.NoError(t, unix.Unmount(dir, 0)) }()
	device := filepath.Join(dir, "binder-control")
	require.Equal(t, unix.ENOTDIR, unix.Mount("none", device, "binder", 0, ""))
	require.Equal(t, os.ModeDevice|os.ModeCharDevice, mode(t, device))
}

func TestBindOfType(t *testing.T) {
	dir, files := mountPoints(t)
	directory := filepath.Join(dir, "directory")
	target := filepath.Join(dir, "target")
	require.NoError(t, os.WriteFile(target, nil, 0o644))
	for _, flags := range []uintptr{unix.MS_BIND, unix.MS_BIND | unix.MS_REC} {
		for _, file := range files {
			t.Run(fmt.Sprintf("%s %#x", file, flags), func(t *testing.T) {
				path := filepath.Join(dir, file)
				require.Equal(t, unix.ENOTDIR, unix.Mount(directory, path, "", flags, ""))
				require.Equal(t, unix.ENOTDIR, unix.Mount(path, directory, "", flags, ""))

				require.NoError(t, unix.Mount(path, target, "", flags, ""))
				require.Equal(t, mode(t, path), mode(t, target))
				require.NoError(t, unix.Unmount(target, 0))
			})
		}
	}
	t.Run("directory", func(t *testing.T) {
		other := filepath.Join(dir, "other")
		require.NoError(t, os.Mkdir(other, 0o755))
		require.NoError(t, unix.Mount(directory, other, "", unix.MS_BIND, ""))
		require.NoError(t, unix.Unmount(other, 0))
	})
}

func TestMoveMountOfType(t *testing.T) {
	dir, _ := mountPoints(t)
	file, directory := filepath.Join(dir, "file"), filepath.Join(dir, "directory")
	target, targetDir := filepath.Join(dir, "target"), filepath.Join(dir, "target directory")
	require.NoError(t, os.WriteFile(target, nil, 0o644))
	require.NoError(t, os.Mkdir(targetDir, 0o755))

	// move returns the result with which mount(2) and move_mount(2) move the mount at
	// from to to.
	move := map[string]func(from, to string) error{
		"mount": func(from, to string) error {
			return unix.Mount(from, to, "", unix.MS_MOVE, "")
		},
		"move_mount": func(from, to string) error {
			return unix.MoveMount(unix.AT_FDCWD, from, unix.AT_FDCWD, to, 0)
		},
		"open_tree": func(from, to string) error {
			tree, err := unix.OpenTree(unix.AT_FDCWD, from, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
			if err != nil {
				return err
			}
			defer unix.Close(tree)
			if err := unix.MoveMount(tree, "", unix.AT_FDCWD, to, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
				return err
			}
			return unix.Unmount(from, 0)
		},
	}
	for name, move := range move {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, unix.Mount(file, file, "", unix.MS_BIND, ""))
			require.Equal(t, unix.EINVAL, move(file, targetDir))
			require.NoError(t, move(file, target))
			content, err := os.ReadFile(target)
			require.NoError(t, err)
			require.Equal(t, "content", string(content))
			require.NoError(t, unix.Unmount(target, unix.MNT_DETACH))

			require.NoError(t, unix.Mount("none", directory, "tmpfs", 0, ""))
			require.Equal(t, unix.EINVAL, move(directory, target))
			require.NoError(t, move(directory, targetDir))
			require.NoError(t, unix.Unmount(targetDir, unix.MNT_DETACH))
		})
	}

	t.Run("fsmount", func(t *testing.T) {
		fs, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
		require.NoError(t, err)
		defer unix.Close(fs)
		require.NoError(t, unix.FsconfigCreate(fs))
		mount, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
		require.NoError(t, err)
		defer unix.Close(mount)
		require.Equal(t, unix.EINVAL, unix.MoveMount(mount, "", unix.AT_FDCWD, file, unix.MOVE_MOUNT_F_EMPTY_PATH))
		require.NoError(t, unix.MoveMount(mount, "", unix.AT_FDCWD, directory, unix.MOVE_MOUNT_F_EMPTY_PATH))
		require.NoError(t, unix.Unmount(directory, unix.MNT_DETACH))
	})
}

func TestPivotRootToFile(t *testing.T) {
	dir, _ := mountPoints(t)
	file, directory := filepath.Join(dir, "file"), filepath.Join(dir, "directory")
	require.NoError(t, unix.Mount(file, file, "", unix.MS_BIND, ""))
	defer func() { require.NoError(t, unix.Unmount(file, 0)) }()
	require.Equal(t, unix.ENOTDIR, unix.PivotRoot(file, file))
	require.Equal(t, unix.ENOTDIR, unix.PivotRoot(directory, file))
	require.Equal(t, unix.ENOTDIR, unix.PivotRoot(file, directory))
}
