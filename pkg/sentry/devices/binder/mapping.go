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
// as long as it is whole and in its place.

// AddMapping implements memmap.Mappable.AddMapping.
//
// Errors: see alloc.Space.Map.
func (p *Process) AddMapping(ctx context.Context, ms memmap.MappingSpace, ar hostarch.AddrRange, offset uint64, writable bool) error {
	return p.alloc.Map(ms, ar)
}

// DontFork implements memmap.DontForkMappable.DontFork: a child inherits no
// mapping. A gVisor without that interface, which one of runsc/patches adds, does
// not ask: there, fork fails as long as the mapping exists.
func (p *Process) DontFork() bool { return true }

// RemoveMapping implements memmap.Mappable.RemoveMapping.
func (p *Process) RemoveMapping(ctx context.Context, ms memmap.MappingSpace, ar hostarch.AddrRange, offset uint64, writable bool) {
	p.alloc.Unmap()
}

// CopyMapping implements memmap.Mappable.CopyMapping. The mapping can be moved,
// but what is sent to the process would still be found in the old place: to the
// driver, it is gone.
func (p *Process) CopyMapping(ctx context.Context, ms memmap.MappingSpace, srcAR, dstAR hostarch.AddrRange, offset uint64, writable bool) error {
	return nil
}

// Translate implements memmap.Mappable.Translate.
func (p *Process) Translate(ctx context.Context, required, optional memmap.MappableRange, at hostarch.AccessType) ([]memmap.Translation, error) {
	return p.alloc.Translate(required, optional)
}

// InvalidateUnsavable implements memmap.Mappable.InvalidateUnsavable. It's called
// before a checkpoint, which then has no memory in it that no buffer uses, and
// none that the Reclaimer must see to.
func (p *Process) InvalidateUnsavable(context.Context) error {
	p.alloc.ReclaimAll()
	return nil
}
