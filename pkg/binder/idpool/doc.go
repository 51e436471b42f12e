// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package idpool hands out small numbers, the lowest free one first.
//
// A Pool is a bitmap of the ids in use. The numbers that it hands out stand for
// entries of a table of its user's, and one lock guards both. Therefore an id is
// taken in two steps: FindUnused finds one, and Acquire takes it when the entry
// is filled. What comes in between may fail and leave nothing to undo.
//
// # Cost
//
// The bitmap is a tree: a bit tells that an id is in use, or that a word of 64
// bits one level below is full. Finding, acquiring and releasing an id touch a
// few words of each level, of which there are four at 16 million ids, and at
// most six. Nothing is scanned. Whether a Pool can shrink is known from a count
// of the ids in use behind the first quarter. The levels take 1.016 bits for
// each id of the capacity, and 64 ids need no memory beside the Pool's own.
//
// # Changing the capacity
//
// A Pool neither grows nor shrinks by itself, since memory isn't to be allocated
// while its lock is held. Its user requests a change under the lock, allocates
// without it, and applies the change under the lock again:
//
//	mu.Lock()
//	for {
//		if id, ok := pool.FindUnused(from); ok {
//			break // fill the table's entry, and id.Acquire()
//		}
//		request, ok := pool.GrowRequest()
//		if !ok {
//			break // pool has as many ids as it may have
//		}
//		mu.Unlock()
//		resizer := request.Alloc()
//		mu.Lock()
//		pool.Grow(resizer)
//	}
//
// The capacity doubles. It halves when all ids in use are in its first quarter,
// so a Pool that has just been resized is far from being resized again. Applying
// a change copies the bitmap, 128 KiB for a million ids.
//
// # Threads that resize at once
//
// While the lock is not held, another thread can come to the same point. All of
// them share one resizing: the first to call Alloc allocates, the others sleep
// until it has, and each returns with the same memory. So a second thread
// neither allocates in vain nor locks and unlocks over and over while the first
// one allocates. Whoever has the lock first afterwards applies the change, and
// for the rest there is nothing left to do: Grow returns false, and FindUnused
// finds an id. A thread may give up at any point without keeping another one
// waiting, and memory that nobody is going to apply is collected as garbage.
//
// A Resizer is good for one change of one Pool's capacity. It does nothing once
// the capacity has changed otherwise, in another Pool, or if it would cut off an
// id that has been acquired since it was requested.
//
// # Misuse
//
// An id that is released while it's not in use, that is acquired after somebody
// else has acquired it, or that is not below the capacity is refused with an
// error. Searches from beyond the capacity find nothing. The bitmap stays intact.
package idpool
