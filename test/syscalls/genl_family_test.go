// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//covers:report
package syscalls

import (
	"encoding/binary"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/test/syscalls/remote"
)

// The driver's family has a group, and supports no requests.
func TestReportFamily(t *testing.T) {
	s := newGenlSocket(t)
	family := s.familyByName(binder.BINDER_FAMILY_NAME)
	require.Equal(t, binder.BINDER_FAMILY_NAME, family.str(t, unix.CTRL_ATTR_FAMILY_NAME))
	require.EqualValues(t, binder.BINDER_FAMILY_VERSION, family.u32(unix.CTRL_ATTR_VERSION))
	require.Zero(t, family.u32(unix.CTRL_ATTR_HDRSIZE))
	require.Zero(t, family.u32(unix.CTRL_ATTR_MAXATTR))
	require.NotContains(t, family, uint16(unix.CTRL_ATTR_OPS))
	groups := groupsOf(t, family)
	require.Len(t, groups, 1)
	require.NotZero(t, groups[binder.BINDER_MCGRP_REPORT])

	id := family.u16(unix.CTRL_ATTR_FAMILY_ID)
	require.Greater(t, id, uint16(unix.GENL_ID_CTRL))
	for _, flags := range []uint16{0, unix.NLM_F_DUMP} {
		for _, command := range []uint8{0, binder.BINDER_CMD_REPORT, 2} {
			require.Equal(t, unix.EOPNOTSUPP, s.requestError(id, flags, command, nil))
		}
	}
}

// The controller knows the families by name and by number.
func TestGenlController(t *testing.T) {
	s := newGenlSocket(t)
	get := func(flags uint16, typ uint16, value []byte) []genlMessage {
		t.Helper()
		return s.request(unix.GENL_ID_CTRL, flags, unix.CTRL_CMD_GETFAMILY, attribute(nil, typ, value))
	}
	u16 := func(v uint16) []byte { return binary.NativeEndian.AppendUint16(nil, v) }
	controller := s.familyByName("nlctrl")
	require.EqualValues(t, unix.GENL_ID_CTRL, controller.u16(unix.CTRL_ATTR_FAMILY_ID))
	require.EqualValues(t, 2, controller.u32(unix.CTRL_ATTR_VERSION))
	require.Equal(t, map[string]uint32{"notify": unix.GENL_ID_CTRL}, groupsOf(t, controller))
	require.NotEmpty(t, parseAttributes(t, controller[unix.CTRL_ATTR_OPS]))

	family := s.familyByName(binder.BINDER_FAMILY_NAME)
	id := family.u16(unix.CTRL_ATTR_FAMILY_ID)
	for _, value := range [][]byte{u16(id), append(u16(id), 1, 2)} {
		msgs := get(0, unix.CTRL_ATTR_FAMILY_ID, value)
		require.Len(t, msgs, 1)
		require.Equal(t, family, msgs[0].attrs)
	}

	// The answer precedes the acknowledgment.
	msgs := get(unix.NLM_F_ACK, unix.CTRL_ATTR_FAMILY_ID, u16(id))
	require.Len(t, msgs, 2)
	require.Equal(t, family, msgs[0].attrs)
	require.EqualValues(t, unix.NLMSG_ERROR, msgs[1].Type)
	require.Zero(t, msgs[1].err)

	msgs = s.request(unix.GENL_ID_CTRL, unix.NLM_F_DUMP, unix.CTRL_CMD_GETFAMILY, nil)
	last := msgs[len(msgs)-1]
	require.EqualValues(t, unix.NLMSG_DONE, last.Type)
	var all []attributes
	for _, m := range msgs {
		require.EqualValues(t, unix.NLM_F_MULTI, m.Flags)
		all = append(all, m.attrs)
	}
	require.Equal(t, controller, all[0])
	require.Contains(t, all, family)

	// Messages other than requests are not answered.
	b := binary.NativeEndian.AppendUint32(nil, unix.SizeofNlMsghdr+sizeOfGenlHeader)
	b = append(binary.NativeEndian.AppendUint16(b, unix.GENL_ID_CTRL), make([]byte, 10+sizeOfGenlHeader)...)
	_, err := unix.Write(s.fd, b)
	require.NoError(t, err)
	_, err = s.receive()
	require.Equal(t, unix.EAGAIN, err)
}

// The controller refuses invalid requests.
func TestGenlControllerErrors(t *testing.T) {
	s := newGenlSocket(t)
	for name, tc := range map[string]struct {
		family  uint16
		command uint8
		attrs   []byte
		want    unix.Errno
	}{
		"no attribute":        {unix.GENL_ID_CTRL, unix.CTRL_CMD_GETFAMILY, nil, unix.EINVAL},
		"unknown name":        {unix.GENL_ID_CTRL, unix.CTRL_CMD_GETFAMILY, attribute(nil, unix.CTRL_ATTR_FAMILY_NAME, []byte("binde\x00")), unix.ENOENT},
		"name without an end": {unix.GENL_ID_CTRL, unix.CTRL_CMD_GETFAMILY, attribute(nil, unix.CTRL_ATTR_FAMILY_NAME, []byte("binder")), unix.EINVAL},
		"name too long":       {unix.GENL_ID_CTRL, unix.CTRL_CMD_GETFAMILY, attribute(nil, unix.CTRL_ATTR_FAMILY_NAME, []byte("0123456789abcdef\x00")), unix.EINVAL},
		"longest name":        {unix.GENL_ID_CTRL, unix.CTRL_CMD_GETFAMILY, attribute(nil, unix.CTRL_ATTR_FAMILY_NAME, []byte("0123456789abcde\x00")), unix.ENOENT},
		"unknown number":      {unix.GENL_ID_CTRL, unix.CTRL_CMD_GETFAMILY, attribute(nil, unix.CTRL_ATTR_FAMILY_ID, []byte{0, 3}), unix.ENOENT},
		"number cut short":    {unix.GENL_ID_CTRL, unix.CTRL_CMD_GETFAMILY, attribute(nil, unix.CTRL_ATTR_FAMILY_ID, []byte{16}), unix.ERANGE},
		"answer":              {unix.GENL_ID_CTRL, unix.CTRL_CMD_NEWFAMILY, nil, unix.EOPNOTSUPP},
		"unknown command":     {unix.GENL_ID_CTRL, 77, nil, unix.EOPNOTSUPP},
		"unknown family":      {999, 0, nil, unix.ENOENT},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tc.want, s.requestError(tc.family, 0, tc.command, tc.attrs))
		})
	}
}

// The driver's family has no policy that the controller could return.
func TestGenlPolicy(t *testing.T) {
	const getPolicy, attrOp = 10, 10 // CTRL_CMD_GETPOLICY and CTRL_ATTR_OP
	s := newGenlSocket(t)
	name := func(name string) []byte { return attribute(nil, unix.CTRL_ATTR_FAMILY_NAME, append([]byte(name), 0)) }
	for _, tc := range []struct {
		flags uint16
		attrs []byte
		want  unix.Errno
	}{
		{unix.NLM_F_DUMP, name(binder.BINDER_FAMILY_NAME), unix.ENODATA},
		{unix.NLM_F_DUMP, name("binde"), unix.ENOENT},
		{unix.NLM_F_DUMP, attribute(name(binder.BINDER_FAMILY_NAME), attrOp, binary.NativeEndian.AppendUint32(nil, 1)), unix.ENOENT},
		{unix.NLM_F_DUMP, nil, unix.EINVAL},
		{0, name(binder.BINDER_FAMILY_NAME), unix.EOPNOTSUPP},
	} {
		require.Equal(t, tc.want, s.requestError(unix.GENL_ID_CTRL, tc.flags, getPolicy, tc.attrs), "%+v", tc)
	}
}

// Every user may listen, and may join nonexistent groups. A socket that isn't bound
// receives nothing.
func TestReportAsAnyUser(t *testing.T) {
	client := newProcess(t)
	client.setUser(10000)
	group := groupsOf(t, newGenlSocket(t).familyByName(binder.BINDER_FAMILY_NAME))[binder.BINDER_MCGRP_REPORT]
	socket := func(bound bool) uintptr {
		fd := client.Must(t, unix.SYS_SOCKET, unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_GENERIC)
		at := client.Scratch()
		if bound {
			clear(remote.Bytes(at, unix.SizeofSockaddrNetlink))
			binary.NativeEndian.PutUint16(remote.Bytes(at, 2), unix.AF_NETLINK)
			client.Must(t, unix.SYS_BIND, fd, at, unix.SizeofSockaddrNetlink)
		}
		for _, id := range []uint32{group, 30} {
			binary.NativeEndian.PutUint32(remote.Bytes(at, 4), id)
			client.Must(t, unix.SYS_SETSOCKOPT, fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, at, 4)
		}
		return fd
	}
	bound, unbound := socket(true), socket(false)
	client.write(bcTransaction{handle: 9})
	client.Must(t, unix.SYS_RECVFROM, bound, client.Scratch(), 4096, unix.MSG_DONTWAIT, 0, 0)
	_, err := client.Call(t, unix.SYS_RECVFROM, unbound, client.Scratch(), 4096, unix.MSG_DONTWAIT, 0, 0)
	require.Equal(t, unix.EAGAIN, err)
}

// A socket that leaves the group receives nothing more; one that joined it with bind(2)
// does.
func TestReportMembership(t *testing.T) {
	client := newProcess(t)
	r := newReports(t)
	group := r.group
	bound := &reports{genlSocket: &genlSocket{t: t}, family: r.family, group: group, ids: r.ids}
	var err error
	bound.fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_GENERIC)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(bound.fd) })
	require.NoError(t, unix.Bind(bound.fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1 << (group - 1)}))
	r.name(client.thread, "client")
	const report = "BR_FAILED_REPLY binder from client:client to -:- flags 0x0 code 0 size 0"

	client.write(bcTransaction{handle: 9})
	r.expect(report)
	bound.expect(report)
	require.NoError(t, r.join(group))
	require.NoError(t, unix.SetsockoptInt(r.fd, unix.SOL_NETLINK, unix.NETLINK_DROP_MEMBERSHIP, int(group)))
	client.read()
	client.write(bcTransaction{handle: 9})
	r.expect()
	bound.expect(report)
}

// A listener in a network namespace other than the initial one receives nothing.
func TestReportInANetworkNamespace(t *testing.T) {
	client := newProcess(t)
	r := make(chan *reports)
	go func() {
		// The thread must not be reused, and exits.
		runtime.LockOSThread()
		defer close(r)
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Error(err)
			return
		}
		r <- newReports(t)
	}()
	there, here := <-r, newReports(t)
	require.NotNil(t, there)
	here.name(client.thread, "client")
	client.write(bcTransaction{handle: 9})
	here.expect("BR_FAILED_REPLY binder from client:client to -:- flags 0x0 code 0 size 0")
	there.expect()
}

// A listener that doesn't read is told that reports were lost, before those that were
// not. Then it gets none until it has read these.
func TestReportsAreLost(t *testing.T) {
	client := newProcess(t)
	r := newReports(t)
	fail := func() {
		client.writeRead(readSize, bcTransaction{handle: 9}).ok(t)
	}
	events := func() int16 {
		p := []unix.PollFd{{Fd: int32(r.fd), Events: unix.POLLIN}}
		_, err := unix.Poll(p, 0)
		require.NoError(t, err)
		return p[0].Revents
	}
	drain := func() (n int) {
		for {
			_, err := r.receive()
			if err == unix.EAGAIN {
				return n
			}
			require.NoError(t, err)
			n++
		}
	}
	kept := -1
	for events()&unix.POLLERR == 0 {
		fail()
		kept++
	}
	require.EqualValues(t, unix.POLLIN|unix.POLLERR, events())
	_, err := r.receive()
	require.Equal(t, unix.ENOBUFS, err)
	require.EqualValues(t, unix.POLLIN, events())
	_, err = r.receive()
	require.NoError(t, err)
	fail()
	require.Equal(t, kept-1, drain())
	fail()
	require.Equal(t, 1, drain())

	// The error can also be queried, or turned off.
	for range kept + 1 {
		fail()
	}
	errno, err := unix.GetsockoptInt(r.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	require.NoError(t, err)
	require.EqualValues(t, unix.ENOBUFS, errno)
	require.Equal(t, kept, drain())
	require.NoError(t, unix.SetsockoptInt(r.fd, unix.SOL_NETLINK, unix.NETLINK_NO_ENOBUFS, 1))
	for range kept + 1 {
		fail()
	}
	require.EqualValues(t, unix.POLLIN, events())
	require.Equal(t, kept, drain())
}
