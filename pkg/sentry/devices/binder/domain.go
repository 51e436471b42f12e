// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"math"

	"gvisor.dev/gvisor/pkg/atomicbitops"
)

// Domain is a set of Contexts: the /dev of a Tenant, or an instance of binderfs. It
// holds all state that its devices share, so that domains can't observe each other, and
// their users contend for nothing.
//
// +stateify savable
type Domain struct {
	driver *Driver

	// name identifies it to operators. ordinal is greater than that of every older
	// domain.
	name    string
	ordinal uint64

	stats  stats
	lastID atomicbitops.Int32
	hasher hasher

	// procs holds the processes of all contexts, and dead the nodes that outlive
	// their owners.
	procs registry
	dead  deadNodes

	// closed holds the counts of closed processes.
	closed closedCounts

	// log holds the last transactions, failedLog the last failed ones.
	log       transactionLog
	failedLog failureLog

	// refusedLog holds the last refused commands and requests, except for
	// transactions.
	refusedLog failureLog
}

// NewDomain returns a Domain without devices. name identifies it to operators.
func (d *Driver) NewDomain(name string) *Domain {
	dom := &Domain{driver: d, name: name, ordinal: d.nextOrdinal()}
	dom.procs.init()
	dom.dead.init()
	dom.hasher.init()
	return dom
}

// nextID returns the debug ID for a new object.
func (d *Domain) nextID() int32 { return d.lastID.Add(1) }

// add adds p, which has just opened a device.
func (d *Domain) add(p *Process) { d.procs.add(p) }

// remove removes p, which has closed its device.
func (d *Domain) remove(p *Process) {
	// To holders of closed.mu, p's counts are always in exactly one of procs and closed.
	d.closed.mu.Lock()
	defer d.closed.mu.Unlock()
	d.procs.remove(p)
	d.closed.inner.counts.add(&p.counts)
	if d.closed.inner.summing && p.ordinal < d.closed.inner.summed {
		d.closed.inner.sum.add(&p.counts)
	}
}

// closedCounts counts the commands and returns of closed processes.
//
// +stateify savable
type closedCounts struct {
	// sumMu serializes summing.
	sumMu closedSumMutex `state:"nosave"`

	// mu comes before registry.mu.
	mu closedCountsMutex `state:"nosave"`

	// +checklocks:mu
	inner closedCountsInner
}

// closedCountsInner is the state that closedCounts.mu guards.
//
// +stateify savable
type closedCountsInner struct {
	counts commandCounts

	// summing is true while counts is running. sum then holds the counts of all processes
	// closed when it began, of the live ones whose ordinal is at least summed, and
	// of those with a smaller ordinal that have closed meanwhile.
	summing bool          `state:"nosave"`
	summed  uint64        `state:"nosave"`
	sum     commandCounts `state:"nosave"`
}

// counts returns the commands and returns of all processes. Each is counted once, even
// if it closes meanwhile.
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

// ObjectCounts returns the number of d's objects, by kind. The counts of different kinds
// are not taken at the same instant.
func (d *Domain) ObjectCounts() []ObjectCount {
	counts := make([]ObjectCount, numObjectKinds)
	for k := range counts {
		active := d.stats.active(objectKind(k))
		counts[k] = ObjectCount{Name: objectNames[k], Active: active, Total: d.stats.objects[k].created.Load()}
	}
	return counts
}
