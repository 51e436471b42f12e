// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package idpool hands out small numbers, the lowest free one first.
//
// A Pool is a bitmap of the ids in use. The numbers that it hands out stand for
// entries of its user's table, and one lock guards both. An id is taken in two
// steps: FindUnused finds one, and Acquire takes it once the entry is filled. A
// failure in between leaves nothing to undo.
//
// # Cost
//
// The bitmap is a tree: a set bit means that an id is in use, or that a word of
// 64 bits one level below is full. Finding, acquiring and releasing an id touch
// a few words of each level, of which there are four at 16 million ids, and at
// most six. Nothing is scanned. Whether a Pool can shrink is known from a count
// of the ids in use above the first quarter. The levels take 1.016 bits for each
// id of the capacity, and 64 ids need no memory beyond the Pool itself.
//
// # Changing the capacity
//
// A Pool never resizes itself, since nothing may be allocated under its lock.
// Its user requests a change under the lock, allocates without it, and applies
// the change under the lock again:
//
//	mu.Lock()
//	for {
//		if id, ok := pool.FindUnused(from); ok {
//			break // fill the table's entry, and id.Acquire()
//		}
//		request, ok := pool.GrowRequest()
//		if !ok {
//			break // the capacity is at its maximum
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
// # Concurrent resizing
//
// While the lock is free, other threads can reach the same point. All of them
// share one resizing: the first to call Alloc allocates, the others sleep until
// it is done, and all return the same memory. So no thread allocates in vain, or
// locks and unlocks over and over while another allocates. Whoever takes the
// lock first then applies the change, which leaves the rest nothing to do: Grow
// returns false, and FindUnused finds an id. A thread may give up at any point
// without blocking another, and memory that is never applied is collected as
// garbage.
//
// A Resizer is good for one change of one Pool's capacity. It does nothing in
// another Pool, after any other change of the capacity, or if it would cut off
// an id acquired since the request.
//
// # Misuse
//
// Releasing an id that is not in use, acquiring one that is already acquired, or
// either for one not below the capacity is refused with an error. Searches from
// beyond the capacity find nothing. The bitmap stays intact.
package idpool
