// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// shownMount is a mount as /proc/self/mountinfo and /proc/self/mounts show it.
type shownMount struct {
	source string
	// options are the mount's own, superOptions the file system's.
	options, superOptions string
	// mounts holds both, as /proc/self/mounts shows them.
	mounts string
}

// shown returns the topmost mount at dir, or at a path that is shown as dir.
func shown(t *testing.T, dir string) shownMount {
	t.Helper()
	var m shownMount
	found := false
	mountinfo, err := os.ReadFile("/proc/self/mountinfo")
	require.NoError(t, err)
	for line := range strings.Lines(string(mountinfo)) {
		before, after, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " - ")
		require.True(t, ok, line)
		mount, super := strings.Split(before, " "), strings.Split(after, " ")
		require.Len(t, super, 3, line)
		if mount[4] == dir {
			m = shownMount{source: super[1], options: mount[5], superOptions: super[2]}
			found = true
		}
	}
	require.True(t, found, "%s isn't in\n%s", dir, mountinfo)

	mounts, err := os.ReadFile("/proc/self/mounts")
	require.NoError(t, err)
	source := ""
	for line := range strings.Lines(string(mounts)) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), " ")
		require.Len(t, fields, 6, line)
		if fields[1] == dir {
			source, m.mounts = fields[0], fields[3]
		}
	}
	require.Equal(t, m.source, source, "%s in\n%s", dir, mounts)
	return m
}

// option returns the first of a list of options, rw or ro.
func option(options string) string {
	first, _, _ := strings.Cut(options, ",")
	return first
}

func TestMountSource(t *testing.T) {
	dir := privateTmpfs(t)
	for source, want := range map[string]string{
		"source":              "source",
		"none":                "none",
		"/dev/block:1,2=3\"'": "/dev/block:1,2=3\"'",
		"a b\tc\nd\\e#f":      `a\040b\011c\012d\134e\043f`,
		"#comment":            `\043comment`,
		"\\040":               `\134040`,
		"\x01\x7f\u00e9\xff":  "\x01\x7f\u00e9\xff",
	} {
		for _, fs := range []string{"tmpfs", "proc", "binder"} {
			t.Run(fmt.Sprintf("%s %q", fs, source), func(t *testing.T) {
				require.NoError(t, unix.Mount(source, dir, fs, 0, ""))
				defer func() { require.NoError(t, unix.Unmount(dir, 0)) }()
				require.Equal(t, want, shown(t, dir).source)
			})
		}
	}

	t.Run("null", func(t *testing.T) {
		target, err := unix.BytePtrFromString(dir)
		require.NoError(t, err)
		fs, err := unix.BytePtrFromString("tmpfs")
		require.NoError(t, err)
		_, _, errno := unix.Syscall6(unix.SYS_MOUNT, 0, uintptr(unsafe.Pointer(target)), uintptr(unsafe.Pointer(fs)), 0, 0, 0)
		require.Zero(t, errno)
		defer func() { require.NoError(t, unix.Unmount(dir, 0)) }()
		require.Equal(t, "none", shown(t, dir).source)
	})
}

func TestMountSourceStays(t *testing.T) {
	dir := privateTmpfs(t)
	first, second := filepath.Join(dir, "first"), filepath.Join(dir, "second")
	require.NoError(t, os.Mkdir(first, 0o755))
	require.NoError(t, os.Mkdir(second, 0o755))
	require.NoError(t, unix.Mount("source", first, "tmpfs", 0, ""))

	require.NoError(t, unix.Mount(first, second, "", unix.MS_BIND, ""))
	require.Equal(t, "source", shown(t, second).source)
	require.NoError(t, unix.Mount("other", first, "", unix.MS_REMOUNT, ""))
	require.Equal(t, "source", shown(t, first).source)
	require.NoError(t, unix.Unmount(second, 0))
	require.NoError(t, unix.Mount(first, second, "", unix.MS_MOVE, ""))
	require.Equal(t, "source", shown(t, second).source)
}

// The source belongs to the mount: mounts of one file system may have different ones.
func TestMountSourceOfMount(t *testing.T) {
	dir := privateTmpfs(t)
	first, second := filepath.Join(dir, "first"), filepath.Join(dir, "second")
	require.NoError(t, os.Mkdir(first, 0o755))
	require.NoError(t, os.Mkdir(second, 0o755))
	require.NoError(t, unix.Mount("one", first, "mqueue", 0, ""))
	require.NoError(t, unix.Mount("two", second, "mqueue", 0, ""))
	require.Equal(t, "one", shown(t, first).source)
	require.Equal(t, "two", shown(t, second).source)
}

func TestMountSourceOfFsopen(t *testing.T) {
	dir := privateTmpfs(t)
	for _, source := range []string{"", "a source"} {
		t.Run(source, func(t *testing.T) {
			fs, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
			require.NoError(t, err)
			defer unix.Close(fs)
			want := "none"
			if source != "" {
				require.NoError(t, unix.FsconfigSetString(fs, "source", source))
				want = `a\040source`
			}
			require.NoError(t, unix.FsconfigCreate(fs))
			mount, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_STRICTATIME)
			require.NoError(t, err)
			defer unix.Close(mount)
			require.NoError(t, unix.MoveMount(mount, "", unix.AT_FDCWD, dir, unix.MOVE_MOUNT_F_EMPTY_PATH))
			defer func() { require.NoError(t, unix.Unmount(dir, unix.MNT_DETACH)) }()
			m := shown(t, dir)
			require.Equal(t, want, m.source)
			require.Equal(t, "rw", m.options)
		})
	}
}

func TestMountPath(t *testing.T) {
	dir := filepath.Join(privateTmpfs(t), "a b\tc\nd\\e#f")
	require.NoError(t, os.Mkdir(dir, 0o755))
	require.NoError(t, unix.Mount("source", dir, "tmpfs", 0, ""))
	m := shown(t, filepath.Join(filepath.Dir(dir), `a\040b\011c\012d\134e#f`))
	require.Equal(t, "source", m.source)
	require.NotEmpty(t, m.mounts)
}

func TestMountFlags(t *testing.T) {
	dir := privateTmpfs(t)
	const atime = unix.ST_NOATIME | unix.ST_RELATIME
	for _, test := range []struct {
		flags   uintptr
		options string
		statfs  int64
	}{
		{0, "rw,relatime", unix.ST_RELATIME},
		{unix.MS_RELATIME, "rw,relatime", unix.ST_RELATIME},
		{unix.MS_NOATIME, "rw,noatime", unix.ST_NOATIME},
		{unix.MS_STRICTATIME, "rw", 0},
		{unix.MS_NOATIME | unix.MS_RELATIME, "rw,noatime", unix.ST_NOATIME},
		{unix.MS_NOATIME | unix.MS_STRICTATIME, "rw", 0},
		{unix.MS_RELATIME | unix.MS_STRICTATIME, "rw", 0},
		{unix.MS_RDONLY, "ro,relatime", unix.ST_RELATIME},
		{unix.MS_NOSUID, "rw,nosuid,relatime", unix.ST_RELATIME},
		{unix.MS_NODEV, "rw,nodev,relatime", unix.ST_RELATIME},
		{unix.MS_NOEXEC, "rw,noexec,relatime", unix.ST_RELATIME},
		{unix.MS_SILENT, "rw,relatime", unix.ST_RELATIME},
		{
			unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_NOATIME,
			"ro,nosuid,nodev,noexec,noatime", unix.ST_NOATIME,
		},
	} {
		t.Run(fmt.Sprintf("%#x", test.flags), func(t *testing.T) {
			require.NoError(t, unix.Mount("none", dir, "tmpfs", test.flags, ""))
			defer func() { require.NoError(t, unix.Unmount(dir, 0)) }()
			m := shown(t, dir)
			require.Equal(t, test.options, m.options)
			require.Equal(t, option(test.options), option(m.superOptions))
			require.True(t, strings.HasPrefix(m.mounts+",", test.options+","), m.mounts)

			var st unix.Statfs_t
			require.NoError(t, unix.Statfs(dir, &st))
			require.Equal(t, test.statfs, st.Flags&atime)
		})
	}
}

// A remount that doesn't mention access times leaves them as they are.
func TestRemountKeepsATime(t *testing.T) {
	dir := privateTmpfs(t)
	require.NoError(t, unix.Mount("none", dir, "tmpfs", unix.MS_NOATIME|unix.MS_NODEV, ""))
	defer func() { require.NoError(t, unix.Unmount(dir, 0)) }()
	for _, test := range []struct {
		flags   uintptr
		options string
	}{
		{unix.MS_BIND, "rw,noatime"},
		{unix.MS_BIND | unix.MS_RELATIME | unix.MS_NOSUID, "rw,nosuid,relatime"},
		{unix.MS_BIND, "rw,relatime"},
		{unix.MS_BIND | unix.MS_STRICTATIME, "rw"},
		{0, "rw"},
		{unix.MS_NOATIME, "rw,noatime"},
		{0, "rw,noatime"},
		{unix.MS_STRICTATIME | unix.MS_NOATIME, "rw"},
	} {
		require.NoError(t, unix.Mount("", dir, "", unix.MS_REMOUNT|test.flags, ""))
		require.Equal(t, test.options, shown(t, dir).options, "%#x", test.flags)
	}
}

// A mount can be read-only without its file system.
func TestReadOnlyMount(t *testing.T) {
	requireReadOnly := func(t *testing.T, dir, mount, fs string) {
		t.Helper()
		m := shown(t, dir)
		require.Equal(t, mount, option(m.options))
		require.Equal(t, fs, option(m.superOptions))
		require.Equal(t, mount, option(m.mounts))
	}
	for _, fs := range []string{"tmpfs", "binder"} {
		t.Run(fs, func(t *testing.T) {
			dir := privateTmpfs(t)
			first, second := filepath.Join(dir, "first"), filepath.Join(dir, "second")
			require.NoError(t, os.Mkdir(first, 0o755))
			require.NoError(t, os.Mkdir(second, 0o755))
			require.NoError(t, unix.Mount("none", first, fs, 0, ""))
			require.NoError(t, unix.Mount(first, second, "", unix.MS_BIND, ""))
			requireReadOnly(t, second, "rw", "rw")

			require.NoError(t, unix.Mount("", second, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""))
			requireReadOnly(t, first, "rw", "rw")
			requireReadOnly(t, second, "ro", "rw")
			require.NoError(t, unix.Mount("", second, "", unix.MS_REMOUNT|unix.MS_BIND, ""))
			requireReadOnly(t, second, "rw", "rw")

			require.NoError(t, unix.Unmount(second, 0))
			require.NoError(t, unix.Mount("", first, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
			requireReadOnly(t, first, "ro", "ro")
			require.NoError(t, unix.Mount(first, second, "", unix.MS_BIND, ""))
			requireReadOnly(t, second, "ro", "ro")
			require.NoError(t, unix.Mount("", first, "", unix.MS_REMOUNT, ""))
			requireReadOnly(t, first, "rw", "rw")
			requireReadOnly(t, second, "ro", "rw")
		})
	}
	t.Run("fsmount", func(t *testing.T) {
		dir := privateTmpfs(t)
		fs, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
		require.NoError(t, err)
		defer unix.Close(fs)
		require.NoError(t, unix.FsconfigCreate(fs))
		mount, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_RDONLY)
		require.NoError(t, err)
		defer unix.Close(mount)
		require.NoError(t, unix.MoveMount(mount, "", unix.AT_FDCWD, dir, unix.MOVE_MOUNT_F_EMPTY_PATH))
		defer func() { require.NoError(t, unix.Unmount(dir, unix.MNT_DETACH)) }()
		requireReadOnly(t, dir, "ro", "rw")
	})
}
