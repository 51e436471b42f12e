// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package alloc

import (
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/hostarch"

	"sentrybinder/pkg/binder/pool"
)

// minBufferSize is what a buffer without contents occupies, in bytes, so that
// each has an address of its own.
const minBufferSize = 8

// Placement says where a buffer is, and how much is in it: in this order, and each
// aligned to 8 bytes, the data, the offsets of the objects in the data, and extra
// space for the blocks of scatter-gather and for the security context.
//
// +stateify savable
type Placement struct {
	// DebugID is the number of the transaction. No other buffer has it.
	DebugID int32

	// Start is where the buffer is, in bytes from the start of the mapping.
	Start uint64

	// These are the sizes of the contents, in bytes.
	DataSize    uint64
	OffsetsSize uint64
	ExtraSize   uint64
}

// OffsetsStart returns where the offsets lie, in bytes from the start of the
// buffer.
func (p *Placement) OffsetsStart() uint64 { return (p.DataSize + 7) &^ 7 }

// ExtraStart returns where the extra space lies, likewise.
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

// Cargo is what a buffer carries for the user of this package, who makes it known
// to package state.
type Cargo interface {
	// Destroy ends the cargo. It's called once, after the buffer has gone, without
	// any lock held.
	Destroy(ctx context.Context)
}

// fate is what becomes of a buffer.
type fate uint8

const (
	// undelivered: a Reservation, a Buffer or, later, a Claimed decides.
	undelivered fate = iota

	// delivered: the application may free it, by a Claim.
	delivered

	// abandoned: it goes with the process.
	abandoned

	// claimed: a Claimed is about to free it.
	claimed
)

// record is a buffer. A Space has those that are allocated. Beside it only the one
// token, of whatever type, that decides about the buffer has a pointer to its record.
//
// The fields without a comment on locking are immutable.
//
// +stateify savable
type record struct {
	Placement
	space *Space
	size  uint64 // bytes occupied

	// addr is where the application finds it.
	addr hostarch.Addr

	// async is true if the buffer counts against the space for one-way
	// transactions.
	async bool

	// sender is the process that sent the transaction, and spamSuspect true if
	// that is suspected to send too many one-way ones.
	sender      int32
	spamSuspect bool

	// clearOnFree is true if the contents are zeroed when the buffer is freed.
	clearOnFree bool

	cargo Cargo

	// +checklocks:space.mu
	fate fate
}

// isSpaces returns whether the buffer is left to the Space.
func (f *fate) isSpaces() bool { return *f == delivered || *f == abandoned }

// fateOf returns the fate of rec, one of in's buffers.
//
// +checklocksignore: who has in has the lock of the Space, which is rec's.
func (in *inner) fateOf(rec *record) *fate { return &rec.fate }

func (r *record) span() span { return span{r.Start, r.size} }

// records has those of buffers that have gone.
var records pool.Pool[record]

// end ends r, which its Space doesn't have any more: the only place where a record
// goes.
func (r *record) end(ctx context.Context) {
	cargo := r.cargo
	records.Put(r)
	if cargo != nil {
		cargo.Destroy(ctx)
	}
}
