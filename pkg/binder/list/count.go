// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package list

import (
	"math"

	"gvisor.dev/gvisor/pkg/atomicbitops"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/sync"
)

// saturated is where a count goes when it can no longer be trusted: halfway
// between zero and the most negative value, so that neither increments nor
// decrements that are under way can carry it out of the negative numbers.
const saturated = math.MinInt32 / 2

// underflow is the lowest count that is read as "released too often" rather
// than as a saturated count that has drifted.
const underflow = saturated / 2

// Counted is a value that is reference counted. A type implements it by
// embedding a Count by value and having a Destroy method. There is no other way
// to implement it.
type Counted interface {
	// counter returns the value's embedded Count.
	counter() *Count

	// Destroy is called once, on release of the last reference, in the releasing
	// goroutine and with the locks that it holds.
	Destroy(ctx context.Context)
}

// Count is a reference count that saturates: it never wraps and it never stops
// the program. A count that reaches 2^31 references, or that is found to be
// wrong, becomes immortal; the value is then never destroyed.
//
// The zero Count belongs to a value without a reference yet; see NewUnique. A
// Count must not be copied.
//
// +stateify savable
type Count struct {
	_ sync.NoCopy

	// n is the number of references: positive while there are any, 0 before
	// the first and after the last, negative when saturated.
	n atomicbitops.Int32
}

// counter implements Counted.counter.
func (c *Count) counter() *Count {
	return c
}

// inc adds a reference.
func (c *Count) inc() {
	if n := c.n.Add(1); n < 2 {
		c.incSlow(n)
	}
}

// incSlow handles an increment that led to n, a count that no increment of a
// live value leads to.
func (c *Count) incSlow(n int32) {
	c.n.Store(saturated)
	switch {
	case n == 1:
		violation("reference taken to a value without references")
	case n < saturated+underflow:
		note("reference count saturated; the value is never freed")
	}
}

// dec drops a reference and returns true if it was the last one.
func (c *Count) dec() bool {
	n := c.n.Add(-1)
	if n < 0 {
		c.decSlow(n)
	}
	return n == 0
}

// decSlow handles a decrement that led to n < 0.
func (c *Count) decSlow(n int32) {
	c.n.Store(saturated)
	if n >= underflow {
		violation("more references released than taken")
	}
}
