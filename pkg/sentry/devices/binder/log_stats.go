// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"bytes"
	"fmt"
)

// ProcessStats holds the statistics of a process, as in LogStats.
type ProcessStats struct {
	// PID is the process's ID in the reader's PID namespace, and Context the name of
	// the device.
	PID     int32  `json:"pid"`
	Context string `json:"context"`

	// Seq is greater than that of all older processes.
	Seq uint64 `json:"-"`

	// Threads is the number of threads that have called the driver. ReadyThreads of
	// them wait for work. RequestedThreads is the number of requested loopers that
	// have not registered yet, StartedThreads of those that have, of MaxThreads.
	Threads          int    `json:"threads"`
	ReadyThreads     int    `json:"ready_threads"`
	RequestedThreads uint32 `json:"requested_threads"`
	StartedThreads   uint32 `json:"started_threads"`
	MaxThreads       uint32 `json:"max_threads"`

	// FreeAsyncSpace is the space left to one-way calls in the process's mapping, in
	// bytes.
	FreeAsyncSpace uint64 `json:"free_async_space"`

	Nodes int `json:"nodes"`

	// Refs is the number of the process's references to nodes of others, StrongRefs
	// and WeakRefs how often it has acquired them.
	Refs       int `json:"refs"`
	StrongRefs int `json:"strong_refs"`
	WeakRefs   int `json:"weak_refs"`

	// Buffers are on used pages; the other pages are idle or absent.
	Buffers        int    `json:"buffers"`
	UsedPages      int    `json:"used_pages"`
	IdlePages      int    `json:"idle_pages"`
	AbsentPages    int    `json:"absent_pages"`
	PagesHighWater uint32 `json:"pages_high_water"`

	PendingTransactions int `json:"pending_transactions"`

	// Commands and Returns are the non-zero counts of commands written and returns
	// read, by name.
	Commands map[string]uint64 `json:"commands,omitempty"`
	Returns  map[string]uint64 `json:"returns,omitempty"`
}

// processStats returns the statistics of p without Commands and Returns.
func (p *Process) processStats(ids pidsIn) ProcessStats {
	s := ProcessStats{PID: ids.pid(p.id), Context: p.ctx.name, Seq: p.ordinal}

	p.mu.Lock()
	s.Threads, s.ReadyThreads, s.Nodes = len(p.inner.threads), p.inner.waiting.Len(), p.inner.nodes.len()
	s.RequestedThreads, s.StartedThreads, s.MaxThreads = p.inner.requestedThreads, p.inner.startedThreads, p.inner.maxThreads
	s.PendingTransactions = p.inner.todo.transactions
	p.mu.Unlock()

	var batch [batchSize]*Ref
	walk := startWalk()
	for next, more := uint32(0), true; more; walk.yield() {
		var found []*Ref
		p.refsMu.Lock()
		found, next, more = p.handles.next(next, batch[:0])
		for _, r := range found {
			s.Refs++
			in := r.lockedBy(p)
			s.StrongRefs += int(in.strong)
			s.WeakRefs += int(in.weak)
		}
		p.refsMu.Unlock()
	}

	space := p.alloc.Usage()
	s.FreeAsyncSpace, s.Buffers = space.FreeAsync, space.Buffers
	s.UsedPages, s.IdlePages, s.AbsentPages, s.PagesHighWater = space.Used, space.Idle, space.Absent, space.HighWater
	return s
}

// writeStats writes the statistics of p.
func (p *Process) writeStats(buf *bytes.Buffer, ids pidsIn) {
	s := p.processStats(ids)
	fmt.Fprintf(buf, "proc %d\ncontext %s\n", s.PID, s.Context)
	fmt.Fprintf(buf, "  threads: %d\n  requested threads: %d+%d/%d\n  ready threads %d\n", s.Threads, s.RequestedThreads, s.StartedThreads, s.MaxThreads, s.ReadyThreads)
	fmt.Fprintf(buf, "  free async space %d\n  nodes: %d\n  refs: %d s %d w %d\n", s.FreeAsyncSpace, s.Nodes, s.Refs, s.StrongRefs, s.WeakRefs)
	fmt.Fprintf(buf, "  buffers: %d\n  pages: %d:%d:%d\n  pages high watermark: %d\n", s.Buffers, s.UsedPages, s.IdlePages, s.AbsentPages, s.PagesHighWater)
	fmt.Fprintf(buf, "  pending transactions: %d\n", s.PendingTransactions)
	p.counts.print(buf, "  ")
}
