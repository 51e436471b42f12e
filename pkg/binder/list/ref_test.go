// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package list

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestClaim(t *testing.T) {
	v := &blue{common: common{name: "v"}}
	u := NewUnique(v)
	a := u.Share()
	require.False(t, v.left.Linked())

	r, ok := v.left.Claim(v)
	require.True(t, ok)
	require.True(t, r.Ok())
	require.Equal(t, item(v), r.Get())
	require.EqualValues(t, 2, v.ReadRefs())
	require.False(t, v.left.Linked())

	// There is one for each ID.
	again, ok := v.left.Claim(v)
	require.False(t, ok)
	require.False(t, again.Ok())
	require.Nil(t, again.Get())
	require.EqualValues(t, 2, v.ReadRefs())
	s, ok := v.right.Claim(v)
	require.True(t, ok)
	require.EqualValues(t, 3, v.ReadRefs())

	// A list reference can be turned into an ordinary one, and claimed again.
	b := r.Arc()
	require.False(t, r.Ok())
	require.Equal(t, item(v), b.Get())
	require.EqualValues(t, 3, v.ReadRefs())
	r, ok = v.left.Claim(v)
	require.True(t, ok)
	require.EqualValues(t, 4, v.ReadRefs())

	c := r.Clone()
	require.Equal(t, item(v), c.Get())
	require.EqualValues(t, 5, v.ReadRefs())

	a.Release(ctx)
	b.Release(ctx)
	c.Release(ctx)
	r.Release(ctx)
	require.False(t, r.Ok())
	require.Zero(t, v.destroyed)
	s.Release(ctx)
	require.Equal(t, 1, v.destroyed)
}

func TestZeroRef(t *testing.T) {
	var r Ref[item, left]
	require.False(t, r.Ok())
	require.Nil(t, r.Get())
	a := r.Clone()
	require.False(t, a.Ok())
	a = r.Arc()
	require.False(t, a.Ok())
	r.Release(ctx)
}

func TestClaimConcurrent(t *testing.T) {
	v := new(red)
	u := NewUnique(v)
	a := u.Share()
	var mu sync.Mutex
	var l List[item, left]
	for range 200 {
		var claims atomic.Int32
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if r, ok := v.left.Claim(v); ok {
					claims.Add(1)
					mu.Lock()
					l.PushBack(r)
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, claims.Load())
		r := take(l.PopFront())
		r.Release(ctx)
	}
	a.Release(ctx)
	require.Equal(t, 1, v.destroyed)
}

// TestClaimWhileLooking claims and gives up without the lock while a goroutine
// that holds it asks where the value is. The race detector has the last word.
func TestClaimWhileLooking(t *testing.T) {
	const times = 1000
	v := new(red)
	u := NewUnique(v)
	a := u.Share()
	var mu sync.Mutex
	var l List[item, left]
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for i := range times {
				r, ok := v.left.Claim(v)
				if !ok {
					continue
				}
				if i%2 == 0 {
					r.Release(ctx)
					continue
				}
				mu.Lock()
				l.PushBack(r)
				mu.Unlock()
			}
		})
	}
	wg.Go(func() {
		for range times {
			mu.Lock()
			linked := v.left.Linked()
			if l.Contains(&v.left) != linked {
				t.Error("linked, but on no list")
			}
			r, ok := l.Remove(&v.left)
			mu.Unlock()
			if ok != linked {
				t.Error("linked, but not removed")
			}
			r.Release(ctx)
		}
	})
	wg.Wait()
	if r, ok := l.PopFront(); ok {
		r.Release(ctx)
	}
	a.Release(ctx)
	require.Equal(t, 1, v.destroyed)
}

func TestClaimForOther(t *testing.T) {
	v, w := new(red), new(red)
	u, x := NewUnique(v), NewUnique(w)
	require.PanicsWithValue(t, "list: links claimed for a value that doesn't contain them", func() {
		v.left.Claim(w)
	})
	require.EqualValues(t, 1, w.ReadRefs())

	// Production does not check.
	log := production(t)
	r := take(v.left.Claim(w))
	require.Empty(t, *log)
	require.Equal(t, item(w), r.Get())
	r.Release(ctx)
	u.Release(ctx)
	x.Release(ctx)
	require.Equal(t, 1, w.destroyed)
}

func TestWithin(t *testing.T) {
	vs := new([3]blue)
	for i := range vs {
		require.True(t, within(&vs[i].left, item(&vs[i])))
		require.True(t, within(&vs[i].right, item(&vs[i])))
		for j := range vs {
			require.Equal(t, i == j, within(&vs[i].left, item(&vs[j])))
		}
	}
	type bare struct {
		k Links[item, left]
		v red
	}
	b := new(bare)
	require.False(t, within(&b.k, item(&b.v)))

	// Links right after a value are not part of it.
	type behind struct {
		v red
		k Links[item, left]
	}
	c := new(behind)
	require.False(t, within(&c.k, item(&c.v)))

	// Links may be the first thing in a value.
	d := new(first)
	require.True(t, within(&d.k, d))
}

type first struct {
	k Links[*first, left]
	destroyer
}

func TestPair(t *testing.T) {
	v := new(red)
	u := NewUnique(v)
	a, r := Pair(&u, &v.left, item(v))
	require.Nil(t, u.Get())
	require.Same(t, v, a.Get())
	require.Equal(t, item(v), r.Get())
	require.EqualValues(t, 2, v.ReadRefs())
	_, ok := v.left.Claim(v)
	require.False(t, ok)
	a.Release(ctx)
	r.Release(ctx)
	require.Equal(t, 1, v.destroyed)
}

func TestPairOfShared(t *testing.T) {
	const what = "pair made of a value that is not unique"
	t.Run("claimed", func(t *testing.T) {
		bothWays(t, what, func(t *testing.T) (_, _ func()) {
			v := new(red)
			u := NewUnique(v)
			r := take(v.left.Claim(v))
			return func() {
					a, s := Pair(&u, &v.left, item(v))
					require.True(t, a.Ok())
					require.False(t, s.Ok())
					a.Release(ctx)
				}, func() {
					require.Zero(t, v.destroyed)
					require.True(t, r.Ok())
				}
		})
	})
	t.Run("other", func(t *testing.T) {
		bothWays(t, what, func(t *testing.T) (_, _ func()) {
			v, w := new(red), new(red)
			u, x := NewUnique(v), NewUnique(w)
			return func() {
					a, r := Pair(&u, &w.left, item(w))
					require.Same(t, v, a.Get())
					require.False(t, r.Ok())
					a.Release(ctx)
				}, func() {
					require.Zero(t, w.destroyed)
					x.Release(ctx)
					require.Equal(t, 1, w.destroyed)
				}
		})
	})
}

func TestStaleRef(t *testing.T) {
	const what = "list reference given up twice or while on a list"
	for _, linked := range []bool{true, false} {
		name := "given up"
		if linked {
			name = "on a list"
		}
		t.Run(name+"/Arc", func(t *testing.T) {
			bothWays(t, what, func(t *testing.T) (_, _ func()) {
				var l List[item, left]
				a, r := newItem("v")
				v := a.Get().base()
				copied := r
				want := int64(1)
				if linked {
					l.PushBack(r)
					want = 2
				} else {
					r.Release(ctx)
				}
				return func() {
						b := copied.Arc()
						require.Equal(t, a.Get(), b.Get())
						require.EqualValues(t, want+1, v.ReadRefs())
						b.Release(ctx)
					}, func() {
						require.EqualValues(t, want, v.ReadRefs())
						require.Equal(t, linked, v.left.Linked())
						_, ok := v.left.Claim(a.Get())
						require.Equal(t, !linked, ok)
					}
			})
		})
		t.Run(name+"/Release", func(t *testing.T) {
			bothWays(t, what, func(t *testing.T) (_, _ func()) {
				var l List[item, left]
				a, r := newItem("v")
				v := a.Get().base()
				copied := r
				want := int64(1)
				if linked {
					l.PushBack(r)
					want = 2
				} else {
					r.Release(ctx)
				}
				return func() { copied.Release(ctx) }, func() {
					require.EqualValues(t, want, v.ReadRefs())
				}
			})
		})
	}
}
