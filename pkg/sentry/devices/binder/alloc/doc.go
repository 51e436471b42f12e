// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package alloc places the buffers of transactions in the mapping of the process that
// receives them, and owns the memory behind it. It is what Linux's binder_alloc is.
//
// # States
//
// A buffer is held by one token at a time. The type of the token says what can be done,
// and each method that leads to another state ends the token:
//
//	Space.Reserve ──▶ Reservation ──Commit──▶ Buffer ──Deliver──▶ the application's
//	                       │                  │    │                   │         │
//	                     Abort             Recall  └──Abandon──▶ the process's   │
//	                       │                  │                          │       │
//	                       ▼                  │                          ▼       ▼
//	           gone ◀─Free─ Claimed ◀─────────┴──── Space.Claim    Space.Release: gone
//	                                                (by its address, from
//	                                                the application's)
//
// Tokens are values that aren't copied: go vet reports it. A method that ends one empties
// it, so that nothing ends twice; all methods of an empty token do nothing, or return
// an error. Accesses to contents are checked to lie in the buffer, so that no user of this
// package reaches another one's. What Reservation.Blocks returns is the one thing that
// must not be used for longer than its token lives.
//
// Commit returns a Pin beside the Buffer: the sender keeps the memory, even if the
// receiver ends, until it knows that the Buffer was queued. Reservation and Claimed
// have a pin in them. The memory goes once the Space was released and the last pin has
// ended.
//
// # Ownership
//
// A Space owns the records of its buffers; a token has a pointer to one. A record ends
// in one place, record.end, once: by Claimed.Free, by Space.Release, or by Abandon or
// Deliver after that. It then destroys the Cargo, which is what the buffer carried for
// the user of this package. After Release a Space has only records that tokens hold,
// and their memory.
//
// # Memory
//
// These are the states of a page. Reserve leads from each of them to used:
//
//	absent ──Reserve──▶ used ──last Free──▶ recent ──age, once or twice──▶ idle
//	   ▲                                                                    │
//	   └──Decommit── leaving ◀──Invalidate── hidden ◀──Evict, ReclaimAll────┘
//
// The memory of a mapping is uncommitted until a buffer is placed there. Nothing is
// done when a buffer is freed but for a note; the Reclaimer's timer only runs as long
// as there are such notes. A sender that gets a page which is just leaving waits until
// its memory has gone, and then gets zeroes.
//
// # Locks
//
//	Space.addressMu         which address space has the mapping
//	  mm.activeMu           taken by MappingSpace.Invalidate
//	    Space.mu            buffers, free space, pages: inner. Translate takes it below
//	                        mm.activeMu; a leaf
//	Reclaimer.mu            the Spaces that have memory to spare; a leaf
//
// Nobody holds two locks of the same kind. No lock is held while a MemoryFile or a
// clock is called, which take locks that the whole sentry shares: what is to be done is
// collected under the lock, done without it, and then noted, or found to be outdated.
// What keeps the memory there meanwhile is a pin. No lock is held while a Cargo is
// destroyed, or contents are copied, and none for longer than maxSteps buffers, free
// spans or runs of pages take; a pageSet is a few words.
//
// # Saving
//
// Buffer and Space are savable; nobody has another token while the kernel saves, since
// no thread is in a call then. A Cargo must be savable. What is free is found anew.
package alloc
