// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package bindernetlink implements the generic netlink family through which applications
// receive reports of failed transactions.
//
// A member of the family's group gets its container's reports. As in Linux, everybody
// may join, but in a network namespace of its own a member gets nothing.
package bindernetlink

import (
	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/marshal/primitive"
	"gvisor.dev/gvisor/pkg/sentry/inet"
	"gvisor.dev/gvisor/pkg/sentry/kernel"
	"gvisor.dev/gvisor/pkg/sentry/socket/netlink/nlmsg"
	"gvisor.dev/gvisor/pkg/syserr"

	abi "sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/sentry/devices/binder"
)

// Socket is a generic netlink socket of gVisor's. It is savable.
type Socket interface {
	NetworkNamespace() *inet.Namespace

	// SendNotification sends a multicast group's datagram to the socket's owner, or
	// records that one was lost. It doesn't block.
	SendNotification(ctx context.Context, group uint32, ms *nlmsg.MessageSet)
}

// Membership is the membership of a Socket in the group. It is savable.
type Membership interface {
	// Leave ends it.
	Leave(ctx context.Context)
}

// Family is the generic netlink family "binder".
type Family struct {
	// driver returns the sandbox's driver.
	driver func() *binder.Driver

	// ID is the type of the family's messages. It is set before a socket joins.
	ID uint16
}

// New returns the family. driver returns the sandbox's driver, or nil before there is
// one.
func New(driver func() *binder.Driver) *Family { return &Family{driver: driver} }

// Join makes s a member of the group with the given ID. Messages have the IDs that the
// calling task sees. The Membership is nil if s will never get a message.
func (f *Family) Join(ctx context.Context, s Socket, group uint32) (Membership, *syserr.Error) {
	if s.NetworkNamespace() != kernel.KernelFromContext(ctx).RootNetworkNamespace() {
		return nil, nil
	}
	driver := f.driver()
	if driver == nil {
		return nil, syserr.FromError(linuxerr.ENXIO)
	}
	m, err := driver.Subscribe(ctx, &listener{socket: s, family: f.ID, group: group})
	if err != nil {
		return nil, syserr.FromError(err)
	}
	return m, nil
}

// listener implements binder.ReportListener for a member.
//
// +stateify savable
type listener struct {
	socket Socket
	family uint16
	group  uint32
}

// Report implements binder.ReportListener.Report.
func (l *listener) Report(ctx context.Context, r *binder.Report) {
	ms := nlmsg.NewMessageSet(0, 0)
	m := ms.AddMessage(linux.NetlinkMessageHeader{Type: l.family})
	put(m, r)
	l.socket.SendNotification(ctx, l.group, ms)
}

// put adds the header of generic netlink and the attributes to m.
func put(m *nlmsg.Message, r *binder.Report) {
	u32 := func(typ uint16, v uint32) { m.PutAttr(typ, primitive.AllocateUint32(v)) }
	m.Put(primitive.AsByteSlice([]byte{abi.BINDER_CMD_REPORT, abi.BINDER_FAMILY_VERSION, 0, 0}))
	u32(abi.BINDER_A_REPORT_ERROR, r.Error)
	m.PutAttrString(abi.BINDER_A_REPORT_CONTEXT, r.Context)
	u32(abi.BINDER_A_REPORT_FROM_PID, uint32(r.FromPID))
	u32(abi.BINDER_A_REPORT_FROM_TID, uint32(r.FromTID))
	if r.HasTo {
		u32(abi.BINDER_A_REPORT_TO_PID, uint32(r.ToPID))
	}
	if r.HasToThread {
		u32(abi.BINDER_A_REPORT_TO_TID, uint32(r.ToTID))
	}
	if r.Reply {
		m.PutAttr(abi.BINDER_A_REPORT_IS_REPLY, primitive.AsByteSlice(nil))
	}
	u32(abi.BINDER_A_REPORT_FLAGS, r.Flags)
	u32(abi.BINDER_A_REPORT_CODE, r.Code)
	u32(abi.BINDER_A_REPORT_DATA_SIZE, uint32(r.DataSize))
}
