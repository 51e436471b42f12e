// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package list

import (
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPushAndPop(t *testing.T) {
	var l List[item, left]
	require.Empty(t, names(t, &l))
	_, ok := l.PopFront()
	require.False(t, ok)

	for _, name := range []string{"c", "d"} {
		_, r := newItem(name)
		l.PushBack(r)
	}
	for _, name := range []string{"b", "a"} {
		_, r := newItem(name)
		l.PushFront(r)
	}
	require.Equal(t, []string{"a", "b", "c", "d"}, names(t, &l))

	r := take(l.PopFront())
	require.Equal(t, "a", r.Get().base().name)
	require.False(t, r.Get().base().left.Linked())
	require.Equal(t, []string{"b", "c", "d"}, names(t, &l))
	s := take(l.PopFront())
	require.Equal(t, "b", s.Get().base().name)
	require.Equal(t, []string{"c", "d"}, names(t, &l))

	// What was removed can be pushed again.
	l.PushFront(s)
	l.PushBack(r)
	require.Equal(t, []string{"b", "c", "d", "a"}, names(t, &l))
	for _, name := range []string{"b", "c", "d", "a"} {
		require.Equal(t, name, take(l.PopFront()).Get().base().name)
	}
	require.Empty(t, names(t, &l))

	// An emptied list works like a new one.
	l.PushFront(r)
	require.Equal(t, []string{"a"}, names(t, &l))
	require.Equal(t, r, take(l.PopFront()))
	require.Empty(t, names(t, &l))
}

// TestListOwnsReferences shows that no count changes when values move on and
// off lists.
func TestListOwnsReferences(t *testing.T) {
	var l List[item, left]
	v := fill(&l, "v")[0]
	require.EqualValues(t, 1, v.ReadRefs())
	r := take(l.PopFront())
	require.EqualValues(t, 1, v.ReadRefs())
	l.PushFront(r)
	r = take(l.Remove(&v.left))
	require.EqualValues(t, 1, v.ReadRefs())
	r.Release(ctx)
	require.Equal(t, 1, v.destroyed)
}

func TestRemove(t *testing.T) {
	for _, test := range []struct {
		remove string
		want   []string
	}{
		{"a", []string{"b", "c"}},
		{"b", []string{"a", "c"}},
		{"c", []string{"a", "b"}},
	} {
		t.Run(test.remove, func(t *testing.T) {
			var l List[item, left]
			for _, v := range fill(&l, "a", "b", "c") {
				require.True(t, v.left.Linked())
				require.True(t, l.Contains(&v.left))
				if v.name != test.remove {
					continue
				}
				r := take(l.Remove(&v.left))
				require.Equal(t, v.name, r.Get().base().name)
				require.False(t, v.left.Linked())
				require.False(t, l.Contains(&v.left))

				// It's on no list now, which is not a violation.
				r, ok := l.Remove(&v.left)
				require.False(t, ok)
				require.False(t, r.Ok())
			}
			require.Equal(t, test.want, names(t, &l))
		})
	}
}

// TestRemoveUnclaimed removes values that nobody has claimed from a list that
// nothing was ever on.
func TestRemoveUnclaimed(t *testing.T) {
	var l List[item, left]
	v := new(red)
	require.False(t, l.Contains(&v.left))
	_, ok := l.Remove(&v.left)
	require.False(t, ok)
	u := NewUnique(v)
	_, r := Pair(&u, &v.left, item(v))
	require.False(t, l.Contains(&v.left))
	_, ok = l.Remove(&v.left)
	require.False(t, ok)
	l.PushBack(r)
	require.Equal(t, []string{""}, names(t, &l))
}

// TestSeveralIDs puts values on two lists at once, in opposite orders.
func TestSeveralIDs(t *testing.T) {
	var l List[item, left]
	var m List[item, right]
	vs := fill(&l, "a", "b", "c")
	for v := range l.All() {
		m.PushFront(take(v.base().right.Claim(v)))
	}
	require.Equal(t, []string{"a", "b", "c"}, names(t, &l))
	require.Equal(t, []string{"c", "b", "a"}, names(t, &m))
	r := take(l.Remove(&vs[1].left))
	require.Equal(t, []string{"c", "b", "a"}, names(t, &m))
	r.Release(ctx)
	require.Zero(t, vs[1].destroyed)
	s := take(m.Remove(&vs[1].right))
	s.Release(ctx)
	require.Equal(t, 1, vs[1].destroyed)
	require.Equal(t, []string{"a", "c"}, names(t, &l))
	require.Equal(t, []string{"c", "a"}, names(t, &m))
}

func TestRemoveFromOtherList(t *testing.T) {
	const what = "value removed from a list that it is not on"
	for _, test := range []struct {
		name string
		set  func(l, m *List[item, left])
	}{
		{"never used", func(*List[item, left], *List[item, left]) {}},
		{"in use", func(_, m *List[item, left]) { fill(m, "x", "y") }},
		{"emptied", func(_, m *List[item, left]) { fill(m, "x"); m.PopFront() }},
	} {
		t.Run(test.name, func(t *testing.T) {
			bothWays(t, what, func(t *testing.T) (_, _ func()) {
				var l, m List[item, left]
				vs := fill(&l, "a", "b")
				test.set(&l, &m)
				onL, onM := names(t, &l), names(t, &m)
				require.False(t, m.Contains(&vs[1].left))
				return func() {
						r, ok := m.Remove(&vs[1].left)
						require.False(t, ok)
						require.False(t, r.Ok())
					}, func() {
						require.Equal(t, onL, names(t, &l))
						require.Equal(t, onM, names(t, &m))
						require.True(t, l.Contains(&vs[1].left))
						r := take(l.Remove(&vs[1].left))
						require.Equal(t, "b", r.Get().base().name)
					}
			})
		})
	}
}

func TestBadPush(t *testing.T) {
	const badPush = "pushed list reference is on a list or was given up"
	pushes := map[string]func(l *List[item, left], r Ref[item, left]){
		"back":  (*List[item, left]).PushBack,
		"front": (*List[item, left]).PushFront,
	}
	for end, push := range pushes {
		t.Run(end, func(t *testing.T) {
			t.Run("zero", func(t *testing.T) {
				bothWays(t, badPush, func(t *testing.T) (_, _ func()) {
					var l List[item, left]
					return func() { push(&l, Ref[item, left]{}) }, func() {
						require.Empty(t, names(t, &l))
					}
				})
			})
			t.Run("given up", func(t *testing.T) {
				bothWays(t, badPush, func(t *testing.T) (_, _ func()) {
					var l List[item, left]
					_, r := newItem("v")
					copied := r
					r.Release(ctx)
					return func() { push(&l, copied) }, func() {
						require.Empty(t, names(t, &l))
					}
				})
			})
			t.Run("on the list", func(t *testing.T) {
				bothWays(t, badPush, func(t *testing.T) (_, _ func()) {
					var l List[item, left]
					vs := fill(&l, "a", "b", "c")
					return func() { push(&l, Ref[item, left]{&vs[1].left}) }, func() {
						require.Equal(t, []string{"a", "b", "c"}, names(t, &l))
					}
				})
			})
			t.Run("on another list", func(t *testing.T) {
				bothWays(t, badPush, func(t *testing.T) (_, _ func()) {
					var l, m List[item, left]
					vs := fill(&l, "a", "b", "c")
					fill(&m, "x")
					return func() { push(&m, Ref[item, left]{&vs[1].left}) }, func() {
						require.Equal(t, []string{"a", "b", "c"}, names(t, &l))
						require.Equal(t, []string{"x"}, names(t, &m))
					}
				})
			})
		})
	}
}

func TestAll(t *testing.T) {
	var l List[item, left]
	fill(&l, "a", "b", "c", "d")
	var seen []string
	for v := range l.All() {
		seen = append(seen, v.base().name)
		if v.base().name == "c" {
			break
		}
	}
	require.Equal(t, []string{"a", "b", "c"}, seen)

	// The loop may remove the current value.
	seen = nil
	for v := range l.All() {
		seen = append(seen, v.base().name)
		if v.base().name != "b" {
			take(l.Remove(&v.base().left))
		}
	}
	require.Equal(t, []string{"a", "b", "c", "d"}, seen)
	require.Equal(t, []string{"b"}, names(t, &l))

	for range l.All() {
		take(l.PopFront())
	}
	require.Empty(t, names(t, &l))
}

func TestCursor(t *testing.T) {
	var l List[item, left]
	c := l.Front()
	require.False(t, c.Ok())
	require.Nil(t, c.Value())
	c.Next()
	_, ok := c.Remove()
	require.False(t, ok)
	require.False(t, c.Ok())

	fill(&l, "a", "b", "c", "d")
	c = l.Front()
	require.Equal(t, "a", c.Value().base().name)
	c.Next()
	require.Equal(t, "b", c.Value().base().name)
	c.Next()
	c.Next()
	require.Equal(t, "d", c.Value().base().name)
	c.Next()
	require.False(t, c.Ok())

	// A cursor can start anywhere.
	c = l.Front()
	c.Next()
	at := l.At(&c.Value().base().left)
	require.Equal(t, "b", at.Value().base().name)
	at.Next()
	require.Equal(t, "c", at.Value().base().name)
	var other List[item, left]
	at = other.At(&c.Value().base().left)
	require.False(t, at.Ok())

	// Removal moves on to the next value.
	c = l.Front()
	c.Next()
	r := take(c.Remove())
	require.Equal(t, "b", r.Get().base().name)
	require.Equal(t, "c", c.Value().base().name)
	require.Equal(t, []string{"a", "c", "d"}, names(t, &l))
	c.Next()
	r = take(c.Remove())
	require.Equal(t, "d", r.Get().base().name)
	require.False(t, c.Ok())
	require.Equal(t, []string{"a", "c"}, names(t, &l))

	// Others may be pushed and removed meanwhile.
	c = l.Front()
	c.Next()
	take(l.PopFront())
	l.PushBack(r)
	require.Equal(t, "c", c.Value().base().name)
	c.Next()
	require.Equal(t, "d", c.Value().base().name)
	c.Next()
	require.False(t, c.Ok())
}

func TestCursorRemovesWhileIterating(t *testing.T) {
	for mask := range 1 << 5 {
		var l List[item, left]
		fill(&l, "0", "1", "2", "3", "4")
		want := []string{}
		i := 0
		for c := l.Front(); c.Ok(); i++ {
			if mask>>i&1 == 0 {
				want = append(want, c.Value().base().name)
				c.Next()
				continue
			}
			v := c.Value()
			r := take(c.Remove())
			require.Equal(t, v, r.Get())
			r.Release(ctx)
			require.Equal(t, 1, v.base().destroyed)
		}
		require.Equal(t, 5, i)
		require.Equal(t, want, names(t, &l))
	}
}

func TestCursorLosesItsValue(t *testing.T) {
	for name, move := range map[string]func(c *Cursor[item, left]){
		"Next": (*Cursor[item, left]).Next,
		"Remove": func(c *Cursor[item, left]) {
			r, ok := c.Remove()
			if ok || r.Ok() {
				panic("removed")
			}
		},
	} {
		for _, elsewhere := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				bothWays(t, "value under a cursor was removed by other means", func(t *testing.T) (_, _ func()) {
					var l, m List[item, left]
					vs := fill(&l, "a", "b", "c")
					fill(&m, "x")
					c := l.Front()
					c.Next()
					r := take(l.Remove(&vs[1].left))
					if elsewhere {
						m.PushFront(r)
					}
					return func() { move(&c) }, func() {
						require.False(t, c.Ok())
						require.Equal(t, []string{"a", "c"}, names(t, &l))
						require.Equal(t, elsewhere, m.Contains(&vs[1].left))
					}
				})
			})
		}
	}
}

// TestNoAllocation covers everything that may be done under a lock.
func TestNoAllocation(t *testing.T) {
	var l, m List[item, left]
	vs := fill(&l, "a", "b", "c")
	v := item(&red{})
	u := NewUnique(v)
	a := u.Share()
	require.Zero(t, testing.AllocsPerRun(100, func() {
		b := a.Clone()
		c := b.Borrow().Arc()
		r := take(v.base().left.Claim(v))
		l.PushBack(r)
		r = take(l.Remove(&v.base().left))
		l.PushFront(r)
		for w := range l.All() {
			_ = w.base()
		}
		r = take(l.PopFront())
		m.PushBack(r)
		cur := m.Front()
		r = take(cur.Remove())
		r.Release(ctx)
		l.Contains(&vs[1].left)
		b.Release(ctx)
		c.Release(ctx)
	}))
	require.Equal(t, []string{"a", "b", "c"}, names(t, &l))
	require.EqualValues(t, 1, v.base().ReadRefs())
}

// TestRemovedIsCollected shows that a removed value and its former neighbours
// don't keep each other alive.
func TestRemovedIsCollected(t *testing.T) {
	var l List[item, left]
	vs := fill(&l, "a", "b", "c")
	gone := make(chan bool)
	runtime.AddCleanup(vs[1], func(gone chan bool) { close(gone) }, gone)
	r := take(l.Remove(&vs[1].left))
	require.Nil(t, vs[1].left.next)
	require.Nil(t, vs[1].left.prev)
	r.Release(ctx)
	vs[1] = nil
	runtime.GC()
	<-gone
	runtime.KeepAlive(&l)
}

// TestQueue passes values between goroutines through two lists with a lock, as
// the driver does.
func TestQueue(t *testing.T) {
	const producers, each = 4, 500
	var (
		mu       sync.Mutex
		todo     List[item, left]
		all      List[item, right]
		produced = make(chan bool, producers*each)
		values   [producers][each]*red
		wg       sync.WaitGroup
	)
	for p := range producers {
		wg.Go(func() {
			for i := range each {
				v := new(red)
				values[p][i] = v
				u := NewUnique(v)
				a, r := Pair(&u, &v.left, item(v))
				mu.Lock()
				todo.PushBack(r)
				all.PushFront(take(v.right.Claim(v)))
				mu.Unlock()
				a.Release(ctx)
				produced <- true
			}
		})
	}
	for range producers {
		wg.Go(func() {
			for range each {
				<-produced
				mu.Lock()
				r := take(todo.PopFront())
				s := take(all.Remove(&r.Get().base().right))
				mu.Unlock()
				r.Release(ctx)
				s.Release(ctx)
			}
		})
	}
	wg.Wait()
	require.True(t, todo.Empty())
	require.True(t, all.Empty())
	for _, vs := range values {
		for _, v := range vs {
			require.Equal(t, 1, v.destroyed)
		}
	}
}
