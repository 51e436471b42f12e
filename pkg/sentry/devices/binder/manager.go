// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/sentry/kernel/auth"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/binder/list"
)

// managerNode returns a reference to the context manager's node, or none.
func (c *Context) managerNode() list.Arc[*Node] {
	n := c.manager.Load()
	if n == nil {
		return list.Arc[*Node]{}
	}
	n.owner.mu.Lock()
	defer n.owner.mu.Unlock()
	if n.inner.dead {
		return list.Arc[*Node]{}
	}
	return list.BorrowOf(n).Arc()
}

// managedBy returns whether the context manager's node is p's.
func (c *Context) managedBy(p *Process) bool {
	n := c.manager.Load()
	return n != nil && n.owner == p
}

// isManager returns whether n is the context manager's node.
func (c *Context) isManager(n *Node) bool { return c.manager.Load() == n }

// setManager makes p's node that object describes the context manager.
//
// Errors: EBUSY if there is a context manager, EPERM if there was one of another user,
// ENOMEM if p's account has no room for the node.
func (c *Context) setManager(p *Process, caller auth.KUID, object *binder.FlatObject) error {
	// p.mu comes before c.mu.
	p.mu.Lock()
	defer p.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.manager.Load() != nil {
		return linuxerr.EBUSY
	}
	if c.user.set && c.user.uid != caller {
		return linuxerr.EPERM
	}
	n := p.nodeLocked(object.Binder)
	if n == nil {
		var err error
		if n, err = p.newNodeLocked(object); err != nil {
			return err
		}
	}
	c.user = managerUser{uid: caller, set: true}
	n.becomeManagerLocked(p)
	c.manager.Store(n)
	return nil
}

// deregister removes the context manager's node if it is p's.
func (c *Context) deregister(p *Process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.manager.Load(); n != nil && n.owner == p {
		c.manager.Store(nil)
	}
}
