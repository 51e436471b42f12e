// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"fmt"
	"time"

	"gvisor.dev/gvisor/pkg/atomicbitops"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/waiter"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/binder/list"
)

// looperState is a thread's looper flags and wait state.
type looperState uint8

const (
	// looperRegistered: the thread was started at the driver's request.
	looperRegistered looperState = 1 << iota
	// looperEntered: the application made the thread a looper on its own.
	looperEntered
	// looperExited: the thread is no longer a looper.
	looperExited
	// looperInvalid: the thread issued contradictory looper commands.
	looperInvalid
	// looperWaiting: the thread is in a read and has taken nothing yet.
	looperWaiting
	// looperPolled: the thread has called poll(2) or the like.
	looperPolled
)

// waitingID marks the links of Process.waiting.
type waitingID struct{}

// Thread is a thread of an application that has called the driver, until it
// leaves by BINDER_THREAD_EXIT or the process closes the device.
//
// +stateify savable
type Thread struct {
	list.Count
	waitingLinks list.Links[*Thread, waitingID]

	proc *Process
	id   int32

	// wake holds a token if the thread may have something to do. The token carries
	// no state: a waiter looks for work before it sleeps.
	wake chan struct{} `state:"nosave"`

	// +checklocks:proc.mu
	inner threadInner

	// returnError is how the thread's last command failed, replyError how the
	// transaction failed whose reply it waits for. Only the thread's own calls
	// change the former.
	returnError list.Arc[*threadError]
	replyError  list.Arc[*threadError]

	// freezeLeft is the time-out remaining to an interrupted BINDER_FREEZE, which the
	// thread's next ioctl repeats, or zero. Only the thread's own calls use it.
	freezeLeft time.Duration

	// needReturn is true if the thread's current or next read must return empty rather
	// than wait. It is set with proc.mu held, and cleared by the thread's own calls only.
	needReturn atomicbitops.Bool

	// scratch is in use while the thread is in an ioctl.
	scratch scratch `state:"nosave"`
}

// threadInner is what the mu of a Thread's process guards.
//
// +stateify savable
type threadInner struct {
	looper looperState

	// dead is true once the thread has left.
	dead bool

	// todo is work for this thread alone. processTodo is false if nothing on it is
	// worth waking up for: see deferLocked.
	todo        workList
	processTodo bool

	// selected is true if todo holds a transaction that any thread of the process
	// could have taken, and that this one got because it was waiting.
	selected bool

	// stack is the innermost transaction that the thread handles or awaits the
	// reply to.
	stack list.Arc[*Transaction]

	// lastError is what BINDER_GET_EXTENDED_ERROR answers.
	lastError extendedError
}

// newThread returns a Thread of p.
//
// Errors: ENOMEM if p's account has no room for it.
func newThread(p *Process, id int32) (*Thread, error) {
	if err := p.account.Charge(threadPrice); err != nil {
		return nil, err
	}
	p.stats().created(objectThread)
	return &Thread{
		proc:        p,
		id:          id,
		wake:        make(chan struct{}, 1),
		inner:       threadInner{lastError: noError(0)},
		returnError: newThreadError(),
		replyError:  newThreadError(),
	}, nil
}

// lockedBy returns what the mu of p, th's process, guards.
//
// +checklocks:p.mu
func (th *Thread) lockedBy(p *Process) *threadInner {
	p.mustBe(th.proc)
	return &th.inner // +checklocksignore: p is th.proc.
}

// Destroy implements list.Counted.Destroy.
func (th *Thread) Destroy(context.Context) {
	th.proc.stats().deleted(objectThread)
	th.proc.account.Credit(threadPrice)
}

// describe writes the thread's heading.
func (th *Thread) describe(l *logWriter) {
	th.proc.mu.Lock()
	looper := th.inner.looper
	th.proc.mu.Unlock()
	// The last number counts the thread's users besides itself: there are none beyond
	// the length of a call.
	fmt.Fprintf(l.buf, "  thread %d: l %02x need_return %d tr 0\n", l.view.pids.tid(th.id, th.proc.id), looper, bit(th.needReturn.Load()))
}

// threadError is work that tells a thread of a failure.
//
// +stateify savable
type threadError struct {
	list.Count
	workItem

	// br is the return, or BR_OK if there's nothing to tell. It is protected by
	// the thread's proc.mu. If the thread's buffer can't be written, br stays set
	// though it is never delivered again, as in Linux: the thread can read, but not
	// write.
	br uint32
}

func newThreadError() list.Arc[*threadError] {
	fresh := list.NewUnique(&threadError{br: binder.BR_OK})
	return fresh.Share()
}

// Destroy implements list.Counted.Destroy.
func (*threadError) Destroy(context.Context) {}

// cancel implements work.cancel.
func (*threadError) cancel(context.Context) {}

// take implements work.take.
func (e *threadError) take(context.Context, *Thread) delivery {
	d := delivery{failure: e}
	d.add(e.br)
	return d
}

// describe implements work.describe.
func (e *threadError) describe(l *logWriter) {
	l.p.mu.Lock()
	br := e.br
	l.p.mu.Unlock()
	fmt.Fprintf(l.buf, "transaction error: %d\n", br)
}

// makeReturnLocked makes th, a thread of p, return from its current or next read.
//
// +checklocks:p.mu
func (th *Thread) makeReturnLocked(p *Process) {
	th.needReturn.Store(true)
	if th.lockedBy(p).looper&looperWaiting != 0 {
		th.signal()
	}
}

// queueLocked queues w for th alone, a thread of p. It doesn't wake th.
//
// +checklocks:p.mu
func (th *Thread) queueLocked(p *Process, w work) {
	th.deferLocked(p, w)
	th.hurryLocked(p)
}

// deferLocked queues w for th, a thread of p, to be delivered with whatever comes next:
// w alone is not worth returning for. That its transaction was queued can wait for the
// reply or, if the sender says so, for the next call.
//
// +checklocks:p.mu
func (th *Thread) deferLocked(p *Process, w work) { th.lockedBy(p).todo.pushBack(w) }

// hurryLocked makes what was deferred worth returning for.
//
// +checklocks:p.mu
func (th *Thread) hurryLocked(p *Process) {
	in := th.lockedBy(p)
	in.processTodo = true
	if in.looper&looperWaiting == 0 {
		// A thread that waits in poll(2) must learn of its own work, too.
		p.pollers.Notify(waiter.ReadableEvents)
	}
}

// failLocked tells th that its command failed: th carries out no command until a read
// has returned br.
//
// +checklocks:th.proc.mu
func (th *Thread) failLocked(br uint32) {
	e := th.returnError.Get()
	e.br = br
	th.queueLocked(th.proc, e)
}

// failed returns whether th must read a failure before it carries out commands.
//
// Preconditions: The caller is in a call by th, so that proc.mu isn't needed.
func (th *Thread) failed() bool { return th.returnError.Get().br != binder.BR_OK }

// takesProcWorkLocked returns whether th, if it reads now, takes work that any thread
// may take: it has none of its own, except what can wait.
//
// +checklocks:th.proc.mu
func (th *Thread) takesProcWorkLocked() bool {
	return !th.inner.stack.Ok() && !th.inner.processTodo
}

// hasWorkLocked returns whether a read by th has something to return.
//
// +checklocks:th.proc.mu
func (th *Thread) hasWorkLocked(procWork bool) bool {
	return th.inner.processTodo || th.needReturn.Load() || procWork && !th.proc.inner.todo.empty()
}

// waitLocked waits until th has work. It unlocks th.proc.mu while it sleeps.
//
// Errors: EAGAIN if th has none and nonBlocking is true, EINTR if a signal arrived,
// ERESTARTSYS if the wait was interrupted otherwise.
//
// +checklocks:th.proc.mu
func (th *Thread) waitLocked(task Task, procWork, nonBlocking bool) error {
	p := th.proc
	th.inner.looper |= looperWaiting
	defer th.stopWaitingLocked(task)
	for !th.hasWorkLocked(procWork) {
		if nonBlocking {
			return linuxerr.EAGAIN
		}
		if procWork && !th.waitingLinks.Linked() {
			if ref, ok := th.waitingLinks.Claim(th); ok {
				p.inner.waiting.PushFront(ref)
			}
		}
		p.mu.Unlock()
		start := p.tracer().now()
		err := p.ctx.domain.driver.scheduler.Block(task, th.wake)
		p.tracer().waited(th, start, !procWork)
		p.mu.Lock()
		if err != nil {
			if task.SignalPending() {
				return linuxerr.EINTR
			}
			// needReturn is meant for this call: the repeated one would not
			// return for it.
			if !th.hasWorkLocked(procWork) {
				return linuxerr.ERESTARTSYS
			}
		}
	}
	return nil
}

// stopWaitingLocked undoes what waitLocked set up.
//
// +checklocks:th.proc.mu
func (th *Thread) stopWaitingLocked(ctx context.Context) {
	th.inner.looper &^= looperWaiting
	if ref, ok := th.proc.inner.waiting.Remove(&th.waitingLinks); ok {
		ref.Release(ctx)
	}
}

// register handles BC_REGISTER_LOOPER: th was started at the driver's request.
func (th *Thread) register() (why *refusal) {
	p := th.proc
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case th.inner.looper&looperEntered != 0:
		th.inner.looper |= looperInvalid
		why = refusalFor(reasonLooperOrder, 0, binder.BC_ENTER_LOOPER)
	case p.inner.requestedThreads == 0:
		th.inner.looper |= looperInvalid
		why = refusalFor(reasonNotRequested)
	default:
		p.inner.requestedThreads--
		p.inner.startedThreads++
	}
	th.inner.looper |= looperRegistered
	return why
}

// enter handles BC_ENTER_LOOPER.
func (th *Thread) enter() (why *refusal) {
	th.proc.mu.Lock()
	defer th.proc.mu.Unlock()
	if th.inner.looper&looperRegistered != 0 {
		th.inner.looper |= looperInvalid
		why = refusalFor(reasonLooperOrder, 0, binder.BC_REGISTER_LOOPER)
	}
	th.inner.looper |= looperEntered
	return why
}

// exitLooper handles BC_EXIT_LOOPER.
func (th *Thread) exitLooper() {
	th.proc.mu.Lock()
	defer th.proc.mu.Unlock()
	th.inner.looper |= looperExited
}

// needsLooperLocked returns whether the application should start another looper: th,
// itself one, is about to be busy, no thread waits, and the limit allows more. Returning
// true counts as a request.
//
// +checklocks:th.proc.mu
func (th *Thread) needsLooperLocked() bool {
	p := th.proc
	if th.inner.looper&(looperRegistered|looperEntered) == 0 ||
		p.inner.requestedThreads != 0 || !p.inner.waiting.Empty() || p.inner.startedThreads >= p.inner.maxThreads {
		return false
	}
	p.inner.requestedThreads++
	return true
}

// signal wakes th, if it waits, to look for work.
func (th *Thread) signal() { th.proc.ctx.domain.driver.scheduler.Wake(th.wake) }

// noteError records that reply id to th failed with f, unless there is an error that
// th hasn't fetched yet.
func (th *Thread) noteError(id int32, f *failure) {
	th.proc.mu.Lock()
	defer th.proc.mu.Unlock()
	if th.inner.lastError.command == binder.BR_OK {
		th.inner.lastError = extendedErrorOf(id, f)
	}
}

// takeError handles BINDER_GET_EXTENDED_ERROR: it returns the last error and
// clears it.
func (th *Thread) takeError() binder.ExtendedError {
	th.proc.mu.Lock()
	defer th.proc.mu.Unlock()
	e := th.inner.lastError
	th.inner.lastError = noError(0)
	return binder.ExtendedError{ID: uint32(e.id), Command: e.command, Param: e.param}
}
