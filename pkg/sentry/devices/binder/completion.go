// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"gvisor.dev/gvisor/pkg/context"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/binder/list"
	"sentrybinder/pkg/binder/pool"
)

// completion is work that tells a thread that its transaction was queued.
//
// +stateify savable
type completion struct {
	list.Count
	workItem

	proc *Process

	// pendingFrozen is true if the transaction was queued for a frozen process.
	// +checklocks:proc.mu
	pendingFrozen bool

	// spamSuspect is true if the sender is suspected of one-way spam.
	spamSuspect bool
}

// newCompletion returns a completion for a thread of p.
//
// Errors: ENOMEM if p's account has no room for it.
func newCompletion(p *Process) (list.Arc[*completion], error) {
	if err := p.account.Charge(completionPrice); err != nil {
		return list.Arc[*completion]{}, err
	}
	p.stats().created(objectTransactionComplete)
	c := completions.Get()
	c.proc = p
	fresh := list.NewUnique(c)
	return fresh.Share(), nil
}

// completions recycles completions. As with transactions, none of its elements is
// referenced.
var completions pool.Pool[completion]

// Destroy implements list.Counted.Destroy.
func (c *completion) Destroy(context.Context) {
	c.proc.stats().deleted(objectTransactionComplete)
	c.proc.account.Credit(completionPrice)
	completions.Put(c)
}

// completeLocked queues c, which tells th, a thread of p, that t was queued. After a
// synchronous call, c can wait: th will wait for the reply anyway. c can also wait if the
// sender set TF_DEFER_COMPLETE, unless th is to be told of spam.
//
// +checklocks:p.mu
func (th *Thread) completeLocked(p *Process, c *completion, t *Transaction) {
	p.mustBe(c.proc)
	suspect := c.spamSuspect && p.inner.oneWaySpamDetection
	if call := !t.reply && !t.oneWay(); call || t.flags&binder.TF_DEFER_COMPLETE != 0 && !suspect {
		th.deferLocked(p, c)
	} else {
		th.queueLocked(p, c)
	}
}

// cancel implements work.cancel.
func (c *completion) cancel(context.Context) {}

// describe implements work.describe.
func (c *completion) describe(l *logWriter) {
	c.proc.mu.Lock()
	pendingFrozen := c.pendingFrozen
	c.proc.mu.Unlock()
	switch {
	// Linux has no name for the first two and shows their numbers.
	case pendingFrozen:
		l.buf.WriteString("unknown work: type 3\n")
	case c.spamSuspect:
		l.buf.WriteString("unknown work: type 4\n")
	default:
		l.buf.WriteString("transaction complete\n")
	}
}

// take implements work.take.
//
// +checklocks:c.proc.mu
func (c *completion) take(context.Context, *Thread) delivery {
	var d delivery
	switch {
	case c.pendingFrozen:
		d.add(binder.BR_TRANSACTION_PENDING_FROZEN)
	case c.spamSuspect && c.proc.inner.oneWaySpamDetection:
		d.add(binder.BR_ONEWAY_SPAM_SUSPECT)
	default:
		d.add(binder.BR_TRANSACTION_COMPLETE)
	}
	return d
}
