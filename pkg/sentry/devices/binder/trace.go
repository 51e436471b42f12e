// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"math"

	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/gohacks"

	"sentrybinder/pkg/sentry/devices/binder/trace"
)

// tracer records events, at Linux's tracepoints, while an operator traces the driver. A
// Driver that isn't traced has a nil *tracer, and pays an atomic load for each event.
// Callers may hold any lock: nothing here takes one, or waits.
type tracer struct {
	ring *trace.Ring

	// only is the container whose events are recorded, or nil for all. A message
	// between two containers belongs to both.
	only *Tenant
}

// StartTrace adds events to ring until stop is called or the sandbox is restored. Unless
// container, an ID, is empty, only that container's events are added.
//
// Errors: EBUSY if a trace is in progress. ENOENT if there's no such container.
func (d *Driver) StartTrace(ring *trace.Ring, container string) (stop func(), err error) {
	tr := &tracer{ring: ring}
	if container != "" {
		if tr.only = d.tenants.get(container); tr.only == nil {
			return nil, linuxerr.ENOENT
		}
	}
	if !d.tracer.CompareAndSwap(nil, tr) {
		return nil, linuxerr.EBUSY
	}
	return func() { d.tracer.CompareAndSwap(tr, nil) }, nil
}

// tracer returns the tracer for p's events, or nil.
func (p *Process) tracer() *tracer { return p.ctx.domain.driver.tracer.Load() }

// command records that th wrote cmd.
func (tr *tracer) command(th *Thread, cmd uint32) {
	if tr != nil {
		tr.code(trace.Command, th, cmd)
	}
}

// returned records that th reads br.
func (tr *tracer) returned(th *Thread, br uint32) {
	if tr != nil {
		tr.code(trace.Return, th, br)
	}
}

// transaction records that t, whose receiver is known, is being sent for m, and needs a
// buffer with this much extra space.
func (tr *tracer) transaction(t *Transaction, m *message, extra uint64) {
	if tr != nil {
		tr.sent(t, m, extra)
	}
}

// received records that th reads br, with t.
func (tr *tracer) received(th *Thread, t *Transaction, br uint32) {
	if tr != nil && tr.wants(th.proc.tenant, t.fromProc.tenant) {
		tr.ring.Add(&trace.Event{Kind: trace.Received, Time: gohacks.Nanotime(), PID: th.proc.pid, TID: th.id, ID: t.debugID, Domain: th.proc.ctx.domain.ordinal, Code: br})
	}
}

// now returns the time at which a wait begins.
func (tr *tracer) now() int64 {
	if tr == nil {
		return 0
	}
	return gohacks.Nanotime()
}

// waited records that th has waited since start, unless that is zero, for a reply or for
// any work.
func (tr *tracer) waited(th *Thread, start int64, forReply bool) {
	if tr != nil && start != 0 && tr.wants(th.proc.tenant, nil) {
		tr.ring.Add(&trace.Event{Kind: trace.Wait, Time: gohacks.Nanotime(), Start: start, PID: th.proc.pid, TID: th.id, Reply: uint16(bit(forReply))})
	}
}

// frozen records that p was frozen or thawed.
func (tr *tracer) frozen(p *Process, frozen bool) {
	kind := trace.Thawed
	if frozen {
		kind = trace.Frozen
	}
	tr.process(kind, p)
}

// closed records that p is closed.
func (tr *tracer) closed(p *Process) { tr.process(trace.Closed, p) }

func (tr *tracer) process(kind trace.Kind, p *Process) {
	if tr != nil && tr.wants(p.tenant, nil) {
		tr.ring.Add(&trace.Event{Kind: kind, Time: gohacks.Nanotime(), PID: p.pid})
	}
}

func (tr *tracer) code(kind trace.Kind, th *Thread, code uint32) {
	if tr.wants(th.proc.tenant, nil) {
		tr.ring.Add(&trace.Event{Kind: kind, Time: gohacks.Nanotime(), PID: th.proc.pid, TID: th.id, Code: code})
	}
}

func (tr *tracer) sent(t *Transaction, m *message, extra uint64) {
	if tr.wants(t.fromProc.tenant, t.to.tenant) {
		tr.ring.Add(&trace.Event{
			Kind:    trace.Transaction,
			Time:    t.sent,
			PID:     t.fromProc.pid,
			TID:     t.fromTID,
			ToPID:   t.to.pid,
			ToTID:   t.onlyFor,
			ID:      t.debugID,
			Domain:  t.to.ctx.domain.ordinal,
			Node:    t.nodeID,
			Code:    t.code,
			Flags:   t.flags,
			Reply:   uint16(bit(t.reply)),
			Data:    size(m.DataSize),
			Offsets: size(m.OffsetsSize),
			Extra:   size(extra),
		})
	}
}

// size returns n clamped to an event's field. No buffer is that large, but a request may
// be.
func size(n uint64) uint32 { return uint32(min(n, math.MaxUint32)) }

// wants returns whether to record an event between a and b. b is nil if it concerns only
// a.
func (tr *tracer) wants(a, b *Tenant) bool { return tr.only == nil || tr.only == a || tr.only == b }
