// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The numbers of classes, which the policy has, too.
const (
	processClass = 2
	fileClass    = 6
	socketClass  = 23
)

// openSelinux opens a file of selinuxfs until the end of the test.
func openSelinux(t *testing.T, name string, flags int) int {
	t.Helper()
	fd, err := unix.Open(filepath.Join(selinuxfs, name), flags|unix.O_CLOEXEC, 0)
	require.NoError(t, err, name)
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

func readSome(t *testing.T, fd, size int) string {
	t.Helper()
	buf := make([]byte, size)
	n, err := unix.Read(fd, buf)
	require.NoError(t, err)
	return string(buf[:n])
}

// askSelinux writes a query to a file and reads the answer.
func askSelinux(t *testing.T, name, question string) (string, error) {
	t.Helper()
	fd := openSelinux(t, name, unix.O_RDWR)
	if _, err := unix.Write(fd, []byte(question)); err != nil {
		return "", err
	}
	return readSome(t, fd, 5000), nil
}

// libselinux and Android's init read these.
func TestLabelsSelinuxfs(t *testing.T) {
	needLabels(t)
	var statfs unix.Statfs_t
	require.NoError(t, unix.Statfs(selinuxfs, &statfs))
	require.EqualValues(t, unix.SELINUX_MAGIC, statfs.Type)
	filesystems, err := os.ReadFile("/proc/filesystems")
	require.NoError(t, err)
	require.Contains(t, string(filesystems), "nodev\tselinuxfs\n")

	for name, want := range map[string]string{
		"enforce": "0", "mls": "1", "deny_unknown": "0", "reject_unknown": "0", "checkreqprot": "0",
		"class/process/index": "2", "class/file/index": "6", "class/unix_stream_socket/index": "23",
		"initial_contexts/kernel": kernelLabel + "\x00", "initial_contexts/unlabeled": unlabeledLabel + "\x00",
	} {
		require.Equal(t, want, readSome(t, openSelinux(t, name, unix.O_RDONLY), 100), name)
	}
	version, err := strconv.Atoi(readSome(t, openSelinux(t, "policyvers", unix.O_RDONLY), 100))
	require.NoError(t, err)
	require.GreaterOrEqual(t, version, 30, "Android's policies have that version")
	booleans, err := os.ReadDir(selinuxfs + "/booleans")
	require.NoError(t, err)
	require.Empty(t, booleans)

	null := openSelinux(t, "null", unix.O_RDWR)
	var st unix.Stat_t
	require.NoError(t, unix.Fstat(null, &st))
	require.EqualValues(t, unix.S_IFCHR|0o666, st.Mode)
	require.EqualValues(t, unix.Mkdev(1, 3), st.Rdev)
	_, err = unix.Write(null, []byte("x"))
	require.NoError(t, err)
	require.Empty(t, readSome(t, null, 1))
}

// The status is a page that libselinux maps.
func TestLabelsStatus(t *testing.T) {
	needLabels(t)
	fd := openSelinux(t, "status", unix.O_RDONLY)
	page := newMapping(t, memPage, unix.PROT_READ, unix.MAP_SHARED, fd)
	status := unsafe.Slice(page.at(0), 20)
	require.Equal(t, readSome(t, fd, 100), string(status))
	field := func(i int) uint32 { return binary.NativeEndian.Uint32(status[4*i:]) }
	require.EqualValues(t, 1, field(0), "version")
	require.Zero(t, field(1)%2, "the sequence number is odd during changes")
	require.Zero(t, field(2), "enforcing")
	require.NotZero(t, field(3), "the number of policies loaded")
	require.Zero(t, field(4), "deny_unknown")
	require.Zero(t, *page.at(memPage - 1))

	require.Equal(t, unix.EACCES, syscallError(unix.Syscall(unix.SYS_MPROTECT, page.addr, memPage, unix.PROT_READ|unix.PROT_WRITE)))
	mmap := func(fd, size, prot, flags, offset int) error {
		return syscallError(unix.Syscall6(unix.SYS_MMAP, 0, uintptr(size), uintptr(prot), uintptr(flags), uintptr(fd), uintptr(offset)))
	}
	require.Equal(t, unix.EIO, mmap(fd, 2*memPage, unix.PROT_READ, unix.MAP_SHARED, 0))
	require.Equal(t, unix.EIO, mmap(fd, memPage, unix.PROT_READ, unix.MAP_SHARED, memPage))
	require.Equal(t, unix.EACCES, mmap(fd, memPage, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED, 0))
	require.Equal(t, unix.EPERM, mmap(fd, memPage, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE, 0))
	writable := openSelinux(t, "status", unix.O_RDWR)
	require.Equal(t, unix.EPERM, mmap(writable, memPage, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED, 0))
	newMapping(t, 1, unix.PROT_READ, unix.MAP_PRIVATE, fd)
}

// Queries return what SELinux computes.
func TestLabelsQuestions(t *testing.T) {
	needLabels(t)
	for _, tc := range []struct {
		source, target          string
		class                   int
		create, relabel, member string
	}{
		{initLabel, adbdExecLabel, processClass, adbdLabel, initLabel, initLabel},
		{initLabel, fileLabel, processClass, initLabel, initLabel, initLabel},
		{initLabel + ":c0", adbdExecLabel + ":c1", fileClass, adbdExecLabel + ":c0", adbdExecLabel + ":c0", adbdExecLabel + ":c0"},
		{initLabel + "-s0:c0", fileLabel, fileClass, fileLabel, fileLabel, fileLabel},
		{initLabel + "-s0:c0", adbdLabel + ":c1", processClass, initLabel + "-s0:c0", initLabel + "-s0:c0", initLabel},
		{initLabel, adbdLabel, socketClass, initLabel, initLabel, initLabel},
		{initLabel, fileLabel, 0, fileLabel, fileLabel, fileLabel},
		{initLabel, fileLabel, 999, fileLabel, fileLabel, fileLabel},
	} {
		for name, want := range map[string]string{"create": tc.create, "relabel": tc.relabel, "member": tc.member} {
			for _, format := range []string{"%s %s %d", "%s\n %s\t%d", "%s %s %d name", "%s %s %dx"} {
				question := fmt.Sprintf(format, tc.source, tc.target, tc.class)
				got, err := askSelinux(t, name, question)
				require.NoError(t, err, "%s %q", name, question)
				require.Equal(t, want+"\x00", got, "%s %q", name, question)
			}
		}
	}
	for _, name := range []string{"create", "relabel", "member", "access"} {
		for _, question := range []string{"", initLabel, initLabel + " " + fileLabel, initLabel + " " + fileLabel + " x", initLabel + " " + fileLabel + " -1", "bad " + fileLabel + " 2", initLabel + " bad 2"} {
			_, err := askSelinux(t, name, question)
			require.Equal(t, unix.EINVAL, err, "%s %q", name, question)
		}
	}

	for _, question := range []string{initLabel + " " + fileLabel + " 6", initLabel + " " + fileLabel + " 6 ffff"} {
		answer, err := askSelinux(t, "access", question)
		require.NoError(t, err)
		var allowed, decided, auditAllow, auditDeny, sequence, flags uint32
		_, err = fmt.Sscanf(answer, "%x %x %x %x %d %x", &allowed, &decided, &auditAllow, &auditDeny, &sequence, &flags)
		require.NoError(t, err, answer)
		require.EqualValues(t, []uint32{^uint32(0), 0, ^uint32(0), 1}, []uint32{decided, auditAllow, auditDeny, sequence})
		if !onLinux() {
			// Linux's policy allows nothing, but its mode makes that irrelevant.
			require.EqualValues(t, []uint32{^uint32(0), 1}, []uint32{allowed, flags})
		}
	}

	for question, want := range map[string]string{
		initLabel: initLabel, initLabel + "\x00": initLabel, "u:r:init:s0:c2,c0": "u:r:init:s0:c0,c2",
		"u:r:init:s0:c0.c1": "u:r:init:s0:c0,c1", "u:r:init:s0:c0,c1,c2": "u:r:init:s0:c0.c2", "u:r:init:s0-s0": initLabel,
	} {
		got, err := askSelinux(t, "context", question)
		require.NoError(t, err, question)
		require.Equal(t, want+"\x00", got, question)
	}
	for _, question := range []string{"", "bad", "u:r:init", initLabel + "\n", initLabel + " ", "u:r:init:s0:c1.c0", "u:r:init:s0:c1-s0:c0"} {
		_, err := askSelinux(t, "context", question)
		require.Equal(t, unix.EINVAL, err, question)
	}
	for _, question := range []string{initLabel + " u", "bad"} {
		got, err := askSelinux(t, "user", question)
		require.NoError(t, err)
		require.Equal(t, "0\x00", got)
	}
}

// An open file accepts one query, and holds its answer forever.
func TestLabelsTransaction(t *testing.T) {
	needLabels(t)
	fd := openSelinux(t, "context", unix.O_RDWR)
	write := func(question string) error {
		_, err := unix.Write(fd, []byte(question))
		return err
	}
	require.Empty(t, readSome(t, fd, 10))
	require.NoError(t, write(initLabel))
	require.Equal(t, unix.EBUSY, write(initLabel))
	require.Equal(t, initLabel[:5], readSome(t, fd, 5))
	require.Equal(t, initLabel[5:]+"\x00", readSome(t, fd, 50))
	require.Empty(t, readSome(t, fd, 10))
	_, err := unix.Seek(fd, 0, unix.SEEK_SET)
	require.NoError(t, err)
	require.Equal(t, initLabel+"\x00", readSome(t, fd, 50))
	buf := make([]byte, 3)
	_, err = unix.Pread(fd, buf, 1)
	require.NoError(t, err)
	require.Equal(t, initLabel[1:4], string(buf))

	fd = openSelinux(t, "context", unix.O_RDWR)
	require.Equal(t, unix.EINVAL, write("bad"))
	require.Equal(t, unix.EBUSY, write(initLabel))
	require.Empty(t, readSome(t, fd, 10))

	for size, want := range map[int]error{4087: unix.EINVAL, 4088: unix.EFBIG, 4096: unix.EFBIG, 5000: unix.EFBIG} {
		fd = openSelinux(t, "context", unix.O_RDWR)
		require.Equal(t, want, write(strings.Repeat("a", size)), size)
	}
	fd = openSelinux(t, "context", unix.O_RDONLY)
	require.Equal(t, unix.EBADF, write(initLabel))
}

// What Android's init writes is accepted. SELinux stays permissive, and in the sandbox it
// can't be anything else.
func TestLabelsSettings(t *testing.T) {
	needLabels(t)
	policy, err := os.ReadFile(policyFile)
	require.NoError(t, err)
	write := func(name, data string) error {
		_, err := unix.Write(openSelinux(t, name, unix.O_WRONLY), []byte(data))
		return err
	}
	for name, tc := range map[string]struct{ good, bad []string }{
		"enforce":              {[]string{"0", "0\n", " 0", "0 junk"}, []string{"", "x", "\n"}},
		"checkreqprot":         {[]string{"0", "1"}, nil},
		"disable":              {[]string{"0"}, nil},
		"commit_pending_bools": {[]string{"0", "1"}, []string{"", "x"}},
		"validatetrans":        {[]string{initLabel + " " + adbdLabel + " 6 " + initLabel}, []string{"", "x", initLabel + " " + adbdLabel + " 6", "bad " + adbdLabel + " 6 " + initLabel}},
		"load":                 {[]string{string(policy)}, []string{"", "x", string(policy[1:])}},
		"mls":                  {nil, []string{"1"}},
	} {
		for _, data := range tc.good {
			require.NoError(t, write(name, data), "%s %.10q", name, data)
		}
		for _, data := range tc.bad {
			require.Equal(t, unix.EINVAL, write(name, data), "%s %.10q", name, data)
		}
	}
	if !onLinux() {
		require.Equal(t, unix.EINVAL, write("enforce", "1"))
		_, err := unix.Open(selinuxfs+"/policy", unix.O_RDONLY, 0)
		require.Equal(t, unix.EINVAL, err)
	}
	require.Equal(t, "0", readSome(t, openSelinux(t, "enforce", unix.O_RDONLY), 10))
	require.NoError(t, os.WriteFile(selinuxfs+"/enforce", []byte("0"), 0o644), "it is truncated")
	require.Equal(t, "0", readSome(t, openSelinux(t, "enforce", unix.O_RDONLY), 10))

	other := t.TempDir()
	require.Equal(t, unix.EINVAL, unix.Mount("selinuxfs", other, "selinuxfs", 0, "option"))
	require.NoError(t, unix.Mount("selinuxfs", other, "selinuxfs", 0, ""))
	require.NoError(t, unix.Unmount(other, 0))
}
