// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package list

import (
	"bytes"
	"fmt"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/state"
	"gvisor.dev/gvisor/pkg/sync"
)

// reload saves what root points to and loads it into a new value.
func reload[R any](t testing.TB, root *R) *R {
	t.Helper()
	var image bytes.Buffer
	_, err := state.Save(ctx, &image, root)
	require.NoError(t, err)
	loaded := new(R)
	_, err = state.Load(ctx, &image, loaded)
	require.NoError(t, err)
	return loaded
}

func titles(t testing.TB, l *List[savedWork, savedTodo]) []string {
	t.Helper()
	forth := []string{}
	for w := range l.All() {
		forth = append(forth, w.title())
	}
	i := len(forth)
	for k := l.tail; k != nil; k = k.prev {
		i--
		require.Equal(t, forth[i], Ref[savedWork, savedTodo]{k}.Get().title())
	}
	require.Zero(t, i)
	return forth
}

func nodeNames(l *List[*savedNode, savedNodes]) []string {
	ns := []string{}
	for n := range l.All() {
		ns = append(ns, n.name)
	}
	return ns
}

func newSavedNode(p *savedProcess, name string) (Arc[*savedNode], Ref[savedWork, savedTodo]) {
	n := &savedNode{name: name, process: p}
	u := NewUnique(n)
	a, r := Pair(&u, &n.todo, savedWork(n))
	p.nodes.PushFront(take(n.nodes.Claim(n)))
	return a, r
}

func newSavedCall(name string) (Arc[savedWork], Ref[savedWork, savedTodo]) {
	c := &savedCall{name: name}
	u := NewUnique(c)
	a, r := Pair(&u, &c.links, savedWork(c))
	defer a.Release(ctx)
	return BorrowOf(savedWork(c)).Arc(), r
}

// TestSaveRestore saves values that are on two lists, values of two kinds on
// one list, values with several pointers to them, and every kind of reference.
func TestSaveRestore(t *testing.T) {
	p := new(savedProcess)
	first, r1 := newSavedNode(p, "1")
	second, r2 := newSavedNode(p, "2")
	third, r3 := newSavedNode(p, "3")
	call, c1 := newSavedCall("a")
	call2, c2 := newSavedCall("b")

	// A list that is part of a list, a call that refers to another and to a
	// node, and a Ref in hand.
	p.todo.PushBack(r1)
	p.todo.PushBack(c1)
	p.todo.PushBack(r2)
	first.Get().queue.PushBack(c2)
	p.idle = r3
	call.Get().(*savedCall).from = call2.Clone()
	call.Get().(*savedCall).to = second.Clone()
	p.first = first.Get()
	p.arcs = []Arc[savedWork]{call.Clone(), {}, call.Clone(), BorrowOf(savedWork(third.Get())).Arc()}
	p.byKey = map[string]*savedNode{"one": first.Get(), "two": second.Get()}
	p.inside = []any{&p.arcs[0], &p.idle, &p.todo, &p.first.todo, &p.first.Count}
	first.Release(ctx)
	second.Release(ctx)
	third.Release(ctx)
	call.Release(ctx)
	call2.Release(ctx)

	check := func(p *savedProcess) {
		t.Helper()
		require.Equal(t, []string{"node 1", "call a", "node 2"}, titles(t, &p.todo))
		require.Equal(t, []string{"3", "2", "1"}, nodeNames(&p.nodes))
		require.Equal(t, []string{"call b"}, titles(t, &p.first.queue))
		require.Empty(t, titles(t, &p.done))
		require.Equal(t, "node 3", p.idle.Get().title())

		// The same values, whichever way leads to them.
		one, two := p.byKey["one"], p.byKey["two"]
		require.Same(t, p.first, one)
		var ns []*savedNode
		for n := range p.nodes.All() {
			require.Same(t, p, n.process)
			ns = append(ns, n)
		}
		require.Same(t, two, ns[1])
		require.Same(t, one, ns[2])
		front := p.todo.Front()
		require.Same(t, one, front.Value())
		front.Next()
		call := front.Value().(*savedCall)
		require.Same(t, call, p.arcs[0].Get())
		require.False(t, p.arcs[1].Ok())
		require.Same(t, call, p.arcs[2].Get())
		require.Same(t, ns[0], p.arcs[3].Get())
		for i, want := range []any{&p.arcs[0], &p.idle, &p.todo, &one.todo, &one.Count} {
			require.Same(t, want, p.inside[i])
		}
		require.Same(t, two, call.to.Get())

		// Counts: the list of nodes and the list of work, or the call.
		require.EqualValues(t, 2, one.ReadRefs())
		require.EqualValues(t, 3, two.ReadRefs())
		require.EqualValues(t, 3, ns[0].ReadRefs())
		require.EqualValues(t, 3, call.ReadRefs())
	}
	check(p)
	q := reload(t, p)
	require.Equal(t, []string{"node 1", "call a", "node 2"}, q.titles)
	check(q)
	check(p)
	q = reload(t, q)
	check(q)

	// The lists work, and know what is on them and what isn't.
	one, two := q.byKey["one"], q.byKey["two"]
	_, ok := one.todo.Claim(one)
	require.False(t, ok)
	_, ok = q.idle.Get().(*savedNode).todo.Claim(q.idle.Get())
	require.False(t, ok)
	require.True(t, q.todo.Contains(&two.todo))
	require.False(t, one.queue.Contains(&two.todo))
	require.Panics(t, func() { q.done.Remove(&two.todo) })
	require.Panics(t, func() { q.todo.PushBack(Ref[savedWork, savedTodo]{&two.todo}) })
	q.todo.PushFront(q.idle)
	q.idle = Ref[savedWork, savedTodo]{}
	for r, ok := q.todo.PopFront(); ok; r, ok = q.todo.PopFront() {
		one.queue.PushBack(r)
	}
	require.Equal(t, []string{"call b", "node 3", "node 1", "call a", "node 2"}, titles(t, &one.queue))

	// And the last release destroys each value once.
	var works []savedWork
	for w := range one.queue.All() {
		works = append(works, w)
	}
	for r, ok := one.queue.PopFront(); ok; r, ok = one.queue.PopFront() {
		r.Release(ctx)
	}
	for r, ok := q.nodes.PopFront(); ok; r, ok = q.nodes.PopFront() {
		r.Release(ctx)
	}
	for i := range q.arcs {
		q.arcs[i].Release(ctx)
	}
	for _, w := range works {
		switch w := w.(type) {
		case *savedNode:
			require.Equal(t, 1, w.dead, w.title())
		case *savedCall:
			require.Equal(t, 1, w.dead, w.title())
		}
	}
}

// TestSaveCircle has values on each other's lists.
func TestSaveCircle(t *testing.T) {
	p := new(savedProcess)
	a, ra := newSavedNode(p, "a")
	b, rb := newSavedNode(p, "b")
	a.Get().queue.PushBack(rb)
	b.Get().queue.PushBack(ra)
	p.first = a.Get()
	q := reload(t, p)
	require.Equal(t, []string{"node b"}, titles(t, &q.first.queue))
	c := q.first.queue.Front()
	require.Equal(t, []string{"node a"}, titles(t, &c.Value().(*savedNode).queue))
	require.Same(t, q.first, c.Value().(*savedNode).queue.head.value)
}

// TestSaveSaturated shows that an immortal value stays immortal.
func TestSaveSaturated(t *testing.T) {
	p := new(savedProcess)
	a, _ := newSavedNode(p, "a")
	p.first = a.Get()
	p.first.n.Store(saturated)
	q := reload(t, p)
	require.EqualValues(t, saturated, q.first.ReadRefs())
}

// TestSaveLong saves long lists with a small stack, so that it fails if saving
// or loading recurses along a list. The values are on two lists in opposite
// orders, and on some by pointers that are found late.
func TestSaveLong(t *testing.T) {
	long := 100_000
	if testing.Short() || sync.RaceEnabled { // With the race detector, package state checks a lot more.
		long /= 10
	}
	defer debug.SetMaxStack(debug.SetMaxStack(1 << 20))
	p := new(savedProcess)
	for i := range long {
		a, r := newSavedNode(p, fmt.Sprint(i))
		p.todo.PushBack(r)
		if i%2 == 0 {
			p.arcs = append(p.arcs, BorrowOf(savedWork(a.Get())).Arc())
			a.Release(ctx)
		}
	}
	q := reload(t, p)
	i := 0
	for w := range q.todo.All() {
		require.Equal(t, fmt.Sprint(i), w.(*savedNode).name)
		i++
	}
	require.Equal(t, long, i)
	for n := range q.nodes.All() {
		i--
		require.Equal(t, fmt.Sprint(i), n.name)
	}
	require.Zero(t, i)
}

// TestLoadDamaged loads images with lists that bite their own tail or hold
// values that nobody has claimed.
func TestLoadDamaged(t *testing.T) {
	for name, damage := range map[string]func(p *savedProcess){
		"circle": func(p *savedProcess) { p.todo.tail.next = p.todo.head },
		"shared": func(p *savedProcess) { p.done.head = p.todo.tail },
		"unclaimed": func(p *savedProcess) {
			p.todo.tail.taken.Store(0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := new(savedProcess)
			for i := range 3 {
				_, r := newSavedNode(p, fmt.Sprint(i))
				p.todo.PushBack(r)
			}
			damage(p)
			var image bytes.Buffer
			_, err := state.Save(ctx, &image, p)
			require.NoError(t, err)
			_, err = state.Load(ctx, &image, new(savedProcess))
			require.ErrorContains(t, err, "value is on a list twice or has no list reference")
		})
	}
}

// TestStateNames shows that each instantiation has a name of its own, and that
// types may be registered again.
func TestStateNames(t *testing.T) {
	seen := map[string]bool{}
	for _, typ := range []state.Type{
		(*Count)(nil),
		(*Arc[savedWork])(nil), (*Arc[*savedNode])(nil),
		(*List[savedWork, savedTodo])(nil), (*List[*savedNode, savedNodes])(nil),
		(*List[*savedNode, savedTodo])(nil),
		(*Links[savedWork, savedTodo])(nil), (*Links[*savedNode, savedNodes])(nil),
		(*Ref[savedWork, savedTodo])(nil), (*Ref[*savedNode, savedNodes])(nil),
	} {
		require.False(t, seen[typ.StateTypeName()], typ.StateTypeName())
		seen[typ.StateTypeName()] = true
	}
	require.True(t, seen["sentrybinder/pkg/binder/list.Count"])
	require.True(t, seen["sentrybinder/pkg/binder/list.Arc[*sentrybinder/pkg/binder/list.savedNode]"])
	Register[savedWork, savedTodo]()
	RegisterArc[savedWork]()
}
