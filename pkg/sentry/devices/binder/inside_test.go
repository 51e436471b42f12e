// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/binder/idpool"
	"sentrybinder/pkg/binder/kvvec"
	"sentrybinder/pkg/sentry/devices/binder/memorytest"
)

// Tests' access to the driver's structures. There's one goroutine, so they need no locks.

// +checklocksignore
func (c *Context) managerNow() *Node { return c.manager.Load() }

// +checklocksignore
func (p *Process) refAt(handle uint32) *Ref { return p.handles.get(handle) }

// setStrong sets r's strong count.
//
// +checklocksignore
func (r *Ref) setStrong(n int32) { r.inner.strong = n }

// +checklocksignore
func (p *Process) ids() *idpool.Pool { return &p.handles.ids }

// isUsed returns whether an ID of p is in use.
func isUsed(p *idpool.Pool, id int) bool {
	unused, ok := p.FindUnused(id)
	return !ok || unused.ID() != id
}

// +checklocksignore
func (p *Process) chunks() *kvvec.Vec[*handleChunk] { return &p.handles.chunks }

// +checklocksignore
func (p *Process) numRefs() int { return p.handles.ids.Len() }

// +checklocksignore
func (p *Process) isFrozen() bool { return p.inner.freezer.frozen }

// +checklocksignore
func (p *Process) started() uint32 { return p.inner.startedThreads }

// waitingNow returns the threads that wait for any work.
func (p *Process) waitingNow() []*Thread {
	p.mu.Lock()
	defer p.mu.Unlock()
	var ths []*Thread
	for c := p.inner.waiting.Front(); c.Ok(); c.Next() {
		ths = append(ths, c.Value())
	}
	return ths
}

// +checklocksignore
func (p *Process) nodeAt(ptr uint64) *Node { return p.nodeLocked(ptr) }

// local returns the counts of the references held for the owner.
//
// +checklocksignore
func (n *Node) local() (strong, weak int) { return int(n.inner.localStrong), int(n.inner.localWeak) }

// told returns which references the owner knows of.
//
// +checklocksignore
func (n *Node) told() (strong, weak bool) { return n.inner.hasStrong, n.inner.hasWeak }

// keep makes n stay until its owner ends, as if the owner had been told of a
// weak reference and had not answered.
//
// +checklocksignore
func (n *Node) keep() { n.inner.localWeak, n.inner.hasWeak = 1, true }

// interrupt makes a read by th return even work that isn't worth waking up for.
//
// +checklocksignore
func (th *Thread) interrupt() { th.inner.processTodo = true }

// +checklocksignore
func (th *Thread) looperNow() looperState { return th.inner.looper }

// +checklocksignore
func (p *Process) allNodes() []*Node {
	nodes, _ := p.inner.nodes.next(0, make([]*Node, 0, p.inner.nodes.len()))
	return nodes
}

// mustOpen is open for tests in which it succeeds.
func (c *Context) mustOpen(tenant *Tenant, pid int32) *Process {
	return must(c.open(tenant, nil, pidOf(pid), "", memorytest.Shared()))
}

// +checklocksignore
func (p *Process) mustAddNode(object *binder.FlatObject) *Node {
	n, err := p.newNodeLocked(object)
	if err != nil {
		panic(err)
	}
	return n
}

// +checklocksignore
func (f *flights) numQueued() int { return len(f.inner.queued) }

// +checklocksignore
func (f *flights) forgetTimer() { f.inner.ticking = false }

// len returns the number of open devices.
func (r *registry) len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.inner.byAge.Len()
}
