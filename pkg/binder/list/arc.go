// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package list

import (
	"gvisor.dev/gvisor/pkg/context"
)

// Arc is a reference to a shared value. It owns one count: the value lives at
// least until the Arc is released. The zero Arc refers to nothing.
//
// An Arc has one owner. Assignment moves it: the variable that it came from
// must not be used again. Clone makes another.
//
// +stateify savable
type Arc[T Counted] struct {
	value T

	// count is value's, or nil in the zero Arc.
	count *Count
}

// Ok returns true if a refers to a value.
func (a Arc[T]) Ok() bool {
	return a.count != nil
}

// Get returns the value, which stays valid until a is released. Get of the zero
// Arc returns the zero T.
func (a Arc[T]) Get() T {
	return a.value
}

// Borrow returns a borrow of the value. It must not be used after a is
// released.
func (a Arc[T]) Borrow() Borrow[T] {
	return Borrow[T](a)
}

// Clone returns a new reference to the same value. Clone of the zero Arc
// returns the zero Arc.
func (a Arc[T]) Clone() Arc[T] {
	if a.count != nil {
		a.count.inc()
	}
	return a
}

// Take moves the reference out of a, which becomes the zero Arc.
func (a *Arc[T]) Take() Arc[T] {
	b := *a
	*a = Arc[T]{}
	return b
}

// Release gives the reference up and destroys the value if it was the last
// one. a becomes the zero Arc. Release of the zero Arc does nothing.
func (a *Arc[T]) Release(ctx context.Context) {
	if b := a.Take(); b.count != nil && b.count.dec() {
		b.value.Destroy(ctx)
	}
}

// IntoRaw gives up a but not its count, for a user that stores only the value.
// FromRaw makes an Arc of it again. a becomes the zero Arc.
func (a *Arc[T]) IntoRaw() T {
	return a.Take().value
}

// FromRaw returns the reference whose value IntoRaw returned.
func FromRaw[T Counted](v T) Arc[T] {
	return Arc[T]{v, v.counter()}
}

// Borrow is a reference without a count: another holder keeps a reference to the
// value for as long as the Borrow is in use.
type Borrow[T Counted] struct {
	value T
	count *Count
}

// BorrowOf returns a borrow of v, which must have a reference. Methods use it to
// make references to their receiver.
func BorrowOf[T Counted](v T) Borrow[T] {
	return Borrow[T]{v, v.counter()}
}

// Get returns the value.
func (b Borrow[T]) Get() T {
	if b.count == nil || b.count.n.Load() == 0 {
		violation("borrow used after the last reference was released")
	}
	return b.value
}

// Arc returns a new reference to the value.
func (b Borrow[T]) Arc() Arc[T] {
	return Arc[T](b).Clone()
}

// Unique is the only reference to a value that is still being built. It splits
// allocation, which doesn't belong under a lock, from initialisation. Share and
// Pair end it. The zero Unique refers to nothing.
type Unique[T Counted] struct {
	arc Arc[T]
}

// NewUnique returns the first reference to v, which is new or whose last
// reference was released.
func NewUnique[T Counted](v T) Unique[T] {
	c := v.counter()
	if !c.n.CompareAndSwap(0, 1) {
		violation("unique reference to a value that is in use")
		c.inc()
	}
	return Unique[T]{Arc[T]{v, c}}
}

// Get returns the value, to which there is no other reference.
func (u Unique[T]) Get() T {
	return u.arc.value
}

// Share turns u into a reference that can be shared. u becomes the zero
// Unique.
func (u *Unique[T]) Share() Arc[T] {
	return u.arc.Take()
}

// Release destroys the value. u becomes the zero Unique. Release of the zero
// Unique does nothing.
func (u *Unique[T]) Release(ctx context.Context) {
	u.arc.Release(ctx)
}
