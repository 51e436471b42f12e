// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"cmp"
	"maps"
	"slices"

	"gvisor.dev/gvisor/pkg/sync"
)

// registry has the processes of all contexts of a Driver, and what logs show of
// all of them. Processes change it when they open and close a device, and when
// nodes outlive their owner.
//
// +stateify savable
type registry struct {
	// mu is a leaf.
	mu sync.Mutex `state:"nosave"`

	// last is the last ordinal that was given out.
	// +checklocks:mu
	last uint64

	// procs has the processes and deadNodes the nodes without owner to which
	// there are references, each with an ordinal: a later one has a higher one.
	// +checklocks:mu
	procs map[*Process]uint64
	// +checklocks:mu
	deadNodes map[*Node]uint64

	// pids has the processes by ID.
	// +checklocks:mu
	pids map[int32]pidEntry

	// closed has the counts of the processes that are gone.
	closed commandCounts
}

// pidEntry is what the registry has of the processes with one ID.
//
// +stateify savable
type pidEntry struct {
	// procs are in the order in which they came.
	procs []*Process

	// first is the process that was there before there was any other, or nil
	// once it's gone.
	first *Process
}

func (r *registry) init() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.procs = make(map[*Process]uint64)
	r.deadNodes = make(map[*Node]uint64)
	r.pids = make(map[int32]pidEntry)
}

// add adds p, which has just opened a device.
func (r *registry) add(p *Process) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last++
	r.procs[p] = r.last
	e := r.pids[p.pid]
	if e.procs == nil {
		e.first = p
	}
	e.procs = append(e.procs, p)
	r.pids[p.pid] = e
}

// remove removes p, which has closed its device.
func (r *registry) remove(p *Process) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.procs, p)
	r.closed.add(&p.counts)
	e := r.pids[p.pid]
	if len(e.procs) == 1 {
		delete(r.pids, p.pid)
		return
	}
	i := slices.Index(e.procs, p)
	e.procs = slices.Delete(e.procs, i, i+1)
	if e.first == p {
		e.first = nil
	}
	r.pids[p.pid] = e
}

// addDead adds n, whose owner is gone and to which there is a Ref.
func (r *registry) addDead(n *Node) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.deadNodes[n]; !ok {
		r.last++
		r.deadNodes[n] = r.last
	}
}

// removeDead removes n, to which there is no Ref any more.
func (r *registry) removeDead(n *Node) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.deadNodes, n)
}

// processes returns all processes, the last one first. Those that close their
// devices meanwhile have nothing any more.
func (r *registry) processes() []*Process {
	r.mu.Lock()
	procs := maps.Clone(r.procs)
	r.mu.Unlock()
	return latestFirst(procs)
}

// withID returns the processes with ID pid, the last one first.
func (r *registry) withID(pid int32) []*Process {
	r.mu.Lock()
	procs := slices.Clone(r.pids[pid].procs)
	r.mu.Unlock()
	slices.Reverse(procs)
	return procs
}

// dead returns all dead nodes, the last one first.
func (r *registry) dead() []*Node {
	r.mu.Lock()
	nodes := maps.Clone(r.deadNodes)
	r.mu.Unlock()
	return latestFirst(nodes)
}

// latestFirst returns the keys of ordinals, the one with the highest first.
func latestFirst[T comparable](ordinals map[T]uint64) []T {
	return slices.SortedFunc(maps.Keys(ordinals), func(a, b T) int {
		return cmp.Compare(ordinals[b], ordinals[a])
	})
}

// counts returns what all processes have written and read.
func (r *registry) counts() *commandCounts {
	sum := &commandCounts{}
	r.mu.Lock()
	defer r.mu.Unlock()
	sum.add(&r.closed)
	for p := range r.procs {
		sum.add(&p.counts)
	}
	return sum
}

// LoggedProcess is a process that WriteProcess is of use for.
type LoggedProcess struct {
	// PID is its ID in the root PID namespace.
	PID int32

	// Seq is greater than that of all that came before it.
	Seq uint64
}

// listedIn returns whether there's something to be listed in instance.
func (e *pidEntry) listedIn(instance any) bool {
	return e.first != nil && (e.first.ctx.instance == nil || e.first.ctx.instance == instance)
}

// LoggedProcesses returns the processes of applications that have opened a
// device, the last one first. One that has opened several counts as of the first,
// and is no longer among them once it has closed that. Devices that are in an
// instance (see Context.ListIn) count for that one only.
func (d *Driver) LoggedProcesses(instance any) []LoggedProcess {
	r := &d.registry
	r.mu.Lock()
	var all []LoggedProcess
	for pid, e := range r.pids {
		if e.listedIn(instance) {
			all = append(all, LoggedProcess{pid, r.procs[e.first]})
		}
	}
	r.mu.Unlock()
	slices.SortFunc(all, func(a, b LoggedProcess) int { return cmp.Compare(b.Seq, a.Seq) })
	return all
}

// LoggedProcess returns the one of LoggedProcesses whose ID is pid, or false.
func (d *Driver) LoggedProcess(instance any, pid int32) (LoggedProcess, bool) {
	r := &d.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.pids[pid]
	return LoggedProcess{pid, r.procs[e.first]}, e.listedIn(instance)
}
