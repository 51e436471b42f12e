// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

// setFrozenLocked freezes or thaws p, and clears the received flags.
//
// +checklocks:p.mu
func (p *Process) setFrozenLocked(frozen bool) {
	frozen = frozen && !p.inner.dead
	if p.inner.freezer.frozen != frozen {
		p.tracer().frozen(p, frozen)
	}
	p.inner.freezer.frozen = frozen
	p.inner.freezer.syncReceived, p.inner.freezer.asyncReceived = false, false
}

// refusesLocked records a call to p if p is frozen, and returns whether p refuses it.
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

// busyLocked returns whether p is in the middle of a transaction: one is outstanding, or
// a thread is handling a call or waiting for a reply.
//
// +checklocks:p.mu
func (p *Process) busyLocked() bool { return p.inner.freezer.outstanding > 0 || p.inner.stacked > 0 }
