// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"

	"sentrybinder/pkg/abi/binder"
)

// reportList is a listener that keeps the reports.
//
// +stateify savable
type reportList struct {
	reports []*Report `state:"nosave"`
}

func (l *reportList) Report(_ context.Context, r *Report) { l.reports = append(l.reports, r) }

// take returns the reports since the last time.
func (l *reportList) take() []*Report {
	reports := l.reports
	l.reports = nil
	return reports
}

// listen returns the reports that w's container gets until the test is done.
func (w *world) listen() *reportList {
	l := &reportList{}
	s, err := w.tenant.subscribe(l, nil)
	require.NoError(w.t, err)
	w.t.Cleanup(func() { s.Leave(context.Background()) })
	return l
}

// A report goes to the containers of the sender and of the receiver, and to no other.
func TestReportReaches(t *testing.T) {
	w, other := sharing(t)
	third := w.driver.containers("third")[0]
	bystander := &reportList{}
	s, err := third.subscribe(bystander, nil)
	require.NoError(t, err)
	here, there := w.listen(), other.listen()
	client, server := w.newApp(), other.newManager()

	// The receiver is unknown.
	client.write(client.call(9, 0, parcel("")))
	want := &Report{Error: binder.BR_FAILED_REPLY, Context: "shared", FromPID: client.pid, FromTID: client.id}
	require.Equal(t, []*Report{want}, here.take())
	require.Empty(t, there.take())
	client.tryRead()

	// The receiver has no room for it.
	client.write(client.call(0, binder.TF_ONE_WAY, parcel(string(make([]byte, testMapping*5/8)))))
	want.HasTo, want.ToPID = true, server.pid
	want.Flags, want.DataSize = binder.TF_ONE_WAY, testMapping*5/8
	require.Equal(t, []*Report{want}, here.take())
	require.Equal(t, []*Report{want}, there.take())
	require.Empty(t, bystander.reports)
	s.Leave(context.Background())
	require.Nil(t, third.reports.subs.Load())
	require.Zero(t, third.account.Used())
}

// Listeners are charged to their container, which has room for two.
func TestReportListenersArePaidFor(t *testing.T) {
	w := newWorld(t)
	w.driver.StartContainer(ContainerInfo{ID: "small", Name: "small", MemoryLimit: 2*reportListenerPrice + 1})
	small := w.driver.tenants.get("small")
	var subs []*ReportSubscription
	for range 2 {
		s, err := small.subscribe(&reportList{}, nil)
		require.NoError(t, err)
		subs = append(subs, s)
	}
	_, err := small.subscribe(&reportList{}, nil)
	require.True(t, linuxerr.Equals(linuxerr.ENOMEM, err), "%v", err)
	subs[0].Leave(context.Background())
	require.Equal(t, []*ReportSubscription{subs[1]}, small.reports.all())
	require.EqualValues(t, reportListenerPrice, small.account.Used())
	subs[1].Leave(context.Background())
	require.Zero(t, small.account.Used())
}

// The number of a container's listeners is limited, whatever its account has room for.
func TestReportListenersAreFew(t *testing.T) {
	w := newWorld(t)
	for range maxReportListeners {
		w.listen()
	}
	used := w.tenant.account.Used()
	_, err := w.tenant.subscribe(&reportList{}, nil)
	require.True(t, linuxerr.Equals(linuxerr.ENOMEM, err), "%v", err)
	require.Equal(t, used, w.tenant.account.Used())
}

// Listeners go on listening after a restore.
func TestReportListenerIsRestored(t *testing.T) {
	w := newWorld(t)
	w.newManager()
	client := w.newApp()
	client.write(client.call(0, binder.TF_ONE_WAY, parcel("")))
	client.expect(binder.BR_TRANSACTION_COMPLETE)
	w.listen()
	restored := w.restore()
	subs := restored.tenant.reports.all()
	require.Len(t, subs, 1)
	require.Same(t, restored.tenant, subs[0].tenant)
	th := restored.apps[1].newThread()
	th.write(th.call(9, 0, parcel("")))
	require.Len(t, subs[0].listener.(*reportList).take(), 1)
	require.Empty(t, w.tenant.reports.all()[0].listener.(*reportList).reports)
	client.expectNothing()
	subs[0].Leave(context.Background())
}

// BenchmarkReport makes failing calls while there's a listener.
func BenchmarkReport(b *testing.B) {
	w := newWorld(b)
	th := w.newApp()
	l := &reportList{reports: make([]*Report, 0, 1)}
	s, err := w.tenant.subscribe(l, nil)
	require.NoError(b, err)
	defer s.Leave(context.Background())
	call := th.call(9, 0, parcel(""))
	for b.Loop() {
		th.write(call)
		th.tryRead()
		l.reports = l.reports[:0]
	}
}
