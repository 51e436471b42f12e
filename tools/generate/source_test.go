// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// write creates a package with one file that holds code.
func write(t *testing.T, name, code string) pkg {
	t.Helper()
	p := pkg{Dir: t.TempDir(), ImportPath: "example/p", Name: "p", GoFiles: []string{name}}
	require.NoError(t, os.WriteFile(filepath.Join(p.Dir, name), []byte(code), 0o644))
	return p
}

func TestReduce(t *testing.T) {
	p := write(t, "p.go", `package p

import (
	"example/list"
	"example/other"
)

// node is kept.
//
// +stateify savable
type node struct {
	list.Link[node]
	*list.Pair[int, node]
	other.Plain
	all list.List[node]
	m   map[int]other.T `+"`"+`state:".(map[int]other.T)"`+"`"+`
}

// +stateify savable
type set[T any] struct{ v T }

// +stateify savable
type manual struct{}

// +stateify type
type kind int

type unmarked struct{}

func (n *node) afterLoad(ctx context.Context) { n.all.Init[int]() }

func (s *set[T]) StateSave(sink state.Sink) {}

func (m manual) StateSave(sink state.Sink) {}

func (s *set[T]) get() T { return s.v }

func plain[T any](T) {}
`)
	src, err := parse(p, p.GoFiles, "// +stateify ")
	require.NoError(t, err)
	require.True(t, src.marked())
	file, imports, err := src.reduce(t.TempDir())
	require.NoError(t, err)
	require.Equal(t, "example/other", imports)
	got, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, `package p

// node is kept.
//
// +stateify savable
type node struct {
	Link list.Link[node]
	Pair *list.Pair[int, node]
	other.Plain
	all list.List[node]
	m   map[int]other.T `+"`"+`state:".(map[int]other.T)"`+"`"+`
}

// +stateify type
type kind int

func (n *node) afterLoad() {
}

func (m manual) StateSave() {
}
`, string(got))
}

func TestAllByHand(t *testing.T) {
	p := write(t, "p.go", "package p\n\n// +stateify savable\ntype t[V any] struct{}\n\nfunc (*t[V]) StateSave(state.Sink) {}\n")
	src, err := parse(p, p.GoFiles, "// +stateify ")
	require.NoError(t, err)
	file, _, err := src.reduce(t.TempDir())
	require.NoError(t, err)
	require.Empty(t, file)
}

func TestUnmarked(t *testing.T) {
	p := write(t, "p.go", "package p\n\ntype plain struct{}\n")
	src, err := parse(p, p.GoFiles, "// +stateify ")
	require.NoError(t, err)
	require.False(t, src.marked())
}

func TestOverlookedMarks(t *testing.T) {
	for _, tc := range []struct{ name, code, want string }{
		{"p.go", "package p\n\n// +stateify savable\n\ntype t struct{}\n", "p.go:3:1: \"// +stateify savable\" is not in the comment"},
		{"p.go", "package p\n\ntype (\n\t// +stateify savable\n\tt struct{}\n)\n", "p.go:4:2: \"// +stateify savable\" is not in the comment"},
		{"p.go", "package p\n\n// +stateify savable\nfunc f() {}\n", "is not in the comment"},
		{"p.go", "//go:build race\n\npackage p\n\n// +stateify savable\ntype t struct{}\n", "build constraints"},
		{"p_arm64.go", "package p\n\n// +stateify savable\ntype t struct{}\n", "build constraints"},
	} {
		p := write(t, tc.name, tc.code)
		_, err := parse(p, p.GoFiles, "// +stateify ")
		require.ErrorContains(t, err, tc.want, tc.code)
	}
}

func TestReduceErrors(t *testing.T) {
	for _, tc := range []struct{ code, want string }{
		{"// +stateify savable\ntype t[V any] struct{}\n", "generic type t"},
		{"// +stateify savable\ntype t struct {\n\tf int `state:\".(other.T)\"`\n}\n", "no import of other"},
	} {
		p := write(t, "p.go", "package p\n\n"+tc.code)
		src, err := parse(p, p.GoFiles, "// +stateify ")
		require.NoError(t, err)
		_, _, err = src.reduce(t.TempDir())
		require.ErrorContains(t, err, tc.want)
	}
}
