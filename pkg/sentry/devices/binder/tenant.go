// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"maps"
	"slices"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/sentry/kernel"

	"sentrybinder/pkg/sentry/devices/binder/account"
)

// Tenant is a container as the driver sees it. Containers need not trust each other: they
// see each other's state only through a binderfs that they share. A Tenant is found by its
// container's ID until the container is gone; the processes that were opened in it keep it
// while they are open.
//
// +stateify savable
type Tenant struct {
	// name is the container's name, by which a restored one is recognized.
	name string

	// ordinal is greater than that of every older Tenant.
	ordinal uint64

	// account is the account that the container's processes are charged to.
	account *account.Account

	// secctx is the security context of the container's processes.
	secctx string

	// dev is the domain of the devices in the container's /dev, and contexts holds
	// their contexts, by name.
	dev      *Domain
	contexts map[string]*Context

	// complaints limits the messages to the container's kernel log.
	complaints complaints `state:"nosave"`

	// reports holds the container's listeners to reports.
	reports reportListeners

	// procs holds the processes that were opened in the container, whatever their
	// domain.
	procs registry

	// traffic counts for the metrics.
	traffic traffic `state:"nosave"`
}

// ContainerInfo describes a container.
type ContainerInfo struct {
	// ID is unique among all containers of the sandbox, Name only among those that
	// exist at the same time. A restored container keeps its name, but may have
	// another ID.
	ID, Name string

	// SecurityContext is that of the container's processes.
	SecurityContext string

	// MemoryLimit is how much memory the container's processes can make the driver
	// keep, in bytes. See package account.
	MemoryLimit int64
}

// tenants holds the Tenants of the existing containers.
//
// +stateify savable
type tenants struct {
	// byID holds the tenants by container ID. It is replaced, with mu locked, rather
	// than changed.
	byID atomic.Pointer[map[string]*Tenant] `state:".(map[string]*Tenant)"`

	// mu is a leaf.
	mu tenantsMutex `state:"nosave"`

	// gone is the traffic of the containers that are gone.
	gone traffic `state:"nosave"`
}

// get returns the tenant of a container, or nil if there's no such container.
func (ts *tenants) get(id string) *Tenant {
	if m := ts.byID.Load(); m != nil {
		return (*m)[id]
	}
	return nil
}

// all returns all tenants.
func (ts *tenants) all() []*Tenant {
	if m := ts.byID.Load(); m != nil {
		return slices.Collect(maps.Values(*m))
	}
	return nil
}

// update lets change replace the tenants.
func (ts *tenants) update(change func(byID map[string]*Tenant) map[string]*Tenant) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	byID := make(map[string]*Tenant)
	if m := ts.byID.Load(); m != nil {
		byID = maps.Clone(*m)
	}
	byID = change(byID)
	ts.byID.Store(&byID)
}

// Account returns the account of the container of ctx's task, or nil if ctx has no task,
// like the sentry's own, or the driver doesn't know the container.
func (d *Driver) Account(ctx context.Context) *account.Account {
	task := kernel.TaskFromContext(ctx)
	if task == nil {
		return nil
	}
	t := d.tenants.get(task.ContainerID())
	if t == nil {
		return nil
	}
	return t.account
}

// StartContainer adds a container, which has no processes yet.
func (d *Driver) StartContainer(c ContainerInfo) {
	t := d.newTenant(c)
	d.tenants.update(func(byID map[string]*Tenant) map[string]*Tenant {
		byID[c.ID] = t
		return byID
	})
}

// StopContainer removes a container whose processes are gone. It ignores unknown ones: they
// may never have started.
func (d *Driver) StopContainer(id string) {
	d.tenants.update(func(byID map[string]*Tenant) map[string]*Tenant {
		if t := byID[id]; t != nil {
			d.tenants.gone.add(&t.traffic)
			delete(byID, id)
		}
		return byID
	})
}

// RestoreContainers sets the containers that exist after a restore: their IDs, by name.
// They have the Tenants that they were saved with.
func (d *Driver) RestoreContainers(ids map[string]string) {
	d.tenants.update(func(byID map[string]*Tenant) map[string]*Tenant {
		// An ended container may still exist beside its successor of the same
		// name. Only the latter has processes.
		byName := make(map[string]*Tenant)
		for _, t := range byID {
			if other := byName[t.name]; other == nil || other.ordinal < t.ordinal {
				byName[t.name] = t
			}
		}
		restored := make(map[string]*Tenant)
		for name, id := range ids {
			if t := byName[name]; t != nil {
				restored[id] = t
			}
		}
		return restored
	})
}

func (d *Driver) newTenant(c ContainerInfo) *Tenant {
	t := &Tenant{
		name:     c.Name,
		ordinal:  d.nextOrdinal(),
		account:  account.New(c.MemoryLimit),
		secctx:   c.SecurityContext,
		dev:      d.NewDomain("/dev"),
		contexts: make(map[string]*Context),
	}
	t.procs.init()
	for _, name := range d.names {
		t.contexts[name] = t.dev.NewContext(name)
	}
	return t
}
