// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/sentry/kernel/auth"
	"gvisor.dev/gvisor/pkg/sync"
	"gvisor.dev/gvisor/pkg/usermem"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/binder/list"
	"sentrybinder/pkg/binder/pool"
	"sentrybinder/pkg/sentry/devices/binder/alloc"
)

// Transaction is a message on its way: a call or a reply. A synchronous call
// lives until it is answered.
//
// A call is on two stacks: on that of the thread that waits for the reply, and,
// once it has been read, on that of the thread that handles it. Each thread's
// stack is linked through the calls themselves: from a call that the thread
// waits for by fromParent, from one that it handles by toParent. References are
// held by the stacks, and by the todo list until the transaction is read.
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

	// nice is the nice value of the sender, and savedNice that which the thread
	// that handles the call had before.
	nice      int
	savedNice int

	// fromTID is the ID of the thread that sent it, and sent when that was, as
	// gohacks.Nanotime has it.
	fromTID int32
	sent    int64 `state:".(int64)"`

	// to is the receiver. nodeID is the number of the node that it's for, if it
	// is for one.
	to     *Process
	nodeID int32

	// buffer, in the mapping of to, has the contents. As files, it belongs to
	// whoever has the transaction, until the reader delivers it to the
	// application, which may free it at any time. placed is what logs show of it
	// even then.
	buffer alloc.Buffer
	placed alloc.Placement

	// secctxSize is the length of the sender's security context at the end of
	// buffer, in bytes with its NUL, or zero if the receiver asked for none.
	secctxSize uint64

	// files are the files that the receiver gets. They belong to whoever has
	// the transaction: the sender, then the reader, then nobody.
	files []sentFile

	// hasDevices is true if there are Binder devices among files, and inFlight if
	// flights knows of it.
	hasDevices bool
	inFlight   bool

	// outstanding is true if t counts as outstanding for the receiver.
	// +checklocks:to.mu
	outstanding bool

	mu sync.Mutex `state:"nosave"`

	// from is the thread that waits for the reply, as long as it does. A reply
	// and a one-way call have none.
	// +checklocks:mu
	from *Thread

	// fromParent is the next transaction on the stack of from. It stays when
	// from is gone: if the call fails, the failure is that of fromParent.
	// +checklocks:mu
	fromParent list.Arc[*Transaction]

	// toThread is the thread that handles the call, as long as it does.
	// +checklocks:mu
	toThread *Thread

	// onlyFor is the ID of the thread that is to read it, if it isn't for any,
	// until it does.
	// +checklocks:mu
	onlyFor int32

	// left is true if the thread that handled the call has left.
	// +checklocks:mu
	left bool

	// toParent is the next transaction on the stack of toThread.
	// +checklocks:mu
	toParent list.Arc[*Transaction]

	// nextUpdate is a link of asyncQueue's, whose user guards it.
	nextUpdate *Transaction
}

// Destroy implements list.Counted.Destroy.
func (t *Transaction) Destroy(ctx context.Context) {
	t.mu.Lock()
	fromParent, toParent := t.fromParent.Take(), t.toParent.Take()
	t.mu.Unlock()
	fromParent.Release(ctx)
	toParent.Release(ctx)
	t.fromProc.stats().deleted(objectTransaction)
	t.fromProc.account.Credit(transactionPrice)
	t.fromProc.drop()
	transactions.Put(t)
}

// transactions has those that were destroyed, for use by the next calls. Nobody
// has a pointer to one: whoever has an Arc, or the lock of a list or of a stack
// that it is on, uses it no longer than that.
var transactions pool.Pool[Transaction]

// oneWay returns whether nobody waits for a reply to t.
func (t *Transaction) oneWay() bool { return !t.reply && t.flags&binder.TF_ONE_WAY != 0 }

// sender returns the thread that waits for the reply to t, or nil.
func (t *Transaction) sender() *Thread {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.from
}

// handler returns the thread that handles t, or nil.
func (t *Transaction) handler() *Thread {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.toThread
}

// take implements work.take.
//
// +checklocks:t.to.mu
func (t *Transaction) take(context.Context, *Thread) delivery {
	if t.reply || t.oneWay() {
		t.endLocked()
	}
	return delivery{transaction: list.BorrowOf(t).Arc(), last: true}
}

// describe implements work.describe.
func (t *Transaction) describe(l *logWriter) { l.transaction("pending transaction", t) }

// cancel implements work.cancel.
func (t *Transaction) cancel(ctx context.Context) { t.cancelWith(ctx, binder.BR_DEAD_REPLY) }

// cancelWith gives up t, which was queued and which nobody will handle. Whoever
// waits for a reply gets br. As in Linux the buffer stays, with what it holds,
// until the receiver closes the device.
//
// Preconditions: No lock is held.
func (t *Transaction) cancelWith(ctx context.Context, br uint32) {
	t.dropFiles(ctx)
	t.buffer.Abandon(ctx)
	t.to.mu.Lock()
	t.endLocked()
	t.to.mu.Unlock()
	if !t.reply && !t.oneWay() {
		t.fail(ctx, br)
	}
}

// fail answers the call t with br in place of a reply. If the sender is gone,
// the call that it was handling has failed.
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
		next := t.fromParent.Take()
		t.mu.Unlock()
		held.Release(ctx)
		held = next
	}
	held.Release(ctx)
}

// failCall tells th that its call t has failed. It returns false if th doesn't
// wait for t any more.
func (th *Thread) failCall(ctx context.Context, t *Transaction, br uint32) bool {
	th.proc.mu.Lock()
	defer th.proc.mu.Unlock()
	popped, ok := th.popCallLocked(t)
	if !ok {
		return false
	}
	popped.Release(ctx)
	if e := th.replyError.Get(); e.br == binder.BR_OK {
		e.br = br
		th.queueLocked(e)
		th.signal()
	}
	return true
}

// pushCallLocked notes that th waits for the reply to t.
//
// +checklocks:th.proc.mu
func (th *Thread) pushCallLocked(t *Transaction) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.from = th
	t.fromParent = th.swapStackLocked(list.BorrowOf(t).Arc())
}

// popCallLocked notes that th doesn't wait for the reply to t any more, and
// returns its reference to t, or false if it didn't.
//
// +checklocks:th.proc.mu
func (th *Thread) popCallLocked(t *Transaction) (list.Arc[*Transaction], bool) {
	if th.stack.Get() != t {
		return list.Arc[*Transaction]{}, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.from != th {
		return list.Arc[*Transaction]{}, false
	}
	t.from = nil
	return th.swapStackLocked(t.fromParent.Take()), true
}

// handle makes th the thread that handles call, which it has just read.
func (th *Thread) handle(call list.Arc[*Transaction]) {
	th.proc.mu.Lock()
	defer th.proc.mu.Unlock()
	t := call.Get()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.toThread, t.onlyFor = th, 0
	t.toParent = th.swapStackLocked(call)
}

// swapStackLocked makes top the innermost transaction of th and returns the one
// that was.
//
// +checklocks:th.proc.mu
func (th *Thread) swapStackLocked(top list.Arc[*Transaction]) list.Arc[*Transaction] {
	was := th.stack.Take()
	if was.Ok() {
		th.proc.stacked--
	}
	if top.Ok() {
		th.proc.stacked++
	}
	th.stack = top
	return was
}

// unwind ends what was the stack of th, which has left. Nobody finds it by th.
func (th *Thread) unwind(ctx context.Context, top list.Arc[*Transaction]) {
	for top.Ok() {
		th.proc.mu.Lock()
		for n := 0; n < batchSize && top.Ok(); n++ {
			t := top.Get()
			t.mu.Lock()
			var next list.Arc[*Transaction]
			if t.toThread == th {
				t.toThread, t.left = nil, true
				next = t.toParent.Take()
				t.endLocked() // +checklocksignore: t.to is th.proc.
			} else {
				t.from = nil
				next = t.fromParent.Clone()
			}
			t.mu.Unlock()
			top.Release(ctx)
			top = next
		}
		th.proc.mu.Unlock()
	}
}

// message is what an application asks to be sent.
type message struct {
	binder.TransactionData

	// buffersSize is the extra space for scatter-gather, in bytes.
	buffersSize uint64

	// debugID is the number that the transaction has or, if it fails, would
	// have had.
	debugID int32

	// nice is the nice value of the sender, before an answer gives it its own
	// back.
	nice int

	// log is what the transaction log has at logPlace, or will have.
	log      logEntry
	logPlace uint64

	// composed is true once there's a Transaction, which counts as one.
	composed bool
}

// call handles BC_TRANSACTION.
func (th *Thread) call(task Task, uio usermem.IO, m *message) {
	kind := logCall
	if m.Flags&binder.TF_ONE_WAY != 0 {
		kind = logOneWay
	}
	th.begin(task, m, kind)
	f := th.tryCall(task, uio, m)
	th.end(m, f)
	if f != nil {
		th.proc.mu.Lock()
		defer th.proc.mu.Unlock()
		th.lastError = extendedErrorOf(m.debugID, f)
		th.failLocked(f.br)
	}
}

func (th *Thread) tryCall(task Task, uio usermem.IO, m *message) *failure {
	p := th.proc
	target, f := p.target(uint32(m.Target))
	if f != nil {
		return f
	}
	n := target.Get()
	m.log.node = n.debugID
	oneWay := m.Flags&binder.TF_ONE_WAY != 0
	var inChain *Thread
	if n.owner == p {
		f = failedOwnNode
	} else {
		inChain, f = th.checkStack(task, n.owner, oneWay)
	}
	if f != nil {
		releaseTarget(task, target)
		return f
	}
	m.log.to(n.owner, inChain)

	done, err := newCompletion(p)
	if err != nil {
		releaseTarget(task, target)
		return failedNoMemory.by(err)
	}
	defer done.Release(task)
	held, f := th.compose(task, uio, m, n.owner, target, nil)
	if f != nil {
		return f
	}
	defer held.Release(task)
	t := held.Get()
	defer th.scratch.compose.pin.Release()

	done.Get().spamSuspect = t.buffer.SpamSuspect()
	p.mu.Lock()
	th.lastError = noError(m.debugID)
	if oneWay {
		th.queueLocked(done.Get())
	} else {
		th.todo.pushBack(done.Get())
		th.pushCallLocked(t)
	}
	p.mu.Unlock()
	pending, superseded, f := t.queue(inChain)
	if superseded.Ok() {
		superseded.Get().abandon(task)
		superseded.Release(task)
	}
	if f == nil {
		if pending {
			p.mu.Lock()
			done.Get().pendingFrozen = true // +checklocksignore: its proc is p.
			p.mu.Unlock()
		}
		return nil
	}

	p.mu.Lock()
	dequeue(task, done.Get())
	popped, _ := th.popCallLocked(t)
	p.mu.Unlock()
	popped.Release(task)
	t.abandon(task)
	return f
}

// target returns the node that p knows by handle, with a strong local reference
// for the buffer of a call to it.
func (p *Process) target(handle uint32) (list.Arc[*Node], *failure) {
	if handle != 0 {
		p.refsMu.Lock()
		defer p.refsMu.Unlock()
		r := p.refLocked(handle, true)
		if r == nil {
			return list.Arc[*Node]{}, failedUnknownHandle
		}
		return r.node().target()
	}
	manager := p.ctx.manager.Load()
	if manager == nil {
		return list.Arc[*Node]{}, deadNoManager
	}
	if manager.owner.pid == p.pid {
		return list.Arc[*Node]{}, failedOwnManager
	}
	return manager.target()
}

// target makes n the target of a call: it adds a strong local reference, unless
// n's owner is dead.
//
// Preconditions: There's a reference that keeps n in its owner's table, as long as
// that lives.
func (n *Node) target() (list.Arc[*Node], *failure) {
	n.owner.mu.Lock()
	defer n.owner.mu.Unlock()
	if n.dead {
		return list.Arc[*Node]{}, deadOwner
	}
	n.localStrong++
	return list.BorrowOf(n).Arc(), nil
}

// mayCallLocked returns why th is in no position to call, or nil: it has a
// transaction to read first, or waits for a reply.
//
// +checklocks:th.proc.mu
func (th *Thread) mayCallLocked() *failure {
	for w := range th.todo.items.All() {
		if _, ok := w.(*Transaction); ok {
			return failedUnreadCall
		}
		break
	}
	if th.stack.Ok() && th.stack.Get().handler() != th {
		return failedInCall
	}
	return nil
}

// releaseTarget ends what target has begun. A reply has no target.
func releaseTarget(ctx context.Context, target list.Arc[*Node]) {
	if n := target.Get(); n != nil {
		n.dec(ctx, true, false)
		target.Release(ctx)
	}
}

// checkStack checks that th is in a position to call to. It returns the thread
// of to that waits for what th is doing, if there's one: the call goes to it.
func (th *Thread) checkStack(ctx context.Context, to *Process, oneWay bool) (*Thread, *failure) {
	if oneWay {
		return nil, nil
	}
	th.proc.mu.Lock()
	if f := th.mayCallLocked(); f != nil {
		th.proc.mu.Unlock()
		return nil, f
	}
	held := th.stack.Clone()
	th.proc.mu.Unlock()
	// Further up, the calls are on the stacks of others.
	for held.Ok() {
		t := held.Get()
		t.mu.Lock()
		from := t.from
		next := t.fromParent.Clone()
		t.mu.Unlock()
		held.Release(ctx)
		if from != nil && from.proc == to {
			next.Release(ctx)
			return from, nil
		}
		held = next
	}
	return nil, nil
}

// queue gives t, a call, to its receiver: to thread th, or, if that is nil, to
// whichever takes it. It returns whether it has to wait there, since the receiver
// is frozen, and the call that it has replaced, if there's one.
func (t *Transaction) queue(th *Thread) (pending bool, superseded list.Arc[*Transaction], f *failure) {
	n := t.targetNode()
	q := n.owner
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.refusesLocked(t.oneWay()) {
		return false, superseded, frozenReceiver
	}
	if q.dead || th != nil && th.dead { // +checklocksignore: th.proc is q.
		return false, superseded, deadReceiver
	}
	t.beginLocked() // +checklocksignore: t.to is q.
	if t.oneWay() {
		pending = q.freezer.frozen
		if n.asyncBusy {
			if n.asyncTodo == nil {
				n.asyncTodo = &asyncQueue{}
			}
			if pending {
				superseded = n.asyncTodo.takeSuperseded(context.Background(), t)
				if old := superseded.Get(); old != nil {
					old.endLocked() // +checklocksignore: old.to is q.
				}
			}
			n.asyncTodo.push(t)
			return pending, superseded, nil
		}
		n.asyncBusy = true
	}
	if th == nil {
		th = q.selectThreadLocked()
	}
	if th != nil {
		th.queueLocked(t) // +checklocksignore: th.proc is q.
	} else {
		q.todo.pushBack(t)
	}
	q.wakeThreadLocked(th)
	return pending, superseded, nil
}

// answer handles BC_REPLY.
func (th *Thread) answer(task Task, uio usermem.IO, m *message) {
	p := th.proc
	th.begin(task, m, logReply)
	p.mu.Lock()
	if !th.stack.Ok() || th.stack.Get().handler() != th {
		f := failedNoCall
		th.lastError = extendedErrorOf(m.debugID, f)
		th.failLocked(f.br)
		p.mu.Unlock()
		th.end(m, f)
		return
	}
	th.lastError = noError(m.debugID)
	call := th.stack.Get()
	call.mu.Lock()
	held := th.swapStackLocked(call.toParent.Take())
	defer held.Release(task)
	caller := call.from
	call.toThread = nil
	call.mu.Unlock()
	p.mu.Unlock()
	setNice(task, call.savedNice)

	var f *failure
	if caller == nil {
		f = deadCaller
	} else {
		m.log.to(caller.proc, caller)
		f = th.tryAnswer(task, uio, m, call, caller)
	}
	th.end(m, f)
	if f == nil {
		return
	}
	// The caller hears of the failure; the one who answers has done its part.
	p.mu.Lock()
	call.endLocked() // +checklocksignore: call.to is p.
	th.failLocked(binder.BR_TRANSACTION_COMPLETE)
	p.mu.Unlock()
	if caller != nil {
		caller.noteError(m.debugID, f)
	}
	call.fail(task, f.br)
}

func (th *Thread) tryAnswer(task Task, uio usermem.IO, m *message, call *Transaction, caller *Thread) *failure {
	done, err := newCompletion(th.proc)
	if err != nil {
		return failedNoMemory.by(err)
	}
	defer done.Release(task)
	held, f := th.compose(task, uio, m, caller.proc, list.Arc[*Node]{}, call)
	if f != nil {
		return f
	}
	defer held.Release(task)
	t := held.Get()
	defer th.scratch.compose.pin.Release()

	th.proc.mu.Lock()
	th.queueLocked(done.Get())
	call.endLocked() // +checklocksignore: call.to is th.proc.
	th.proc.mu.Unlock()

	q := caller.proc
	q.mu.Lock()
	popped, ok := caller.popCallLocked(call)
	if ok {
		t.beginLocked() // +checklocksignore: t.to is q.
		caller.queueLocked(t)
		caller.signal()
	}
	q.mu.Unlock()
	if ok {
		popped.Release(task)
		return nil
	}

	th.proc.mu.Lock()
	dequeue(task, done.Get())
	th.proc.mu.Unlock()
	t.abandon(task)
	return deadCallerOfReply
}

// abandon drops the contents of t, which nobody has read and which is not queued.
//
// Preconditions: The memory of t.to's mapping is pinned, so that t's references are
// still found there if t.to ends.
func (t *Transaction) abandon(ctx context.Context) {
	t.dropFiles(ctx)
	b := t.buffer.Recall()
	t.to.discardBuffer(ctx, &b, t.placed.OffsetsSize)
}

// completion is work that tells a thread that its transaction was queued.
//
// +stateify savable
type completion struct {
	list.Count
	workItem

	proc *Process

	// pendingFrozen is true if the transaction was queued for a process that is
	// frozen.
	// +checklocks:proc.mu
	pendingFrozen bool

	// spamSuspect is true if the sender is suspected to send too much.
	spamSuspect bool
}

// newCompletion returns a completion for a thread of p.
//
// Errors: ENOMEM if p's account has no room for it.
func newCompletion(p *Process) (list.Arc[*completion], error) {
	if err := p.account.Charge(completionPrice); err != nil {
		return list.Arc[*completion]{}, err
	}
	p.stats().created(objectTransactionComplete)
	c := completions.Get()
	c.proc = p
	fresh := list.NewUnique(c)
	return fresh.Share(), nil
}

// completions has those that were destroyed, for use by the next calls. As for
// transactions, nobody has a pointer to one.
var completions pool.Pool[completion]

// Destroy implements list.Counted.Destroy.
func (c *completion) Destroy(context.Context) {
	c.proc.stats().deleted(objectTransactionComplete)
	c.proc.account.Credit(completionPrice)
	completions.Put(c)
}

// cancel implements work.cancel.
func (c *completion) cancel(context.Context) {}

// describe implements work.describe.
func (c *completion) describe(l *logWriter) {
	c.proc.mu.Lock()
	pendingFrozen := c.pendingFrozen
	c.proc.mu.Unlock()
	switch {
	// Linux has no words for the first two, and shows their numbers.
	case pendingFrozen:
		l.buf.WriteString("unknown work: type 3\n")
	case c.spamSuspect:
		l.buf.WriteString("unknown work: type 4\n")
	default:
		l.buf.WriteString("transaction complete\n")
	}
}

// take implements work.take.
//
// +checklocks:c.proc.mu
func (c *completion) take(context.Context, *Thread) delivery {
	var d delivery
	switch {
	case c.pendingFrozen:
		d.add(binder.BR_TRANSACTION_PENDING_FROZEN)
	case c.spamSuspect && c.proc.oneWaySpamDetection:
		d.add(binder.BR_ONEWAY_SPAM_SUSPECT)
	default:
		d.add(binder.BR_TRANSACTION_COMPLETE)
	}
	return d
}
