// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The modules that files come from and go to.
const (
	module = "sentrybinder"
	gvisor = "gvisor.dev/gvisor"
)

// header begins each source file of this repository.
const header = `// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0
`

// gvisorHeader begins each source file of gVisor.
const gvisorHeader = `// Copyright 2026 The gVisor Authors.
//
// Licensed under the Apache License, Version 2.0 (the "License");
// you may not use this file except in compliance with the License.
// You may obtain a copy of the License at
//
//     http://www.apache.org/licenses/LICENSE-2.0
//
// Unless required by applicable law or agreed to in writing, software
// distributed under the License is distributed on an "AS IS" BASIS,
// WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
// See the License for the specific language governing permissions and
// limitations under the License.
`

// seePatches matches remarks about runsc/patches, which the series has applied.
var seePatches = regexp.MustCompile(`(?:\n\s*// | )\(see runsc/patches[^)]*\)`)

// transplant returns the text of a source file in gVisor's form. moves are pairs of import
// paths, old and new.
func transplant(name string, text []byte, moves []string) ([]byte, error) {
	rest, ok := strings.CutPrefix(string(text), header)
	if !ok {
		return nil, fmt.Errorf("%s does not begin with this repository's header", name)
	}
	pkg := path.Base(path.Dir(name))
	rest = strings.NewReplacer(slices.Concat(moves, []string{
		module + "/", gvisor + "/",
		// Benchmarks use it as a name.
		strconv.Quote(module), strconv.Quote(pkg),
	})...).Replace(rest)
	rest = seePatches.ReplaceAllString(rest, "")
	if path.Ext(name) != ".go" {
		return []byte(gvisorHeader + rest), nil
	}
	rest, err := regroup(gvisorHeader + rest)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return format.Source([]byte(rest))
}

// regroup merges a file's imports into two groups: the standard library, and others.
func regroup(text string) (string, error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "", text, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return "", err
	}
	for _, d := range f.Decls {
		d := d.(*ast.GenDecl)
		if !d.Lparen.IsValid() {
			continue
		}
		var std, others []string
		for _, spec := range d.Specs {
			spec := spec.(*ast.ImportSpec)
			if spec.Doc != nil || spec.Comment != nil {
				return "", fmt.Errorf("a comment on the import of %s", spec.Path.Value)
			}
			line := spec.Path.Value
			if spec.Name != nil {
				line = spec.Name.Name + " " + line
			}
			if isStandard(strings.Trim(spec.Path.Value, `"`)) {
				std = append(std, line)
			} else {
				others = append(others, line)
			}
		}
		byPath := func(a, b string) int { return strings.Compare(a[strings.Index(a, `"`):], b[strings.Index(b, `"`):]) }
		slices.SortFunc(std, byPath)
		slices.SortFunc(others, byPath)
		block := strings.Join(std, "\n")
		if len(std) > 0 && len(others) > 0 {
			block += "\n\n"
		}
		block += strings.Join(others, "\n")
		from, to := fset.Position(d.Lparen).Offset+1, fset.Position(d.Rparen).Offset
		return text[:from] + "\n" + block + "\n" + text[to:], nil
	}
	return text, nil
}

// isStandard returns whether a package is of Go's standard library.
func isStandard(importPath string) bool {
	first, _, _ := strings.Cut(importPath, "/")
	return !strings.Contains(first, ".")
}

// mutexName matches the names of generated mutex types.
var mutexName = regexp.MustCompile(`^([a-z]\w*)Mutex$`)

// mutex is a mutex type that a package uses without declaring it.
type mutex struct {
	prefix string
	nested bool // Some goroutine holds two at a time.
}

// out is the file that declares it.
func (m mutex) out() string { return m.rule() + ".go" }

// rule is the name of the rule that generates it.
func (m mutex) rule() string {
	var b strings.Builder
	for _, r := range m.prefix {
		if r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String() + "_mutex"
}

// findMutexes returns the sorted mutexes of a package. It changes calls of NestedLock and
// NestedUnlock in files to pass the argument that gVisor's mutexes take.
func findMutexes(files map[string][]byte) ([]mutex, error) {
	fset := token.NewFileSet()
	var asts []*ast.File
	texts := make(map[*ast.File]string)
	for name, text := range files {
		f, err := parser.ParseFile(fset, name, text, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		asts = append(asts, f)
		texts[f] = name
	}
	found := make(map[string]*mutex)
	fields := make(map[string]*mutex)
	declared := make(map[string]bool)
	for _, f := range asts {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.TypeSpec:
				declared[n.Name.Name] = true
				st, ok := n.Type.(*ast.StructType)
				if !ok {
					break
				}
				for _, field := range st.Fields.List {
					t, ok := field.Type.(*ast.Ident)
					if !ok {
						continue
					}
					m := mutexName.FindStringSubmatch(t.Name)
					if m == nil {
						continue
					}
					if found[t.Name] == nil {
						found[t.Name] = &mutex{prefix: m[1]}
					}
					for _, name := range field.Names {
						fields[n.Name.Name+"."+name.Name] = found[t.Name]
					}
				}
			}
			return true
		})
	}
	if err := nameNested(fset, asts, texts, fields, files); err != nil {
		return nil, err
	}
	var mutexes []mutex
	for name, m := range found {
		// An earlier call may have changed the calls.
		m.nested = m.nested || anyContains(files, m.prefix+"LockNested")
		if !declared[name] {
			mutexes = append(mutexes, *m)
		}
	}
	slices.SortFunc(mutexes, func(a, b mutex) int { return strings.Compare(a.rule(), b.rule()) })
	return mutexes, nil
}

// nameNested adds the argument to calls of NestedLock and NestedUnlock. fields maps
// TYPE.FIELD to the mutex that the field is.
func nameNested(fset *token.FileSet, asts []*ast.File, names map[*ast.File]string, fields map[string]*mutex, files map[string][]byte) error {
	for _, f := range asts {
		var text []byte
		done := 0
		for _, d := range f.Decls {
			var err error
			ast.Inspect(d, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok || len(call.Args) > 0 {
					return true
				}
				sel, ok := call.Fun.(*ast.SelectorExpr)
				if !ok || sel.Sel.Name != "NestedLock" && sel.Sel.Name != "NestedUnlock" {
					return true
				}
				m := lockOf(d, sel.X, fields)
				if m == nil {
					err = fmt.Errorf("%s: whose lock is this?", fset.Position(call.Pos()))
					return false
				}
				m.nested = true
				at := fset.Position(call.Rparen).Offset
				text = slices.Concat(text, files[names[f]][done:at], []byte(m.prefix+"LockNested"))
				done = at
				return true
			})
			if err != nil {
				return err
			}
		}
		if done > 0 {
			files[names[f]] = append(text, files[names[f]][done:]...)
		}
	}
	return nil
}

// lockOf returns the mutex that x denotes in a function. x must be a field of a parameter
// or receiver, or of a variable assigned from a type assertion.
func lockOf(function ast.Decl, x ast.Expr, fields map[string]*mutex) *mutex {
	sel, ok := x.(*ast.SelectorExpr)
	if !ok {
		return nil
	}
	variable, ok := sel.X.(*ast.Ident)
	if !ok {
		return nil
	}
	var found *mutex
	try := func(name, t ast.Expr) {
		if p, ok := t.(*ast.StarExpr); ok {
			t = p.X
		}
		id, isIdent := name.(*ast.Ident)
		typ, isNamed := t.(*ast.Ident)
		if isIdent && isNamed && id.Name == variable.Name && fields[typ.Name+"."+sel.Sel.Name] != nil {
			found = fields[typ.Name+"."+sel.Sel.Name]
		}
	}
	ast.Inspect(function, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			for _, name := range n.Names {
				try(name, n.Type)
			}
		case *ast.AssignStmt:
			if a, ok := n.Rhs[0].(*ast.TypeAssertExpr); ok {
				try(n.Lhs[0], a.Type)
			}
		}
		return true
	})
	return found
}

// isMarked returns whether a file contains a type marked for a generator.
func isMarked(text []byte, mark string) bool {
	return bytes.HasPrefix(text, []byte(mark)) || bytes.Contains(text, []byte("\n"+mark))
}
