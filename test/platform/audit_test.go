// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"bytes"
	"encoding/binary"
	"os"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/test/syscalls/remote"
)

// auditStatus is struct audit_status.
type auditStatus struct {
	Mask, Enabled, Failure, PID, RateLimit, BacklogLimit, Lost, Backlog, Features, BacklogWaitTime, BacklogWaitTimeActual uint32
}

// sendNetlink sends a message with data to the kernel, and asks it to acknowledge it.
func sendNetlink(t *testing.T, fd int, typ, flags uint16, data any) {
	t.Helper()
	var body bytes.Buffer
	require.NoError(t, binary.Write(&body, binary.NativeEndian, data))
	var message bytes.Buffer
	require.NoError(t, binary.Write(&message, binary.NativeEndian, unix.NlMsghdr{
		Len:   uint32(unix.SizeofNlMsghdr + body.Len()),
		Type:  typ,
		Flags: unix.NLM_F_REQUEST | flags,
		Seq:   uint32(typ),
	}))
	message.Write(body.Bytes())
	require.NoError(t, unix.Sendto(fd, message.Bytes(), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}))
}

// recvNetlink receives a message that the kernel sent in answer to one of type to. Linux
// also sends a message to an audit daemon when somebody wants to take its place.
func recvNetlink(t *testing.T, fd int, to uint16) (unix.NlMsghdr, []byte) {
	t.Helper()
	buf := make([]byte, 8192)
	var n int
	var header unix.NlMsghdr
	for ok := false; !ok; ok = header.Type != unix.AUDIT_REPLACE {
		var from unix.Sockaddr
		var err error
		n, from, err = unix.Recvfrom(fd, buf, 0)
		require.NoError(t, err)
		require.Zero(t, from.(*unix.SockaddrNetlink).Pid)
		header = *(*unix.NlMsghdr)(unsafe.Pointer(&buf[0]))
	}
	// Reading one message at a time loses the others in the same datagram.
	require.EqualValues(t, n, header.Len)
	require.EqualValues(t, to, header.Seq)
	return header, buf[unix.SizeofNlMsghdr:n]
}

// askAudit sends a message, and returns the error in its acknowledgment.
func askAudit(t *testing.T, fd int, typ uint16, data any) error {
	t.Helper()
	sendNetlink(t, fd, typ, unix.NLM_F_ACK, data)
	header, body := recvNetlink(t, fd, typ)
	require.EqualValues(t, unix.NLMSG_ERROR, header.Type)
	if errno := -int32(binary.NativeEndian.Uint32(body)); errno != 0 {
		return unix.Errno(errno)
	}
	return nil
}

// getAudit returns the state of the audit system, without the records that Linux has yet
// to print, such as those of what the test has changed.
func getAudit(t *testing.T, fd int) (status auditStatus) {
	t.Helper()
	require.NoError(t, askAudit(t, fd, unix.AUDIT_GET, []byte{}))
	header, body := recvNetlink(t, fd, unix.AUDIT_GET)
	require.EqualValues(t, unix.AUDIT_GET, header.Type)
	require.NoError(t, binary.Read(bytes.NewReader(body), binary.NativeEndian, &status))
	require.Len(t, body, binary.Size(status))
	if onLinux() {
		status.Backlog = 0
	}
	return status
}

func auditSocket(t *testing.T) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_AUDIT)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// Like logd: it becomes the audit daemon, and waits for messages that never come.
func TestAuditDaemon(t *testing.T) {
	fd := auditSocket(t)
	pid := uint32(os.Getpid())
	before := getAudit(t, fd)
	require.Zero(t, before.PID)
	require.Zero(t, before.Enabled)
	require.EqualValues(t, unix.AUDIT_FEATURE_BITMAP_ALL, before.Features)

	require.NoError(t, askAudit(t, fd, unix.AUDIT_SET, auditStatus{Mask: unix.AUDIT_STATUS_PID, PID: pid}))
	require.Equal(t, pid, getAudit(t, fd).PID)
	require.Zero(t, pollNow(t, fd, unix.POLLIN))

	// Nobody can take its place, and only it can give it up.
	other := auditSocket(t)
	require.ErrorIs(t, askAudit(t, other, unix.AUDIT_SET, auditStatus{Mask: unix.AUDIT_STATUS_PID, PID: pid + 1}), unix.EINVAL)
	require.NoError(t, askAudit(t, fd, unix.AUDIT_SET, auditStatus{Mask: unix.AUDIT_STATUS_PID}))
	require.Zero(t, getAudit(t, fd).PID)
	require.NoError(t, askAudit(t, fd, unix.AUDIT_SET, auditStatus{Mask: unix.AUDIT_STATUS_PID}))

	// It is unregistered when its socket is closed.
	require.NoError(t, askAudit(t, other, unix.AUDIT_SET, auditStatus{Mask: unix.AUDIT_STATUS_PID, PID: pid}))
	unix.Close(other)
	require.NoError(t, askAudit(t, fd, unix.AUDIT_SET, auditStatus{Mask: unix.AUDIT_STATUS_PID, PID: pid}))
	require.Equal(t, pid, getAudit(t, fd).PID)
	require.NoError(t, askAudit(t, fd, unix.AUDIT_SET, auditStatus{Mask: unix.AUDIT_STATUS_PID}))
}

// A second daemon is refused, while the first one lives.
func TestAuditSecondDaemon(t *testing.T) {
	first := remote.NewProcess(t)
	fd := auditSocket(t)
	theirs := first.SendFD(t, auditSocket(t))
	become := func(pid uint32) {
		header := unix.NlMsghdr{
			Len:   unix.SizeofNlMsghdr + uint32(unsafe.Sizeof(auditStatus{})),
			Type:  unix.AUDIT_SET,
			Flags: unix.NLM_F_REQUEST,
		}
		type message struct {
			header unix.NlMsghdr
			status auditStatus
		}
		*remote.Struct[message](first.Scratch()) = message{header, auditStatus{Mask: unix.AUDIT_STATUS_PID, PID: pid}}
		first.Must(t, unix.SYS_WRITE, uintptr(theirs), first.Scratch(), uintptr(header.Len))
	}
	become(uint32(first.PID()))
	require.EqualValues(t, first.PID(), getAudit(t, fd).PID)
	require.ErrorIs(t, askAudit(t, fd, unix.AUDIT_SET, auditStatus{Mask: unix.AUDIT_STATUS_PID, PID: uint32(os.Getpid())}), unix.EEXIST)
	require.ErrorIs(t, askAudit(t, fd, unix.AUDIT_SET, auditStatus{Mask: unix.AUDIT_STATUS_PID}), unix.EACCES)
	require.EqualValues(t, first.PID(), getAudit(t, fd).PID)
	become(0)
	require.Zero(t, getAudit(t, fd).PID)
}

// What is configured can be read.
func TestAuditStatus(t *testing.T) {
	fd := auditSocket(t)
	before := getAudit(t, fd)
	t.Cleanup(func() {
		before.Mask = unix.AUDIT_STATUS_FAILURE | unix.AUDIT_STATUS_RATE_LIMIT | unix.AUDIT_STATUS_BACKLOG_LIMIT | unix.AUDIT_STATUS_BACKLOG_WAIT_TIME
		require.NoError(t, askAudit(t, fd, unix.AUDIT_SET, before))
	})
	require.EqualValues(t, 1, before.Failure)
	require.EqualValues(t, 64, before.BacklogLimit)
	require.Zero(t, before.RateLimit)
	require.Zero(t, before.Lost)
	require.Zero(t, before.Backlog)
	require.EqualValues(t, 6000, before.BacklogWaitTime)

	want := before
	want.Failure, want.RateLimit, want.BacklogLimit, want.BacklogWaitTime = 0, 20, 128, 60000
	set := want
	set.Mask = unix.AUDIT_STATUS_FAILURE | unix.AUDIT_STATUS_RATE_LIMIT | unix.AUDIT_STATUS_BACKLOG_LIMIT | unix.AUDIT_STATUS_BACKLOG_WAIT_TIME
	require.NoError(t, askAudit(t, fd, unix.AUDIT_SET, set))
	require.Equal(t, want, getAudit(t, fd))

	// Older programs send shorter structures, and newer ones longer.
	require.NoError(t, askAudit(t, fd, unix.AUDIT_SET, []uint32{unix.AUDIT_STATUS_FAILURE, 0, 1}))
	want.Failure = 1
	require.Equal(t, want, getAudit(t, fd))
	require.NoError(t, askAudit(t, fd, unix.AUDIT_SET, append([]uint32{unix.AUDIT_STATUS_FAILURE, 0, 0}, make([]uint32, 100)...)))
	want.Failure = 0
	require.Equal(t, want, getAudit(t, fd))

	for _, bad := range []auditStatus{
		{Mask: unix.AUDIT_STATUS_ENABLED, Enabled: 3},
		{Mask: unix.AUDIT_STATUS_FAILURE, Failure: 3},
		{Mask: unix.AUDIT_STATUS_BACKLOG_WAIT_TIME, BacklogWaitTime: 60001},
	} {
		require.ErrorIs(t, askAudit(t, fd, unix.AUDIT_SET, bad), unix.EINVAL, "%+v", bad)
	}
	require.ErrorIs(t, askAudit(t, fd, unix.AUDIT_SET, []uint32{unix.AUDIT_STATUS_BACKLOG_WAIT_TIME, 0, 0}), unix.EINVAL)
	require.Equal(t, want, getAudit(t, fd))
}

func TestAuditMessages(t *testing.T) {
	fd := auditSocket(t)
	for _, test := range []struct {
		typ uint16
		err error
	}{
		{unix.AUDIT_USER, nil},
		{unix.AUDIT_FIRST_USER_MSG, nil},
		{unix.AUDIT_LAST_USER_MSG, nil},
		{unix.AUDIT_FIRST_USER_MSG2, nil},
		{unix.AUDIT_LAST_USER_MSG2, nil},
		{unix.AUDIT_LIST, unix.EOPNOTSUPP},
		{unix.AUDIT_ADD, unix.EOPNOTSUPP},
		{unix.AUDIT_DEL, unix.EOPNOTSUPP},
		{unix.AUDIT_LOGIN, unix.EINVAL},
		{unix.AUDIT_KERNEL, unix.EINVAL},
		{unix.AUDIT_LAST_USER_MSG2 + 1, unix.EINVAL},
		{unix.NLMSG_NOOP, unix.EINVAL},
	} {
		require.Equal(t, test.err, askAudit(t, fd, test.typ, []byte("op=test\x00")), "%d", test.typ)
	}
	// There are no rules.
	require.NoError(t, askAudit(t, fd, unix.AUDIT_LIST_RULES, []byte{}))
	header, body := recvNetlink(t, fd, unix.AUDIT_LIST_RULES)
	require.EqualValues(t, unix.NLMSG_DONE, header.Type)
	require.EqualValues(t, unix.NLM_F_MULTI, header.Flags)
	require.Empty(t, body)

	require.NoError(t, askAudit(t, fd, unix.AUDIT_GET_FEATURE, []byte{}))
	header, body = recvNetlink(t, fd, unix.AUDIT_GET_FEATURE)
	require.EqualValues(t, unix.AUDIT_GET_FEATURE, header.Type)
	require.Len(t, body, 16)

	// Without an error, an acknowledgment is only sent if requested.
	sendNetlink(t, fd, unix.AUDIT_USER, 0, []byte("op=test\x00"))
	require.Zero(t, pollNow(t, fd, unix.POLLIN))
	sendNetlink(t, fd, unix.AUDIT_LOGIN, 0, []byte{})
	header, _ = recvNetlink(t, fd, unix.AUDIT_LOGIN)
	require.EqualValues(t, unix.NLMSG_ERROR, header.Type)
}

// Everyone may have a socket. Using it requires capabilities.
func TestAuditRights(t *testing.T) {
	for _, test := range []struct {
		capability int
		typ        uint16
	}{
		{unix.CAP_AUDIT_CONTROL, unix.AUDIT_GET},
		{unix.CAP_AUDIT_CONTROL, unix.AUDIT_SET},
		{unix.CAP_AUDIT_CONTROL, unix.AUDIT_LIST_RULES},
		{unix.CAP_AUDIT_WRITE, unix.AUDIT_USER},
		{unix.CAP_AUDIT_WRITE, unix.AUDIT_FIRST_USER_MSG},
	} {
		user := remote.NewProcess(t)
		dropCapability(t, user.Thread, test.capability)
		theirs := user.Must(t, unix.SYS_SOCKET, unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_AUDIT)
		*remote.Struct[unix.NlMsghdr](user.Scratch()) = unix.NlMsghdr{Len: unix.SizeofNlMsghdr, Type: test.typ, Seq: uint32(test.typ)}
		user.Must(t, unix.SYS_WRITE, theirs, user.Scratch(), unix.SizeofNlMsghdr)
		header, body := recvNetlink(t, user.TakeFD(t, int(theirs)), test.typ)
		require.EqualValues(t, unix.NLMSG_ERROR, header.Type)
		require.EqualValues(t, unix.EPERM, -int32(binary.NativeEndian.Uint32(body)), "%+v", test)
	}
}

// joinGroups binds a socket to multicast groups, given as a bitmap.
func joinGroups(fd int, groups uint32) error {
	return unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups})
}

// memberships returns a socket's multicast groups.
func memberships(t *testing.T, fd int) uint32 {
	t.Helper()
	groups, err := unix.GetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_LIST_MEMBERSHIPS)
	require.NoError(t, err)
	return uint32(groups)
}

// ueventd listens to all possible groups.
func TestUeventGroups(t *testing.T) {
	open := func() int {
		fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_KOBJECT_UEVENT)
		require.NoError(t, err)
		t.Cleanup(func() { unix.Close(fd) })
		require.NoError(t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 64<<10))
		require.NoError(t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1))
		return fd
	}
	fd := open()
	require.NoError(t, joinGroups(fd, ^uint32(0)))
	require.Equal(t, ^uint32(0), memberships(t, fd))
	require.Zero(t, pollNow(t, fd, unix.POLLIN))

	fd = open()
	require.NoError(t, joinGroups(fd, 1))
	require.EqualValues(t, 1, memberships(t, fd))
	require.NoError(t, unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, 3))
	require.EqualValues(t, 5, memberships(t, fd))
	require.NoError(t, unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_DROP_MEMBERSHIP, 1))
	require.EqualValues(t, 4, memberships(t, fd))
	for _, group := range []int{0, 33, 65, 1 << 20} {
		require.ErrorIs(t, unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, group), unix.EINVAL, "%d", group)
	}
}

// The audit system's multicast log requires CAP_AUDIT_READ.
func TestAuditGroups(t *testing.T) {
	fd := auditSocket(t)
	require.NoError(t, joinGroups(fd, 1<<(unix.AUDIT_NLGRP_READLOG-1)))
	require.EqualValues(t, 1, memberships(t, fd))
	require.Zero(t, pollNow(t, fd, unix.POLLIN))

	user := remote.NewProcess(t)
	dropCapability(t, user.Thread, unix.CAP_AUDIT_READ)
	theirs := user.Must(t, unix.SYS_SOCKET, unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_AUDIT)
	*remote.Struct[unix.RawSockaddrNetlink](user.Scratch()) = unix.RawSockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1}
	_, err := user.Call(t, unix.SYS_BIND, theirs, user.Scratch(), unix.SizeofSockaddrNetlink)
	require.ErrorIs(t, err, unix.EPERM)
	*remote.Struct[uint32](user.Scratch()) = unix.AUDIT_NLGRP_READLOG
	_, err = user.Call(t, unix.SYS_SETSOCKOPT, theirs, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, user.Scratch(), 4)
	require.ErrorIs(t, err, unix.EPERM)
}
