// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"gvisor.dev/gvisor/pkg/errors"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/sentry/kernel"
	"gvisor.dev/gvisor/pkg/sync"
)

// Refusals are reported in three places: to the application, by an errno or a return; to
// the operator, in the logs of the domain; and, as on Linux, in the container's kernel log.

// KernelLog writes a message to the kernel log of a task's container.
type KernelLog func(t *kernel.Task, msg string)

// SetKernelLog makes d write to kernel logs. It is not saved.
//
// Preconditions: No task with an open device runs.
func (d *Driver) SetKernelLog(l KernelLog) { d.kernelLog = l }

// The rate of a container's messages to its kernel log, as on Linux: complaintsAtOnce in
// a burst, then one every complaintPeriod.
const (
	complaintsAtOnce = 10
	complaintPeriod  = 500 * time.Millisecond
)

// complaints limits the rate of a container's messages to its kernel log.
type complaints struct {
	once    sync.Once
	limiter *rate.Limiter

	// suppressed counts the messages suppressed since the last one written.
	suppressed atomic.Int64
}

// allow returns whether a message may be written now, and how many were suppressed before
// it.
func (c *complaints) allow() (ok bool, suppressed int64) {
	c.once.Do(func() { c.limiter = rate.NewLimiter(rate.Every(complaintPeriod), complaintsAtOnce) })
	if !c.limiter.Allow() {
		c.suppressed.Add(1)
		return false, 0
	}
	return true, c.suppressed.Swap(0)
}

// complain writes to the kernel log why a request of th was refused.
//
// Preconditions: No lock is held.
func (th *Thread) complain(task Task, e *logEntry, why *refusal) {
	log := th.proc.ctx.domain.driver.kernelLog
	if log == nil {
		return
	}
	ok, suppressed := th.proc.tenant.complaints.allow()
	if !ok {
		return
	}
	if suppressed != 0 {
		task.Log(log, fmt.Sprintf("%d messages suppressed", suppressed))
	}
	task.Log(log, why.text(e))
}

// refuse records that a command of th, other than a transaction, was refused, unless why
// is nil.
//
// Preconditions: No lock is held.
func (th *Thread) refuse(task Task, cmd uint32, why *refusal) {
	if why != nil {
		why.args[0] = uint64(cmd)
		th.noteRefusal(task, why)
	}
}

// refuseIoctl is refuse for an ioctl request that returned err.
func (th *Thread) refuseIoctl(task Task, request uint32, arg hostarch.Addr, err error) {
	e, ok := err.(*errors.Error)
	if !ok || e == linuxerr.EAGAIN || e == linuxerr.EINTR || e == linuxerr.ERESTARTSYS {
		return // These aren't refusals.
	}
	th.noteRefusal(task, refusalFor(reasonIoctl, uint64(request), uint64(arg), uint64(e.Errno())))
}

func (th *Thread) noteRefusal(task Task, why *refusal) {
	e := logEntry{from: th.proc.id, fromTID: th.id, context: th.proc.ctx.name}
	th.proc.ctx.domain.refusedLog.add(&e, why)
	th.complain(task, &e, why)
}
