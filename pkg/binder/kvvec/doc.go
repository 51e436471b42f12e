// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package kvvec provides a vector that gives memory back.
//
// A slice whose values are removed keeps the buffer that it needed at its
// longest. A Vec can move to a smaller one: with ShrinkTo on request, or with
// ShrinkAfterRemoval when that pays. Removed values are cleared in the buffer, so
// that the garbage collector can free what they refer to.
//
// # Memory
//
// Linux has two allocators for buffers like these, and its vector shrinks
// differently with each of them: kmalloc serves small buffers from caches of a
// few sizes and decides itself whether a smaller size is worth a move, while
// vmalloc serves large ones in whole pages, of which some may come free. Go's
// allocator works in the same two ways. Neither can shrink a buffer in place, so
// here shrinking always copies:
//
//   - A buffer of up to 32 KiB comes from a size class, one of about 70 sizes. A
//     smaller buffer goes to whichever class fits it. As with kmalloc, the
//     decision is the allocator's.
//   - A larger buffer takes whole pages of 8 KiB. It is copied only if the
//     smaller one takes at least one page less, as with vmalloc. The page is that
//     of Go's allocator on all architectures, whatever the host's is.
//
// The garbage collector frees the old buffer in its next cycle, not at once as the
// kernel does.
package kvvec
