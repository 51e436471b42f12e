// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"sentrybinder/pkg/binder/idpool"
	"sentrybinder/pkg/binder/kvvec"
	"sentrybinder/pkg/sentry/devices/binder/account"
)

// handlesPerChunk is the number of handles in a chunk of a handleTable: a chunk
// is one page.
const handlesPerChunk = 510

// handleChunk is a piece of a handleTable.
//
// +stateify savable
type handleChunk struct {
	refs [handlesPerChunk]*Ref
	used int

	// payer is the account that the chunk is charged to: that of the Ref it was
	// allocated for.
	payer *account.Account
}

// handleTable maps handles to Refs. Lookup takes constant time; allocation costs
// what idpool costs. Growing and shrinking move whole chunks and copy no entries.
//
// Its user is a Process, whose refsMu guards it.
//
// +stateify savable
type handleTable struct {
	// ids holds the handles in use.
	ids idpool.Pool

	// chunks holds the Refs. A nil chunk holds none.
	chunks kvvec.Vec[*handleChunk]
}

// get returns the Ref for handle, or nil.
func (t *handleTable) get(handle uint32) *Ref {
	i := int(handle / handlesPerChunk)
	if i >= t.chunks.Len() {
		return nil
	}
	chunk := t.chunks.At(i)
	if chunk == nil {
		return nil
	}
	return chunk.refs[handle%handlesPerChunk]
}

// insert maps id to ref, at payer's expense.
//
// Errors: ENOMEM if payer has no room for what the table needs.
//
// Preconditions: id maps to no Ref.
func (t *handleTable) insert(id idpool.Unused, ref *Ref, payer *account.Account) error {
	handle := uint32(id.ID())
	i := int(handle / handlesPerChunk)
	for t.chunks.Len() <= i {
		t.chunks.Append(nil)
	}
	chunk := t.chunks.At(i)
	if chunk == nil {
		if err := payer.Charge(handleChunkPrice); err != nil {
			return err
		}
		chunk = &handleChunk{payer: payer}
		t.chunks.Set(i, chunk)
	}
	if err := id.Acquire(); err != nil {
		warnings().Warningf("binder: handle %d was found, but can't be used: %v", handle, err)
	}
	chunk.refs[handle%handlesPerChunk] = ref
	chunk.used++
	return nil
}

// remove frees handle, which is in use.
func (t *handleTable) remove(handle uint32) {
	i := int(handle / handlesPerChunk)
	chunk := t.chunks.At(i)
	chunk.refs[handle%handlesPerChunk] = nil
	if chunk.used--; chunk.used == 0 {
		t.chunks.Set(i, nil)
		chunk.payer.Credit(handleChunkPrice)
	}
	if err := t.ids.Release(int(handle)); err != nil {
		warnings().Warningf("binder: handle %d was in the table and not in use: %v", handle, err)
	}
}

// next appends to refs, up to its capacity, the Refs with the lowest handles from
// handle on. It returns the handle to resume from, and whether there are more.
func (t *handleTable) next(handle uint32, refs []*Ref) (found []*Ref, next uint32, more bool) {
	// One chunk at most: each entry is a step, even if it is empty.
	end := min((handle/handlesPerChunk+1)*handlesPerChunk, t.end())
	for ; handle < end && len(refs) < cap(refs); handle++ {
		if r := t.get(handle); r != nil {
			refs = append(refs, r)
		}
	}
	return refs, handle, handle < t.end()
}

// end returns an exclusive upper bound on the handles in use.
func (t *handleTable) end() uint32 { return uint32(t.chunks.Len() * handlesPerChunk) }
