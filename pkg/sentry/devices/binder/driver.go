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

// Driver is the state that all binder devices of a sandbox share: the reclaiming of
// unused memory, the order in which devices were opened, and the list of containers. It
// takes no contended lock.
//
// +stateify savable
type Driver struct {
	reclaimer *alloc.Reclaimer
	scheduler Scheduler `state:"nosave"`
	kernelLog KernelLog `state:"nosave"`

	// flights holds the devices in transactions.
	flights flights

	// lastOrdinal is the last ordinal that nextOrdinal returned.
	lastOrdinal atomicbitops.Uint64

	// names are the names of the devices in each container's /dev.
	names []string

	tenants tenants

	// lastInventory is the last result of inventory.
	lastInventory atomic.Pointer[inventory] `state:"nosave"`

	// tracer records events, or is nil. A restored sandbox is not traced.
	tracer atomic.Pointer[tracer] `state:"nosave"`

	// reporting is true if applications have a way to Subscribe.
	reporting bool
}

// NewDriver returns a Driver with devices of these names in each container's /dev. clock
// is the kernel's Timekeeper, and supervisor the kernel, or nil in tests without one.
func NewDriver(clock tcpip.Clock, supervisor Supervisor, names ...string) *Driver {
	d := &Driver{reclaimer: alloc.NewReclaimer(clock), scheduler: goScheduler{}, names: names}
	d.flights.clock, d.flights.supervisor = clock, supervisor
	return d
}

// EnableReports records that applications have a way to Subscribe.
//
// Preconditions: No device of d was opened yet.
func (d *Driver) EnableReports() { d.reporting = true }

// HasReports returns whether applications have a way to Subscribe.
func (d *Driver) HasReports() bool { return d.reporting }

// nextOrdinal returns a number greater than all earlier ones. It is the time, so that two
// of them don't reveal how many were returned in between.
func (d *Driver) nextOrdinal() uint64 {
	for {
		last := d.lastOrdinal.Load()
		next := max(last+1, uint64(gohacks.Nanotime()))
		if d.lastOrdinal.CompareAndSwap(last, next) {
			return next
		}
	}
}

// SetScheduler replaces d's scheduler. It is not saved: after a restore, d uses its own
// again.
//
// Preconditions: No device of d was opened yet.
func (d *Driver) SetScheduler(s Scheduler) { d.scheduler = s }
