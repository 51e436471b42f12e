// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package alloc

// hole is a free range of a process's mapping, in a holeTree.
type hole struct {
	span

	// lastSender is the process that sent the last buffer placed at the hole's start,
	// or 0 if none was since the hole was split off another.
	lastSender int32

	red                 bool
	parent, left, right *hole
}

// holeTree holds holes by size: a textbook red-black tree, in which the last inserted of
// equals is on the right.
//
// Which of several holes a search finds shows in the addresses of buffers. For these to
// be the same as on Linux, the tree has the shape of Linux's, which is a function of the
// insertions and removals.
type holeTree struct {
	root *hole
}

// bestFit returns the smallest hole of at least size bytes, or nil. Of several of exactly
// that size, it's the one closest to the root.
func (t *holeTree) bestFit(size uint64) *hole {
	var best *hole
	for h := t.root; h != nil; {
		switch {
		case size < h.size:
			best, h = h, h.left
		case size > h.size:
			h = h.right
		default:
			return h
		}
	}
	return best
}

// insert adds h.
func (t *holeTree) insert(h *hole) {
	h.parent, h.left, h.right, h.red = nil, nil, nil, true
	at := &t.root
	for *at != nil {
		h.parent = *at
		if h.size < h.parent.size {
			at = &h.parent.left
		} else {
			at = &h.parent.right
		}
	}
	*at = h

	for h.parent.isRed() {
		parent, grandparent := h.parent, h.parent.parent
		leftward := parent == grandparent.left
		if uncle := *grandparent.child(!leftward); uncle.isRed() {
			parent.red, uncle.red, grandparent.red = false, false, true
			h = grandparent
			continue
		}
		if h == *parent.child(!leftward) {
			t.rotate(parent, leftward)
			parent = h
		}
		parent.red, grandparent.red = false, true
		t.rotate(grandparent, !leftward)
		break
	}
	t.root.red = false
}

// remove removes h, whose size may have changed since it was inserted.
func (t *holeTree) remove(h *hole) {
	// The subtree that fills the vacated place in the tree, and its parent.
	var moved, parent *hole
	lostBlack := !h.red
	switch {
	case h.left == nil:
		moved, parent = h.right, h.parent
		t.replace(h, h.right)
	case h.right == nil:
		moved, parent = h.left, h.parent
		t.replace(h, h.left)
	default:
		next := h.right
		for next.left != nil {
			next = next.left
		}
		lostBlack = !next.red
		moved, parent = next.right, next
		if next != h.right {
			parent = next.parent
			t.replace(next, next.right)
			next.right = h.right
			next.right.parent = next
		}
		t.replace(h, next)
		next.left, next.red = h.left, h.red
		next.left.parent = next
	}
	if lostBlack {
		t.repair(moved, parent)
	}
}

// repair rebalances after the removal of a black node: all paths through h, a child of
// parent that may be nil, lack one.
func (t *holeTree) repair(h, parent *hole) {
	for parent != nil && !h.isRed() {
		leftward := h == parent.left
		sibling := *parent.child(!leftward)
		if sibling.red {
			sibling.red, parent.red = false, true
			t.rotate(parent, leftward)
			sibling = *parent.child(!leftward)
		}
		near, far := *sibling.child(leftward), *sibling.child(!leftward)
		if !near.isRed() && !far.isRed() {
			sibling.red = true
			h, parent = parent, parent.parent
			continue
		}
		if !far.isRed() {
			near.red, sibling.red = false, true
			t.rotate(sibling, !leftward)
			sibling, far = near, sibling
		}
		sibling.red, parent.red, far.red = parent.red, false, false
		t.rotate(parent, leftward)
		return
	}
	if h != nil {
		h.red = false
	}
}

// rotate puts the child of h on the side opposite to leftward in h's place, and h below
// it, on the left if leftward.
func (t *holeTree) rotate(h *hole, leftward bool) {
	up := *h.child(!leftward)
	across := up.child(leftward)
	*h.child(!leftward) = *across
	if *across != nil {
		(*across).parent = h
	}
	t.replace(h, up)
	*across, h.parent = h, up
}

// replace puts by, which may be nil, in h's place below its parent.
func (t *holeTree) replace(h, by *hole) {
	switch {
	case h.parent == nil:
		t.root = by
	case h == h.parent.left:
		h.parent.left = by
	default:
		h.parent.right = by
	}
	if by != nil {
		by.parent = h.parent
	}
}

func (h *hole) isRed() bool { return h != nil && h.red }

// child returns a pointer to h's link to its left or right child.
func (h *hole) child(left bool) **hole {
	if left {
		return &h.left
	}
	return &h.right
}
