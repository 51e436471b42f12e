// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/build"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// source is a package's hand-written code that a generator reads.
type source struct {
	pkg   pkg
	fset  *token.FileSet
	files []sourceFile
	mark  string
}

type sourceFile struct {
	path string
	ast  *ast.File
}

// parse reads those of p's named files that are always built. Comments that mark a type
// for the generator begin with mark. A mark that the generator would overlook is an
// error.
func parse(p pkg, names []string, mark string) (*source, error) {
	src := &source{pkg: p, fset: token.NewFileSet(), mark: mark}
	for _, name := range slices.Concat(names, p.IgnoredGoFiles) {
		if strings.Contains(name, "_autogen") {
			continue
		}
		path := filepath.Join(p.Dir, name)
		f, err := parser.ParseFile(src.fset, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		always, err := alwaysBuilt(p.Dir, name, f)
		if err != nil {
			return nil, err
		}
		if err := src.checkMarks(f, always); err != nil {
			return nil, err
		}
		if always {
			src.files = append(src.files, sourceFile{path, f})
		}
	}
	return src, nil
}

// alwaysBuilt returns whether a file has no build constraints.
func alwaysBuilt(dir, name string, f *ast.File) (bool, error) {
	for _, group := range f.Comments {
		for _, c := range group.List {
			if c.Pos() < f.Package && strings.HasPrefix(c.Text, "//go:build ") {
				return false, nil
			}
		}
	}
	// A file for a certain system or architecture isn't built for a nonexistent one.
	nowhere := build.Context{GOOS: "nowhere", GOARCH: "nowhere", Compiler: "gc"}
	return nowhere.MatchFile(dir, name)
}

// checkMarks returns an error if f has a mark outside the comment of a type declaration,
// or has a mark and build constraints.
func (src *source) checkMarks(f *ast.File, always bool) error {
	attached := make(map[*ast.Comment]bool)
	for _, d := range f.Decls {
		if d, ok := d.(*ast.GenDecl); ok && d.Tok == token.TYPE && d.Doc != nil {
			for _, c := range d.Doc.List {
				attached[c] = true
			}
		}
	}
	for _, group := range f.Comments {
		for _, c := range group.List {
			if !strings.HasPrefix(c.Text, src.mark) {
				continue
			}
			switch pos := src.fset.Position(c.Pos()); {
			case !attached[c]:
				return fmt.Errorf("%s: %q is not in the comment of a type declaration", pos, c.Text)
			case !always:
				return fmt.Errorf("%s: %q in a file with build constraints", pos, c.Text)
			}
		}
	}
	return nil
}

// isMarked returns whether d declares marked types.
func (src *source) isMarked(d *ast.GenDecl) bool {
	return d.Tok == token.TYPE && d.Doc != nil && slices.ContainsFunc(d.Doc.List, func(c *ast.Comment) bool {
		return strings.HasPrefix(c.Text, src.mark)
	})
}

// marked returns whether any type in src is marked.
func (src *source) marked() bool {
	for _, f := range src.files {
		for _, d := range f.ast.Decls {
			if d, ok := d.(*ast.GenDecl); ok && src.isMarked(d) {
				return true
			}
		}
	}
	return false
}

// reduce writes a file in tmp that has only what go_stateify looks at, the marked types
// and the methods' signatures, without generics. It returns the file's path and,
// separated by commas, the packages that the generated code needs. The path is empty if
// all marked types have hand-written methods.
func (src *source) reduce(tmp string) (file, imports string, err error) {
	var types, methods []ast.Decl
	byHand := make(map[string]bool)
	for _, f := range src.files {
		for _, d := range f.ast.Decls {
			d, ok := d.(*ast.FuncDecl)
			if !ok || d.Recv == nil || len(d.Recv.List) != 1 {
				continue
			}
			name, isGeneric := typeName(d.Recv.List[0].Type)
			if d.Name.Name == "StateSave" {
				byHand[name] = true
			}
			if !isGeneric {
				methods = append(methods, &ast.FuncDecl{Recv: d.Recv, Name: d.Name, Type: &ast.FuncType{}, Body: &ast.BlockStmt{}})
			}
		}
	}
	needed := make(map[string]bool)
	for _, f := range src.files {
		for _, d := range f.ast.Decls {
			d, ok := d.(*ast.GenDecl)
			if !ok || !src.isMarked(d) {
				continue
			}
			d.Specs = slices.DeleteFunc(d.Specs, func(s ast.Spec) bool {
				return byHand[s.(*ast.TypeSpec).Name.Name]
			})
			if len(d.Specs) == 0 {
				continue
			}
			if err := src.prepare(f.ast, d, needed); err != nil {
				return "", "", err
			}
			types = append(types, d)
		}
	}
	if len(types) == 0 {
		return "", "", nil
	}

	var buf bytes.Buffer
	fmt.Fprintf(&buf, "package %s\n", src.pkg.Name)
	for _, d := range slices.Concat(types, methods) {
		buf.WriteString("\n")
		if err := format.Node(&buf, src.fset, d); err != nil {
			return "", "", err
		}
		buf.WriteString("\n")
	}
	file = filepath.Join(tmp, "in.go")
	if err := os.WriteFile(file, buf.Bytes(), 0o644); err != nil {
		return "", "", err
	}
	paths := make([]string, 0, len(needed))
	for path := range needed {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return file, strings.Join(paths, ","), nil
}

// savedAs matches the package qualifiers in a state tag's type.
var savedAs = regexp.MustCompile(`\b(\w+)\.`)

// prepare rewrites the types that d declares for go_stateify, and adds to needed the
// packages that their state tags refer to.
func (src *source) prepare(f *ast.File, d *ast.GenDecl, needed map[string]bool) error {
	for _, s := range d.Specs {
		if t := s.(*ast.TypeSpec); t.TypeParams != nil {
			return fmt.Errorf("%s: generic type %s is marked as savable but has no StateSave; write its methods by hand", src.fset.Position(t.Pos()), t.Name.Name)
		}
	}
	var err error
	ast.Inspect(d, func(n ast.Node) bool {
		field, ok := n.(*ast.Field)
		if !ok || err != nil {
			return err == nil
		}
		// An embedded field is named after its type. Name it explicitly if the type is
		// generic.
		if name, isGeneric := typeName(field.Type); isGeneric && field.Names == nil {
			field.Names = []*ast.Ident{ast.NewIdent(name)}
		}
		if field.Tag == nil {
			return true
		}
		tag, _ := strconv.Unquote(field.Tag.Value)
		_, tag, ok = strings.Cut(tag, `state:".(`)
		if !ok {
			return true
		}
		tag, _, _ = strings.Cut(tag, `"`)
		for _, m := range savedAs.FindAllStringSubmatch(tag, -1) {
			path := importPath(f, m[1])
			if path == "" {
				err = fmt.Errorf("%s: no import of %s under its own name", src.fset.Position(field.Tag.Pos()), m[1])
				return false
			}
			needed[path] = true
		}
		return true
	})
	return err
}

// importPath returns the path of the package that f imports as name, or "" if f imports
// no path that ends in that name.
func importPath(f *ast.File, name string) string {
	for _, i := range f.Imports {
		if p, _ := strconv.Unquote(i.Path.Value); path.Base(p) == name && (i.Name == nil || i.Name.Name == name) {
			return p
		}
	}
	return ""
}

// typeName returns the name of the type that expr names, directly or through a pointer,
// and whether it has type arguments.
func typeName(expr ast.Expr) (name string, generic bool) {
	switch x := expr.(type) {
	case *ast.StarExpr:
		return typeName(x.X)
	case *ast.ParenExpr:
		return typeName(x.X)
	case *ast.IndexExpr:
		name, _ = typeName(x.X)
		return name, true
	case *ast.IndexListExpr:
		name, _ = typeName(x.X)
		return name, true
	case *ast.SelectorExpr:
		return x.Sel.Name, false
	case *ast.Ident:
		return x.Name, false
	default:
		return "", false
	}
}
