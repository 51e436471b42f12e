// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package list

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/context"
)

// The tests share two IDs and two kinds of value.
type (
	left  struct{}
	right struct{}
)

// item is a value on the tests' lists.
type item interface {
	Counted
	base() *common
}

// common is what the kinds have in common.
type common struct {
	Count
	left      Links[item, left]
	right     Links[item, right]
	name      string
	destroyed int
}

func (c *common) base() *common           { return c }
func (c *common) Destroy(context.Context) { c.destroyed++ }

// red and blue are kinds of value.
type (
	red struct {
		common
	}
	blue struct {
		pad [3]uint64
		common
	}
)

// newItem returns the Arc and the left Ref of a new value.
func newItem(name string) (Arc[item], Ref[item, left]) {
	if len(name)%2 == 0 {
		v := &red{common: common{name: name}}
		u := NewUnique(v)
		a, r := Pair(&u, &v.left, item(v))
		defer a.Release(ctx)
		return BorrowOf(item(v)).Arc(), r
	}
	v := &blue{common: common{name: name}}
	u := NewUnique(item(v))
	return Pair(&u, &v.left, item(v))
}

// fill returns a list of new values with these names, and the values.
func fill(l *List[item, left], names ...string) []*common {
	var vs []*common
	for _, name := range names {
		a, r := newItem(name)
		l.PushBack(r)
		a.Release(ctx)
		vs = append(vs, r.Get().base())
	}
	return vs
}

// names returns the names of the values on a list, having checked that the list
// reads the same in both directions.
func names[ID any](t testing.TB, l *List[item, ID]) []string {
	t.Helper()
	forth := []string{}
	for v := range l.All() {
		forth = append(forth, v.base().name)
	}
	back := make([]string, len(forth))
	i := len(forth)
	for k := l.tail; k != nil; k = k.prev {
		i--
		if i < 0 {
			t.Fatalf("more values backward than forward: %v", forth)
		}
		back[i] = Ref[item, ID]{k}.Get().base().name
	}
	require.Equal(t, forth, back)
	require.Equal(t, len(forth), l.Len())
	require.Equal(t, len(forth) == 0, l.Empty())
	return forth
}

var ctx = context.Background()

// production logs violations, as in production, for the rest of the test, and
// returns the log.
func production(t testing.TB) *[]string {
	log := new([]string)
	oldNote := note
	strict, note = false, func(what string) { *log = append(*log, what) }
	t.Cleanup(func() { strict, note = true, oldNote })
	return log
}

// bothWays runs do, which commits one violation, once as in tests and once as
// in production, and calls check after each.
func bothWays(t *testing.T, what string, do func(t *testing.T) (violate, check func())) {
	t.Helper()
	t.Run("strict", func(t *testing.T) {
		violate, check := do(t)
		require.PanicsWithValue(t, "list: "+what, violate)
		check()
	})
	t.Run("production", func(t *testing.T) {
		violate, check := do(t)
		log := production(t)
		violate()
		require.Equal(t, []string{what}, *log)
		check()
	})
}

// take returns r and panics if there is none.
func take[R any](r R, ok bool) R {
	if !ok {
		panic(fmt.Sprintf("%T expected", r))
	}
	return r
}
