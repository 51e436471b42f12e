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
func (d *death) Destroy(context.Context) { d.proc.stats().deleted(objectDeath) }

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
	d.proc.deliveredDeath.pushBack(d)
	out.add(binder.BR_DEAD_BINDER)
	// The recipient may well send transactions at once; nothing else is to be
	// in its way.
	out.last = true
	return out
}

// requestDeath handles BC_REQUEST_DEATH_NOTIFICATION. A request for a handle
// that has one, or for one that is unknown, is ignored, as in Linux.
func (p *Process) requestDeath(handle uint32, cookie uint64) {
	p.refsMu.Lock()
	defer p.refsMu.Unlock()
	r := p.refLocked(handle, false)
	if r == nil || r.death.Ok() {
		return
	}
	p.stats().created(objectDeath)
	fresh := list.NewUnique(&death{proc: p, cookie: cookie})
	r.death = fresh.Share()

	n := r.node()
	n.owner.mu.Lock()
	dead := n.dead
	n.owner.mu.Unlock()
	// If the node dies just now, its owner comes for r.death when this call has
	// released refsMu.
	if dead {
		r.announceDeathLocked()
	}
}

// announceDeathLocked queues BR_DEAD_BINDER for r's process, if it has asked
// for it and it's not queued yet.
//
// +checklocks:r.proc.refsMu
func (r *Ref) announceDeathLocked() {
	if !r.death.Ok() {
		return
	}
	d := r.death.Get()
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
	r := p.refLocked(handle, false)
	if r == nil || !r.death.Ok() || r.death.Get().cookie != cookie {
		return
	}
	held := r.death.Take()
	d := held.Get()
	p.mu.Lock()
	if d.on == nil {
		d.state = deathClear
		p.queueForLooperLocked(th, d)
	} else {
		// It's queued or delivered; BC_DEAD_BINDER_DONE goes on from here.
		d.state = deathDeadAndClear
	}
	p.mu.Unlock()
	held.Release(ctx)
}

// deadBinderDone handles BC_DEAD_BINDER_DONE, the answer to BR_DEAD_BINDER.
func (p *Process) deadBinderDone(ctx context.Context, th *Thread, cookie uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for w := range p.deliveredDeath.items.All() {
		d := w.(*death)
		if d.cookie != cookie {
			continue
		}
		kept := list.BorrowOf(d).Arc()
		dequeue(ctx, d)
		if d.state == deathDeadAndClear {
			d.state = deathClear
			p.queueForLooperLocked(th, d)
		}
		kept.Release(ctx)
		return
	}
}

// queueForLooperLocked queues w for th, which makes the call that leads to it,
// if th is a looper, and else for whichever thread comes first.
//
// +checklocks:p.mu
func (p *Process) queueForLooperLocked(th *Thread, w work) {
	if th.looper&(looperRegistered|looperEntered) != 0 {
		th.queueLocked(w)
		return
	}
	p.todo.pushBack(w)
	p.wakeupLocked()
}
