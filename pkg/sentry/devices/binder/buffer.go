// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"gvisor.dev/gvisor/pkg/context"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/sentry/devices/binder/alloc"
)

// freeBuffer frees b, a buffer of p whose transaction was queued. The next one-way
// transaction to the same node can then be queued.
//
// Preconditions: No lock is held.
func (p *Process) freeBuffer(ctx context.Context, b *alloc.Claimed) {
	if n := targetOf(b.Cargo()); n != nil && b.Async() {
		n.owner.mu.Lock()
		n.nextAsyncLocked(ctx)
		n.owner.mu.Unlock()
	}
	placed := b.Placement()
	p.discardBuffer(ctx, b, placed.OffsetsSize)
}

// discardBuffer frees b, a buffer of p, and the references that it holds: to its
// target, and those of the objects in the first end bytes of offsets.
//
// Preconditions: No lock is held.
func (p *Process) discardBuffer(ctx context.Context, b *alloc.Claimed, end uint64) {
	if n := targetOf(b.Cargo()); n != nil {
		n.dec(ctx, true, false)
	}
	for offset, err := range b.Offsets(end) {
		if err != nil {
			break
		}
		p.releaseObject(ctx, b, offset)
	}
	b.Free(ctx)
}

// releaseObject drops the reference that the object at offset in b holds.
func (p *Process) releaseObject(ctx context.Context, b *alloc.Claimed, offset uint64) {
	var raw [maxObjectSize]byte
	dataSize := b.Placement().DataSize
	if offset > dataSize {
		return
	}
	n := min(dataSize-offset, uint64(len(raw)))
	if n < binder.SizeOfObjectHeader || b.Read(offset, raw[:n]) != nil || objectSize(raw[:]) > n {
		return
	}
	p.releaseReference(ctx, raw[:])
}

// releaseReference drops the reference that the object in raw stands for.
//
// Preconditions: No lock is held.
func (p *Process) releaseReference(ctx context.Context, raw []byte) {
	var o binder.FlatObject
	switch objectType(raw) {
	case binder.BINDER_TYPE_BINDER, binder.BINDER_TYPE_WEAK_BINDER:
		o.UnmarshalUnsafe(raw)
		p.mu.Lock()
		defer p.mu.Unlock()
		if node := p.nodeLocked(o.Binder); node != nil {
			node.decLocked(ctx, p, o.Type == binder.BINDER_TYPE_BINDER, false)
		}
	case binder.BINDER_TYPE_HANDLE, binder.BINDER_TYPE_WEAK_HANDLE:
		o.UnmarshalUnsafe(raw)
		_ = p.changeRef(ctx, uint32(o.Binder), false, o.Type == binder.BINDER_TYPE_HANDLE)
	}
	// A delivered file is the receiver's to close or, in an array, was closed by
	// Thread.closeFiles. Other objects hold nothing outside the buffer.
}
