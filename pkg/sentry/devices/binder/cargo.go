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
	// target is the node that the transaction was sent to, to which the buffer
	// holds a strong local reference. A reply has none.
	target list.Arc[*Node]

	// fileArrays locates the descriptors that are closed when the receiver frees the
	// buffer.
	fileArrays []fileArray

	// payer is the account that the buffer and its fileArrays are charged to.
	payer *account.Account
}

// cargos recycles the cargo of freed buffers.
var cargos pool.Pool[cargo]

// newCargo returns the cargo of a buffer for target. It takes over the reference to
// target, and the charge of a bufferPrice to payer.
func newCargo(target list.Arc[*Node], payer *account.Account) *cargo {
	c := cargos.Get()
	c.target, c.payer = target, payer
	return c
}

// Destroy implements alloc.Cargo.Destroy. The local reference to the target was
// released before, or went with the owner.
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

// targetNode returns the node that t, which must have a buffer, was sent to, or nil if
// t is a reply.
func (t *Transaction) targetNode() *Node { return targetOf(t.buffer.Cargo()) }

// fileArray is a BINDER_TYPE_FDA in a buffer: n file descriptors from start on, in
// bytes from the start of the buffer.
//
// +stateify savable
type fileArray struct {
	start, n uint64
}
