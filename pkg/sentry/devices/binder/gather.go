// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

// block is the memory that a BINDER_TYPE_PTR describes.
type block struct {
	// addr is its address in the sender, start its place in the receiver, in bytes
	// from the start of the buffer.
	addr, start uint64

	length uint64

	// index is the index of the object among all objects.
	index uint64
}

// openBlock is a block that may get more fix-ups.
type openBlock struct {
	block

	// fixed is the offset in the block at which its last fix-up ends.
	fixed uint64
}

// fixup is a part of a block that is not copied.
type fixup struct {
	// start is its offset from the start of the buffer, and size its length, in bytes.
	start, size uint64

	// pointer is the address written there, if hasPointer is true.
	pointer    uint64
	hasPointer bool
}

// gather collects the blocks of a transaction. They are copied last, once all
// fix-ups are known.
type gather struct {
	// next is where the next block goes, and end the end of the space for blocks,
	// both in bytes from the start of the buffer.
	next, end uint64

	// blocks holds all blocks, by ascending start.
	blocks []block

	fixups []fixup

	// open holds the blocks that may get more fix-ups, each but the first a child of
	// the one before it.
	open []openBlock
}

// room returns the maximum length of the next block, in bytes.
func (g *gather) room() uint64 { return g.end - g.next }

// add adds the block of the object with the given index: length bytes at the sender's
// addr.
//
// Preconditions: There is room for it.
func (g *gather) add(addr, length, index uint64) block {
	bl := block{addr, g.next, length, index}
	g.blocks = append(g.blocks, bl)
	g.next += (length + 7) &^ 7
	return bl
}

// parent returns the block of the object with the given index if it may get a fix-up
// at offset, after which its children get no more. Otherwise it returns nil, and why.
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
