// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

// freezer is what a Process has of being frozen: a state in which it takes no
// synchronous calls, since whoever froze it is about to stop its threads.
//
// +stateify savable
type freezer struct {
	frozen bool

	// syncReceived is true if a synchronous call came, and was refused, since the
	// process was frozen. asyncReceived is true if a one-way call came.
	syncReceived  bool
	asyncReceived bool

	// outstanding counts the transactions to the process that have not come to
	// their end: calls that are not answered, one-way calls and replies that are
	// not read.
	outstanding int
}

// setFrozenLocked freezes p or thaws it. What came before is forgotten.
//
// +checklocks:p.mu
func (p *Process) setFrozenLocked(frozen bool) {
	p.inner.freezer.frozen = frozen && !p.inner.dead
	p.inner.freezer.syncReceived, p.inner.freezer.asyncReceived = false, false
}

// refusesLocked notes a call that comes for p, and returns whether p refuses it
// for being frozen.
//
// +checklocks:p.mu
func (p *Process) refusesLocked(oneWay bool) bool {
	switch {
	case !p.inner.freezer.frozen:
		return false
	case oneWay:
		p.inner.freezer.asyncReceived = true
		return false
	default:
		p.inner.freezer.syncReceived = true
		return true
	}
}

// busyLocked returns whether p is in the middle of a transaction: one is
// outstanding, or a thread handles a call or waits for a reply.
//
// +checklocks:p.mu
func (p *Process) busyLocked() bool { return p.inner.freezer.outstanding > 0 || p.inner.stacked > 0 }
