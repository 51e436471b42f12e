// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package kvvec

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/state"
)

func init() {
	Register[*member]()
	Register[*member]() // Twice does no harm.
	Register[int]()
}

// member is a value of a group's.
//
// +stateify savable
type member struct {
	name  string
	group *group
}

// group is what a Vec of pointers sits in.
//
// +stateify savable
type group struct {
	members Vec[*member]
	numbers Vec[int]
	empty   Vec[int]
}

func TestSaveAndLoad(t *testing.T) {
	var g group
	for _, name := range []string{"a", "b", "c"} {
		g.members.Append(&member{name: name, group: &g})
		g.numbers.Append(len(name))
	}
	g.members.Append(g.members.At(0))
	g.members.Reserve(100)

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
	require.Equal(t, []int{1, 1, 1}, loaded.numbers.s)
	require.Zero(t, loaded.empty.Cap())
	loaded.members.Append(nil)
	require.Equal(t, 5, loaded.members.Len())
}
