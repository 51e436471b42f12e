// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"math"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/atomicbitops"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/sentry/kernel/auth"
	"gvisor.dev/gvisor/pkg/sync"
	"gvisor.dev/gvisor/pkg/tcpip"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/binder/kvvec"
	"sentrybinder/pkg/binder/list"
	"sentrybinder/pkg/sentry/devices/binder/account"
	"sentrybinder/pkg/sentry/devices/binder/alloc"
)

// Driver is what all binder devices of a sandbox share: counters, a table of the
// processes, the last transactions, and the care for memory that nobody uses. It
// is no point where they contend for a lock.
//
// +stateify savable
type Driver struct {
	reclaimer *alloc.Reclaimer
	scheduler Scheduler `state:"nosave"`

	// account is what processes are charged to.
	account *account.Account

	// flights has the devices that are in transactions.
	flights flights

	stats    stats
	lastID   atomicbitops.Int32
	registry registry
	hasher   hasher

	// log has the last transactions, failedLog the last that failed.
	log       transactionLog
	failedLog transactionLog
}

// NewDriver returns a Driver without devices. clock is the kernel's Timekeeper, and
// supervisor the kernel, or nil in tests without one.
func NewDriver(clock tcpip.Clock, supervisor Supervisor) *Driver {
	d := &Driver{reclaimer: alloc.NewReclaimer(clock), scheduler: goScheduler{}, account: account.New(math.MaxInt64)}
	d.flights.clock, d.flights.supervisor = clock, supervisor
	d.registry.init()
	d.hasher.init()
	return d
}

// nextID returns a number for a new object, by which logs name it.
func (d *Driver) nextID() int32 { return d.lastID.Add(1) }

// Context is a world of its own: the processes that have opened the same
// device, and the context manager that they all know as handle 0.
//
// +stateify savable
type Context struct {
	driver *Driver

	// name is the device's.
	name string

	// secctx is the security context of every sender.
	secctx string

	// instance is where processes that open the device are listed. See
	// ListIn.
	instance any

	// manager is the context manager's node, if there is one. It's in the table
	// of its owner as long as that lives, and is set and unset with mu locked.
	manager atomic.Pointer[Node] `state:".(*Node)"`

	mu sync.Mutex `state:"nosave"`

	// managerUID is the user that the context manager must run as: that of the
	// first one, once there was one.
	// +checklocks:mu
	managerUID auth.KUID
	// +checklocks:mu
	managerUIDSet bool

	// procs holds the processes that have opened the device. A process knows
	// its index.
	// +checklocks:mu
	procs kvvec.Vec[*Process]
}

// NewContext returns a context for the device called name, whose senders have
// the security context secctx.
func (d *Driver) NewContext(name, secctx string) *Context {
	return &Context{driver: d, name: name, secctx: secctx}
}

// ListIn makes the processes that open the device be among the LoggedProcesses of
// instance only, and not of all.
//
// Preconditions: Nobody has opened the device yet.
func (c *Context) ListIn(instance any) { c.instance = instance }

// managerNode returns a reference to the context manager's node, or none.
func (c *Context) managerNode() list.Arc[*Node] {
	n := c.manager.Load()
	if n == nil {
		return list.Arc[*Node]{}
	}
	n.owner.mu.Lock()
	defer n.owner.mu.Unlock()
	if n.dead {
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
	if c.managerUIDSet && c.managerUID != caller {
		return linuxerr.EPERM
	}
	n := p.nodeLocked(object.Binder)
	if n == nil {
		var err error
		if n, err = p.newNodeLocked(object); err != nil {
			return err
		}
	}
	c.managerUID, c.managerUIDSet = caller, true
	n.becomeManagerLocked() // +checklocksignore: n.owner is p.
	c.manager.Store(n)
	return nil
}

// register adds p to the processes of the context.
func (c *Context) register(p *Process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p.index = c.procs.Len()
	c.procs.Append(p)
}

// deregister removes p, and its node if that's the context manager's.
func (c *Context) deregister(p *Process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.procs.SwapRemove(p.index)
	if p.index < c.procs.Len() {
		c.procs.At(p.index).index = p.index
	}
	c.procs.ShrinkAfterRemoval()
	if n := c.manager.Load(); n != nil && n.owner == p {
		c.manager.Store(nil)
	}
}
