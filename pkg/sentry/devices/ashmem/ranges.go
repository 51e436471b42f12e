// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package ashmem

import (
	"slices"

	"gvisor.dev/gvisor/pkg/errors/linuxerr"

	"sentrybinder/pkg/sentry/devices/binder/account"
)

// rangePrice is what an unpinned range takes of the sentry's memory, in bytes, with
// the room that its list has to grow.
const rangePrice = 64

// maxRanges is how many unpinned ranges an area can have. It bounds how long one
// request takes.
const maxRanges = 4096

// pages is a range of page numbers of an area, not empty.
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

// ranges are the unpinned ranges of an area. Those that overlap are one; those that
// only touch are two, as an application has unpinned them.
//
// +stateify savable
type ranges struct {
	// account is charged with each range.
	account *account.Account

	// list is in order, and no two overlap.
	list []unpinnedRange
}

// overlapping returns which elements of list overlap p.
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

// unpin makes the pages of p unpinned. A range that is joined to one that was purged
// counts as purged: none of its pages is purged any more, and who pins any hears of it.
//
// Errors: ENOMEM if there is no room for one more range. Nothing is changed then.
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

// pin makes the pages of p pinned, and returns whether one of them was in a range that
// was purged.
//
// Errors: ENOMEM if there is no room for one more range, where p is in the midst of
// one. Nothing is changed then.
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

// canPurge returns whether there are pages to be purged.
func (r *ranges) canPurge() bool {
	return slices.ContainsFunc(r.list, func(u unpinnedRange) bool { return !u.purged })
}

// purge marks all ranges as purged. It calls f with those that were not.
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

// replace puts repl in the place of list[from:to].
//
// Errors: ENOMEM if it can't be charged, or would be too many ranges.
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
		r.list = slices.Clone(r.list) // What isn't charged any more isn't kept either.
	}
	return nil
}
