// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/test/syscalls/remote"
)

// syslogLine is a line of the log.
var syslogLine = regexp.MustCompile(`^<(\d+)>\[ {0,4}\d{1,5}\.\d{6}\] (.*)$`)

// syslogLines returns the lines of text as priority and message.
func syslogLines(t *testing.T, text []byte) (lines []string) {
	t.Helper()
	for _, line := range strings.SplitAfter(string(text), "\n") {
		if line == "" {
			break
		}
		require.True(t, strings.HasSuffix(line, "\n"), "%q", text)
		m := syslogLine.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		require.NotNil(t, m, "%q", line)
		lines = append(lines, fmt.Sprintf("<%s>%s", m[1], m[2]))
	}
	return lines
}

// klogctl calls syslog(2).
func klogctl(t *testing.T, action int, size int) []byte {
	t.Helper()
	buf := make([]byte, size)
	n, err := unix.Klogctl(action, buf)
	require.NoError(t, err)
	return buf[:n]
}

// unread returns the number of unread bytes.
func unread(t *testing.T) int {
	t.Helper()
	n, err := unix.Klogctl(unix.SYSLOG_ACTION_SIZE_UNREAD, nil)
	require.NoError(t, err)
	return n
}

// readUnread reads the unread bytes.
func readUnread(t *testing.T) {
	t.Helper()
	for {
		n := unread(t)
		if n == 0 {
			return
		}
		klogctl(t, unix.SYSLOG_ACTION_READ, n)
	}
}

func TestSyslogErrors(t *testing.T) {
	buf := make([]byte, 100)
	for _, test := range []struct {
		action int
		size   int
		err    error
	}{
		{unix.SYSLOG_ACTION_CLOSE, 0, nil},
		{unix.SYSLOG_ACTION_OPEN, 0, nil},
		{unix.SYSLOG_ACTION_CONSOLE_OFF, 0, nil},
		{unix.SYSLOG_ACTION_CONSOLE_ON, 0, nil},
		{unix.SYSLOG_ACTION_CONSOLE_LEVEL, 0, unix.EINVAL},
		{unix.SYSLOG_ACTION_CONSOLE_LEVEL, 9, unix.EINVAL},
		{unix.SYSLOG_ACTION_CONSOLE_LEVEL, 8, nil},
		{unix.SYSLOG_ACTION_CONSOLE_LEVEL, 1, nil},
		{11, 0, unix.EINVAL},
		{-1, 0, unix.EINVAL},
		{math.MaxInt32, 0, unix.EINVAL},
	} {
		_, _, errno := unix.Syscall(unix.SYS_SYSLOG, uintptr(test.action), 0, uintptr(test.size))
		require.Equal(t, test.err, syscallError(0, 0, errno), "%+v", test)
	}
	for _, action := range []int{unix.SYSLOG_ACTION_READ, unix.SYSLOG_ACTION_READ_ALL, unix.SYSLOG_ACTION_READ_CLEAR} {
		for _, test := range []struct {
			address uintptr
			size    int
			err     error
		}{
			{0, 100, unix.EINVAL},
			{0, 0, unix.EINVAL},
			{1 << 63, -1, unix.EINVAL},
			{1 << 63, 0, nil},
			{1 << 63, 100, unix.EFAULT},
		} {
			n, _, errno := unix.Syscall(unix.SYS_SYSLOG, uintptr(action), test.address, uintptr(test.size))
			require.Equal(t, test.err, syscallError(0, 0, errno), "%d %+v", action, test)
			if errno == 0 {
				require.Zero(t, n)
			}
		}
	}
	_, err := unix.Klogctl(unix.SYSLOG_ACTION_READ_ALL, buf)
	require.NoError(t, err)
	size, err := unix.Klogctl(unix.SYSLOG_ACTION_SIZE_BUFFER, nil)
	require.NoError(t, err)
	require.GreaterOrEqual(t, size, 4096)
}

// Without CAP_SYSLOG one can only look.
func TestSyslogRights(t *testing.T) {
	user := remote.NewProcess(t)
	dropCapability(t, user.Thread, unix.CAP_SYSLOG)
	for action := range uintptr(12) {
		_, err := user.Call(t, unix.SYS_SYSLOG, action, user.Scratch(), 8)
		switch action {
		case unix.SYSLOG_ACTION_READ_ALL, unix.SYSLOG_ACTION_SIZE_BUFFER:
			require.NoError(t, err, "%d", action)
		default:
			require.ErrorIs(t, err, unix.EPERM, "%d", action)
		}
	}
	_, err := openIn(t, user.Thread, "/proc/kmsg", unix.O_RDONLY)
	require.ErrorIs(t, err, unix.EPERM)

	var st unix.Stat_t
	require.NoError(t, unix.Stat("/proc/kmsg", &st))
	require.Equal(t, uint32(unix.S_IFREG|0o400), st.Mode)
}

// The last records are read: as many complete ones as there is room for.
func TestSyslogReadAll(t *testing.T) {
	w := openKmsg(t, unix.O_RDWR)
	_, err := unix.Klogctl(unix.SYSLOG_ACTION_CLEAR, nil)
	require.NoError(t, err)
	require.Empty(t, klogctl(t, unix.SYSLOG_ACTION_READ_ALL, 8192))
	w.write("<3>one\n")
	w.write("<30>two\nlines\n")
	w.write("three\n")
	all := klogctl(t, unix.SYSLOG_ACTION_READ_ALL, 8192)
	want := []string{"<11>one", "<30>two", "<30>lines", "<12>three"}
	require.Equal(t, want, syslogLines(t, all))
	require.Equal(t, all, klogctl(t, unix.SYSLOG_ACTION_READ_ALL, len(all)))
	require.Equal(t, want[1:], syslogLines(t, klogctl(t, unix.SYSLOG_ACTION_READ_ALL, len(all)-1)))
	require.Empty(t, klogctl(t, unix.SYSLOG_ACTION_READ_ALL, 3))

	// What was cleared is not read again.
	require.Equal(t, want[1:], syslogLines(t, klogctl(t, unix.SYSLOG_ACTION_READ_CLEAR, len(all)-1)))
	require.Empty(t, klogctl(t, unix.SYSLOG_ACTION_READ_ALL, 8192))
	w.write("four\n")
	require.Equal(t, []string{"<12>four"}, syslogLines(t, klogctl(t, unix.SYSLOG_ACTION_READ_ALL, 8192)))
}

// What one reader reads from /proc/kmsg, or with SYSLOG_ACTION_READ, no other reader
// gets.
func TestSyslogRead(t *testing.T) {
	w := openKmsg(t, unix.O_RDWR)
	proc, err := unix.Open("/proc/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(proc)
	other, err := unix.Open("/proc/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(other)
	buf := make([]byte, 8192)
	const events = unix.POLLIN | unix.POLLOUT | unix.POLLPRI | pollRdNorm

	readUnread(t)
	_, err = unix.Read(proc, buf)
	require.ErrorIs(t, err, unix.EAGAIN)
	require.Zero(t, pollNow(t, proc, events))

	w.write("<6>one\n")
	w.write("two\n")
	size := unread(t)
	require.EqualValues(t, unix.POLLIN|pollRdNorm, pollNow(t, proc, events))
	n, err := unix.Read(proc, buf)
	require.NoError(t, err)
	require.Equal(t, size, n)
	require.Equal(t, []string{"<14>one", "<12>two"}, syslogLines(t, buf[:n]))
	for _, fd := range []int{proc, other} {
		_, err = unix.Read(fd, buf)
		require.ErrorIs(t, err, unix.EAGAIN)
	}
	require.Zero(t, unread(t))

	// A small buffer gets a part of a record, but never of a second one.
	w.write("hello\n")
	w.write("world\n")
	size = unread(t)
	first := klogctl(t, unix.SYSLOG_ACTION_READ, 5)
	require.Len(t, first, 5)
	require.Equal(t, size-5, unread(t))
	n, err = unix.Pread(proc, buf[:4], 1000)
	require.NoError(t, err)
	require.Equal(t, 4, n)
	text := append(first, buf[:4]...)
	n, err = unix.Read(other, buf[:size-10])
	require.NoError(t, err)
	text = append(text, buf[:n]...)
	require.Equal(t, []string{"<12>hello"}, syslogLines(t, text))
	require.Equal(t, []string{"<12>world"}, syslogLines(t, klogctl(t, unix.SYSLOG_ACTION_READ, 8192)))

	_, err = unix.Write(proc, []byte("x"))
	require.ErrorIs(t, err, unix.EBADF)
	rw, err := unix.Open("/proc/kmsg", unix.O_RDWR|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(rw)
	_, err = unix.Write(rw, []byte("x"))
	require.ErrorIs(t, err, unix.EIO)
	_, err = unix.Read(proc, nil)
	require.ErrorIs(t, err, unix.EAGAIN)
	w.write("hello\n")
	n, err = unix.Read(proc, nil)
	require.NoError(t, err)
	require.Zero(t, n)
	require.NotZero(t, unread(t))
}

// Both wait for a record.
func TestSyslogWait(t *testing.T) {
	w := openKmsg(t, unix.O_RDWR)
	reader := remote.NewProcess(t)
	buf := remote.Alloc(t, 8192)
	fd, err := openIn(t, reader.Thread, "/proc/kmsg", unix.O_RDONLY)
	require.NoError(t, err)
	for _, call := range [][]uintptr{
		{unix.SYS_READ, fd, buf, 8192},
		{unix.SYS_SYSLOG, unix.SYSLOG_ACTION_READ, buf, 8192},
	} {
		readUnread(t)
		reader.Start(t, call[0], call[1:]...)
		reader.AwaitBlocked(t)
		w.write("hello\n")
		n, err := reader.Wait(t)
		require.NoError(t, err)
		require.Equal(t, []string{"<12>hello"}, syslogLines(t, remote.Bytes(buf, int(n))))

		reader.Handle(t, unix.SIGUSR1, 0)
		reader.Start(t, call[0], call[1:]...)
		reader.AwaitBlocked(t)
		reader.Signal(t, unix.SIGUSR1)
		_, err = reader.Wait(t)
		require.ErrorIs(t, err, unix.EINTR)
	}
}

// Records that were overwritten are skipped.
func TestSyslogOverwritten(t *testing.T) {
	size, err := unix.Klogctl(unix.SYSLOG_ACTION_SIZE_BUFFER, nil)
	require.NoError(t, err)
	w := openKmsg(t, unix.O_RDWR)
	readUnread(t)
	w.write("hello\n")
	klogctl(t, unix.SYSLOG_ACTION_READ, 3)
	const length = 1000
	count := 2 * size / length
	for i := range count {
		w.write("%0*d\n", length, i)
	}
	require.LessOrEqual(t, unread(t), 2*size)
	lines := syslogLines(t, klogctl(t, unix.SYSLOG_ACTION_READ, 2*size))
	require.Less(t, len(lines), count)
	for i, line := range lines {
		require.Equal(t, fmt.Sprintf("<12>%0*d", length, count-len(lines)+i), line)
	}
	require.Zero(t, unread(t))
}
