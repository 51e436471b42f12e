// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"slices"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/sentry/kernel"
)

// Report says that a transaction has failed, is pending for a frozen receiver, or may be
// spam. IDs are those of a PID namespace, or zero if it has none for the process.
type Report struct {
	// Error is the return that the sender gets.
	Error uint32

	// Context is the name of the device.
	Context string

	FromPID, FromTID int32

	// HasTo says whether the receiver is known, HasToThread whether the transaction was
	// for a particular thread of it.
	ToPID, ToTID       int32
	HasTo, HasToThread bool

	Reply       bool
	Flags, Code uint32
	DataSize    uint64
}

// ReportListener receives Reports.
type ReportListener interface {
	// Report is called with none of the driver's locks held. It must not block.
	Report(ctx context.Context, r *Report)
}

// ReportSubscription entitles a ReportListener to the Reports of transactions whose
// sender or receiver is a process of its Tenant.
//
// +stateify savable
type ReportSubscription struct {
	tenant   *Tenant
	listener ReportListener

	// ns is the PID namespace whose IDs the listener gets, or nil in tests without a
	// kernel.
	ns *kernel.PIDNamespace
}

// Subscribe subscribes l to Reports, with the IDs that the calling task sees, until
// Leave is called.
//
// Errors: ENXIO if the driver doesn't know the caller's container, ENOMEM if the
// container's account has no room for what l may have to keep, or if the container has
// maxReportListeners.
func (d *Driver) Subscribe(ctx context.Context, l ReportListener) (*ReportSubscription, error) {
	task := kernel.TaskFromContext(ctx)
	if task == nil {
		return nil, linuxerr.ENXIO
	}
	tenant := d.tenants.get(task.ContainerID())
	if tenant == nil {
		return nil, linuxerr.ENXIO
	}
	return tenant.subscribe(l, task.PIDNamespace())
}

func (t *Tenant) subscribe(l ReportListener, ns *kernel.PIDNamespace) (*ReportSubscription, error) {
	if err := t.account.Charge(reportListenerPrice); err != nil {
		return nil, err
	}
	s := &ReportSubscription{tenant: t, listener: l, ns: ns}
	if !t.reports.add(s) {
		t.account.Credit(reportListenerPrice)
		return nil, linuxerr.ENOMEM
	}
	return s, nil
}

// Leave ends s. A Report that is in progress may still arrive.
func (s *ReportSubscription) Leave(context.Context) {
	s.tenant.reports.remove(s)
	s.tenant.account.Credit(reportListenerPrice)
}

// maxReportListeners is the maximum number of listeners in a container: the sender of a
// failing transaction notifies them all.
const maxReportListeners = 64

// reportListeners holds the subscriptions of a Tenant.
//
// +stateify savable
type reportListeners struct {
	// subs is the subscriptions, or nil if there are none. It is replaced, with mu
	// locked, never modified.
	subs atomic.Pointer[[]*ReportSubscription] `state:".([]*ReportSubscription)"`

	// mu is a leaf.
	mu reportListenersMutex `state:"nosave"`
}

func (l *reportListeners) all() []*ReportSubscription {
	if subs := l.subs.Load(); subs != nil {
		return *subs
	}
	return nil
}

func (l *reportListeners) store(subs []*ReportSubscription) {
	if len(subs) == 0 {
		l.subs.Store(nil)
		return
	}
	l.subs.Store(&subs)
}

// add adds s, unless there are maxReportListeners.
func (l *reportListeners) add(s *ReportSubscription) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	subs := l.all()
	if len(subs) == maxReportListeners {
		return false
	}
	l.store(append(slices.Clone(subs), s))
	return true
}

func (l *reportListeners) remove(s *ReportSubscription) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.store(slices.DeleteFunc(slices.Clone(l.all()), func(other *ReportSubscription) bool { return other == s }))
}

// report notifies the listeners of both sides that th gets br for m.
//
// Preconditions: No lock is held.
func (th *Thread) report(ctx context.Context, m *message, br uint32) {
	from := th.proc.tenant
	if from.reports.subs.Load() != nil {
		m.reportTo(ctx, from, br)
	}
	if m.receiver == nil {
		return
	}
	if to := m.receiver.tenant; to != from && to.reports.subs.Load() != nil {
		m.reportTo(ctx, to, br)
	}
}

// reportTo notifies t's listeners.
func (m *message) reportTo(ctx context.Context, t *Tenant, br uint32) {
	e := &m.log
	for _, s := range t.reports.all() {
		ids := pidsIn{s.ns}
		r := Report{
			Error:       br,
			Context:     e.context,
			FromPID:     ids.pid(e.from),
			FromTID:     ids.tid(e.fromTID, e.from),
			HasTo:       m.receiver != nil,
			HasToThread: e.toTID != 0,
			Reply:       e.kind == logReply,
			Flags:       m.Flags,
			Code:        m.Code,
			DataSize:    m.DataSize,
		}
		if r.HasTo {
			r.ToPID = ids.pid(m.receiver.id)
		}
		if r.HasToThread {
			r.ToTID = ids.tid(e.toTID, e.toProc)
		}
		s.listener.Report(ctx, &r)
	}
}
