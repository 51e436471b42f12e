// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/test/syscalls/remote"
)

// Events of poll(2) that package unix lacks.
const (
	pollRdNorm = 0x40
	pollWrNorm = 0x100
)

// maxKmsg is the maximum length of a message that can be written.
const maxKmsg = 1024

// kmsgPath creates a device file for the kernel log, like init.
func kmsgPath(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "kmsg")
	require.NoError(t, unix.Mknod(path, unix.S_IFCHR|0o644, int(unix.Mkdev(1, 11))))
	return path
}

// kmsgReader reads records of the kernel log.
type kmsgReader struct {
	t  *testing.T
	fd int
}

// openKmsg opens the kernel log, with messages unlimited, as Android wants them, and with
// times, as most kernels are configured.
func openKmsg(t *testing.T, flags int) kmsgReader {
	t.Helper()
	for option, value := range map[string]string{
		"/proc/sys/kernel/printk_devkmsg":    "on\n",
		"/sys/module/printk/parameters/time": "Y\n",
	} {
		if old, err := os.ReadFile(option); err == nil {
			require.NoError(t, os.WriteFile(option, []byte(value), 0))
			t.Cleanup(func() { _ = os.WriteFile(option, old, 0) })
		}
	}
	fd, err := unix.Open(kmsgPath(t), flags|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	return kmsgReader{t, fd}
}

// kmsgRecord is a parsed record.
type kmsgRecord struct {
	priority  int
	seq, usec uint64
	text      string
}

// kmsgFormat matches records; the longest lack the end of their line.
var kmsgFormat = regexp.MustCompile(`^(\d+),(\d+),(\d+),[-c](?:,[^;]*)?;(.*)(?:\n(?: .*\n)*)?$`)

// next reads a record.
func (r kmsgReader) next() (kmsgRecord, error) {
	r.t.Helper()
	buf := make([]byte, 8192)
	n, err := unix.Read(r.fd, buf)
	if err != nil {
		return kmsgRecord{}, err
	}
	m := kmsgFormat.FindSubmatch(buf[:n])
	require.NotNil(r.t, m, "%q", buf[:n])
	number := func(b []byte) uint64 {
		n, err := strconv.ParseUint(string(b), 10, 64)
		require.NoError(r.t, err)
		return n
	}
	return kmsgRecord{int(number(m[1])), number(m[2]), number(m[3]), string(m[4])}, nil
}

// must reads a record that must exist.
func (r kmsgReader) must() kmsgRecord {
	r.t.Helper()
	record, err := r.next()
	require.NoError(r.t, err)
	return record
}

// end seeks past the last record.
func (r kmsgReader) end() {
	r.t.Helper()
	_, err := unix.Seek(r.fd, 0, unix.SEEK_END)
	require.NoError(r.t, err)
}

// write writes a message.
func (r kmsgReader) write(format string, args ...any) {
	r.t.Helper()
	message := fmt.Sprintf(format, args...)
	n, err := unix.Write(r.fd, []byte(message))
	require.NoError(r.t, err)
	require.Equal(r.t, len(message), n)
}

// poll returns the events for which the file is ready.
func (r kmsgReader) poll() int16 {
	r.t.Helper()
	return pollNow(r.t, r.fd, unix.POLLIN|unix.POLLOUT|unix.POLLPRI|pollRdNorm|pollWrNorm)
}

// pollNow returns for which of the events a file is ready.
func pollNow(t *testing.T, fd int, events int16) int16 {
	t.Helper()
	fds := []unix.PollFd{{Fd: int32(fd), Events: events}}
	_, err := unix.Poll(fds, 0)
	require.NoError(t, err)
	return fds[0].Revents
}

// What is written can be read, with the priority that it begins with.
func TestKmsgMessages(t *testing.T) {
	const user, warning = 1 << 3, 4
	r := openKmsg(t, unix.O_RDWR|unix.O_NONBLOCK)
	for _, test := range []struct {
		message  string
		priority int
		text     string
	}{
		{"hello\n", user | warning, "hello"},
		{"<3>hello\n", user | 3, "hello"},
		{"<30>hello\n", 30, "hello"},
		{"<2047>hello\n", 2047, "hello"},
		{"<2048>hello\n", user, "hello"},
		{"<4294967326>hello\n", 30, "hello"},
		{"<>hello\n", user, "hello"},
		{"<3 hello\n", user | warning, "<3 hello"},
		{"<-3>hello\n", user | warning, "<-3>hello"},
		{"<0x3>hello\n", user | warning, "<0x3>hello"},
		{" <3>hello\n", user | warning, " <3>hello"},
		{"<3> hello\n", user | 3, " hello"},
		{"<3>", user | 3, ""},
		{"\n", user | warning, ""},
		{"hello", user | warning, "hello"},
		{"hello\n\n", user | warning, `hello\x0a`},
		{"hello\nworld\n", user | warning, `hello\x0aworld`},
		{"hello\x00world\n", user | warning, "hello"},
		{"tab\tbackslash\\bell\x07delete\x7fhigh\xff\n", user | warning, `tab\x09backslash\x5cbell\x07delete\x7fhigh\xff`},
		{strings.Repeat("x", maxKmsg-1) + "\n", user | warning, strings.Repeat("x", maxKmsg-1)},
		{strings.Repeat("x", maxKmsg), user | warning, strings.Repeat("x", maxKmsg-1)},
	} {
		t.Run(fmt.Sprintf("%.20q", test.message), func(t *testing.T) {
			r := kmsgReader{t, r.fd}
			r.end()
			r.write("%s", test.message)
			// A message that does not end its line may be complete only when the next one
			// begins.
			r.write("end\n")
			record := r.must()
			require.Equal(t, test.priority, record.priority)
			require.Equal(t, test.text, record.text)
			require.Equal(t, "end", r.must().text)
		})
	}
}

// A message that does not end its line is complete when the next one begins.
func TestKmsgIncomplete(t *testing.T) {
	r := openKmsg(t, unix.O_RDWR|unix.O_NONBLOCK)
	r.end()
	r.write("hello")
	_, err := r.next()
	require.ErrorIs(t, err, unix.EAGAIN)
	require.Zero(t, r.poll())
	r.write("world\n")
	require.Equal(t, "hello", r.must().text)
	require.Equal(t, "world", r.must().text)
}

// A record that is too long to be read is truncated.
func TestKmsgLongRecord(t *testing.T) {
	r := openKmsg(t, unix.O_RDWR|unix.O_NONBLOCK)
	const limit = 2048
	for _, message := range []string{
		strings.Repeat("\x01", maxKmsg-1) + "\n",
		strings.Repeat("\x01", 500) + strings.Repeat("x", 523) + "\n",
		strings.Repeat("x", 523) + strings.Repeat("\x01", 500) + "\n",
	} {
		r.end()
		r.write("%s", message)
		r.write("end\n")
		buf := make([]byte, 2*limit)
		n, err := unix.Read(r.fd, buf)
		require.NoError(t, err)
		header, _, ok := strings.Cut(string(buf[:n]), ";")
		require.True(t, ok)
		whole := header + ";"
		for _, c := range message[:len(message)-1] {
			if c == 'x' {
				whole += "x"
			} else {
				whole += `\x01`
			}
		}
		t.Logf("%d bytes of %d: ends in %q", n, len(whole), buf[n-8:n])
		require.LessOrEqual(t, n, limit)
		require.GreaterOrEqual(t, n, limit-5)
		require.Equal(t, strings.TrimRight(string(buf[:n]), "\n"), whole[:len(strings.TrimRight(string(buf[:n]), "\n"))])
		require.Equal(t, "end", r.must().text)
	}
}

// A message is what a single call writes.
func TestKmsgWrites(t *testing.T) {
	r := openKmsg(t, unix.O_RDWR|unix.O_NONBLOCK)
	r.end()
	n, err := unix.Writev(r.fd, [][]byte{[]byte("<3>"), []byte("hello "), []byte("world\n")})
	require.NoError(t, err)
	require.Equal(t, 15, n)
	record := r.must()
	require.Equal(t, 11, record.priority)
	require.Equal(t, "hello world", record.text)

	// Offsets don't matter.
	_, err = unix.Pwrite(r.fd, []byte("at an offset\n"), 77)
	require.NoError(t, err)
	buf := make([]byte, 8192)
	n, err = unix.Pread(r.fd, buf, 99)
	require.NoError(t, err)
	require.Contains(t, string(buf[:n]), ";at an offset\n")

	_, err = unix.Write(r.fd, make([]byte, maxKmsg+1))
	require.ErrorIs(t, err, unix.EINVAL)
	_, err = unix.Writev(r.fd, [][]byte{make([]byte, maxKmsg), make([]byte, 1)})
	require.ErrorIs(t, err, unix.EINVAL)
	_, _, errno := unix.Syscall(unix.SYS_WRITE, uintptr(r.fd), 1, 10)
	require.Equal(t, unix.EFAULT, errno)
	_, err = r.next()
	require.ErrorIs(t, err, unix.EAGAIN)
}

// Records are numbered in the order of their times.
func TestKmsgOrder(t *testing.T) {
	r := openKmsg(t, unix.O_RDWR|unix.O_NONBLOCK)
	var last kmsgRecord
	for i := 0; ; i++ {
		record, err := r.next()
		if err == unix.EAGAIN {
			break
		}
		require.NoError(t, err)
		if i > 0 {
			require.Equal(t, last.seq+1, record.seq)
			require.GreaterOrEqual(t, record.usec, last.usec)
		}
		last = record
	}
	before := monotonicMicroseconds(t)
	r.write("first\n")
	r.write("second\n")
	after := monotonicMicroseconds(t)
	for i, text := range []string{"first", "second"} {
		record := r.must()
		require.Equal(t, text, record.text)
		require.Equal(t, last.seq+1+uint64(i), record.seq)
		// Linux takes the times from another clock, which also starts at boot.
		require.InDelta(t, before, record.usec, 1e6)
		require.InDelta(t, after, record.usec, 1e6)
	}
}

func monotonicMicroseconds(t *testing.T) uint64 {
	var now unix.Timespec
	require.NoError(t, unix.ClockGettime(unix.CLOCK_MONOTONIC, &now))
	return uint64(now.Nano() / 1000)
}

// Each open file has its own position, and starts at the oldest record.
func TestKmsgPositions(t *testing.T) {
	r := openKmsg(t, unix.O_RDWR|unix.O_NONBLOCK)
	first := r.must()
	other := openKmsg(t, unix.O_RDONLY|unix.O_NONBLOCK)
	require.Equal(t, first, other.must())
	dup, err := unix.Dup(r.fd)
	require.NoError(t, err)
	defer unix.Close(dup)
	require.Equal(t, first.seq+1, kmsgReader{t, dup}.must().seq)
	require.Equal(t, first.seq+2, r.must().seq)
	require.Equal(t, first.seq+1, other.must().seq)

	r.end()
	r.write("hello\n")
	last := r.must()
	for _, test := range []struct {
		offset int64
		whence int
		err    error
	}{
		{0, unix.SEEK_SET, nil},
		{0, unix.SEEK_END, nil},
		{0, unix.SEEK_DATA, nil},
		{0, unix.SEEK_CUR, unix.EINVAL},
		{0, unix.SEEK_HOLE, unix.EINVAL},
		{0, 77, unix.EINVAL},
		{1, unix.SEEK_SET, unix.ESPIPE},
		{-1, unix.SEEK_END, unix.ESPIPE},
		{1, unix.SEEK_CUR, unix.ESPIPE},
	} {
		offset, err := unix.Seek(r.fd, test.offset, test.whence)
		require.Equal(t, test.err, err, "%+v", test)
		if err == nil {
			require.Zero(t, offset)
		}
	}
	_, err = unix.Seek(r.fd, 0, unix.SEEK_SET)
	require.NoError(t, err)
	require.Equal(t, first, r.must())

	// SEEK_DATA is after what was cleared, which still exists.
	_, err = unix.Klogctl(unix.SYSLOG_ACTION_CLEAR, nil)
	require.NoError(t, err)
	r.write("after\n")
	_, err = unix.Seek(r.fd, 0, unix.SEEK_DATA)
	require.NoError(t, err)
	record := r.must()
	require.Equal(t, "after", record.text)
	require.Equal(t, last.seq+1, record.seq)
	_, err = unix.Seek(r.fd, 0, unix.SEEK_SET)
	require.NoError(t, err)
	require.Equal(t, first, r.must())
}

// A record that isn't read completely is lost.
func TestKmsgSmallBuffer(t *testing.T) {
	r := openKmsg(t, unix.O_RDWR|unix.O_NONBLOCK)
	r.end()
	r.write("one\n")
	r.write("two\n")
	r.write("three\n")
	_, err := unix.Read(r.fd, make([]byte, 8))
	require.ErrorIs(t, err, unix.EINVAL)
	require.Equal(t, "two", r.must().text)
	_, _, errno := unix.Syscall(unix.SYS_READ, uintptr(r.fd), 1, 8192)
	require.Equal(t, unix.EFAULT, errno)
	_, err = r.next()
	require.ErrorIs(t, err, unix.EAGAIN)
}

// A reader that falls too far behind for the log's room is told so, once.
func TestKmsgOverwritten(t *testing.T) {
	size, err := unix.Klogctl(unix.SYSLOG_ACTION_SIZE_BUFFER, nil)
	require.NoError(t, err)
	r := openKmsg(t, unix.O_RDWR|unix.O_NONBLOCK)
	r.end()
	r.write("lost\n")
	lost := r.must()
	const length = 1000
	count := uint64(2 * size / length)
	for i := range count {
		r.write("%0*d\n", length, i)
	}
	require.EqualValues(t, unix.POLLIN|pollRdNorm|unix.POLLERR|unix.POLLPRI, r.poll())
	_, err = r.next()
	require.ErrorIs(t, err, unix.EPIPE)
	require.EqualValues(t, unix.POLLIN|pollRdNorm, r.poll())
	record := r.must()
	require.Greater(t, record.seq, lost.seq+1)
	for ; record.seq < lost.seq+count; record = r.must() {
		require.Equal(t, fmt.Sprintf("%0*d", length, record.seq-lost.seq-1), record.text)
	}
	require.Zero(t, r.poll())
	// The log keeps no more than it has room for.
	other := openKmsg(t, unix.O_RDONLY)
	require.LessOrEqual(t, (lost.seq+count+1-other.must().seq)*length, uint64(size))
}

// Reads wait for a record, which makes files readable.
func TestKmsgWait(t *testing.T) {
	r := openKmsg(t, unix.O_RDWR)
	r.end()
	require.Zero(t, r.poll())
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	require.NoError(t, err)
	defer unix.Close(epoll)
	require.NoError(t, unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, r.fd, &unix.EpollEvent{Events: unix.EPOLLIN}))

	reader := remote.NewProcess(t)
	fd := reader.SendFD(t, r.fd)
	buf := remote.Alloc(t, 8192)
	reader.Start(t, unix.SYS_READ, uintptr(fd), buf, 8192)
	reader.AwaitBlocked(t)
	other := openKmsg(t, unix.O_RDWR|unix.O_NONBLOCK)
	other.end()
	other.write("hello\n")
	n, err := reader.Wait(t)
	require.NoError(t, err)
	require.Contains(t, string(remote.Bytes(buf, int(n))), ";hello\n")
	require.Zero(t, r.poll())

	other.write("world\n")
	require.EqualValues(t, unix.POLLIN|pollRdNorm, r.poll())
	events := make([]unix.EpollEvent, 1)
	ready, err := unix.EpollWait(epoll, events, -1)
	require.NoError(t, err)
	require.Equal(t, 1, ready)
	require.Equal(t, "world", r.must().text)
	ready, err = unix.EpollWait(epoll, events, 0)
	require.NoError(t, err)
	require.Zero(t, ready)

	// A signal interrupts it.
	reader.Handle(t, unix.SIGUSR1, 0)
	reader.Start(t, unix.SYS_READ, uintptr(fd), buf, 8192)
	reader.AwaitBlocked(t)
	reader.Signal(t, unix.SIGUSR1)
	_, err = reader.Wait(t)
	require.ErrorIs(t, err, unix.EINTR)
}

// The file's mode decides who may open the log for reading. A file opened for writing
// can't be read.
func TestKmsgRights(t *testing.T) {
	path := kmsgPath(t)
	user := remote.NewProcess(t)
	dropCapability(t, user.Thread, unix.CAP_SYSLOG)
	for _, flags := range []int{unix.O_RDONLY, unix.O_WRONLY, unix.O_RDWR} {
		_, err := openIn(t, user.Thread, path, flags)
		require.NoError(t, err)
	}
	w := openKmsg(t, unix.O_WRONLY)
	w.write("hello\n")
	_, err := unix.Read(w.fd, make([]byte, 8192))
	require.ErrorIs(t, err, unix.EBADF)

	var st unix.Stat_t
	require.NoError(t, unix.Stat("/dev/kmsg", &st))
	require.Equal(t, uint32(unix.S_IFCHR|0o644), st.Mode)
	require.Equal(t, unix.Mkdev(1, 11), st.Rdev)
}

// openIn opens a file in another process.
func openIn(t *testing.T, th *remote.Thread, path string, flags int) (uintptr, error) {
	t.Helper()
	copy(remote.Bytes(th.Scratch(), len(path)+1), path+"\x00")
	return th.Call(t, unix.SYS_OPENAT, ^uintptr(99), th.Scratch(), uintptr(flags|unix.O_CLOEXEC), 0)
}

// dropCapability removes a capability from another process.
func dropCapability(t *testing.T, th *remote.Thread, capability int) {
	t.Helper()
	const version3 = 0x20080522
	type caps struct {
		header unix.CapUserHeader
		data   [2]unix.CapUserData
	}
	c := remote.Struct[caps](th.Scratch())
	*c = caps{header: unix.CapUserHeader{Version: version3}}
	header, data := th.Scratch(), th.Scratch()+8
	th.Must(t, unix.SYS_CAPGET, header, data)
	c.data[capability/32].Effective &^= 1 << (capability % 32)
	c.data[capability/32].Permitted &^= 1 << (capability % 32)
	th.Must(t, unix.SYS_CAPSET, header, data)
}
