// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"time"

	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/waiter"

	"sentrybinder/pkg/abi/binder"
)

// freezeProcess handles BINDER_FREEZE: it freezes or thaws, newest first, all devices that
// process info.PID has open and that the caller can see. If left is not zero, the call is
// repeated after an interruption, and left is its remaining time.
//
// Errors: EINVAL if the caller can see no such process. EAGAIN if it is busy, or still
// is after the timeout. ERESTARTSYS if the wait was interrupted. On failure, the open
// device that could not be frozen is thawed, and the others stay as they are.
func (th *Thread) freezeProcess(task Task, info *binder.FreezeInfo, left time.Duration) error {
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
			// After a signal, Linux starts over; other interruptions must not
			// be noticed.
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

// freeze freezes p once nothing is outstanding. Calls are refused meanwhile. If the wait
// was interrupted, it returns the remaining timeout.
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
		p.inner.freezer.frozen = false
		p.tracer().frozen(p, false)
	}
	p.mu.Unlock()
	if err == nil {
		p.announceFrozen(task)
	}
	return left, err
}

// awaitIdle waits until nothing is outstanding, or until timeout has passed, which is not
// an error. If it was interrupted, it returns the remaining timeout.
//
// Errors: ERESTARTSYS.
func (p *Process) awaitIdle(task Task, timeout time.Duration) (time.Duration, error) {
	entry, idle := waiter.NewChannelEntry(waiter.EventInternal)
	p.idle.EventRegister(&entry)
	defer p.idle.EventUnregister(&entry)
	for timeout > 0 {
		p.mu.Lock()
		done := p.inner.freezer.outstanding == 0
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

// frozenInfo handles BINDER_GET_FROZEN_INFO: it sets the other fields of info to what
// process info.PID received since it was frozen, on all devices together.
//
// Errors: EINVAL if the caller can see no such process.
func (v *View) frozenInfo(info *binder.FrozenStatusInfo) error {
	found := false
	for p := range v.openedBy(v.pids.identity(int32(info.PID))) {
		if !found {
			found = true
			info.SyncRecv, info.AsyncRecv = 0, 0
		}
		p.mu.Lock()
		if p.inner.freezer.syncReceived {
			info.SyncRecv |= binder.FROZEN_SYNC_RECEIVED
		}
		if p.busyLocked() {
			info.SyncRecv |= binder.FROZEN_TXNS_PENDING
		}
		if p.inner.freezer.asyncReceived {
			info.AsyncRecv |= binder.FROZEN_ASYNC_RECEIVED
		}
		p.mu.Unlock()
	}
	if !found {
		return linuxerr.EINVAL
	}
	return nil
}
