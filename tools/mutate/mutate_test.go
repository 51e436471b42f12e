// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const source = `package p

type array [3]int

const size = 10

func f(a int) bool {
	if a < 5 {
		return true
	}
	for a > 0 {
		a--
	}
	g(a, "s")
	return v[a]+1 == 2
}
`

func TestMutate(t *testing.T) {
	all, err := mutate("p/f.go", []byte(source))
	require.NoError(t, err)
	var ids []string
	for _, m := range all {
		ids = append(ids, m.id)
		require.NotEqual(t, source, string(m.source))
	}
	require.Equal(t, []string{
		"p/f.go -: const size = 10 => const size = 11",
		"p/f.go f: if a < 5 { => if !(a < 5) {",
		"p/f.go f: if a < 5 { => if a <= 5 {",
		"p/f.go f: if a < 5 { => if a < 6 {",
		"p/f.go f: return true => return false",
		"p/f.go f: for a > 0 { => for !(a > 0) {",
		"p/f.go f: for a > 0 { => for a >= 0 {",
		"p/f.go f: for a > 0 { => for a > 1 {",
		"p/f.go f: a-- => a++",
		"p/f.go f: a-- => nothing",
		"p/f.go f: g(a, \"s\") => nothing",
		"p/f.go f: g(a, \"s\") => g(a, \"\")",
		"p/f.go f: return v[a]+1 == 2 => return v[a]+1 != 2",
		"p/f.go f: return v[a]+1 == 2 => return v[a]-1 == 2",
		"p/f.go f: return v[a]+1 == 2 => return v[0]+1 == 2",
		"p/f.go f: return v[a]+1 == 2 => return v[a]+2 == 2",
		"p/f.go f: return v[a]+1 == 2 => return v[a]+1 == 3",
	}, ids)
}

func TestSpread(t *testing.T) {
	all := make([]*mutant, 10)
	for i := range all {
		all[i] = &mutant{}
	}
	require.Equal(t, all, spread(all, 0))
	require.Equal(t, all, spread(all, 11))
	some := spread(all, 3)
	require.Len(t, some, 3)
	for i, m := range some {
		require.Same(t, all[i*10/3], m)
	}
}

func write(t *testing.T, dir, name, text string) string {
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
	return path
}

func TestReadExplained(t *testing.T) {
	dir := t.TempDir()
	reasons, err := readExplained(write(t, dir, "good", "# A comment.\n\na => b # because\n"))
	require.NoError(t, err)
	require.Equal(t, map[string]string{"a => b": "because"}, reasons)
	_, err = readExplained(write(t, dir, "bad", "a => b\n"))
	require.ErrorContains(t, err, "no reason")
}

// Mutants are killed, survive or do not compile.
func TestTester(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("GOFLAGS", "-mod=mod")
	write(t, dir, "go.mod", "module m\n\ngo 1.26\n")
	write(t, dir, "m.go", "package m\n\nfunc Max(a, b int) int {\n\tif a > b {\n\t\treturn a\n\t}\n\treturn b\n}\n\nfunc Unused() { x := 1; x = 2; _ = x }\n")
	write(t, dir, "m_test.go", "package m\n\nimport \"testing\"\n\nfunc TestMax(t *testing.T) {\n\tif Max(1, 2) != 2 {\n\t\tt.Error(1)\n\t}\n}\n\nfunc TestNothing(t *testing.T) {}\n")

	pkgs, err := list([]string{"."})
	require.NoError(t, err)
	require.Len(t, pkgs, 1)
	tester, err := newTester(pkgs[0], t.TempDir())
	require.NoError(t, err)
	require.Equal(t, []string{"TestMax", "TestNothing"}, tester.tests)
	all, err := mutants(pkgs[0])
	require.NoError(t, err)
	valid := tester.testAll(all)
	require.Less(t, len(valid), len(all), "some do not compile")
	require.True(t, tester.catches("TestMax", valid))
	require.False(t, tester.catches("TestNothing", valid))
	killed := make(map[string]bool)
	for _, m := range valid {
		killed[m.id] = m.killed
		if m.killed {
			require.Equal(t, []string{"TestMax"}, m.by)
		}
	}
	require.Equal(t, map[string]bool{
		"m/m.go Max: if a > b { => if !(a > b) {":                                                         true,
		"m/m.go Max: if a > b { => if a >= b {":                                                           false,
		"m/m.go Unused: func Unused() { x := 1; x = 2; _ = x } => func Unused() { x := 2; x = 2; _ = x }": false,
		"m/m.go Unused: func Unused() { x := 1; x = 2; _ = x } => func Unused() { x := 1; ; _ = x }":      false,
		"m/m.go Unused: func Unused() { x := 1; x = 2; _ = x } => func Unused() { x := 1; x = 3; _ = x }": false,
	}, killed)
}
