// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package idpool

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"
)

// model is a naive Pool: a byte for each id below the capacity, 1 if it's in use.
type model struct {
	ids []byte
	max int
}

// find returns the lowest free id that is at least from, or -1.
func (m *model) find(from int) int {
	if from < 0 || from >= len(m.ids) {
		return -1
	}
	i := bytes.IndexByte(m.ids[from:], 0)
	if i < 0 {
		return -1
	}
	return from + i
}

func (m *model) inUse(id int) bool {
	return id >= 0 && id < len(m.ids) && m.ids[id] == 1
}

// shrunkCap returns the capacity to shrink to, or 0 if there is none.
func (m *model) shrunkCap() int {
	whole := 64
	for whole < len(m.ids) {
		whole *= 2
	}
	switch {
	case len(m.ids) <= 64:
		return 0
	case bytes.IndexByte(m.ids, 1) < 0:
		return 64
	case bytes.IndexByte(m.ids[whole/4:], 1) < 0:
		return whole / 2
	default:
		return 0
	}
}

func (m *model) resize(cap int) {
	ids := make([]byte, cap)
	copy(ids, m.ids)
	m.ids = ids
}

// kept is a Resizer that may be applied later.
type kept struct {
	Resizer
	grow bool
	cap  int

	// request identifies the resizing: a new one begins with every change of the
	// capacity and of the capacity to shrink to.
	request int
}

// machine runs operations on a Pool and its model.
type machine struct {
	t *testing.T
	p Pool
	m model

	// most is the capacity that p is not grown beyond.
	most int

	unused   []Unused
	resizers []kept
	requests int
	growing  kept
	shrink   kept
}

func newMachine(t *testing.T, max, most int) *machine {
	x := &machine{t: t, most: most}
	if max != 0 {
		x.p = New(max)
	}
	x.m.max = x.p.Max()
	x.m.resize(min(x.m.max, 64))
	x.check()
	return x
}

// The operations of a machine.
const (
	opFind = iota
	opAcquire
	opRelease
	opTake
	opGrowRequest
	opShrinkRequest
	opApply
	opFill
	opEmpty
	opBeyond
	numOps
)

// step runs operation op with an argument from 0 to 1<<16-1.
func (x *machine) step(op, arg int) {
	// Spread the argument over the ids, with a preference for low ones.
	id := arg * len(x.m.ids) >> 16
	if arg&3 == 0 {
		id >>= uint(arg>>2) % 16
	}
	switch op % numOps {
	case opFind:
		x.find(id)
	case opAcquire:
		if n := len(x.unused); n > 0 {
			x.acquire(x.unused[arg%n])
		}
	case opRelease:
		x.release(id)
	case opTake:
		x.find(id)
		x.acquire(x.unused[len(x.unused)-1])
	case opGrowRequest:
		x.growRequest()
	case opShrinkRequest:
		x.shrinkRequest()
	case opApply:
		if n := len(x.resizers); n > 0 {
			x.apply(x.resizers[arg%n], arg%5 != 0)
		}
	case opFill:
		for i := 0; i < 1+arg%100; i++ {
			x.find(id)
			x.acquire(x.unused[len(x.unused)-1])
		}
	case opEmpty:
		for i := id; i < len(x.m.ids); i++ {
			if x.m.ids[i] == 1 {
				x.release(i)
			}
		}
	case opBeyond:
		for _, id := range []int{-1 - arg, len(x.m.ids), len(x.m.ids) + arg} {
			x.find(id)
			x.release(id)
			x.acquire(Unused{&x.p, id})
		}
	}
	if x.p.Len() != bytes.Count(x.m.ids, []byte{1}) {
		x.t.Fatalf("Len() is %d, want %d", x.p.Len(), bytes.Count(x.m.ids, []byte{1}))
	}
	if cap, ok := x.p.shrunkCap(); ok != (x.m.shrunkCap() != 0) || cap != x.m.shrunkCap() {
		x.t.Fatalf("shrunkCap() is %d, %v, want %d", cap, ok, x.m.shrunkCap())
	}
}

func (x *machine) find(from int) {
	u, ok := x.p.FindUnused(from)
	want := x.m.find(from)
	if ok != (want >= 0) || ok && u.ID() != want {
		x.t.Fatalf("FindUnused(%d) of %d is %d, %v, want %d", from, len(x.m.ids), u.ID(), ok, want)
	}
	x.unused = append(x.unused, u)
	if len(x.unused) > 16 {
		x.unused = x.unused[8:]
	}
}

func (x *machine) acquire(u Unused) {
	free := u.pool != nil && u.id >= 0 && u.id < len(x.m.ids) && !x.m.inUse(u.id)
	if err := u.Acquire(); (err == nil) != free {
		x.t.Fatalf("Acquire of %d of %d: %v, want free to be %v", u.id, len(x.m.ids), err, free)
	}
	if free {
		x.m.ids[u.id] = 1
	}
	if u.pool != nil && x.p.InUse(u.id) != x.m.inUse(u.id) {
		x.t.Fatalf("InUse(%d) is %v", u.id, x.p.InUse(u.id))
	}
}

func (x *machine) release(id int) {
	used := x.m.inUse(id)
	if err := x.p.Release(id); (err == nil) != used {
		x.t.Fatalf("Release(%d) of %d: %v, want it in use to be %v", id, len(x.m.ids), err, used)
	}
	if used {
		x.m.ids[id] = 0
	}
	if x.p.InUse(id) {
		x.t.Fatalf("InUse(%d) after Release", id)
	}
}

func (x *machine) keep(k kept) {
	x.resizers = append(x.resizers, k)
	if len(x.resizers) > 8 {
		x.resizers = x.resizers[4:]
	}
}

func (x *machine) growRequest() {
	if len(x.m.ids) >= x.most {
		return
	}
	q, ok := x.p.GrowRequest()
	if ok != (len(x.m.ids) < x.m.max) {
		x.t.Fatalf("GrowRequest() at %d of %d is %v", len(x.m.ids), x.m.max, ok)
	}
	if !ok {
		return
	}
	if x.growing.cap == 0 {
		x.requests++
		x.growing = kept{grow: true, cap: min(2*len(x.m.ids), x.m.max), request: x.requests}
	}
	k := x.growing
	k.Resizer = q.Alloc()
	x.keep(k)
}

func (x *machine) shrinkRequest() {
	q, ok := x.p.ShrinkRequest()
	want := x.m.shrunkCap()
	if ok != (want != 0) {
		x.t.Fatalf("ShrinkRequest() is %v, want %d", ok, want)
	}
	if !ok {
		return
	}
	if x.shrink.cap != want {
		x.requests++
		x.shrink = kept{cap: want, request: x.requests}
	}
	k := x.shrink
	k.Resizer = q.Alloc()
	x.keep(k)
}

// apply passes k to the right method or to the other one.
func (x *machine) apply(k kept, right bool) {
	var done, want bool
	if k.grow == right {
		done = x.p.Grow(k.Resizer)
		want = k.grow && k.request == x.growing.request
	} else {
		done = x.p.Shrink(k.Resizer)
		want = !k.grow && k.request == x.shrink.request && x.m.shrunkCap() != 0 && x.m.shrunkCap() <= k.cap
	}
	if done != want {
		x.t.Fatalf("applied %+v to %d: %v, want %v", k, len(x.m.ids), done, want)
	}
	if want {
		x.m.resize(k.cap)
		x.growing, x.shrink = kept{}, kept{}
		x.check()
	}
}

// check compares all of the Pool with the model and its levels with each other.
func (x *machine) check() {
	t := x.t
	t.Helper()
	require.Equal(t, len(x.m.ids), x.p.Cap())
	require.Equal(t, x.m.max, x.p.Max())
	for id, used := range x.m.ids {
		if x.p.InUse(id) != (used == 1) {
			t.Fatalf("InUse(%d) is %v", id, x.p.InUse(id))
		}
	}
	checkLevels(t, &x.p)
}

// checkLevels checks that the levels of p agree.
func checkLevels(t *testing.T, p *Pool) {
	t.Helper()
	words := p.words
	high, used := 0, 0
	set := func(i int) bool { return p.InUse(i) } // whether bit i of the level should be set
	n := p.Cap()
	for i := 0; i < n; i++ {
		if p.InUse(i) {
			used++
			if i >= int(p.quarter) {
				high++
			}
		}
	}
	require.Equal(t, used, p.used)
	require.Equal(t, high, p.high)
	if p.Cap() > MinCap {
		require.Equal(t, 1<<bits.Len(uint(p.Cap()-1))/4, int(p.quarter))
	} else {
		require.Zero(t, p.quarter)
	}
	for {
		var level []uint64
		if n > 64 {
			level = words[:numWords(n)]
			words = words[len(level):]
		} else {
			level = []uint64{p.root}
		}
		for i := range 64 * len(level) {
			if bit := level[i/64]>>(i%64)&1 != 0; bit != (i >= n || set(i)) {
				t.Fatalf("capacity %d: bit %d of %d in a level is %v", p.Cap(), i, n, bit)
			}
		}
		if n <= 64 {
			break
		}
		n = len(level)
		set = func(i int) bool { return level[i] == full }
	}
	require.Empty(t, words)
}

func TestModel(t *testing.T) {
	for _, tc := range []struct{ max, most, steps int }{
		{0, 64, 100_000},
		{1, 64, 20_000},
		{63, 64, 20_000},
		{64, 64, 20_000},
		{65, 128, 50_000},
		{100, 128, 100_000},
		{128, 128, 100_000},
		{1000, 1024, 300_000},
		{0, 4096, 300_000},
		{4097, 1 << 13, 100_000},
		{0, 1 << 14, 100_000},
		{300_001, 1 << 19, 10_000},
	} {
		steps := tc.steps
		if testing.Short() {
			steps /= 20
		}
		rng := rand.New(rand.NewSource(int64(tc.max + tc.most)))
		x := newMachine(t, tc.max, tc.most)
		grown := 0
		for i := range steps {
			op := rng.Intn(numOps + 4)
			switch {
			case op == opEmpty && rng.Intn(20) != 0:
				op = opFind
			case op == numOps:
				op = opTake
			case op > numOps:
				op = opFill
			}
			x.step(op, rng.Intn(1<<16))
			if i%(steps/10) == 0 {
				x.check()
			}
			grown = max(grown, x.p.Cap())
		}
		x.check()
		if !testing.Short() {
			require.Equal(t, min(tc.most, x.p.Max()), grown, "the greatest capacity reached")
		}
	}
}

func FuzzModel(f *testing.F) {
	f.Add(uint32(0), []byte{opFill, 99, 0, opGrowRequest, 0, 0, opApply, 1, 0})
	f.Add(uint32(100), []byte{opFill, 99, 0, opGrowRequest, 0, 0, opApply, 1, 0, opFill, 99, 0, opEmpty, 0, 0, opShrinkRequest, 0, 0, opApply, 1, 0})
	f.Fuzz(func(t *testing.T, max uint32, ops []byte) {
		x := newMachine(t, int(max%(1<<14)), 1<<13)
		for len(ops) >= 3 {
			x.step(int(ops[0]), int(binary.LittleEndian.Uint16(ops[1:])))
			ops = ops[3:]
		}
		x.check()
	})
}
