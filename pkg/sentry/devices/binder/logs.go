// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"bytes"
	"fmt"

	"gvisor.dev/gvisor/pkg/gohacks"
)

// The logs show what the driver holds, in the layout of Linux's binder_logs. They
// are written while it is at work: what they say of one thread, node, handle or
// buffer is of one instant, but another one than what they say of the next.

// WriteState writes all that v has. If hashed is true, the addresses that
// applications have given to nodes are replaced by hashes.
func (v *View) WriteState(buf *bytes.Buffer, hashed bool) {
	buf.WriteString("binder state:\n")
	l := v.newLogWriter(buf, true, hashed)
	title := "dead nodes:\n"
	for nodes := range v.deadNodes() {
		buf.WriteString(title)
		title = ""
		l.copyDeadNodes(nodes)
		l.printNodes(nil)
	}
	for p := range v.processes() {
		l.process(p)
	}
}

// WriteTransactions writes what is under way: WriteState without what is idle.
func (v *View) WriteTransactions(buf *bytes.Buffer, hashed bool) {
	buf.WriteString("binder transactions:\n")
	l := v.newLogWriter(buf, false, hashed)
	for p := range v.processes() {
		l.process(p)
	}
}

// WriteProcess writes all that the processes called pid hold: one for each open
// of a device. The ID is that in the reader's PID namespace.
func (v *View) WriteProcess(buf *bytes.Buffer, pid int32) {
	l := v.newLogWriter(buf, true, false)
	for p := range v.openedBy(v.pids.identity(pid)) {
		buf.WriteString("binder proc state:\n")
		l.process(p)
	}
}

// WriteStats writes counts: of commands, returns and objects.
func (v *View) WriteStats(buf *bytes.Buffer) {
	buf.WriteString("binder stats:\n")
	v.counts().print(buf, "")
	for _, c := range v.objectCounts() {
		if c.Total != 0 {
			fmt.Fprintf(buf, "%s: active %d total %d\n", c.Name, c.Active, c.Total)
		}
	}
	for p := range v.processes() {
		p.writeStats(buf, v.pids)
	}
}

// WriteTransactionLog writes the last transactions.
func (v *View) WriteTransactionLog(buf *bytes.Buffer) {
	for _, d := range v.domains() {
		d.log.print(buf, v.pids)
	}
}

// WriteFailedTransactionLog writes the last transactions that have failed.
func (v *View) WriteFailedTransactionLog(buf *bytes.Buffer) {
	for _, d := range v.domains() {
		d.failedLog.print(buf, v.pids)
	}
}

// logWriter writes a log.
type logWriter struct {
	buf *bytes.Buffer

	// all is true if what is idle is shown.
	all bool

	pointers pointers

	// now is when the log is written.
	now int64

	// ids translates to the reader's PID namespace.
	ids pidsIn

	snapshot
}

func (v *View) newLogWriter(buf *bytes.Buffer, all, hashed bool) *logWriter {
	l := &logWriter{buf: buf, all: all, now: gohacks.Nanotime(), ids: v.pids}
	if hashed {
		l.pointers.hasher = &v.domain.hasher
	}
	l.snapshot.hasher = &v.domain.hasher
	return l
}

// process writes what p holds, or nothing if that is nothing and all is false.
func (l *logWriter) process(p *Process) {
	start := l.buf.Len()
	fmt.Fprintf(l.buf, "proc %d\ncontext %s\n", l.ids.pid(p.id), p.ctx.name)
	header := l.buf.Len()
	l.handled = make(map[int32]struct{})
	for _, id := range sortedKeys(&p.mu, &p.threads) { // +checklocksignore: it is locked there.
		if l.copyThread(p, id) {
			l.printThread(p)
		}
		yieldToWaiters()
	}
	for ptr, more := uint64(0), true; more; yieldToWaiters() {
		ptr, more = l.copyNodes(p, ptr, l.all)
		l.printNodes(p)
	}
	if l.all {
		l.eachRef(p, l.printRefs)
	}
	l.eachBuffer(p, l.printBuffers)
	l.copyTodo(p)
	for i := range l.work {
		l.printWork("  ", "pending transaction", &l.work[i], p)
	}
	if !l.all && l.buf.Len() == header {
		l.buf.Truncate(start)
	}
}

// printThread writes the thread that was copied.
func (l *logWriter) printThread(p *Process) {
	start := l.buf.Len()
	th := &l.thread
	// The last number counts what uses the thread beside itself: nothing does
	// for longer than a call takes that it's in.
	fmt.Fprintf(l.buf, "  thread %d: l %02x need_return %d tr 0\n", l.ids.tid(th.id, p.id), th.looper, bit(th.needReturn))
	header := l.buf.Len()
	for i := range l.work {
		l.printWork("    ", "pending transaction", &l.work[i], p)
	}
	if !l.all && l.buf.Len() == header {
		l.buf.Truncate(start)
	}
}

// printNodes writes the nodes that were copied. Their owner is p, or nil if they
// are dead.
func (l *logWriter) printNodes(p *Process) {
	for i := range l.nodes {
		n := &l.nodes[i]
		// The last number counts what uses the node while it is neither counted
		// as a reference: the one who writes the log, in Linux.
		fmt.Fprintf(l.buf, "  node %d: u%s c%s hs %d hw %d ls %d lw %d is %d iw %d tr %d",
			n.id, l.pointers.format(n.ptr), l.pointers.format(n.cookie),
			bit(n.hasStrong), bit(n.hasWeak), n.localStrong, n.localWeak,
			n.internalStrong, n.holders.len(), n.users+1)
		if n.holders.len() != 0 {
			l.buf.WriteString(" proc")
			for _, id := range l.holders[n.holders.start:n.holders.end] {
				fmt.Fprintf(l.buf, " %d", l.ids.pid(id))
			}
		}
		l.buf.WriteByte('\n')
		for j := n.async.start; j < n.async.end; j++ {
			l.printWork("    ", "pending async transaction", &l.work[j], p)
		}
	}
}

// printRefs writes the handles that were copied.
func (l *logWriter) printRefs() {
	for i := range l.refs {
		r := &l.refs[i]
		dead := ""
		if r.node.isDead() {
			dead = "dead "
		}
		fmt.Fprintf(l.buf, "  ref %d: desc %d %snode %d s %d w %d d %016x\n",
			r.id, r.handle, dead, r.node.debugID, r.strong, r.weak, r.death)
	}
}

// printBuffers writes the buffers that were copied.
func (l *logWriter) printBuffers() {
	for i := range l.buffers {
		b := &l.buffers[i]
		state := "active"
		if _, handled := l.handled[b.DebugID]; b.Delivered && !handled {
			state = "delivered"
		}
		fmt.Fprintf(l.buf, "  buffer %d: %x size %d:%d:%d %s\n",
			b.DebugID, b.Start, b.DataSize, b.OffsetsSize, b.ExtraSize, state)
	}
}

// printWork writes w, a transaction with the given title. It is on a list of p,
// which is nil if p is dead.
func (l *logWriter) printWork(indent, title string, w *workCopy, p *Process) {
	l.buf.WriteString(indent)
	switch w.kind {
	case workTransaction:
		l.printTransaction(title, &w.transaction, p)
	case workOutgoing:
		l.printTransaction("outgoing transaction", &w.transaction, p)
	case workIncoming:
		l.printTransaction("incoming transaction", &w.transaction, p)
	case workComplete:
		l.buf.WriteString("transaction complete\n")
	case workPending:
		// Linux has no words for these two, and shows their numbers there.
		l.buf.WriteString("unknown work: type 3\n")
	case workSpamSuspect:
		l.buf.WriteString("unknown work: type 4\n")
	case workError:
		fmt.Fprintf(l.buf, "transaction error: %d\n", w.br)
	case workNode:
		fmt.Fprintf(l.buf, "node work %d: u%s c%s\n", w.nodeID, l.pointers.format(w.ptr), l.pointers.format(w.cookie))
	case workDead:
		l.buf.WriteString("has dead binder\n")
	case workDeadAndClear:
		l.buf.WriteString("has cleared dead binder\n")
	case workClearDeath:
		l.buf.WriteString("has cleared death notification\n")
	case workFrozen:
		l.buf.WriteString("has frozen binder\n")
	case workClearFreeze:
		l.buf.WriteString("has cleared freeze notification\n")
	case workDelivered:
		l.buf.WriteString("has delivered dead binder\n")
	case workDeliveredFreeze:
		l.buf.WriteString("has delivered freeze binder\n")
	}
}

// printTransaction writes t. The contents are only shown in the log of p, the
// receiver.
func (l *logWriter) printTransaction(title string, t *transactionCopy, p *Process) {
	fmt.Fprintf(l.buf, "%s %d: %016x from %d:%d to %d:%d code %x flags %x pri %d a%d r%d elapsed %dms",
		title, t.id, t.hash, l.ids.pid(t.from), l.ids.tid(t.fromTID, t.from), l.ids.pid(t.toID), l.ids.tid(t.toTID, t.toID), t.code, t.flags, t.nice,
		bit(t.oneWay), bit(t.reply), max(l.now-t.sent, 0)/1e6)
	switch b := &t.placed; {
	case t.to != p:
	case !p.alloc.Holds(b):
		l.buf.WriteString(" buffer free")
	default:
		if t.nodeID != 0 {
			fmt.Fprintf(l.buf, " node %d", t.nodeID)
		}
		fmt.Fprintf(l.buf, " size %d:%d offset %x", b.DataSize, b.OffsetsSize, b.Start)
	}
	l.buf.WriteByte('\n')
}

// bit returns b as logs show it.
func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// writeStats writes the counts of p.
func (p *Process) writeStats(buf *bytes.Buffer, ids pidsIn) {
	fmt.Fprintf(buf, "proc %d\ncontext %s\n", ids.pid(p.id), p.ctx.name)

	p.mu.Lock()
	threads, ready, nodes := len(p.threads), p.waiting.Len(), p.nodes.len()
	requested, started, most := p.requestedThreads, p.startedThreads, p.maxThreads
	pending := 0
	for w := range p.todo.items.All() {
		if _, ok := w.(*Transaction); ok {
			pending++
		}
	}
	p.mu.Unlock()

	var s snapshot
	refs, strong, weak := 0, 0, 0
	s.hasher = &p.ctx.domain.hasher
	s.eachRef(p, func() {
		for i := range s.refs {
			refs++
			strong += int(s.refs[i].strong)
			weak += int(s.refs[i].weak)
		}
	})

	space := p.alloc.Usage()
	fmt.Fprintf(buf, "  threads: %d\n  requested threads: %d+%d/%d\n  ready threads %d\n", threads, requested, started, most, ready)
	fmt.Fprintf(buf, "  free async space %d\n  nodes: %d\n  refs: %d s %d w %d\n", space.FreeAsync, nodes, refs, strong, weak)
	fmt.Fprintf(buf, "  buffers: %d\n  pages: %d:%d:%d\n  pages high watermark: %d\n", space.Buffers, space.Used, space.Idle, space.Absent, space.HighWater)
	fmt.Fprintf(buf, "  pending transactions: %d\n", pending)
	p.counts.print(buf, "  ")
}
