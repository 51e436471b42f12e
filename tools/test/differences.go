// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// differencesFile has a table of the differences between Linux's two drivers.
const differencesFile = "docs/linux.md"

// A difference is the name of a row of differencesFile. Tests refer to it by a constant:
// see differencesOf.
type difference string

// A decision is the content of a row of differencesFile.
type decision struct {
	group  string // the heading above it
	asRust bool   // whether the Rust driver is followed, not the C driver
	told   bool   // whether only the differential tester found it: no test names it
}

// differences are the rows of differencesFile.
type differences map[difference]decision

// parseDifferences returns the rows of a page.
func parseDifferences(page string) (differences, error) {
	known, group := make(differences), ""
	var errs []error
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		if heading, ok := strings.CutPrefix(line, "### "); ok {
			group = heading
		}
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), " | ")
		name, star := strings.CutSuffix(strings.TrimSpace(cells[0]), " *")
		d := difference(strings.Trim(name, "`"))
		_, twice := known[d]
		if len(cells) != 5 || twice || cells[3] != "as in C" && cells[3] != "as in Rust" {
			errs = append(errs, fmt.Errorf("invalid row of %s", d))
			continue
		}
		known[d] = decision{group: group, asRust: cells[3] == "as in Rust", told: star}
	}
	return known, errors.Join(errs...)
}

// readDifferences returns the rows of the file page, or an error if they don't match the
// constants of the tests in dir.
func readDifferences(dir, page string) (differences, error) {
	text, err := os.ReadFile(page)
	if err != nil {
		return nil, err
	}
	known, err := parseDifferences(string(text))
	errs := []error{err}
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, "differences_test.go"), nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	named := differencesOf(f)
	asRust := keysOf(f, "asRust")
	for _, d := range slices.Sorted(maps.Values(named)) {
		if _, ok := known[d]; !ok {
			errs = append(errs, fmt.Errorf("%s has no row %s, which tests name", page, d))
		}
	}
	for _, d := range slices.Sorted(maps.Keys(known)) {
		tested := slices.Contains(slices.Collect(maps.Values(named)), d)
		if tested == known[d].told {
			errs = append(errs, fmt.Errorf("%s: row %s must have a * if and only if no test names it", page, d))
		}
		if known[d].asRust != slices.ContainsFunc(asRust, func(name string) bool { return named[name] == d }) {
			errs = append(errs, fmt.Errorf("%s: row %s and the tests' asRust disagree", page, d))
		}
	}
	return known, errors.Join(errs...)
}

// differencesOf returns f's constants of type difference, by name.
func differencesOf(f *ast.File) map[string]difference {
	named := make(map[string]difference)
	ast.Inspect(f, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || len(v.Values) != 1 {
			return true
		}
		t, isIdent := v.Type.(*ast.Ident)
		lit, isLit := v.Values[0].(*ast.BasicLit)
		if isIdent && isLit && t.Name == "difference" {
			if s, err := strconv.Unquote(lit.Value); err == nil {
				named[v.Names[0].Name] = difference(s)
			}
		}
		return true
	})
	return named
}

// keysOf returns the keys of the map that initializes the variable name.
func keysOf(f *ast.File, name string) []string {
	var keys []string
	ast.Inspect(f, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || v.Names[0].Name != name {
			return true
		}
		ast.Inspect(v, func(n ast.Node) bool {
			if kv, ok := n.(*ast.KeyValueExpr); ok {
				if key, ok := kv.Key.(*ast.Ident); ok {
					keys = append(keys, key.Name)
				}
			}
			return true
		})
		return false
	})
	return keys
}

// differing returns the differences that functions and methods meet, directly, through
// variables, or through functions that they call.
func differing(files []*ast.File) map[string][]difference {
	named := make(map[string]difference)
	for _, f := range files {
		maps.Copy(named, differencesOf(f))
	}
	uses := make(map[string]map[string]bool) // by function or variable
	vars := make(map[string]bool)
	note := func(user string, n ast.Node) {
		if uses[user] == nil {
			uses[user] = make(map[string]bool)
		}
		ast.Inspect(n, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				switch callee := n.Fun.(type) {
				case *ast.Ident:
					uses[user][callee.Name] = true
				case *ast.SelectorExpr:
					uses[user][callee.Sel.Name] = true
				}
			case *ast.Ident:
				if _, ok := named[n.Name]; ok || vars[n.Name] {
					uses[user][n.Name] = true
				}
			}
			return true
		})
	}
	eachDecl(files, func(d ast.Decl) {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.VAR {
			for _, spec := range g.Specs {
				if v := spec.(*ast.ValueSpec); v.Names[0].Name != "asRust" {
					note(v.Names[0].Name, v)
					vars[v.Names[0].Name] = len(uses[v.Names[0].Name]) > 0
				}
			}
		}
	})
	eachDecl(files, func(d ast.Decl) {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Name.Name != "differs" {
			note(fn.Name.Name, fn)
		}
	})
	met := make(map[string][]difference)
	for user := range uses {
		seen := make(map[string]bool)
		var visit func(name string)
		visit = func(name string) {
			if seen[name] {
				return
			}
			seen[name] = true
			if d, ok := named[name]; ok {
				met[user] = append(met[user], d)
			}
			for used := range uses[name] {
				visit(used)
			}
		}
		visit(user)
		slices.Sort(met[user])
	}
	return met
}

func eachDecl(files []*ast.File, f func(ast.Decl)) {
	for _, file := range files {
		for _, d := range file.Decls {
			f(d)
		}
	}
}
