// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package alloc

import (
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/hostarch"

	"sentrybinder/pkg/binder/pool"
)

// minBufferSize is the size of a buffer without contents, in bytes, so that each has
// a distinct address.
const minBufferSize = 8

// Placement is a buffer's place and the sizes of its contents: in this order, and each
// aligned to 8 bytes, the data, the offsets of the objects in the data, and extra space
// for scatter-gather blocks and the security context.
//
// +stateify savable
type Placement struct {
	// DebugID is the number of the transaction. No other buffer has it.
	DebugID int32

	// Start is the offset of the buffer in the mapping, in bytes.
	Start uint64

	// These are the sizes of the contents, in bytes.
	DataSize    uint64
	OffsetsSize uint64
	ExtraSize   uint64
}

// OffsetsStart returns where the offsets start, in bytes from the start of the buffer.
func (p *Placement) OffsetsStart() uint64 { return (p.DataSize + 7) &^ 7 }

// ExtraStart returns where the extra space starts, likewise.
func (p *Placement) ExtraStart() uint64 { return p.OffsetsStart() + (p.OffsetsSize+7)&^7 }

// occupied returns the number of bytes that a buffer with p's contents occupies, or
// false if the sum overflows.
func (p *Placement) occupied() (uint64, bool) {
	var sum uint64
	for _, n := range [...]uint64{p.DataSize, p.OffsetsSize, p.ExtraSize} {
		n, ok := align8(n)
		if !ok || sum+n < sum {
			return 0, false
		}
		sum += n
	}
	return max(sum, minBufferSize), true
}

// Cargo is what a buffer carries for the user of this package, which registers it with
// package state.
type Cargo interface {
	// Destroy ends the cargo. It's called once, after the buffer is gone, with no lock
	// held.
	Destroy(ctx context.Context)
}

// fate says who decides about a buffer.
type fate uint8

const (
	// undelivered: a Reservation, a Buffer or, later, a Claimed decides.
	undelivered fate = iota

	// delivered: the application may free it, by a Claim.
	delivered

	// stranded: it lasts until the process ends.
	stranded

	// claimed: a Claimed is about to free it.
	claimed
)

// record is a buffer. A Space holds those that are allocated. Besides it, only the one
// token, of whatever type, that decides about the buffer points to its record.
//
// Fields without a comment on locking are immutable.
//
// +stateify savable
type record struct {
	Placement
	space *Space
	size  uint64 // bytes occupied

	// addr is its address in the application.
	addr hostarch.Addr

	// async is true if the buffer counts against the space for one-way
	// transactions.
	async bool

	// sender is the process that sent the transaction. spamSuspect is true if it is
	// suspected of sending too many one-way ones.
	sender      int32
	spamSuspect bool

	// clearOnFree is true if the contents are zeroed when the buffer is freed.
	clearOnFree bool

	cargo Cargo

	// +checklocks:space.mu
	fate fate
}

// ownedBySpace returns whether the Space decides about the buffer, rather than a token.
func (f *fate) ownedBySpace() bool { return *f == delivered || *f == stranded }

// fateOf returns the fate of rec, one of in's buffers.
//
// +checklocksignore: in is accessed with the Space's mu held, and the Space is rec's.
func (in *inner) fateOf(rec *record) *fate { return &rec.fate }

func (r *record) span() span { return span{r.Start, r.size} }

// records recycles the records of ended buffers.
var records pool.Pool[record]

// end ends r, which its Space no longer holds. No other place ends a record.
func (r *record) end(ctx context.Context) {
	cargo := r.cargo
	records.Put(r)
	if cargo != nil {
		cargo.Destroy(ctx)
	}
}
