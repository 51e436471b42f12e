// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package ashmem

import (
	"math"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/sentry/memmap"
	"gvisor.dev/gvisor/pkg/usermem"

	"sentrybinder/pkg/abi/ashmem"
)

// area is the state of an open of the device: a name, a size and a mask of protections
// and, from its first mapping on, a region of memory.
//
// +stateify savable
type area struct {
	device *Device
	tenant *tenant

	mu areaMutex `state:"nosave"`
	// +checklocks:mu
	inner areaInner
}

// areaInner is the state that area.mu guards.
//
// +stateify savable
type areaInner struct {
	// name lacks the prefix that maps show, and is empty if it was not set.
	name string

	// size is in bytes, unchecked as the application set it.
	size uint64

	// mask is the PROT_ bits that mappings may have.
	mask uint64

	// region is nil until the first mapping. From then on region, name and size don't
	// change.
	region *region

	// unpinned is empty until there is a region, and lies within it.
	unpinned ranges
}

const allProt = linux.PROT_READ | linux.PROT_WRITE | linux.PROT_EXEC

func newArea(d *Device, t *tenant) *area {
	a := &area{device: d, tenant: t}
	a.inner.mask = allProt
	a.inner.unpinned.account = t.account
	return a
}

// release ends the area. Its region stays usable in mappings, with all pages pinned.
func (a *area) release(ctx context.Context) {
	a.mu.Lock()
	a.inner.unpinned.clear()
	a.tenant.update(a, false)
	r := a.inner.region
	a.inner.region = nil
	a.mu.Unlock()
	if r != nil {
		r.DecRef(ctx)
	}
	a.device.tenants.put(a.tenant)
}

// setName names the area.
//
// Errors: EINVAL if it is or was mapped.
func (a *area) setName(name string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.inner.region != nil {
		return linuxerr.EINVAL
	}
	a.inner.name = name
	return nil
}

func (a *area) name() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.inner.name == "" {
		return ashmem.ASHMEM_NAME_DEF
	}
	return a.inner.name
}

// setSize sets the size, in bytes. It accepts sizes that can't be mapped.
//
// Errors: EINVAL if the area is or was mapped.
func (a *area) setSize(size uint64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.inner.region != nil {
		return linuxerr.EINVAL
	}
	a.inner.size = size
	return nil
}

func (a *area) size() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.inner.size
}

// setMask takes protections away from future mappings.
//
// Errors: EINVAL if mask has a bit that the area's mask lacks.
func (a *area) setMask(mask uint64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if mask&^a.inner.mask != 0 {
		return linuxerr.EINVAL
	}
	a.inner.mask = mask
	return nil
}

func (a *area) mask() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.inner.mask
}

// fileID returns the inode number that /proc/PID/maps shows.
//
// Errors: EINVAL if the area was never mapped.
func (a *area) fileID() (uint64, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.inner.region == nil {
		return 0, linuxerr.EINVAL
	}
	return a.inner.region.fileID, nil
}

// mappedRegion returns the region, which is valid while the caller has the area open, or
// nil if the size is 0.
//
// Errors: EBADF if the area was never mapped.
func (a *area) mappedRegion() (*region, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.inner.size == 0 {
		return nil, nil
	}
	if a.inner.region == nil {
		return nil, linuxerr.EBADF
	}
	return a.inner.region, nil
}

// read reads at offset, which is in bytes and not negative.
//
// An area without a size reads as empty.
//
// Errors: io.EOF at the end. See also mappedRegion.
func (a *area) read(ctx context.Context, dst usermem.IOSequence, offset int64) (int64, error) {
	r, err := a.mappedRegion()
	if r == nil || dst.NumBytes() == 0 {
		return 0, err
	}
	return dst.CopyOutFrom(ctx, &reader{r, uint64(offset)})
}

// configureMMap implements vfs.FileDescriptionImpl.ConfigureMMap.
//
// Errors: EINVAL if the length is 0 or exceeds the area, EPERM if the mask lacks a
// protection, and those of mmap(2)'s own checks, which come first: a call that fails
// creates no region, so name and size can still be set.
func (a *area) configureMMap(ctx context.Context, opts *memmap.MMapOpts) error {
	addr, offset := opts.Addr, hostarch.Addr(opts.Offset)
	if opts.Length == 0 || !offset.IsPageAligned() || opts.Fixed && !addr.IsPageAligned() || opts.GrowsDown {
		return linuxerr.EINVAL
	}
	if opts.Length > math.MaxInt64 {
		return linuxerr.ENOMEM
	}
	if opts.Offset > math.MaxInt64-opts.Length {
		return linuxerr.EOVERFLOW
	}
	if !opts.MaxPerms.SupersetOf(opts.Perms) {
		return linuxerr.EACCES
	}

	a.mu.Lock()
	defer a.mu.Unlock()
	in := &a.inner
	if in.size == 0 || in.size > math.MaxInt64 || uint64(hostarch.Addr(opts.Length).MustRoundUp()) > in.pageEnd() {
		return linuxerr.EINVAL
	}
	mask := hostarch.AccessType{
		Read:    in.mask&linux.PROT_READ != 0,
		Write:   in.mask&linux.PROT_WRITE != 0,
		Execute: in.mask&linux.PROT_EXEC != 0,
	}
	if !mask.SupersetOf(opts.Perms) {
		return linuxerr.EPERM
	}
	// What can be written or executed can be read: every mapping is readable.
	opts.MaxPerms = opts.MaxPerms.Intersect(mask.Effective())

	if in.region == nil {
		in.region = newRegion(ctx, in.size, in.mappedName(), a.device.devID, a.device.lastFileID.Add(1))
	}
	opts.SentryOwnedContent = true
	opts.MappingIdentity = in.region
	in.region.IncRef()
	if opts.Private {
		// As on Linux, it gets its own memory, zeroed, and shares only the name.
		return nil
	}
	opts.Mappable = in.region
	opts.NameMut = memmap.NameMutAnonShmem
	return nil
}

// pageEnd returns the size in bytes, rounded up to whole pages.
//
// Preconditions: The size is at most a file's maximum.
func (in *areaInner) pageEnd() uint64 { return uint64(hostarch.Addr(in.size).MustRoundUp()) }

// mappedName returns the name that /proc/PID/maps shows: a deleted file's.
func (in *areaInner) mappedName() string {
	name := "/" + ashmem.ASHMEM_NAME_DEF
	if in.name != "" {
		name += "/" + in.name
	}
	return name + " (deleted)"
}

// pages returns the pages of pin. ok is false if there are none.
//
// Errors: EINVAL if there is no region, or if pin is not whole pages in it.
func (in *areaInner) pages(pin ashmem.Pin) (p pages, ok bool, err error) {
	if in.region == nil {
		return pages{}, false, linuxerr.EINVAL
	}
	start, end := uint64(pin.Offset), in.pageEnd()
	if pin.Len != 0 {
		end = start + uint64(pin.Len)
	}
	if !hostarch.IsPageAligned(start) || !hostarch.IsPageAligned(end) || start > end || end > in.pageEnd() {
		return pages{}, false, linuxerr.EINVAL
	}
	return pages{start / hostarch.PageSize, end / hostarch.PageSize}, start < end, nil
}

// pin pins pages, and returns whether any of them may have been purged.
//
// Errors: those of areaInner.pages and ranges.pin.
func (a *area) pin(pin ashmem.Pin) (purged bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p, ok, err := a.inner.pages(pin)
	if !ok {
		return false, err
	}
	purged, err = a.inner.unpinned.pin(p)
	a.tenant.update(a, a.inner.unpinned.hasPurgeable())
	return purged, err
}

// unpin makes pages purgeable.
//
// Errors: those of areaInner.pages and ranges.unpin.
func (a *area) unpin(pin ashmem.Pin) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	p, ok, err := a.inner.pages(pin)
	if !ok {
		return err
	}
	err = a.inner.unpinned.unpin(p)
	a.tenant.update(a, a.inner.unpinned.hasPurgeable())
	return err
}

// isPinned returns whether all pages are pinned.
//
// Errors: those of areaInner.pages.
func (a *area) isPinned(pin ashmem.Pin) (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p, ok, err := a.inner.pages(pin)
	if !ok {
		return true, err
	}
	return a.inner.unpinned.isPinned(p), nil
}

// purge purges all unpinned pages, and returns their number.
func (a *area) purge() (n uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.inner.region
	a.inner.unpinned.purge(func(p pages) {
		n += p.len()
		r.purge(memmap.MappableRange{Start: p.first * hostarch.PageSize, End: p.end * hostarch.PageSize})
	})
	a.tenant.update(a, false)
	return n
}
