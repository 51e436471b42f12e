// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"context"

	"gvisor.dev/gvisor/pkg/gohacks"
	"gvisor.dev/gvisor/pkg/sentry/kernel"

	"sentrybinder/pkg/binder/kvvec"
	"sentrybinder/pkg/binder/list"
)

// go_stateify doesn't see instances of generic types.
func init() {
	list.Register[work, todoID]()
	list.Register[*Thread, waitingID]()
	list.RegisterArc[*Node]()
	list.RegisterArc[*Thread]()
	list.RegisterArc[*Transaction]()
	list.RegisterArc[*death]()
	list.RegisterArc[*freezeNotification]()
	list.RegisterArc[*threadError]()
	kvvec.Register[*handleChunk]()
}

// afterLoad is invoked by stateify.
func (d *Driver) afterLoad(context.Context) { d.scheduler = goScheduler{} }

// afterLoad is invoked by stateify.
func (th *Thread) afterLoad(context.Context) {
	th.wake = make(chan struct{}, 1)
}

// saveManager is invoked by stateify.
func (c *Context) saveManager() *Node { return c.manager.Load() }

// loadManager is invoked by stateify.
func (c *Context) loadManager(_ context.Context, n *Node) { c.manager.Store(n) }

// saveOpener is invoked by stateify.
func (p *Process) saveOpener() *kernel.ThreadGroup { return p.opener.Load() }

// loadOpener is invoked by stateify.
func (p *Process) loadOpener(_ context.Context, tg *kernel.ThreadGroup) { p.opener.Store(tg) }

// afterLoad is invoked by stateify.
func (h *hasher) afterLoad(context.Context) { h.init() }

// saveByID is invoked by stateify.
func (ts *tenants) saveByID() map[string]*Tenant {
	if m := ts.byID.Load(); m != nil {
		return *m
	}
	return nil
}

// loadByID is invoked by stateify.
func (ts *tenants) loadByID(_ context.Context, byID map[string]*Tenant) { ts.byID.Store(&byID) }

// saveSubs is invoked by stateify.
func (l *reportListeners) saveSubs() []*ReportSubscription { return l.all() }

// loadSubs is invoked by stateify.
func (l *reportListeners) loadSubs(_ context.Context, subs []*ReportSubscription) { l.store(subs) }

// saveByAge is invoked by stateify.
func (in *registryInner) saveByAge() []registryEntry {
	entries := make([]registryEntry, 0, in.byAge.Len())
	in.byAge.Ascend(func(e registryEntry) bool {
		entries = append(entries, e)
		return true
	})
	return entries
}

// loadByAge is invoked by stateify.
func (in *registryInner) loadByAge(_ context.Context, entries []registryEntry) { in.loaded = entries }

// afterLoad is invoked by stateify. Namespace IDs may have changed.
func (r *registry) afterLoad(context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.initLocked()
	for _, e := range r.inner.loaded {
		e = entryOf(e.proc)
		r.inner.byAge.ReplaceOrInsert(e)
		r.inner.byOpener.ReplaceOrInsert(e)
	}
	r.inner.loaded = nil
}

// afterLoad is invoked by stateify.
func (d *deadNodes) afterLoad(context.Context) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.initLocked()
	for n, ordinal := range d.inner.ordinals {
		d.inner.byAge.ReplaceOrInsert(deadNode{ordinal, n})
	}
}

// saveSent is invoked by stateify. It saves the age, since the clock is another one after
// a restore.
func (t *Transaction) saveSent() int64 { return gohacks.Nanotime() - t.sent }

// loadSent is invoked by stateify.
func (t *Transaction) loadSent(_ context.Context, age int64) { t.sent = gohacks.Nanotime() - age }
