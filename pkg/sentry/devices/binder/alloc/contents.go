// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package alloc

import (
	"iter"

	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/safemem"
	"gvisor.dev/gvisor/pkg/sentry/memmap"
)

// OffsetSize is the size of one of a buffer's offsets, in bytes.
const OffsetSize = 8

// described is a pointer to a record, embedded in the types that have one.
//
// +stateify savable
type described struct {
	rec *record
}

// Ok returns whether there's a buffer. Without one, a token's methods do nothing and
// return zero values or errors.
func (d *described) Ok() bool { return d.rec != nil }

// Placement returns the buffer's place and the sizes of its contents.
func (d *described) Placement() Placement {
	if d.rec == nil {
		return Placement{}
	}
	return d.rec.Placement
}

// Addr returns the buffer's address in the application.
func (d *described) Addr() hostarch.Addr {
	if d.rec == nil {
		return 0
	}
	return d.rec.addr
}

// Cargo returns the buffer's cargo.
func (d *described) Cargo() Cargo {
	if d.rec == nil {
		return nil
	}
	return d.rec.cargo
}

// Sender returns the process that sent the transaction.
func (d *described) Sender() int32 {
	if d.rec == nil {
		return 0
	}
	return d.rec.sender
}

// Async returns whether the buffer counts against the space for one-way
// transactions.
func (d *described) Async() bool { return d.rec != nil && d.rec.async }

// SpamSuspect returns whether this transaction makes its sender suspected of sending
// too many one-way transactions.
func (d *described) SpamSuspect() bool { return d.rec != nil && d.rec.spamSuspect }

// contents is a buffer whose memory is pinned.
type contents struct {
	described

	// memory is the buffer's memory, or empty if the Space had none any more.
	memory memmap.FileRange
}

// blocks returns n bytes of the buffer from offset on, mapped in the sentry. The
// application can only read them.
//
// Errors: EFAULT if they are not all in the buffer.
func (c *contents) blocks(offset, n uint64) (safemem.BlockSeq, error) {
	if n == 0 {
		return safemem.BlockSeq{}, nil
	}
	size := c.memory.Length()
	if n > size || offset > size-n {
		return safemem.BlockSeq{}, linuxerr.EFAULT
	}
	start := c.memory.Start + offset
	return c.rec.space.mf.MapInternal(memmap.FileRange{Start: start, End: start + n}, hostarch.ReadWrite)
}

// Read fills dst from the buffer at offset.
//
// Errors: EFAULT if this reaches beyond the buffer.
func (c *contents) Read(offset uint64, dst []byte) error {
	src, err := c.blocks(offset, uint64(len(dst)))
	if err != nil {
		return err
	}
	_, err = safemem.CopySeq(safemem.BlockSeqOf(safemem.BlockFromSafeSlice(dst)), src)
	return err
}

func (c *contents) write(offset uint64, src []byte) error {
	dst, err := c.blocks(offset, uint64(len(src)))
	if err != nil {
		return err
	}
	_, err = safemem.CopySeq(dst, safemem.BlockSeqOf(safemem.BlockFromSafeSlice(src)))
	return err
}

// zero clears the buffer.
func (c *contents) zero() {
	if dst, err := c.blocks(0, c.memory.Length()); err == nil {
		_, _ = safemem.ZeroSeq(dst)
	}
}

// Offsets yields the offsets in the first size bytes of the buffer's offsets, or an
// error if they can't be read.
func (c *contents) Offsets(size uint64) iter.Seq2[uint64, error] {
	return func(yield func(uint64, error) bool) {
		if size == 0 {
			return
		}
		if c.rec == nil || size > c.rec.OffsetsSize {
			yield(0, linuxerr.EFAULT)
			return
		}
		var batch [32 * OffsetSize]byte
		for at := uint64(0); at < size; at += uint64(len(batch)) {
			n := min(size-at, uint64(len(batch)))
			if err := c.Read(c.rec.OffsetsStart()+at, batch[:n]); err != nil {
				yield(0, err)
				return
			}
			for i := uint64(0); i < n; i += OffsetSize {
				if !yield(hostarch.ByteOrder.Uint64(batch[i:]), nil) {
					return
				}
			}
		}
	}
}
