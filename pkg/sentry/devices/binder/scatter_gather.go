// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"cmp"
	"slices"

	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/hostarch"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/sentry/devices/binder/alloc"
)

// Scatter-gather: BINDER_TYPE_PTR describes a block of the sender's memory. Blocks go
// to the extra space of the receiver's buffer, one after the other, each aligned to 8
// bytes. A block may hold the pointer to a later one, its child, and, where a
// BINDER_TYPE_FDA says so, file descriptors. These parts are not copied but fixed up:
// rewritten with the receiver's values.
//
// Fix-ups come in order: within a block by ascending offset, without overlap, and
// those of a child before any further ones of its parent. So at any time only the
// blocks from the last one up to its outermost parent may get more.

// translatePointer adds the block that o describes, and points o and the parent, if
// there is one, to its place in the receiver.
func (c *composer) translatePointer(o *binder.BufferObject) error {
	g := &c.gather
	if room := g.room(); o.Length > room {
		return c.refuse(linuxerr.EINVAL, reasonLargeBuffer, o.Length, room)
	}
	index := c.translated / alloc.OffsetSize
	bl := g.add(o.Buffer, o.Length, index)
	o.Buffer = uint64(c.reservation.Addr()) + bl.start
	if o.Flags&binder.BINDER_BUFFER_FLAG_HAS_PARENT == 0 {
		g.open = g.open[:0]
	} else {
		parent, why := g.parent(o.Parent, o.ParentOffset)
		if parent == nil {
			c.m.refused = why
			return linuxerr.EINVAL
		}
		const size = 8
		if parent.length < size || o.ParentOffset > parent.length-size {
			return c.refuse(linuxerr.EINVAL, reasonParentOffset, o.ParentOffset, parent.length)
		}
		parent.fixed = o.ParentOffset + size
		g.fixups = append(g.fixups, fixup{
			start:      parent.start + o.ParentOffset,
			size:       size,
			pointer:    o.Buffer,
			hasPointer: true,
		})
	}
	g.open = append(g.open, openBlock{block: bl})
	return nil
}

// translateFileArray takes the files that o describes.
//
// Errors: EINVAL if the array is malformed or can't be read, ENOMEM if the
// payer has no room for it, and those of takeFile.
func (c *composer) translateFileArray(o *binder.FDArrayObject) error {
	const size = 4
	parent, why := c.gather.parent(o.Parent, o.ParentOffset)
	if parent == nil {
		c.m.refused = why
		return linuxerr.EINVAL
	}
	if o.NumFDs == 0 {
		// Linux doesn't check its offset, but counts it as the last fix-up.
		parent.fixed = o.ParentOffset
		return nil
	}
	if o.NumFDs > parent.length/size || o.ParentOffset > parent.length-o.NumFDs*size {
		return c.refuse(linuxerr.EINVAL, reasonTooManyFDs, o.NumFDs)
	}
	parent.fixed = o.ParentOffset + o.NumFDs*size
	addr, start := parent.addr+o.ParentOffset, parent.start+o.ParentOffset
	if addr%size != 0 || start%size != 0 {
		return c.refuse(linuxerr.EINVAL, reasonFDsUnaligned)
	}
	c.gather.fixups = append(c.gather.fixups, fixup{start: start, size: o.NumFDs * size})
	if err := c.t.payer.Charge(fileArrayPrice); err != nil {
		return c.refuse(err, reasonNoMemory)
	}
	c.cargo.fileArrays = append(c.cargo.fileArrays, fileArray{start, o.NumFDs})

	var raw [maxFilesAtOnce * size]byte
	for done := uint64(0); done < o.NumFDs*size; {
		n := min(o.NumFDs*size-done, uint64(len(raw)))
		// Descriptors before an unreadable one are taken first: their errors prevail.
		copied, err := c.uio.CopyIn(c.task, hostarch.Addr(addr+done), raw[:n], ioOpts)
		for i := 0; i+size <= copied; i += size {
			if err := c.takeFile(hostarch.ByteOrder.Uint32(raw[i:]), start+done+uint64(i)); err != nil {
				return err
			}
		}
		if err != nil {
			return c.refuse(linuxerr.EINVAL, reasonFDArray)
		}
		done += n
	}
	return nil
}

// copyBlocks fills the blocks of the receiver.
//
// Errors: EINVAL if the sender's memory can't be read.
func (c *composer) copyBlocks() error {
	g := &c.gather
	slices.SortFunc(g.fixups, func(a, b fixup) int { return cmp.Compare(a.start, b.start) })
	fixups := g.fixups
	for _, bl := range g.blocks {
		done := uint64(0)
		copyTo := func(offset uint64) error {
			if err := c.copyIn(bl.start+done, bl.addr+done, offset-done); err != nil {
				return c.refuseBlock(reasonDataPtr, bl)
			}
			done = offset
			return nil
		}
		for len(fixups) > 0 && fixups[0].start < bl.start+bl.length {
			f := fixups[0]
			fixups = fixups[1:]
			if err := copyTo(f.start - bl.start); err != nil {
				return err
			}
			if f.hasPointer {
				var raw [8]byte
				hostarch.ByteOrder.PutUint64(raw[:], f.pointer)
				if err := c.reservation.Write(f.start, raw[:]); err != nil {
					return err
				}
			}
			done += f.size
		}
		if err := copyTo(bl.length); err != nil {
			return err
		}
	}
	return nil
}

// refuseBlock is refuse for an error in a block, with EINVAL. It blames the block's
// object.
func (c *composer) refuseBlock(why reason, bl block) error {
	c.m.refused = refusalFor(why)
	for offset, err := range c.reservation.Offsets((bl.index + 1) * alloc.OffsetSize) {
		if err == nil {
			c.blame(bl.index, offset) // The last one is the block's.
		}
	}
	return linuxerr.EINVAL
}
