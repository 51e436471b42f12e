// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"fmt"
	"time"

	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/waiter"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/binder/list"
)

// looperState is what a thread has said of itself, and where it is.
type looperState uint8

const (
	// looperRegistered: the thread came because the driver asked for it.
	looperRegistered looperState = 1 << iota
	// looperEntered: the application made the thread a looper by itself.
	looperEntered
	// looperExited: the thread is no looper any more.
	looperExited
	// looperInvalid: the thread has said what contradicts what it said before.
	looperInvalid
	// looperWaiting: the thread is in a read, before it takes anything.
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

	// wake has a token if the thread may have something to do. Nothing hangs
	// on the token: whoever waits looks again when it starts to.
	wake chan struct{} `state:"nosave"`

	// +checklocks:proc.mu
	inner threadInner

	// returnError is how the thread's last command failed, replyError how a
	// transaction did that it waits for the reply of. Only the thread's own
	// calls change the former.
	returnError list.Arc[*threadError]
	replyError  list.Arc[*threadError]

	// freezeLeft is what was left of the time-out of a BINDER_FREEZE that was
	// interrupted and that the thread's next ioctl is to be, or zero. Only the
	// thread's own calls use it.
	freezeLeft time.Duration

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

	// needReturn is true if the thread's next read, or the one that it is in,
	// is to return with nothing rather than wait. A thread's first one does.
	needReturn bool

	// todo is work for this thread alone. processTodo is false if there is
	// nothing on it that's worth to wake up for: see deferLocked.
	todo        workList
	processTodo bool

	// selected is true if todo has a transaction that any thread of the process
	// could have taken, and that this one got since it was waiting.
	selected bool

	// stack is the innermost transaction that the thread handles, or waits for
	// the reply of.
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
		inner:       threadInner{needReturn: true, lastError: noError(0)},
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
	looper, needReturn := th.inner.looper, th.inner.needReturn
	th.proc.mu.Unlock()
	// The last number counts what uses the thread beside itself: nothing does for
	// longer than a call takes that it's in.
	fmt.Fprintf(l.buf, "  thread %d: l %02x need_return %d tr 0\n", l.view.pids.tid(th.id, th.proc.id), looper, bit(needReturn))
}

// threadError is work that tells a thread of a failure.
//
// +stateify savable
type threadError struct {
	list.Count
	workItem

	// br is the return, or BR_OK if there's nothing to tell. It is protected by
	// the thread's proc.mu. If the thread's buffer can't be written it stays, as
	// in Linux, though it will not be told again: the thread can read, but not
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

// makeReturnLocked makes th, a thread of p, return from the read that it is in, or is
// to make.
//
// +checklocks:p.mu
func (th *Thread) makeReturnLocked(p *Process) {
	in := th.lockedBy(p)
	in.needReturn = true
	if in.looper&looperWaiting != 0 {
		th.signal()
	}
}

// queueLocked adds w to what th alone, a thread of p, is to do. It doesn't wake th.
//
// +checklocks:p.mu
func (th *Thread) queueLocked(p *Process, w work) {
	th.deferLocked(p, w)
	th.hurryLocked(p)
}

// deferLocked adds w, which th, a thread of p, gets to know with whatever comes next,
// and which is not worth to return for: that its transaction was queued can wait until
// the reply is there or, if the sender says so, until the next call is.
//
// +checklocks:p.mu
func (th *Thread) deferLocked(p *Process, w work) { th.lockedBy(p).todo.pushBack(w) }

// hurryLocked makes what was deferred worth to return for.
//
// +checklocks:p.mu
func (th *Thread) hurryLocked(p *Process) {
	in := th.lockedBy(p)
	in.processTodo = true
	if in.looper&looperWaiting == 0 {
		// A thread that waits in poll(2) has to hear of its own work, too.
		p.pollers.Notify(waiter.ReadableEvents)
	}
}

// failLocked tells th that its command failed: the next read returns br first,
// and no command is taken until then.
//
// +checklocks:th.proc.mu
func (th *Thread) failLocked(br uint32) {
	e := th.returnError.Get()
	e.br = br
	th.queueLocked(th.proc, e)
}

// failed returns whether a failure has to be read before th takes commands.
//
// Preconditions: It's called by a call of th's own, so that proc.mu isn't needed.
func (th *Thread) failed() bool { return th.returnError.Get().br != binder.BR_OK }

// takesProcWorkLocked returns whether th, if it reads now, takes work that's for
// any thread: it has no business of its own, but for what can wait.
//
// +checklocks:th.proc.mu
func (th *Thread) takesProcWorkLocked() bool {
	return !th.inner.stack.Ok() && !th.inner.processTodo
}

// hasWorkLocked returns whether a read by th has something to return.
//
// +checklocks:th.proc.mu
func (th *Thread) hasWorkLocked(procWork bool) bool {
	return th.inner.processTodo || th.inner.needReturn || procWork && !th.proc.inner.todo.empty()
}

// waitLocked waits until th has work. It unlocks th.proc.mu while it sleeps.
//
// Errors: EAGAIN if it has none and may not wait. EINTR if a signal came.
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
			// The call that is made again would not return for
			// needReturn, which is for this one.
			if !th.hasWorkLocked(procWork) {
				return linuxerr.ERESTARTSYS
			}
		}
	}
	return nil
}

// stopWaitingLocked ends waitLocked.
//
// +checklocks:th.proc.mu
func (th *Thread) stopWaitingLocked(ctx context.Context) {
	th.inner.looper &^= looperWaiting
	if ref, ok := th.proc.inner.waiting.Remove(&th.waitingLinks); ok {
		ref.Release(ctx)
	}
}

// register handles BC_REGISTER_LOOPER: th is the thread that the driver asked
// for.
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

// needsLooperLocked returns whether the application should start another
// looper: th, which is one, is about to be busy, nobody waits, and there may
// be more. The answer true counts as a request.
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

// exit handles BINDER_THREAD_EXIT.
func (th *Thread) exit(ctx context.Context) {
	p := th.proc
	p.mu.Lock()
	held := p.inner.threads[th.id]
	delete(p.inner.threads, th.id)
	// The thread is new at its next read, which doesn't wait. Who waits for it
	// in epoll_wait(2) has to look again.
	p.pollers.Notify(waiter.ReadableEvents)
	p.mu.Unlock()
	th.release(ctx)
	held.Release(ctx)
}

// release ends th, which nobody finds any more. Whoever waits for a reply from
// it is told that it's dead; whoever replies to it will be.
//
// Preconditions: No lock is held.
func (th *Thread) release(ctx context.Context) {
	th.proc.mu.Lock()
	th.inner.dead = true
	stack := th.swapStackLocked(list.Arc[*Transaction]{})
	th.proc.mu.Unlock()

	// The call that th was handling, if it did nothing further up, has no answer.
	var unanswered list.Arc[*Transaction]
	if stack.Ok() && stack.Get().handler() == th {
		unanswered = stack.Clone()
	}
	th.unwind(ctx, stack)
	if unanswered.Ok() {
		unanswered.Get().fail(ctx, binder.BR_DEAD_REPLY)
		unanswered.Release(ctx)
	}
	cancelAll(ctx, th.popTodo)
}

// popTodo removes the first item of what th alone is to do.
func (th *Thread) popTodo() (list.Arc[work], bool) {
	th.proc.mu.Lock()
	defer th.proc.mu.Unlock()
	return th.inner.todo.popFront()
}

// signal makes th look for work, if it waits.
func (th *Thread) signal() { th.proc.ctx.domain.driver.scheduler.Wake(th.wake) }

// noteError notes that reply id to th failed by f, unless there's an error that
// th doesn't know yet.
func (th *Thread) noteError(id int32, f *failure) {
	th.proc.mu.Lock()
	defer th.proc.mu.Unlock()
	if th.inner.lastError.command == binder.BR_OK {
		th.inner.lastError = extendedErrorOf(id, f)
	}
}

// takeError handles BINDER_GET_EXTENDED_ERROR: it returns the last error and
// forgets it.
func (th *Thread) takeError() binder.ExtendedError {
	th.proc.mu.Lock()
	defer th.proc.mu.Unlock()
	e := th.inner.lastError
	th.inner.lastError = noError(0)
	return binder.ExtendedError{ID: uint32(e.id), Command: e.command, Param: e.param}
}
