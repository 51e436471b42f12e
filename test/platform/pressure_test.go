// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/test/syscalls/remote"
)

var pressureResources = []string{"cpu", "io", "memory"}

// pressurePath returns the path of a resource's pressure file.
func pressurePath(t *testing.T, resource string) string {
	t.Helper()
	path := filepath.Join("/proc/pressure", resource)
	if _, err := os.Stat(path); onLinux() && errors.Is(err, os.ErrNotExist) {
		t.Skip("this Linux has no pressure stall information: CONFIG_PSI")
	}
	return path
}

// openPressure opens a resource's pressure file.
func openPressure(t *testing.T, resource string) int {
	t.Helper()
	fd, err := unix.Open(pressurePath(t, resource), unix.O_RDWR|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

func writePressure(fd int, trigger string) error {
	_, err := unix.Write(fd, []byte(trigger))
	return err
}

func TestPressureFormat(t *testing.T) {
	const line = ` avg10=\d+\.\d\d avg60=\d+\.\d\d avg300=\d+\.\d\d total=\d+\n`
	format := regexp.MustCompile("^some" + line + "full" + line + "$")
	for _, resource := range pressureResources {
		path := pressurePath(t, resource)
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Regexp(t, format, string(text))
		var st unix.Stat_t
		require.NoError(t, unix.Stat(path, &st))
		require.Equal(t, uint32(unix.S_IFREG|0o666), st.Mode)
	}
}

// A trigger is a level, a threshold and a window of at most ten seconds, both in
// microseconds. The last byte must be a NUL or a newline, or is lost.
func TestPressureTriggers(t *testing.T) {
	for _, test := range []struct {
		trigger string
		err     error
	}{
		{"some 150000 1000000\x00", nil},
		{"full 70000 1000000\x00", nil},
		{"some 150000 1000000\n", nil},
		{"some 150000 10000000", nil},
		{"some 1000000 1000000\x00", nil},
		{"some 1 1\x00", nil},
		{"some 10000000 10000000\x00", nil},
		{"some150000  1000000 and more\x00", nil},
		{"some\t150000\n1000000\x00", nil},
		{"some 4294967297 4294967298\x00", nil},
		{"", unix.EINVAL},
		{"\x00", unix.EINVAL},
		{"some", unix.EINVAL},
		{"some 150000", unix.EINVAL},
		{"some 150000 1", unix.EINVAL},
		{"some 150000\x00 1000000", unix.EINVAL},
		{" some 150000 1000000\x00", unix.EINVAL},
		{"most 150000 1000000\x00", unix.EINVAL},
		{"Some 150000 1000000\x00", unix.EINVAL},
		{"some -1 1000000\x00", unix.EINVAL},
		{"some 0 1000000\x00", unix.EINVAL},
		{"some 1000001 1000000\x00", unix.EINVAL},
		{"some 150000 0\x00", unix.EINVAL},
		{"some 150000 10000001\x00", unix.EINVAL},
		{"some 150000,1000000\x00", unix.EINVAL},
		{"some                      150000 1000000\x00", unix.EINVAL},
	} {
		for _, resource := range pressureResources {
			fd := openPressure(t, resource)
			require.Equal(t, test.err, writePressure(fd, test.trigger), "%q", test.trigger)
			// What was refused leaves nothing behind.
			if test.err != nil {
				require.NoError(t, writePressure(fd, "some 150000 1000000\x00"))
			}
			require.ErrorIs(t, writePressure(fd, "some 150000 1000000\x00"), unix.EBUSY)
			require.ErrorIs(t, writePressure(fd, "nonsense"), unix.EBUSY)
		}
	}
	fd := openPressure(t, "memory")
	_, _, errno := unix.Syscall(unix.SYS_WRITE, uintptr(fd), 1, 20)
	require.Equal(t, unix.EFAULT, errno)
	_, err := unix.Pwrite(fd, []byte("some 150000 1000000\x00"), 100)
	require.NoError(t, err)
	require.ErrorIs(t, writePressure(fd, "some 150000 1000000\x00"), unix.EBUSY)
	text := make([]byte, 4)
	_, err = unix.Pread(fd, text, 0)
	require.NoError(t, err)
	require.Equal(t, "some", string(text))
}

// What happens to a file's trigger makes the file ready.
func TestPressurePoll(t *testing.T) {
	const ready = unix.POLLIN | unix.POLLOUT | pollRdNorm | pollWrNorm
	for _, resource := range pressureResources {
		fd := openPressure(t, resource)
		require.EqualValues(t, ready|unix.POLLERR|unix.POLLPRI, pollNow(t, fd, ready|unix.POLLPRI))
		require.NoError(t, writePressure(fd, "full 10000000 10000000\x00"))
		require.EqualValues(t, ready, pollNow(t, fd, ready|unix.POLLPRI))

		epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
		require.NoError(t, err)
		require.NoError(t, unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLPRI}))
		n, err := unix.EpollWait(epoll, make([]unix.EpollEvent, 1), 0)
		require.NoError(t, err)
		require.Zero(t, n)
		unix.Close(epoll)
	}
}

// Everyone may have triggers, but any window only with CAP_SYS_RESOURCE.
func TestPressureRights(t *testing.T) {
	path := pressurePath(t, "memory")
	user := remote.NewProcess(t)
	dropCapability(t, user.Thread, unix.CAP_SYS_RESOURCE)
	for trigger, want := range map[string]error{
		"some 150000 1000000\x00": unix.EINVAL,
		"some 150000 3000000\x00": unix.EINVAL,
		"some 150000 2000000\x00": nil,
		"some 150000 4000000\x00": nil,
	} {
		fd, err := openIn(t, user.Thread, path, unix.O_RDWR)
		require.NoError(t, err)
		copy(remote.Bytes(user.Scratch(), len(trigger)), trigger)
		_, err = user.Call(t, unix.SYS_WRITE, fd, user.Scratch(), uintptr(len(trigger)))
		require.Equal(t, want, err, "%q", trigger)
		// The opener of the file counts.
		mine := user.TakeFD(t, int(fd))
		if want != nil {
			require.Equal(t, want, writePressure(mine, trigger))
		}
		unix.Close(mine)
	}
}

// Here, the number of triggers is limited, since they use the sentry's memory. Closed
// ones don't count.
func TestPressureTooManyTriggers(t *testing.T) {
	if onLinux() {
		t.Skip("Linux limits only files")
	}
	const limit = 128
	for range 2 {
		var fds []int
		for range limit {
			fd, err := unix.Open("/proc/pressure/memory", unix.O_WRONLY|unix.O_CLOEXEC, 0)
			require.NoError(t, err)
			fds = append(fds, fd)
			require.NoError(t, writePressure(fd, "some 150000 1000000\x00"))
		}
		fd := openPressure(t, "memory")
		require.ErrorIs(t, writePressure(fd, "some 150000 1000000\x00"), unix.ENOMEM)
		unix.Close(fds[0])
		require.NoError(t, writePressure(fd, "some 150000 1000000\x00"))
		unix.Close(fd)
		for _, fd := range fds[1:] {
			unix.Close(fd)
		}
	}
}
