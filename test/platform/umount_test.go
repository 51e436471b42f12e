// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/test/syscalls/remote"
)

// TestUmountOfAnothersMountPoint: a directory that is a mount point only in another mount
// namespace isn't one here, and the mount that contains it stays.
func TestUmountOfAnothersMountPoint(t *testing.T) {
	outer := t.TempDir()
	require.NoError(t, unix.Mount("tmpfs", outer, "tmpfs", 0, ""))
	t.Cleanup(func() { unix.Unmount(outer, unix.MNT_DETACH) })
	inner := filepath.Join(outer, "inner")
	require.NoError(t, os.Mkdir(inner, 0o755))

	p := remote.NewProcess(t)
	path, fsType := remote.Alloc(t, len(inner)+1), remote.Alloc(t, 8)
	copy(remote.Bytes(path, len(inner)), inner)
	copy(remote.Bytes(fsType, 8), "tmpfs")
	p.Must(t, unix.SYS_UNSHARE, unix.CLONE_NEWNS)
	root := remote.Alloc(t, 2)
	copy(remote.Bytes(root, 1), "/")
	p.Must(t, unix.SYS_MOUNT, root, root, root, unix.MS_REC|unix.MS_PRIVATE, 0)
	p.Must(t, unix.SYS_MOUNT, fsType, path, fsType, 0, 0)

	for _, flags := range []int{0, unix.MNT_DETACH} {
		require.Equal(t, unix.EINVAL, unix.Unmount(inner, flags))
		require.DirExists(t, inner)
	}
	// There it is one.
	p.Must(t, unix.SYS_UMOUNT2, path, 0)
	require.NoError(t, unix.Unmount(outer, 0))
}
