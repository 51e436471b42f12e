// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"math"

	"gvisor.dev/gvisor/pkg/atomicbitops"
)

// Domain is the home of Contexts: the /dev of a Tenant, or an instance of
// binderfs. It holds all that its devices have in common, so that nothing of one
// domain shows in another, and users of different ones contend for nothing.
//
// +stateify savable
type Domain struct {
	driver *Driver

	// name tells an operator which it is, and ordinal is greater than that of every
	// older one.
	name    string
	ordinal uint64

	stats  stats
	lastID atomicbitops.Int32
	hasher hasher

	// procs holds the processes of all contexts, and dead the nodes that they
	// left behind.
	procs registry
	dead  deadNodes

	// closed has the counts of the processes that are gone.
	closed closedCounts

	// log holds the last transactions, failedLog the last that failed.
	log       transactionLog
	failedLog failureLog

	// refusedLog holds the last commands and requests that were refused, but for
	// transactions.
	refusedLog failureLog
}

// NewDomain returns a Domain without devices. Operators know it by name.
func (d *Driver) NewDomain(name string) *Domain {
	dom := &Domain{driver: d, name: name, ordinal: d.nextOrdinal()}
	dom.procs.init()
	dom.dead.init()
	dom.hasher.init()
	return dom
}

// nextID returns a number for a new object, by which logs name it.
func (d *Domain) nextID() int32 { return d.lastID.Add(1) }

// add adds p, which has just opened a device.
func (d *Domain) add(p *Process) { d.procs.add(p) }

// remove removes p, which has closed its device.
func (d *Domain) remove(p *Process) {
	// p is in one of the two for whoever holds closed.mu.
	d.closed.mu.Lock()
	defer d.closed.mu.Unlock()
	d.procs.remove(p)
	d.closed.inner.counts.add(&p.counts)
	if d.closed.inner.summing && p.ordinal < d.closed.inner.summed {
		d.closed.inner.sum.add(&p.counts)
	}
}

// closedCounts counts what processes that are gone have written and read.
//
// +stateify savable
type closedCounts struct {
	// sumMu lets one caller at a time sum up.
	sumMu closedSumMutex `state:"nosave"`

	// mu comes before registry.mu.
	mu closedCountsMutex `state:"nosave"`

	// +checklocks:mu
	inner closedCountsInner
}

// closedCountsInner is what the mu of closedCounts guards.
//
// +stateify savable
type closedCountsInner struct {
	counts commandCounts

	// summing is true while somebody sums up. sum then has the counts of all that
	// were gone when that began, of the live ones whose ordinal is at least
	// summed, and of those that were to come and have gone meanwhile.
	summing bool          `state:"nosave"`
	summed  uint64        `state:"nosave"`
	sum     commandCounts `state:"nosave"`
}

// counts returns what all processes have written and read: each is counted once,
// even if it goes meanwhile.
func (d *Domain) counts() *commandCounts {
	c := &d.closed
	c.sumMu.Lock()
	defer c.sumMu.Unlock()

	c.mu.Lock()
	c.inner.summing, c.inner.summed = true, math.MaxUint64
	c.inner.sum = commandCounts{}
	c.inner.sum.add(&c.inner.counts)
	var batch []registryEntry
	walk := startWalk()
	for {
		batch = d.procs.older(batch[:0], c.inner.summed)
		if len(batch) == 0 {
			break
		}
		for _, e := range batch {
			c.inner.sum.add(&e.proc.counts)
			c.inner.summed = e.ordinal
		}
		c.mu.Unlock()
		walk.yield()
		c.mu.Lock()
	}
	sum := &commandCounts{}
	sum.add(&c.inner.sum)
	c.inner.summing = false
	c.mu.Unlock()
	return sum
}

// ObjectCounts returns the number of objects that d holds, by kind. The counts
// of different kinds are not taken at the same instant.
func (d *Domain) ObjectCounts() []ObjectCount {
	counts := make([]ObjectCount, numObjectKinds)
	for k := range counts {
		// deleted is read first: an object that comes and goes in between may
		// be seen as active, but never as a negative count.
		deleted := d.stats.objects[k].deleted.Load()
		created := d.stats.objects[k].created.Load()
		counts[k] = ObjectCount{Name: objectNames[k], Active: created - deleted, Total: created}
	}
	return counts
}
