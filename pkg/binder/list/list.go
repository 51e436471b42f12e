// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package list

import (
	"iter"

	"gvisor.dev/gvisor/pkg/sync"
)

// List is a doubly linked list of the values whose Links[T, ID] it joins. It
// owns their list references. No method allocates, and none fails unless a rule
// of the package is broken.
//
// The zero List is empty and ready to use. A List must not be copied. It has no
// lock: its user guards it together with the Links of the values on it.
//
// +stateify savable
type List[T Counted, ID any] struct {
	_ sync.NoCopy

	head, tail *Links[T, ID]

	// label tells the place of the values on this list from that on others: no
	// other list has had it. It is 0 before the first push.
	label uint64
}

// badPush is the violation of both pushes.
const badPush = "pushed list reference is on a list or was given up"

// Empty returns true if nothing is on the list.
func (l *List[T, ID]) Empty() bool {
	return l.head == nil
}

// Len returns the number of values on the list, by counting them.
func (l *List[T, ID]) Len() int {
	n := 0
	for k := l.head; k != nil; k = k.next {
		n++
	}
	return n
}

// place returns the place of the values on the list.
func (l *List[T, ID]) place() uint64 {
	return onList + l.label
}

// start makes k, which is being pushed, the only value of an empty list.
func (l *List[T, ID]) start(k *Links[T, ID]) {
	if l.label == 0 {
		l.label = lastLabel.Add(1)
	}
	l.head, l.tail = k, k
}

// The pushes and Remove are nosplit, like those of gVisor's lists. They are so
// short that checking for stack space would take a good part of their time, and
// what they call on a violation makes that check.

// PushBack puts a value at the end of the list. r must not be used again.
//
//go:nosplit
func (l *List[T, ID]) PushBack(r Ref[T, ID]) {
	k := r.links
	if !k.held() {
		violation(badPush)
		return
	}
	if last := l.tail; last != nil {
		last.next = k
		k.prev = last
		l.tail = k
	} else {
		l.start(k)
	}
	k.place.RacyStore(l.place())
}

// PushFront puts a value at the start of the list. r must not be used again.
//
//go:nosplit
func (l *List[T, ID]) PushFront(r Ref[T, ID]) {
	k := r.links
	if !k.held() {
		violation(badPush)
		return
	}
	if first := l.head; first != nil {
		first.prev = k
		k.next = first
		l.head = k
	} else {
		l.start(k)
	}
	k.place.RacyStore(l.place())
}

// PopFront removes and returns the first value, or returns false if the list is
// empty.
func (l *List[T, ID]) PopFront() (Ref[T, ID], bool) {
	k := l.head
	if k == nil {
		return Ref[T, ID]{}, false
	}
	return l.unlink(k), true
}

// Remove removes the value with the links k from the list and returns its list
// reference, or returns false if the value is not on any list.
//
//go:nosplit
func (l *List[T, ID]) Remove(k *Links[T, ID]) (Ref[T, ID], bool) {
	if k.place.Load() != l.place() {
		return l.removeSlow(k)
	}
	return l.unlink(k), true
}

// removeSlow is Remove for a value that does not seem to be on the list.
func (l *List[T, ID]) removeSlow(k *Links[T, ID]) (Ref[T, ID], bool) {
	if !k.Linked() {
		return Ref[T, ID]{}, false
	}
	violation("value removed from a list that it is not on")
	return Ref[T, ID]{}, false
}

// Contains returns true if the value with the links k is on the list.
func (l *List[T, ID]) Contains(k *Links[T, ID]) bool {
	return k.place.Load() == l.place()
}

// unlink takes k, which is on the list, off it.
func (l *List[T, ID]) unlink(k *Links[T, ID]) Ref[T, ID] {
	next, prev := k.next, k.prev
	if prev != nil {
		prev.next = next
	} else {
		l.head = next
	}
	if next != nil {
		next.prev = prev
	} else {
		l.tail = prev
	}
	k.next, k.prev = nil, nil
	k.place.RacyStore(claimed)
	return Ref[T, ID]{k}
}

// All returns an iterator over the values, from first to last. The loop may
// remove the current value and push others; a loop that removes values elsewhere
// uses a Cursor, or starts again.
func (l *List[T, ID]) All() iter.Seq[T] {
	return func(yield func(T) bool) {
		for c := l.Front(); c.Ok(); {
			k := c.at
			c.Next()
			if !yield(k.value) {
				return
			}
		}
	}
}

// Front returns a cursor at the first value.
func (l *List[T, ID]) Front() Cursor[T, ID] {
	return Cursor[T, ID]{l, l.head}
}

// At returns a cursor at the value with the links k, or past the end if it is not on
// the list.
func (l *List[T, ID]) At(k *Links[T, ID]) Cursor[T, ID] {
	if !l.Contains(k) {
		k = nil
	}
	return Cursor[T, ID]{l, k}
}

// Cursor is a place in a list: at a value, or past the end. It stays valid when
// other values are pushed or removed. Only the cursor itself may remove the value
// that it is at.
type Cursor[T Counted, ID any] struct {
	list *List[T, ID]
	at   *Links[T, ID]
}

// Ok returns true if the cursor is at a value.
func (c *Cursor[T, ID]) Ok() bool {
	return c.at != nil
}

// Value returns the value that the cursor is at. Past the end it returns the
// zero T.
func (c *Cursor[T, ID]) Value() T {
	return Ref[T, ID]{c.at}.Get()
}

// Next moves the cursor to the following value.
func (c *Cursor[T, ID]) Next() {
	if c.check() {
		c.at = c.at.next
	}
}

// Remove removes the value that the cursor is at, returns its list reference
// and moves the cursor to the following value. Past the end it returns false.
func (c *Cursor[T, ID]) Remove() (Ref[T, ID], bool) {
	if !c.check() {
		return Ref[T, ID]{}, false
	}
	k := c.at
	c.at = k.next
	return c.list.unlink(k), true
}

// check returns true if the cursor is at a value on its list, and moves it past
// the end if the value has left the list.
func (c *Cursor[T, ID]) check() bool {
	if c.at == nil {
		return false
	}
	if !c.list.Contains(c.at) {
		c.at = nil
		violation("value under a cursor was removed by other means")
		return false
	}
	return true
}
