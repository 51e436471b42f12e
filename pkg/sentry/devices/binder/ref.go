// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"math"

	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"

	"sentrybinder/pkg/binder/idpool"
	"sentrybinder/pkg/binder/list"
	"sentrybinder/pkg/sentry/devices/binder/account"
)

// Ref is a process's reference to a node of another process. The process knows
// it by its handle.
//
// +stateify savable
type Ref struct {
	debugID int32
	handle  uint32
	proc    *Process
	target  list.Arc[*Node]

	// +checklocks:proc.refsMu
	inner refInner
}

// refInner is what the refsMu of a Ref's process guards.
//
// +stateify savable
type refInner struct {
	// strong and weak count the references that the process has acquired
	// through this handle. The Ref is removed when both are zero.
	strong, weak int32

	// extra is nil if the Ref needs none of it.
	extra *refExtra
}

// refExtra is what few Refs need. Any part of it may be absent.
//
// +stateify savable
type refExtra struct {
	// death and freeze are the notifications that the process has requested: of the
	// death and of the freezing of the node's owner.
	death  list.Arc[*death]
	freeze list.Arc[*freezeNotification]

	// payer is the account that the Ref is charged to, if not its process's: that of
	// the process that sent the node.
	payer *account.Account
}

// lockedBy returns what the refsMu of p, r's process, guards.
//
// +checklocks:p.refsMu
func (r *Ref) lockedBy(p *Process) *refInner {
	p.mustBe(r.proc)
	return &r.inner // +checklocksignore: p is r.proc.
}

// needExtra returns in.extra, which it allocates if it is nil.
func (in *refInner) needExtra() *refExtra {
	if in.extra == nil {
		in.extra = &refExtra{}
	}
	return in.extra
}

// payer returns the account that the Ref, one of p's, is charged to.
func (in *refInner) payer(p *Process) *account.Account {
	if in.extra != nil && in.extra.payer != nil {
		return in.extra.payer
	}
	return p.account
}

// death returns the death notification, or nil.
func (in *refInner) death() *death {
	if in.extra == nil {
		return nil
	}
	return in.extra.death.Get()
}

// freeze returns the freeze notification, or nil.
func (in *refInner) freeze() *freezeNotification {
	if in.extra == nil {
		return nil
	}
	return in.extra.freeze.Get()
}

// node returns the node that r refers to.
func (r *Ref) node() *Node { return r.target.Get() }

// count returns the count of strong references, or of weak ones.
func (in *refInner) count(strong bool) *int32 {
	if strong {
		return &in.strong
	}
	return &in.weak
}

// incLocked acquires the reference r of p once more: strong or weak. See
// Node.incLocked for th.
//
// Errors: EINVAL as from Node.incLocked, or if the count would overflow.
//
// +checklocks:p.refsMu
func (r *Ref) incLocked(ctx context.Context, p *Process, strong bool, th *Thread) error {
	count := r.lockedBy(p).count(strong)
	if *count == math.MaxInt32 {
		return linuxerr.EINVAL
	}
	if *count == 0 {
		n := r.node()
		n.owner.mu.Lock()
		err := n.incLocked(ctx, strong, true, th)
		n.owner.mu.Unlock()
		if err != nil {
			return err
		}
	}
	*count++
	return nil
}

// decLocked releases the reference r of p once. The last release frees the handle.
//
// Errors: EINVAL if there is none to release.
//
// +checklocks:p.refsMu
func (r *Ref) decLocked(ctx context.Context, p *Process, strong bool) error {
	count := r.lockedBy(p).count(strong)
	if *count == 0 {
		return linuxerr.EINVAL
	}
	*count--
	if strong && *count == 0 {
		r.node().dec(ctx, true, true)
	}
	r.removeIfUnusedLocked(ctx, p)
	return nil
}

// removeIfUnusedLocked removes r, a Ref of p, if p holds no reference through it.
//
// +checklocks:p.refsMu
func (r *Ref) removeIfUnusedLocked(ctx context.Context, p *Process) {
	if in := r.lockedBy(p); in.strong == 0 && in.weak == 0 {
		r.removeLocked(ctx, p)
	}
}

// removeLocked removes r from p and from its node, whatever its counts, along with its
// notifications.
//
// +checklocks:p.refsMu
func (r *Ref) removeLocked(ctx context.Context, p *Process) {
	in := r.lockedBy(p)
	p.handles.remove(r.handle)
	if d := in.death(); d != nil {
		p.mu.Lock()
		p.inner.deliveredDeath.dequeue(ctx, d.cookie, d)
		p.mu.Unlock()
		in.extra.death.Release(ctx)
	}
	if f := in.freeze(); f != nil {
		p.mu.Lock()
		p.inner.deliveredFreezes.dequeue(ctx, f.cookie, f)
		p.forgetFreezeCookieLocked(f.cookie, true)
		p.mu.Unlock()
		in.extra.freeze.Release(ctx)
	}

	n := r.node()
	n.owner.mu.Lock()
	if in.strong > 0 {
		n.decLocked(ctx, n.owner, true, true)
	}
	n.inner.refs.remove(r)
	if n.inner.dead && n.inner.refs.empty() {
		n.owner.ctx.domain.dead.remove(n)
	}
	n.decLocked(ctx, n.owner, false, true)
	n.owner.mu.Unlock()
	r.target.Release(ctx)
	p.stats().deleted(objectRef)
	in.payer(p).Credit(refPrice)
}

// refLocked returns p's Ref for handle, or nil. With needStrong, a Ref without a
// strong reference doesn't count.
//
// +checklocks:p.refsMu
func (p *Process) refLocked(handle uint32, needStrong bool) *Ref {
	r := p.handles.get(handle)
	if r == nil || needStrong && r.lockedBy(p).strong == 0 {
		return nil
	}
	return r
}

// useNode returns the node that p knows by handle, in use (see useLocked), or false.
func (p *Process) useNode(handle uint32, needStrong bool) (list.Arc[*Node], bool) {
	p.refsMu.Lock()
	defer p.refsMu.Unlock()
	r := p.refLocked(handle, needStrong)
	if r == nil {
		return list.Arc[*Node]{}, false
	}
	n := r.node()
	n.owner.mu.Lock()
	defer n.owner.mu.Unlock()
	return n.useLocked(n.owner), true
}

// changeRef handles BC_INCREFS and BC_ACQUIRE (increment), BC_DECREFS and
// BC_RELEASE. Acquiring handle 0 creates the handle for the context manager.
//
// Errors: EINVAL if there is no such handle, or no such reference to release.
func (p *Process) changeRef(ctx context.Context, handle uint32, increment, strong bool) error {
	if increment && handle == 0 {
		if manager := p.ctx.managerNode(); manager.Ok() {
			defer manager.Release(ctx)
			if manager.Get().owner == p {
				return linuxerr.EINVAL
			}
			_, err := p.acquireNode(ctx, manager.Get(), strong, nil, p.account)
			return err
		}
	}
	p.refsMu.Lock()
	defer p.refsMu.Unlock()
	r := p.refLocked(handle, strong)
	if r == nil {
		return linuxerr.EINVAL
	}
	if increment {
		return r.incLocked(ctx, p, strong, nil)
	}
	defer p.shrinkHandlesLocked()
	return r.decLocked(ctx, p, strong)
}

// acquireNode acquires n for p and returns the handle. If p had none, a new one is
// charged to payer. See Node.incLocked for th.
//
// Errors: EINVAL as from Node.incLocked, ENOMEM if p has used up its handles, or if
// payer has no room for a Ref.
func (p *Process) acquireNode(ctx context.Context, n *Node, strong bool, th *Thread, payer *account.Account) (uint32, error) {
	p.refsMu.Lock()
	defer p.refsMu.Unlock()
	r := n.refOf(p)
	if r == nil {
		// The Ref is allocated, and the table grown, without the lock. Meanwhile
		// another thread may insert a Ref for n.
		p.refsMu.Unlock()
		var extra *refExtra
		if payer != p.account {
			extra = &refExtra{payer: payer}
		}
		r = &Ref{proc: p, target: list.BorrowOf(n).Arc(), debugID: p.ctx.domain.nextID(), inner: refInner{extra: extra}}
		p.refsMu.Lock()
		id, err := p.unusedHandleLocked(n)
		if err != nil {
			r.target.Release(ctx)
			return 0, err
		}
		if other := n.refOf(p); other != nil {
			r.target.Release(ctx)
			r = other
		} else if err := p.insertRefLocked(r, id); err != nil {
			r.target.Release(ctx)
			return 0, err
		}
	}
	if err := r.incLocked(ctx, p, strong, th); err != nil {
		r.removeIfUnusedLocked(ctx, p)
		return 0, err
	}
	return r.handle, nil
}

// refOf returns p's Ref to n, or nil. The answer holds while p.refsMu is locked.
func (n *Node) refOf(p *Process) *Ref {
	n.owner.mu.Lock()
	defer n.owner.mu.Unlock()
	return n.inner.refs.of(p)
}

// insertRefLocked gives r the handle id and puts it into p's table and its node's
// set.
//
// Errors: ENOMEM if r's payer has no room for it.
//
// +checklocks:p.refsMu
func (p *Process) insertRefLocked(r *Ref, id idpool.Unused) error {
	payer := r.lockedBy(p).payer(p)
	if err := payer.Charge(refPrice); err != nil {
		return err
	}
	r.handle = uint32(id.ID())
	if err := p.handles.insert(id, r, payer); err != nil {
		payer.Credit(refPrice)
		return err
	}
	p.stats().created(objectRef)

	n := r.node()
	n.owner.mu.Lock()
	n.inner.refs.insert(r)
	if n.inner.dead {
		n.owner.ctx.domain.dead.add(n)
	}
	n.owner.mu.Unlock()
	return nil
}

// unusedHandleLocked returns p's lowest free handle for n, which is at least 1 unless
// n is the context manager. It unlocks p.refsMu while it allocates memory.
//
// +checklocks:p.refsMu
func (p *Process) unusedHandleLocked(n *Node) (idpool.Unused, error) {
	from := 1
	if p.ctx.isManager(n) {
		from = 0
	}
	for {
		if id, ok := p.handles.ids.FindUnused(from); ok {
			if p.handles.get(uint32(id.ID())) == nil {
				return id, nil
			}
			// The pool and the table disagree. Trust the table.
			warnings().Warningf("binder: handle %d was in use and free at once", id.ID())
			if err := id.Acquire(); err != nil {
				return idpool.Unused{}, linuxerr.ENOMEM
			}
			continue
		}
		request, ok := p.handles.ids.GrowRequest()
		if !ok {
			return idpool.Unused{}, linuxerr.ENOMEM
		}
		p.refsMu.Unlock()
		resizer := request.Alloc()
		p.refsMu.Lock()
		p.handles.ids.Grow(resizer)
	}
}

// shrinkHandlesLocked returns memory after handles were freed. It unlocks p.refsMu
// while it allocates the smaller table.
//
// +checklocks:p.refsMu
func (p *Process) shrinkHandlesLocked() {
	for p.handles.chunks.Len() > 0 && p.handles.chunks.At(p.handles.chunks.Len()-1) == nil {
		p.handles.chunks.SwapRemove(p.handles.chunks.Len() - 1)
	}
	p.handles.chunks.ShrinkAfterRemoval()
	request, ok := p.handles.ids.ShrinkRequest()
	if !ok {
		return
	}
	p.refsMu.Unlock()
	resizer := request.Alloc()
	p.refsMu.Lock()
	p.handles.ids.Shrink(resizer)
}
