// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import "gvisor.dev/gvisor/pkg/atomicbitops"

// objectKind says what an object counter counts. The order and the names are
// those of the lines in Linux's binder_logs/stats.
type objectKind int

const (
	objectProcess objectKind = iota
	objectThread
	objectNode
	objectRef
	objectDeath
	objectTransaction
	objectTransactionComplete
	objectFreeze
	numObjectKinds
)

var objectNames = [numObjectKinds]string{"proc", "thread", "node", "ref", "death", "transaction", "transaction_complete", "freeze"}

// objectCounter counts objects of one kind.
//
// +stateify savable
type objectCounter struct {
	created atomicbitops.Uint64
	deleted atomicbitops.Uint64
}

// stats counts the objects of all contexts of a Driver. It takes no lock.
//
// +stateify savable
type stats struct {
	objects [numObjectKinds]objectCounter
}

func (s *stats) created(k objectKind) { s.objects[k].created.Add(1) }

func (s *stats) deleted(k objectKind) { s.objects[k].deleted.Add(1) }

// ObjectCount is the number of objects of one kind that a Driver holds.
type ObjectCount struct {
	// Name is the kind, as in Linux's binder_logs/stats.
	Name string
	// Active is the number of objects alive, Total the number ever created.
	Active, Total uint64
}

// ObjectCounts returns the number of objects that d holds, by kind. The counts
// of different kinds are not taken at the same instant.
func (d *Driver) ObjectCounts() []ObjectCount {
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
