// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

// surfaceSuite is the directory of the conformance tests and of the list of what they
// cover.
const surfaceSuite = "test/syscalls"

// places are the places where the conformance tests run.
var places = []string{"systrap", "ptrace", "linux-c", "linux-rust"}

// differsMark begins the message of a conformance test that expects something else of the
// Linux driver on which it runs.
const differsMark = "this driver of Linux's differs: "

// A surfaceRow is a feature that the driver offers to its users.
type surfaceRow struct {
	group string
	name  string
	what  string
	lacks []string // parts of it that are missing here
	none  string   // why it is missing here

	tests   []string     // names of the test functions that cover it
	differs []difference // that they meet between Linux's drivers
}

// surface lists what the driver offers, and the tests that cover it.
type surface []*surfaceRow

func (s surface) row(name string) *surfaceRow {
	if i := slices.IndexFunc(s, func(r *surfaceRow) bool { return r.name == name }); i >= 0 {
		return s[i]
	}
	return nil
}

// readSurface reads the list of rows and the tests in dir. With an error about what is
// wrong in them, it still returns what could be read.
func readSurface(dir string) (surface, error) {
	list, err := os.ReadFile(filepath.Join(dir, "surface.txt"))
	if err != nil {
		return nil, err
	}
	s, err := parseSurface(string(list))
	errs := []error{err}
	names, _ := filepath.Glob(filepath.Join(dir, "*_test.go"))
	var files []*ast.File
	for _, name := range names {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	differ := differing(files)
	for i, f := range files {
		errs = append(errs, s.addTests(filepath.Base(names[i]), f, differ))
	}
	for _, r := range s {
		slices.Sort(r.differs)
		r.differs = slices.Compact(r.differs)
	}
	for _, r := range s {
		if r.none == "" && len(r.tests) == 0 {
			errs = append(errs, fmt.Errorf("no test covers %s", r.name))
		}
		if r.none != "" && len(r.tests) > 0 {
			errs = append(errs, fmt.Errorf("%s is declared missing, but %s covers it", r.name, r.tests[0]))
		}
	}
	return s, errors.Join(errs...)
}

// parseSurface parses a list of rows, which documents its own format.
func parseSurface(list string) (surface, error) {
	var s surface
	var group string
	var errs []error
	for line := range strings.Lines(list) {
		text := strings.TrimSpace(line)
		key, value, ok := strings.Cut(text, ": ")
		switch {
		case strings.HasPrefix(text, "## "):
			group = text[3:]
		case text == "" || text[0] == '#':
		case ok && line[0] != '\t' && s.row(key) == nil:
			s = append(s, &surfaceRow{group: group, name: key, what: value})
		case ok && len(s) > 0 && key == "lacks":
			s[len(s)-1].lacks = append(s[len(s)-1].lacks, value)
		case ok && len(s) > 0 && key == "none":
			s[len(s)-1].none = value
		default:
			errs = append(errs, fmt.Errorf("surface.txt: invalid line %q", text))
		}
	}
	return s, errors.Join(errs...)
}

// addTests adds the tests in a file to the rows that they cover. differ holds the
// differences that tests meet.
func (s surface) addTests(file string, f *ast.File, differ map[string][]difference) error {
	var errs []error
	ofFile := covers(f.Doc)
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Recv != nil || !strings.HasPrefix(fn.Name.Name, "Test") || fn.Name.Name == "TestMain" {
			continue
		}
		rows := covers(fn.Doc)
		if rows == nil {
			rows = ofFile
		}
		if rows == nil {
			errs = append(errs, fmt.Errorf("%s: %s covers no row of surface.txt", file, fn.Name))
		}
		for _, name := range rows {
			r := s.row(name)
			if r == nil {
				errs = append(errs, fmt.Errorf("%s: %s covers %q, which is not in surface.txt", file, fn.Name, name))
				continue
			}
			r.tests = append(r.tests, fn.Name.Name)
			r.differs = append(r.differs, differ[fn.Name.Name]...)
		}
	}
	return errors.Join(errs...)
}

// covers returns the rows that comments declare as covered.
func covers(comment *ast.CommentGroup) []string {
	var rows []string
	if comment != nil {
		for _, c := range comment.List {
			if list, ok := strings.CutPrefix(c.Text, "//covers:"); ok {
				rows = append(rows, strings.Split(list, ",")...)
			}
		}
	}
	return rows
}

// matrixCounts are numbers of tests. Those that expect something else of one of Linux's
// drivers, or have nothing to expect of it, count separately.
type matrixCounts struct {
	counts
	differs int
}

func (c matrixCounts) String() string {
	if c == (matrixCounts{}) {
		return "-"
	}
	return fmt.Sprintf("%d/%d/%d/%d", c.passed, c.failed, c.skipped, c.differs)
}

// of returns the counts for the tests of a row.
func (r *surfaceRow) of(p *packageResult) matrixCounts {
	var tests []string
	for _, t := range p.counted() {
		function, _, _ := strings.Cut(t, "/")
		if slices.Contains(r.tests, function) {
			tests = append(tests, t)
		}
	}
	c := matrixCounts{counts: p.count(tests)}
	for _, t := range tests {
		if !p.differs(t) {
			continue
		}
		switch p.tests[t].outcome {
		case passed:
			c.passed--
			c.differs++
		case skipped:
			c.skipped--
			c.differs++
		}
	}
	return c
}

// differs returns whether a test, or one that it is part of, reported that the driver on
// which it runs differs.
func (p *packageResult) differs(test string) bool {
	for {
		if t := p.tests[test]; t != nil && strings.Contains(t.output.String(), differsMark) {
			return true
		}
		i := strings.LastIndexByte(test, '/')
		if i < 0 {
			return false
		}
		test = test[:i]
	}
}

// printMatrix prints how the tests of each row ended in each place. It returns an error
// that names the rows whose tests were all skipped in a place.
func (s surface) printMatrix(w io.Writer, results map[string]*packageResult) error {
	fmt.Fprintf(w, "What %s covers: tests passed/failed/skipped, and those with a difference between Linux's drivers\n\n", surfaceSuite)
	tab := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintf(tab, "\t%s\n", strings.Join(places, "\t"))
	var errs []error
	group := ""
	for _, r := range s {
		if r.group != group {
			group = r.group
			fmt.Fprintf(tab, "%s%s\n", group, strings.Repeat("\t", len(places)))
		}
		fmt.Fprintf(tab, "  %s", r.name)
		for _, place := range places {
			cell := "-"
			if p := results[place]; p != nil {
				c := r.of(p)
				cell = c.String()
				if r.none == "" && c.passed+c.failed+c.differs == 0 {
					errs = append(errs, fmt.Errorf("every test of %s was skipped in %s", r.name, place))
				}
			}
			fmt.Fprintf(tab, "\t%s", cell)
		}
		fmt.Fprintln(tab)
	}
	tab.Flush()
	return errors.Join(errs...)
}

// The table is in this file, between these lines.
const (
	tableFile  = "docs/conformance.md"
	tableBegin = "<!-- what works: written by make matrix -->\n"
	tableEnd   = "<!-- end of what works -->\n"
)

// table returns the surface as a Markdown table. Differences link to where they are
// described.
func (s surface) table(known differences) string {
	var b strings.Builder
	group := ""
	for _, r := range s {
		if r.group != group {
			group = r.group
			fmt.Fprintf(&b, "\n| %s | | where Linux's drivers differ |\n| --- | --- | --- |\n", group)
		}
		here := "as on Linux"
		if r.lacks != nil {
			here = "except: " + strings.Join(r.lacks, "; ")
		}
		if r.none != "" {
			here = "no: " + r.none
		}
		var links []string
		for _, d := range r.differs {
			links = append(links, fmt.Sprintf("[%s](%s#%s)", d, filepath.Base(differencesFile), anchor(known[d].group)))
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", r.what, here, strings.Join(links, ", "))
	}
	return b.String() + "\n"
}

// withTable returns the text of tableFile with the table in it.
func (s surface) withTable(page []byte, known differences) ([]byte, error) {
	before, rest, ok := bytes.Cut(page, []byte(tableBegin))
	_, after, ok2 := bytes.Cut(rest, []byte(tableEnd))
	if !ok || !ok2 {
		return nil, fmt.Errorf("%s lacks the lines %q and %q", tableFile, strings.TrimSpace(tableBegin), strings.TrimSpace(tableEnd))
	}
	return slices.Concat(before, []byte(tableBegin+s.table(known)+tableEnd), after), nil
}

// checkSurface checks that the list of rows, the tests and the tables agree.
func checkSurface() ([]row, error) {
	page, want, err := currentTable()
	if err == nil && !bytes.Equal(page, want) {
		err = errors.New("the table in " + tableFile + " is out of date: run make matrix")
	}
	if err != nil {
		return nil, err
	}
	return []row{{place: "source", counts: counts{passed: 1}}}, nil
}

// writeTable updates the table.
func writeTable() error {
	_, want, err := currentTable()
	if err != nil {
		return err
	}
	return os.WriteFile(tableFile, want, 0o666)
}

// currentTable returns the text of tableFile as it is, and as it should be.
func currentTable() (page, want []byte, err error) {
	s, err := readSurface(surfaceSuite)
	known, err2 := readDifferences(surfaceSuite, differencesFile)
	page, err3 := os.ReadFile(tableFile)
	if err := errors.Join(err, err2, err3); err != nil {
		return nil, nil, err
	}
	want, err = s.withTable(page, known)
	return page, want, err
}
