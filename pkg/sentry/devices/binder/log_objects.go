// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"fmt"
	"math"
	"slices"

	"gvisor.dev/gvisor/pkg/context"

	"sentrybinder/pkg/binder/list"
	"sentrybinder/pkg/sentry/devices/binder/alloc"
)

// nextDeadNode writes the next nodes without an owner, newest first.
func (l *logWriter) nextDeadNode() {
	before := l.before
	if before == 0 {
		before = math.MaxUint64
	}
	domains := l.view.domains()
	nodes := domains[min(l.domains, len(domains)-1)].dead.older(before)
	if len(nodes) == 0 {
		l.endNode()
		l.before = 0
		if l.domains++; l.domains >= len(domains) {
			l.enter(logNextProcess)
		}
		return
	}
	for _, n := range nodes {
		if n.ordinal != l.key {
			l.endNode()
			l.leave(n.ordinal)
		}
		if l.isFull() {
			return
		}
		if !l.deadShown {
			l.deadShown = true
			l.buf.WriteString("dead nodes:\n")
		}
		l.before = n.ordinal + 1
		if !l.node(n.node) {
			return
		}
		l.before = n.ordinal
	}
}

// nextNode writes the nodes from key on, by address. LogTransactions leaves out those
// without a one-way transaction. As on Linux, the log briefly uses each, which thus stays
// in the owner's table until it is written.
func (l *logWriter) nextNode() {
	var buf [batchSize]*Node
	var used [batchSize]list.Arc[*Node]
	p := l.p
	p.mu.Lock()
	nodes, more := p.inner.nodes.next(l.key, buf[:0])
	for i, n := range nodes {
		begun := n.ptr == l.key && l.detail != logHead
		if begun || l.all() || n.lockedBy(p).asyncBusy {
			used[i] = n.useLocked(p)
		}
	}
	p.mu.Unlock()
	defer func() {
		for i := range nodes {
			if used[i].Ok() {
				unuse(l.ctx, used[i])
			}
		}
	}()
	if len(nodes) == 0 || nodes[0].ptr != l.key {
		l.endNode()
	}
	for i, n := range nodes {
		if used[i].Ok() {
			if l.key != n.ptr {
				l.leave(n.ptr)
			}
			if l.isFull() || !l.node(n) {
				return
			}
		}
		l.leave(n.ptr + 1)
		more = more && n.ptr+1 != 0
	}
	if !more {
		l.enter(logRefs)
	}
}

// endNode ends the line of a node that went away in the middle of it.
func (l *logWriter) endNode() {
	if l.detail == logHolders {
		l.buf.WriteByte('\n')
	}
	l.leave(l.key)
}

// node writes n, from the current detail on. It returns false if the piece is full
// before all is written.
func (l *logWriter) node(n *Node) bool {
	if l.detail == logHead {
		l.headings()
		n.describe(l)
		l.enterDetail(logHolders)
	}
	if l.detail == logHolders {
		for {
			refs := n.refsBefore(int32(l.item))
			if l.item == 0 && len(refs) > 0 {
				l.buf.WriteString(" proc")
			}
			for _, r := range refs {
				fmt.Fprintf(l.buf, " %d", l.view.pids.pid(r.proc.id))
				l.item = uint64(uint32(r.debugID))
			}
			if len(refs) < selected {
				break
			}
			if l.isFull() {
				return false
			}
		}
		l.buf.WriteByte('\n')
		l.enterDetail(logAsync)
	}
	if l.p == nil {
		return true // Its pending transactions went with its owner.
	}
	for {
		n.owner.mu.Lock()
		q := n.inner.asyncTodo
		n.owner.mu.Unlock()
		if q == nil || !l.eachQueued(&q.list, func(w work) {
			l.buf.WriteString("    ")
			l.transaction("pending async transaction", w.(*Transaction))
		}) {
			return true
		}
		if l.isFull() {
			return false
		}
	}
}

// describe starts the node's line.
func (n *Node) describe(l *logWriter) {
	n.owner.mu.Lock()
	defer n.owner.mu.Unlock()
	// The last number counts uses of the node other than references, including the
	// log's own. The log doesn't use dead nodes, so its own is added here.
	users := n.inner.users
	if l.p == nil {
		users++
	}
	fmt.Fprintf(l.buf, "  node %d: u%s c%s hs %d hw %d ls %d lw %d is %d iw %d tr %d",
		n.debugID, l.pointers.format(n.ptr), l.pointers.format(n.cookie),
		bit(n.inner.hasStrong), bit(n.inner.hasWeak), n.inner.localStrong, n.inner.localWeak,
		n.inner.internalStrong, n.inner.refs.len(), users)
}

// refsBefore returns the Refs to n older than the one with the given number, or all if
// that is zero, newest first: as many as a selection holds. It takes the owner's lock
// for a batch at a time.
func (n *Node) refsBefore(number int32) []*Ref {
	s := selection[*Ref]{compare: func(a, b *Ref) int { return int(b.debugID - a.debugID) }}
	n.visitRefs(func(r *Ref) {
		if number == 0 || r.debugID-number < 0 {
			s.add(r)
		}
	})
	return s.sorted()
}

// nextRefs writes the handles from key on, by number.
func (l *logWriter) nextRefs() {
	if !l.all() {
		l.enter(logBuffers)
		return
	}
	var buf [batchSize]*Ref
	p := l.p
	p.refsMu.Lock()
	refs, next, more := p.handles.next(uint32(l.key), buf[:0])
	p.refsMu.Unlock()
	for _, r := range refs {
		r.describe(l)
	}
	l.leave(uint64(next))
	if !more {
		l.enter(logBuffers)
	}
}

// describe writes the handle's line, unless it is gone.
func (r *Ref) describe(l *logWriter) {
	r.proc.refsMu.Lock()
	n, strong, weak, death := r.node(), r.inner.strong, r.inner.weak, r.inner.death()
	if n == nil {
		r.proc.refsMu.Unlock()
		return
	}
	number, state := n.debugID, ""
	n.owner.mu.Lock()
	if n.inner.dead {
		state = "dead "
	}
	n.owner.mu.Unlock()
	r.proc.refsMu.Unlock()
	fmt.Fprintf(l.buf, "  ref %d: desc %d %snode %d s %d w %d d %016x\n",
		r.debugID, r.handle, state, number, strong, weak, hashed(&l.view.domain.hasher, death))
}

// nextBuffers writes the buffers from key on, by start.
func (l *logWriter) nextBuffers() {
	var buf [batchSize]alloc.Info
	buffers := buf[:0]
	next, more := l.p.alloc.Walk(l.key, func(b alloc.Info) { buffers = append(buffers, b) })
	// Whether the calls in the buffers are being handled.
	handled := make(map[int32]bool)
	for i := range buffers {
		if buffers[i].Delivered {
			handled[buffers[i].DebugID] = false
		}
	}
	l.p.findHandled(l.ctx, handled)
	for i := range buffers {
		b := &buffers[i]
		state := "active"
		if b.Delivered && !handled[b.DebugID] {
			state = "delivered"
		}
		l.line("  ")
		fmt.Fprintf(l.buf, "buffer %d: %x size %d:%d:%d %s\n",
			b.DebugID, b.Start, b.DataSize, b.OffsetsSize, b.ExtraSize, state)
	}
	l.leave(next)
	if !more {
		l.enter(logTodo)
	}
}

// findHandled sets calls[number] to true for each call in calls that a thread of p handles.
// It takes the lock for a batch of threads at a time, and not while it follows their stacks.
func (p *Process) findHandled(ctx context.Context, calls map[int32]bool) {
	p.mu.Lock()
	none := p.inner.stacked == 0
	p.mu.Unlock()
	if none || len(calls) == 0 {
		return
	}
	type stack struct {
		th  *Thread
		top list.Arc[*Transaction]
	}
	for from, more := int32(0), true; more; {
		var ids []int32
		ids, more = p.threadsFrom(from)
		for batch := range slices.Chunk(ids, batchSize) {
			from = batch[len(batch)-1] + 1
			var stacks []stack
			p.mu.Lock()
			for _, id := range batch {
				if th := p.inner.threads[id].Get(); th != nil {
					stacks = append(stacks, stack{th, th.lockedBy(p).stack.Clone()})
				}
			}
			p.mu.Unlock()
			for _, s := range stacks {
				for s.top.Ok() {
					t := s.top.Get()
					if _, ok := calls[t.debugID]; ok && t.handler() == s.th {
						calls[t.debugID] = true
					}
					next, _ := t.below(s.th)
					s.top.Release(ctx)
					s.top = next
				}
			}
		}
	}
}
