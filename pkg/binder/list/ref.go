// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package list

import (
	"reflect"

	"gvisor.dev/gvisor/pkg/atomicbitops"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/sync"
)

// Places of a list reference.
const (
	// unclaimed: there is no list reference.
	unclaimed = iota

	// claimed: it is a Ref outside any list.
	claimed

	// onList plus the label of a list: it is on that list. Only empty lists can
	// have the label 0.
	onList
)

// lastLabel is the last label given to a list.
var lastLabel atomicbitops.Uint64

// Links lets a value be on a list: a value with a Links[T, ID], embedded by
// value, can be on one List[T, ID] at a time. ID tells several Links of a value
// apart. It is a type that serves only as a name; an empty struct will do.
//
// The zero Links is ready to use. A Links must not be copied.
//
// +stateify savable
type Links[T Counted, ID any] struct {
	_ sync.NoCopy

	next, prev *Links[T, ID]

	// place is where the list reference is. Only the owner of the reference
	// changes it: the list, which is locked, or the holder of a Ref, which need
	// not hold the lock. Whoever holds the lock may read it.
	place atomicbitops.Uint64

	// taken is 1 while there is a list reference. It decides between concurrent
	// claims. If place did, each push and removal would have to change it
	// atomically.
	taken atomicbitops.Uint32

	// value is the value with these links, and count is its count. A claim sets
	// both.
	value T
	count *Count
}

// Claim returns the list reference for these links, with a count of its own, or
// returns false if there is one already. v is the value with these links, and
// must have a reference. Claim is safe for concurrent use and needs no lock.
func (k *Links[T, ID]) Claim(v T) (Ref[T, ID], bool) {
	if strict && !within(k, v) {
		violation("links claimed for a value that doesn't contain them")
	}
	if !k.taken.CompareAndSwap(0, 1) {
		return Ref[T, ID]{}, false
	}
	k.value = v
	k.count = v.counter()
	k.count.inc()
	k.place.Store(claimed)
	return Ref[T, ID]{k}, true
}

// within returns true if the links k are a part of the value v.
func within[T Counted, ID any](k *Links[T, ID], v T) bool {
	p := reflect.ValueOf(v)
	start := p.Pointer()
	at := reflect.ValueOf(k).Pointer()
	return at >= start && at-start < p.Type().Elem().Size()
}

// Linked returns true if the value is on a list. The caller holds the lock of
// the lists that the value can be on.
func (k *Links[T, ID]) Linked() bool {
	return k.place.Load() >= onList
}

// held returns true if k is not nil and its list reference is a Ref, the
// caller's.
func (k *Links[T, ID]) held() bool {
	return k != nil && k.place.RacyLoad() == claimed
}

// Pair completes a value: it returns a reference that can be shared and the list
// reference for the value's links k, each with a count of its own.
// view is u's value as the lists see it, such as an interface that it
// implements. u becomes the zero Unique.
func Pair[U, T Counted, ID any](u *Unique[U], k *Links[T, ID], view T) (Arc[U], Ref[T, ID]) {
	a := u.Share()
	if a.count == view.counter() {
		if r, ok := k.Claim(view); ok {
			return a, r
		}
	}
	violation("pair made of a value that is not unique")
	return a, Ref[T, ID]{}
}

// Ref is a list reference. There is at most one for each Links, and it alone
// can put the value onto a list. It owns a count. The zero Ref refers to
// nothing.
//
// A Ref has one owner. Assignment moves it, a push moves it into the list and a
// removal moves it out again.
//
// +stateify savable
type Ref[T Counted, ID any] struct {
	links *Links[T, ID]
}

// Ok returns true if r refers to a value.
func (r Ref[T, ID]) Ok() bool {
	return r.links != nil
}

// Get returns the value. Get of the zero Ref returns the zero T.
func (r Ref[T, ID]) Get() T {
	if r.links == nil {
		var zero T
		return zero
	}
	return r.links.value
}

// Clone returns a new reference to the value, which is not a list reference.
// Clone of the zero Ref returns the zero Arc.
func (r Ref[T, ID]) Clone() Arc[T] {
	if r.links == nil {
		return Arc[T]{}
	}
	return Arc[T]{r.links.value, r.links.count}.Clone()
}

// Arc turns r into a reference that is not a list reference. The value can then
// be claimed again. r becomes the zero Ref.
func (r *Ref[T, ID]) Arc() Arc[T] {
	k := r.links
	r.links = nil
	if k == nil {
		return Arc[T]{}
	}
	a := Arc[T]{k.value, k.count}
	if !k.held() {
		violation("list reference given up twice or while on a list")
		return a.Clone()
	}
	k.place.Store(unclaimed)
	k.taken.Store(0)
	return a
}

// Release gives the list reference up and destroys the value if it was the last
// reference. r becomes the zero Ref. Release of the zero Ref does nothing.
func (r *Ref[T, ID]) Release(ctx context.Context) {
	a := r.Arc()
	a.Release(ctx)
}
