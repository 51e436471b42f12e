// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"sentrybinder/pkg/binder/list"
)

// maxOvertaken is how many notifications may be delivered ahead of a transaction.
const maxOvertaken = 32

// processTodo is work for whichever thread of a process comes first, in the order in
// which it was queued, with one exception: a transaction waits for at most maxOvertaken
// notifications of deaths, freezes or changed references. A process that ends can
// send others a million of them at once. A notification says how things stand when it
// is read, so it may as well come later.
//
// Its user is a Process, whose mu guards it.
//
// +stateify savable
type processTodo struct {
	workList

	// first and last are the ends of the chain of the list's transactions, linked by
	// Transaction.nextTodo.
	first, last *Transaction

	// overtaking counts the notifications taken since the last transaction was, while
	// another one waited.
	overtaking int
}

// pushTransaction adds t, which must not be on a list, with a new reference.
func (q *processTodo) pushTransaction(t *Transaction) {
	if q.first == nil {
		q.first = t
	} else {
		q.last.nextTodo = t
	}
	q.last = t
	q.pushBack(t)
}

// pop removes the next item and returns its reference, or returns false if there is
// none.
func (q *processTodo) pop() (list.Arc[work], bool) {
	var w list.Arc[work]
	if q.first != nil && q.overtaking >= maxOvertaken {
		w = q.remove(q.first)
	} else {
		var ok bool
		if w, ok = q.popFront(); !ok {
			return w, false
		}
	}
	if t, ok := w.Get().(*Transaction); ok {
		if q.first, t.nextTodo = t.nextTodo, nil; q.first == nil {
			q.last = nil
		}
		q.overtaking = 0
	} else if q.first != nil {
		q.overtaking++
	}
	return w, true
}
