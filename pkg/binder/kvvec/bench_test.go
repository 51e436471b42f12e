// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package kvvec

import (
	"slices"
	"testing"
)

// vector is implemented by all peers.
type vector interface {
	add(*int)
	remove(i int)
	len() int
	cap() int
}

func (v *Vec[T]) add(x T)      { v.Append(x) }
func (v *Vec[T]) remove(i int) { v.SwapRemove(i); v.ShrinkAfterRemoval() }
func (v *Vec[T]) len() int     { return v.Len() }
func (v *Vec[T]) cap() int     { return v.Cap() }

// slice is a slice that never gives memory back.
type slice []*int

func (s *slice) add(x *int) { *s = append(*s, x) }
func (s *slice) remove(i int) {
	last := len(*s) - 1
	(*s)[i] = (*s)[last]
	(*s)[last] = nil
	*s = (*s)[:last]
}
func (s *slice) len() int { return len(*s) }
func (s *slice) cap() int { return cap(*s) }

// clipped is a slice that is copied to fit at every thousandth removal, as one
// would with slices.Clone and slices.Clip.
type clipped struct {
	slice
	removed int
}

func (c *clipped) remove(i int) {
	c.slice.remove(i)
	if c.removed++; c.removed%1000 == 0 {
		c.slice = slices.Clip(slices.Clone(c.slice))
	}
}

var peers = []struct {
	name string
	make func() vector
}{
	{"sentrybinder", func() vector { return &Vec[*int]{} }},
	{"slice", func() vector { return &slice{} }},
	{"slices-clip", func() vector { return &clipped{} }},
}

// BenchmarkAppendRemove appends a value and removes another one, at a length that
// does not change.
func BenchmarkAppendRemove(b *testing.B) {
	for _, peer := range peers {
		b.Run(peer.name+"/1k", func(b *testing.B) {
			b.ReportAllocs()
			v := peer.make()
			for range 1000 {
				v.add(nil)
			}
			for b.Loop() {
				v.add(nil)
				v.remove(500)
			}
		})
	}
}

// BenchmarkWave appends 100,000 values and removes all but 10. Held is the size of
// the buffer then.
func BenchmarkWave(b *testing.B) {
	const wave = 100_000
	for _, peer := range peers {
		b.Run(peer.name+"/100k", func(b *testing.B) {
			var v vector
			for b.Loop() {
				v = peer.make()
				for range wave {
					v.add(nil)
				}
				for v.len() > 10 {
					v.remove(v.len() / 2)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(2*wave), "ns/value")
			b.ReportMetric(float64(8*v.cap()), "B-held")
		})
	}
}
