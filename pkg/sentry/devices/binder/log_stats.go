// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"bytes"
	"fmt"
)

// writeStats writes the counts of p.
func (p *Process) writeStats(buf *bytes.Buffer, ids pidsIn) {
	fmt.Fprintf(buf, "proc %d\ncontext %s\n", ids.pid(p.id), p.ctx.name)

	p.mu.Lock()
	threads, ready, nodes := len(p.inner.threads), p.inner.waiting.Len(), p.inner.nodes.len()
	requested, started, most := p.inner.requestedThreads, p.inner.startedThreads, p.inner.maxThreads
	pending := p.inner.todo.transactions
	p.mu.Unlock()

	refs, strong, weak := 0, 0, 0
	var batch [batchSize]*Ref
	walk := startWalk()
	for next, more := uint32(0), true; more; walk.yield() {
		var found []*Ref
		p.refsMu.Lock()
		found, next, more = p.handles.next(next, batch[:0])
		for _, r := range found {
			refs++
			in := r.lockedBy(p)
			strong += int(in.strong)
			weak += int(in.weak)
		}
		p.refsMu.Unlock()
	}

	space := p.alloc.Usage()
	fmt.Fprintf(buf, "  threads: %d\n  requested threads: %d+%d/%d\n  ready threads %d\n", threads, requested, started, most, ready)
	fmt.Fprintf(buf, "  free async space %d\n  nodes: %d\n  refs: %d s %d w %d\n", space.FreeAsync, nodes, refs, strong, weak)
	fmt.Fprintf(buf, "  buffers: %d\n  pages: %d:%d:%d\n  pages high watermark: %d\n", space.Buffers, space.Used, space.Idle, space.Absent, space.HighWater)
	fmt.Fprintf(buf, "  pending transactions: %d\n", pending)
	p.counts.print(buf, "  ")
}
