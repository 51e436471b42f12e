// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/gohacks"
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/safemem"
	"gvisor.dev/gvisor/pkg/usermem"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/binder/list"
	"sentrybinder/pkg/sentry/devices/binder/alloc"
)

// composer makes a transaction from a message: it copies the data into a
// buffer of the receiver, once, and translates the objects on the way.
type composer struct {
	task Task
	uio  usermem.IO
	th   *Thread
	m    *message
	t    *Transaction

	// reservation is the buffer, and cargo what it carries, until t.buffer is set.
	reservation alloc.Reservation
	cargo       *cargo

	// filesAllowed is true if the receiver accepts files.
	filesAllowed bool

	// translated is the number of bytes of offsets whose objects have been
	// translated.
	translated uint64

	// gather holds the blocks of memory that objects describe.
	gather gather

	// copied is the number of bytes of data that have been copied or translated.
	copied uint64

	// writer is where data is copied to.
	writer safemem.BlockSeqWriter
}

// compose returns a transaction from th to process to with the contents that m
// describes: a call to node target, or the reply to call. It takes over the
// reference to target and the strong local one that goes with it.
func (th *Thread) compose(task Task, uio usermem.IO, m *message, to *Process, target list.Arc[*Node], call *Transaction) (list.Arc[*Transaction], *failure) {
	payer := th.proc.account
	if call != nil {
		payer = to.account // It asked for the reply, and frees it.
	}
	if err := payer.Charge(transactionPrice + bufferPrice); err != nil {
		releaseTarget(task, target)
		return list.Arc[*Transaction]{}, failedNoMemory.by(err)
	}
	t := transactions.Get()
	t.debugID = m.debugID
	t.code = m.Code
	t.flags = m.Flags
	t.reply = call != nil
	t.fromProc = th.proc
	t.payer = payer
	t.senderEUID = task.EffectiveKUID()
	t.nice = m.nice
	t.fromTID = th.id
	t.sent = gohacks.Nanotime()
	t.to = to
	t.nodeID = m.log.node
	t.onlyFor = m.log.toTID
	c := &th.scratch.compose
	*c = composer{task: task, uio: uio, th: th, m: m, t: t, cargo: newCargo(target, payer)}
	extra := m.buffersSize
	if n := target.Get(); n != nil {
		c.filesAllowed = n.acceptsFDs
		if n.wantsSecctx {
			t.secctxSize = uint64(len(th.proc.securityContext())) + 1
			extra += (t.secctxSize + 7) &^ 7
		}
	} else {
		c.filesAllowed = call.flags&binder.TF_ACCEPT_FDS != 0
	}
	th.proc.tracer().transaction(t, m, extra)
	var err error = linuxerr.EINVAL
	if extra >= m.buffersSize {
		c.reservation, err = to.alloc.Reserve(&alloc.Request{
			DebugID:     t.debugID,
			DataSize:    m.DataSize,
			OffsetsSize: m.OffsetsSize,
			ExtraSize:   extra,
			Sender:      task.ProcessID(th.proc),
			Async:       t.oneWay(),
			ClearOnFree: m.Flags&binder.TF_CLEAR_BUF != 0,
		}, c.cargo)
	}
	if err != nil {
		payer.Credit(transactionPrice)
		releaseTarget(task, c.cargo.target.Take())
		c.cargo.Destroy(task)
		if linuxerr.Equals(linuxerr.ESRCH, err) {
			return list.Arc[*Transaction]{}, deadUnmapped
		}
		m.refused = noBuffer(err, t.oneWay(), m.buffersSize)
		return list.Arc[*Transaction]{}, failedNoBuffer.by(err)
	}
	th.proc.hold()
	t.placed = c.reservation.Placement()
	m.composed = true
	fresh := list.NewUnique(t)
	if err := c.fill(); err != nil {
		t.dropFiles(task)
		b := c.reservation.Abort()
		to.discardBuffer(task, &b, c.translated)
		fresh.Release(task)
		return list.Arc[*Transaction]{}, failedContents.by(err)
	}
	t.buffer = c.reservation.Commit()
	return fresh.Share(), nil
}

// fill copies and translates the contents.
//
// Errors: EFAULT or EINVAL, as on Linux, if the sender's memory can't be read, or if the
// contents are malformed or refer to what the sender doesn't have; EPERM if the receiver
// doesn't accept files, EBADF if the sender has no such file; ENOMEM if an account has no
// room for what is created, or if the receiver has used up its handles.
func (c *composer) fill() error {
	b := &c.t.placed
	if err := c.copyIn(b.OffsetsStart(), c.m.Offsets, b.OffsetsSize); err != nil {
		return c.refuse(err, reasonOffsetsPtr)
	}
	if b.OffsetsSize%alloc.OffsetSize != 0 {
		return c.refuse(linuxerr.EINVAL, reasonOffsetsSize)
	}
	if c.m.buffersSize%8 != 0 {
		return c.refuse(linuxerr.EINVAL, reasonBuffersSize, c.m.buffersSize)
	}
	c.gather.next = b.ExtraStart()
	c.gather.end = c.gather.next + c.m.buffersSize
	// The offsets are read back from the buffer: the sender may change its own
	// memory at any time, but nobody can change the buffer.
	for offset, err := range c.reservation.Offsets(b.OffsetsSize) {
		if err == nil {
			err = c.translateAt(offset)
		}
		if err != nil {
			c.blame(c.translated/alloc.OffsetSize, offset)
			return err
		}
		c.translated += alloc.OffsetSize
	}
	if err := c.copyIn(c.copied, c.m.Buffer+c.copied, b.DataSize-c.copied); err != nil {
		return c.refuse(err, reasonDataPtr)
	}
	if err := c.copyBlocks(); err != nil {
		return err
	}
	if c.t.secctxSize == 0 {
		return nil
	}
	return c.reservation.Write(c.t.secctxStart(), append([]byte(c.th.proc.securityContext()), 0))
}

// refuse records why the transaction is refused, and returns err. The last reason
// counts.
func (c *composer) refuse(err error, why reason, args ...uint64) error {
	c.m.refused = refusalFor(why, args...)
	return err
}

// blame records that the object with the given index, at offset, was refused.
func (c *composer) blame(index, offset uint64) {
	if c.m.refused == nil {
		c.m.refused = refusalFor(reasonOther)
	}
	c.m.refused.object, c.m.refused.offset = index+1, offset
}

// noBuffer translates an error of alloc.Space.Reserve into the reason for it, or nil.
func noBuffer(err error, oneWay bool, extra uint64) *refusal {
	switch {
	case linuxerr.Equals(linuxerr.ENOSPC, err) && oneWay:
		return refusalFor(reasonNoSpace, 1, extra)
	case linuxerr.Equals(linuxerr.ENOSPC, err):
		return refusalFor(reasonNoSpace, 0, extra)
	case linuxerr.Equals(linuxerr.EINVAL, err):
		return refusalFor(reasonSizes, extra)
	default:
		return nil
	}
}

// copyIn copies n bytes at address addr of the sender to offset in the buffer.
func (c *composer) copyIn(offset, addr, n uint64) error {
	if n == 0 {
		return nil
	}
	ar, ok := hostarch.Addr(addr).ToRange(n)
	if !ok {
		return linuxerr.EFAULT
	}
	dst, err := c.reservation.Blocks(offset, n)
	if err != nil {
		return err
	}
	if b := dst.Head(); dst.NumBlocks() == 1 && !b.NeedSafecopy() {
		// The common case: CopyInTo would allocate.
		if _, err := c.uio.CopyIn(c.task, hostarch.Addr(addr), b.ToSlice(), ioOpts); err != nil {
			return linuxerr.EFAULT
		}
		return nil
	}
	c.writer.Blocks = dst
	if done, err := c.uio.CopyInTo(c.task, hostarch.AddrRangeSeqOf(ar), &c.writer, ioOpts); err != nil || uint64(done) != n {
		return linuxerr.EFAULT
	}
	return nil
}

// releaseTarget undoes keepAsTarget. A reply has no target.
func releaseTarget(ctx context.Context, target list.Arc[*Node]) {
	if n := target.Get(); n != nil {
		n.dec(ctx, true, false)
		target.Release(ctx)
	}
}
