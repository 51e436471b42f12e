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
// descriptor leads to it meanwhile, it lives as long as the receiver; and that may be in
// flight, too: to its own process, or in a cycle. Nothing will ever read such a file, nor
// close it. As the kernel does for sockets in flight, flights finds such cycles and
// releases their processes.
//
// An unreachable cycle never changes, so periodic searches suffice, as long as they
// recheck what has changed meanwhile.

// flightPeriod is the time between two searches while devices are in flight.
const flightPeriod = time.Second

// Supervisor is the part of the sentry's kernel that the driver needs to release
// processes on its own. kernel.Kernel implements it.
type Supervisor interface {
	SupervisorContext() context.Context
}

// flights holds the devices in flight: in a queued transaction.
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

// flightsInner is the state that flights.mu guards.
//
// +stateify savable
type flightsInner struct {
	// queued holds the transactions with such devices.
	queued map[*Transaction]struct{}

	// changes counts arrivals. Process.flightChange is the last one that a process,
	// or its device, took part in.
	changes uint64

	// ticking is true if tick will be called, or is running.
	ticking bool `state:"nosave"`
}

// departed records that t, which is about to be queued, has devices. The caller calls
// start once it holds no lock.
func (f *flights) departed(t *Transaction) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.inner.queued == nil {
		f.inner.queued = make(map[*Transaction]struct{})
	}
	f.inner.queued[t] = struct{}{}
}

// watchDevices starts the search for unreachable devices, if t has devices.
//
// Preconditions: No lock is held.
func (t *Transaction) watchDevices() {
	if t.hasDevices {
		t.to.ctx.domain.driver.flights.start()
	}
}

// arrived records that t's files are about to be dropped, since t was read or never will
// be.
func (f *flights) arrived(t *Transaction) {
	f.mu.Lock()
	delete(f.inner.queued, t)
	// A search that has seen t began before this change; a later one won't see t.
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

// changed records that p, or its device, took part in a change.
func (p *Process) changed(change uint64) {
	for {
		last := p.flightChange.Load()
		if last >= change || p.flightChange.CompareAndSwap(last, change) {
			return
		}
	}
}

// start schedules tick, if anything is in flight and it is not scheduled already.
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

// tick searches, and schedules the next search.
func (f *flights) tick() {
	ctx := context.Background()
	if f.supervisor != nil {
		ctx = f.supervisor.SupervisorContext()
	}
	for _, p := range f.unreachable() {
		// This or the release of another of them drops the last reference to its file.
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

	// flights is the number of its flights: the known references to file.
	flights int64
}

// search is a search for unreachable processes.
type search struct {
	// flyers holds the processes that may be unreachable, and asOf is the last
	// change of flights when the search started.
	flyers map[*Process]*flyer
	asOf   uint64

	// toward holds the processes in flight, by receiver.
	toward map[*Process][]*Process
}

// unreachable returns the processes that no descriptor leads to, not even through other
// devices in flight.
func (f *flights) unreachable() []*Process {
	s := f.search()
	for {
		// The processes left after all reachable ones were removed are unreachable,
		// if the findings about each still hold. That is checked after all references
		// were counted: a thread that has got hold of one since, uncounted, has read
		// it, which is a change.
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

// search collects all devices in flight. Those that come or go meanwhile may be missing.
func (f *flights) search() *search {
	s := &search{flyers: make(map[*Process]*flyer), toward: make(map[*Process][]*Process)}
	n := 0
	f.mu.Lock()
	defer f.mu.Unlock()
	s.asOf = f.inner.changes
	walk := startWalk()
	for t := range f.inner.queued {
		// t keeps its files while the lock is held.
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

// takeOutReachable removes the flyers in flight to a process that is not a flyer, and, in
// turn, those in flight to these.
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

// processOf returns the process of an open device, or nil if file is not one.
func processOf(file *vfs.FileDescription) *Process {
	if fd, ok := file.Impl().(deviceFile); ok {
		return fd.process()
	}
	return nil
}
