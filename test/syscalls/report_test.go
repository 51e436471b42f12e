// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//covers:report
package syscalls

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
)

// reports is a socket that receives the reports of failed transactions.
type reports struct {
	*genlSocket
	family uint16
	group  uint32

	// ids holds the names of processes and threads, by ID.
	ids map[uint32]string
}

// newReports starts listening.
func newReports(t testing.TB) *reports {
	t.Helper()
	s := newGenlSocket(t)
	family := s.familyByName(binder.BINDER_FAMILY_NAME)
	group := groupsOf(t, family)[binder.BINDER_MCGRP_REPORT]
	require.NoError(t, s.join(group))
	return &reports{genlSocket: s, family: family.u16(unix.CTRL_ATTR_FAMILY_ID), group: group, ids: map[uint32]string{}}
}

// name sets the name of a thread in reports.
func (r *reports) name(th *thread, name string) { r.ids[uint32(th.TID())] = name }

// text formats m.
func (r *reports) text(m genlMessage) string {
	r.t.Helper()
	require.Equal(r.t, unix.NlMsghdr{Len: m.Len, Type: r.family}, m.NlMsghdr)
	require.EqualValues(r.t, binder.BINDER_CMD_REPORT, m.command)
	require.EqualValues(r.t, binder.BINDER_FAMILY_VERSION, m.version)
	var b strings.Builder
	attr := func(typ uint16) uint32 {
		require.Len(r.t, m.attrs[typ], 4, "attribute %d", typ)
		v := m.attrs.u32(typ)
		delete(m.attrs, typ)
		return v
	}
	id := func(typ uint16) string {
		if _, ok := m.attrs[typ]; !ok {
			return "-"
		}
		v := attr(typ)
		if name, ok := r.ids[v]; ok {
			return name
		}
		return fmt.Sprint(v)
	}
	fmt.Fprintf(&b, "%v %s", plainReturn(attr(binder.BINDER_A_REPORT_ERROR)), m.attrs.str(r.t, binder.BINDER_A_REPORT_CONTEXT))
	delete(m.attrs, binder.BINDER_A_REPORT_CONTEXT)
	fmt.Fprintf(&b, " from %s:%s", id(binder.BINDER_A_REPORT_FROM_PID), id(binder.BINDER_A_REPORT_FROM_TID))
	fmt.Fprintf(&b, " to %s:%s", id(binder.BINDER_A_REPORT_TO_PID), id(binder.BINDER_A_REPORT_TO_TID))
	if v, ok := m.attrs[binder.BINDER_A_REPORT_IS_REPLY]; ok {
		require.Empty(r.t, v)
		b.WriteString(" reply")
		delete(m.attrs, binder.BINDER_A_REPORT_IS_REPLY)
	}
	fmt.Fprintf(&b, " flags %#x code %d size %d", attr(binder.BINDER_A_REPORT_FLAGS), attr(binder.BINDER_A_REPORT_CODE), attr(binder.BINDER_A_REPORT_DATA_SIZE))
	require.Empty(r.t, m.attrs)
	return b.String()
}

// expect checks that exactly these reports have arrived, each in its own datagram.
func (r *reports) expect(want ...string) {
	r.t.Helper()
	var got []string
	for {
		msgs, err := r.receive()
		if err == unix.EAGAIN {
			break
		}
		require.NoError(r.t, err)
		require.Len(r.t, msgs, 1)
		require.EqualValues(r.t, 1<<(r.group-1), r.sender.Groups)
		got = append(got, r.text(msgs[0]))
	}
	require.Equal(r.t, want, got)
}

// Each failed transaction is reported when it fails, whoever is told of it.
func TestReport(t *testing.T) {
	for _, tc := range []struct {
		name    string
		prepare func(server, client *process)
		tr      bcTransaction
		want    string
	}{
		{"unknown handle", nil, bcTransaction{handle: 9, code: 7, payload: payload{space(12)}}, "BR_FAILED_REPLY binder from client:client to -:- flags 0x0 code 7 size 12"},
		{"unknown handle, one-way", nil, bcTransaction{handle: 9, flags: oneWay}, "BR_FAILED_REPLY binder from client:client to -:- flags 0x1 code 0 size 0"},
		{"no manager", bury, bcTransaction{}, "BR_DEAD_REPLY binder from client:client to -:- flags 0x0 code 0 size 0"},
		{"dead node", bury, bcTransaction{handle: 1}, "BR_DEAD_REPLY binder from client:client to server:- flags 0x0 code 0 size 0"},
		{"no mapping", func(server, _ *process) { server.munmap() }, bcTransaction{}, "BR_DEAD_REPLY binder from client:client to server:- flags 0x0 code 0 size 0"},
		{"waits already", func(_, client *process) { client.write(bcTransaction{}) }, bcTransaction{}, "BR_FAILED_REPLY binder from client:client to server:- flags 0x0 code 0 size 0"},
		{"too large", nil, bcTransaction{edit: sizes(mapSize+1, 0)}, "BR_FAILED_REPLY binder from client:client to server:- flags 0x0 code 0 size 131073"},
		{"huge", nil, bcTransaction{edit: sizes(1<<32+5, 0)}, "BR_FAILED_REPLY binder from client:client to server:- flags 0x0 code 0 size 5"},
		{"data unreadable", nil, bcTransaction{edit: badData}, "BR_FAILED_REPLY binder from client:client to server:- flags 0x0 code 0 size 8"},
		{"type unknown", nil, bcTransaction{payload: payload{object{Type: 1}}}, "BR_FAILED_REPLY binder from client:client to server:- flags 0x0 code 0 size 24"},
		{"type unknown, one-way", nil, bcTransaction{flags: oneWay, payload: payload{object{Type: 1}}}, "BR_FAILED_REPLY binder from client:client to server:- flags 0x1 code 0 size 24"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server, client := newManager(t), newProcess(t)
			r := newReports(t)
			r.name(server.thread, "server")
			r.name(client.thread, "client")
			if tc.prepare != nil {
				tc.prepare(server, client)
			}
			r.expect()
			client.write(tc.tr)
			switch tc.name {
			case "dead node", "waits already":
				if differs(t, onReportReceiver) {
					tc.want = strings.Replace(tc.want, "to server:-", "to -:-", 1)
				}
			case "no mapping":
				if differs(t, onNoMapping) {
					tc.want = strings.Replace(tc.want, "BR_DEAD_REPLY", "BR_FAILED_REPLY", 1)
				}
			}
			r.expect(tc.want)
			client.read()
			r.expect()
		})
	}
}

// The reported thread is the one that makes the system call.
func TestReportOfThread(t *testing.T) {
	newManager(t)
	client := newProcess(t)
	th := client.newThread()
	r := newReports(t)
	r.name(client.thread, "client")
	r.name(th, "thread")
	th.failCall()
	m, err := r.receive()
	require.NoError(t, err)
	require.Contains(t, r.text(m[0]), " from client:thread to ")
}

// The receiver's death, or its failure to reply, is no failure of the transaction.
func TestReportOfDeath(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	r := newReports(t)
	client.start(readSize, bcTransaction{})
	server.read()
	server.kill()
	client.finishExpect(brNoop, brTransactionComplete, brDeadReply)
	r.expect()
}

// A failed reply is reported for the thread that replies.
func TestReportOfReply(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	second := client.newThread()
	r := newReports(t)
	r.name(server.thread, "server")
	r.name(client.thread, "client")
	r.name(second, "second")

	server.write(bcReply{code: 3})
	r.expect("BR_FAILED_REPLY binder from server:server to -:- reply flags 0x0 code 3 size 0")
	server.read()

	second.write(bcTransaction{code: 1})
	server.read()
	server.write(bcReply{code: 4, flags: binder.TF_STATUS_CODE, edit: badData})
	r.expect("BR_FAILED_REPLY binder from server:server to client:second reply flags 0x8 code 4 size 8")
	server.expect(brNoop, brTransactionComplete)

	third := client.newThread()
	r.name(third, "third")
	third.write(bcTransaction{})
	server.read()
	require.NoError(t, third.ioctl(binder.BINDER_THREAD_EXIT, 0))
	server.write(bcReply{})
	if differs(t, onReports) {
		r.expect()
		return
	}
	r.expect("BR_DEAD_REPLY binder from server:server to -:- reply flags 0x0 code 0 size 0")
}

// A call back is reported for the waiting thread that would receive it.
func TestReportInAChain(t *testing.T) {
	manager, client, h := newPeers(t)
	r := newReports(t)
	r.name(manager.thread, "manager")
	r.name(client.thread, "client")
	client.write(bcTransaction{code: 1})
	manager.read()
	manager.write(bcTransaction{handle: h, edit: badData})
	to := "client:client"
	if differs(t, onReports) {
		to = "client:-"
	}
	r.expect("BR_FAILED_REPLY binder from manager:manager to " + to + " flags 0x0 code 0 size 8")
}

// A frozen receiver refuses calls, and lets one-way calls wait: both are reported.
//
//covers:report,freeze
func TestReportOfFrozen(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	r := newReports(t)
	r.name(server.thread, "server")
	r.name(client.thread, "client")
	freezer.freeze(server)
	client.write(bcTransaction{handle: h})
	r.expect("BR_FROZEN_REPLY binder from client:client to server:- flags 0x0 code 0 size 0")
	client.expect(brNoop, brFrozenReply)
	client.write(bcTransaction{handle: h, flags: oneWay, code: 5})
	r.expect("BR_TRANSACTION_PENDING_FROZEN binder from client:client to server:- flags 0x1 code 5 size 0")
	client.expect(brNoop, brPendingFrozen)
	freezer.thaw(server)
	r.expect()
}

// One-way transactions that may be spam are reported.
//
//covers:report,spam
func TestReportOfSpam(t *testing.T) {
	for _, detect := range []uint32{0, 1} {
		t.Run(fmt.Sprint(detect), func(t *testing.T) {
			server, client := newManager(t), newProcess(t)
			r := newReports(t)
			r.name(server.thread, "server")
			r.name(client.thread, "client")
			client.setSpamDetection(detect)
			client.flood(12, 4096)
			r.expect()
			client.flood(1, 4096)
			r.expect("BR_ONEWAY_SPAM_SUSPECT binder from client:client to server:- flags 0x1 code 0 size 4096")
		})
	}
}

// Reports name the device, for all devices.
func TestReportOfBinderfs(t *testing.T) {
	dir := mountBinderfs(t, "")
	require.NoError(t, addDevice(t, dir, "another"))
	client := newBareProcess(t)
	client.connect(dir + "/another")
	r := newReports(t)
	r.name(client.thread, "client")
	client.write(bcTransaction{})
	r.expect("BR_DEAD_REPLY another from client:client to -:- flags 0x0 code 0 size 0")
}
