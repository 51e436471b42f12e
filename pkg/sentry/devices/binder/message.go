// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import "sentrybinder/pkg/abi/binder"

// message is a transaction that an application asks the driver to send.
type message struct {
	binder.TransactionData

	// buffersSize is the extra space for scatter-gather, in bytes.
	buffersSize uint64

	// debugID is the debug ID that the transaction has or, if it fails, would have
	// had.
	debugID int32

	// nice is the nice value of the sender, from before a reply restores its own.
	nice int

	// log is the transaction log's entry at logPlace, before it is copied there.
	log      logEntry
	logPlace uint64

	// refused says why it failed, if it did and its failure doesn't say so.
	refused *refusal

	// receiver is the receiving process, if known. The log names it only if it could
	// have received the transaction.
	receiver *Process

	// composed is true once there is a Transaction, whose Destroy counts its deletion.
	composed bool
}

// begin assigns a debug ID to m, a transaction that th is to send, and logs it.
func (th *Thread) begin(task Task, m *message, kind logKind) {
	d := th.proc.ctx.domain
	d.stats.created(objectTransaction)
	m.debugID = d.nextID()
	m.nice = task.Niceness()
	m.log = logEntry{
		debugID:     m.debugID,
		kind:        kind,
		from:        th.proc.id,
		fromTID:     th.id,
		context:     th.proc.ctx.name,
		handle:      uint32(m.Target),
		dataSize:    m.DataSize,
		offsetsSize: m.OffsetsSize,
	}
	m.logPlace = d.log.add(&m.log)
}

// end logs the outcome of m, which begin logged: f is nil if m was queued. Otherwise the
// failure is reported.
//
// Preconditions: No lock is held.
func (th *Thread) end(task Task, m *message, f *failure) {
	d := th.proc.ctx.domain
	m.log.done = true
	th.proc.tenant.traffic.ended(m.log.kind, f)
	if f != nil {
		m.log.error, m.log.line = extendedErrorOf(m.debugID, f), f.line
		if m.refused == nil {
			m.refused = refusalFor(f.why)
		}
		d.failedLog.add(&m.log, m.refused)
		if !m.composed {
			d.stats.deleted(objectTransaction)
		}
	}
	d.log.update(m.logPlace, &m.log)
	if f != nil {
		th.complain(task, &m.log, m.refused)
		th.report(task, m, f.br)
	}
}

// to records the receiver of m: th, or any thread of p if th is nil.
func (m *message) to(p *Process, th *Thread) {
	m.receiver = p
	m.log.to(p, th)
}

// to records the receiver of the transaction: th, or any thread of p if th is nil.
func (e *logEntry) to(p *Process, th *Thread) {
	e.toProc = p.id
	if th != nil {
		e.toTID = th.id
	}
}
