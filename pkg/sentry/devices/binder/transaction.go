// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"fmt"

	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/sentry/kernel/auth"
	"gvisor.dev/gvisor/pkg/sentry/vfs"
	"gvisor.dev/gvisor/pkg/waiter"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/binder/list"
	"sentrybinder/pkg/binder/pool"
	"sentrybinder/pkg/sentry/devices/binder/account"
	"sentrybinder/pkg/sentry/devices/binder/alloc"
)

// Transaction is a message in transit: a call or a reply. A synchronous call
// lives until it is answered.
//
// A call is on two stacks: that of the thread that waits for the reply and, once it
// has been read, that of the thread that handles it. Each thread's stack is linked
// through the calls themselves: by fromParent from a call that the thread awaits,
// by toParent from one that it handles. The stacks hold references, as does the todo
// list until the transaction is read.
//
// +stateify savable
type Transaction struct {
	list.Count
	workItem

	debugID int32
	code    uint32
	flags   uint32
	reply   bool

	// fromProc is the sender, and senderEUID the effective user of its thread.
	fromProc   *Process
	senderEUID auth.KUID

	// payer is the account that t is charged to, with its buffer, its files, and the
	// references that it creates for the receiver: see prices.go.
	payer *account.Account

	// nice is the nice value of the sender, and savedNice that of the thread that
	// handles the call, from before it did.
	nice      int
	savedNice int

	// fromTID is the ID of the sending thread, and sent the time of sending in
	// gohacks.Nanotime units.
	fromTID int32
	sent    int64 `state:".(int64)"`

	// to is the receiver. nodeID is the debug ID of the target node, or zero for a
	// reply.
	to     *Process
	nodeID int32

	// buffer, in to's mapping, holds the contents. Like files, it belongs to whoever
	// owns the transaction, until the reader delivers it to the application, which may
	// free it at any time. placed is what logs show of it even then.
	buffer alloc.Buffer
	placed alloc.Placement

	// secctxSize is the length of the sender's security context at the end of
	// buffer, in bytes with its NUL, or zero if the receiver asked for none.
	secctxSize uint64

	// files are the files for the receiver. They belong to whoever owns the
	// transaction: the sender, then the reader, then nobody.
	files []sentFile

	// hasDevices is true if there are Binder devices among files, and inFlight if
	// they are registered with flights.
	hasDevices bool
	inFlight   bool

	// outstanding is true if t counts as outstanding for the receiver.
	// +checklocks:to.mu
	outstanding bool

	// onlyFor is the ID of the thread that must read it, or zero if any may.
	onlyFor int32

	mu transactionMutex `state:"nosave"`

	// +checklocks:mu
	inner transactionInner

	// nextUpdate is a link of asyncQueue, nextTodo one of processTodo. The users of
	// those guard them.
	nextUpdate *Transaction
	nextTodo   *Transaction
}

// transactionInner is what a Transaction's mu guards: how a call is linked to its
// threads.
//
// +stateify savable
type transactionInner struct {
	// from is the thread that waits for the reply, as long as it does. A reply
	// and a one-way call have none.
	from *Thread

	// fromParent is the next transaction on from's stack. It stays when from is gone:
	// if the call fails, fromParent fails.
	fromParent list.Arc[*Transaction]

	// toThread is the thread that handles the call, as long as it does.
	toThread *Thread

	// read is true once a thread has begun to handle the call, and left once that
	// thread has exited without an answer.
	read, left bool

	// toParent is the next transaction on the stack of toThread.
	toParent list.Arc[*Transaction]
}

// Destroy implements list.Counted.Destroy.
func (t *Transaction) Destroy(ctx context.Context) {
	t.mu.Lock()
	fromParent, toParent := t.inner.fromParent.Take(), t.inner.toParent.Take()
	t.mu.Unlock()
	fromParent.Release(ctx)
	toParent.Release(ctx)
	t.fromProc.stats().deleted(objectTransaction)
	t.payer.Credit(transactionPrice)
	t.fromProc.drop()
	transactions.Put(t)
}

// transactions recycles Transactions. None of its elements is referenced: a holder of
// an Arc, or of the lock of a list or stack that a Transaction is on, uses it no longer
// than that.
var transactions pool.Pool[Transaction]

// oneWay returns whether t is a one-way call, to which there is no reply.
func (t *Transaction) oneWay() bool { return !t.reply && t.flags&binder.TF_ONE_WAY != 0 }

// sender returns the thread that waits for the reply to t, or nil.
func (t *Transaction) sender() *Thread {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.inner.from
}

// handler returns the thread that handles t, or nil.
func (t *Transaction) handler() *Thread {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.inner.toThread
}

// take implements work.take.
//
// +checklocks:t.to.mu
func (t *Transaction) take(_ context.Context, th *Thread) delivery {
	th.lockedBy(t.to).selected = false
	if t.reply || t.oneWay() {
		t.endLocked(t.to)
	}
	return delivery{transaction: list.BorrowOf(t).Arc(), last: true}
}

// describe implements work.describe.
func (t *Transaction) describe(l *logWriter) { l.transaction("pending transaction", t) }

// cancel implements work.cancel.
func (t *Transaction) cancel(ctx context.Context) { t.cancelWith(ctx, binder.BR_DEAD_REPLY) }

// cancelWith cancels t, which was queued and will never be handled. Whoever waits for
// a reply gets br. As in Linux the buffer stays, with what it holds, until the receiver
// closes the device.
//
// Preconditions: No lock is held.
func (t *Transaction) cancelWith(ctx context.Context, br uint32) {
	t.dropFiles(ctx)
	t.buffer.Strand(ctx)
	t.to.mu.Lock()
	t.endLocked(t.to)
	t.to.mu.Unlock()
	if !t.reply && !t.oneWay() {
		t.fail(ctx, br)
	}
}

// fail answers the call t with br in place of a reply. If the sender is gone, the
// call that it was handling fails instead, and so on.
//
// Preconditions: No lock is held.
func (t *Transaction) fail(ctx context.Context, br uint32) {
	held := list.BorrowOf(t).Arc()
	for held.Ok() {
		t := held.Get()
		if th := t.sender(); th != nil && th.failCall(ctx, t, br) {
			break
		}
		t.mu.Lock()
		next := t.inner.fromParent.Take()
		t.mu.Unlock()
		held.Release(ctx)
		held = next
	}
	held.Release(ctx)
}

// abandon drops the contents of t, which is unread and not queued. Its references can be
// found even if t.to has ended: the buffer keeps its memory.
func (t *Transaction) abandon(ctx context.Context) {
	t.dropFiles(ctx)
	b := t.buffer.Recall()
	t.to.discardBuffer(ctx, &b, t.placed.OffsetsSize)
}

// outstandingLocked returns whether t counts as outstanding for p, its receiver.
//
// +checklocks:p.mu
func (t *Transaction) outstandingLocked(p *Process) *bool {
	p.mustBe(t.to)
	return &t.outstanding // +checklocksignore: p is t.to.
}

// beginLocked counts t, which is about to be queued for p, as outstanding.
//
// +checklocks:p.mu
func (t *Transaction) beginLocked(p *Process) {
	if t.hasDevices {
		t.inFlight = true
		p.ctx.domain.driver.flights.departed(t)
	}
	*t.outstandingLocked(p) = true
	p.inner.freezer.outstanding++
}

// endLocked undoes beginLocked, once.
//
// +checklocks:p.mu
func (t *Transaction) endLocked(p *Process) {
	outstanding := t.outstandingLocked(p)
	if !*outstanding {
		return
	}
	*outstanding = false
	f := &p.inner.freezer
	if f.outstanding--; f.outstanding == 0 {
		p.idle.Notify(waiter.EventInternal)
	}
}

// sentFile is a file in an undelivered transaction.
//
// +stateify savable
type sentFile struct {
	file *vfs.FileDescription

	// offset is where the receiver's file descriptor goes, in bytes from the
	// start of the buffer.
	offset uint64
}

// dropFiles drops the files that t still has.
//
// Preconditions: No lock is held; a file may be a binder device.
func (t *Transaction) dropFiles(ctx context.Context) {
	if t.inFlight {
		t.inFlight = false
		t.to.ctx.domain.driver.flights.arrived(t)
	}
	for _, f := range t.files {
		f.file.DecRef(ctx)
	}
	t.payer.Credit(int64(len(t.files)) * filePrice)
	t.files = nil
}

// transaction writes the rest of t's line. The contents are shown in the receiver's
// log only.
func (l *logWriter) transaction(title string, t *Transaction) {
	t.mu.Lock()
	to, toTID := t.to.id, t.onlyFor
	switch {
	case t.inner.toThread != nil:
		toTID = t.inner.toThread.id
	case t.inner.read:
		toTID = 0
	}
	if t.inner.left {
		to = identity{} // As Linux, which forgets the process as well.
	}
	t.mu.Unlock()
	ids := l.view.pids
	fmt.Fprintf(l.buf, "%s %d: %016x from %d:%d to %d:%d code %x flags %x pri %d a%d r%d elapsed %dms",
		title, t.debugID, hashed(&l.view.domain.hasher, t), ids.pid(t.fromProc.id), ids.tid(t.fromTID, t.fromProc.id), ids.pid(to), ids.tid(toTID, to), t.code, t.flags, t.nice,
		bit(t.oneWay()), bit(t.reply), max(l.now-t.sent, 0)/1e6)
	switch b := &t.placed; {
	case t.to != l.p:
	case !l.p.alloc.Holds(b):
		l.buf.WriteString(" buffer free")
	default:
		if t.nodeID != 0 {
			fmt.Fprintf(l.buf, " node %d", t.nodeID)
		}
		fmt.Fprintf(l.buf, " size %d:%d offset %x", b.DataSize, b.OffsetsSize, b.Start)
	}
	l.buf.WriteByte('\n')
}

// secctxStart returns the offset of the security context, in bytes from the start of
// the buffer: it is at the end of the extra space.
func (t *Transaction) secctxStart() uint64 {
	return t.placed.ExtraStart() + (t.placed.ExtraSize+7)&^7 - (t.secctxSize+7)&^7
}
