// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The header of generic netlink messages.
const sizeOfGenlHeader = 4

// attributes holds a message's attributes, by type.
type attributes map[uint16][]byte

// parseAttributes parses the attributes that an application received.
func parseAttributes(t testing.TB, b []byte) attributes {
	attrs := attributes{}
	for len(b) > 0 {
		require.GreaterOrEqual(t, len(b), unix.SizeofNlAttr)
		size, typ := int(binary.NativeEndian.Uint16(b)), binary.NativeEndian.Uint16(b[2:])&^uint16(unix.NLA_F_NESTED|unix.NLA_F_NET_BYTEORDER)
		require.True(t, unix.SizeofNlAttr <= size && size <= len(b), "an attribute of %d bytes in %d", size, len(b))
		require.NotContains(t, attrs, typ)
		attrs[typ] = b[unix.SizeofNlAttr:size]
		b = b[min((size+3)&^3, len(b)):]
	}
	return attrs
}

func (a attributes) u16(typ uint16) uint16 { return binary.NativeEndian.Uint16(a[typ]) }
func (a attributes) u32(typ uint16) uint32 { return binary.NativeEndian.Uint32(a[typ]) }

// str returns an attribute that is a NUL-terminated string.
func (a attributes) str(t testing.TB, typ uint16) string {
	b := a[typ]
	require.NotEmpty(t, b)
	require.Zero(t, b[len(b)-1])
	return string(b[:len(b)-1])
}

// attribute appends an attribute to b.
func attribute(b []byte, typ uint16, value []byte) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(unix.SizeofNlAttr+len(value)))
	b = append(binary.NativeEndian.AppendUint16(b, typ), value...)
	return append(b, make([]byte, -len(b)&3)...)
}

// A genlMessage is a generic netlink message, or one about it: an error, or the end of a
// dump.
type genlMessage struct {
	unix.NlMsghdr
	command, version uint8
	attrs            attributes

	err unix.Errno // of NLMSG_ERROR
}

// A genlSocket is a generic netlink socket.
type genlSocket struct {
	t       testing.TB
	fd      int
	sender  unix.SockaddrNetlink // of the last message received
	lastSeq uint32
}

func newGenlSocket(t testing.TB) *genlSocket {
	t.Helper()
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_GENERIC)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	require.NoError(t, unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}))
	return &genlSocket{t: t, fd: fd}
}

// send sends a generic netlink request.
func (s *genlSocket) send(family, flags uint16, command uint8, attrs []byte) {
	s.t.Helper()
	s.lastSeq++
	b := binary.NativeEndian.AppendUint32(nil, uint32(unix.SizeofNlMsghdr+sizeOfGenlHeader+len(attrs)))
	b = binary.NativeEndian.AppendUint16(b, family)
	b = binary.NativeEndian.AppendUint16(b, flags|unix.NLM_F_REQUEST)
	b = binary.NativeEndian.AppendUint32(b, s.lastSeq)
	b = binary.NativeEndian.AppendUint32(b, 0)
	b = append(b, command, 1, 0, 0)
	_, err := unix.Write(s.fd, append(b, attrs...))
	require.NoError(s.t, err)
}

// receive returns the messages of an already queued datagram.
func (s *genlSocket) receive() ([]genlMessage, error) {
	s.t.Helper()
	b := make([]byte, 1<<16)
	n, from, err := unix.Recvfrom(s.fd, b, unix.MSG_DONTWAIT)
	if err != nil {
		return nil, err
	}
	s.sender = *from.(*unix.SockaddrNetlink)
	require.Zero(s.t, s.sender.Pid)
	var msgs []genlMessage
	for b = b[:n]; len(b) > 0; {
		var m genlMessage
		_, err := binary.Decode(b, binary.NativeEndian, &m.NlMsghdr)
		require.NoError(s.t, err)
		require.LessOrEqual(s.t, int(m.Len), len(b))
		rest := b[unix.SizeofNlMsghdr:m.Len]
		switch m.Type {
		case unix.NLMSG_ERROR:
			m.err = unix.Errno(-int32(binary.NativeEndian.Uint32(rest)))
		case unix.NLMSG_DONE:
		default:
			m.command, m.version = rest[0], rest[1]
			m.attrs = parseAttributes(s.t, rest[sizeOfGenlHeader:])
		}
		msgs = append(msgs, m)
		b = b[min((int(m.Len)+3)&^3, len(b)):]
	}
	return msgs, nil
}

// request returns all messages in answer to a request.
func (s *genlSocket) request(family, flags uint16, command uint8, attrs []byte) []genlMessage {
	s.t.Helper()
	s.send(family, flags, command, attrs)
	var all []genlMessage
	for {
		msgs, err := s.receive()
		if err == unix.EAGAIN {
			break
		}
		require.NoError(s.t, err)
		all = append(all, msgs...)
	}
	for _, m := range all {
		require.Equal(s.t, s.lastSeq, m.Seq)
	}
	return all
}

// requestError returns the error in answer to a request.
func (s *genlSocket) requestError(family, flags uint16, command uint8, attrs []byte) unix.Errno {
	s.t.Helper()
	msgs := s.request(family, flags, command, attrs)
	require.Len(s.t, msgs, 1)
	require.EqualValues(s.t, unix.NLMSG_ERROR, msgs[0].Type)
	return msgs[0].err
}

// familyByName asks the controller for a family.
func (s *genlSocket) familyByName(name string) attributes {
	s.t.Helper()
	msgs := s.request(unix.GENL_ID_CTRL, 0, unix.CTRL_CMD_GETFAMILY,
		attribute(nil, unix.CTRL_ATTR_FAMILY_NAME, append([]byte(name), 0)))
	require.Len(s.t, msgs, 1)
	m := msgs[0]
	require.EqualValues(s.t, unix.GENL_ID_CTRL, m.Type)
	require.Zero(s.t, m.Flags)
	require.EqualValues(s.t, unix.CTRL_CMD_NEWFAMILY, m.command)
	return m.attrs
}

// groupsOf returns the IDs of a family's multicast groups, by name.
func groupsOf(t testing.TB, family attributes) map[string]uint32 {
	groups := map[string]uint32{}
	for _, b := range parseAttributes(t, family[unix.CTRL_ATTR_MCAST_GROUPS]) {
		group := parseAttributes(t, b)
		groups[group.str(t, unix.CTRL_ATTR_MCAST_GRP_NAME)] = group.u32(unix.CTRL_ATTR_MCAST_GRP_ID)
	}
	return groups
}

// join makes the socket a member of a multicast group.
func (s *genlSocket) join(group uint32) error {
	return unix.SetsockoptInt(s.fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, int(group))
}
