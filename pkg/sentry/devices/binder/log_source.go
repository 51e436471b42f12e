// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"cmp"
	"slices"

	"gvisor.dev/gvisor/pkg/context"

	"sentrybinder/pkg/binder/list"
)

// selected is the number of elements that a selection holds.
const selected = 512

// selection holds the first of many elements, in the order of compare, without holding
// all of them.
type selection[T any] struct {
	compare func(a, b T) int
	elems   []T

	// more is true if elements were dropped for lack of room.
	more bool
}

func (s *selection[T]) add(e T) {
	if len(s.elems) == 2*selected {
		s.trim()
	}
	s.elems = append(s.elems, e)
}

func (s *selection[T]) trim() {
	slices.SortFunc(s.elems, s.compare)
	if len(s.elems) > selected {
		clear(s.elems[selected:])
		s.elems, s.more = s.elems[:selected], true
	}
}

// sorted returns the elements.
func (s *selection[T]) sorted() []T {
	s.trim()
	return s.elems
}

// threadsFrom returns the lowest IDs of p's threads that are at least from, in order,
// and whether there are more. See visitThreads.
func (p *Process) threadsFrom(from int32) ([]int32, bool) {
	s := selection[int32]{compare: cmp.Compare[int32]}
	p.visitThreads(func(id int32) {
		if id >= from {
			s.add(id)
		}
	})
	return s.sorted(), s.more
}

// todoList returns the list of work for any thread of p.
func (p *Process) todoList() *workList {
	p.mu.Lock()
	defer p.mu.Unlock()
	return &p.inner.todo.workList
}

// todoList returns the list of work for th alone.
func (th *Thread) todoList() *workList {
	th.proc.mu.Lock()
	defer th.proc.mu.Unlock()
	return &th.inner.todo
}

// queuedWork is a reference to an item of work, and its sequence number.
type queuedWork struct {
	list.Arc[work]
	seq uint64
}

// queuedAfter appends to items the next items on l, which p's mu guards, in order, whose
// sequence numbers are greater than seq: at most as many as items has room for, and none
// only if there are none. It takes the lock for a batch at a time.
func (p *Process) queuedAfter(ctx context.Context, l *workList, seq uint64, items []queuedWork) []queuedWork {
	var from queuedWork // the start of the next batch
	walk := startWalk()
	for {
		p.mu.Lock()
		c := l.items.Front()
		if from.Ok() {
			if i := from.Get().item(); i.on == l && i.seq == from.seq {
				c = l.items.At(&i.links)
			}
		}
		var last work
		for n := 0; n < batchSize && c.Ok() && len(items) < cap(items); n++ {
			last = c.Value()
			if at := last.item().seq; at > seq {
				items = append(items, queuedWork{list.BorrowOf(last).Arc(), at})
			}
			c.Next()
		}
		was := from
		more := c.Ok() && len(items) == 0
		if more {
			from = queuedWork{list.BorrowOf(last).Arc(), last.item().seq}
		}
		p.mu.Unlock()
		was.Release(ctx)
		if !more {
			return items
		}
		walk.yield()
	}
}
