// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package idpool

import (
	"math/bits"
	"weak"

	"gvisor.dev/gvisor/pkg/sync"
)

// resizing is a requested change of a Pool's capacity. All who request the same
// change while it is under way share it.
type resizing struct {
	// cap is the new capacity.
	cap int

	// once makes one requester allocate and the others wait for it. No requester
	// can block the others by giving up: one that never allocates leaves it to
	// the next.
	once sync.Once

	// words is room for the levels below the root. It is set in once, and
	// belongs to the Pool as soon as the resizing is applied.
	words []uint64
}

// alloc allocates what r needs, unless it has already.
func (r *resizing) alloc() Resizer {
	r.once.Do(func() {
		r.words = make([]uint64, treeWords(r.cap))
		// Take the host's page faults now and not under the lock.
		clear(r.words)
	})
	return Resizer{r}
}

// GrowRequest asks for memory to grow a Pool.
type GrowRequest struct {
	r *resizing
}

// ShrinkRequest asks for memory to shrink a Pool.
type ShrinkRequest struct {
	r *resizing
}

// Resizer holds the memory for another capacity of the Pool that it was
// requested from. The zero value is a Resizer for no Pool.
type Resizer struct {
	r *resizing
}

// Alloc allocates the memory, without the lock. If another thread is allocating
// for the same growth, Alloc waits and returns that thread's memory.
func (q GrowRequest) Alloc() Resizer {
	return q.r.alloc()
}

// Alloc allocates the memory, without the lock. If another thread is allocating
// for the same shrinking, Alloc waits and returns that thread's memory.
func (q ShrinkRequest) Alloc() Resizer {
	return q.r.alloc()
}

// GrowRequest returns a request for twice the capacity, or for the maximum if
// that is less. It returns false if the capacity is already the maximum.
func (p *Pool) GrowRequest() (GrowRequest, bool) {
	r := p.growing.Value()
	if r == nil {
		if p.Cap() >= p.Max() {
			return GrowRequest{}, false
		}
		r = &resizing{cap: min(2*p.Cap(), p.Max())}
		p.growing = weak.Make(r)
	}
	return GrowRequest{r}, true
}

// Grow grows p and returns whether it did. It does nothing if the capacity has
// changed since the request, or if z belongs to another Pool.
func (p *Pool) Grow(z Resizer) bool {
	if z.r == nil || z.r != p.growing.Value() {
		return false
	}
	p.resize(z.r)
	return true
}

// ShrinkRequest returns a request for half the capacity, or for MinCap if no id
// is in use. It returns false if the capacity is at most MinCap or an id in use
// is not in its first quarter.
//
// At a maximum that is not a power of two, half and quarter are those of the
// next power of two.
func (p *Pool) ShrinkRequest() (ShrinkRequest, bool) {
	cap, ok := p.shrunkCap()
	if !ok {
		return ShrinkRequest{}, false
	}
	r := p.shrinking.Value()
	if r == nil || r.cap != cap {
		r = &resizing{cap: cap}
		p.shrinking = weak.Make(r)
	}
	return ShrinkRequest{r}, true
}

// Shrink shrinks p and returns whether it did. It does nothing if the capacity
// has changed since the request, if an id acquired since prevents it, or if z
// belongs to another Pool.
func (p *Pool) Shrink(z Resizer) bool {
	if z.r == nil || z.r != p.shrinking.Value() {
		return false
	}
	if cap, ok := p.shrunkCap(); !ok || cap > z.r.cap {
		return false
	}
	p.resize(z.r)
	return true
}

// shrunkCap returns the capacity that p can shrink to, and whether it can.
func (p *Pool) shrunkCap() (int, bool) {
	switch {
	case p.extra <= 0:
		return 0, false
	case p.used == 0:
		return MinCap, true
	case p.high != 0:
		return 0, false
	default:
		return 2 * int(p.quarter), true
	}
}

// resize moves p's bitmap to r. All ids in use are below r.cap.
func (p *Pool) resize(r *resizing) {
	var (
		src, dst = p.words, r.words
		n, m     = p.Cap(), r.cap // bits in this level, before and after
		root     [1]uint64
		first    uint64 // the first word of the level below
	)
	p.height = 0
	for {
		level := root[:]
		if m > wordBits {
			level = dst[:numWords(m)]
			dst = dst[numWords(m):]
			p.starts[p.height+1] = p.starts[p.height] + uint(len(level))
			p.height++
		}
		switch {
		case n > wordBits:
			copy(level, src[:numWords(n)])
			src = src[numWords(n):]
		case n > 1:
			level[0] = p.root &^ (full << n)
		case first == full:
			level[0] = 1
		}
		first = level[0]
		level[len(level)-1] |= full << ((m-1)%wordBits + 1)
		if m <= wordBits {
			break
		}
		n, m = numWords(n), numWords(m)
	}

	// Ids in use lie in the first words of both. The quarter ends within a word
	// only at a capacity of 128, where they lie in no other word.
	kept := min(numWords(p.Cap()), numWords(r.cap))
	p.words, p.root, p.extra = r.words, root[0], r.cap-MinCap
	p.found = false
	p.quarter, p.high = 0, p.used
	if p.extra > 0 {
		p.quarter = 1 << bits.Len(uint(r.cap-1)) / 4
		p.high = 0
		for w := int(p.quarter / wordBits); w < kept; w++ {
			p.high += bits.OnesCount64(p.words[w] >> (p.quarter % wordBits))
		}
	}
	p.growing, p.shrinking = weak.Pointer[resizing]{}, weak.Pointer[resizing]{}
}

// treeWords returns the number of words in all levels but the root, for n ids.
func treeWords(n int) int {
	total := 0
	for n > wordBits {
		n = numWords(n)
		total += n
	}
	return total
}
