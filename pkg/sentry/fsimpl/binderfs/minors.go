// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binderfs

import (
	"slices"

	"gvisor.dev/gvisor/pkg/errors/linuxerr"

	"sentrybinder/pkg/binder/idpool"
)

// There are numMinors minor numbers. Instances get them by the block, and a block
// is as much as an instance that says nothing of max may use.
const (
	numMinors  = 1 << 20
	blockSize  = defaultMax
	numBlocks  = numMinors / blockSize
	defaultMax = 4096
)

// blocks gives out blocks of minor numbers. Each goes to one instance, until there
// are no more: then instances share them, and no longer differ by the numbers of
// their devices, which lead nowhere anyway. So nobody can keep others from having
// devices.
//
// +stateify savable
type blocks struct {
	// mu is a leaf.
	mu blocksMutex `state:"nosave"`

	// users counts the instances that have a block.
	// +checklocks:mu
	users [numBlocks]uint32
}

// get returns a block other than those in have: the first of those that the fewest
// instances have. It returns false if have has all.
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

// put gives back what get has returned.
func (b *blocks) put(blocks []uint32) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, block := range blocks {
		b.users[block]--
	}
}

// minors are the minor numbers that an instance uses. Its user has a lock for
// them.
//
// +stateify savable
type minors struct {
	// pool has the indexes in use: those of the i-th block begin at i*blockSize.
	pool idpool.Pool

	// blocks are the instance's.
	blocks []uint32
}

func newMinors() minors { return minors{pool: idpool.New(numMinors)} }

// len returns how many numbers are in use.
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

// put frees a number, and memory with it.
func (m *minors) put(minor uint32) {
	i := slices.Index(m.blocks, minor/blockSize)
	if i < 0 || m.pool.Release(i*blockSize+int(minor%blockSize)) != nil {
		return
	}
	if request, ok := m.pool.ShrinkRequest(); ok {
		m.pool.Shrink(request.Alloc())
	}
}
