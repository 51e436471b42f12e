// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/binder/list"
)

// freezeNotification is a process's request to be notified when the owner of a node is
// frozen or thawed. While a notification is pending, it is on the process's todo list, and
// then, until the process answers, on deliveredFreezes.
//
// Its references are: the one of the Ref that it was requested for, until it is cleared
// or the Ref goes, and the one of the list that it is on.
//
// +stateify savable
type freezeNotification struct {
	list.Count
	workItem

	proc   *Process
	cookie uint64

	// +checklocks:proc.mu
	inner freezeNotificationInner
}

// freezeNotificationInner is the state that the process's mu guards.
//
// +stateify savable
type freezeNotificationInner struct {
	// frozen is the state to notify of next, or the last one notified of.
	frozen bool

	// cleared is true if the process has cleared the request, which is confirmed
	// next.
	cleared bool

	// again is true if another notification follows the process's answer.
	again bool
}

// cookieUse says which node a process uses a cookie of freeze notifications for. A
// cookie stands for a single node, so that notifications are unambiguous.
//
// +stateify savable
type cookieUse struct {
	// nodeID is the node's debug ID.
	nodeID int32

	// notifications is the number of notifications with the cookie. All but the last
	// one are cleared; so is the last unless active is true.
	notifications int32
	active        bool
}

// useFreezeCookieLocked records that p requests a notification for node n with cookie.
// It returns false if an active notification has that cookie, or one for another node.
//
// +checklocks:p.mu
func (p *Process) useFreezeCookieLocked(cookie uint64, n *Node) bool {
	c, ok := p.inner.freezeCookies[cookie]
	if ok && (c.active || c.nodeID != n.debugID) {
		return false
	}
	if p.inner.freezeCookies == nil {
		p.inner.freezeCookies = make(map[uint64]cookieUse)
	}
	p.inner.freezeCookies[cookie] = cookieUse{nodeID: n.debugID, notifications: c.notifications + 1, active: true}
	return true
}

// forgetFreezeCookieLocked undoes useFreezeCookieLocked for one notification, which is
// active or was cleared.
//
// +checklocks:p.mu
func (p *Process) forgetFreezeCookieLocked(cookie uint64, active bool) {
	c := p.inner.freezeCookies[cookie]
	c.notifications--
	c.active = c.active && !active
	if c.notifications > 0 {
		p.inner.freezeCookies[cookie] = c
	} else {
		delete(p.inner.freezeCookies, cookie)
	}
}

// lockedBy returns the state that the mu of p, f's process, guards.
//
// +checklocks:p.mu
func (f *freezeNotification) lockedBy(p *Process) *freezeNotificationInner {
	p.mustBe(f.proc)
	return &f.inner // +checklocksignore: p is f.proc.
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
	if f.inner.cleared {
		f.proc.forgetFreezeCookieLocked(f.cookie, false)
		out := delivery{cookie: f.cookie}
		out.add(binder.BR_CLEAR_FREEZE_NOTIFICATION_DONE)
		return out
	}
	f.proc.inner.deliveredFreezes.add(f.cookie, f)
	f.proc.tenant.traffic.told(noticeFreeze)
	// struct binder_frozen_state_info has the layout of other returns' parameters:
	// the cookie, which here takes the place of ptr, then the state with padding.
	out := delivery{ptr: f.cookie, last: true}
	if f.inner.frozen {
		out.cookie = 1
	}
	out.add(binder.BR_FROZEN_BINDER)
	return out
}

// describe implements work.describe.
func (f *freezeNotification) describe(l *logWriter) {
	f.proc.mu.Lock()
	cleared := f.inner.cleared
	f.proc.mu.Unlock()
	if cleared {
		l.buf.WriteString("has cleared freeze notification\n")
	} else {
		l.buf.WriteString("has frozen binder\n")
	}
}

// queueLocked queues f for the first available thread of p, its process.
//
// +checklocks:p.mu
func (f *freezeNotification) queueLocked(ctx context.Context, p *Process) {
	p.inner.todo.pushBack(f)
	p.wakeupLocked(ctx)
}

// deliveredLocked returns whether f is waiting for an answer of p, its process.
//
// +checklocks:p.mu
func (f *freezeNotification) deliveredLocked(p *Process) bool {
	return p.inner.deliveredFreezes.has(f.cookie, f)
}

// requestFreeze handles BC_REQUEST_FREEZE_NOTIFICATION. The process is told the
// present state at once, unless the node is dead.
//
// Errors: EINVAL if there's no such handle, if it has a request, or if the cookie is
// another request's. ENOMEM if p's account has no room for it.
func (p *Process) requestFreeze(ctx context.Context, handle uint32, cookie uint64) (*refusal, error) {
	p.refsMu.Lock()
	defer p.refsMu.Unlock()
	r := p.refLocked(handle, false)
	if r == nil {
		return refusalFor(reasonNoRef, 0, uint64(handle)), linuxerr.EINVAL
	}
	if r.lockedBy(p).freeze() != nil {
		return refusalFor(reasonNotificationSet), linuxerr.EINVAL
	}
	if err := p.account.Charge(noticePrice); err != nil {
		return refusalFor(reasonNoRoom), err
	}
	p.mu.Lock()
	fresh := p.useFreezeCookieLocked(cookie, r.node())
	p.mu.Unlock()
	if !fresh {
		p.account.Credit(noticePrice)
		return refusalFor(reasonCookieUsed, 0, cookie), linuxerr.EINVAL
	}
	p.stats().created(objectFreeze)
	f := list.NewUnique(&freezeNotification{proc: p, cookie: cookie})
	r.lockedBy(p).needExtra().freeze = f.Share()
	r.announceFrozenLocked(ctx, p)
	return nil, nil
}

// announceFrozenLocked notifies p, r's process, if it requested that, whether the owner of
// the node is frozen. Since it reads the current state, with refsMu held, the last caller
// to announce a change announces the last state.
//
// +checklocks:p.refsMu
func (r *Ref) announceFrozenLocked(ctx context.Context, p *Process) {
	f := r.lockedBy(p).freeze()
	if f == nil {
		return
	}
	n := r.node()
	n.owner.mu.Lock()
	dead, frozen := n.inner.dead, n.owner.inner.freezer.frozen
	n.owner.mu.Unlock()
	if dead {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	in := f.lockedBy(p)
	if f.on == nil {
		in.frozen = frozen
		f.queueLocked(ctx, p)
		return
	}
	// A queued notification carries the latest state. One that was read and not
	// answered is followed by another, even if the state is again the one it told.
	if in.frozen != frozen {
		in.frozen = frozen
		in.again = in.again || f.deliveredLocked(p)
	}
}

// announceFrozen notifies all processes that requested it whether p is frozen, in the
// order of the nodes' addresses.
//
// Preconditions: No lock is held.
func (p *Process) announceFrozen(ctx context.Context) {
	var buf [batchSize]*Node
	var used [batchSize]list.Arc[*Node]
	walk := startWalk()
	for ptr, more := uint64(0), true; more; walk.yield() {
		var nodes []*Node
		p.mu.Lock()
		nodes, more = p.inner.nodes.next(ptr, buf[:0])
		for i, n := range nodes {
			used[i] = n.useLocked(p)
			ptr = n.ptr + 1
		}
		p.mu.Unlock()
		for i, n := range nodes {
			for _, r := range n.refsInOrder() {
				// r may have gone meanwhile; then it has no request.
				r.proc.refsMu.Lock()
				r.announceFrozenLocked(ctx, r.proc)
				r.proc.refsMu.Unlock()
			}
			unuse(ctx, used[i])
		}
	}
}

// clearFreeze handles BC_CLEAR_FREEZE_NOTIFICATION. It drops an unread notification.
//
// Errors: EINVAL if there's no such handle, or if it has no request with that cookie.
func (p *Process) clearFreeze(ctx context.Context, handle uint32, cookie uint64) (*refusal, error) {
	p.refsMu.Lock()
	defer p.refsMu.Unlock()
	r := p.refLocked(handle, false)
	if r == nil {
		return refusalFor(reasonNoRef, 0, uint64(handle)), linuxerr.EINVAL
	}
	in := r.lockedBy(p)
	f := in.freeze()
	if f == nil {
		return refusalFor(reasonNoNotification), linuxerr.EINVAL
	}
	if f.cookie != cookie {
		return refusalFor(reasonWrongCookie, 0, cookie, f.cookie), linuxerr.EINVAL
	}
	held := in.extra.freeze.Take()
	p.mu.Lock()
	f.clearLocked(ctx, p)
	p.mu.Unlock()
	held.Release(ctx)
	return nil, nil
}

// +checklocks:p.mu
func (f *freezeNotification) clearLocked(ctx context.Context, p *Process) {
	in := f.lockedBy(p)
	in.cleared = true
	c := p.inner.freezeCookies[f.cookie]
	c.active = false
	p.inner.freezeCookies[f.cookie] = c
	switch {
	case f.on == nil:
		f.queueLocked(ctx, p)
	case f.deliveredLocked(p):
		in.again = true
	}
}

// freezeDone handles BC_FREEZE_NOTIFICATION_DONE, the answer to BR_FROZEN_BINDER.
//
// Errors: EINVAL if no notification with that cookie was read.
func (p *Process) freezeDone(ctx context.Context, cookie uint64) (*refusal, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f, ok := p.inner.deliveredFreezes.first(cookie).(*freezeNotification)
	if !ok {
		return refusalFor(reasonNotTold, 0, cookie), linuxerr.EINVAL
	}
	f.answeredLocked(ctx, p)
	return nil, nil
}

// +checklocks:p.mu
func (f *freezeNotification) answeredLocked(ctx context.Context, p *Process) {
	kept := list.BorrowOf(f).Arc()
	p.inner.deliveredFreezes.dequeue(ctx, f.cookie, f)
	if in := f.lockedBy(p); in.again {
		in.again = false
		f.queueLocked(ctx, p)
	}
	kept.Release(ctx)
}
