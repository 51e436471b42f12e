// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"slices"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/atomicbitops"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/sentry/kernel"
	"gvisor.dev/gvisor/pkg/sentry/pgalloc"
	"gvisor.dev/gvisor/pkg/sync"
	"gvisor.dev/gvisor/pkg/waiter"

	"sentrybinder/pkg/binder/list"
	"sentrybinder/pkg/sentry/devices/binder/account"
	"sentrybinder/pkg/sentry/devices/binder/alloc"
)

// Process is an open binder device: all of an application's state in the driver, from
// open to the last close. An application that opens a device twice is two Processes.
//
// +stateify savable
type Process struct {
	ctx *Context

	// account is what p's objects are charged to. holders counts its users: p itself,
	// from open to release, and what outlives p; see hold.
	account *account.Account
	holders atomicbitops.Int32

	// released is 1 once p was released, after the last close or because its file
	// became unreachable. See flights, also for flightChange.
	released     atomicbitops.Uint32
	flightChange atomicbitops.Uint64

	// opener is the thread group that opened the device, and pid its ID in the
	// root PID namespace. opener is nil in tests without a kernel, and once p was
	// released.
	opener atomic.Pointer[kernel.ThreadGroup] `state:".(*kernel.ThreadGroup)"`
	pid    int32

	// id identifies the opener in the logs and for BINDER_FREEZE.
	id identity

	// tenant is the container of the opener.
	tenant *Tenant

	// label is the security context that the opener had when it opened the device, or
	// empty if processes have none of their own.
	label string

	// ordinal is greater than that of every process that was opened before. first
	// is true if its opener had no other device open then.
	ordinal uint64
	first   bool

	// defaultNice is the nice value of a thread that looks for work. It is set
	// before the application gets the file.
	defaultNice int

	// alloc holds the buffers that p receives transactions in.
	alloc alloc.Space

	refsMu processRefsMutex `state:"nosave"`

	// handles holds p's references to other processes' nodes. A node knows its Refs.
	// +checklocks:refsMu
	handles handleTable

	mu processMutex `state:"nosave"`

	// +checklocks:mu
	inner processInner

	// counts holds what the process has written and read.
	counts commandCounts

	// recent caches threads by their ID modulo numRecent, so that most calls find theirs
	// without the lock. A Thread is removed before it is released.
	recent [numRecent]atomic.Pointer[Thread] `state:"nosave"`

	// pollers wait in poll(2) and the like, for any thread's work.
	pollers waiter.Queue

	// idle holds the waiters for freezer.outstanding to become zero.
	idle waiter.Queue
}

// numRecent is the number of slots of Process.recent. Most applications have no more
// threads than that, and these have consecutive IDs.
const numRecent = 16

// processInner is what a Process's mu guards.
//
// +stateify savable
type processInner struct {
	// dead is true once the device was closed for the last time.
	dead bool

	// nodes holds p's own nodes by address, and a reference to each.
	nodes nodeTable

	// threads holds the threads that have called the driver, by thread ID.
	threads map[int32]list.Arc[*Thread]

	// todo is work for whichever thread comes first.
	todo processTodo

	// deliveredDeath holds the death notifications that p has read and not
	// acknowledged.
	deliveredDeath deliveredWork

	// deliveredFreezes holds the freeze notifications that p has read and not
	// acknowledged.
	deliveredFreezes deliveredWork

	// freezeCookies holds the cookies of freeze notifications in use: of those that
	// exist, and of cleared ones until p has read the confirmation.
	freezeCookies map[uint64]cookieUse

	// freezer is p's freeze state.
	freezer freezer

	// stacked is the number of threads that handle a call or wait for a reply.
	stacked int

	// waiting holds the threads that wait for todo, the latest first.
	waiting list.List[*Thread, waitingID]

	// maxThreads is the number of loopers that the driver may request,
	// requestedThreads the number requested and not yet registered, and
	// startedThreads the number registered.
	maxThreads       uint32
	requestedThreads uint32
	startedThreads   uint32

	// oneWaySpamDetection is true if the process wants to be told when it sends
	// suspiciously many one-way calls.
	oneWaySpamDetection bool
}

// open adds a process to c. label is the opener's security context, if it has one of
// its own, and mf the file that will back the process's mapping.
//
// Errors: ENOMEM if the tenant's account has no room for it.
func (c *Context) open(tenant *Tenant, opener *kernel.ThreadGroup, id identity, label string, mf *pgalloc.MemoryFile) (*Process, error) {
	if err := tenant.account.Charge(processPrice + int64(len(label))); err != nil {
		return nil, err
	}
	p := &Process{
		ctx:     c,
		account: tenant.account,
		holders: atomicbitops.FromInt32(1),
		pid:     id.root,
		id:      id,
		tenant:  tenant,
		label:   label,
		ordinal: c.domain.driver.nextOrdinal(),
		inner: processInner{
			nodes:   newNodeTable(),
			threads: make(map[int32]list.Arc[*Thread]),
		},
	}
	p.opener.Store(opener)
	p.alloc.Init(mf, c.domain.driver.reclaimer)
	p.stats().created(objectProcess)
	tenant.procs.addFirst(p)
	c.domain.add(p)
	c.domain.driver.flights.start()
	return p, nil
}

// hold keeps p charged to its account until the matching drop: the caller keeps a
// pointer to p for as long as an application likes.
func (p *Process) hold() { p.holders.Add(1) }

// drop undoes hold, or open's own.
func (p *Process) drop() {
	if p.holders.Add(-1) == 0 {
		p.account.Credit(processPrice + int64(len(p.label)))
	}
}

// securityContext returns the security context of p's transactions. As in Linux it is
// the one that the opener had when it opened the device, whatever became of it.
func (p *Process) securityContext() string {
	if p.label != "" {
		return p.label
	}
	return p.tenant.secctx
}

// mustBe panics, in race builds, if p isn't other: the caller holds the wrong
// process's lock.
func (p *Process) mustBe(other *Process) {
	if sync.RaceEnabled && p != other {
		panic("binder: the lock is another process's")
	}
}

func (p *Process) stats() *stats { return &p.ctx.domain.stats }

// wakeupLocked makes a thread look at p.todo.
//
// +checklocks:p.mu
func (p *Process) wakeupLocked(ctx context.Context) {
	p.wakeThreadLocked(p.selectThreadLocked(ctx))
}

// selectThreadLocked removes a thread from p.waiting, so that it is not selected
// again before it has run, and returns it, or nil if none waits.
//
// +checklocks:p.mu
func (p *Process) selectThreadLocked(ctx context.Context) *Thread {
	ref, ok := p.inner.waiting.PopFront()
	if !ok {
		return nil
	}
	th := ref.Get()
	ref.Release(ctx)
	return th
}

// wakeThreadLocked wakes th or, if it is nil, the pollers.
//
// +checklocks:p.mu
func (p *Process) wakeThreadLocked(th *Thread) {
	if th != nil {
		th.signal()
		return
	}
	p.pollers.Notify(waiter.ReadableEvents)
}

// thread returns the Thread of task id, and creates it if this is the task's first call.
//
// Errors: ENOMEM if p's account has no room for it.
func (p *Process) thread(id int32) (*Thread, error) {
	recent := &p.recent[uint32(id)%numRecent]
	if th := recent.Load(); th != nil && th.id == id {
		return th, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	th := p.inner.threads[id].Get()
	if th == nil {
		var err error
		if th, err = newThread(p, id); err != nil {
			return nil, err
		}
		fresh := list.NewUnique(th)
		p.inner.threads[id] = fresh.Share()
	}
	recent.Store(th)
	return th, nil
}

// forgetLocked removes th, so that p.thread no longer finds it. Only th's own calls may
// do so.
//
// +checklocks:p.mu
func (p *Process) forgetLocked(th *Thread) {
	delete(p.inner.threads, th.id)
	p.recent[uint32(th.id)%numRecent].CompareAndSwap(th, nil)
}

// flush makes all threads return from their reads. It is called when a descriptor of
// the device is closed, perhaps to end the loopers.
func (p *Process) flush() {
	for ids := range slices.Chunk(p.threadIDs(), batchSize) {
		p.mu.Lock()
		for _, id := range ids {
			if th := p.inner.threads[id].Get(); th != nil {
				th.makeReturnLocked(p)
			}
		}
		p.mu.Unlock()
	}
}

// visitThreads calls f for the ID of each thread of p, in batches, and unlocks p.mu
// between them. Threads that come or go between batches may or may not be visited.
func (p *Process) visitThreads(f func(id int32)) {
	visited, walk := 0, startWalk()
	p.mu.Lock()
	defer p.mu.Unlock()
	for id := range p.inner.threads {
		f(id)
		if visited++; visited%batchSize == 0 {
			p.mu.Unlock()
			walk.yield()
			p.mu.Lock()
		}
	}
}

// threadIDs returns the IDs of p's threads in ascending order. See visitThreads.
func (p *Process) threadIDs() []int32 {
	var ids []int32
	p.visitThreads(func(id int32) { ids = append(ids, id) })
	slices.Sort(ids)
	return ids
}

// freezer is a Process's freeze state. A frozen process takes no synchronous calls,
// since whoever froze it is about to stop its threads.
//
// +stateify savable
type freezer struct {
	frozen bool

	// syncReceived is true if a synchronous call arrived, and was refused, since the
	// process was frozen. asyncReceived is true if a one-way call arrived.
	syncReceived  bool
	asyncReceived bool

	// outstanding counts the transactions to the process that are not finished: calls
	// not yet answered, one-way calls and replies not yet read.
	outstanding int
}
