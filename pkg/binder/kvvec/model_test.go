// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package kvvec

import (
	"encoding/binary"
	"math/rand"
	"testing"
)

// machine runs operations on a Vec and on a model of it, a slice whose capacity
// does not matter.
type machine struct {
	t    *testing.T
	v    Vec[uint32]
	m    []uint32
	next uint32
}

// The operations of a machine.
const (
	opAppend = iota
	opAppendMany
	opSwapRemove
	opRemoveMany
	opSet
	opShrinkTo
	opShrinkAfterRemoval
	opClear
	numOps
)

// step runs operation op with an argument from 0 to 1<<16-1.
func (x *machine) step(op, arg int) {
	t, v, m := x.t, &x.v, x.m
	capacity := v.Cap()
	switch op % numOps {
	case opAppend, opAppendMany:
		n := 1
		if op%numOps == opAppendMany {
			n = arg % 2000
		}
		for range n {
			x.next++
			v.Append(x.next)
			m = append(m, x.next)
		}
		if capacity < len(m) {
			capacity = v.Cap()
		}
	case opSwapRemove, opRemoveMany:
		n := 1
		if op%numOps == opRemoveMany {
			n = arg % 1000
		}
		for range min(n, len(m)) {
			i := arg % len(m)
			want := m[i]
			m[i] = m[len(m)-1]
			m = m[:len(m)-1]
			if got := v.SwapRemove(i); got != want {
				t.Fatalf("SwapRemove(%d) is %d, want %d", i, got, want)
			}
		}
	case opSet:
		if len(m) > 0 {
			i := arg % len(m)
			m[i] = uint32(arg)
			v.Set(i, uint32(arg))
		}
	case opShrinkTo:
		n := arg%20_000 - 10
		v.ShrinkTo(n)
		capacity = shrunk(len(m), capacity, n)
	case opShrinkAfterRemoval:
		v.ShrinkAfterRemoval()
		if 4*capacity > 8<<10 && 4*(len(m)+1) <= capacity {
			capacity = shrunk(len(m), capacity, 2*len(m))
		}
	case opClear:
		if arg%10 == 0 {
			v.Clear()
			m = nil
		}
	}
	x.m = m

	if v.Len() != len(m) || v.Cap() != capacity {
		t.Fatalf("operation %d, %d: length %d, capacity %d, want %d, %d", op, arg, v.Len(), v.Cap(), len(m), capacity)
	}
	if len(m) > 0 {
		if i := arg % len(m); v.At(i) != m[i] || *v.Ptr(i) != m[i] {
			t.Fatalf("operation %d, %d: value %d is %d, want %d", op, arg, i, v.At(i), m[i])
		}
	}
}

// shrunk returns the capacity that ShrinkTo leaves of four-byte values.
func shrunk(len, cap, min int) int {
	bound := max(len, min)
	pagesFreed := (4*cap+8191)>>13 - (4*bound+8191)>>13
	if bound >= cap || 4*cap > 32760 && pagesFreed == 0 {
		return cap
	}
	return bound
}

// check compares all values, and checks that nothing is left beyond the last.
func (x *machine) check() {
	i := 0
	for j, n := range x.v.All() {
		if i != j || n != x.m[i] {
			x.t.Fatalf("value %d is number %d, %d, want %d", i, j, n, x.m[i])
		}
		i++
	}
	if i != len(x.m) {
		x.t.Fatalf("%d values, want %d", i, len(x.m))
	}
	for i, n := range x.v.s[i:x.v.Cap()] {
		if n != 0 {
			x.t.Fatalf("value %d beyond the last is %d", i, n)
		}
	}
}

func TestModel(t *testing.T) {
	steps := 1_000_000
	if testing.Short() {
		steps /= 20
	}
	rng := rand.New(rand.NewSource(1))
	x := &machine{t: t}
	longest := 0
	for i := range steps {
		op := rng.Intn(40)
		switch {
		case op < numOps:
		case op < 24:
			op = opAppend
		case op < 39:
			op = opSwapRemove
		default:
			op = opAppendMany
		}
		if len(x.m) > 20_000 {
			op = opRemoveMany
		}
		x.step(op, rng.Intn(1<<16))
		if i%1000 == 0 {
			x.check()
		}
		longest = max(longest, len(x.m))
	}
	x.check()
	if longest < 10_000 {
		t.Errorf("never had more than %d values", longest)
	}
}

func FuzzModel(f *testing.F) {
	f.Add([]byte{opAppendMany, 255, 7, opRemoveMany, 1, 0, opShrinkTo, 20, 0, opSwapRemove, 3, 0})
	f.Add([]byte{opAppend, 0, 0, opShrinkAfterRemoval, 0, 0, opClear, 0, 0, opShrinkTo, 0, 0})
	f.Fuzz(func(t *testing.T, ops []byte) {
		x := &machine{t: t}
		for len(ops) >= 3 && len(x.m) < 100_000 {
			x.step(int(ops[0]), int(binary.LittleEndian.Uint16(ops[1:])))
			ops = ops[3:]
		}
		x.check()
	})
}
