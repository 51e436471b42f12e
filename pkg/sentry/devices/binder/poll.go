// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/sentry/kernel"
	"gvisor.dev/gvisor/pkg/waiter"
)

// Readiness implements waiter.Waitable.Readiness, for an unknown caller: a thread
// without work of its own can read without blocking if there is work for any thread.
func (fd *deviceFD) Readiness(mask waiter.EventMask) waiter.EventMask {
	p := fd.proc
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.inner.todo.empty() {
		return 0
	}
	return waiter.ReadableEvents & mask
}

// ReadinessFor implements vfs.ContextWaitable.ReadinessFor. It is an error to ask from
// a process that did not open the device.
func (fd *deviceFD) ReadinessFor(ctx context.Context, mask waiter.EventMask) waiter.EventMask {
	t := kernel.TaskFromContext(ctx)
	if t == nil {
		return fd.Readiness(mask)
	}
	if !fd.openedBy(t) {
		return waiter.EventErr & mask
	}
	return fd.proc.readinessFor(kernelTask{t}.ThreadID()) & mask
}

// EventRegister implements waiter.Waitable.EventRegister.
func (fd *deviceFD) EventRegister(e *waiter.Entry) error {
	fd.proc.pollers.EventRegister(e)
	return nil
}

// EventUnregister implements waiter.Waitable.EventUnregister.
func (fd *deviceFD) EventUnregister(e *waiter.Entry) {
	fd.proc.pollers.EventUnregister(e)
}

// Epollable implements vfs.FileDescriptionImpl.Epollable.
func (fd *deviceFD) Epollable() bool { return true }

// readinessFor returns what poll(2) reports to the thread with the given ID:
// whether its read would return at once. It would if there is work for this thread, or
// if the thread is idle and there is work for any thread. If p's account has no room
// for the Thread, it reports an error.
func (p *Process) readinessFor(threadID int32) waiter.EventMask {
	th, err := p.thread(threadID)
	if err != nil {
		return waiter.EventErr
	}
	th.proc.mu.Lock()
	defer th.proc.mu.Unlock()
	th.inner.looper |= looperPolled
	if th.readyLocked() {
		return waiter.ReadableEvents
	}
	return 0
}

// readyLocked returns whether a read by th would return at once.
//
// +checklocks:th.proc.mu
func (th *Thread) readyLocked() bool {
	return th.hasWorkLocked(th.takesProcWorkLocked())
}
