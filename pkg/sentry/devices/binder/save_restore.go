// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"context"

	"gvisor.dev/gvisor/pkg/gohacks"

	"sentrybinder/pkg/binder/kvvec"
	"sentrybinder/pkg/binder/list"
)

// go_stateify doesn't see the instances of generic types.
func init() {
	list.Register[work, todoID]()
	list.Register[*Thread, waitingID]()
	list.RegisterArc[*Node]()
	list.RegisterArc[*Thread]()
	list.RegisterArc[*Transaction]()
	list.RegisterArc[*death]()
	list.RegisterArc[*freezeNotification]()
	list.RegisterArc[*threadError]()
	kvvec.Register[*Process]()
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

// afterLoad is invoked by stateify.
func (h *hasher) afterLoad(context.Context) { h.init() }

// saveSent is invoked by stateify. The clock is another one after a restore:
// what is saved is the age.
func (t *Transaction) saveSent() int64 { return gohacks.Nanotime() - t.sent }

// loadSent is invoked by stateify.
func (t *Transaction) loadSent(_ context.Context, age int64) { t.sent = gohacks.Nanotime() - age }
