// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"math"

	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/gohacks"

	"sentrybinder/pkg/sentry/devices/binder/trace"
)

// tracer is what notes events, where Linux has a tracepoint, while somebody outside of
// the sandbox traces the driver. A Driver without one, to which a nil *tracer belongs,
// pays an atomic load for each event. Callers may hold any lock: nothing here takes
// one, or waits.
type tracer struct {
	ring *trace.Ring

	// only is the container whose events are noted, or nil for all. What is sent
	// from one container to another is of both.
	only *Tenant
}

// StartTrace adds what happens from now on to ring, until stop is called or the sandbox
// is restored. Only what has to do with the container, by its ID, is added, unless that
// is empty.
//
// Errors: EBUSY if there is a trace going on. ENOENT if there's no such container.
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

// tracer returns what notes p's events, or nil.
func (p *Process) tracer() *tracer { return p.ctx.domain.driver.tracer.Load() }

// command notes that th has written cmd.
func (tr *tracer) command(th *Thread, cmd uint32) {
	if tr != nil {
		tr.code(trace.Command, th, cmd)
	}
}

// returned notes that th is told br.
func (tr *tracer) returned(th *Thread, br uint32) {
	if tr != nil {
		tr.code(trace.Return, th, br)
	}
}

// transaction notes that t, whose receiver is known, is being sent for m, and is to have
// a buffer with so much extra space.
func (tr *tracer) transaction(t *Transaction, m *message, extra uint64) {
	if tr != nil {
		tr.sent(t, m, extra)
	}
}

// received notes that th is told br, with t.
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

// waited notes that th has waited since start, unless that is zero: for a reply, or for
// any work.
func (tr *tracer) waited(th *Thread, start int64, forReply bool) {
	if tr != nil && start != 0 && tr.wants(th.proc.tenant, nil) {
		tr.ring.Add(&trace.Event{Kind: trace.Wait, Time: gohacks.Nanotime(), Start: start, PID: th.proc.pid, TID: th.id, Reply: uint16(bit(forReply))})
	}
}

// frozen notes that p was frozen or thawed.
func (tr *tracer) frozen(p *Process, frozen bool) {
	kind := trace.Thawed
	if frozen {
		kind = trace.Frozen
	}
	tr.process(kind, p)
}

// closed notes that p is closed.
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

// size returns n as an event has it. No buffer is that large: what an application asks
// for may be.
func size(n uint64) uint32 { return uint32(min(n, math.MaxUint32)) }

// wants returns whether what happens between a and b is to be noted; b is nil for what
// only has to do with a.
func (tr *tracer) wants(a, b *Tenant) bool { return tr.only == nil || tr.only == a || tr.only == b }
