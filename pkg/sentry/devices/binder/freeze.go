// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"time"

	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/waiter"

	"sentrybinder/pkg/abi/binder"
)

// freezer is what a Process has of being frozen: a state in which it takes no
// synchronous calls, since whoever froze it is about to stop its threads. All of
// it is protected by the process's mu but for idle.
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

	// idle has those who wait for outstanding to be zero.
	idle waiter.Queue
}

// setFrozenLocked freezes p or thaws it. What came before is forgotten.
//
// +checklocks:p.mu
func (p *Process) setFrozenLocked(frozen bool) {
	p.freezer.frozen = frozen && !p.dead
	p.freezer.syncReceived, p.freezer.asyncReceived = false, false
}

// refusesLocked notes a call that comes for p, and returns whether p refuses it
// for being frozen.
//
// +checklocks:p.mu
func (p *Process) refusesLocked(oneWay bool) bool {
	switch {
	case !p.freezer.frozen:
		return false
	case oneWay:
		p.freezer.asyncReceived = true
		return false
	default:
		p.freezer.syncReceived = true
		return true
	}
}

// beginLocked counts t, which is about to be queued, as outstanding.
//
// +checklocks:t.to.mu
func (t *Transaction) beginLocked() {
	if t.hasDevices {
		t.inFlight = true
		t.to.ctx.domain.driver.flights.departed(t)
	}
	t.outstanding = true
	t.to.freezer.outstanding++
}

// endLocked ends what beginLocked has begun, if it did and that has not ended.
//
// +checklocks:t.to.mu
func (t *Transaction) endLocked() {
	if !t.outstanding {
		return
	}
	t.outstanding = false
	f := &t.to.freezer
	if f.outstanding--; f.outstanding == 0 {
		f.idle.Notify(waiter.EventInternal)
	}
}

// busyLocked returns whether p is in the middle of a transaction: one is
// outstanding, or a thread handles a call or waits for a reply.
//
// +checklocks:p.mu
func (p *Process) busyLocked() bool { return p.freezer.outstanding > 0 || p.stacked > 0 }

// freeze handles BINDER_FREEZE: it freezes or thaws all that process info.PID
// has open, of whatever device that the caller can see, what was opened last first. If left is not zero,
// the call is made again after an interruption, and that's left of the time.
//
// Errors: EINVAL if there's no such process that the caller can see. EAGAIN if it is busy, or still is
// when the time is over. ERESTARTSYS if the wait was interrupted. Of what the
// process has open, that which could not be frozen is thawed then, and the rest
// stays as it is.
func (th *Thread) freeze(task Task, info *binder.FreezeInfo, left time.Duration) error {
	v := task.View(th.proc)
	found := false
	for p := range v.openedBy(v.pids.identity(int32(info.PID))) {
		found = true
		if info.Enable == 0 {
			p.mu.Lock()
			p.setFrozenLocked(false)
			p.mu.Unlock()
			p.announceFrozen(task)
			continue
		}
		timeout := time.Duration(info.TimeoutMS) * time.Millisecond
		if left > 0 {
			timeout = min(left, timeout)
		}
		var err error
		if left, err = p.freeze(task, timeout); err != nil {
			// A signal makes Linux begin anew; nothing else is to be noticed.
			if left > 0 && !task.SignalPending() {
				th.freezeLeft = left
			}
			return err
		}
	}
	if !found {
		return linuxerr.EINVAL
	}
	return nil
}

// freeze freezes p once nothing is outstanding. Calls are refused meanwhile. If
// the wait was interrupted, it returns what's left of timeout.
//
// Errors: EAGAIN, ERESTARTSYS; then p is not frozen.
func (p *Process) freeze(task Task, timeout time.Duration) (time.Duration, error) {
	p.mu.Lock()
	p.setFrozenLocked(true)
	p.mu.Unlock()
	left, err := p.awaitIdle(task, timeout)
	p.mu.Lock()
	if err == nil && p.busyLocked() {
		err = linuxerr.EAGAIN
	}
	if err != nil {
		p.freezer.frozen = false
	}
	p.mu.Unlock()
	if err == nil {
		p.announceFrozen(task)
	}
	return left, err
}

// awaitIdle waits until nothing is outstanding, or until timeout is over, which
// is no error. It returns what's left of timeout if it was interrupted.
//
// Errors: ERESTARTSYS.
func (p *Process) awaitIdle(task Task, timeout time.Duration) (time.Duration, error) {
	entry, idle := waiter.NewChannelEntry(waiter.EventInternal)
	p.freezer.idle.EventRegister(&entry)
	defer p.freezer.idle.EventUnregister(&entry)
	for timeout > 0 {
		p.mu.Lock()
		done := p.freezer.outstanding == 0
		p.mu.Unlock()
		if done {
			break
		}
		left, err := task.BlockWithTimeout(idle, true, timeout)
		if err != nil && left > 0 {
			return left, linuxerr.ERESTARTSYS
		}
		timeout = left
	}
	return 0, nil
}

// frozenInfo handles BINDER_GET_FROZEN_INFO: it sets the other fields of info to
// what came for process info.PID since it was frozen, on all devices together.
//
// Errors: EINVAL if there's no such process that the caller can see.
func (v *View) frozenInfo(info *binder.FrozenStatusInfo) error {
	found := false
	for p := range v.openedBy(v.pids.identity(int32(info.PID))) {
		if !found {
			found = true
			info.SyncRecv, info.AsyncRecv = 0, 0
		}
		p.mu.Lock()
		if p.freezer.syncReceived {
			info.SyncRecv |= binder.FROZEN_SYNC_RECEIVED
		}
		if p.busyLocked() {
			info.SyncRecv |= binder.FROZEN_TXNS_PENDING
		}
		if p.freezer.asyncReceived {
			info.AsyncRecv |= binder.FROZEN_ASYNC_RECEIVED
		}
		p.mu.Unlock()
	}
	if !found {
		return linuxerr.EINVAL
	}
	return nil
}
