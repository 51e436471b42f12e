// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package idpool

import (
	"errors"
	"math"
	"math/bits"
	"weak"

	"gvisor.dev/gvisor/pkg/sync"
)

const (
	// MinCap is the capacity of a Pool without any allocation, and the smallest
	// that it shrinks to.
	MinCap = wordBits

	// DefaultMax is the maximum of a Pool that was given none.
	DefaultMax = math.MaxInt32

	// wordBits is the number of bits in a word.
	wordBits = 64

	// maxHeight is the number of levels below the root at DefaultMax.
	maxHeight = 5

	// full is a word with all bits set.
	full = math.MaxUint64
)

var (
	// ErrNotInUse is returned by the release of an id that is not in use.
	ErrNotInUse = errors.New("idpool: released id is not in use")

	// ErrStale is returned by the acquisition of an id that is no longer free,
	// or no longer below the capacity.
	ErrStale = errors.New("idpool: acquired id is no longer free")
)

// A Pool hands out the ids from 0 to Cap()-1, each to one user at a time. The
// zero value is an empty Pool with the capacity MinCap and the maximum
// DefaultMax.
//
// A Pool is guarded by its user's lock. It must not be copied after its first
// use.
//
// +stateify savable
type Pool struct {
	noCopy sync.NoCopy `state:"nosave"`

	// words holds the levels of the bitmap below the root, the ids' own first.
	// In that level a set bit means that an id is in use, in the others that a
	// word of the level below is full. Bits that stand for no id or word are set.
	words []uint64

	// root is the bitmap's last level, and its only one up to MinCap ids.
	root uint64

	// height is the number of levels below the root. starts holds the index in
	// words of each one's first word, followed by len(words).
	height int
	starts [maxHeight + 1]uint

	// extra is Cap()-MinCap.
	extra int

	// max is the greatest capacity, or 0 for DefaultMax.
	max int

	// used is the number of ids in use.
	used int

	// high is the number of ids in use at or above quarter. They keep the Pool
	// from shrinking.
	quarter uint
	high    int

	// No id in [lowest, next) is free, and if found is set, next is. This spares
	// most searches.
	lowest int
	next   int
	found  bool

	// growing and shrinking are requested and not yet applied; a change of the
	// capacity resets both. They are weak so that abandoned requests cost
	// nothing. No thread is between request and application while a sandbox is
	// saved.
	growing   weak.Pointer[resizing] `state:"nosave"`
	shrinking weak.Pointer[resizing] `state:"nosave"`
}

// New returns an empty Pool of at most max ids, or of at most DefaultMax if max
// is not in [1, DefaultMax].
func New(max int) Pool {
	if max < 1 || max > DefaultMax {
		max = DefaultMax
	}
	if max >= MinCap {
		return Pool{max: max}
	}
	return Pool{max: max, extra: max - MinCap, root: full << max}
}

// Cap returns the capacity; ids are below it.
func (p *Pool) Cap() int {
	return MinCap + p.extra
}

// Max returns the greatest capacity that p can grow to.
func (p *Pool) Max() int {
	if p.max == 0 {
		return DefaultMax
	}
	return p.max
}

// Len returns the number of ids in use.
func (p *Pool) Len() int {
	return p.used
}

// word returns the word that holds id i's bit.
func (p *Pool) word(i uint) *uint64 {
	if p.height == 0 {
		return &p.root
	}
	return &p.words[i/wordBits]
}

// Unused is an id that was free when it was found. It stays free, and can be
// found again, until it is acquired.
type Unused struct {
	pool *Pool
	id   int
}

// FindUnused returns the lowest free id that is at least from, and whether there
// is one below the capacity. There is none if from is negative.
func (p *Pool) FindUnused(from int) (Unused, bool) {
	if !p.found || from < p.lowest || from > p.next {
		p.search(from)
	}
	return Unused{p, p.next}, p.found
}

// search sets found to whether an id from from on is free, and next to the
// lowest one.
func (p *Pool) search(from int) {
	if from < p.lowest || from > p.next {
		p.lowest, p.next = from, from
	}
	p.found = false

	// Climb until a word has a hole, a clear bit, at or above bit i of its level.
	// Beyond the capacity there is none.
	i, level := uint(p.next), 0
	var hole uint64
	for {
		mask := uint64(full) << (i % wordBits)
		w := i / wordBits
		if level >= p.height {
			if hole = ^p.root & mask; hole == 0 || w != 0 {
				return
			}
			i = uint(bits.TrailingZeros64(hole))
			break
		}
		w += p.starts[level]
		if w >= p.starts[level+1] {
			return
		}
		if hole = ^p.words[w] & mask; hole != 0 {
			i = i&^(wordBits-1) + uint(bits.TrailingZeros64(hole))
			break
		}
		i = i/wordBits + 1
		level++
	}

	// Descend to the id. A word whose bit is clear has a hole.
	for level > 0 {
		level--
		hole = ^p.words[p.starts[level]+i]
		i = i*wordBits + uint(bits.TrailingZeros64(hole))
	}
	p.next, p.found = int(i), true
}

// ID returns the id.
func (u Unused) ID() int {
	return u.id
}

// Acquire takes the id. It returns ErrStale, and takes nothing, if the id is no
// longer free or a Shrink has cut it off. Other changes to the Pool since the id
// was found do no harm, but a lower id may have become free.
func (u Unused) Acquire() error {
	p, i := u.pool, uint(u.id)
	if p == nil || i >= uint(p.Cap()) {
		return ErrStale
	}
	word, bit := p.word(i), uint64(1)<<(i%wordBits)
	if *word&bit != 0 {
		return ErrStale
	}
	p.used++
	if i >= p.quarter {
		p.high++
	}
	if u.id == p.next {
		p.next++
		p.found = false
	}
	*word |= bit

	// Mark words that have become full in the levels above.
	for level := 1; *word == full && level <= p.height; level++ {
		i /= wordBits
		word = &p.root
		if level < p.height {
			word = &p.words[p.starts[level]+i/wordBits]
		}
		*word |= 1 << (i % wordBits)
	}
	return nil
}

// Release frees id, which may be any number. It returns ErrNotInUse, and does
// nothing, if id is not in use.
func (p *Pool) Release(id int) error {
	i := uint(id)
	if i >= uint(p.Cap()) {
		return ErrNotInUse
	}
	word, bit := p.word(i), uint64(1)<<(i%wordBits)
	was := *word
	if was&bit == 0 {
		return ErrNotInUse
	}
	p.used--
	if i >= p.quarter {
		p.high--
	}
	if p.lowest <= id && id <= p.next {
		p.next, p.found = id, true
	}
	*word = was &^ bit

	// Clear the marks of words that were full in the levels above.
	for level := 1; was == full && level <= p.height; level++ {
		i /= wordBits
		word = &p.root
		if level < p.height {
			word = &p.words[p.starts[level]+i/wordBits]
		}
		was = *word
		*word &^= 1 << (i % wordBits)
	}
	return nil
}

// numWords returns the number of words that hold n bits.
func numWords(n int) int {
	return (n + wordBits - 1) / wordBits
}
