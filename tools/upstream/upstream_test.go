// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSeries performs those checks of the series that take a second.
func TestSeries(t *testing.T) {
	const repo = "../.."
	if _, err := os.Stat(filepath.Join(repo, "runsc/patches")); err != nil {
		t.Skip("the repository is not here")
	}
	s, err := readSeries(repo)
	require.NoError(t, err)
	moves := s.moves()
	for _, p := range s.patches {
		if p.left || p.isPatch() {
			continue
		}
		message, body, _ := strings.Cut(p.message, "\n")
		require.NoError(t, checkMessage(message, body), p.file)
		for _, part := range p.parts {
			code := make(map[string][]byte)
			for _, name := range part.files {
				if path.Ext(name) != ".go" {
					continue
				}
				text, err := os.ReadFile(filepath.Join(repo, name))
				require.NoError(t, err)
				text, err = transplant(name, text, moves)
				require.NoError(t, err)
				require.NoError(t, checkFile(path.Join(part.as, path.Base(name)), text))
				if !strings.HasSuffix(name, "_test.go") {
					code[name] = text
				}
			}
			_, err := findMutexes(code)
			require.NoError(t, err)
		}
	}
}

// TestAssign assigns each file to one patch, and reports files that belong to none.
func TestAssign(t *testing.T) {
	for _, tc := range []struct{ name, file, want string }{
		{"code", "pkg/a/a.go", "1.txt"},
		{"a test", "pkg/a/a_test.go", "2.txt"},
		{"a test with a pattern", "pkg/a/fuzz_test.go", "3.txt"},
		{"data", "pkg/a/testdata/x", "2.txt"},
		{"a package below", "pkg/a/b/b.go", "pkg/a/b/b.go belongs to no patch"},
		{"generated code", "pkg/a/a_state_autogen.go", ""},
		{"left out", "runsc/main.go", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := &series{
				patches: []*patch{
					{file: "1.txt", parts: []*part{{kind: "code", dir: "pkg/a"}}},
					{file: "2.txt", parts: []*part{{kind: "tests", dir: "pkg/a"}}},
					{file: "3.txt", parts: []*part{{kind: "tests", dir: "pkg/a", patterns: []string{"fuzz*_test.go"}}}},
				},
				leftOut: []leftOut{{pattern: "runsc"}},
			}
			if err := s.assignFile(tc.file); err != nil {
				require.ErrorContains(t, err, tc.want)
				return
			}
			got := ""
			for _, p := range s.patches {
				if len(p.parts[0].files) > 0 {
					got = p.file
				}
			}
			require.Equal(t, tc.want, got)
		})
	}
}

func TestTransplant(t *testing.T) {
	got, err := transplant("pkg/binder/x/x.go", []byte(header+`
package x

import (
	"fmt"

	"gvisor.dev/gvisor/pkg/sync"

	abi "sentrybinder/pkg/abi/binder"
	"sentrybinder/test/wire"
)

// X is Y
// (see runsc/patches: without them, it
// is Z).
var _ = fmt.Sprint(sync.Mutex{}, abi.X, wire.Y, "sentrybinder")
`), []string{"sentrybinder/test/wire", "gvisor.dev/gvisor/test/binder/wire"})
	require.NoError(t, err)
	require.Equal(t, gvisorHeader+`
package x

import (
	"fmt"

	abi "gvisor.dev/gvisor/pkg/abi/binder"
	"gvisor.dev/gvisor/pkg/sync"
	"gvisor.dev/gvisor/test/binder/wire"
)

// X is Y.
var _ = fmt.Sprint(sync.Mutex{}, abi.X, wire.Y, "x")
`, string(got))

	_, err = transplant("x.go", []byte("package x\n"), nil)
	require.ErrorContains(t, err, "header")
}

func TestFindMutexes(t *testing.T) {
	files := map[string][]byte{"x.go": []byte(`package x

type dir struct {
	mu dirMutex
}

type tree struct {
	allMu, otherMu treeNodeMutex
	declared       hereMutex
}

type hereMutex struct{}

func (d *dir) move(to any) {
	d.mu.Lock()
	dst, _ := to.(*dir)
	dst.mu.NestedLock()
	defer dst.mu.NestedUnlock()
}
`)}
	mutexes, err := findMutexes(files)
	require.NoError(t, err)
	require.Equal(t, []mutex{{"dir", true}, {"treeNode", false}}, mutexes)
	require.Equal(t, "tree_node_mutex.go", mutexes[1].out())
	require.Contains(t, string(files["x.go"]), "\tdst.mu.NestedLock(dirLockNested)\n\tdefer dst.mu.NestedUnlock(dirLockNested)\n")

	files["x.go"] = append(files["x.go"], "\nfunc f() { g().mu.NestedLock() }\n"...)
	_, err = findMutexes(files)
	require.ErrorContains(t, err, "whose lock")
}

func TestMergeWithout(t *testing.T) {
	const conflict = "a\n<<<<<<< HEAD\n||||||| parent\next.Stop()\n=======\nnew()\next.Stop()\n>>>>>>> id\nb\n"
	merged, err := mergeWithout(conflict, "ext.")
	require.NoError(t, err)
	require.Equal(t, "a\nnew()\nb\n", merged)

	_, err = mergeWithout(strings.Replace(conflict, "||||||| ", "ours()\n||||||| ", 1), "ext.")
	require.ErrorContains(t, err, "depends on what was left out")
}

func TestEditRule(t *testing.T) {
	const build = `load("//tools:defs.bzl", "go_library")

go_library(
    name = "x",
    srcs = ["b.go"],
    visibility = ["//:sandbox"],
    deps = [
        "//pkg/a",
        "//pkg/c",
        "@org_golang_x_sys//unix:go_default_library",
    ] + select({}),
)
`
	got, err := editRule(build, "go_library", "x", []string{"a.go"}, []string{"//pkg/b"}, []string{"//pkg/c"})
	require.NoError(t, err)
	require.Equal(t, `load("//tools:defs.bzl", "go_library")

go_library(
    name = "x",
    srcs = [
        "a.go",
        "b.go",
    ],
    visibility = ["//:sandbox"],
    deps = [
        "//pkg/a",
        "//pkg/b",
        "@org_golang_x_sys//unix:go_default_library",
    ] + select({}),
)
`, got)

	_, err = editRule(build, "go_test", "x", nil, nil, nil)
	require.ErrorContains(t, err, "no rule go_test x")
}

func TestCheckMessage(t *testing.T) {
	require.NoError(t, checkMessage("binder: add it", "Why."))
	for _, bad := range [][2]string{
		{"add it", "Why."},
		{"binder: add it.", "Why."},
		{"binder: add " + strings.Repeat("x", 70), "Why."},
		{"binder: add it", "\n"},
	} {
		require.Error(t, checkMessage(bad[0], bad[1]), bad[0])
	}
}

func TestCheckFile(t *testing.T) {
	require.NoError(t, checkFile("pkg/a/a_unsafe.go", []byte(gvisorHeader+"\npackage a\n\nimport \"unsafe\"\n")))
	for name, text := range map[string]string{
		"pkg/a/a.go": gvisorHeader + "\npackage a\n\nimport \"unsafe\"\n",
		"pkg/a/b.go": gvisorHeader + "\npackage a\n\nimport \"github.com/a/b\"\n",
		"pkg/a/c.go": "package a\n",
		"pkg/a/d.go": gvisorHeader + "\npackage a // from sentrybinder\n",
		"pkg/a/e.go": gvisorHeader + "\npackage a // see runsc/patches\n",
	} {
		require.Error(t, checkFile(name, []byte(text)), name)
	}
}

func TestAddedLines(t *testing.T) {
	require.Equal(t, map[int]bool{3: true, 7: true, 8: true},
		addedLines("@@ -2,0 +3 @@ func f() {\n+x\n@@ -6 +7,2 @@\n-a\n+b\n+c\n@@ -9,2 +9,0 @@\n-d\n-e\n"))
}
