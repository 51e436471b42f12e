// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package kvvec

import (
	"iter"
	"slices"
)

const (
	// pageSize is the unit in which Go's allocator hands out large buffers, the
	// same on every architecture.
	pageSize = 8 << 10

	// maxSmall is the greatest size, in bytes, of a buffer from a size class. One
	// with pointers has a header of 8 bytes in front; buffers of the last 8 bytes
	// below 32 KiB take the same memory either way.
	maxSmall = 32<<10 - 8
)

// A Vec is a vector of values. The zero value is an empty Vec that holds no
// memory. It is not safe for concurrent use. A copy of a Vec shares its buffer
// and must not be used together with the original.
type Vec[T any] struct {
	s []T
}

// Len returns the number of values.
func (v *Vec[T]) Len() int {
	return len(v.s)
}

// Cap returns the number of values that v has room for.
func (v *Vec[T]) Cap() int {
	return cap(v.s)
}

// At returns the value at index i. Like those of a slice, indices run from 0 to
// Len()-1 and any other panics.
func (v *Vec[T]) At(i int) T {
	return v.s[i]
}

// Ptr returns a pointer to the value at index i. It points to the value until
// the next call of a method that adds or removes values or changes the capacity.
func (v *Vec[T]) Ptr(i int) *T {
	return &v.s[i]
}

// Set replaces the value at index i.
func (v *Vec[T]) Set(i int, x T) {
	v.s[i] = x
}

// All returns an iterator over indices and values in order. Values must not be
// added or removed while it runs.
func (v *Vec[T]) All() iter.Seq2[int, T] {
	return slices.All(v.s)
}

// Append adds x after the last value. If there is no room, the capacity grows
// as that of a slice does: by a constant factor.
func (v *Vec[T]) Append(x T) {
	v.s = append(v.s, x)
}

// SwapRemove removes the value at index i, puts the last one in its place, and
// returns it.
func (v *Vec[T]) SwapRemove(i int) T {
	var zero T
	x := v.s[i]
	last := len(v.s) - 1
	v.s[i] = v.s[last]
	v.s[last] = zero
	v.s = v.s[:last]
	return x
}

// Clear removes all values. The capacity stays.
func (v *Vec[T]) Clear() {
	clear(v.s)
	v.s = v.s[:0]
}

// ShrinkTo gives memory back. The capacity becomes the greater of min and the
// length, unless it is at or under that already or, for a large buffer, less
// than a page would come free. The values are copied to the new buffer, if any:
// at zero there is none.
func (v *Vec[T]) ShrinkTo(min int) {
	bound := max(min, len(v.s))
	if cap(v.s) <= bound {
		return
	}
	if bound == 0 {
		v.s = nil
		return
	}
	if old := size[T](cap(v.s)); old > maxSmall && pages(old) == pages(size[T](bound)) {
		return
	}
	s := make([]T, len(v.s), bound)
	copy(s, v.s)
	v.s = s
}

// ShrinkAfterRemoval gives memory back if v holds much more than it needs: if
// less than a quarter of the capacity is used, it becomes twice the length.
// Called after every removal, it keeps removals and additions at amortized
// constant time: as many values must come or go as have stayed before the
// buffer is reallocated again.
//
// A buffer of at most a page stays as it is, even when it's empty: near zero a
// quarter of the capacity is one or two values, and the rule alone would free
// and allocate a buffer each time that a few values come and go.
func (v *Vec[T]) ShrinkAfterRemoval() {
	if len(v.s) < cap(v.s)/4 && size[T](cap(v.s)) > pageSize {
		v.ShrinkTo(2 * len(v.s))
	}
}

// pages returns the number of pages that a buffer of size bytes takes.
func pages(size uintptr) uintptr {
	return (size + pageSize - 1) / pageSize
}
