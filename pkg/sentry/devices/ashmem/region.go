// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package ashmem

import (
	gocontext "context"
	"io"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/atomicbitops"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/safemem"
	"gvisor.dev/gvisor/pkg/sentry/fsutil"
	"gvisor.dev/gvisor/pkg/sentry/memmap"
	"gvisor.dev/gvisor/pkg/sentry/pgalloc"
	"gvisor.dev/gvisor/pkg/sentry/usage"
)

// region is the memory of an area, Linux's shmem file. The area and the mappings hold
// references to it, so that it can outlive the area.
//
// It implements memmap.Mappable for shared mappings, and memmap.MappingIdentity for all.
//
// +stateify savable
type region struct {
	refs atomicbitops.Int64

	// mf is the sandbox's.
	mf *pgalloc.MemoryFile `state:"nosave"`

	// size is in bytes, at least 1. It and the next three are immutable.
	size uint64

	// name, devID and fileID are what /proc/PID/maps shows: a file's name, device and inode.
	name   string
	devID  uint64
	fileID uint64

	// mappings holds the shared mappings.
	mapsMu regionMapsMutex `state:"nosave"`
	// +checklocks:mapsMu
	mappings memmap.MappingSet

	// data holds the memory of the pages that were ever touched.
	dataMu regionDataMutex `state:"nosave"`
	// +checklocks:dataMu
	data fsutil.FileRangeSet
}

// newRegion returns a region without data, with one reference.
func newRegion(ctx context.Context, size uint64, name string, devID, fileID uint64) *region {
	return &region{
		refs:   atomicbitops.FromInt64(1),
		mf:     pgalloc.MemoryFileFromContext(ctx),
		size:   size,
		name:   name,
		devID:  devID,
		fileID: fileID,
	}
}

// afterLoad is invoked by stateify.
func (r *region) afterLoad(ctx gocontext.Context) { r.mf = pgalloc.MemoryFileFromContext(ctx) }

// IncRef implements memmap.MappingIdentity.IncRef.
func (r *region) IncRef() { r.refs.Add(1) }

// DecRef implements memmap.MappingIdentity.DecRef.
func (r *region) DecRef(context.Context) {
	if r.refs.Add(-1) != 0 {
		return
	}
	r.dataMu.Lock()
	defer r.dataMu.Unlock()
	r.data.DropAll(r.mf)
}

// MappedName implements memmap.MappingIdentity.MappedName.
func (r *region) MappedName(context.Context) string { return r.name }

// DeviceID implements memmap.MappingIdentity.DeviceID.
func (r *region) DeviceID() uint64 { return r.devID }

// InodeID implements memmap.MappingIdentity.InodeID.
func (r *region) InodeID() uint64 { return r.fileID }

// Msync implements memmap.MappingIdentity.Msync.
func (*region) Msync(context.Context, memmap.MappableRange) error { return nil }

// AddMapping implements memmap.Mappable.AddMapping.
func (r *region) AddMapping(_ context.Context, ms memmap.MappingSpace, ar hostarch.AddrRange, offset uint64, writable bool) error {
	r.mapsMu.Lock()
	defer r.mapsMu.Unlock()
	r.mappings.AddMapping(ms, ar, offset, writable)
	return nil
}

// RemoveMapping implements memmap.Mappable.RemoveMapping.
func (r *region) RemoveMapping(_ context.Context, ms memmap.MappingSpace, ar hostarch.AddrRange, offset uint64, writable bool) {
	r.mapsMu.Lock()
	defer r.mapsMu.Unlock()
	r.mappings.RemoveMapping(ms, ar, offset, writable)
}

// CopyMapping implements memmap.Mappable.CopyMapping.
func (r *region) CopyMapping(ctx context.Context, ms memmap.MappingSpace, _, dstAR hostarch.AddrRange, offset uint64, writable bool) error {
	return r.AddMapping(ctx, ms, dstAR, offset, writable)
}

// InvalidateUnsavable implements memmap.Mappable.InvalidateUnsavable.
func (*region) InvalidateUnsavable(context.Context) error { return nil }

// maxFill bounds what a fault allocates ahead, in bytes. Untouched memory takes nothing.
const maxFill = 64 << 10

// Translate implements memmap.Mappable.Translate.
func (r *region) Translate(ctx context.Context, required, optional memmap.MappableRange, _ hostarch.AccessType) ([]memmap.Translation, error) {
	all := memmap.MappableRange{End: uint64(hostarch.Addr(r.size).MustRoundUp())}
	var eof error
	if required.End > all.End {
		eof = &memmap.BusError{Err: io.EOF}
		if required.Start >= all.End {
			return nil, eof
		}
		required.End = all.End
	}
	optional = optional.Intersect(all)

	r.dataMu.Lock()
	defer r.dataMu.Unlock()
	fill := required
	fill.End = max(fill.End, min(optional.End, fill.Start+maxFill))
	_, err := r.data.Fill(ctx, required, fill, r.size, r.mf, pgalloc.AllocOpts{
		Kind:    usage.Tmpfs,
		MemCgID: pgalloc.MemoryCgroupIDFromContext(ctx),
	}, nil)

	var ts []memmap.Translation
	end := required.Start
	for seg := r.data.FindSegment(end); seg.Ok() && seg.Start() < required.End; seg, _ = seg.NextNonEmpty() {
		source := seg.Range().Intersect(optional)
		ts = append(ts, memmap.Translation{
			Source: source,
			File:   r.mf,
			Offset: seg.FileRangeOf(source).Start,
			Perms:  hostarch.AnyAccess,
		})
		end = source.End
	}
	if end < required.End {
		return ts, &memmap.BusError{Err: err}
	}
	return ts, eof
}

// purge zeroes the data in mr, which is whole pages, and frees its memory.
func (r *region) purge(mr memmap.MappableRange) {
	var freed []memmap.FileRange
	r.mapsMu.Lock()
	r.dataMu.Lock()
	r.data.RemoveRangeWith(mr, func(seg fsutil.FileRangeIterator) {
		freed = append(freed, seg.FileRange())
	})
	r.dataMu.Unlock()
	// From here on faults allocate anew. The old memory is kept until no mapping shows it.
	r.mappings.Invalidate(mr, memmap.InvalidateOpts{})
	r.mapsMu.Unlock()
	for _, fr := range freed {
		r.mf.DecRef(fr)
	}
}

// seekData returns the offset of the first data at or after offset, and seekHole that
// of the first hole, which may be the end. Offsets are in bytes. A page that a fault on
// its neighbour allocated counts as data.
//
// Errors: ENXIO if offset is not in r, or if there is no data.
func (r *region) seekData(offset int64) (int64, error) {
	if offset < 0 || uint64(offset) >= r.size {
		return 0, linuxerr.ENXIO
	}
	r.dataMu.Lock()
	defer r.dataMu.Unlock()
	seg := r.data.LowerBoundSegment(uint64(offset))
	if !seg.Ok() {
		return 0, linuxerr.ENXIO
	}
	return max(offset, int64(seg.Start())), nil
}

func (r *region) seekHole(offset int64) (int64, error) {
	if offset < 0 || uint64(offset) >= r.size {
		return 0, linuxerr.ENXIO
	}
	r.dataMu.Lock()
	defer r.dataMu.Unlock()
	end := uint64(offset)
	for seg := r.data.FindSegment(end); seg.Ok() && seg.Start() <= end; seg = seg.NextSegment() {
		end = seg.End()
	}
	return int64(min(end, r.size)), nil
}

// seek returns the position that whence and offset lead to from pos.
//
// Errors: EINVAL if that is before the start, or if whence is unknown. See also seekData.
func (r *region) seek(pos, offset int64, whence int32) (int64, error) {
	switch whence {
	case linux.SEEK_SET:
		pos = offset
	case linux.SEEK_CUR:
		pos += offset
	case linux.SEEK_END:
		pos = int64(r.size) + offset
	case linux.SEEK_DATA:
		return r.seekData(offset)
	case linux.SEEK_HOLE:
		return r.seekHole(offset)
	default:
		return 0, linuxerr.EINVAL
	}
	if pos < 0 {
		return 0, linuxerr.EINVAL
	}
	return pos, nil
}

// reader implements safemem.Reader for a region, from offset on.
type reader struct {
	r      *region
	offset uint64
}

// ReadToBlocks implements safemem.Reader.ReadToBlocks.
func (rd *reader) ReadToBlocks(dsts safemem.BlockSeq) (uint64, error) {
	r := rd.r
	if rd.offset >= r.size {
		return 0, io.EOF
	}
	dsts = dsts.TakeFirst64(r.size - rd.offset)

	r.dataMu.Lock()
	defer r.dataMu.Unlock()
	var done uint64
	for !dsts.IsEmpty() {
		mr := memmap.MappableRange{Start: rd.offset, End: rd.offset + dsts.NumBytes()}
		var n uint64
		var err error
		if seg, gap := r.data.Find(rd.offset); seg.Ok() {
			var src safemem.BlockSeq
			if src, err = r.mf.MapInternal(seg.FileRangeOf(seg.Range().Intersect(mr)), hostarch.Read); err == nil {
				n, err = safemem.CopySeq(dsts, src)
			}
		} else {
			n, err = safemem.ZeroSeq(dsts.TakeFirst64(gap.Range().Intersect(mr).Length()))
		}
		done += n
		rd.offset += n
		dsts = dsts.DropFirst64(n)
		if err != nil {
			return done, err
		}
	}
	return done, nil
}
