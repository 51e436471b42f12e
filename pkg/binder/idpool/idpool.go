// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package idpool

import (
	"errors"
	"math"
	"math/bits"
	"weak"
)

const (
	// MinCap is the number of ids that a Pool holds without any allocation, and
	// the least that it shrinks to.
	MinCap = wordBits

	// DefaultMax is the maximum of a Pool that was given none.
	DefaultMax = math.MaxInt32

	// wordBits is the number of bits in a word.
	wordBits = 64

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
// A Pool is guarded by a lock of its user's. It must not be copied after its
// first use.
//
// +stateify savable
type Pool struct {
	// words has the levels of the bitmap below the root, the ids' own first. In
	// that level a bit tells whether an id is in use, and in the others whether
	// a word of the level below is full. Bits without an id or a word below are
	// set.
	words []uint64

	// root is the bitmap's last level, and its only one up to MinCap ids.
	root uint64

	// extra is Cap()-MinCap.
	extra int

	// max is the greatest capacity, or 0 for DefaultMax.
	max int

	// used is the number of ids in use.
	used int

	// quarter is the id from which on an id in use keeps the Pool from
	// shrinking, and high the number of those in use.
	quarter int
	high    int

	// growing and shrinking are requested and not yet applied; both are reset
	// when the capacity changes. They are weak so that requests that were given
	// up cost nothing. No thread is between request and application while a
	// sandbox is saved.
	growing   weak.Pointer[resizing] `state:"nosave"`
	shrinking weak.Pointer[resizing] `state:"nosave"`
}

// New returns an empty Pool that never has more than max ids, or than DefaultMax
// if max is not between 1 and that.
func New(max int) Pool {
	if max < 1 || max > DefaultMax {
		max = DefaultMax
	}
	p := Pool{max: max}
	if max < MinCap {
		p.extra = max - MinCap
		p.root = full << max
	}
	return p
}

// Cap returns the capacity: ids are below it.
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

// InUse returns whether id is in use. It may be any number.
func (p *Pool) InUse(id int) bool {
	if uint(id) >= uint(p.Cap()) {
		return false
	}
	return *p.word(id)>>(uint(id)%wordBits)&1 != 0
}

// word returns the word with id's bit.
func (p *Pool) word(id int) *uint64 {
	if p.extra <= 0 {
		return &p.root
	}
	return &p.words[id/wordBits]
}

// Unused is an id that was free when it was found. It is a free id still, and
// anybody can find it again, until it is acquired.
type Unused struct {
	pool *Pool
	id   int
}

// FindUnused returns the lowest free id that is at least from, and whether there
// is one below the capacity. There is none if from is negative.
func (p *Pool) FindUnused(from int) (Unused, bool) {
	if uint(from) >= uint(p.Cap()) {
		return Unused{}, false
	}

	// Climb until a word has a hole at or above i, the place in its level.
	i, n := from, p.Cap()
	words := p.words
	var below [5][]uint64
	depth := 0
	var hole uint64
	for n > wordBits {
		n = numWords(n)
		w := i / wordBits
		if w >= n {
			return Unused{}, false
		}
		if hole = ^words[w] &^ (1<<(uint(i)%wordBits) - 1); hole != 0 {
			i = w*wordBits + bits.TrailingZeros64(hole)
			break
		}
		below[depth] = words[:n]
		depth++
		words = words[n:]
		i = w + 1
	}
	if hole == 0 {
		if hole = ^p.root &^ (1<<uint(i) - 1); hole == 0 {
			return Unused{}, false
		}
		i = bits.TrailingZeros64(hole)
	}

	// Descend to the id. Words with a bit that is not set are not full.
	for depth > 0 {
		depth--
		i = i*wordBits + bits.TrailingZeros64(^below[depth][i])
	}
	return Unused{p, i}, true
}

// ID returns the id.
func (u Unused) ID() int {
	return u.id
}

// Acquire takes the id. It returns ErrStale, and takes nothing, if the id is not
// free any more or has been cut off by a Shrink. Other changes to the Pool since
// the id was found do no harm, but a lower id may have become free.
func (u Unused) Acquire() error {
	p, id := u.pool, u.id
	if p == nil || uint(id) >= uint(p.Cap()) {
		return ErrStale
	}
	word := p.word(id)
	bit := uint64(1) << (uint(id) % wordBits)
	if *word&bit != 0 {
		return ErrStale
	}
	*word |= bit
	p.used++
	if id >= p.quarter {
		p.high++
	}

	// Tell the levels above of words that have become full.
	words := p.words
	for n := p.Cap(); *word == full && n > wordBits; {
		n = numWords(n)
		words = words[n:]
		id /= wordBits
		word = &p.root
		if n > wordBits {
			word = &words[id/wordBits]
		}
		*word |= 1 << (uint(id) % wordBits)
	}
	return nil
}

// Release frees id. It returns ErrNotInUse, and does nothing, if id is not in use;
// it may be any number.
func (p *Pool) Release(id int) error {
	if !p.InUse(id) {
		return ErrNotInUse
	}
	p.used--
	if id >= p.quarter {
		p.high--
	}

	// Tell the levels above of words that were full.
	word := p.word(id)
	words := p.words
	for n := p.Cap(); ; {
		was := *word
		*word &^= 1 << (uint(id) % wordBits)
		if was != full || n <= wordBits {
			return nil
		}
		n = numWords(n)
		words = words[n:]
		id /= wordBits
		word = &p.root
		if n > wordBits {
			word = &words[id/wordBits]
		}
	}
}

// numWords returns the number of words that hold n bits.
func numWords(n int) int {
	return (n + wordBits - 1) / wordBits
}
