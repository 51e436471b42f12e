// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const someRows = `# A comment.
## First
a: what it is: this
	lacks: one thing
	lacks: another
b: more
## Second
c: less
	none: for no reason
`

const someTests = `package p

// A does something.
//
//covers:b,a
func TestA() { x.helper() }

// B is the file's.
func TestB() { use(others) }

const (
	onOne   difference = "one"
	onOther difference = "other"
)

//covers:a
func helper() { differs(t, onOne) }

var others = map[string]difference{"B": onOther}

func TestMain() {}
`

func writeFiles(t *testing.T, files map[string]string) string {
	dir := t.TempDir()
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return dir
}

func TestSurface(t *testing.T) {
	s, err := readSurface(writeFiles(t, map[string]string{
		"surface.txt": someRows,
		"x_test.go":   "//covers:b\n" + someTests,
	}))
	require.NoError(t, err)
	require.Equal(t, surface{
		{group: "First", name: "a", what: "what it is: this", lacks: []string{"one thing", "another"}, tests: []string{"TestA"}, differs: []difference{"one"}},
		{group: "First", name: "b", what: "more", tests: []string{"TestA", "TestB"}, differs: []difference{"one", "other"}},
		{group: "Second", name: "c", what: "less", none: "for no reason"},
	}, s)

	known := differences{"one": {group: "Some group"}, "other": {group: "Another: one"}}
	readme, err := s.withTable([]byte("before\n"+tableBegin+"old\n"+tableEnd+"after\n"), known)
	require.NoError(t, err)
	require.Equal(t, "before\n"+tableBegin+`
| First | | where Linux's drivers differ |
| --- | --- | --- |
| what it is: this | except: one thing; another | [one](linux.md#some-group) |
| more | as on Linux | [one](linux.md#some-group), [other](linux.md#another-one) |

| Second | | where Linux's drivers differ |
| --- | --- | --- |
| less | no: for no reason |  |

`+tableEnd+"after\n", string(readme))
	_, err = s.withTable([]byte("no table\n"), known)
	require.Error(t, err)
}

func TestWrongSurface(t *testing.T) {
	for name, tc := range map[string]struct{ rows, tests, want string }{
		"a test without a row":       {someRows, someTests, "x_test.go: TestB covers no row"},
		"a test of an unknown row":   {someRows, "//covers:z\n" + someTests, `TestB covers "z"`},
		"a row without a test":       {someRows + "d: that\n", "//covers:b\n" + someTests, "no test covers d"},
		"a test of a row that isn't": {someRows, "//covers:c\n" + someTests, "c is declared missing, but TestB covers it"},
		"a row twice":                {someRows + "a: again\n", "//covers:b\n" + someTests, `invalid line "a: again"`},
		"a meaningless line":         {someRows + "\tabc\n", "//covers:b\n" + someTests, `invalid line "abc"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readSurface(writeFiles(t, map[string]string{"surface.txt": tc.rows, "x_test.go": tc.tests}))
			require.ErrorContains(t, err, tc.want)
		})
	}
}

func TestMatrix(t *testing.T) {
	s, err := readSurface(writeFiles(t, map[string]string{
		"surface.txt": someRows,
		"x_test.go":   "//covers:b\n" + someTests,
	}))
	require.NoError(t, err)
	sandbox := readEvents(stream("pass TestA/1", "pass TestA/2", "pass TestA", "skip TestB", "pass TestBB", "pass"), io.Discard)[0]
	rust := readEvents(strings.NewReader(`{"Action":"output","Package":"p","Test":"TestA","Output":"x: `+differsMark+`why"}
{"Action":"pass","Package":"p","Test":"TestA/1"}
{"Action":"fail","Package":"p","Test":"TestA/2"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestB"}
{"Action":"output","Package":"p","Test":"TestB/1","Output":"x: `+differsMark+`there is none"}
{"Action":"skip","Package":"p","Test":"TestB/1"}
{"Action":"fail","Package":"p"}
`), io.Discard)[0]
	var out strings.Builder
	require.NoError(t, s.printMatrix(&out, map[string]*packageResult{"systrap": sandbox, "linux-rust": rust}))
	lines := strings.Split(out.String(), "\n")[3:]
	var cells [][]string
	for _, line := range lines {
		cells = append(cells, strings.Fields(line))
	}
	require.Equal(t, [][]string{
		{"First"},
		{"a", "2/0/0/0", "-", "-", "0/1/0/1"},
		{"b", "2/0/1/0", "-", "-", "0/1/0/2"},
		{"Second"},
		{"c", "-", "-", "-", "-"},
		{},
	}, cells)

	// A row all of whose tests were skipped is an error.
	none := readEvents(stream("skip TestA", "pass TestB", "pass"), io.Discard)[0]
	require.EqualError(t, s.printMatrix(io.Discard, map[string]*packageResult{"linux-c": none}), "every test of a was skipped in linux-c")
}
