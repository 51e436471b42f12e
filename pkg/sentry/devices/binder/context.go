// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/atomicbitops"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/gohacks"
	"gvisor.dev/gvisor/pkg/sentry/kernel/auth"
	"gvisor.dev/gvisor/pkg/tcpip"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/binder/list"
	"sentrybinder/pkg/sentry/devices/binder/alloc"
)

// Driver is what all binder devices of a sandbox share: the reclaiming of unused
// memory, the order in which devices were opened, and the list of containers. It
// takes no contended lock for them.
//
// +stateify savable
type Driver struct {
	reclaimer *alloc.Reclaimer
	scheduler Scheduler `state:"nosave"`

	// flights has the devices that are in transactions.
	flights flights

	// lastOrdinal is the ordinal of the process or Tenant that came last.
	lastOrdinal atomicbitops.Uint64

	// names are those of the devices in each container's /dev.
	names []string

	tenants tenants
}

// NewDriver returns a Driver, for devices of these names in each container's /dev.
// clock is the kernel's Timekeeper, and supervisor the kernel, or nil in tests without
// one.
func NewDriver(clock tcpip.Clock, supervisor Supervisor, names ...string) *Driver {
	d := &Driver{reclaimer: alloc.NewReclaimer(clock), scheduler: goScheduler{}, names: names}
	d.flights.clock, d.flights.supervisor = clock, supervisor
	return d
}

// nextOrdinal returns a number that is greater than all before. It is the time, so
// that nobody can tell from two of them how many others got one in between.
func (d *Driver) nextOrdinal() uint64 {
	for {
		last := d.lastOrdinal.Load()
		next := max(last+1, uint64(gohacks.Nanotime()))
		if d.lastOrdinal.CompareAndSwap(last, next) {
			return next
		}
	}
}

// Context is an isolated binder namespace: the processes that have opened the same
// device, and the context manager that they all know as handle 0.
//
// +stateify savable
type Context struct {
	domain *Domain

	// name is the device's.
	name string

	// manager is the context manager's node, if there is one. It's in the table
	// of its owner as long as that lives, and is set and unset with mu locked.
	manager atomic.Pointer[Node] `state:".(*Node)"`

	mu contextMutex `state:"nosave"`

	// user is whom the context manager must run as.
	// +checklocks:mu
	user managerUser
}

// managerUser is the user that the first context manager of a Context ran as, once
// there was one.
//
// +stateify savable
type managerUser struct {
	uid auth.KUID
	set bool
}

// NewContext returns a context for the device called name.
func (d *Domain) NewContext(name string) *Context {
	return &Context{domain: d, name: name}
}

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

// setManager makes p's node, as object describes it, the context manager.
//
// Errors: EBUSY if there's one, EPERM if there was one and it was another
// user's, ENOMEM if p's account has no room for the node.
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
