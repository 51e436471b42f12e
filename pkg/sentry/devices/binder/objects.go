// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/gohacks"
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/safemem"
	"gvisor.dev/gvisor/pkg/sentry/vfs"
	"gvisor.dev/gvisor/pkg/usermem"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/binder/list"
	"sentrybinder/pkg/sentry/devices/binder/alloc"
)

// ioOpts is for access to the memory of the calling task.
var ioOpts = usermem.IOOpts{}

// maxObjectSize is the size of the largest object, in bytes.
const maxObjectSize = binder.SizeOfBufferObject

// sentFile is a file in a transaction that has not been delivered.
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
	t.fromProc.account.Credit(int64(len(t.files)) * filePrice)
	t.files = nil
}

// composer makes a transaction out of a message: it copies the data into a
// buffer of the receiver, once, and translates the objects on the way.
type composer struct {
	task Task
	uio  usermem.IO
	th   *Thread
	m    *message
	t    *Transaction

	// reservation is the buffer, and cargo what it carries, until there's t.buffer.
	reservation alloc.Reservation
	cargo       *cargo

	// pin keeps the buffer's memory from then on, until t was queued.
	pin alloc.Pin

	// filesAllowed is true if the receiver takes files.
	filesAllowed bool

	// translated is the number of bytes of offsets whose objects have been
	// translated.
	translated uint64

	// gather has the blocks of memory that objects stand for.
	gather gather

	// copied is the number of bytes of data that have been copied, or
	// translated.
	copied uint64

	// writer is where data is copied to.
	writer safemem.BlockSeqWriter
}

// compose returns a transaction from th to process to with the contents that m
// describes: a call to node target, or the reply to call. It takes over the
// reference to target and the strong local one that goes with it. The buffer of
// the result is pinned by th.scratch.compose.pin, which the caller releases.
func (th *Thread) compose(task Task, uio usermem.IO, m *message, to *Process, target list.Arc[*Node], call *Transaction) (list.Arc[*Transaction], *failure) {
	payer := th.proc.account
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
	t.senderEUID = task.EffectiveKUID()
	t.nice = m.nice
	t.fromTID = th.id
	t.sent = gohacks.Nanotime()
	t.to = to
	t.nodeID = m.log.node
	t.onlyFor = m.log.toTID // +checklocksignore: nobody else has t.
	c := &th.scratch.compose
	*c = composer{task: task, uio: uio, th: th, m: m, t: t, cargo: newCargo(target, payer)}
	extra := m.buffersSize
	if n := target.Get(); n != nil {
		c.filesAllowed = n.acceptsFDs
		if n.wantsSecctx {
			t.secctxSize = uint64(len(th.proc.tenant.secctx)) + 1
			extra += (t.secctxSize + 7) &^ 7
		}
	} else {
		c.filesAllowed = call.flags&binder.TF_ACCEPT_FDS != 0
	}
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
	t.buffer, c.pin = c.reservation.Commit()
	return fresh.Share(), nil
}

// fill copies and translates the contents.
//
// Errors: EFAULT if the sender's memory can't be read, EINVAL if what's there is
// malformed or refers to what the sender doesn't have, EPERM if the receiver
// doesn't accept files, EBADF if the sender has no such file.
func (c *composer) fill() error {
	b := &c.t.placed
	if err := c.copyIn(b.OffsetsStart(), c.m.Offsets, b.OffsetsSize); err != nil {
		return err
	}
	if b.OffsetsSize%alloc.OffsetSize != 0 || c.m.buffersSize%8 != 0 {
		return linuxerr.EINVAL
	}
	c.gather.next = b.ExtraStart()
	c.gather.end = c.gather.next + c.m.buffersSize
	// The offsets are read back from the buffer: the sender may change its own
	// memory at any time, the receiver can't change the buffer.
	for offset, err := range c.reservation.Offsets(b.OffsetsSize) {
		if err == nil {
			err = c.translateAt(offset)
		}
		if err != nil {
			return err
		}
		c.translated += alloc.OffsetSize
	}
	if err := c.copyIn(c.copied, c.m.Buffer+c.copied, b.DataSize-c.copied); err != nil {
		return err
	}
	if err := c.copyBlocks(); err != nil {
		return err
	}
	if c.t.secctxSize == 0 {
		return nil
	}
	return c.reservation.Write(c.t.secctxStart(), append([]byte(c.th.proc.tenant.secctx), 0))
}

// secctxStart returns where the security context lies, in bytes from the start
// of the buffer: at the end of the extra space.
func (t *Transaction) secctxStart() uint64 {
	return t.placed.ExtraStart() + (t.placed.ExtraSize+7)&^7 - (t.secctxSize+7)&^7
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
	c.writer.Blocks = dst
	if done, err := c.uio.CopyInTo(c.task, hostarch.AddrRangeSeqOf(ar), &c.writer, ioOpts); err != nil || uint64(done) != n {
		return linuxerr.EFAULT
	}
	return nil
}

// translateAt copies the data before offset and translates the object that is
// there. Objects must come in order and not overlap.
func (c *composer) translateAt(offset uint64) error {
	b := &c.t.placed
	if offset != c.copied && (offset < c.copied || offset > b.DataSize) {
		return linuxerr.EFAULT
	}
	if err := c.copyIn(c.copied, c.m.Buffer+c.copied, offset-c.copied); err != nil {
		return err
	}
	var raw [maxObjectSize]byte
	n := min(b.DataSize-offset, uint64(len(raw)))
	if n < binder.SizeOfObjectHeader || offset%4 != 0 {
		return linuxerr.EINVAL
	}
	if _, err := c.uio.CopyIn(c.task, hostarch.Addr(c.m.Buffer+offset), raw[:n], ioOpts); err != nil {
		return linuxerr.EINVAL
	}
	size := objectSize(raw[:])
	if size == 0 || size > n {
		return linuxerr.EINVAL
	}
	if err := c.translate(raw[:size], offset); err != nil {
		return err
	}
	c.copied = offset + size
	if err := c.reservation.Write(offset, raw[:size]); err != nil {
		c.t.to.releaseReference(c.task, raw[:size])
		return err
	}
	return nil
}

// objectType returns the type of the object that starts raw.
func objectType(raw []byte) uint32 { return hostarch.ByteOrder.Uint32(raw) }

// objectSize returns the size of the object that starts raw, or 0 if its type is
// unknown.
func objectSize(raw []byte) uint64 {
	switch objectType(raw) {
	case binder.BINDER_TYPE_BINDER, binder.BINDER_TYPE_WEAK_BINDER, binder.BINDER_TYPE_HANDLE, binder.BINDER_TYPE_WEAK_HANDLE:
		return binder.SizeOfFlatObject
	case binder.BINDER_TYPE_FD:
		return binder.SizeOfFDObject
	case binder.BINDER_TYPE_PTR:
		return binder.SizeOfBufferObject
	case binder.BINDER_TYPE_FDA:
		return binder.SizeOfFDArrayObject
	default:
		return 0
	}
}

// translate turns the object in raw, which is to stand at offset, from what it
// means to the sender into what it means to the receiver.
func (c *composer) translate(raw []byte, offset uint64) error {
	switch objectType(raw) {
	case binder.BINDER_TYPE_BINDER, binder.BINDER_TYPE_WEAK_BINDER, binder.BINDER_TYPE_HANDLE, binder.BINDER_TYPE_WEAK_HANDLE:
		var o binder.FlatObject
		o.UnmarshalUnsafe(raw)
		var err error
		if o.Type == binder.BINDER_TYPE_BINDER || o.Type == binder.BINDER_TYPE_WEAK_BINDER {
			err = c.translateBinder(&o)
		} else {
			err = c.translateHandle(&o)
		}
		o.MarshalUnsafe(raw)
		return err

	case binder.BINDER_TYPE_FD:
		var o binder.FDObject
		o.UnmarshalUnsafe(raw)
		if err := c.takeFile(o.FD, offset+8); err != nil {
			return err
		}
		o.FD, o.PadFD = 0, 0
		o.MarshalUnsafe(raw)
		return nil

	case binder.BINDER_TYPE_PTR:
		var o binder.BufferObject
		o.UnmarshalUnsafe(raw)
		if err := c.translatePointer(&o, offset); err != nil {
			return err
		}
		o.MarshalUnsafe(raw)
		return nil

	default: // BINDER_TYPE_FDA
		var o binder.FDArrayObject
		o.UnmarshalUnsafe(raw)
		return c.translateFileArray(&o)
	}
}

// takeFile takes file fd of the sender. Its descriptor in the receiver goes to at,
// in bytes from the start of the buffer.
//
// Errors: EPERM if the receiver doesn't accept files, EBADF if the sender has no
// such file, ENOMEM if its account has no room for it.
func (c *composer) takeFile(fd uint32, at uint64) error {
	if !c.filesAllowed {
		return linuxerr.EPERM
	}
	file := c.task.GetFile(int32(fd))
	if file == nil {
		return linuxerr.EBADF
	}
	if err := c.th.proc.account.Charge(filePrice); err != nil {
		file.DecRef(c.task)
		return err
	}
	c.t.files = append(c.t.files, sentFile{file, at})
	c.t.hasDevices = c.t.hasDevices || processOf(file) != nil
	return nil
}

// translateBinder turns a node of the sender into a handle of the receiver.
func (c *composer) translateBinder(o *binder.FlatObject) error {
	p := c.th.proc
	strong := o.Type == binder.BINDER_TYPE_BINDER
	p.mu.Lock()
	n := p.nodeLocked(o.Binder)
	var err error
	switch {
	case n == nil:
		n, err = p.newNodeLocked(o)
	case n.cookie != o.Cookie:
		err = linuxerr.EINVAL
	}
	if err != nil {
		p.mu.Unlock()
		return err
	}
	used := n.useLocked() // +checklocksignore: n.owner is p.
	p.mu.Unlock()
	defer unuse(c.task, used)

	handle, err := c.t.to.acquireNode(c.task, n, strong, c.th, c.th.proc.account)
	if err != nil {
		return err
	}
	o.Type = binder.BINDER_TYPE_HANDLE
	if !strong {
		o.Type = binder.BINDER_TYPE_WEAK_HANDLE
	}
	o.Binder, o.Cookie = uint64(handle), 0
	return nil
}

// translateHandle turns a handle of the sender into one of the receiver, or, if
// the node is the receiver's own, into that.
func (c *composer) translateHandle(o *binder.FlatObject) error {
	strong := o.Type == binder.BINDER_TYPE_HANDLE
	used, ok := c.th.proc.useNode(uint32(o.Binder), strong)
	if !ok {
		return linuxerr.EINVAL
	}
	defer unuse(c.task, used)
	n := used.Get()
	if n.owner == c.t.to {
		n.owner.mu.Lock()
		defer n.owner.mu.Unlock()
		// The owner knows that there are references: the sender has one.
		_ = n.incLocked(c.task, strong, false, nil)
		o.Type = binder.BINDER_TYPE_BINDER
		if !strong {
			o.Type = binder.BINDER_TYPE_WEAK_BINDER
		}
		o.Binder, o.Cookie = n.ptr, n.cookie
		return nil
	}
	handle, err := c.t.to.acquireNode(c.task, n, strong, nil, c.th.proc.account)
	if err != nil {
		return err
	}
	o.Binder, o.Cookie = uint64(handle), 0
	return nil
}

// freeBuffer frees b, a buffer of p whose transaction was queued: the next one-way
// transaction to the same node can go.
//
// Preconditions: No lock is held.
func (p *Process) freeBuffer(ctx context.Context, b *alloc.Claimed) {
	if n := targetOf(b.Cargo()); n != nil && b.Async() {
		n.owner.mu.Lock()
		n.nextAsyncLocked(ctx)
		n.owner.mu.Unlock()
	}
	placed := b.Placement()
	p.discardBuffer(ctx, b, placed.OffsetsSize)
}

// discardBuffer frees b, a buffer of p, and the references that it holds: on its
// target, and by the objects at the first end bytes of offsets.
//
// Preconditions: No lock is held.
func (p *Process) discardBuffer(ctx context.Context, b *alloc.Claimed, end uint64) {
	if n := targetOf(b.Cargo()); n != nil {
		n.dec(ctx, true, false)
	}
	for offset, err := range b.Offsets(end) {
		if err != nil {
			break
		}
		p.releaseObject(ctx, b, offset)
	}
	b.Free(ctx)
}

// releaseObject drops the reference that the object at offset in b holds.
func (p *Process) releaseObject(ctx context.Context, b *alloc.Claimed, offset uint64) {
	var raw [maxObjectSize]byte
	dataSize := b.Placement().DataSize
	if offset > dataSize {
		return
	}
	n := min(dataSize-offset, uint64(len(raw)))
	if n < binder.SizeOfObjectHeader || b.Read(offset, raw[:n]) != nil || objectSize(raw[:]) > n {
		return
	}
	p.releaseReference(ctx, raw[:])
}

// releaseReference drops the reference that the object in raw stands for.
//
// Preconditions: No lock is held.
func (p *Process) releaseReference(ctx context.Context, raw []byte) {
	var o binder.FlatObject
	switch objectType(raw) {
	case binder.BINDER_TYPE_BINDER, binder.BINDER_TYPE_WEAK_BINDER:
		o.UnmarshalUnsafe(raw)
		p.mu.Lock()
		defer p.mu.Unlock()
		if node := p.nodeLocked(o.Binder); node != nil {
			node.decLocked(ctx, o.Type == binder.BINDER_TYPE_BINDER, false) // +checklocksignore: node.owner is p.
		}
	case binder.BINDER_TYPE_HANDLE, binder.BINDER_TYPE_WEAK_HANDLE:
		o.UnmarshalUnsafe(raw)
		_ = p.changeRef(ctx, uint32(o.Binder), false, o.Type == binder.BINDER_TYPE_HANDLE)
	}
	// A file that was delivered is the receiver's to close, or, in an array, was
	// closed; see Thread.closeFiles. The rest lies in the buffer.
}
