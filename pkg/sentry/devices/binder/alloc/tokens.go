// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package alloc

import (
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/safemem"
	"gvisor.dev/gvisor/pkg/sync"
)

// Tokens are values that must not be copied, which go vet checks. A method that ends one
// empties it. See doc.go.

// Reservation is a buffer that the sender fills. Its memory is pinned.
type Reservation struct {
	noCopy sync.NoCopy
	contents
}

// Blocks returns n bytes of the buffer from offset on. They are valid until the
// Reservation ends.
//
// Errors: EFAULT if they are not all in the buffer.
func (r *Reservation) Blocks(offset, n uint64) (safemem.BlockSeq, error) { return r.blocks(offset, n) }

// Write copies src to the buffer at offset.
//
// Errors: EFAULT if this reaches beyond the buffer.
func (r *Reservation) Write(offset uint64, src []byte) error { return r.write(offset, src) }

// Commit ends r: the buffer is ready to be sent.
func (r *Reservation) Commit() Buffer {
	rec := r.rec
	*r = Reservation{}
	return Buffer{described: described{rec}}
}

// Abort ends r, whose buffer is not sent but freed.
func (r *Reservation) Abort() Claimed {
	c := r.contents
	*r = Reservation{}
	return Claimed{contents: c}
}

// Buffer is a buffer on its way to the receiver. Its memory is pinned.
//
// +stateify savable
type Buffer struct {
	noCopy sync.NoCopy `state:"nosave"`
	described
}

// Write copies src to the buffer at offset.
//
// Errors: EFAULT if this reaches beyond the buffer.
func (b *Buffer) Write(offset uint64, src []byte) error {
	if b.rec == nil {
		return linuxerr.EFAULT
	}
	s := b.rec.space
	s.mu.Lock()
	c := contents{b.described, s.inner.memoryOf(b.rec)}
	s.mu.Unlock()
	return c.write(offset, src)
}

// Deliver ends b: the application knows the buffer, and may free it.
func (b *Buffer) Deliver(ctx context.Context) { b.leaveToSpace(ctx, delivered) }

// Strand ends b, which the application will never know: the buffer stays until the process
// ends.
func (b *Buffer) Strand(ctx context.Context) { b.leaveToSpace(ctx, stranded) }

// leaveToSpace leaves the buffer to the Space, with fate f.
func (b *Buffer) leaveToSpace(ctx context.Context, f fate) {
	rec := b.rec
	*b = Buffer{}
	if rec == nil {
		return
	}
	s := rec.space
	s.mu.Lock()
	rec.fate = f
	released := s.inner.released
	if released {
		s.inner.remove(rec)
	}
	memory := s.inner.unpin()
	s.mu.Unlock()
	if released {
		s.drop(memory)
		rec.end(ctx)
	}
}

// Recall ends b, which was not received, so that it can be freed.
func (b *Buffer) Recall() Claimed {
	rec := b.rec
	*b = Buffer{}
	if rec == nil {
		return Claimed{}
	}
	s := rec.space
	s.mu.Lock()
	defer s.mu.Unlock()
	return Claimed{contents: contents{described{rec}, s.inner.memoryOf(rec)}}
}

// Claim returns the buffer at address addr of the process, for the application to free.
// It can't claim it again.
//
// Errors: ENOENT if there's no buffer at addr, EPERM if the application has not
// received it or has already claimed it.
func (s *Space) Claim(addr hostarch.Addr) (Claimed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rec, err := s.inner.claim(addr)
	if err != nil {
		return Claimed{}, err
	}
	return Claimed{contents: contents{described{rec}, s.inner.pin(rec)}}, nil
}

// Claimed is a buffer that only its holder can reach, and free. Its memory is pinned.
type Claimed struct {
	noCopy sync.NoCopy
	contents
}

// Free ends c, its buffer and its cargo.
func (c *Claimed) Free(ctx context.Context) {
	rec := c.rec
	if rec == nil {
		return
	}
	if rec.clearOnFree {
		c.zero()
	}
	*c = Claimed{}
	s := rec.space
	s.mu.Lock()
	s.inner.remove(rec)
	becameCandidate := s.inner.noteFreed(rec)
	memory := s.inner.unpin()
	s.mu.Unlock()
	s.drop(memory)
	if becameCandidate {
		s.reclaimer.add(&s.candidate)
	}
	rec.end(ctx)
}
