// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/sentry/memmap"
)

// A Process is the memmap.Mappable of its mapping: one mapping, by the process
// that opened the device, established once, from offset 0. The process receives
// as long as the mapping is whole and has not moved.

// AddMapping implements memmap.Mappable.AddMapping.
//
// Errors: see alloc.Space.Map.
func (p *Process) AddMapping(ctx context.Context, ms memmap.MappingSpace, ar hostarch.AddrRange, offset uint64, writable bool) error {
	return p.alloc.Map(ms, ar)
}

// DontFork implements memmap.DontForkMappable.DontFork: a child inherits no mapping
// (see runsc/patches: without that interface, fork fails while the mapping exists).
func (p *Process) DontFork() bool { return true }

// RemoveMapping implements memmap.Mappable.RemoveMapping.
func (p *Process) RemoveMapping(ctx context.Context, ms memmap.MappingSpace, ar hostarch.AddrRange, offset uint64, writable bool) {
	p.alloc.Unmap()
}

// CopyMapping implements memmap.Mappable.CopyMapping. The mapping can be moved, but
// buffers have addresses in the old place: to the driver, the mapping is gone.
func (p *Process) CopyMapping(ctx context.Context, ms memmap.MappingSpace, srcAR, dstAR hostarch.AddrRange, offset uint64, writable bool) error {
	return nil
}

// Translate implements memmap.Mappable.Translate.
func (p *Process) Translate(ctx context.Context, required, optional memmap.MappableRange, at hostarch.AccessType) ([]memmap.Translation, error) {
	return p.alloc.Translate(required, optional)
}

// InvalidateUnsavable implements memmap.Mappable.InvalidateUnsavable. It is called
// before a checkpoint, and frees the memory that buffers don't use: the image has none
// of it, and the Reclaimer has nothing left to do.
func (p *Process) InvalidateUnsavable(context.Context) error {
	p.alloc.ReclaimAll()
	return nil
}
