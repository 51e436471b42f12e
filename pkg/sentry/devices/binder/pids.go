// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"slices"

	"gvisor.dev/gvisor/pkg/sync"
)

// pidTable has the processes of all contexts by process ID.
//
// +stateify savable
type pidTable struct {
	// mu is held while nothing else is locked, and nothing is locked below it.
	mu sync.Mutex `state:"nosave"`

	// procs has the processes with an ID, in the order in which they came.
	// +checklocks:mu
	procs map[int32][]*Process
}

// add adds p, which has just opened a device.
func (t *pidTable) add(p *Process) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.procs == nil {
		t.procs = make(map[int32][]*Process)
	}
	t.procs[p.pid] = append(t.procs[p.pid], p)
}

// remove removes p, which is in the table.
func (t *pidTable) remove(p *Process) {
	t.mu.Lock()
	defer t.mu.Unlock()
	procs := t.procs[p.pid]
	if len(procs) == 1 {
		delete(t.procs, p.pid)
		return
	}
	i := slices.Index(procs, p)
	t.procs[p.pid] = slices.Delete(procs, i, i+1)
}

// get returns the processes with ID pid, last come first. Any of them may end
// meanwhile.
func (t *pidTable) get(pid int32) []*Process {
	t.mu.Lock()
	procs := slices.Clone(t.procs[pid])
	t.mu.Unlock()
	slices.Reverse(procs)
	return procs
}
