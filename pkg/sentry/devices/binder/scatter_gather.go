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

// Scatter-gather: BINDER_TYPE_PTR describes a block of the sender's memory, which
// goes to the extra space of the receiver's buffer, one block behind the other,
// each aligned to 8 bytes. A block may hold the pointer to a later one, its child,
// and, where a BINDER_TYPE_FDA says so, file descriptors. These places are not
// copied but set to what they are for the receiver: they are fixed up.
//
// Fix-ups come in order: within a block by ascending offset, without overlap, and
// those of a child before any further ones of its parent. So at any time only the
// blocks from the last one up to its outermost parent can have more.

// block is what a BINDER_TYPE_PTR stands for.
type block struct {
	// addr is where it is for the sender, start where it goes, in bytes from
	// the start of the buffer.
	addr, start uint64

	length uint64
}

// openBlock is a block that can have fix-ups.
type openBlock struct {
	block

	// index is the place of the object among all objects.
	index uint64

	// fixed is the offset in the block where its last fix-up ends.
	fixed uint64
}

// fixup is a place in a block that is not copied.
type fixup struct {
	// start is where it is, in bytes from the start of the buffer, and size
	// how long, in bytes.
	start, size uint64

	// pointer is the address that is put there, if hasPointer is true.
	pointer    uint64
	hasPointer bool
}

// gather collects the blocks of a transaction. They are copied in the end, when
// all that is not to be copied is known.
type gather struct {
	// next is where the next block goes, end the end of the space for them,
	// both in bytes from the start of the buffer.
	next, end uint64

	// blocks has all blocks, by ascending start.
	blocks []block

	fixups []fixup

	// open has the blocks that can have more fix-ups, each but the first a
	// child of the one before it.
	open []openBlock
}

// add adds a block of length bytes at addr of the sender.
//
// Errors: EINVAL if there's no room.
func (g *gather) add(addr, length uint64) (block, error) {
	if length > g.end-g.next {
		return block{}, linuxerr.EINVAL
	}
	bl := block{addr, g.next, length}
	g.blocks = append(g.blocks, bl)
	g.next += (length + 7) &^ 7
	return bl, nil
}

// parent returns the block of the object with the given index, if a fix-up at
// offset of it is in order. Its children can have no more.
//
// Errors: EINVAL if it is not.
func (g *gather) parent(index, offset uint64) (*openBlock, error) {
	for i := len(g.open) - 1; i >= 0; i-- {
		if g.open[i].index != index {
			continue
		}
		if offset < g.open[i].fixed {
			break
		}
		g.open = g.open[:i+1]
		return &g.open[i], nil
	}
	return nil, linuxerr.EINVAL
}

// translatePointer takes over the block that o stands for, and points o, and the
// parent if there's one, to where it goes. The object stands at offset.
func (c *composer) translatePointer(o *binder.BufferObject, offset uint64) error {
	g := &c.gather
	bl, err := g.add(o.Buffer, o.Length)
	if err != nil {
		return err
	}
	o.Buffer = uint64(c.reservation.Addr()) + bl.start
	if o.Flags&binder.BINDER_BUFFER_FLAG_HAS_PARENT == 0 {
		g.open = g.open[:0]
	} else {
		parent, err := g.parent(o.Parent, o.ParentOffset)
		if err != nil {
			return err
		}
		const size = 8
		if parent.length < size || o.ParentOffset > parent.length-size {
			return linuxerr.EINVAL
		}
		parent.fixed = o.ParentOffset + size
		g.fixups = append(g.fixups, fixup{
			start:      parent.start + o.ParentOffset,
			size:       size,
			pointer:    o.Buffer,
			hasPointer: true,
		})
	}
	// Linux takes an object at the very start of the data for none at all when
	// it looks for a parent.
	if offset != 0 {
		g.open = append(g.open, openBlock{block: bl, index: c.translated / alloc.OffsetSize})
	}
	return nil
}

// translateFileArray takes the files that o stands for.
//
// Errors: EINVAL if the array is malformed or can't be read, ENOMEM if the
// payer has no room for it, and those of takeFile.
func (c *composer) translateFileArray(o *binder.FDArrayObject) error {
	const size = 4
	parent, err := c.gather.parent(o.Parent, o.ParentOffset)
	if err != nil {
		return err
	}
	if o.NumFDs == 0 {
		// Linux doesn't look where it is, but counts it as the last fix-up.
		parent.fixed = o.ParentOffset
		return nil
	}
	if o.NumFDs > parent.length/size || o.ParentOffset > parent.length-o.NumFDs*size {
		return linuxerr.EINVAL
	}
	parent.fixed = o.ParentOffset + o.NumFDs*size
	addr, start := parent.addr+o.ParentOffset, parent.start+o.ParentOffset
	if addr%size != 0 || start%size != 0 {
		return linuxerr.EINVAL
	}
	c.gather.fixups = append(c.gather.fixups, fixup{start: start, size: o.NumFDs * size})
	if err := c.t.payer.Charge(fileArrayPrice); err != nil {
		return err
	}
	c.cargo.fileArrays = append(c.cargo.fileArrays, fileArray{start, o.NumFDs})

	var raw [maxFilesAtOnce * size]byte
	for done := uint64(0); done < o.NumFDs*size; {
		n := min(o.NumFDs*size-done, uint64(len(raw)))
		// The files before one that can't be read count, for the error.
		copied, err := c.uio.CopyIn(c.task, hostarch.Addr(addr+done), raw[:n], ioOpts)
		for i := 0; i+size <= copied; i += size {
			if err := c.takeFile(hostarch.ByteOrder.Uint32(raw[i:]), start+done+uint64(i)); err != nil {
				return err
			}
		}
		if err != nil {
			return linuxerr.EINVAL
		}
		done += n
	}
	return nil
}

// copyBlocks fills the blocks of the receiver.
//
// Errors: EINVAL if the sender's memory can't be read, or if a fix-up is not
// aligned to 4 bytes.
func (c *composer) copyBlocks() error {
	g := &c.gather
	slices.SortFunc(g.fixups, func(a, b fixup) int { return cmp.Compare(a.start, b.start) })
	fixups := g.fixups
	for _, bl := range g.blocks {
		done := uint64(0)
		copyTo := func(offset uint64) error {
			if err := c.copyIn(bl.start+done, bl.addr+done, offset-done); err != nil {
				return linuxerr.EINVAL
			}
			done = offset
			return nil
		}
		for len(fixups) > 0 && fixups[0].start < bl.start+bl.length {
			f := fixups[0]
			fixups = fixups[1:]
			if f.start%4 != 0 {
				return linuxerr.EINVAL
			}
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
