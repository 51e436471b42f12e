// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/binder/list"
)

// freezeNotification is a process's request to be told when the owner of a node
// is frozen or thawed. It is on the process's todo list when there's something to
// tell, and then, until the process answers, on its deliveredFreezes.
//
// Its references are: that of the Ref that it was requested for, until it is
// cleared or the Ref goes, and that of the list that it is on.
//
// +stateify savable
type freezeNotification struct {
	list.Count
	workItem

	proc   *Process
	cookie uint64

	// frozen is the state to tell next, or that was told last.
	// +checklocks:proc.mu
	frozen bool

	// cleared is true if the process has cleared the request: that is what to
	// tell next.
	// +checklocks:proc.mu
	cleared bool

	// again is true if there's more to tell once the process has answered.
	// +checklocks:proc.mu
	again bool
}

// Destroy implements list.Counted.Destroy.
func (f *freezeNotification) Destroy(context.Context) {
	f.proc.stats().deleted(objectFreeze)
	f.proc.account.Credit(noticePrice)
}

// cancel implements work.cancel.
func (f *freezeNotification) cancel(context.Context) {}

// take implements work.take.
//
// +checklocks:f.proc.mu
func (f *freezeNotification) take(context.Context, *Thread) delivery {
	if f.cleared {
		out := delivery{cookie: f.cookie}
		out.add(binder.BR_CLEAR_FREEZE_NOTIFICATION_DONE)
		return out
	}
	f.proc.deliveredFreezes.add(f.cookie, f)
	// struct binder_frozen_state_info has the same layout as what other returns
	// have: the cookie comes first, and then the state, with padding.
	out := delivery{ptr: f.cookie, last: true}
	if f.frozen {
		out.cookie = 1
	}
	out.add(binder.BR_FROZEN_BINDER)
	return out
}

// describe implements work.describe.
func (f *freezeNotification) describe(l *logWriter) {
	f.proc.mu.Lock()
	cleared := f.cleared
	f.proc.mu.Unlock()
	if cleared {
		l.buf.WriteString("has cleared freeze notification\n")
	} else {
		l.buf.WriteString("has frozen binder\n")
	}
}

// queueLocked queues f for whichever thread comes first.
//
// +checklocks:f.proc.mu
func (f *freezeNotification) queueLocked() {
	f.proc.todo.pushBack(f)
	f.proc.wakeupLocked()
}

// deliveredLocked returns whether f waits for the process to answer.
//
// +checklocks:f.proc.mu
func (f *freezeNotification) deliveredLocked() bool { return f.proc.deliveredFreezes.has(f.cookie, f) }

// requestFreeze handles BC_REQUEST_FREEZE_NOTIFICATION. The process is told the
// present state at once, unless the node is dead.
//
// Errors: EINVAL if there's no such handle, or if it has a request. ENOMEM if p's
// account has no room for it.
func (p *Process) requestFreeze(handle uint32, cookie uint64) error {
	p.refsMu.Lock()
	defer p.refsMu.Unlock()
	r := p.refLocked(handle, false)
	if r == nil || r.freezeLocked() != nil { // +checklocksignore: r.proc is p.
		return linuxerr.EINVAL
	}
	if err := p.account.Charge(noticePrice); err != nil {
		return err
	}
	p.stats().created(objectFreeze)
	fresh := list.NewUnique(&freezeNotification{proc: p, cookie: cookie})
	r.extraLocked().freeze = fresh.Share() // +checklocksignore: r.proc is p.
	r.announceFrozenLocked()               // +checklocksignore: r.proc is p.
	return nil
}

// announceFrozenLocked tells r's process, if it has asked for it, whether the
// owner of the node is frozen. Since the state is that of now, and refsMu is
// held, the last one to announce a change announces the last state.
//
// +checklocks:r.proc.refsMu
func (r *Ref) announceFrozenLocked() {
	f := r.freezeLocked()
	if f == nil {
		return
	}
	n := r.node()
	n.owner.mu.Lock()
	dead, frozen := n.dead, n.owner.freezer.frozen // +checklocksignore: n.owner.mu is locked.
	n.owner.mu.Unlock()
	if dead {
		return
	}
	f.proc.mu.Lock()
	defer f.proc.mu.Unlock()
	if f.on == nil {
		f.frozen = frozen
		f.queueLocked()
		return
	}
	// What waits to be read tells the last state. What was read and not answered
	// is followed by another one, even if the state is again what was told.
	if f.frozen != frozen {
		f.frozen = frozen
		f.again = f.again || f.deliveredLocked()
	}
}

// announceFrozen tells those who have asked for it whether p is frozen, in the
// order of the nodes' addresses.
//
// Preconditions: No lock is held.
func (p *Process) announceFrozen(ctx context.Context) {
	var buf [batchSize]*Node
	var used [batchSize]list.Arc[*Node]
	for ptr, more := uint64(0), true; more; yieldToWaiters() {
		var nodes []*Node
		p.mu.Lock()
		nodes, more = p.nodes.next(ptr, buf[:0])
		for i, n := range nodes {
			used[i] = n.useLocked() // +checklocksignore: its owner is p.
			ptr = n.ptr + 1
		}
		p.mu.Unlock()
		for i, n := range nodes {
			for _, r := range n.refsInOrder() {
				// r may be gone meanwhile; then it has no request.
				r.proc.refsMu.Lock()
				r.announceFrozenLocked()
				r.proc.refsMu.Unlock()
			}
			unuse(ctx, used[i])
		}
	}
}

// clearFreeze handles BC_CLEAR_FREEZE_NOTIFICATION. What was not read is not told
// any more.
//
// Errors: EINVAL if there's no such handle, or if it has no request with that
// cookie.
func (p *Process) clearFreeze(ctx context.Context, handle uint32, cookie uint64) error {
	p.refsMu.Lock()
	defer p.refsMu.Unlock()
	r := p.refLocked(handle, false)
	if r == nil {
		return linuxerr.EINVAL
	}
	f := r.freezeLocked() // +checklocksignore: r.proc is p.
	if f == nil || f.cookie != cookie {
		return linuxerr.EINVAL
	}
	held := r.extra.freeze.Take() // +checklocksignore: r.proc is p.
	p.mu.Lock()
	f.clearLocked() // +checklocksignore: f.proc is p.
	p.mu.Unlock()
	held.Release(ctx)
	return nil
}

// +checklocks:f.proc.mu
func (f *freezeNotification) clearLocked() {
	f.cleared = true
	switch {
	case f.on == nil:
		f.queueLocked()
	case f.deliveredLocked():
		f.again = true
	}
}

// freezeDone handles BC_FREEZE_NOTIFICATION_DONE, the answer to BR_FROZEN_BINDER.
//
// Errors: EINVAL if nothing with that cookie was told.
func (p *Process) freezeDone(ctx context.Context, cookie uint64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	f, ok := p.deliveredFreezes.first(cookie).(*freezeNotification)
	if !ok {
		return linuxerr.EINVAL
	}
	f.answeredLocked(ctx) // +checklocksignore: f.proc is p.
	return nil
}

// +checklocks:f.proc.mu
func (f *freezeNotification) answeredLocked(ctx context.Context) {
	kept := list.BorrowOf(f).Arc()
	f.proc.deliveredFreezes.dequeue(ctx, f.cookie, f)
	if f.again {
		f.again = false
		f.queueLocked()
	}
	kept.Release(ctx)
}
