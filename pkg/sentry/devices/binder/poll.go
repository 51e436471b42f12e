// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"gvisor.dev/gvisor/pkg/goid"
	"gvisor.dev/gvisor/pkg/waiter"
)

// readiness returns what poll(2) is to say to the caller: whether a read by it
// would return at once. That's so if there's work for it alone, if it has no
// business of its own and there's work for any thread, and if it has never
// called the driver before.
//
// waiter.Waitable doesn't say who asks. It is asked on the goroutine of the task
// that polls, however, in epoll_wait(2) as in poll(2).
func (p *Process) readiness() waiter.EventMask {
	caller := goid.Get()
	p.mu.Lock()
	th := p.threadOnLocked(caller)
	if th == nil {
		// A thread's goroutine is another one after a restore.
		p.mu.Unlock()
		id, ok := p.taskOn(caller)
		p.mu.Lock()
		if ok {
			th = p.threadLocked(id)
			th.goroutine.Store(caller)
		}
	}
	defer p.mu.Unlock()
	if th == nil {
		return waiter.ReadableEvents
	}
	th.looper |= looperPolled // +checklocksignore: th.proc is p.
	if th.readyLocked() {     // +checklocksignore: th.proc is p.
		return waiter.ReadableEvents
	}
	return 0
}

// threadOnLocked returns p's thread that last called the driver on goroutine id,
// or nil.
//
// +checklocks:p.mu
func (p *Process) threadOnLocked(id int64) *Thread {
	for _, held := range p.threads {
		if th := held.Get(); th.goroutine.Load() == id {
			return th
		}
	}
	return nil
}

// taskOn returns the thread ID of the task that runs on goroutine id, or false if
// there is none.
func (p *Process) taskOn(id int64) (int32, bool) {
	if p.opener == nil {
		return 0, false
	}
	root := p.opener.TaskSet().Root
	for _, t := range root.Tasks() {
		if t.GoroutineID() == id {
			return int32(root.IDOfTask(t)), true
		}
	}
	return 0, false
}

// readyLocked returns whether a read by th would return at once.
//
// +checklocks:th.proc.mu
func (th *Thread) readyLocked() bool {
	return th.hasWorkLocked(th.takesProcWorkLocked())
}
