// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package alloc

import (
	"errors"

	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/sentry/memmap"
	"gvisor.dev/gvisor/pkg/sentry/pgalloc"
	"gvisor.dev/gvisor/pkg/sentry/usage"
	"gvisor.dev/gvisor/pkg/sync"
)

// MaxSize is the maximum size of the part of a mapping that holds buffers, in bytes. A
// longer mapping is allowed; the rest of it stays empty.
const MaxSize = 4 << 20

// maxSteps is the maximum number of buffers, spans or runs of pages that are visited
// under a lock.
const maxSteps = 32

// Space is the mapping that a process receives transactions in, and the memory
// behind it. A Space is in use from Init to Release.
//
// The memory is one range of the sentry's MemoryFile. The file is sparse: a
// page costs host memory only once written. The application sees a page once a
// buffer was placed on it, and gets SIGBUS for the others. When a page has had no
// buffer for a while, its memory goes back to the host; see Reclaimer.
//
// +stateify savable
type Space struct {
	// mf holds the memory.
	mf *pgalloc.MemoryFile `state:"nosave"`

	// reclaimer is told when pages become free, through candidate.
	reclaimer *Reclaimer
	candidate candidate `state:"nosave"`

	addressMu addressMutex `state:"nosave"`

	// address is the address space that has the mapping, while it has it.
	// +checklocks:addressMu
	address memmap.MappingSpace

	mu spaceMutex `state:"nosave"`

	// decommitted, with mu, signals that pages left inner.pages.leaving.
	decommitted sync.Cond `state:"nosave"`

	// +checklocks:mu
	inner inner
}

// inner holds the fields that Space.mu protects.
//
// +stateify savable
type inner struct {
	// fr is the memory behind the mapping, allocated with the first buffer.
	fr memmap.FileRange

	// size is the space for buffers in bytes, zero until the process has mapped
	// the device. It never changes after that, even if the mapping goes.
	size uint64

	// start is the address of the mapping in the process.
	start hostarch.Addr

	// mapped is true while the process has the mapping, whole and in place.
	mapped bool

	// released is true from Release on.
	released bool

	// pins counts what keeps fr beyond Release: tokens, and uses of it without the
	// lock.
	pins int `state:"nosave"`

	// buffers holds the allocated buffers by their start.
	buffers map[uint64]*record

	// freeAsync is the number of bytes left to one-way transactions, and
	// asyncShares each sender's share of the rest.
	freeAsync   uint64
	asyncShares map[int32]asyncShare

	// spamReported is true if a sender was suspected of spam, and space has been
	// low since then.
	spamReported bool

	// free is the space not covered by buffers.
	free freeSpans `state:"nosave"`

	// pages is nil before Map and after Release.
	pages *pages

	// highWater is the high-water mark, in pages.
	highWater uint32

	// candidate is true if age will be called, as it must if pages.recent isn't
	// empty.
	candidate bool `state:"nosave"`
}

// pages is the state of each page of a mapping.
//
// +stateify savable
type pages struct {
	// present holds the pages that the application can see. If it isn't empty,
	// there's memory.
	present pageSet

	// used holds the pages that buffers are on. They are present.
	used pageSet `state:"nosave"`

	// recent holds the pages of buffers freed since the last call of age.
	recent pageSet `state:"nosave"`

	// leaving holds the pages whose memory is being decommitted. A sender that gets
	// one waits until it's not.
	leaving pageSet `state:"nosave"`
}

// idle returns the present pages without a buffer, now or recently.
func (p *pages) idle() pageSet {
	idle := p.present.without(&p.used)
	return idle.without(&p.recent)
}

// Init readies s, whose memory will come from mf.
func (s *Space) Init(mf *pgalloc.MemoryFile, r *Reclaimer) {
	s.mf = mf
	s.reclaimer = r
	s.candidate.space = s
	s.decommitted.L = &s.mu
}

// Map records that the process has the mapping at ar. It succeeds once.
//
// Errors: ENOMEM for any later mapping: the first can't grow. EAGAIN for one in another
// address space, which a fork makes, while the first exists.
func (s *Space) Map(ms memmap.MappingSpace, ar hostarch.AddrRange) error {
	s.addressMu.Lock()
	defer s.addressMu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	in := &s.inner
	if in.size != 0 {
		if s.address != nil && ms != s.address {
			return linuxerr.EAGAIN
		}
		return linuxerr.ENOMEM
	}
	if in.released {
		return linuxerr.ENOMEM
	}
	s.address = ms
	in.start = ar.Start
	in.size = min(uint64(ar.Length()), MaxSize)
	in.freeAsync = in.size / 2
	in.mapped = true
	in.buffers = make(map[uint64]*record)
	in.pages = &pages{}
	in.free.init()
	in.free.insert(span{0, in.size}, 0)
	return nil
}

// Unmap records that the mapping, or part of it, is gone. The process receives
// nothing from then on.
func (s *Space) Unmap() {
	s.addressMu.Lock()
	s.address = nil
	s.addressMu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inner.mapped = false
}

// EverMapped returns whether Map has ever succeeded, even if the mapping is gone.
func (s *Space) EverMapped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inner.size != 0
}

// Request describes a Reservation.
type Request struct {
	DebugID int32

	// These are the sizes of the contents, in bytes.
	DataSize    uint64
	OffsetsSize uint64
	ExtraSize   uint64

	// Sender is the sending process. Async is true if the transaction is one-way.
	Sender int32
	Async  bool

	// ClearOnFree is true if the contents are zeroed when the buffer is freed.
	ClearOnFree bool
}

// errNoMemory means that there's no memory behind the mapping yet.
var errNoMemory = errors.New("the space has no memory")

// Reserve returns a buffer for req. On success it takes over cargo.
//
// Errors: EINVAL if the sizes overflow, ESRCH if the process has no mapping,
// ENOSPC if there's no room, ENOMEM if the sentry has no memory.
//
// Preconditions: No lock is held: it may wait for memory to go back to the host.
func (s *Space) Reserve(req *Request, cargo Cargo) (Reservation, error) {
	rec := records.Get()
	rec.Placement = Placement{
		DebugID:     req.DebugID,
		DataSize:    req.DataSize,
		OffsetsSize: req.OffsetsSize,
		ExtraSize:   req.ExtraSize,
	}
	rec.space = s
	rec.sender = req.Sender
	rec.async = req.Async
	rec.clearOnFree = req.ClearOnFree
	rec.cargo = cargo

	memory, err := s.place(rec)
	if err == errNoMemory {
		if err = s.allocateMemory(); err == nil {
			memory, err = s.place(rec)
		}
	}
	if err != nil {
		records.Put(rec)
		return Reservation{}, err
	}
	return Reservation{contents: contents{described{rec}, memory}}, nil
}

// place finds a place for rec, and pins and returns its memory. Errors are
// Reserve's, or errNoMemory.
func (s *Space) place(rec *record) (memmap.FileRange, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.inner.place(rec); err != nil {
		return memmap.FileRange{}, err
	}
	memory := s.inner.pin(rec)
	// Its pages are present now, so none of them will start leaving.
	for touched := touchedPages(rec.span()); s.inner.leaving(touched); {
		s.decommitted.Wait()
	}
	return memory, nil
}

// leaving returns whether the memory of any of r's pages is being decommitted.
func (in *inner) leaving(r pageRange) bool { return in.pages != nil && in.pages.leaving.hasAny(r) }

// place finds a place for rec.
func (in *inner) place(rec *record) error {
	if !in.mapped || in.released {
		return linuxerr.ESRCH
	}
	var ok bool
	if rec.size, ok = rec.occupied(); !ok {
		return linuxerr.EINVAL
	}
	if rec.async && in.freeAsync < rec.size {
		return linuxerr.ENOSPC
	}
	if in.fr.Length() == 0 {
		return errNoMemory
	}
	var lastSender int32
	if rec.Start, lastSender, ok = in.free.allocate(rec.size); !ok {
		return linuxerr.ENOSPC
	}
	rec.addr = in.start + hostarch.Addr(rec.Start)
	if rec.async {
		in.freeAsync -= rec.size
		rec.spamSuspect = in.noteAsync(rec, lastSender)
	}
	touched := touchedPages(rec.span())
	in.pages.present.add(touched)
	in.pages.used.add(touched)
	in.highWater = max(in.highWater, touched.end)
	in.buffers[rec.Start] = rec
	return nil
}

// allocateMemory allocates the memory behind the mapping, unless another goroutine has
// done it or the process has ended meanwhile.
//
// Errors: ENOMEM if the sentry has none.
func (s *Space) allocateMemory() error {
	s.mu.Lock()
	size := s.inner.size
	s.mu.Unlock()
	fr, err := s.mf.Allocate(size, pgalloc.AllocOpts{Kind: usage.Anonymous, Mode: pgalloc.AllocateUncommitted})
	if err != nil {
		return linuxerr.ENOMEM
	}
	s.mu.Lock()
	surplus := s.inner.fr.Length() != 0 || s.inner.released
	if !surplus {
		s.inner.fr = fr
	}
	s.mu.Unlock()
	if surplus {
		s.mf.DecRef(fr)
	}
	return nil
}

// claim marks the buffer at address addr as claimed, and returns it; see
// Space.Claim.
func (in *inner) claim(addr hostarch.Addr) (*record, error) {
	if in.released {
		return nil, linuxerr.ENOENT
	}
	// An address below the start wraps around to a start that no buffer has.
	rec := in.buffers[uint64(addr-in.start)]
	if rec == nil {
		return nil, linuxerr.ENOENT
	}
	f := in.fateOf(rec)
	if *f != delivered {
		return nil, linuxerr.EPERM
	}
	*f = claimed
	return rec, nil
}

// remove removes rec from the allocated buffers. After the space was released, its
// place doesn't matter.
func (in *inner) remove(rec *record) {
	delete(in.buffers, rec.Start)
	if in.released {
		return
	}
	if rec.async {
		in.freeAsync += rec.size
		in.forgetAsync(rec)
	}
	// Pages that lie wholly in the joined free span are no longer used.
	free := in.free.release(rec.span(), rec.sender)
	in.pages.used.remove(touchedPages(rec.span()).intersect(wholePages(free)))
}

// noteFreed records that the pages of rec, which was removed, were used recently. It
// returns whether the Reclaimer must be told.
func (in *inner) noteFreed(rec *record) bool {
	if in.released {
		return false
	}
	in.pages.recent.add(touchedPages(rec.span()))
	if in.candidate {
		return false
	}
	in.candidate = true
	return true
}
