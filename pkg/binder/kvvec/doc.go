// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package kvvec provides a vector that gives memory back.
//
// A slice whose values are removed keeps the buffer that it needed at its
// longest. A Vec can move to a smaller one, with ShrinkTo when its user wants it,
// or with ShrinkAfterRemoval when that pays. Values that are removed are cleared
// in the buffer, so that the garbage collector can have what they refer to.
//
// # Memory
//
// Linux has two allocators for buffers like these, and its vector shrinks
// differently with each of them: kmalloc serves small buffers from caches of a
// few sizes and decides itself whether a smaller size is worth a move, while
// vmalloc serves large ones in whole pages, of which some may come free. Go's
// allocator has the same two ways inside. Neither can shrink a buffer in place,
// so here a buffer always shrinks by being copied:
//
//   - A buffer of up to 32 KiB comes from a size class, one of about 70 sizes. A
//     smaller buffer goes to the class that fits it, whichever that is. This is
//     kmalloc's way, and the decision is the allocator's.
//   - A larger buffer takes whole pages of 8 KiB. It is copied only if the
//     smaller one takes at least one page less. This is vmalloc's way. The page
//     is that of Go's allocator on all architectures, whatever the host's is.
//
// The old buffer is the garbage collector's then. It is free after the next
// cycle, and not at once as in the kernel.
package kvvec
