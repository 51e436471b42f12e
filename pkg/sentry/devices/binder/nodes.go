// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"github.com/google/btree"

	"context"
)

// nodeTable holds a process's nodes ordered by address, and a reference to each. A
// walk can resume from any address, so that none holds the lock from end to end: see
// batchSize. Its user is a Process, whose mu guards it.
//
// +stateify savable
type nodeTable struct {
	tree *btree.BTreeG[nodeEntry] `state:".([]nodeEntry)"`
}

// nodeEntry is an element of a nodeTable.
//
// +stateify savable
type nodeEntry struct {
	ptr  uint64
	node *Node
}

// nodeTableDegree makes a full block of the tree 1 KiB.
const nodeTableDegree = 32

func newNodeTable() nodeTable {
	less := func(a, b nodeEntry) bool { return a.ptr < b.ptr }
	return nodeTable{btree.NewWithFreeListG(nodeTableDegree, less, btree.NewFreeListG[nodeEntry](0))}
}

func (t *nodeTable) len() int { return t.tree.Len() }

// get returns the node at ptr, or nil.
func (t *nodeTable) get(ptr uint64) *Node {
	e, _ := t.tree.Get(nodeEntry{ptr: ptr})
	return e.node
}

// insert adds n.
//
// Preconditions: There is no node at n's address.
func (t *nodeTable) insert(n *Node) { t.tree.ReplaceOrInsert(nodeEntry{n.ptr, n}) }

func (t *nodeTable) remove(n *Node) { t.tree.Delete(nodeEntry{ptr: n.ptr}) }

// clear frees the memory of a table without nodes.
func (t *nodeTable) clear() { t.tree.Clear(false) }

// next appends to nodes, up to its capacity, the nodes with the lowest addresses from
// ptr on, and returns whether there are more.
func (t *nodeTable) next(ptr uint64, nodes []*Node) (found []*Node, more bool) {
	t.tree.AscendGreaterOrEqual(nodeEntry{ptr: ptr}, func(e nodeEntry) bool {
		if len(nodes) == cap(nodes) {
			more = true
			return false
		}
		nodes = append(nodes, e.node)
		return true
	})
	return nodes, more
}

// saveTree is invoked by stateify.
func (t *nodeTable) saveTree() []nodeEntry {
	entries := make([]nodeEntry, 0, t.len())
	t.tree.Ascend(func(e nodeEntry) bool {
		entries = append(entries, e)
		return true
	})
	return entries
}

// loadTree is invoked by stateify.
func (t *nodeTable) loadTree(_ context.Context, entries []nodeEntry) {
	*t = newNodeTable()
	for _, e := range entries {
		t.tree.ReplaceOrInsert(e)
	}
}
