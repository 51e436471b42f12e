// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package idpool

import (
	"fmt"
	"math/bits"
	"testing"

	"github.com/bits-and-blooms/bitset"
	"gvisor.dev/gvisor/pkg/bitmap"
)

// allocator is implemented by all peers. take takes the lowest free id that is at
// least from.
type allocator interface {
	take(from int) int
	release(id int)
}

// linear is a flat bitmap that is scanned from the start, as in Linux.
type linear []uint64

func (l linear) take(from int) int {
	w := from / 64
	free := ^l[w] &^ (1<<(from%64) - 1)
	for free == 0 {
		w++
		free = ^l[w]
	}
	l[w] |= free & -free
	return w*64 + bits.TrailingZeros64(free)
}

func (l linear) release(id int) { l[id/64] &^= 1 << (id % 64) }

// canShrink looks for the last set bit, as Linux does after each release.
func (l linear) canShrink() bool {
	for w := len(l) - 1; w >= 0; w-- {
		if l[w] != 0 {
			return w < len(l)/4
		}
	}
	return true
}

type bitsetPeer struct{ *bitset.BitSet }

func (b bitsetPeer) take(from int) int {
	id, _ := b.NextClear(uint(from))
	b.Set(id)
	return int(id)
}

func (b bitsetPeer) release(id int) { b.Clear(uint(id)) }

type bitmapPeer struct{ *bitmap.Bitmap }

func (b bitmapPeer) take(from int) int {
	id, _ := b.FirstZero(uint32(from))
	b.Add(id)
	return int(id)
}

func (b bitmapPeer) release(id int) { b.Remove(uint32(id)) }

func (p *Pool) take(from int) int {
	id, _ := p.FindUnused(from)
	id.Acquire()
	return id.ID()
}

func (p *Pool) release(id int) { p.Release(id) }

// grown returns a Pool with the capacity n.
func grown(n int) *Pool {
	p := New(n)
	for p.Cap() < n {
		q, _ := p.GrowRequest()
		p.Grow(q.Alloc())
	}
	return &p
}

var peers = []struct {
	name string
	make func(n int) allocator
}{
	{"sentrybinder", func(n int) allocator { return grown(n) }},
	{"linear", func(n int) allocator { return make(linear, numWords(n)) }},
	{"bitset", func(n int) allocator { return bitsetPeer{bitset.New(uint(n))} }},
	{"gvisor-bitmap", func(n int) allocator { b := bitmap.New(uint32(n)); return bitmapPeer{&b} }},
}

var sizes = []struct {
	name string
	n    int
}{
	{"1k", 1000},
	{"100k", 100_000},
	{"16M", 1 << 24},
}

// random is a fast generator of ids.
type random uint64

func (r *random) below(n int) int {
	*r ^= *r << 13
	*r ^= *r >> 7
	*r ^= *r << 17
	hi, _ := bits.Mul64(uint64(*r), uint64(n))
	return int(hi)
}

// BenchmarkFindAcquireRelease finds, acquires and releases the only free id. In
// "hole-anywhere" it moves to a random place every 100 rounds, which measures the
// algorithm. In "hole-moves" it moves each round, which measures the memory, too:
// 16 million bits are twice the size of a usual second-level cache.
func BenchmarkFindAcquireRelease(b *testing.B) {
	for _, peer := range peers {
		for _, size := range sizes {
			for _, kind := range []struct {
				name  string
				times int
			}{{"hole-anywhere", 100}, {"hole-moves", 1}} {
				b.Run(peer.name+"/"+size.name+"-nearly-full-"+kind.name, func(b *testing.B) {
					a := peer.make(size.n)
					for id := range size.n {
						a.take(id)
					}
					r := random(1)
					hole := r.below(size.n)
					a.release(hole)
					times := 0
					for b.Loop() {
						if id := a.take(0); id != hole {
							b.Fatalf("found %d, want %d", id, hole)
						}
						if times++; times == kind.times {
							times = 0
							hole = r.below(size.n)
						}
						a.release(hole)
					}
					if p, ok := a.(*Pool); ok {
						b.ReportMetric(float64(64*len(p.words))/float64(p.Cap()), "bits/id")
					}
				})
			}
		}
	}
}

// BenchmarkFill takes all ids in order.
func BenchmarkFill(b *testing.B) {
	for _, peer := range peers {
		for _, size := range sizes[:2] {
			b.Run(peer.name+"/"+size.name, func(b *testing.B) {
				for b.Loop() {
					b.StopTimer()
					a := peer.make(size.n)
					b.StartTimer()
					for range size.n {
						a.take(0)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(size.n), "ns/id")
			})
		}
	}
}

// BenchmarkShrinkCheck releases an id of an otherwise empty bitmap, the worst case
// for Linux, asks whether it can shrink, and takes the id again.
func BenchmarkShrinkCheck(b *testing.B) {
	for _, size := range sizes {
		b.Run("sentrybinder/"+size.name, func(b *testing.B) {
			p := grown(size.n)
			p.take(size.n / 2)
			p.take(0)
			for b.Loop() {
				p.release(0)
				if _, ok := p.ShrinkRequest(); ok {
					b.Fatal("can shrink")
				}
				p.take(0)
			}
		})
		b.Run("linear/"+size.name, func(b *testing.B) {
			l := make(linear, numWords(size.n))
			l.take(size.n / 2)
			l.take(0)
			for b.Loop() {
				l.release(0)
				if l.canShrink() {
					b.Fatal("can shrink")
				}
				l.take(0)
			}
		})
	}
}

// BenchmarkResize measures the part of doubling the capacity that needs the lock.
func BenchmarkResize(b *testing.B) {
	for _, size := range []int{1 << 10, 1 << 17, 1 << 23} {
		b.Run(fmt.Sprintf("sentrybinder/%d", size), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				var p Pool
				for p.Cap() < size {
					grow(b, &p)
				}
				q, _ := p.GrowRequest()
				z := q.Alloc()
				b.StartTimer()
				p.Grow(z)
			}
		})
	}
}
