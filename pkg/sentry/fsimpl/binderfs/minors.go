// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binderfs

import (
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/log"
	"gvisor.dev/gvisor/pkg/sync"

	"sentrybinder/pkg/binder/idpool"
)

// maxMinors is the number of minor numbers, and reservedMinors how many of them
// are kept for instances of the root user namespace.
const (
	maxMinors      = 1 << 20
	reservedMinors = 4
)

// minors are the minor numbers of all instances' devices.
//
// +stateify savable
type minors struct {
	// mu is a leaf.
	mu sync.Mutex `state:"nosave"`

	// +checklocks:mu
	pool idpool.Pool
}

func (m *minors) init() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pool = idpool.New(maxMinors)
}

// get returns the lowest free number. Only a privileged caller may have the last
// ones.
//
// Errors: ENOSPC if none is free.
func (m *minors) get(privileged bool) (uint32, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for {
		if id, ok := m.pool.FindUnused(0); ok {
			if id.ID() >= maxMinors-reservedMinors && !privileged {
				return 0, linuxerr.ENOSPC
			}
			if err := id.Acquire(); err != nil {
				log.Warningf("binderfs: minor number %d was found, but can't be used: %v", id.ID(), err)
				return 0, linuxerr.ENOSPC
			}
			return uint32(id.ID()), nil
		}
		request, ok := m.pool.GrowRequest()
		if !ok {
			return 0, linuxerr.ENOSPC
		}
		m.mu.Unlock()
		resizer := request.Alloc()
		m.mu.Lock()
		m.pool.Grow(resizer)
	}
}

// release frees a number, and memory with it.
func (m *minors) release(minor uint32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.pool.Release(int(minor)); err != nil {
		log.Warningf("binderfs: minor number %d: %v", minor, err)
	}
	request, ok := m.pool.ShrinkRequest()
	if !ok {
		return
	}
	m.mu.Unlock()
	resizer := request.Alloc()
	m.mu.Lock()
	m.pool.Shrink(resizer)
}
