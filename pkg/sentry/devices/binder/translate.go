// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"math"

	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/hostarch"

	"sentrybinder/pkg/abi/binder"
)

// translateAt copies the data up to offset and translates the object there. Objects
// must be in order and must not overlap.
func (c *composer) translateAt(offset uint64) error {
	b := &c.t.placed
	if offset != c.copied && (offset < c.copied || offset > b.DataSize) {
		return c.refuse(linuxerr.EFAULT, reasonOffset, offset, c.copied, b.DataSize)
	}
	if err := c.copyIn(c.copied, c.m.Buffer+c.copied, offset-c.copied); err != nil {
		return c.refuse(err, reasonDataPtr)
	}
	var raw [maxObjectSize]byte
	n := min(b.DataSize-offset, uint64(len(raw)))
	if n < binder.SizeOfObjectHeader || offset%4 != 0 {
		return c.refuse(linuxerr.EINVAL, reasonOffset, offset, c.copied, b.DataSize)
	}
	if _, err := c.uio.CopyIn(c.task, hostarch.Addr(c.m.Buffer+offset), raw[:n], ioOpts); err != nil {
		return c.refuse(linuxerr.EINVAL, reasonDataPtr)
	}
	size := objectSize(raw[:])
	if size == 0 {
		return c.refuse(linuxerr.EINVAL, reasonObjectType, uint64(objectType(raw[:])))
	}
	if size > n {
		return c.refuse(linuxerr.EINVAL, reasonOffset, offset, c.copied, b.DataSize)
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

// translate rewrites the object in raw, at offset, from the sender's values to the
// receiver's.
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
		o.PadFlags, o.FD, o.PadFD = 0, 0, 0
		o.MarshalUnsafe(raw)
		return nil

	case binder.BINDER_TYPE_PTR:
		var o binder.BufferObject
		o.UnmarshalUnsafe(raw)
		if err := c.translatePointer(&o); err != nil {
			return err
		}
		o.MarshalUnsafe(raw)
		return nil

	default: // BINDER_TYPE_FDA
		var o binder.FDArrayObject
		o.UnmarshalUnsafe(raw)
		if err := c.translateFileArray(&o); err != nil {
			return err
		}
		o.Pad = 0
		o.MarshalUnsafe(raw)
		return nil
	}
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
		if err != nil {
			err = c.refuse(err, reasonNoMemory)
		}
	case n.cookie != o.Cookie:
		err = c.refuse(linuxerr.EINVAL, reasonCookie, o.Binder, uint64(n.debugID), o.Cookie, n.cookie)
	}
	if err != nil {
		p.mu.Unlock()
		return err
	}
	used := n.useLocked(p)
	p.mu.Unlock()
	defer unuse(c.task, used)

	handle, err := c.t.to.acquireNode(c.task, n, strong, c.th, c.t.payer)
	if err != nil {
		return c.refuse(err, whyNotAcquired(err))
	}
	o.Type = binder.BINDER_TYPE_HANDLE
	if !strong {
		o.Type = binder.BINDER_TYPE_WEAK_HANDLE
	}
	o.Binder, o.Cookie = uint64(handle), 0
	return nil
}

// translateHandle turns a handle of the sender into one of the receiver or, if the
// node is the receiver's own, into that node.
func (c *composer) translateHandle(o *binder.FlatObject) error {
	strong := o.Type == binder.BINDER_TYPE_HANDLE
	used, ok := c.th.proc.useNode(uint32(o.Binder), strong)
	if !ok {
		return c.refuse(linuxerr.EINVAL, reasonObjectHandle, o.Binder&math.MaxUint32)
	}
	defer unuse(c.task, used)
	n := used.Get()
	if n.owner == c.t.to {
		n.owner.mu.Lock()
		defer n.owner.mu.Unlock()
		// The owner knows that there are references: the sender holds one.
		_ = n.incLocked(c.task, strong, false, nil)
		o.Type = binder.BINDER_TYPE_BINDER
		if !strong {
			o.Type = binder.BINDER_TYPE_WEAK_BINDER
		}
		o.Binder, o.Cookie = n.ptr, n.cookie
		return nil
	}
	handle, err := c.t.to.acquireNode(c.task, n, strong, nil, c.t.payer)
	if err != nil {
		return c.refuse(err, whyNotAcquired(err))
	}
	o.Binder, o.Cookie = uint64(handle), 0
	return nil
}

// whyNotAcquired translates an error of acquireNode into the reason for it.
func whyNotAcquired(err error) reason {
	if linuxerr.Equals(linuxerr.ENOMEM, err) {
		return reasonNoMemory
	}
	return reasonRefCount
}
