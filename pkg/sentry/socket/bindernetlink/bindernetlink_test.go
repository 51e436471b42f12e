// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package bindernetlink

import (
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/sentry/inet"
	"gvisor.dev/gvisor/pkg/sentry/socket/netlink/nlmsg"

	abi "sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/sentry/devices/binder"
)

// socket implements Socket. It keeps what was sent last.
type socket struct {
	Socket
	group uint32
	sent  *nlmsg.MessageSet
}

func (s *socket) NetworkNamespace() *inet.Namespace { return nil }

func (s *socket) SendNotification(_ context.Context, group uint32, ms *nlmsg.MessageSet) {
	s.group, s.sent = group, ms
}

// A message has the attributes that are known, and no others.
func TestReport(t *testing.T) {
	for name, tc := range map[string]struct {
		report binder.Report
		want   map[uint16]uint32 // beside the name
		flag   bool
	}{
		"all": {
			binder.Report{Error: 1, Context: "name", FromPID: 2, FromTID: 3, HasTo: true, ToPID: 4, HasToThread: true, ToTID: 5, Reply: true, Flags: 6, Code: 7, DataSize: 1<<32 | 8},
			map[uint16]uint32{1: 1, 3: 2, 4: 3, 5: 4, 6: 5, 8: 6, 9: 7, 10: 8}, true,
		},
		"receiver without an ID": {
			binder.Report{Context: "name", HasTo: true},
			map[uint16]uint32{1: 0, 3: 0, 4: 0, 5: 0, 8: 0, 9: 0, 10: 0}, false,
		},
		"no receiver": {
			binder.Report{Context: "name"},
			map[uint16]uint32{1: 0, 3: 0, 4: 0, 8: 0, 9: 0, 10: 0}, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := &socket{}
			(&listener{socket: s, family: 77, group: 5}).Report(context.Background(), &tc.report)
			require.EqualValues(t, 5, s.group)
			require.Len(t, s.sent.Messages, 1)
			m, rest, ok := nlmsg.ParseMessage(s.sent.Messages[0].Finalize())
			require.True(t, ok)
			require.Empty(t, rest)
			require.Equal(t, linux.NetlinkMessageHeader{Length: m.Header().Length, Type: 77}, m.Header())
			body := m.Buffer()[linux.NetlinkMessageHeaderSize:]
			require.Equal(t, []byte{abi.BINDER_CMD_REPORT, abi.BINDER_FAMILY_VERSION, 0, 0}, body[:4])
			attrs, ok := nlmsg.AttrsView(body[4:]).Parse()
			require.True(t, ok)

			require.Equal(t, "name\x00", string(attrs[abi.BINDER_A_REPORT_CONTEXT]))
			delete(attrs, abi.BINDER_A_REPORT_CONTEXT)
			flag, ok := attrs[abi.BINDER_A_REPORT_IS_REPLY]
			require.Equal(t, tc.flag, ok)
			require.Empty(t, flag)
			delete(attrs, abi.BINDER_A_REPORT_IS_REPLY)
			got := map[uint16]uint32{}
			for typ, value := range attrs {
				require.Len(t, value, 4)
				got[typ] = hostarch.ByteOrder.Uint32(value)
			}
			require.Equal(t, tc.want, got)
		})
	}
}
