// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"gvisor.dev/gvisor/pkg/context"

	"sentrybinder/pkg/binder/list"
	"sentrybinder/pkg/binder/pool"
	"sentrybinder/pkg/sentry/devices/binder/account"
	"sentrybinder/pkg/sentry/devices/binder/alloc"
)

// cargo is what a buffer carries for the driver. The sender fills it.
//
// +stateify savable
type cargo struct {
	// target is the node that the transaction was sent to, on which the buffer
	// holds a strong local reference. A reply has none.
	target list.Arc[*Node]

	// fileArrays has where the descriptors are that the receiver closes by
	// freeing the buffer.
	fileArrays []fileArray

	// payer is what the buffer is charged to, with its fileArrays.
	payer *account.Account
}

// cargos has those of buffers that have gone.
var cargos pool.Pool[cargo]

// newCargo returns the cargo of a buffer for target, of which it takes over the
// reference. The bufferPrice is charged to payer.
func newCargo(target list.Arc[*Node], payer *account.Account) *cargo {
	c := cargos.Get()
	c.target, c.payer = target, payer
	return c
}

// Destroy implements alloc.Cargo.Destroy. The local reference on the target was
// released before, or goes with the owner.
func (c *cargo) Destroy(ctx context.Context) {
	c.target.Release(ctx)
	c.payer.Credit(bufferPrice + int64(len(c.fileArrays))*fileArrayPrice)
	cargos.Put(c)
}

// targetOf returns the node of a buffer's cargo, or nil if it has none.
func targetOf(c alloc.Cargo) *Node {
	if c, ok := c.(*cargo); ok {
		return c.target.Get()
	}
	return nil
}

// targetNode returns the node that t, which has a buffer, was sent to, or nil if it's a
// reply.
func (t *Transaction) targetNode() *Node { return targetOf(t.buffer.Cargo()) }

// fileArray is a BINDER_TYPE_FDA in a buffer: n file descriptors from start on, in
// bytes from the start of the buffer.
//
// +stateify savable
type fileArray struct {
	start, n uint64
}
