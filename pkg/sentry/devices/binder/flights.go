// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"maps"
	"slices"
	"time"

	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/sentry/vfs"
	"gvisor.dev/gvisor/pkg/tcpip"
)

// An open device may itself be sent to a process, and wait there to be read. If no
// descriptor leads to it meanwhile, it is alive for as long as the receiver is; and
// that may be in flight, too: to its own process, or in a circle. Nobody will ever
// read such a file, nor close it. As the kernel does for sockets in flight, flights
// looks for such circles and ends their processes.
//
// A circle that nobody can reach stays as it is, so that it is enough to look from
// time to time, and to look again at what has changed meanwhile.

// flightPeriod is the time between two searches, as long as devices are in flight.
const flightPeriod = time.Second

// Supervisor is what the driver needs of the sentry's kernel to end processes by
// itself. kernel.Kernel implements it.
type Supervisor interface {
	SupervisorContext() context.Context
}

// flights has the devices that are in flight: in a transaction that is queued.
//
// +stateify savable
type flights struct {
	clock      tcpip.Clock
	supervisor Supervisor

	// mu is a leaf.
	mu flightsMutex `state:"nosave"`

	// +checklocks:mu
	inner flightsInner
}

// flightsInner is what the mu of flights guards.
//
// +stateify savable
type flightsInner struct {
	// queued has the transactions with such devices.
	queued map[*Transaction]struct{}

	// changes counts arrivals. Process.flightChange is the last one that a process,
	// or its device, took part in.
	changes uint64

	// ticking is true if tick will be called, or is at work.
	ticking bool `state:"nosave"`
}

// departed notes that t, which is about to be queued, has devices. The caller calls
// start once it holds no lock.
func (f *flights) departed(t *Transaction) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.inner.queued == nil {
		f.inner.queued = make(map[*Transaction]struct{})
	}
	f.inner.queued[t] = struct{}{}
}

// watchDevices lets devices be looked for that nobody can reach, if t has any.
//
// Preconditions: No lock is held.
func (t *Transaction) watchDevices() {
	if t.hasDevices {
		t.to.ctx.domain.driver.flights.start()
	}
}

// arrived notes that t's files are about to be dropped: somebody has read t, or
// nobody will.
func (f *flights) arrived(t *Transaction) {
	f.mu.Lock()
	delete(f.inner.queued, t)
	// A search that has seen t began before this change, and one that begins later
	// will not see t.
	f.inner.changes++
	change := f.inner.changes
	f.mu.Unlock()
	t.to.changed(change)
	for _, sent := range t.files {
		if p := processOf(sent.file); p != nil {
			p.changed(change)
		}
	}
}

// changed notes that p, or its device, took part in a change.
func (p *Process) changed(change uint64) {
	for {
		last := p.flightChange.Load()
		if last >= change || p.flightChange.CompareAndSwap(last, change) {
			return
		}
	}
}

// start makes tick be called, if there is anything in flight and it will not be
// already.
//
// Preconditions: No lock is held; the clock takes one that the whole sentry shares.
func (f *flights) start() {
	f.mu.Lock()
	start := !f.inner.ticking && len(f.inner.queued) != 0
	if start {
		f.inner.ticking = true
	}
	f.mu.Unlock()
	if start {
		f.clock.AfterFunc(flightPeriod, f.tick)
	}
}

// tick makes a search, and has the next one made.
func (f *flights) tick() {
	ctx := context.Background()
	if f.supervisor != nil {
		ctx = f.supervisor.SupervisorContext()
	}
	for _, p := range f.unreachable() {
		// Its file is dropped by another one's end, or by its own.
		p.release(ctx)
	}
	f.mu.Lock()
	f.inner.ticking = false
	f.mu.Unlock()
	f.start()
}

// flyer is a process whose device is in flight.
type flyer struct {
	file *vfs.FileDescription

	// flights is the number of its flights: the references to file that are
	// accounted for.
	flights int64
}

// search is a search for processes that cannot be reached.
type search struct {
	// flyers has the processes that may be, and asOf the last change of flights
	// when it began to collect them.
	flyers map[*Process]*flyer
	asOf   uint64

	// toward has the processes that are in flight to another one.
	toward map[*Process][]*Process
}

// unreachable returns the processes that no descriptor leads to, not even by way of
// other devices in flight.
func (f *flights) unreachable() []*Process {
	s := f.search()
	for {
		// What is left when all that can be reached was taken out is unreachable,
		// if what was found of each still holds. Whether it does is checked after
		// all references were counted: a thread that got hold of one of them since,
		// and without being counted, has read it, which is a change.
		before := len(s.flyers)
		for p, fl := range s.flyers {
			if fl.file.ReadRefs() != fl.flights {
				delete(s.flyers, p) // A descriptor leads to it, or a call uses it.
			}
		}
		s.takeOutReachable()
		for p := range s.flyers {
			if p.flightChange.Load() > s.asOf {
				delete(s.flyers, p)
			}
		}
		if len(s.flyers) == before {
			return slices.Collect(maps.Keys(s.flyers))
		}
	}
}

// search collects all devices in flight. Those that come and go meanwhile may be
// missing or there.
func (f *flights) search() *search {
	s := &search{flyers: make(map[*Process]*flyer), toward: make(map[*Process][]*Process)}
	n := 0
	f.mu.Lock()
	defer f.mu.Unlock()
	s.asOf = f.inner.changes
	walk := startWalk()
	for t := range f.inner.queued {
		// As long as the lock is held, t keeps its files.
		for _, sent := range t.files {
			s.add(sent.file, t.to)
		}
		if n += len(t.files); n >= batchSize {
			n = 0
			f.mu.Unlock()
			walk.yield()
			f.mu.Lock()
		}
	}
	return s
}

// add adds a flight of file, if that is a device.
func (s *search) add(file *vfs.FileDescription, to *Process) {
	p := processOf(file)
	if p == nil {
		return
	}
	fl := s.flyers[p]
	if fl == nil {
		fl = &flyer{file: file}
		s.flyers[p] = fl
	}
	fl.flights++
	s.toward[to] = append(s.toward[to], p)
}

// takeOutReachable takes out the flyers that are in flight to a process that is none,
// and those that are in flight to these.
func (s *search) takeOutReachable() {
	var reached []*Process
	for to := range s.toward {
		if s.flyers[to] == nil {
			reached = append(reached, to)
		}
	}
	for len(reached) > 0 {
		to := reached[len(reached)-1]
		reached = reached[:len(reached)-1]
		for _, p := range s.toward[to] {
			if s.flyers[p] != nil {
				delete(s.flyers, p)
				reached = append(reached, p)
			}
		}
	}
}

// deviceFile is implemented by the FileDescriptionImpl of an open device.
type deviceFile interface {
	process() *Process
}

// processOf returns the process that an open device is, or nil if file is no device.
func processOf(file *vfs.FileDescription) *Process {
	if fd, ok := file.Impl().(deviceFile); ok {
		return fd.process()
	}
	return nil
}
