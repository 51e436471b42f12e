// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package kvvec

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/state"
)

func init() {
	Register[*member]()
	Register[*member]() // As a second package would.
	Register[int]()
}

// member is a member of a group.
//
// +stateify savable
type member struct {
	name  string
	group *group
}

// group has Vecs of pointers and of values.
//
// +stateify savable
type group struct {
	members Vec[*member]
	numbers Vec[int]
	empty   Vec[int]
	pointer *Vec[int]
	any     any
}

func TestSaveAndLoad(t *testing.T) {
	var g group
	for _, name := range []string{"a", "bb", "ccc"} {
		g.members.Append(&member{name: name, group: &g})
		g.numbers.Append(len(name))
	}
	g.members.Append(g.members.At(0))
	g.members.s = slices.Grow(g.members.s, 100)
	g.pointer = &Vec[int]{[]int{4, 5}}
	g.any = &g.numbers

	var buf bytes.Buffer
	_, err := state.Save(context.Background(), &buf, &g)
	require.NoError(t, err)
	var loaded group
	_, err = state.Load(context.Background(), &buf, &loaded)
	require.NoError(t, err)

	require.Equal(t, 4, loaded.members.Len())
	require.Equal(t, g.members.Cap(), loaded.members.Cap())
	for i, m := range loaded.members.All() {
		require.Equal(t, g.members.At(i).name, m.name)
		require.Same(t, &loaded, m.group)
	}
	require.Same(t, loaded.members.At(0), loaded.members.At(3))
	require.Equal(t, []int{1, 2, 3}, loaded.numbers.s)
	require.Zero(t, loaded.empty.Cap())
	require.Equal(t, []int{4, 5}, loaded.pointer.s)
	require.Same(t, &loaded.numbers, loaded.any)
	loaded.members.Append(nil)
	require.Equal(t, 5, loaded.members.Len())
}

func TestStateTypeName(t *testing.T) {
	names := map[string]bool{
		(*Vec[int])(nil).StateTypeName():           true,
		(*Vec[*int])(nil).StateTypeName():          true,
		(*Vec[member])(nil).StateTypeName():        true,
		(*Vec[*member])(nil).StateTypeName():       true,
		(*Vec[*bytes.Buffer])(nil).StateTypeName(): true,
	}
	require.Len(t, names, 5)
	require.True(t, names["pkg/binder/kvvec.Vec[*bytes.Buffer]"])
	require.True(t, names["pkg/binder/kvvec.Vec[*sentrybinder/pkg/binder/kvvec.member]"], "%v", names)
}
