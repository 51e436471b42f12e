// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"

	"sentrybinder/pkg/binder/idpool"
	"sentrybinder/pkg/binder/list"
)

// Ref is a process's reference to a node of another process. The process knows
// it by its handle.
//
// +stateify savable
type Ref struct {
	list.Count
	nodeLinks list.Links[*Ref, nodeRefsID]

	debugID int32
	proc    *Process
	target  list.Arc[*Node]
	handle  uint32

	// strong and weak count the references that the process has acquired
	// through this handle. The Ref goes when both are zero.
	// +checklocks:proc.refsMu
	strong int
	// +checklocks:proc.refsMu
	weak int

	// death is the notification that the process has asked for, if any.
	// +checklocks:proc.refsMu
	death list.Arc[*death]

	// freeze is the freeze notification that the process has asked for, if any.
	// +checklocks:proc.refsMu
	freeze list.Arc[*freezeNotification]
}

// node returns the node that r refers to.
func (r *Ref) node() *Node { return r.target.Get() }

// Destroy implements list.Counted.Destroy.
func (r *Ref) Destroy(ctx context.Context) {
	r.proc.stats().deleted(objectRef)
}

// incLocked acquires the reference once more: strong or weak. See
// Node.incLocked for th and the error.
//
// +checklocks:r.proc.refsMu
func (r *Ref) incLocked(ctx context.Context, strong bool, th *Thread) error {
	count := &r.weak
	if strong {
		count = &r.strong
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
	inTable := r.proc.handles.remove(r.handle)
	defer inTable.Release(ctx)
	delete(r.proc.refs, r.node())
	if r.death.Ok() {
		r.proc.mu.Lock()
		dequeue(ctx, r.death.Get())
		r.proc.mu.Unlock()
		r.death.Release(ctx)
	}
	if r.freeze.Ok() {
		r.proc.mu.Lock()
		dequeue(ctx, r.freeze.Get())
		r.proc.mu.Unlock()
		r.freeze.Release(ctx)
	}

	n := r.node()
	n.owner.mu.Lock()
	if r.strong > 0 {
		n.decLocked(ctx, true, true)
	}
	ref, _ := n.refs.Remove(&r.nodeLinks)
	if n.dead && n.refs.Empty() {
		n.owner.ctx.driver.registry.removeDead(n)
	}
	n.decLocked(ctx, false, true)
	n.owner.mu.Unlock()
	ref.Release(ctx)
	r.target.Release(ctx)
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
			_, err := p.acquireNode(ctx, manager.Get(), strong, nil)
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

// acquireNode acquires n for p and returns the handle, a new one if p had none.
// See Node.incLocked for th.
//
// Errors: EINVAL as from Node.incLocked, ENOMEM if p has used up its handles.
func (p *Process) acquireNode(ctx context.Context, n *Node, strong bool, th *Thread) (uint32, error) {
	p.refsMu.Lock()
	defer p.refsMu.Unlock()
	r := p.refs[n]
	if r == nil {
		// The Ref is made, and the table grown, without the lock. Meanwhile
		// another thread may have made a Ref for n.
		p.refsMu.Unlock()
		r = &Ref{proc: p, target: list.BorrowOf(n).Arc(), debugID: p.ctx.driver.nextID()}
		p.refsMu.Lock()
		id, err := p.unusedHandleLocked(n)
		if err != nil {
			r.target.Release(ctx)
			return 0, err
		}
		if other := p.refs[n]; other != nil {
			r.target.Release(ctx)
			r = other
		} else {
			p.insertRefLocked(r, id)
		}
	}
	if err := r.incLocked(ctx, strong, th); err != nil { // +checklocksignore: r.proc is p.
		r.removeIfUnusedLocked(ctx) // +checklocksignore: r.proc is p.
		return 0, err
	}
	return r.handle, nil
}

// insertRefLocked gives r the handle id and puts it into p's tables and its
// node's list.
//
// +checklocks:p.refsMu
func (p *Process) insertRefLocked(r *Ref, id idpool.Unused) {
	p.stats().created(objectRef)
	r.handle = uint32(id.ID())
	fresh := list.NewUnique(r)
	shared, onNode := list.Pair(&fresh, &r.nodeLinks, r)
	p.handles.insert(id, shared)
	p.refs[r.node()] = r

	n := r.node()
	n.owner.mu.Lock()
	n.refs.PushBack(onNode)
	if n.dead {
		n.owner.ctx.driver.registry.addDead(n)
	}
	n.owner.mu.Unlock()
}
