// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package list provides reference-counted values and intrusive lists of them.
//
// A value embeds a Count, and a Links for each kind of list that it can be on.
// A kind of list is named by a marker type, the ID, so a value can be on several
// lists at once, one for each ID:
//
//	type todo struct{} // names the lists of work to do
//
//	type work interface {
//		list.Counted
//		deliver()
//	}
//
//	type transaction struct {
//		list.Count
//		todo list.Links[work, todo]
//	}
//
//	var queue list.List[work, todo] // of transactions, nodes, ...
//
// # References
//
// There are four ways to hold a value:
//
//   - An Arc owns one count. The release of the last count calls the value's
//     Destroy method. The count saturates: at 2^31 references it stays where it
//     is for ever, and the value is never destroyed.
//   - A Borrow owns none. Another reference keeps the value alive.
//   - A Unique is the only reference to a value that is still being built. It
//     lets a value be allocated before a lock is taken and be initialised and
//     shared under it.
//   - A Ref is a list reference: an Arc that also has the right to put the
//     value onto the lists of one ID. There is at most one for each value and
//     ID, either with a caller or on a list. Pushing moves it into the list and
//     removing moves it out, so neither touches the count, allocates or can
//     fail.
//
// # Locks
//
// Counting references, claiming a Ref and giving it up are safe for concurrent
// use and need no lock. A List is not: its user's lock guards it together with
// the places of the values on it. Lists between which values move share a lock,
// or both are locked for the move.
//
// # Rules and who enforces them
//
// Rust, from which this design comes, enforces its rules by the ownership of
// values. Go has no such thing. The compiler enforces what it can, go vet some
// more, and the rest is checked at run time.
//
//	what Rust's types enforce             here at compile time   here at run time
//	------------------------------------  ---------------------  --------------------------
//	only counted values are shared        Counted needs a Count  -
//	a value is on the lists of its IDs    Links[T, ID] must      -
//	and no others                         match List[T, ID]
//	a value, its count, its links and a   go vet (copylocks)     -
//	list never move in memory
//	a reference is used up when it is     -                      releasing or sharing
//	released or moved                                            empties the variable; see
//	                                                             below for copies
//	no use after the last release         -                      checked: Clone, Borrow.Get,
//	                                                             Borrow.Arc, Claim. The
//	                                                             memory is always valid
//	no release without a reference        -                      checked: the count
//	a Unique is the only reference        -                      checked: NewUnique, Pair
//	one Ref for each value and ID         -                      checked: a second Claim
//	                                                             returns false
//	Links are claimed for their own       T must match           checked in tests and race
//	value                                                        builds only
//	only a Ref that is on no list is      only a Ref is pushed   checked: pushes, Ref.Arc,
//	pushed or given up                                           Ref.Release
//	a value leaves a list through that    ID must match          checked: List.Remove
//	list (in Rust: the programmer's duty)
//	a cursor's value is on its list       -                      checked: every move
//	access under the right lock           checklocks, where the  race detector
//	                                      user annotates
//
// A violation is a mistake in the code that uses this package. In tests and in
// builds with the race detector it panics. In production it is logged, at most
// once a minute, and the operation is refused: counts and lists stay intact. A
// count that is found to be wrong saturates, so that its value is never
// destroyed twice or too early.
//
// Two mistakes are noticed only later, or not at all. A copy of an Arc that is
// released after the original takes another holder's count; that is noticed when
// the last holder releases. A copy of a Ref that was given up works again once
// the value has been claimed anew; the push of the second of the two is refused.
//
// # Saving
//
// Package state can save all types but Unique, Borrow and Cursor. The package
// that uses them calls Register once for each pair of T and ID, and RegisterArc
// for each T of an Arc that is on no list.
package list
