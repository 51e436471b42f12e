// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"gvisor.dev/gvisor/pkg/context"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/binder/list"
)

// asyncQueue holds the one-way transactions to a node that wait for an earlier one:
// see Node.asyncBusy. Its user guards it.
//
// +stateify savable
type asyncQueue struct {
	list workList

	// updates holds the transactions that a later one may supersede, by what both
	// have in common. The oldest of a kind is found in constant time.
	updates map[updateKind]updateChain
}

// updateKind is what a transaction with TF_UPDATE_TXN shares with those that it
// supersedes.
//
// +stateify savable
type updateKind struct {
	sender      int32
	code, flags uint32
}

// updateChain holds the transactions of an updateKind, the oldest first, linked by
// nextUpdate: they leave the queue in that order.
//
// +stateify savable
type updateChain struct {
	first, last *Transaction
}

// updateKind returns t's, or false if t lacks TF_UPDATE_TXN.
func (t *Transaction) updateKind() (updateKind, bool) {
	return updateKind{t.buffer.Sender(), t.code, t.flags}, t.flags&binder.TF_UPDATE_TXN != 0
}

// push adds t to the end.
func (q *asyncQueue) push(t *Transaction) {
	q.list.pushBack(t)
	kind, ok := t.updateKind()
	if !ok {
		return
	}
	if q.updates == nil {
		q.updates = make(map[updateKind]updateChain)
	}
	c := q.updates[kind]
	if c.first == nil {
		c.first = t
	} else {
		c.last.nextUpdate = t
	}
	c.last = t
	q.updates[kind] = c
}

// pop removes the oldest transaction and returns its reference, or returns false if
// there is none.
func (q *asyncQueue) pop() (list.Arc[work], bool) {
	w, ok := q.list.popFront()
	if ok {
		q.forget(w.Get().(*Transaction))
	}
	return w, ok
}

// forget removes t, which is leaving the queue and is the oldest of its kind, from
// updates.
func (q *asyncQueue) forget(t *Transaction) {
	kind, ok := t.updateKind()
	if !ok {
		return
	}
	c := q.updates[kind]
	c.first, t.nextUpdate = t.nextUpdate, nil
	if c.first == nil {
		delete(q.updates, kind)
	} else {
		q.updates[kind] = c
	}
}

// takeSuperseded removes the oldest transaction that t, about to be pushed, supersedes
// and returns its reference, or none. Both have TF_UPDATE_TXN, come from the same
// process, and have the same code and flags.
func (q *asyncQueue) takeSuperseded(ctx context.Context, t *Transaction) list.Arc[*Transaction] {
	kind, ok := t.updateKind()
	old := q.updates[kind].first
	if !ok || old == nil {
		return list.Arc[*Transaction]{}
	}
	held := list.BorrowOf(old).Arc()
	q.forget(old)
	dequeue(ctx, old)
	return held
}
