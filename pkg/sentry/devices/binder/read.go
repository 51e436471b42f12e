// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/usermem"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/binder/list"
)

// returnSize is the size of a return's code, in bytes.
const returnSize = 4

// returnWriter writes returns to an application's read buffer.
type returnWriter struct {
	task Task
	uio  usermem.IO
	addr hostarch.Addr

	// pos and end are offsets from addr, in bytes.
	pos, end uint64

	// th is the thread that reads, and procWork is true if it takes work that any
	// thread may take.
	th       *Thread
	procWork bool

	// call is the call that was written for th to handle, if a reply is awaited.
	call list.Arc[*Transaction]

	// scratch holds a return before it is written.
	scratch [returnSize + binder.SizeOfTransactionDataSecctx]byte
}

// fits returns whether there's room for the longest return.
func (w *returnWriter) fits() bool {
	return w.end >= w.pos && w.end-w.pos >= uint64(len(w.scratch))
}

// put writes br and the first size bytes of its parameters, which scratch holds. It
// does not check for the end of the buffer.
func (w *returnWriter) put(br uint32, size int) error {
	if err := w.write(br, size); err != nil {
		return err
	}
	w.wrote(br, size)
	return nil
}

// write writes as put does, but leaves counting to wrote.
func (w *returnWriter) write(br uint32, size int) error {
	hostarch.ByteOrder.PutUint32(w.scratch[:], br)
	if _, err := w.uio.CopyOut(w.task, w.addr+hostarch.Addr(w.pos), w.scratch[:returnSize+size], ioOpts); err != nil {
		return linuxerr.EFAULT
	}
	return nil
}

// wrote counts what write has written.
func (w *returnWriter) wrote(br uint32, size int) {
	w.pos += uint64(returnSize + size)
	w.th.proc.counts.put(br)
}

// putSpawnLooper puts BR_SPAWN_LOOPER at the start, in place of the BR_NOOP.
func (w *returnWriter) putSpawnLooper() error {
	w.pos = 0
	w.th.proc.tracer().returned(w.th, binder.BR_SPAWN_LOOPER)
	return w.put(binder.BR_SPAWN_LOOPER, 0)
}

// params returns the part of scratch for the parameters of the next return.
func (w *returnWriter) params() []byte { return w.scratch[returnSize:] }

// read fills wr's read buffer with what th has to be told, and counts the bytes. It
// waits until there is something.
//
// Errors: those of waitLocked, and EFAULT if the buffer can't be written.
func (th *Thread) read(task Task, uio usermem.IO, wr *binder.WriteRead, nonBlocking bool) error {
	w := &th.scratch.returns
	*w = returnWriter{
		task: task,
		uio:  uio,
		addr: hostarch.Addr(wr.ReadBuffer),
		pos:  wr.ReadConsumed,
		end:  wr.ReadSize,
		th:   th,
	}
	if w.pos == 0 {
		// BR_SPAWN_LOOPER may replace it.
		if w.end < returnSize {
			return linuxerr.EFAULT
		}
		if err := w.put(binder.BR_NOOP, 0); err != nil {
			return err
		}
	}
	for more := true; more; {
		var err error
		if more, err = th.readAll(w, nonBlocking); err != nil {
			return err
		}
	}
	wr.ReadConsumed = w.pos
	return nil
}

// endRead makes th the handler of the call that it has read, if any, and wakes another
// thread for work that th was woken for and has not taken. It returns whether the
// application should start another looper; see needsLooperLocked.
func (th *Thread) endRead(ctx context.Context, err error) (spawn bool) {
	p := th.proc
	p.mu.Lock()
	defer p.mu.Unlock()
	if w := &th.scratch.returns; w.call.Ok() {
		th.handleLocked(w.call.Take())
	}
	spawn = err == nil && th.needsLooperLocked()
	if !p.inner.todo.empty() {
		p.wakeupLocked(ctx)
	}
	return spawn
}

// readAll waits until th has work, then writes it to w until there is no more, no
// room, or an item that ends the read. It returns true if th must wait again, because
// another thread took the work that it was woken for.
//
// Errors: those of read.
func (th *Thread) readAll(w *returnWriter, nonBlocking bool) (again bool, err error) {
	for first := true; ; first = false {
		var d delivery
		var ok bool
		d, ok, again, err = th.takeWork(w, first, nonBlocking)
		if !ok {
			return again, err
		}
		if d.transaction.Ok() {
			if delivered, err := th.deliver(w, d.transaction); delivered || err != nil {
				return false, err
			}
			continue
		}
		for _, br := range d.commands[:d.n] {
			size := binder.CommandSize(br)
			if d.failure != nil {
				size = 0 // By its code BR_ERROR has a parameter, but Linux writes none.
			}
			if size == binder.SizeOfPtrCookie {
				hostarch.ByteOrder.PutUint64(w.params(), d.ptr)
				hostarch.ByteOrder.PutUint64(w.params()[8:], d.cookie)
			} else {
				hostarch.ByteOrder.PutUint64(w.params(), d.cookie)
			}
			th.proc.tracer().returned(th, br)
			if err := w.put(br, size); err != nil {
				return false, err
			}
		}
		if d.failure != nil {
			th.proc.mu.Lock()
			d.failure.br = binder.BR_OK
			th.proc.mu.Unlock()
		}
		if d.last {
			return false, nil
		}
	}
}

// takeWork takes the next item of work for th, if w has room for it; if wait is true,
// it waits for one first. If there is none, again says whether th must wait for one.
//
// Errors: those of waitLocked.
func (th *Thread) takeWork(w *returnWriter, wait, nonBlocking bool) (d delivery, ok, again bool, err error) {
	p := th.proc
	p.mu.Lock()
	defer p.mu.Unlock()
	if wait {
		w.procWork = th.takesProcWorkLocked()
		if w.procWork {
			p.mu.Unlock()
			setNice(w.task, p.defaultNice)
			p.mu.Lock()
		}
		if err := th.waitLocked(w.task, w.procWork, nonBlocking); err != nil {
			return delivery{}, false, false, err
		}
	}
	own := !th.inner.todo.empty()
	if !own {
		if !w.procWork || p.inner.todo.empty() {
			return delivery{}, false, w.pos == returnSize && !th.needReturn.Load(), nil
		}
	}
	if !w.fits() {
		return delivery{}, false, false, nil
	}
	var item list.Arc[work]
	if own {
		item, _ = th.inner.todo.popFront()
	} else {
		item, _ = p.inner.todo.pop()
	}
	if th.inner.todo.empty() {
		th.inner.processTodo = false
	}
	d = item.Get().take(w.task, th)
	item.Release(w.task)
	if d.n != 0 && th.inner.todo.empty() && !(w.procWork && !p.inner.todo.empty()) {
		d.last = true // There is nothing more to read.
	}
	return d, true, false, nil
}

// deliver writes a transaction to w and makes its buffer known to the application. It
// returns false if the transaction has failed and there is nothing to read. It takes
// over the reference.
func (th *Thread) deliver(w *returnWriter, held list.Arc[*Transaction]) (bool, error) {
	t := held.Get()
	p := th.proc
	if !t.reply {
		t.inherit(w.task)
		t.countWait()
	}
	addr := uint64(t.buffer.Addr())
	out := binder.TransactionDataSecctx{
		TransactionData: binder.TransactionData{
			Code:        t.code,
			Flags:       t.flags,
			SenderEUID:  uint32(w.task.UIDOf(t.senderEUID)),
			DataSize:    t.placed.DataSize,
			OffsetsSize: t.placed.OffsetsSize,
			Buffer:      addr,
		},
	}
	if t.placed.OffsetsSize != 0 {
		out.TransactionData.Offsets = addr + t.placed.OffsetsStart()
	}
	br := uint32(binder.BR_REPLY)
	if n := t.targetNode(); n != nil {
		br = binder.BR_TRANSACTION
		out.TransactionData.Target, out.TransactionData.Cookie = n.ptr, n.cookie
		if !t.oneWay() && t.sender() != nil {
			out.TransactionData.SenderPID = w.task.PIDOf(t.fromProc)
		}
	}
	if t.secctxSize != 0 {
		br = binder.BR_TRANSACTION_SEC_CTX
		out.Secctx = addr + t.secctxStart()
	}
	out.MarshalUnsafe(w.params())
	size := binder.CommandSize(br)
	if err := w.write(br, size); err != nil {
		defer held.Release(w.task)
		th.refuseDelivery(w.task, t, binder.BR_FAILED_REPLY)
		return false, err
	}
	if err := t.installFiles(w.task); err != nil {
		defer held.Release(w.task)
		th.noteRefusal(w.task, refusalFor(reasonFDFixups, uint64(t.debugID), uint64(errnoFor(err))))
		th.refuseDelivery(w.task, t, binder.BR_FAILED_REPLY)
		if t.reply {
			p.tracer().returned(th, binder.BR_FAILED_REPLY)
			return true, w.put(binder.BR_FAILED_REPLY, 0)
		}
		return false, nil
	}
	w.wrote(br, size)
	p.tracer().received(th, t, br)
	t.buffer.Deliver(w.task)
	if t.reply || t.oneWay() {
		held.Release(w.task)
	} else {
		w.call = held
	}
	return true, nil
}

// refuseDelivery ends t, which th owns and which is not delivered: whoever waits for a
// reply gets br, and the buffer is freed with all that it holds.
//
// Preconditions: No lock is held.
func (th *Thread) refuseDelivery(ctx context.Context, t *Transaction, br uint32) {
	b := t.buffer.Recall()
	t.cancelWith(ctx, br)
	th.proc.freeBuffer(ctx, &b)
}
