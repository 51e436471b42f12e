// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binderfs

import (
	"slices"

	"gvisor.dev/gvisor/pkg/errors/linuxerr"

	"sentrybinder/pkg/binder/idpool"
)

// There are numMinors minor numbers. Instances get them in blocks. One block is what
// an instance without the option max may use.
const (
	numMinors  = 1 << 20
	blockSize  = defaultMax
	numBlocks  = numMinors / blockSize
	defaultMax = 4096
)

// blocks allocates blocks of minor numbers. Each goes to one instance, until none is
// left: then instances share them, and the numbers of their devices, which lead
// nowhere anyway, are no longer distinct. So no instance can exhaust them for others.
//
// +stateify savable
type blocks struct {
	// mu is a leaf.
	mu blocksMutex `state:"nosave"`

	// users counts the instances that hold each block.
	// +checklocks:mu
	users [numBlocks]uint32
}

// get returns a block that is not in have: the first of those with the fewest users.
// It returns false if have holds all.
func (b *blocks) get(have []uint32) (uint32, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	best, ok := uint32(0), false
	for block, users := range b.users {
		if (!ok || users < b.users[best]) && !slices.Contains(have, uint32(block)) {
			best, ok = uint32(block), true
		}
	}
	if ok {
		b.users[best]++
	}
	return best, ok
}

// put returns blocks that get returned.
func (b *blocks) put(blocks []uint32) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, block := range blocks {
		b.users[block]--
	}
}

// minors are the minor numbers that an instance uses. Its user's lock guards them.
//
// +stateify savable
type minors struct {
	// pool holds the indexes in use: those of the i-th block start at i*blockSize.
	pool idpool.Pool

	// blocks are the instance's blocks.
	blocks []uint32
}

func newMinors() minors { return minors{pool: idpool.New(numMinors)} }

// len returns the number of minor numbers in use.
func (m *minors) len() int { return m.pool.Len() }

// get returns the lowest free number of the first block that has one.
//
// Errors: ENOSPC if none is free.
func (m *minors) get(from *blocks) (uint32, error) {
	id, ok := m.pool.FindUnused(0)
	for !ok {
		request, more := m.pool.GrowRequest()
		if !more {
			return 0, linuxerr.ENOSPC
		}
		m.pool.Grow(request.Alloc())
		id, ok = m.pool.FindUnused(0)
	}
	i := uint32(id.ID())
	if int(i/blockSize) == len(m.blocks) {
		block, ok := from.get(m.blocks)
		if !ok {
			return 0, linuxerr.ENOSPC
		}
		m.blocks = append(m.blocks, block)
	}
	if err := id.Acquire(); err != nil {
		return 0, linuxerr.ENOSPC
	}
	return m.blocks[i/blockSize]*blockSize + i%blockSize, nil
}

// put frees a number, and the memory that it no longer needs.
func (m *minors) put(minor uint32) {
	i := slices.Index(m.blocks, minor/blockSize)
	if i < 0 || m.pool.Release(i*blockSize+int(minor%blockSize)) != nil {
		return
	}
	if request, ok := m.pool.ShrinkRequest(); ok {
		m.pool.Shrink(request.Alloc())
	}
}
