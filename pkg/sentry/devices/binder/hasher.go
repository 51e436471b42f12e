// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"fmt"
	"hash/maphash"
)

// hasher hides addresses from log readers, as Linux does: it reveals only which ones are
// equal.
//
// +stateify savable
type hasher struct {
	// seed is chosen anew after a restore.
	seed maphash.Seed `state:"nosave"`
}

func (h *hasher) init() { h.seed = maphash.MakeSeed() }

// address returns the hash of addr: zero for zero, otherwise 32 bits.
func (h *hasher) address(addr uint64) uint64 { return hashed(h, addr) }

// hashed returns the hash of v: zero for the zero value, otherwise 32 bits.
func hashed[T comparable](h *hasher, v T) uint64 {
	var zero T
	if v == zero {
		return 0
	}
	return uint64(uint32(maphash.Comparable(h.seed, v)))
}

// pointers says how the addresses of an application's nodes are shown.
type pointers struct {
	// hasher is nil if they are shown unchanged.
	hasher *hasher
}

// format returns addr as a log shows it.
func (p pointers) format(addr uint64) string {
	if p.hasher != nil {
		addr = p.hasher.address(addr)
	}
	return fmt.Sprintf("%016x", addr)
}
