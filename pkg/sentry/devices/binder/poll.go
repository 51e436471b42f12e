// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"gvisor.dev/gvisor/pkg/goid"
	"gvisor.dev/gvisor/pkg/waiter"
)

// readiness returns what poll(2) is to say to the caller: whether a read by it
// would return at once.
//
// A thread is ready if there's work for it alone, or if it has no business of
// its own and there's work for any. waiter.Waitable doesn't say who asks. It is
// asked on the goroutine of the task that polls, however, in epoll_wait(2) as in
// poll(2), and a thread that has work of its own has made an ioctl before, which
// noted its goroutine. Any other caller takes work of the process only.
func (p *Process) readiness() waiter.EventMask {
	caller := goid.Get()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, held := range p.threads {
		if th := held.Get(); th.goroutine.Load() == caller {
			if th.readyLocked() { // +checklocksignore: th.proc is p.
				return waiter.ReadableEvents
			}
			return 0
		}
	}
	if !p.todo.empty() {
		return waiter.ReadableEvents
	}
	return 0
}

// readyLocked returns whether a read by th would return at once.
//
// +checklocks:th.proc.mu
func (th *Thread) readyLocked() bool { return th.hasWorkLocked(th.takesProcWorkLocked()) }
