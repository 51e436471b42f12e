// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package ashmem

import (
	"slices"

	"gvisor.dev/gvisor/pkg/errors/linuxerr"

	"sentrybinder/pkg/sentry/devices/binder/account"
)

// rangePrice is the sentry memory that an unpinned range takes, in bytes, including its
// list's room to grow.
const rangePrice = 64

// maxRanges is how many unpinned ranges an area can have. It bounds the time that one
// request takes.
const maxRanges = 4096

// pages is a non-empty range of an area's page numbers.
//
// +stateify savable
type pages struct {
	first, end uint64
}

func (p pages) len() uint64 { return p.end - p.first }

// unpinnedRange is a range whose pages may be purged, or have been.
//
// +stateify savable
type unpinnedRange struct {
	pages
	purged bool
}

// ranges are the unpinned ranges of an area. Ranges that overlap are joined; ranges that
// only touch stay two, as the application unpinned them.
//
// +stateify savable
type ranges struct {
	// account is charged for each range.
	account *account.Account

	// list is sorted, and no two elements overlap.
	list []unpinnedRange
}

// overlapping returns the bounds of the elements of list that overlap p.
func (r *ranges) overlapping(p pages) (from, to int) {
	from, _ = slices.BinarySearchFunc(r.list, p.first, func(u unpinnedRange, first uint64) int {
		if u.end <= first {
			return -1
		}
		return 1
	})
	for to = from; to < len(r.list) && r.list[to].first < p.end; to++ {
	}
	return from, to
}

// unpin unpins the pages of p. A range joined to a purged one counts as purged: none of
// its pages is purged any more, and pinning any of them reports a purge.
//
// Errors: ENOMEM if there is no room for one more range. Then nothing changes.
func (r *ranges) unpin(p pages) error {
	from, to := r.overlapping(p)
	joined := unpinnedRange{pages: p}
	for _, u := range r.list[from:to] {
		if u.first <= p.first && p.end <= u.end {
			return nil
		}
		joined.first, joined.end = min(joined.first, u.first), max(joined.end, u.end)
		joined.purged = joined.purged || u.purged
	}
	return r.replace(from, to, joined)
}

// pin pins the pages of p, and returns whether one of them was in a purged range.
//
// Errors: ENOMEM if p splits a range and there is no room for one more. Then nothing
// changes.
func (r *ranges) pin(p pages) (purged bool, err error) {
	from, to := r.overlapping(p)
	var rest []unpinnedRange
	for _, u := range r.list[from:to] {
		purged = purged || u.purged
		if u.first < p.first {
			rest = append(rest, unpinnedRange{pages{u.first, p.first}, u.purged})
		}
		if u.end > p.end {
			rest = append(rest, unpinnedRange{pages{p.end, u.end}, u.purged})
		}
	}
	return purged, r.replace(from, to, rest...)
}

// isPinned returns whether all pages of p are pinned.
func (r *ranges) isPinned(p pages) bool {
	from, to := r.overlapping(p)
	return from == to
}

// hasPurgeable returns whether there are pages to purge.
func (r *ranges) hasPurgeable() bool {
	return slices.ContainsFunc(r.list, func(u unpinnedRange) bool { return !u.purged })
}

// purge marks all ranges as purged, and calls f with those that were not before.
func (r *ranges) purge(f func(p pages)) {
	for i := range r.list {
		if u := &r.list[i]; !u.purged {
			u.purged = true
			f(u.pages)
		}
	}
}

// clear removes all ranges.
func (r *ranges) clear() { r.replace(0, len(r.list)) }

// replace replaces list[from:to] with repl.
//
// Errors: ENOMEM if the account can't pay for it, or there would be too many ranges.
func (r *ranges) replace(from, to int, repl ...unpinnedRange) error {
	more := len(repl) - (to - from)
	switch {
	case more < 0:
		r.account.Credit(int64(-more) * rangePrice)
	case more > 0:
		if len(r.list)+more > maxRanges {
			return linuxerr.ENOMEM
		}
		if err := r.account.Charge(int64(more) * rangePrice); err != nil {
			return err
		}
	}
	r.list = slices.Replace(r.list, from, to, repl...)
	if len(r.list) < cap(r.list)/4 {
		r.list = slices.Clone(r.list) // Don't keep room that is no longer paid for.
	}
	return nil
}
