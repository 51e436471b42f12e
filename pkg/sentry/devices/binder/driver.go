// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/atomicbitops"
	"gvisor.dev/gvisor/pkg/gohacks"
	"gvisor.dev/gvisor/pkg/tcpip"

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
	kernelLog KernelLog `state:"nosave"`

	// flights has the devices that are in transactions.
	flights flights

	// lastOrdinal is the ordinal of the process or Tenant that came last.
	lastOrdinal atomicbitops.Uint64

	// names are those of the devices in each container's /dev.
	names []string

	tenants tenants

	// lastInventory is what inventory has returned last.
	lastInventory atomic.Pointer[inventory] `state:"nosave"`

	// tracer notes events, or is nil. A restored sandbox is not traced.
	tracer atomic.Pointer[tracer] `state:"nosave"`

	// reporting is true if there's a way to Subscribe for applications.
	reporting bool
}

// NewDriver returns a Driver, for devices of these names in each container's /dev.
// clock is the kernel's Timekeeper, and supervisor the kernel, or nil in tests without
// one.
func NewDriver(clock tcpip.Clock, supervisor Supervisor, names ...string) *Driver {
	d := &Driver{reclaimer: alloc.NewReclaimer(clock), scheduler: goScheduler{}, names: names}
	d.flights.clock, d.flights.supervisor = clock, supervisor
	return d
}

// EnableReports notes that applications have a way to Subscribe.
//
// Preconditions: No device of d was opened yet.
func (d *Driver) EnableReports() { d.reporting = true }

// HasReports returns whether applications have a way to Subscribe.
func (d *Driver) HasReports() bool { return d.reporting }

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

// SetScheduler replaces d's scheduler. It is not saved: after a restore, d has its
// own again.
//
// Preconditions: No device of d was opened yet.
func (d *Driver) SetScheduler(s Scheduler) { d.scheduler = s }
