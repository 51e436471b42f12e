// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"gvisor.dev/gvisor/pkg/atomicbitops"

	"sentrybinder/pkg/abi/binder"
)

// result is what has become of a message.
type result int

const (
	resultSent result = iota
	resultFailed
	resultDead
	resultFrozen
	numResults
)

// resultOf returns what has become of a message that failed by f, or was sent if that is
// nil.
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

// traffic counts what a container's processes have sent, and what they were told, for the
// metrics. It is not saved. It belongs to a container, so that nobody contends with others
// for it.
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

// sumTraffic returns the sum of a count over all containers, also those that are gone. It
// is never less than before.
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
