// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"math"
	"os"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// controlMessage is a SOL_SOCKET control message.
func controlMessage(typ int32, data []byte) []byte {
	buf := make([]byte, unix.CmsgSpace(len(data)))
	h := (*unix.Cmsghdr)(unsafe.Pointer(&buf[0]))
	h.Level = unix.SOL_SOCKET
	h.Type = typ
	h.SetLen(unix.CmsgLen(len(data)))
	copy(buf[unix.CmsgLen(0):], data)
	return buf
}

// Internet sockets ignore the control messages of Unix sockets: neither files nor
// credentials need to exist or to be well-formed.
func TestUnixControlMessagesOnInternetSockets(t *testing.T) {
	noProcess := unix.UnixCredentials(&unix.Ucred{Pid: math.MaxInt32})
	for _, kind := range []socketKind{tcp, udp} {
		for _, test := range []struct {
			name    string
			control []byte
		}{
			{"rights", unix.UnixRights(1)},
			{"bad file", unix.UnixRights(math.MaxInt32)},
			{"too many rights", unix.UnixRights(make([]int, 254)...)},
			{"half a right", controlMessage(unix.SCM_RIGHTS, []byte{1, 2})},
			{"credentials", unix.UnixCredentials(&unix.Ucred{Pid: int32(os.Getpid())})},
			{"no such process", noProcess},
			{"half of the credentials", controlMessage(unix.SCM_CREDENTIALS, []byte{1, 2, 3, 4})},
		} {
			t.Run(kind.name+"/"+test.name, func(t *testing.T) {
				pair := kind.pair(t)
				n, err := unix.SendmsgN(pair[0], []byte("data"), test.control, nil, 0)
				require.NoError(t, err)
				require.Equal(t, 4, n)
				buf, control := make([]byte, 16), make([]byte, 64)
				n, nControl, flags, _, err := unix.Recvmsg(pair[1], buf, control, 0)
				require.NoError(t, err)
				require.Equal(t, "data", string(buf[:n]))
				require.Zero(t, nControl)
				require.Zero(t, flags)
			})
		}
	}
}

// Other control messages are still checked.
func TestUnknownControlMessageOnInternetSockets(t *testing.T) {
	for _, kind := range []socketKind{tcp, udp} {
		t.Run(kind.name, func(t *testing.T) {
			pair := kind.pair(t)
			_, err := unix.SendmsgN(pair[0], []byte("data"), controlMessage(77, []byte{1, 2, 3, 4}), nil, 0)
			require.ErrorIs(t, err, unix.EINVAL)
		})
	}
}

// An Internet socket doesn't keep a file open that it didn't send.
func TestRightsOnInternetSocketsKeepNoFile(t *testing.T) {
	for _, kind := range []socketKind{tcp, udp} {
		t.Run(kind.name, func(t *testing.T) {
			pair := kind.pair(t)
			var pipe [2]int
			require.NoError(t, unix.Pipe2(pipe[:], unix.O_CLOEXEC))
			defer unix.Close(pipe[0])
			_, err := unix.SendmsgN(pair[0], []byte("data"), unix.UnixRights(pipe[1]), nil, 0)
			unix.Close(pipe[1])
			require.NoError(t, err)
			n, err := unix.Read(pipe[0], make([]byte, 1))
			require.NoError(t, err)
			require.Zero(t, n)
		})
	}
}

func TestRightsOnNetlinkSockets(t *testing.T) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	require.NoError(t, err)
	defer unix.Close(fd)
	noop := make([]byte, unix.NLMSG_HDRLEN)
	noop[0], noop[4] = unix.NLMSG_HDRLEN, unix.NLMSG_NOOP
	for _, file := range []int{fd, math.MaxInt32} {
		_, err := unix.SendmsgN(fd, noop, unix.UnixRights(file), nil, 0)
		require.ErrorIs(t, err, unix.EINVAL)
	}
	_, err = unix.SendmsgN(fd, noop, unix.UnixCredentials(&unix.Ucred{Pid: int32(os.Getpid())}), nil, 0)
	require.NoError(t, err)
}
