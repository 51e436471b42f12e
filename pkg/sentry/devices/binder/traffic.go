// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"gvisor.dev/gvisor/pkg/atomicbitops"

	"sentrybinder/pkg/abi/binder"
)

// result is the outcome of a message.
type result int

const (
	resultSent result = iota
	resultFailed
	resultDead
	resultFrozen
	numResults
)

// resultOf returns the outcome of a message that failed with f, or was sent if f is nil.
func resultOf(f *failure) result {
	switch {
	case f == nil:
		return resultSent
	case f.br == binder.BR_DEAD_REPLY:
		return resultDead
	case f.br == binder.BR_FROZEN_REPLY:
		return resultFrozen
	default:
		return resultFailed
	}
}

// notice is a kind of notification.
type notice int

const (
	noticeDeath notice = iota
	noticeFreeze
	numNotices
)

// traffic counts what a container's processes have sent, and the notifications that they
// have read, for the metrics. It is not saved. Each container has its own, so that
// containers don't contend for it.
type traffic struct {
	transactions [numLogKinds][numResults]atomicbitops.Uint64
	notices      [numNotices]atomicbitops.Uint64
}

func (t *traffic) ended(kind logKind, f *failure) { t.transactions[kind][resultOf(f)].Add(1) }

func (t *traffic) told(n notice) { t.notices[n].Add(1) }

// add adds the counts of other.
func (t *traffic) add(other *traffic) {
	for kind := range t.transactions {
		for r := range t.transactions[kind] {
			t.transactions[kind][r].Add(other.transactions[kind][r].Load())
		}
	}
	for n := range t.notices {
		t.notices[n].Add(other.notices[n].Load())
	}
}

// sumTraffic returns the sum of a count over all containers, including those that are gone.
// It never decreases.
func (d *Driver) sumTraffic(count func(*traffic) uint64) uint64 {
	d.tenants.mu.Lock()
	defer d.tenants.mu.Unlock()
	sum := count(&d.tenants.gone)
	if m := d.tenants.byID.Load(); m != nil {
		for _, t := range *m {
			sum += count(&t.traffic)
		}
	}
	return sum
}
