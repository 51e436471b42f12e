// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package list

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	modelValues = 6
	modelLists  = 3
)

// side is the lists of one ID, and the model of them.
type side[ID any] struct {
	links func(*common) *Links[item, ID]
	lists [modelLists]List[item, ID]

	// on models the lists, as the numbers of the values on them.
	on [modelLists][]int

	// refs holds each value's last list reference outside a list, and held
	// whether it's still ours or stale.
	refs [modelValues]Ref[item, ID]
	held [modelValues]bool
}

// where returns the list that value i is on, or -1.
func (s *side[ID]) where(i int) int {
	return slices.IndexFunc(s.on[:], func(on []int) bool {
		return slices.Contains(on, i)
	})
}

// model is values on lists of two IDs, together with a naive record of their
// expected state.
type model struct {
	t      testing.TB
	values [modelValues]item
	left   side[left]
	right  side[right]

	// arcs are the references of each value that are not list references.
	arcs [modelValues][]Arc[item]

	// destroyed is how often each value should have been destroyed.
	destroyed [modelValues]int

	// log is the violations reported, and violations is how many there should
	// be.
	log        *[]string
	violations int
}

func newModel(t testing.TB) *model {
	m := &model{t: t, log: production(t)}
	m.left.links = func(c *common) *Links[item, left] { return &c.left }
	m.right.links = func(c *common) *Links[item, right] { return &c.right }
	for i := range m.values {
		if i%2 == 0 {
			m.values[i] = &red{common: common{name: fmt.Sprint(i)}}
		} else {
			m.values[i] = &blue{common: common{name: fmt.Sprint(i)}}
		}
	}
	return m
}

// listed returns 1 if value i has a list reference, and 0 otherwise.
func (s *side[ID]) listed(i int) int {
	if s.held[i] || s.where(i) >= 0 {
		return 1
	}
	return 0
}

// count returns how many references value i should have.
func (m *model) count(i int) int {
	return len(m.arcs[i]) + m.left.listed(i) + m.right.listed(i)
}

// dropped records that a reference to value i was released.
func (m *model) dropped(i int) {
	if m.count(i) == 0 {
		m.destroyed[i]++
	}
}

// step does operation op on what i and j choose.
func (m *model) step(op, i, j byte) {
	v := int(i) % modelValues
	value := m.values[v]
	if op&1 == 0 {
		m.countOp(op>>1, v, int(j), value)
	} else if op&2 == 0 {
		sideOp(m, &m.left, op>>2, v, int(j), value)
	} else {
		sideOp(m, &m.right, op>>2, v, int(j), value)
	}
}

// countOp does an operation that concerns no list.
func (m *model) countOp(op byte, v, j int, value item) {
	if m.count(v) == 0 {
		// The value can only be built anew.
		u := NewUnique(value)
		if op%4 == 0 {
			u.Release(ctx)
			m.destroyed[v]++
		} else {
			m.arcs[v] = append(m.arcs[v], u.Share())
		}
		return
	}
	if len(m.arcs[v]) == 0 || op%4 == 0 {
		m.arcs[v] = append(m.arcs[v], BorrowOf(value).Arc())
		return
	}
	arc := &m.arcs[v][j%len(m.arcs[v])]
	switch op % 4 {
	case 1:
		if len(m.arcs[v]) < 8 {
			m.arcs[v] = append(m.arcs[v], arc.Clone())
		}
	case 2:
		*arc = FromRaw(arc.IntoRaw())
	case 3:
		arc.Release(ctx)
		m.arcs[v] = slices.Delete(m.arcs[v], j%len(m.arcs[v]), j%len(m.arcs[v])+1)
		m.dropped(v)
	}
}

// sideOp does an operation that concerns one ID.
func sideOp[ID any](m *model, s *side[ID], op byte, v, j int, value item) {
	links := s.links(value.base())
	n := j % modelLists
	l, on := &s.lists[n], &s.on[n]
	var got, want int
	switch op % 16 {
	case 0, 1, 2: // Claim, or push if there is a Ref.
		if !s.held[v] {
			if m.count(v) == 0 {
				return
			}
			want := s.where(v) < 0
			r, ok := links.Claim(value)
			require.Equal(m.t, want, ok)
			require.Equal(m.t, want, r.Ok())
			if ok {
				s.refs[v], s.held[v] = r, true
			}
			return
		}
		s.held[v] = false
		if op%2 == 0 {
			l.PushBack(s.refs[v])
			*on = append(*on, v)
		} else {
			l.PushFront(s.refs[v])
			*on = slices.Insert(*on, 0, v)
		}
	case 3: // Push of a stale list reference.
		if s.held[v] {
			return
		}
		m.violations++
		if j&8 == 0 {
			l.PushBack(s.refs[v])
		} else {
			l.PushFront(s.refs[v])
		}
	case 4, 5: // Pop.
		r, ok := l.PopFront()
		require.Equal(m.t, len(*on) > 0, ok)
		if ok {
			v = (*on)[0]
			require.Equal(m.t, m.values[v], r.Get())
			*on = slices.Delete(*on, 0, 1)
			s.refs[v], s.held[v] = r, true
		}
	case 6, 7: // Remove from the list that the value is on, or from another.
		at := slices.Index(*on, v)
		if op%2 == 0 {
			require.Equal(m.t, at >= 0, l.Contains(links))
		}
		if at < 0 && s.where(v) >= 0 {
			m.violations++
		}
		r, ok := l.Remove(links)
		require.Equal(m.t, at >= 0, ok)
		if ok {
			require.Equal(m.t, value, r.Get())
			*on = slices.Delete(*on, at, at+1)
			s.refs[v], s.held[v] = r, true
		}
	case 8: // Move from one list to another, one at a time.
		from := (j >> 2) % modelLists
		if from == n {
			return
		}
		for r, ok := s.lists[from].PopFront(); ok; r, ok = s.lists[from].PopFront() {
			l.PushBack(r)
		}
		*on = append(*on, s.on[from]...)
		s.on[from] = nil
	case 9: // Cursor, forward, removing some.
		var stay []int
		for c := l.Front(); c.Ok(); got++ {
			v := (*on)[got]
			require.Equal(m.t, m.values[v], c.Value())
			if j>>(got%8)&1 == 0 {
				stay = append(stay, v)
				c.Next()
				continue
			}
			r, ok := c.Remove()
			require.True(m.t, ok)
			require.Equal(m.t, m.values[v], r.Get())
			s.refs[v], s.held[v] = r, true
		}
		require.Equal(m.t, len(*on), got)
		*on = stay
	case 10: // All, removing the current value.
		for x := range l.All() {
			v := slices.Index(m.values[:], x)
			if j>>(want%8)&1 == 0 {
				r, ok := l.Remove(s.links(x.base()))
				require.True(m.t, ok)
				*on = slices.DeleteFunc(*on, func(w int) bool { return v == w })
				s.refs[v], s.held[v] = r, true
			}
			want++
		}
	case 11: // A cursor whose value goes away.
		if len(*on) == 0 {
			return
		}
		c := l.Front()
		r, _ := l.PopFront()
		v = (*on)[0]
		*on = slices.Delete(*on, 0, 1)
		s.refs[v], s.held[v] = r, true
		m.violations++
		_, ok := c.Remove()
		require.False(m.t, ok)
	case 12, 13: // Give a list reference up.
		if !s.held[v] {
			return
		}
		s.held[v] = false
		r := s.refs[v]
		if op%2 == 0 && len(m.arcs[v]) < 8 {
			m.arcs[v] = append(m.arcs[v], r.Arc())
		} else {
			r.Release(ctx)
			m.dropped(v)
		}
	case 14: // Give a stale list reference up.
		if s.held[v] || !s.refs[v].Ok() || m.count(v) == 0 {
			return
		}
		m.violations++
		r := s.refs[v]
		r.Release(ctx)
	case 15: // Two references to a value that is built anew.
		if m.count(v) != 0 {
			return
		}
		u := NewUnique(value)
		a, r := Pair(&u, links, value)
		m.arcs[v] = append(m.arcs[v], a)
		s.refs[v], s.held[v] = r, true
	}
}

// check compares everything with the model.
func (m *model) check() {
	checkSide(m, &m.left)
	checkSide(m, &m.right)
	for i, v := range m.values {
		if got, want := v.base().ReadRefs(), m.count(i); got != int64(want) {
			m.t.Fatalf("value %d has %d references, want %d", i, got, want)
		}
		if got, want := v.base().destroyed, m.destroyed[i]; got != want {
			m.t.Fatalf("value %d was destroyed %d times, want %d", i, got, want)
		}
	}
	if len(*m.log) != m.violations {
		m.t.Fatalf("violations %q, want %d", *m.log, m.violations)
	}
	if m.violations > 1000 {
		*m.log, m.violations = nil, 0
	}
}

func checkSide[ID any](m *model, s *side[ID]) {
	for n := range s.lists {
		l, on := &s.lists[n], s.on[n]
		i := 0
		for c := l.head; c != nil; c = c.next {
			if i >= len(on) || c.value != m.values[on[i]] || !c.Linked() {
				m.t.Fatalf("list %d has %v, want %v", n, names(m.t, l), on)
			}
			i++
		}
		for c := l.tail; c != nil; c = c.prev {
			i--
			if i < 0 || c.value != m.values[on[i]] {
				m.t.Fatalf("list %d is wrong in reverse", n)
			}
		}
		if i != 0 || l.Len() != len(on) || l.Empty() != (len(on) == 0) {
			m.t.Fatalf("list %d has %v, want %v", n, names(m.t, l), on)
		}
	}
	for v, held := range s.held {
		linked := s.links(m.values[v].base()).Linked()
		if linked != (s.where(v) >= 0) || linked && held {
			m.t.Fatalf("value %d is linked: %v", v, linked)
		}
	}
}

// finish releases everything and checks that every value was destroyed.
func (m *model) finish() {
	finishSide(m, &m.left)
	finishSide(m, &m.right)
	for v, arcs := range m.arcs {
		for i := range arcs {
			m.arcs[v] = arcs[i+1:]
			arcs[i].Release(ctx)
			m.dropped(v)
			m.check()
		}
	}
}

func finishSide[ID any](m *model, s *side[ID]) {
	for n := range s.lists {
		for r, ok := s.lists[n].PopFront(); ok; r, ok = s.lists[n].PopFront() {
			v := s.on[n][0]
			s.on[n] = s.on[n][1:]
			r.Release(ctx)
			m.dropped(v)
			m.check()
		}
	}
	for v := range s.held {
		if s.held[v] {
			s.held[v] = false
			s.refs[v].Release(ctx)
			m.dropped(v)
			m.check()
		}
	}
}

// TestModel does a million random operations.
func TestModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	m := newModel(t)
	for range 1_000_000 {
		x := rng.Uint32()
		m.step(byte(x), byte(x>>8), byte(x>>16))
		m.check()
	}
	m.finish()
}

// FuzzModel takes three bytes for each operation.
func FuzzModel(f *testing.F) {
	rng := rand.New(rand.NewPCG(3, 4))
	for n := range 8 {
		seed := make([]byte, 3<<n)
		for i := range seed {
			seed[i] = byte(rng.Uint32())
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, ops []byte) {
		m := newModel(t)
		for ; len(ops) >= 3; ops = ops[3:] {
			m.step(ops[0], ops[1], ops[2])
			m.check()
		}
		m.finish()
	})
}
