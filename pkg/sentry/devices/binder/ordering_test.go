// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"fmt"
	"math"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/atomicbitops"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/sentry/devices/binder/account"
	"sentrybinder/pkg/sentry/devices/binder/memorytest"
)

// These are litmus tests of what is read without the lock that it is written under:
// docs/arm64.md lists it. Each repeats one short race very often. If the code lets a
// processor with weaker memory order get it wrong, that shows as an error there; the race
// detector has its say on every machine.

// litmusRounds is how often a race is repeated.
func litmusRounds() int {
	if testing.Short() {
		return 300
	}
	return 3000
}

// together calls functions at the same time, or as nearly so as possible.
func together(fs ...func()) {
	var ready atomic.Int32
	var wg sync.WaitGroup
	for _, f := range fs {
		wg.Go(func() {
			ready.Add(1)
			for ready.Load() < int32(len(fs)) {
				runtime.Gosched()
			}
			f()
		})
	}
	wg.Wait()
}

// A death and the request to be told of it: each is stored with a lock of its own, and
// then the other one is looked for. One of them must find the other, and only one.
func TestOrderOfDeathAndRequest(t *testing.T) {
	w := newWorld(t)
	m := &mourner{thread: w.newApp()}
	for range litmusRounds() {
		m.owner = w.newApp()
		m.handle = w.give(m.owner, m.thread, 0x10)
		together(m.request, m.kill)
		m.tell(binder.BR_DEAD_BINDER)
		m.done()
		m.expectNothing()
		m.clear()
		m.tell(binder.BR_CLEAR_DEATH_NOTIFICATION_DONE)
		m.release()
	}
}

// Whoever finds a context manager finds all of its node.
func TestOrderOfManager(t *testing.T) {
	w := newWorld(t)
	var over atomic.Bool
	var found atomic.Int64
	look := func() {
		for !over.Load() {
			if n := w.ctx.manager.Load(); n != nil {
				if n.owner == nil || n.owner.ctx != w.ctx || n.debugID == 0 {
					t.Errorf("the context manager's node is %d of %p", n.debugID, n.owner)
				}
				found.Add(1)
			}
			if held := w.ctx.managerNode(); held.Ok() {
				if n := held.Get(); n.ptr != 0 || !n.acceptsFDs {
					t.Errorf("the context manager's node is %#x, %v", n.ptr, n.acceptsFDs)
				}
				held.Release(memorytest.Context())
			}
			runtime.Gosched()
		}
	}
	together(look, look, func() {
		defer over.Store(true)
		for i := range litmusRounds() {
			object := binder.FlatObject{Flags: binder.FLAT_BINDER_FLAG_ACCEPTS_FDS}
			p := w.open(0)
			if err := w.ctx.setManager(p.Process, 0, &object); err != nil {
				t.Errorf("round %d: %v", i, err)
			}
			for before := found.Load(); found.Load() == before; {
				runtime.Gosched()
			}
			p.close()
		}
	})
}

// Statistics never show objects that there can't be: whoever has seen one go has seen
// it come.
func TestOrderOfCounts(t *testing.T) {
	var s stats
	var over atomic.Bool
	const workers = 3
	var done atomic.Int32
	work := func() {
		for range 100 * litmusRounds() {
			s.created(objectNode)
			s.deleted(objectNode)
		}
		if done.Add(1) == workers {
			over.Store(true)
		}
	}
	together(work, work, work, func() {
		for !over.Load() {
			if n := s.active(objectNode); n > math.MaxInt64 {
				t.Errorf("%d objects are alive", int64(n))
				return
			}
		}
	})
	require.Zero(t, s.active(objectNode))
}

// Whoever finds a container finds all of it.
func TestOrderOfTenants(t *testing.T) {
	d := NewDriver(newTestClock(), nil, "binder")
	var over atomic.Bool
	look := func() {
		for !over.Load() {
			for _, tenant := range d.tenants.all() {
				n, err := strconv.ParseInt(tenant.name, 10, 64)
				if err != nil || tenant.secctx != "of "+tenant.name || tenant.dev == nil ||
					tenant.contexts["binder"] == nil || tenant.account.Charge(n) != nil {
					t.Errorf("a container is only there in part: %+v", tenant)
					return
				}
				tenant.account.Credit(n)
			}
			runtime.Gosched()
		}
	}
	together(look, look, func() {
		defer over.Store(true)
		for i := range litmusRounds() {
			name := strconv.Itoa(i + 1)
			d.StartContainer(ContainerInfo{ID: name, Name: name, SecurityContext: "of " + name, MemoryLimit: math.MaxInt64})
			if i >= 8 {
				d.StopContainer(strconv.Itoa(i - 7))
			}
		}
	})
}

// Whoever finds a subscription finds all of it.
func TestOrderOfSubscriptions(t *testing.T) {
	_, tenant := newTenant(newTestClock())
	var over atomic.Bool
	look := func() {
		for !over.Load() {
			for _, s := range tenant.reports.all() {
				if s.tenant != tenant || s.listener == nil {
					t.Errorf("a subscription is only there in part: %+v", s)
					return
				}
			}
			runtime.Gosched()
		}
	}
	together(look, look, func() {
		defer over.Store(true)
		for range litmusRounds() {
			s, err := tenant.subscribe(deafListener{}, nil)
			if err != nil {
				t.Error(err)
				return
			}
			s.Leave(memorytest.Context())
		}
	})
}

// deafListener is a ReportListener that does nothing.
type deafListener struct{ ReportListener }

// The last change is the one that counts, whoever notes it last.
func TestOrderOfFlightChanges(t *testing.T) {
	for round := range litmusRounds() {
		var p Process
		change := func(from uint64) func() {
			return func() {
				for i := range uint64(10) {
					p.changed(from + 3*i)
				}
			}
		}
		var last uint64
		together(change(0), change(1), change(2), func() {
			for range 10 {
				now := p.flightChange.Load()
				if now < last {
					t.Errorf("round %d: the last change was %d after %d", round, now, last)
				}
				last = now
			}
		})
		require.EqualValues(t, 29, p.flightChange.Load(), "round %d", round)
	}
}

// A process's charge ends once, after the last use of it.
func TestOrderOfHolders(t *testing.T) {
	for round := range litmusRounds() / 10 {
		a := account.New(math.MaxInt64)
		require.NoError(t, a.Charge(processPrice+100))
		p := &Process{account: a, holders: atomicbitops.FromInt32(1)}
		use := func() {
			for range 1000 {
				p.hold()
				if a.Used() < 100+processPrice {
					t.Errorf("round %d: the charge ended in use", round)
				}
				p.drop()
			}
			p.drop()
		}
		p.hold()
		p.hold()
		together(use, use, use)
		require.EqualValues(t, 100, a.Used(), "round %d", round)
	}
}

// An entry of the log is of one transaction.
func TestOrderOfLog(t *testing.T) {
	var l transactionLog
	var over atomic.Bool
	entry := func(id int32) *logEntry {
		return &logEntry{debugID: id, from: pidOf(id), fromTID: id, toProc: pidOf(id), toTID: id, context: fmt.Sprint(id), node: id, done: true}
	}
	add := func(from int32) func() {
		return func() {
			defer over.Store(true)
			for i := range int32(100 * litmusRounds()) {
				id := from + 2*i
				l.update(l.add(&logEntry{debugID: id}), entry(id))
			}
		}
	}
	together(add(1), add(2), func() {
		for !over.Load() {
			for i := range l.entries {
				slot := &l.entries[i]
				slot.mu.Lock()
				e := slot.entry
				slot.mu.Unlock()
				if e.done && e != *entry(e.debugID) {
					t.Errorf("an entry of two transactions: %+v", e)
					return
				}
			}
			runtime.Gosched()
		}
	})
}
