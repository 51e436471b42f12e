// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package alloc places transaction buffers in the receiving process's mapping, and owns
// the memory behind it. It is the counterpart of Linux's binder_alloc.
//
// # States
//
// One token at a time holds a buffer. The token's type says what can be done, and each
// method that leads to another state ends the token:
//
//	Space.Reserve ──▶ Reservation ──Commit──▶ Buffer ──Deliver──▶ the application's
//	                       │                  │    │                   │         │
//	                     Abort             Recall  └──Strand───▶ the process's   │
//	                       │                  │                          │       │
//	                       ▼                  │                          ▼       ▼
//	           gone ◀─Free─ Claimed ◀─────────┴──── Space.Claim    Space.Release: gone
//	                                                (by its address, from
//	                                                the application's)
//
// Tokens are values that must not be copied: go vet reports copies. A method that ends one
// empties it, so that nothing ends twice; methods of an empty token do nothing, or return
// an error. Accesses to contents are bounds-checked, so that no user of this package
// reaches another's buffer. Only the result of Reservation.Blocks must not outlive its
// token.
//
// Reservation, Buffer and Claimed pin the memory, even if the receiver ends. It is freed
// once the Space was released and the last pin has ended.
//
// # Ownership
//
// A Space owns the records of its buffers; a token points to one. A record ends in one
// place, record.end, once: by Claimed.Free, by Space.Release, or by Strand or Deliver
// after that. This destroys the Cargo, which the buffer carried for the user of this
// package. After Release a Space has only records that tokens hold, and their memory.
//
// # Memory
//
// These are the states of a page. Reserve leads from each of them to used:
//
//	absent ──Reserve──▶ used ──last Free──▶ recent ──age, once or twice──▶ idle
//	   ▲                                                                    │
//	   └──Decommit── leaving ◀──Invalidate── hidden ◀──Evict, ReclaimAll────┘
//
// The memory of a mapping is uncommitted until a buffer is placed there. Freeing a buffer
// only marks its pages recent; the Reclaimer's timer runs only while there are such pages.
// A sender that gets a leaving page waits until its memory has gone, and then gets zeroes.
//
// # Locks
//
//	Space.addressMu         the address space that has the mapping
//	  mm.activeMu           taken by MappingSpace.Invalidate
//	    Space.mu            buffers, free space, pages: inner. Translate takes it below
//	                        mm.activeMu; a leaf
//	Reclaimer.mu            the Spaces with memory to spare; a leaf
//
// No goroutine holds two locks of the same kind. No lock is held during calls to a
// MemoryFile or a clock, which take locks that the whole sentry shares: the work is
// collected under the lock, done without it, and then recorded, or found to be outdated.
// A pin keeps the memory meanwhile. No lock is held while a Cargo is destroyed, or contents
// are copied, and none for longer than it takes to visit maxSteps buffers, free spans or
// runs of pages, or the few words of a pageSet.
//
// # Saving
//
// Buffer and Space are savable. No other token exists while the kernel saves, since no
// thread is in a call then. A Cargo must be savable. Free space is found anew, and so are
// the pins, which are the Buffers'.
package alloc
