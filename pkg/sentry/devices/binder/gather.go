// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

// block is what a BINDER_TYPE_PTR stands for.
type block struct {
	// addr is where it is for the sender, start where it goes, in bytes from
	// the start of the buffer.
	addr, start uint64

	length uint64

	// index is the place of the object among all objects.
	index uint64
}

// openBlock is a block that can have fix-ups.
type openBlock struct {
	block

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

// room returns how long the next block may be.
func (g *gather) room() uint64 { return g.end - g.next }

// add adds a block of length bytes at addr of the sender: that of the object with the
// given index.
//
// Preconditions: There's room for it.
func (g *gather) add(addr, length, index uint64) block {
	bl := block{addr, g.next, length, index}
	g.blocks = append(g.blocks, bl)
	g.next += (length + 7) &^ 7
	return bl
}

// parent returns the block of the object with the given index, if a fix-up at
// offset of it is in order. Its children can have no more. Else it returns nil, and
// why.
func (g *gather) parent(index, offset uint64) (*openBlock, *refusal) {
	for i := len(g.open) - 1; i >= 0; i-- {
		if g.open[i].index != index {
			continue
		}
		if offset < g.open[i].fixed {
			return nil, refusalFor(reasonFixupOrder, offset, g.open[i].fixed)
		}
		g.open = g.open[:i+1]
		return &g.open[i], nil
	}
	for i := range g.blocks {
		if g.blocks[i].index == index {
			return nil, refusalFor(reasonFixupOrder, offset, g.blocks[i].length)
		}
	}
	return nil, refusalFor(reasonParent, index)
}
