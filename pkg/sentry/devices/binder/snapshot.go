// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"slices"

	"gvisor.dev/gvisor/pkg/context"
	"sentrybinder/pkg/sentry/devices/binder/alloc"
)

// snapshot has copies of some of a process's objects, for a log: what there's to
// be said of them. It has no more than batchSize of a kind at a time, but for
// what is queued: a list is copied as a whole.
type snapshot struct {
	// hasher hides the addresses of the objects themselves.
	hasher *hasher

	thread  threadCopy
	nodes   []nodeCopy
	refs    []refCopy
	buffers []alloc.Info

	// work has the stack and the todo list of thread, what waits for nodes, or
	// the todo list of the process.
	work []workCopy

	// holders has the processes that hold references to nodes.
	holders []identity

	// handled has the numbers of the calls that the threads handle.
	handled map[int32]struct{}
}

// extent is the elements of a slice from start to end.
type extent struct{ start, end int }

func (e extent) len() int { return e.end - e.start }

// threadCopy is what a log shows of a Thread.
type threadCopy struct {
	id         int32
	looper     looperState
	needReturn bool
}

// nodeCopy is what a log shows of a Node.
type nodeCopy struct {
	id          int32
	ptr, cookie uint64

	hasStrong, hasWeak                     bool
	localStrong, localWeak, internalStrong int32
	users                                  int32

	// holders are in snapshot.holders, async in snapshot.work.
	holders, async extent
}

// refCopy is what a log shows of a Ref.
type refCopy struct {
	id           int32
	handle       uint32
	node         *Node
	strong, weak int32
	death        uint64
}

// workKind is the kind of a workCopy.
type workKind uint8

const (
	workTransaction workKind = iota
	workOutgoing             // a call that the thread waits for
	workIncoming             // a call that the thread handles
	workComplete
	workPending
	workSpamSuspect
	workError
	workNode
	workDead
	workDeadAndClear
	workClearDeath
	workFrozen
	workClearFreeze
	workDelivered       // a death that the process was told of
	workDeliveredFreeze // the same of a freeze
)

// workCopy is what a log shows of an item of work, or of a call on a stack.
type workCopy struct {
	kind workKind

	// br is the return of a workError.
	br uint32

	// The node of workNode.
	nodeID      int32
	ptr, cookie uint64

	// transaction is that of workTransaction, workOutgoing and workIncoming.
	transaction transactionCopy
}

// transactionCopy is what a log shows of a Transaction.
type transactionCopy struct {
	id             int32
	hash           uint64
	from, toID     identity
	fromTID, toTID int32
	code, flags    uint32
	oneWay, reply  bool
	nice           int
	sent           int64
	to             *Process
	nodeID         int32
	placed         alloc.Placement
}

// copyThread copies p's thread id. It returns false if there's none any more.
func (s *snapshot) copyThread(p *Process, id int32) bool {
	s.work = s.work[:0]
	p.mu.Lock()
	defer p.mu.Unlock()
	th := p.threads[id].Get()
	if th == nil {
		return false
	}
	s.copyThreadLocked(th) // +checklocksignore: th.proc is p.
	return true
}

// +checklocks:th.proc.mu
func (s *snapshot) copyThreadLocked(th *Thread) {
	s.thread = threadCopy{id: th.id, looper: th.looper, needReturn: th.needReturn}
	for t := th.stack.Get(); t != nil; {
		w := workCopy{kind: workOutgoing, transaction: s.copyTransaction(t)}
		t.mu.Lock()
		next := t.fromParent.Get()
		if t.toThread == th {
			w.kind = workIncoming
			next = t.toParent.Get()
			s.handled[t.debugID] = struct{}{}
		}
		t.mu.Unlock()
		s.work = append(s.work, w)
		t = next
	}
	s.copyWork(&th.todo)
}

// copyWork copies what is on l, which the caller has locked.
func (s *snapshot) copyWork(l *workList) {
	for item := range l.items.All() {
		var w workCopy
		switch item := item.(type) {
		case *Transaction:
			w.kind = workTransaction
			w.transaction = s.copyTransaction(item)
		case *completion:
			w.kind = item.logKindLocked() // +checklocksignore: l is item.proc's.
		case *threadError:
			w.kind, w.br = workError, item.br
		case *nodeWork:
			w.kind = workNode
			w.nodeID, w.ptr, w.cookie = item.node.debugID, item.node.ptr, item.node.cookie
		case *death:
			w.kind = item.logKindLocked() // +checklocksignore: l is item.proc's.
		case *freezeNotification:
			w.kind = workFrozen
			if item.cleared { // +checklocksignore: l is item.proc's.
				w.kind = workClearFreeze
			}
		}
		s.work = append(s.work, w)
	}
}

// +checklocks:c.proc.mu
func (c *completion) logKindLocked() workKind {
	switch {
	case c.pendingFrozen:
		return workPending
	case c.spamSuspect:
		return workSpamSuspect
	default:
		return workComplete
	}
}

// +checklocks:d.proc.mu
func (d *death) logKindLocked() workKind {
	switch d.state {
	case deathDeadAndClear:
		return workDeadAndClear
	case deathClear:
		return workClearDeath
	default:
		return workDead
	}
}

func (s *snapshot) copyTransaction(t *Transaction) transactionCopy {
	c := transactionCopy{
		id:      t.debugID,
		hash:    hashed(s.hasher, t),
		from:    t.fromProc.id,
		fromTID: t.fromTID,
		toID:    t.to.id,
		code:    t.code,
		flags:   t.flags,
		oneWay:  t.oneWay(),
		reply:   t.reply,
		nice:    t.nice,
		sent:    t.sent,
		to:      t.to,
		nodeID:  t.nodeID,
		placed:  t.placed,
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	c.toTID = t.onlyFor
	if t.toThread != nil {
		c.toTID = t.toThread.id
	}
	if t.left {
		// Linux forgets the process then, too.
		c.toID = identity{}
	}
	return c
}

// copyNodes copies p's next nodes, those with the lowest addresses from ptr on, and
// returns the address to go on from, or false if there are no more. If all is false,
// it leaves out those without a one-way transaction. As in Linux, it uses each for a
// moment: an owner whose thread has left with the news that nobody has a reference
// gets it again.
func (s *snapshot) copyNodes(p *Process, ptr uint64, all bool) (next uint64, more bool) {
	s.nodes, s.holders, s.work = s.nodes[:0], s.holders[:0], s.work[:0]
	var buf [batchSize]*Node
	p.mu.Lock()
	defer p.mu.Unlock()
	nodes, more := p.nodes.next(ptr, buf[:0])
	for _, n := range nodes {
		ptr = n.ptr + 1
		if all || n.asyncBusy { // +checklocksignore: n.owner is p.
			s.copyNodeLocked(n)                            // +checklocksignore: n.owner is p.
			n.decLocked(context.Background(), false, true) // +checklocksignore: n.owner is p.
		}
	}
	return ptr, more
}

// copyDeadNodes copies nodes, which have no owner any more.
func (s *snapshot) copyDeadNodes(nodes []*Node) {
	s.nodes, s.holders, s.work = s.nodes[:0], s.holders[:0], s.work[:0]
	for _, n := range nodes {
		n.owner.mu.Lock()
		s.copyNodeLocked(n)
		n.owner.mu.Unlock()
	}
}

// +checklocks:n.owner.mu
func (s *snapshot) copyNodeLocked(n *Node) {
	c := nodeCopy{
		id:             n.debugID,
		ptr:            n.ptr,
		cookie:         n.cookie,
		hasStrong:      n.hasStrong,
		hasWeak:        n.hasWeak,
		localStrong:    n.localStrong,
		localWeak:      n.localWeak,
		internalStrong: n.internalStrong,
		users:          n.users,
	}
	c.holders.start = len(s.holders)
	for _, r := range n.refs.all() {
		s.holders = append(s.holders, r.proc.id)
	}
	c.holders.end = len(s.holders)
	// The last one comes first.
	slices.Reverse(s.holders[c.holders.start:])
	c.async.start = len(s.work)
	if n.asyncTodo != nil {
		s.copyWork(&n.asyncTodo.list)
	}
	c.async.end = len(s.work)
	s.nodes = append(s.nodes, c)
}

// eachRef copies p's handles, in ascending order, and calls f for each batch.
func (s *snapshot) eachRef(p *Process, f func()) {
	for handle, more := uint32(0), true; more; {
		handle, more = s.copyRefs(p, handle)
		f()
		yieldToWaiters()
	}
}

// copyRefs copies p's next handles from first on. It returns the handle to go on
// from, or false if there are no more.
func (s *snapshot) copyRefs(p *Process, first uint32) (uint32, bool) {
	s.refs = s.refs[:0]
	p.refsMu.Lock()
	defer p.refsMu.Unlock()
	next := first + batchSize
	for handle := first; handle < next; handle++ {
		if r := p.handles.get(handle); r != nil {
			s.copyRefLocked(r) // +checklocksignore: r.proc is p.
		}
	}
	return next, int(next) < p.handles.chunks.Len()*handlesPerChunk
}

// +checklocks:r.proc.refsMu
func (s *snapshot) copyRefLocked(r *Ref) {
	s.refs = append(s.refs, refCopy{
		id:     r.debugID,
		handle: r.handle,
		node:   r.node(),
		strong: r.strong,
		weak:   r.weak,
		death:  hashed(s.hasher, r.deathLocked()),
	})
}

// eachBuffer copies p's buffers, by address, and calls f for each batch.
func (s *snapshot) eachBuffer(p *Process, f func()) {
	for at, more := uint64(0), true; more; {
		s.buffers = s.buffers[:0]
		at, more = p.alloc.Walk(at, func(b alloc.Info) { s.buffers = append(s.buffers, b) })
		f()
		yieldToWaiters()
	}
}

// copyTodo copies what waits for any thread of p, and the deaths and freezes that
// p was told of.
func (s *snapshot) copyTodo(p *Process) {
	s.work = s.work[:0]
	p.mu.Lock()
	defer p.mu.Unlock()
	s.copyWork(&p.todo)
	// Linux says whether there are any, not how many.
	if !p.deliveredDeath.empty() {
		s.work = append(s.work, workCopy{kind: workDelivered})
	}
	if !p.deliveredFreezes.empty() {
		s.work = append(s.work, workCopy{kind: workDeliveredFreeze})
	}
}

// isDead returns whether n's owner is gone.
func (n *Node) isDead() bool {
	n.owner.mu.Lock()
	defer n.owner.mu.Unlock()
	return n.dead
}
