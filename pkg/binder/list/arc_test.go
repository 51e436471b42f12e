// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package list

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestArc(t *testing.T) {
	v := &red{common: common{name: "v"}}
	u := NewUnique(v)
	require.Same(t, v, u.Get())
	a := u.Share()
	require.Nil(t, u.Get())
	require.True(t, a.Ok())
	require.Same(t, v, a.Get())
	require.EqualValues(t, 1, v.ReadRefs())

	b := a.Clone()
	require.True(t, a.Ok())
	require.Same(t, v, b.Get())
	require.EqualValues(t, 2, v.ReadRefs())

	c := a.Take()
	require.False(t, a.Ok())
	require.Nil(t, a.Get())
	require.Same(t, v, c.Get())
	require.EqualValues(t, 2, v.ReadRefs())

	c.Release(ctx)
	require.False(t, c.Ok())
	c.Release(ctx)
	require.Zero(t, v.destroyed)
	b.Release(ctx)
	require.Equal(t, 1, v.destroyed)
}

func TestRawArc(t *testing.T) {
	v := &red{common: common{name: "v"}}
	u := NewUnique(v)
	a := u.Share()
	b := a.Clone()
	raw := a.IntoRaw()
	require.False(t, a.Ok())
	require.Same(t, v, raw)
	require.EqualValues(t, 2, v.ReadRefs())
	b.Release(ctx)
	require.Zero(t, v.destroyed)

	c := FromRaw(raw)
	require.Same(t, v, c.Get())
	require.EqualValues(t, 1, v.ReadRefs())
	c.Release(ctx)
	require.Equal(t, 1, v.destroyed)
}

func TestZeroArc(t *testing.T) {
	var a Arc[*red]
	require.False(t, a.Ok())
	require.Nil(t, a.Get())
	b := a.Clone()
	require.False(t, b.Ok())
	b.Release(ctx)
	var u Unique[*red]
	require.Nil(t, u.Get())
	u.Release(ctx)
	a = u.Share()
	require.False(t, a.Ok())
}

func TestBorrow(t *testing.T) {
	v := &red{common: common{name: "v"}}
	u := NewUnique(v)
	a := u.Share()
	b := a.Borrow()
	require.Same(t, v, b.Get())
	require.EqualValues(t, 1, v.ReadRefs())
	c := b.Arc()
	require.Same(t, v, c.Get())
	require.EqualValues(t, 2, v.ReadRefs())
	d := BorrowOf(item(v)).Arc()
	require.Equal(t, item(v), d.Get())
	require.EqualValues(t, 3, v.ReadRefs())
	a.Release(ctx)
	c.Release(ctx)
	require.Zero(t, v.destroyed)
	d.Release(ctx)
	require.Equal(t, 1, v.destroyed)
}

func TestBorrowOutlivesValue(t *testing.T) {
	const what = "borrow used after the last reference was released"
	t.Run("released", func(t *testing.T) {
		bothWays(t, what, func(t *testing.T) (_, _ func()) {
			v := new(red)
			u := NewUnique(v)
			a := u.Share()
			b := a.Borrow()
			a.Release(ctx)
			return func() { require.Same(t, v, b.Get()) }, func() {
				require.Equal(t, 1, v.destroyed)
			}
		})
	})
	t.Run("zero", func(t *testing.T) {
		bothWays(t, what, func(t *testing.T) (_, _ func()) {
			var b Borrow[*red]
			return func() { require.Nil(t, b.Get()) }, func() {}
		})
	})
	t.Run("saturated", func(t *testing.T) {
		v := new(red)
		v.n.Store(saturated)
		require.Same(t, v, BorrowOf(v).Get())
	})
}

func TestUniqueRelease(t *testing.T) {
	v := new(red)
	u := NewUnique(v)
	u.Release(ctx)
	require.Equal(t, 1, v.destroyed)
	u.Release(ctx)
	require.Equal(t, 1, v.destroyed)

	// A destroyed value can be built anew.
	u = NewUnique(v)
	require.EqualValues(t, 1, v.ReadRefs())
	u.Release(ctx)
	require.Equal(t, 2, v.destroyed)
}

func TestUniqueOfShared(t *testing.T) {
	bothWays(t, "unique reference to a value that is in use", func(t *testing.T) (_, _ func()) {
		v := new(red)
		u := NewUnique(v)
		a := u.Share()
		return func() {
				x := NewUnique(v)
				require.Same(t, v, x.Get())
				require.EqualValues(t, 2, v.ReadRefs())
				x.Release(ctx)
			}, func() {
				require.Zero(t, v.destroyed)
				a.Release(ctx)
				require.Equal(t, 1, v.destroyed)
			}
	})
}
