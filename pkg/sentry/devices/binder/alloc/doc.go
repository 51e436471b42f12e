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
//	sender    Space.Reserve
//	               │
//	               ▼
//	          Reservation ──Commit──▶ Buffer ──Deliver──▶ (the application has it)
//	               │                  │    │                       │
//	             Abort           Recall    Abandon              Space.Claim
//	               │                  │    │                       │
//	               ▼                  │    ▼                       │
//	            Claimed ◀─────────────┘   (it goes with            │
//	            ▲  │                       the process)            │
//	            │  └─Free──▶ gone              │                   │
//	            └──────────────────────────────┼───────────────────┘
//	                                           │
//	                            Space.Release ─┴─▶ gone, with what was delivered
//
// Tokens are values that aren't copied: go vet reports it. A method that ends one empties
// it, so that nothing ends twice; all methods of an empty token do nothing, or return
// an error. Accesses to contents are checked to lie in the buffer. Nothing that a user
// of this package does makes it touch memory of another buffer, or memory that it has
// given back.
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
//	           Reserve                 no buffer on it any more
//	 absent ────────────▶ used ◀──────────────────────────────▶ recent
//	   ▲                   ▲             Reserve                  │ age: each idlePeriod,
//	   │ Decommit          │ Reserve                              ▼ twice at most
//	leaving ◀─────────── hidden ◀──────────────────────────────  idle, evictable
//	                              Evict (MemoryFile), ReclaimAll
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
