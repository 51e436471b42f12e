// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"gvisor.dev/gvisor/pkg/context"

	"sentrybinder/pkg/binder/list"
)

// work is something that a thread of an application has to be told: an item of
// a todo list. Items of all kinds share the lists in queueing order; an item is on
// at most one list.
type work interface {
	list.Counted

	// take updates the driver's state for an item that th has just taken off a list,
	// and returns what to tell th.
	//
	// Preconditions: th.proc.mu is locked.
	take(ctx context.Context, th *Thread) delivery

	// cancel disposes of an item that will never be read. It is called with no lock
	// held.
	cancel(ctx context.Context)

	// describe writes the rest of the item's log line. It is called with no lock
	// held, and with a reference to the item, which may have left its list.
	describe(l *logWriter)

	// item returns the workItem that the kind embeds.
	item() *workItem
}

// delivery is what a work item amounts to in the buffer of the thread that
// reads it: up to maxDelivered returns with the same parameters.
type delivery struct {
	// transaction, if there is one, is all that is delivered.
	transaction list.Arc[*Transaction]

	// commands are BR_ codes; the first n are used.
	commands [maxDelivered]uint32
	n        int

	// ptr and cookie follow each of commands, up to the size that the code gives for
	// its parameters: cookie alone if that is 8 bytes.
	ptr, cookie uint64

	// failure is cleared once the delivery was read.
	failure *threadError

	// last is true if the same read returns nothing after this.
	last bool
}

// maxDelivered is the most returns that a node needs at once: it can gain and lose
// both a strong and a weak reference.
const maxDelivered = 4

func (d *delivery) add(br uint32) {
	d.commands[d.n] = br
	d.n++
}

// todoID marks the links of todo lists.
type todoID struct{}

// workItem is what each kind of work embeds to be on a workList.
//
// +stateify savable
type workItem struct {
	links list.Links[work, todoID]

	// on is the list that the item is on, or nil, and seq its sequence number there.
	// Both are protected by the lock of the lists that items of its kind can be on.
	on  *workList
	seq uint64
}

// item implements work.item.
func (i *workItem) item() *workItem { return i }

// workList is a list of work items, with a reference to each. Its user guards
// it.
//
// +stateify savable
type workList struct {
	items list.List[work, todoID]

	// lastSeq is the sequence number of the item pushed last.
	lastSeq uint64

	// transactions is the number of transactions among the items.
	transactions int
}

// pushBack adds w, which must not be on a list, with a new reference.
func (l *workList) pushBack(w work) {
	i := w.item()
	ref, ok := i.links.Claim(w)
	if !ok {
		warnings().Warningf("binder: %T is queued twice", w)
		return
	}
	l.items.PushBack(ref)
	l.lastSeq++
	i.on, i.seq = l, l.lastSeq
	l.count(w, 1)
}

// count adjusts the count for w, which was added (n is 1) or removed (-1).
func (l *workList) count(w work, n int) {
	if _, ok := w.(*Transaction); ok {
		l.transactions += n
	}
}

// popFront removes the first item and returns its reference, or returns false
// if there is none.
func (l *workList) popFront() (list.Arc[work], bool) {
	ref, ok := l.items.PopFront()
	if !ok {
		return list.Arc[work]{}, false
	}
	w := ref.Get()
	w.item().on = nil
	l.count(w, -1)
	return ref.Arc(), true
}

func (l *workList) empty() bool { return l.items.Empty() }

// cancelAll cancels the work that pop returns, until it returns false.
//
// Preconditions: No lock is held.
func cancelAll(ctx context.Context, pop func() (list.Arc[work], bool)) {
	for w, ok := pop(); ok; w, ok = pop() {
		w.Get().cancel(ctx)
		w.Release(ctx)
	}
}

// remove removes w, which is on l, and returns its reference.
func (l *workList) remove(w work) list.Arc[work] {
	i := w.item()
	ref, ok := l.items.Remove(&i.links)
	if !ok {
		return list.Arc[work]{}
	}
	l.count(w, -1)
	i.on = nil
	return ref.Arc()
}

// dequeue takes w off its list, if it is on one.
func dequeue(ctx context.Context, w work) {
	if on := w.item().on; on != nil {
		held := on.remove(w)
		held.Release(ctx)
	}
}
