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

// Process is an open binder device: everything that an application has in the
// driver, from open to the last close. An application that opens a device twice
// is two Processes.
//
// +stateify savable
type Process struct {
	ctx *Context

	// account is what p's objects are charged to. holders counts p's own use of
	// it, from open to release, and that of what outlives p: see hold.
	account *account.Account
	holders atomicbitops.Int32

	// released is 1 once p was released, after the last close or because nobody
	// could reach its file any more. See flights, also for flightChange.
	released     atomicbitops.Uint32
	flightChange atomicbitops.Uint64

	// opener is the thread group that opened the device, and pid its ID in the
	// root PID namespace. opener is nil in tests without a kernel, and once p was
	// released.
	opener atomic.Pointer[kernel.ThreadGroup] `state:".(*kernel.ThreadGroup)"`
	pid    int32

	// id names the opener for the logs and for whoever freezes it.
	id identity

	// tenant is the container of the opener.
	tenant *Tenant

	// label is the opener's security context when it opened the device, or empty if
	// processes have none of their own.
	label string

	// ordinal is greater than that of every process that was opened before. first
	// is true if its opener had no other device open then.
	ordinal uint64
	first   bool

	// defaultNice is the nice value of a thread that looks for work. It is set
	// before the application has the file.
	defaultNice int

	// alloc has the buffers that p receives transactions in.
	alloc alloc.Space

	refsMu processRefsMutex `state:"nosave"`

	// handles has p's references to nodes of others. A node knows who has one to
	// it.
	// +checklocks:refsMu
	handles handleTable

	mu processMutex `state:"nosave"`

	// +checklocks:mu
	inner processInner

	// counts has what the process has written and read.
	counts commandCounts

	// pollers wait in poll(2) and the like, for any thread's work.
	pollers waiter.Queue

	// idle has those who wait for freezer.outstanding to be zero.
	idle waiter.Queue
}

// processInner is what a Process's mu guards.
//
// +stateify savable
type processInner struct {
	// dead is true once the device was closed for the last time.
	dead bool

	// nodes has p's own nodes by address, and a reference to each.
	nodes nodeTable

	// threads has the threads that have called the driver, by thread ID.
	threads map[int32]list.Arc[*Thread]

	// todo is work for whichever thread comes first.
	todo processTodo

	// deliveredDeath has the death notifications that p was told of and has
	// not answered.
	deliveredDeath deliveredWork

	// deliveredFreezes has the freeze notifications that p was told of and has
	// not answered.
	deliveredFreezes deliveredWork

	// freezer is how p stands to being frozen.
	freezer freezer

	// stacked is the number of threads that handle a call or wait for a reply.
	stacked int

	// waiting has the threads that wait for todo, last come first.
	waiting list.List[*Thread, waitingID]

	// maxThreads is the number of loopers that the driver may ask for,
	// requestedThreads those that it has asked for and that have not come, and
	// startedThreads those that have come.
	maxThreads       uint32
	requestedThreads uint32
	startedThreads   uint32

	// oneWaySpamDetection is true if the process wants to be told when it sends
	// so much that it's probably in error.
	oneWaySpamDetection bool
}

// open adds a process to c. label is the opener's security context, if it has one of
// its own, and mf where the process's mapping will lie.
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

// hold keeps p charged to its account until drop is called as well: whoever calls
// it has a pointer to p that an application can make last.
func (p *Process) hold() { p.holders.Add(1) }

// drop ends what hold, or open, has begun.
func (p *Process) drop() {
	if p.holders.Add(-1) == 0 {
		p.account.Credit(processPrice + int64(len(p.label)))
	}
}

// securityContext returns that of p's transactions. As in Linux it is that of the
// opener when it opened the device, whatever became of it.
func (p *Process) securityContext() string {
	if p.label != "" {
		return p.label
	}
	return p.tenant.secctx
}

// mustBe panics, in race builds, if p isn't other: somebody has the lock of the wrong
// process.
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

// selectThreadLocked takes a thread off p.waiting, so that it is not selected
// again before it has run, or returns nil if none waits.
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

// wakeThreadLocked wakes th, or, if it is nil, those who poll.
//
// +checklocks:p.mu
func (p *Process) wakeThreadLocked(th *Thread) {
	if th != nil {
		th.signal()
		return
	}
	p.pollers.Notify(waiter.ReadableEvents)
}

// thread returns the Thread of the task id, which is made by its first call.
//
// Errors: ENOMEM if p's account has no room for it.
func (p *Process) thread(id int32) (*Thread, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if th := p.inner.threads[id].Get(); th != nil {
		return th, nil
	}
	th, err := newThread(p, id)
	if err != nil {
		return nil, err
	}
	fresh := list.NewUnique(th)
	p.inner.threads[id] = fresh.Share()
	return th, nil
}

// flush makes all threads that are in a read return. It is called when a
// descriptor of the device is closed, which may be to end the loopers.
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

// visitThreads calls f for the ID of each thread of p: for a batch at a time. Those
// that come or go between the batches may be visited or not.
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

// threadIDs returns the IDs of p's threads in order. See visitThreads.
func (p *Process) threadIDs() []int32 {
	var ids []int32
	p.visitThreads(func(id int32) { ids = append(ids, id) })
	slices.Sort(ids)
	return ids
}

// freezer is what a Process has of being frozen: a state in which it takes no
// synchronous calls, since whoever froze it is about to stop its threads.
//
// +stateify savable
type freezer struct {
	frozen bool

	// syncReceived is true if a synchronous call came, and was refused, since the
	// process was frozen. asyncReceived is true if a one-way call came.
	syncReceived  bool
	asyncReceived bool

	// outstanding counts the transactions to the process that have not come to
	// their end: calls that are not answered, one-way calls and replies that are
	// not read.
	outstanding int
}
