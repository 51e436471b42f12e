// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A socketKind creates pairs of sockets, the first of which sends to the second.
type socketKind struct {
	name string
	pair func(t *testing.T) [2]int
}

var (
	unixStream    = socketKind{"unix stream", unixPair(unix.SOCK_STREAM)}
	unixDgram     = socketKind{"unix dgram", unixPair(unix.SOCK_DGRAM)}
	unixSeqpacket = socketKind{"unix seqpacket", unixPair(unix.SOCK_SEQPACKET)}
	tcp           = socketKind{"tcp", tcpPair}
	udp           = socketKind{"udp", udpPair}
)

func closeAtEnd(t *testing.T, fds ...int) {
	t.Cleanup(func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	})
}

func unixPair(typ int) func(t *testing.T) [2]int {
	return func(t *testing.T) [2]int {
		pair, err := unix.Socketpair(unix.AF_UNIX, typ|unix.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		closeAtEnd(t, pair[:]...)
		return pair
	}
}

// inetSocket creates a socket bound to a free port of the loopback device.
func inetSocket(t *testing.T, typ int) (int, unix.Sockaddr) {
	fd, err := unix.Socket(unix.AF_INET, typ|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	closeAtEnd(t, fd)
	require.NoError(t, unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	addr, err := unix.Getsockname(fd)
	require.NoError(t, err)
	return fd, addr
}

func udpPair(t *testing.T) [2]int {
	to, addr := inetSocket(t, unix.SOCK_DGRAM)
	from, _ := inetSocket(t, unix.SOCK_DGRAM)
	require.NoError(t, unix.Connect(from, addr))
	return [2]int{from, to}
}

func tcpPair(t *testing.T) [2]int {
	listener, addr := inetSocket(t, unix.SOCK_STREAM)
	require.NoError(t, unix.Listen(listener, 1))
	from, _ := inetSocket(t, unix.SOCK_STREAM)
	require.NoError(t, unix.Connect(from, addr))
	to, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
	require.NoError(t, err)
	closeAtEnd(t, to)
	return [2]int{from, to}
}

type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32
}

// A messageCall sends or receives a message and returns its length, plus flags for calls
// that return them.
type messageCall struct {
	name string
	call func(fd int, buf []byte, flags uint32) (n int, gotFlags uint32, err error)
}

func oneMessage(buf []byte) *mmsghdr {
	iov := &unix.Iovec{Base: unsafe.SliceData(buf), Len: uint64(len(buf))}
	return &mmsghdr{hdr: unix.Msghdr{Iov: iov, Iovlen: 1}}
}

func messageSyscall(trap uintptr, fd int, args ...uintptr) (int, error) {
	var all [5]uintptr
	copy(all[:], args)
	n, _, errno := unix.Syscall6(trap, uintptr(fd), all[0], all[1], all[2], all[3], all[4])
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

func bufferCall(name string, trap uintptr) messageCall {
	return messageCall{name, func(fd int, buf []byte, flags uint32) (int, uint32, error) {
		n, err := messageSyscall(trap, fd, uintptr(unsafe.Pointer(unsafe.SliceData(buf))), uintptr(len(buf)), uintptr(flags))
		return n, 0, err
	}}
}

func msgCall(name string, trap uintptr) messageCall {
	return messageCall{name, func(fd int, buf []byte, flags uint32) (int, uint32, error) {
		m := oneMessage(buf)
		n, err := messageSyscall(trap, fd, uintptr(unsafe.Pointer(&m.hdr)), uintptr(flags))
		return n, uint32(m.hdr.Flags), err
	}}
}

func mmsgCall(name string, trap uintptr) messageCall {
	return messageCall{name, func(fd int, buf []byte, flags uint32) (int, uint32, error) {
		m := oneMessage(buf)
		_, err := messageSyscall(trap, fd, uintptr(unsafe.Pointer(m)), 1, uintptr(flags))
		return int(m.n), uint32(m.hdr.Flags), err
	}}
}

var (
	sendCalls = []messageCall{
		bufferCall("sendto", unix.SYS_SENDTO),
		msgCall("sendmsg", unix.SYS_SENDMSG),
		mmsgCall("sendmmsg", unix.SYS_SENDMMSG),
	}
	recvCalls = []messageCall{
		bufferCall("recvfrom", unix.SYS_RECVFROM),
		msgCall("recvmsg", unix.SYS_RECVMSG),
		mmsgCall("recvmmsg", unix.SYS_RECVMMSG),
	}
)

// eachFlag calls f with every flag except that of the compat system calls, which kernels
// without them ignore.
func eachFlag(f func(flag uint32)) {
	for bit := range 31 {
		f(1 << bit)
	}
}

// msgProbe is MSG_PROBE, with which nothing is sent.
const msgProbe = 0x10

// Linux ignores flags that mean nothing to a socket, unknown flags, and those for
// internal use.
func TestSendFlags(t *testing.T) {
	for _, test := range []struct {
		socketKind
		errs map[uint32]error
		// The flags left out are implemented by Linux only, or depend on its
		// configuration.
		not uint32
	}{
		{unixStream, nil, unix.MSG_OOB},
		{unixDgram, map[uint32]error{unix.MSG_OOB: unix.EOPNOTSUPP}, 0},
		{unixSeqpacket, map[uint32]error{unix.MSG_OOB: unix.EOPNOTSUPP}, 0},
		{tcp, map[uint32]error{unix.MSG_FASTOPEN: unix.EOPNOTSUPP}, unix.MSG_OOB},
		{udp, map[uint32]error{unix.MSG_OOB: unix.EOPNOTSUPP}, msgProbe | unix.MSG_MORE},
	} {
		for _, send := range sendCalls {
			t.Run(test.name+"/"+send.name, func(t *testing.T) {
				withoutTCPFastOpen(t)
				eachFlag(func(flag uint32) {
					if test.not&flag != 0 {
						return
					}
					what := fmt.Sprintf("flag %#x", flag)
					pair := test.pair(t)
					n, _, err := send.call(pair[0], []byte("data"), flag)
					if want := test.errs[flag]; want != nil {
						require.ErrorIs(t, err, want, what)
						return
					}
					require.NoError(t, err, what)
					require.Equal(t, 4, n, what)
					buf := make([]byte, 16)
					n, err = unix.Read(pair[1], buf)
					require.NoError(t, err, what)
					require.Equal(t, "data", string(buf[:n]), what)
				})
			})
		}
	}
}

// withoutTCPFastOpen turns TCP Fast Open off if it is on.
func withoutTCPFastOpen(t *testing.T) {
	const file = "/proc/sys/net/ipv4/tcp_fastopen"
	old, err := os.ReadFile(file)
	require.NoError(t, err)
	if strings.TrimSpace(string(old)) == "0" {
		return
	}
	require.NoError(t, os.WriteFile(file, []byte("0"), 0))
	t.Cleanup(func() { require.NoError(t, os.WriteFile(file, old, 0)) })
}

func TestReceiveFlags(t *testing.T) {
	for _, test := range []struct {
		socketKind
		errs map[uint32]error
	}{
		{unixStream, map[uint32]error{unix.MSG_OOB: unix.EINVAL}},
		{unixDgram, map[uint32]error{unix.MSG_OOB: unix.EOPNOTSUPP}},
		{unixSeqpacket, map[uint32]error{unix.MSG_OOB: unix.EOPNOTSUPP}},
		{tcp, map[uint32]error{unix.MSG_OOB: unix.EINVAL, unix.MSG_ERRQUEUE: unix.EAGAIN}},
		{udp, map[uint32]error{unix.MSG_ERRQUEUE: unix.EAGAIN}},
	} {
		for _, recv := range recvCalls {
			t.Run(test.name+"/"+recv.name, func(t *testing.T) {
				eachFlag(func(flag uint32) {
					what := fmt.Sprintf("flag %#x", flag)
					pair := test.pair(t)
					_, err := unix.Write(pair[0], []byte("data"))
					require.NoError(t, err, what)
					require.NoError(t, waitReadable(pair[1]), what)

					buf := make([]byte, 4)
					n, gotFlags, err := recv.call(pair[1], buf, flag)
					if want := test.errs[flag]; want != nil {
						require.ErrorIs(t, err, want, what)
						return
					}
					require.NoError(t, err, what)
					want := "data"
					if flag == unix.MSG_TRUNC && test.name == tcp.name {
						want = "\x00\x00\x00\x00" // Discarded.
					}
					require.Equal(t, want, string(buf[:n]), what)
					if recv.name != "recvfrom" {
						require.Equal(t, flag&unix.MSG_CMSG_CLOEXEC, gotFlags, what)
					}
				})
			})
		}
	}
}

func waitReadable(fd int) error {
	for {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
		if err != unix.EINTR {
			return err
		}
	}
}

// With MSG_WAITFORONE, recvmmsg waits only for the first message.
func TestReceiveWaitForOne(t *testing.T) {
	for _, kind := range []socketKind{unixDgram, udp} {
		t.Run(kind.name, func(t *testing.T) {
			pair := kind.pair(t)
			_, err := unix.Write(pair[0], []byte("data"))
			require.NoError(t, err)
			msgs := []mmsghdr{*oneMessage(make([]byte, 4)), *oneMessage(make([]byte, 4))}
			n, err := messageSyscall(unix.SYS_RECVMMSG, pair[1], uintptr(unsafe.Pointer(&msgs[0])), 2, unix.MSG_WAITFORONE)
			require.NoError(t, err)
			require.Equal(t, 1, n)
		})
	}
}

func TestNetlinkFlags(t *testing.T) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	require.NoError(t, err)
	closeAtEnd(t, fd)
	// NLMSG_NOOP, which gets no answer.
	noop := make([]byte, unix.NLMSG_HDRLEN)
	noop[0], noop[4] = unix.NLMSG_HDRLEN, unix.NLMSG_NOOP

	check := func(calls []messageCall, otherwise error) {
		for _, c := range calls {
			eachFlag(func(flag uint32) {
				want := otherwise
				if flag == unix.MSG_OOB {
					want = unix.EOPNOTSUPP
				}
				_, _, err := c.call(fd, noop, flag|unix.MSG_DONTWAIT)
				require.ErrorIs(t, err, want, "%s, flag %#x", c.name, flag)
			})
		}
	}
	check(sendCalls, nil)
	check(recvCalls, unix.EAGAIN)
}
