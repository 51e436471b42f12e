// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"gvisor.dev/gvisor/pkg/bitmap"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/safemem"
	"gvisor.dev/gvisor/pkg/sentry/memmap"
	"gvisor.dev/gvisor/pkg/sentry/pgalloc"
	"gvisor.dev/gvisor/pkg/sentry/usage"
	"gvisor.dev/gvisor/pkg/sync"

	"sentrybinder/pkg/binder/list"
	"sentrybinder/pkg/sentry/devices/binder/account"
)

// maxMappingSize is the most of a mapping that the driver uses, in bytes. A
// longer mapping is allowed; the rest of it is never filled.
const maxMappingSize = 4 << 20

// minBufferSize is what a buffer without contents occupies, in bytes, so that
// each has an address of its own.
const minBufferSize = 8

// placement says where a buffer is, and how much is in it.
//
// +stateify savable
type placement struct {
	// debugID is the number of the transaction. No other buffer has it.
	debugID int32

	start uint64 // bytes from the start of the mapping

	// These are the sizes of the contents, in bytes.
	dataSize    uint64
	offsetsSize uint64
	extraSize   uint64
}

// buffer is a piece of the mapping of the process that receives a transaction.
// It holds, in this order and each aligned to 8 bytes: the data, the offsets of
// the objects in the data, and extra space: for the blocks of scatter-gather, and
// for the security context.
//
// The fields without a comment on locking are immutable.
//
// +stateify savable
type buffer struct {
	placement
	size uint64 // bytes occupied

	// addr is where the application finds it.
	addr hostarch.Addr

	// async is true if the buffer counts against the space for one-way
	// transactions.
	async bool

	// sender is the process that sent the transaction, and spamSuspect true if
	// that is suspected to send too many one-way ones.
	sender      int32
	spamSuspect bool

	// clearOnFree is true if the contents are zeroed when the buffer is freed.
	// It is set by the sender before the buffer is delivered.
	clearOnFree bool

	// payer is the account that the buffer is charged to, with its fileArrays.
	payer *account.Account

	// targetNode is the node that the transaction was sent to, on which the
	// buffer holds a strong local reference. A reply has none. It is set by the
	// sender before the transaction is queued.
	targetNode list.Arc[*Node]

	// fileArrays has where the descriptors are that the receiver closes by
	// freeing the buffer. It is set by the sender before the transaction is
	// queued.
	fileArrays []fileArray

	// allowUserFree is true once the receiver knows the buffer, and until it
	// frees it. It is protected by allocator.mu.
	allowUserFree bool

	// abandoned is true if the receiver will never know the buffer. It is
	// protected by allocator.mu.
	abandoned bool
}

// offsetsStart returns where the offsets lie, in bytes from the start of the
// buffer.
func (b *buffer) offsetsStart() uint64 { return (b.dataSize + 7) &^ 7 }

// extraStart returns where the extra space lies, likewise.
func (b *buffer) extraStart() uint64 { return b.offsetsStart() + (b.offsetsSize+7)&^7 }

// allocator hands out buffers in the mapping of one process and owns the memory
// behind it.
//
// The memory is one range of the sentry's MemoryFile. The file is sparse: a
// page costs host memory only once it was written. The application sees a page
// once a buffer has been placed on it, and gets SIGBUS for the others. When no
// buffer has been on a page for a while, its memory goes back to the host; see
// reclaimer.
//
// +stateify savable
type allocator struct {
	// spaceMu is held while memory goes back to the host. The mapping neither
	// comes nor goes then.
	spaceMu sync.Mutex `state:"nosave"`

	// space is where the mapping is, as long as it's there.
	// +checklocks:spaceMu
	space memmap.MappingSpace

	mu sync.Mutex `state:"nosave"`

	// mf is where fr lies.
	mf *pgalloc.MemoryFile `state:"nosave"`

	// reclaim is told when pages become free.
	reclaim *reclaimer

	// fr is the memory behind the mapping, allocated with the first buffer.
	// +checklocks:mu
	fr memmap.FileRange

	// size is the number of bytes that buffers can be placed in, zero until
	// the process has mapped the device. It never changes after that, even if
	// the mapping goes.
	// +checklocks:mu
	size uint64

	// start is the address of the mapping in the process.
	// +checklocks:mu
	start hostarch.Addr

	// mapped is true while the process has the mapping, whole and in place.
	// +checklocks:mu
	mapped bool

	// released is true once the process has closed the device.
	// +checklocks:mu
	released bool

	// pins is the number of buffers that somebody copies to. fr outlives the
	// last of them.
	// +checklocks:mu
	pins int

	// buffers holds the allocated buffers by their start.
	// +checklocks:mu
	buffers map[uint64]*buffer

	// freeAsync is the number of bytes left to one-way transactions.
	// +checklocks:mu
	freeAsync uint64

	// asyncShares has what is occupied by one-way transactions, by sender.
	// +checklocks:mu
	asyncShares map[int32]asyncShare

	// spamReported is true if a sender was suspected of spam, and there has been
	// little space since then.
	// +checklocks:mu
	spamReported bool

	// present has a bit for each page that the application can see.
	// +checklocks:mu
	present bitmap.Bitmap

	// high is the number of pages up to the last that a buffer ever was on.
	// +checklocks:mu
	high uint32

	// recent has a bit for each page that a buffer was on which was freed
	// since the last call of age.
	// +checklocks:mu
	recent bitmap.Bitmap `state:"nosave"`

	// candidate is true if age will be called. It is if recent has bits.
	// +checklocks:mu
	candidate bool `state:"nosave"`

	// free is the space that buffers leaves.
	// +checklocks:mu
	free freeSpans `state:"nosave"`
}

// setMapped notes that the process has the mapping at ar. This happens once.
//
// Errors: ENOMEM if it has happened before: the mapping can't grow. EAGAIN if it
// is for another address space than that time, which a fork makes; see
// Process.DontFork.
func (a *allocator) setMapped(ms memmap.MappingSpace, ar hostarch.AddrRange) error {
	a.spaceMu.Lock()
	defer a.spaceMu.Unlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.size != 0 {
		if a.space != nil && ms != a.space {
			return linuxerr.EAGAIN
		}
		return linuxerr.ENOMEM
	}
	a.space = ms
	a.start = ar.Start
	a.size = min(uint64(ar.Length()), maxMappingSize)
	a.freeAsync = a.size / 2
	a.mapped = true
	a.buffers = make(map[uint64]*buffer)
	a.present = bitmap.New(uint32(a.size / hostarch.PageSize))
	a.recent = bitmap.New(uint32(a.size / hostarch.PageSize))
	a.free.init()
	a.free.insert(span{0, a.size}, 0)
	return nil
}

// setUnmapped notes that part of the mapping, at least, is gone. The process
// receives nothing from then on.
func (a *allocator) setUnmapped() {
	a.spaceMu.Lock()
	defer a.spaceMu.Unlock()
	a.space = nil
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mapped = false
}

// everMapped returns whether the mapping was established, even if it is gone.
func (a *allocator) everMapped() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.size != 0
}

// allocate returns a buffer for the given numbers of bytes and pins it: the
// caller must call unpin once it no longer touches the contents. sender is the
// process that sends, and async says whether the transaction is one-way.
//
// Errors: EINVAL if the sizes overflow, ESRCH if the process has no mapping,
// ENOSPC if there's no room, ENOMEM if the sentry has no memory.
func (a *allocator) allocate(debugID int32, dataSize, offsetsSize, extraSize uint64, sender int32, async bool) (*buffer, error) {
	size, ok := bufferSize(dataSize, offsetsSize, extraSize)
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.mapped || a.released {
		return nil, linuxerr.ESRCH
	}
	if !ok {
		return nil, linuxerr.EINVAL
	}
	if async && a.freeAsync < size {
		return nil, linuxerr.ENOSPC
	}
	if a.fr.Length() == 0 {
		fr, err := a.mf.Allocate(a.size, pgalloc.AllocOpts{Kind: usage.Anonymous, Mode: pgalloc.AllocateUncommitted})
		if err != nil {
			return nil, linuxerr.ENOMEM
		}
		a.fr = fr
	}
	start, lastSender, ok := a.free.allocate(size)
	if !ok {
		return nil, linuxerr.ENOSPC
	}
	b := buffers.Get().(*buffer)
	*b = buffer{
		placement: placement{debugID, start, dataSize, offsetsSize, extraSize},
		size:      size,
		addr:      a.start + hostarch.Addr(start),
		async:     async,
		sender:    sender,
	}
	if async {
		a.freeAsync -= size
		b.spamSuspect = a.noteAsyncLocked(b, lastSender)
	}
	for page, end := pageRange(b.start, size); page < end; page++ {
		a.present.Add(page)
		a.high = max(a.high, page+1)
	}
	a.buffers[b.start] = b
	a.pins++
	return b, nil
}

// bufferSize returns the number of bytes that a buffer with the given contents
// occupies, or false if the sum overflows.
func bufferSize(dataSize, offsetsSize, extraSize uint64) (uint64, bool) {
	var sum uint64
	for _, n := range [...]uint64{dataSize, offsetsSize, extraSize} {
		n, ok := align8(n)
		if !ok || sum+n < sum {
			return 0, false
		}
		sum += n
	}
	return max(sum, minBufferSize), true
}

// buffers has those that were freed, for use by the next calls. Nobody has a
// pointer to one: it was taken out of its allocator's map, and before that from
// its transaction.
var buffers = sync.Pool{New: func() any { return new(buffer) }}

// credit ends the charge of b.
func (b *buffer) credit() {
	if b.payer != nil {
		b.payer.Credit(bufferPrice + int64(len(b.fileArrays))*fileArrayPrice)
	}
}

// recycle gives b, which was deallocated, to the next calls.
func recycle(b *buffer) {
	*b = buffer{}
	buffers.Put(b)
}

// unpin ends the caller's access to the contents of a buffer.
func (a *allocator) unpin() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pins--
	a.dropMemoryIfUnused()
}

// handOver makes b known to the application: it may free it from now on.
func (a *allocator) handOver(b *buffer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	b.allowUserFree = true
}

// abandon leaves b to releaseAll, unless it is freed before.
func (a *allocator) abandon(b *buffer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	b.abandoned = true
}

// takeBack returns the buffer at address addr of the process and makes the
// application forget it, so that nobody else frees it too.
//
// Errors: ENOENT if there's no buffer at addr, EPERM if the application has not
// received it or has freed it.
func (a *allocator) takeBack(addr hostarch.Addr) (*buffer, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	// An address below the start wraps around to a start that no buffer has.
	b := a.buffers[uint64(addr-a.start)]
	if b == nil {
		return nil, linuxerr.ENOENT
	}
	if !b.allowUserFree {
		return nil, linuxerr.EPERM
	}
	b.allowUserFree = false
	return b, nil
}

// deallocate gives b's space back.
//
// Preconditions: b is allocated, and allowUserFree is false.
func (a *allocator) deallocate(b *buffer) {
	if b.clearOnFree {
		a.zero(b)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if b.async {
		a.freeAsync += b.size
		a.forgetAsyncLocked(b)
	}
	delete(a.buffers, b.start)
	a.free.release(span{b.start, b.size}, b.sender)
	if a.released {
		return
	}
	for page, end := pageRange(b.start, b.size); page < end; page++ {
		a.recent.Add(page)
	}
	if !a.candidate {
		a.candidate = true
		a.reclaim.add(a)
	}
}

// releaseAll frees all buffers. The memory goes with the last pin.
//
// Preconditions: Nobody takes buffers back any more. Those that the application
// has not received belong to senders, who free them.
func (a *allocator) releaseAll(ctx context.Context) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.released = true
	for _, b := range a.buffers {
		if b.allowUserFree || b.abandoned {
			b.targetNode.Release(ctx)
			b.credit()
		}
	}
	a.buffers = nil
	a.mf.MarkAllUnevictable(a)
	a.dropMemoryIfUnused()
}

// +checklocks:a.mu
func (a *allocator) dropMemoryIfUnused() {
	if a.released && a.pins == 0 && a.fr.Length() != 0 {
		a.mf.DecRef(a.fr)
		a.fr = memmap.FileRange{}
	}
}

// blocks returns n bytes of b from offset on, as the sentry sees them. The
// application only reads them.
//
// Preconditions: The caller has pinned b, or is in a call by the process that
// owns it. offset+n <= b.size.
func (a *allocator) blocks(b *buffer, offset, n uint64) (safemem.BlockSeq, error) {
	if n == 0 {
		return safemem.BlockSeq{}, nil
	}
	a.mu.Lock()
	start := a.fr.Start + b.start + offset
	a.mu.Unlock()
	return a.mf.MapInternal(memmap.FileRange{Start: start, End: start + n}, hostarch.ReadWrite)
}

// write copies src to b at offset.
//
// Preconditions: Those of blocks.
func (a *allocator) write(b *buffer, offset uint64, src []byte) error {
	dst, err := a.blocks(b, offset, uint64(len(src)))
	if err != nil {
		return err
	}
	_, err = safemem.CopySeq(dst, safemem.BlockSeqOf(safemem.BlockFromSafeSlice(src)))
	return err
}

// read fills dst from b at offset.
//
// Preconditions: Those of blocks.
func (a *allocator) read(b *buffer, offset uint64, dst []byte) error {
	src, err := a.blocks(b, offset, uint64(len(dst)))
	if err != nil {
		return err
	}
	_, err = safemem.CopySeq(safemem.BlockSeqOf(safemem.BlockFromSafeSlice(dst)), src)
	return err
}

// zero clears the contents of b.
//
// Preconditions: Those of blocks.
func (a *allocator) zero(b *buffer) {
	if dst, err := a.blocks(b, 0, b.size); err == nil {
		_, _ = safemem.ZeroSeq(dst)
	}
}

// translate implements memmap.Mappable.Translate for offsets into the mapping.
func (a *allocator) translate(required, optional memmap.MappableRange) ([]memmap.Translation, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	// The mapping may be longer than what is used of it, by more pages than
	// an index can tell.
	if required.Start >= a.size {
		return nil, &memmap.BusError{Err: linuxerr.EFAULT}
	}
	optional.End = min(optional.End, a.size)
	first, end := pageRange(required.Start, min(required.End, a.size)-required.Start)
	for page := first; page < end; page++ {
		if !a.presentLocked(page) {
			end = page
			break
		}
	}
	if first == end {
		return nil, &memmap.BusError{Err: linuxerr.EFAULT}
	}
	var err error
	if required.End > uint64(end)*hostarch.PageSize {
		err = &memmap.BusError{Err: linuxerr.EFAULT}
	} else {
		// All that's required is there; add what is there around it.
		optionalFirst, optionalEnd := pageRange(optional.Start, optional.Length())
		for end < optionalEnd && a.presentLocked(end) {
			end++
		}
		for first > optionalFirst && a.presentLocked(first-1) {
			first--
		}
	}
	source := memmap.MappableRange{Start: uint64(first) * hostarch.PageSize, End: uint64(end) * hostarch.PageSize}
	return []memmap.Translation{{
		Source: source,
		File:   a.mf,
		Offset: a.fr.Start + source.Start,
		Perms:  hostarch.Read,
	}}, err
}

// presentLocked returns whether the application can see page, which is below
// a.size.
//
// +checklocks:a.mu
func (a *allocator) presentLocked(page uint32) bool {
	return a.fr.Length() != 0 && isSet(&a.present, page)
}

func isSet(b *bitmap.Bitmap, i uint32) bool {
	set, err := b.FirstOne(i)
	return err == nil && set == i
}
