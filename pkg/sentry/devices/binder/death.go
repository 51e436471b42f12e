// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"gvisor.dev/gvisor/pkg/context"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/binder/list"
)

// deathState is the state of a death notification.
type deathState uint8

const (
	// deathRequested: the node's death has not been noticed.
	deathRequested deathState = iota

	// deathDead: BR_DEAD_BINDER was queued, and perhaps delivered and answered since.
	deathDead

	// deathDeadAndClear: the process has cleared the request before it answered
	// BR_DEAD_BINDER. That is confirmed once it has answered.
	deathDeadAndClear

	// deathClear: BR_CLEAR_DEATH_NOTIFICATION_DONE is queued.
	deathClear
)

// death is a process's request to be notified when a node dies.
//
// Its references are: the one of the Ref that it was requested for, until it is cleared
// or the Ref goes, and the one of the list that it is on.
//
// +stateify savable
type death struct {
	list.Count
	workItem

	proc   *Process
	cookie uint64

	// +checklocks:proc.mu
	state deathState
}

// stateLocked returns d's state. p is d's process.
//
// +checklocks:p.mu
func (d *death) stateLocked(p *Process) *deathState {
	p.mustBe(d.proc)
	return &d.state // +checklocksignore: p is d.proc.
}

// Destroy implements list.Counted.Destroy.
func (d *death) Destroy(context.Context) {
	d.proc.stats().deleted(objectDeath)
	d.proc.account.Credit(noticePrice)
}

// cancel implements work.cancel.
func (d *death) cancel(context.Context) {}

// take implements work.take.
//
// +checklocks:d.proc.mu
func (d *death) take(context.Context, *Thread) delivery {
	out := delivery{cookie: d.cookie}
	if d.state == deathClear {
		out.add(binder.BR_CLEAR_DEATH_NOTIFICATION_DONE)
		return out
	}
	d.proc.inner.deliveredDeath.add(d.cookie, d)
	d.proc.tenant.traffic.told(noticeDeath)
	out.add(binder.BR_DEAD_BINDER)
	// The recipient may well send transactions at once; nothing else must be in
	// its way.
	out.last = true
	return out
}

// describe implements work.describe.
func (d *death) describe(l *logWriter) {
	d.proc.mu.Lock()
	state := d.state
	d.proc.mu.Unlock()
	switch state {
	case deathDeadAndClear:
		l.buf.WriteString("has cleared dead binder\n")
	case deathClear:
		l.buf.WriteString("has cleared death notification\n")
	default:
		l.buf.WriteString("has dead binder\n")
	}
}

// requestDeath handles BC_REQUEST_DEATH_NOTIFICATION. A request for a handle that already
// has one, or for an unknown handle, is ignored, as on Linux.
//
// Errors: ENOMEM if p's account has no room for it.
func (p *Process) requestDeath(ctx context.Context, handle uint32, cookie uint64) (*refusal, error) {
	p.refsMu.Lock()
	defer p.refsMu.Unlock()
	if r := p.refLocked(handle, false); r != nil {
		return r.requestDeathLocked(ctx, p, cookie)
	}
	return refusalFor(reasonNoRef, 0, uint64(handle)), nil
}

// +checklocks:p.refsMu
func (r *Ref) requestDeathLocked(ctx context.Context, p *Process, cookie uint64) (*refusal, error) {
	in := r.lockedBy(p)
	if in.death() != nil {
		return refusalFor(reasonNotificationSet), nil
	}
	if err := p.account.Charge(noticePrice); err != nil {
		return refusalFor(reasonNoRoom), err
	}
	p.stats().created(objectDeath)
	fresh := list.NewUnique(&death{proc: p, cookie: cookie})
	in.needExtra().death = fresh.Share()

	n := r.node()
	n.owner.mu.Lock()
	dead := n.inner.dead
	n.owner.mu.Unlock()
	// If the node dies just now, its owner finds the request once this call has released
	// refsMu.
	if dead {
		r.announceDeathLocked(ctx, p)
	}
	return nil, nil
}

// announceDeathLocked queues BR_DEAD_BINDER for p, r's process, if it requested that and
// it's not queued yet.
//
// +checklocks:p.refsMu
func (r *Ref) announceDeathLocked(ctx context.Context, p *Process) {
	d := r.lockedBy(p).death()
	if d == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if state := d.stateLocked(p); *state == deathRequested {
		*state = deathDead
		p.inner.todo.pushBack(d)
		p.wakeupLocked(ctx)
	}
}

// announceDeath is announceDeathLocked for callers that hold no lock. r may have gone
// meanwhile.
func (r *Ref) announceDeath(ctx context.Context) {
	r.proc.refsMu.Lock()
	defer r.proc.refsMu.Unlock()
	r.announceDeathLocked(ctx, r.proc)
}

// clearDeath handles BC_CLEAR_DEATH_NOTIFICATION. It is ignored, as on Linux, if there's
// no request, or one with another cookie.
func (p *Process) clearDeath(ctx context.Context, th *Thread, handle uint32, cookie uint64) *refusal {
	p.refsMu.Lock()
	defer p.refsMu.Unlock()
	if r := p.refLocked(handle, false); r != nil {
		return r.clearDeathLocked(ctx, p, th, cookie)
	}
	return refusalFor(reasonNoRef, 0, uint64(handle))
}

// +checklocks:p.refsMu
func (r *Ref) clearDeathLocked(ctx context.Context, p *Process, th *Thread, cookie uint64) *refusal {
	in := r.lockedBy(p)
	d := in.death()
	if d == nil {
		return refusalFor(reasonNoNotification)
	}
	if d.cookie != cookie {
		return refusalFor(reasonWrongCookie, 0, cookie, d.cookie)
	}
	held := in.extra.death.Take()
	p.mu.Lock()
	if d.on == nil {
		d.finishLocked(ctx, p, th)
	} else {
		// It's queued or delivered; BC_DEAD_BINDER_DONE continues.
		*d.stateLocked(p) = deathDeadAndClear
	}
	p.mu.Unlock()
	held.Release(ctx)
	return nil
}

// deadBinderDone handles BC_DEAD_BINDER_DONE, the answer to BR_DEAD_BINDER.
func (p *Process) deadBinderDone(ctx context.Context, th *Thread, cookie uint64) *refusal {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d, ok := p.inner.deliveredDeath.first(cookie).(*death); ok {
		d.answeredLocked(ctx, p, th)
		return nil
	}
	return refusalFor(reasonNotTold, 0, cookie)
}

// +checklocks:p.mu
func (d *death) answeredLocked(ctx context.Context, p *Process, th *Thread) {
	kept := list.BorrowOf(d).Arc()
	p.inner.deliveredDeath.dequeue(ctx, d.cookie, d)
	if *d.stateLocked(p) == deathDeadAndClear {
		d.finishLocked(ctx, p, th)
	}
	kept.Release(ctx)
}

// finishLocked queues BR_CLEAR_DEATH_NOTIFICATION_DONE for th, whose command caused it.
//
// +checklocks:p.mu
func (d *death) finishLocked(ctx context.Context, p *Process, th *Thread) {
	*d.stateLocked(p) = deathClear
	th.queueForLooperLocked(ctx, p, d)
}

// queueForLooperLocked queues w for th, a thread of p, if it is a looper, and otherwise
// for the first available thread.
//
// +checklocks:p.mu
func (th *Thread) queueForLooperLocked(ctx context.Context, p *Process, w work) {
	if th.lockedBy(p).looper&(looperRegistered|looperEntered) != 0 {
		th.queueLocked(p, w)
		return
	}
	p.inner.todo.pushBack(w)
	p.wakeupLocked(ctx)
}
