// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"cmp"
	"math"
	"slices"

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

	// strong and weak count the references that the process has acquired
	// through this handle. The Ref goes when both are zero.
	// +checklocks:proc.refsMu
	strong int32
	// +checklocks:proc.refsMu
	weak int32

	// extra is nil if the Ref has none of it.
	// +checklocks:proc.refsMu
	extra *refExtra
}

// refExtra is what few Refs have. Each part of it may be missing.
//
// +stateify savable
type refExtra struct {
	// death and freeze are the notifications that the process has asked for: of
	// the death of the node's owner, and of when that is frozen.
	death  list.Arc[*death]
	freeze list.Arc[*freezeNotification]

	// payer is what the Ref is charged to, if that is not its process's account: that
	// of the process which has sent the node.
	payer *account.Account
}

// extraLocked returns r.extra, which it makes if there's none.
//
// +checklocks:r.proc.refsMu
func (r *Ref) extraLocked() *refExtra {
	if r.extra == nil {
		r.extra = &refExtra{}
	}
	return r.extra
}

// payerLocked returns what the Ref is charged to.
//
// +checklocks:r.proc.refsMu
func (r *Ref) payerLocked() *account.Account {
	if r.extra != nil && r.extra.payer != nil {
		return r.extra.payer
	}
	return r.proc.account
}

// deathLocked returns the death notification, or nil.
//
// +checklocks:r.proc.refsMu
func (r *Ref) deathLocked() *death {
	if r.extra == nil {
		return nil
	}
	return r.extra.death.Get()
}

// freezeLocked returns the freeze notification, or nil.
//
// +checklocks:r.proc.refsMu
func (r *Ref) freezeLocked() *freezeNotification {
	if r.extra == nil {
		return nil
	}
	return r.extra.freeze.Get()
}

// refsInOrder returns the Refs to n, in the order in which they came. It takes the
// owner's lock for a batch at a time.
func (n *Node) refsInOrder() []*Ref {
	mu := &n.owner.mu
	mu.Lock()
	if only := n.refs.only; only != nil || len(n.refs.many) == 0 {
		mu.Unlock()
		if only == nil {
			return nil
		}
		return []*Ref{only}
	}
	var refs []*Ref
	// What comes and goes between the batches may be missing or there.
	for _, r := range n.refs.many {
		refs = append(refs, r)
		if len(refs)%batchSize == 0 {
			mu.Unlock()
			yieldToWaiters()
			mu.Lock()
		}
	}
	mu.Unlock()
	slices.SortFunc(refs, func(a, b *Ref) int { return cmp.Compare(a.debugID, b.debugID) })
	return refs
}

// node returns the node that r refers to.
func (r *Ref) node() *Node { return r.target.Get() }

// incLocked acquires the reference once more: strong or weak. See
// Node.incLocked for th and the error, which is also returned when the process has
// acquired it more often than can be counted.
//
// +checklocks:r.proc.refsMu
func (r *Ref) incLocked(ctx context.Context, strong bool, th *Thread) error {
	count := &r.weak
	if strong {
		count = &r.strong
	}
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

// decLocked releases the reference once. With the last one the handle goes. It
// returns EINVAL if there's none to release.
//
// +checklocks:r.proc.refsMu
func (r *Ref) decLocked(ctx context.Context, strong bool) error {
	count := &r.weak
	if strong {
		count = &r.strong
	}
	if *count == 0 {
		return linuxerr.EINVAL
	}
	*count--
	if strong && *count == 0 {
		r.node().dec(ctx, true, true)
	}
	r.removeIfUnusedLocked(ctx)
	return nil
}

// removeIfUnusedLocked removes the Ref if the process has no reference through
// it.
//
// +checklocks:r.proc.refsMu
func (r *Ref) removeIfUnusedLocked(ctx context.Context) {
	if r.strong == 0 && r.weak == 0 {
		r.removeLocked(ctx)
	}
}

// removeLocked removes the Ref from its process and from its node, whatever its
// counts, and the notifications with it.
//
// +checklocks:r.proc.refsMu
func (r *Ref) removeLocked(ctx context.Context) {
	r.proc.handles.remove(r.handle)
	if d := r.deathLocked(); d != nil {
		r.proc.mu.Lock()
		r.proc.deliveredDeath.dequeue(ctx, d.cookie, d)
		r.proc.mu.Unlock()
		r.extra.death.Release(ctx)
	}
	if f := r.freezeLocked(); f != nil {
		r.proc.mu.Lock()
		r.proc.deliveredFreezes.dequeue(ctx, f.cookie, f)
		r.proc.mu.Unlock()
		r.extra.freeze.Release(ctx)
	}

	n := r.node()
	n.owner.mu.Lock()
	if r.strong > 0 {
		n.decLocked(ctx, true, true)
	}
	n.refs.remove(r)
	if n.dead && n.refs.empty() {
		n.owner.ctx.domain.dead.remove(n)
	}
	n.decLocked(ctx, false, true)
	n.owner.mu.Unlock()
	r.target.Release(ctx)
	r.proc.stats().deleted(objectRef)
	r.payerLocked().Credit(refPrice)
}

// refLocked returns p's Ref for handle, or nil. A Ref without a strong
// reference is no answer to a caller that needs one.
//
// +checklocks:p.refsMu
func (p *Process) refLocked(handle uint32, needStrong bool) *Ref {
	r := p.handles.get(handle)
	if r == nil || needStrong && r.strong == 0 { // +checklocksignore: r.proc is p.
		return nil
	}
	return r
}

// useNode returns the node that p knows by handle, in use, or false.
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
	return n.useLocked(), true
}

// changeRef handles BC_INCREFS and BC_ACQUIRE (increment), BC_DECREFS and
// BC_RELEASE. Acquiring handle 0 makes a handle for the context manager.
//
// Errors: EINVAL if there's no such reference, or no such reference to release.
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
		return r.incLocked(ctx, strong, nil) // +checklocksignore: r.proc is p.
	}
	defer p.shrinkHandlesLocked()
	return r.decLocked(ctx, strong) // +checklocksignore: r.proc is p.
}

// acquireNode acquires n for p and returns the handle, a new one if p had none,
// which payer pays for. See Node.incLocked for th.
//
// Errors: EINVAL as from Node.incLocked, ENOMEM if p has used up its handles, or if
// payer has no room for a Ref.
func (p *Process) acquireNode(ctx context.Context, n *Node, strong bool, th *Thread, payer *account.Account) (uint32, error) {
	p.refsMu.Lock()
	defer p.refsMu.Unlock()
	r := n.refOf(p)
	if r == nil {
		// The Ref is made, and the table grown, without the lock. Meanwhile
		// another thread may have made a Ref for n.
		p.refsMu.Unlock()
		r = &Ref{proc: p, target: list.BorrowOf(n).Arc(), debugID: p.ctx.domain.nextID()}
		if payer != p.account {
			r.extra = &refExtra{payer: payer} // +checklocksignore: nobody else has r.
		}
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
	if err := r.incLocked(ctx, strong, th); err != nil { // +checklocksignore: r.proc is p.
		r.removeIfUnusedLocked(ctx) // +checklocksignore: r.proc is p.
		return 0, err
	}
	return r.handle, nil
}

// refOf returns p's Ref to n, or nil. It stays that as long as p.refsMu is locked.
func (n *Node) refOf(p *Process) *Ref {
	n.owner.mu.Lock()
	defer n.owner.mu.Unlock()
	return n.refs.of(p)
}

// insertRefLocked gives r the handle id and puts it into p's table and its node's
// set.
//
// Errors: ENOMEM if r's payer has no room for it.
//
// +checklocks:p.refsMu
func (p *Process) insertRefLocked(r *Ref, id idpool.Unused) error {
	payer := r.payerLocked() // +checklocksignore: r.proc is p.
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
	n.refs.insert(r)
	if n.dead {
		n.owner.ctx.domain.dead.add(n)
	}
	n.owner.mu.Unlock()
	return nil
}
