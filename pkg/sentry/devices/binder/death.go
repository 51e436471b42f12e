// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"gvisor.dev/gvisor/pkg/context"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/binder/list"
)

// deathState is how far a death notification has come.
type deathState uint8

const (
	// deathRequested: the node lives, as far as is known.
	deathRequested deathState = iota

	// deathDead: BR_DEAD_BINDER is queued, or delivered and not answered.
	deathDead

	// deathDeadAndClear: as deathDead, but the process has cleared the request
	// meanwhile, and is told of that once it has answered.
	deathDeadAndClear

	// deathClear: BR_CLEAR_DEATH_NOTIFICATION_DONE is queued.
	deathClear
)

// death is a process's request to be told when a node dies.
//
// Its references are: that of the Ref that it was requested for, until it is
// cleared or the Ref goes, and that of the list that it is on.
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
	d.proc.deliveredDeath.add(d.cookie, d)
	out.add(binder.BR_DEAD_BINDER)
	// The recipient may well send transactions at once; nothing else is to be
	// in its way.
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

// requestDeath handles BC_REQUEST_DEATH_NOTIFICATION. A request for a handle
// that has one, or for one that is unknown, is ignored, as in Linux.
//
// Errors: ENOMEM if p's account has no room for it.
func (p *Process) requestDeath(handle uint32, cookie uint64) error {
	p.refsMu.Lock()
	defer p.refsMu.Unlock()
	if r := p.refLocked(handle, false); r != nil {
		return r.requestDeathLocked(cookie) // +checklocksignore: r.proc is p.
	}
	return nil
}

// +checklocks:r.proc.refsMu
func (r *Ref) requestDeathLocked(cookie uint64) error {
	if r.deathLocked() != nil {
		return nil
	}
	if err := r.proc.account.Charge(noticePrice); err != nil {
		return err
	}
	r.proc.stats().created(objectDeath)
	fresh := list.NewUnique(&death{proc: r.proc, cookie: cookie})
	r.extraLocked().death = fresh.Share()

	n := r.node()
	n.owner.mu.Lock()
	dead := n.dead
	n.owner.mu.Unlock()
	// If the node dies just now, its owner comes for the notification when this call has
	// released refsMu.
	if dead {
		r.announceDeathLocked()
	}
	return nil
}

// announceDeathLocked queues BR_DEAD_BINDER for r's process, if it has asked
// for it and it's not queued yet.
//
// +checklocks:r.proc.refsMu
func (r *Ref) announceDeathLocked() {
	d := r.deathLocked()
	if d == nil {
		return
	}
	d.proc.mu.Lock()
	defer d.proc.mu.Unlock()
	if d.state != deathRequested {
		return
	}
	d.state = deathDead
	d.proc.todo.pushBack(d)
	d.proc.wakeupLocked()
}

// announceDeath is announceDeathLocked for callers that hold no lock. r may be
// gone meanwhile.
func (r *Ref) announceDeath() {
	r.proc.refsMu.Lock()
	defer r.proc.refsMu.Unlock()
	r.announceDeathLocked()
}

// clearDeath handles BC_CLEAR_DEATH_NOTIFICATION. If the cookie isn't that of
// the request, or there's none, it's ignored, as in Linux.
func (p *Process) clearDeath(ctx context.Context, th *Thread, handle uint32, cookie uint64) {
	p.refsMu.Lock()
	defer p.refsMu.Unlock()
	if r := p.refLocked(handle, false); r != nil {
		r.clearDeathLocked(ctx, th, cookie) // +checklocksignore: r.proc is p.
	}
}

// +checklocks:r.proc.refsMu
func (r *Ref) clearDeathLocked(ctx context.Context, th *Thread, cookie uint64) {
	d := r.deathLocked()
	if d == nil || d.cookie != cookie {
		return
	}
	held := r.extra.death.Take()
	d.proc.mu.Lock()
	if d.on == nil {
		d.finishLocked(th)
	} else {
		// It's queued or delivered; BC_DEAD_BINDER_DONE goes on from here.
		d.state = deathDeadAndClear
	}
	d.proc.mu.Unlock()
	held.Release(ctx)
}

// deadBinderDone handles BC_DEAD_BINDER_DONE, the answer to BR_DEAD_BINDER.
func (p *Process) deadBinderDone(ctx context.Context, th *Thread, cookie uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d, ok := p.deliveredDeath.first(cookie).(*death); ok {
		d.answeredLocked(ctx, th) // +checklocksignore: d.proc is p.
	}
}

// +checklocks:d.proc.mu
func (d *death) answeredLocked(ctx context.Context, th *Thread) {
	kept := list.BorrowOf(d).Arc()
	d.proc.deliveredDeath.dequeue(ctx, d.cookie, d)
	if d.state == deathDeadAndClear {
		d.finishLocked(th)
	}
	kept.Release(ctx)
}

// finishLocked queues BR_CLEAR_DEATH_NOTIFICATION_DONE, for th, whose command
// led to it.
//
// +checklocks:d.proc.mu
func (d *death) finishLocked(th *Thread) {
	d.state = deathClear
	th.queueForLooperLocked(d) // +checklocksignore: th.proc is d.proc.
}

// queueForLooperLocked queues w for th, if it is a looper, and else for whichever
// thread comes first.
//
// +checklocks:th.proc.mu
func (th *Thread) queueForLooperLocked(w work) {
	if th.looper&(looperRegistered|looperEntered) != 0 {
		th.queueLocked(w)
		return
	}
	th.proc.todo.pushBack(w)
	th.proc.wakeupLocked()
}
