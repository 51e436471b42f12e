// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"cmp"

	"github.com/google/btree"
)

// registry holds open devices, by age and by the process that opened them. Its lock is
// held for no more than logarithmic time, or for a batch.
//
// +stateify savable
type registry struct {
	// mu is a leaf.
	mu registryMutex `state:"nosave"`

	// +checklocks:mu
	inner registryInner
}

// registryInner is the state that registry.mu guards.
//
// +stateify savable
type registryInner struct {
	// byAge and byOpener hold the same entries.
	byAge    *btree.BTreeG[registryEntry] `state:".([]registryEntry)"`
	byOpener *btree.BTreeG[registryEntry] `state:"nosave"`

	// loaded holds the entries until all of the driver is loaded.
	loaded []registryEntry `state:"nosave"`
}

// registryEntry is an open device in a registry.
//
// +stateify savable
type registryEntry struct {
	// ns and pid identify the opener.
	ns  uint64
	pid int32

	// ordinal is proc's.
	ordinal uint64
	proc    *Process
}

func entryOf(p *Process) registryEntry {
	return registryEntry{ns: p.id.nsID(), pid: p.id.pid, ordinal: p.ordinal, proc: p}
}

// registryDegree is the degree in btree's own examples.
const registryDegree = 32

func (r *registry) init() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.initLocked()
}

// +checklocks:r.mu
func (r *registry) initLocked() {
	r.inner.byAge = btree.NewG(registryDegree, func(a, b registryEntry) bool { return a.ordinal < b.ordinal })
	r.inner.byOpener = btree.NewG(registryDegree, func(a, b registryEntry) bool {
		return cmp.Or(cmp.Compare(a.ns, b.ns), cmp.Compare(a.pid, b.pid), cmp.Compare(a.ordinal, b.ordinal)) < 0
	})
}

// add adds p, which has just opened a device.
func (r *registry) add(p *Process) {
	e := entryOf(p)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.insertLocked(e)
}

// addFirst is add for the first registry that p is in. It sets p.first, before p can be
// found, to whether its opener had no device open.
func (r *registry) addFirst(p *Process) {
	e := entryOf(p)
	r.mu.Lock()
	defer r.mu.Unlock()
	p.first = true
	r.inner.byOpener.AscendGreaterOrEqual(registryEntry{ns: e.ns, pid: e.pid}, func(other registryEntry) bool {
		p.first = other.ns != e.ns || other.pid != e.pid
		return false
	})
	r.insertLocked(e)
}

// +checklocks:r.mu
func (r *registry) insertLocked(e registryEntry) {
	r.inner.byAge.ReplaceOrInsert(e)
	r.inner.byOpener.ReplaceOrInsert(e)
}

// remove removes p, which has closed its device.
func (r *registry) remove(p *Process) {
	e := entryOf(p)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.removeLocked(e)
}

// +checklocks:r.mu
func (r *registry) removeLocked(e registryEntry) {
	r.inner.byAge.Delete(e)
	r.inner.byOpener.Delete(e)
}

// older appends to list the next entries with an ordinal less than before, newest first:
// a batch at most.
func (r *registry) older(list []registryEntry, before uint64) []registryEntry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.olderLocked(list, before)
}

// +checklocks:r.mu
func (r *registry) olderLocked(list []registryEntry, before uint64) []registryEntry {
	end := len(list) + batchSize
	r.inner.byAge.DescendLessOrEqual(registryEntry{ordinal: before}, func(e registryEntry) bool {
		if e.ordinal < before {
			list = append(list, e)
		}
		return len(list) < end
	})
	return list
}

// olderOf is older for the devices that process id opened.
func (r *registry) olderOf(list []registryEntry, id identity, before uint64) []registryEntry {
	end := len(list) + batchSize
	pivot := registryEntry{ns: id.nsID(), pid: id.pid, ordinal: before}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inner.byOpener.DescendLessOrEqual(pivot, func(e registryEntry) bool {
		if e.ns != pivot.ns || e.pid != pivot.pid {
			return false
		}
		if e.ordinal < before {
			list = append(list, e)
		}
		return len(list) < end
	})
	return list
}

// deadNodes holds the nodes without an owner that are still referenced, in the order of
// their owners' deaths.
//
// +stateify savable
type deadNodes struct {
	// mu is a leaf.
	mu deadNodesMutex `state:"nosave"`

	// +checklocks:mu
	inner deadNodesInner
}

// deadNodesInner is the state that deadNodes.mu guards.
//
// +stateify savable
type deadNodesInner struct {
	// last is the last ordinal assigned.
	last uint64

	// ordinals and byAge hold the same nodes.
	ordinals map[*Node]uint64
	byAge    *btree.BTreeG[deadNode] `state:"nosave"`
}

// deadNode is a node in deadNodes.
type deadNode struct {
	ordinal uint64
	node    *Node
}

func (d *deadNodes) init() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.inner.ordinals = make(map[*Node]uint64)
	d.initLocked()
}

// +checklocks:d.mu
func (d *deadNodes) initLocked() {
	d.inner.byAge = btree.NewG(registryDegree, func(a, b deadNode) bool { return a.ordinal < b.ordinal })
}

// add adds n, whose owner is gone and to which there is a Ref.
func (d *deadNodes) add(n *Node) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.inner.ordinals[n]; !ok {
		d.inner.last++
		d.inner.ordinals[n] = d.inner.last
		d.inner.byAge.ReplaceOrInsert(deadNode{d.inner.last, n})
	}
}

// remove removes n, which has no Ref any more.
func (d *deadNodes) remove(n *Node) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if ordinal, ok := d.inner.ordinals[n]; ok {
		delete(d.inner.ordinals, n)
		d.inner.byAge.Delete(deadNode{ordinal: ordinal})
	}
}

// older returns the next nodes with an ordinal less than before, newest first: a batch at
// most.
func (d *deadNodes) older(before uint64) []deadNode {
	var nodes []deadNode
	d.mu.Lock()
	defer d.mu.Unlock()
	d.inner.byAge.DescendLessOrEqual(deadNode{ordinal: before}, func(e deadNode) bool {
		if e.ordinal < before {
			nodes = append(nodes, e)
		}
		return len(nodes) < batchSize
	})
	return nodes
}
