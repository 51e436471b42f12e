// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// mutant is a package with one bug introduced.
type mutant struct {
	// id identifies the mutant: file, function, the code and its replacement. It stays
	// the same when other code changes.
	id string

	// file is replaced by source.
	file   string
	source []byte

	// invalid is set if it does not compile, killed if a test has failed, and by holds
	// the tests that have.
	invalid, killed bool
	by              []string
}

// replacements holds the replacements of operators.
var replacements = map[token.Token]token.Token{
	token.LSS: token.LEQ, token.LEQ: token.LSS,
	token.GTR: token.GEQ, token.GEQ: token.GTR,
	token.EQL: token.NEQ, token.NEQ: token.EQL,
	token.LAND: token.LOR, token.LOR: token.LAND,
	token.ADD: token.SUB, token.SUB: token.ADD,
	token.MUL: token.QUO, token.QUO: token.MUL, token.REM: token.MUL,
	token.AND: token.OR, token.OR: token.AND, token.AND_NOT: token.AND, token.XOR: token.OR,
	token.SHL: token.SHR, token.SHR: token.SHL,
	token.INC: token.DEC, token.DEC: token.INC,
	token.ADD_ASSIGN: token.SUB_ASSIGN, token.SUB_ASSIGN: token.ADD_ASSIGN,
	token.MUL_ASSIGN: token.QUO_ASSIGN, token.QUO_ASSIGN: token.MUL_ASSIGN,
	token.OR_ASSIGN: token.AND_ASSIGN, token.AND_ASSIGN: token.OR_ASSIGN, token.AND_NOT_ASSIGN: token.OR_ASSIGN,
	token.SHL_ASSIGN: token.SHR_ASSIGN, token.SHR_ASSIGN: token.SHL_ASSIGN,
}

// mutants returns all mutants of p in the order of the code, except those of generated
// files.
func mutants(p *pkg) ([]*mutant, error) {
	var all []*mutant
	for _, name := range p.GoFiles {
		path := filepath.Join(p.Dir, name)
		source, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if strings.Contains(name, "_autogen") {
			continue
		}
		ms, err := mutate(p.name()+"/"+name, source)
		if err != nil {
			return nil, err
		}
		for _, m := range ms {
			m.file = path
		}
		all = append(all, ms...)
	}
	return all, nil
}

// mutator makes the mutants of a file.
type mutator struct {
	name   string
	source []byte
	file   *token.File
	seen   map[string]int
	all    []*mutant
}

// mutate returns the mutants of a file.
func mutate(name string, source []byte) ([]*mutant, error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, name, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	x := &mutator{name: name, source: source, file: fset.File(f.Pos()), seen: make(map[string]int)}
	for _, decl := range f.Decls {
		where := "-"
		if fn, ok := decl.(*ast.FuncDecl); ok {
			where = fn.Name.Name
		}
		if gen, ok := decl.(*ast.GenDecl); ok && gen.Tok == token.TYPE {
			continue
		}
		ast.Inspect(decl, func(n ast.Node) bool { return x.visit(where, n) })
	}
	return x.all, nil
}

// visit makes the mutants of n, and returns whether to visit its children.
func (x *mutator) visit(where string, n ast.Node) bool {
	switch n := n.(type) {
	case *ast.ArrayType, *ast.FuncType, *ast.ImportSpec, *ast.StructType:
		return false
	case *ast.BinaryExpr:
		x.operator(where, n.OpPos, n.Op)
	case *ast.IncDecStmt:
		x.operator(where, n.TokPos, n.Tok)
		x.drop(where, n)
	case *ast.AssignStmt:
		x.operator(where, n.TokPos, n.Tok)
		if n.Tok != token.DEFINE {
			x.drop(where, n)
		}
	case *ast.BasicLit:
		if v, err := strconv.ParseInt(n.Value, 0, 64); n.Kind == token.INT && err == nil {
			x.replace(where, n.Pos(), n.End(), fmt.Sprint(v+1))
		}
		if n.Kind == token.STRING && len(n.Value) > 2 {
			x.replace(where, n.Pos(), n.End(), `""`)
		}
	case *ast.IndexExpr:
		if _, ok := n.Index.(*ast.Ident); ok {
			x.replace(where, n.Index.Pos(), n.Index.End(), "0")
		}
	case *ast.Ident:
		switch n.Name {
		case "true":
			x.replace(where, n.Pos(), n.End(), "false")
		case "false":
			x.replace(where, n.Pos(), n.End(), "true")
		}
	case *ast.IfStmt:
		x.negate(where, n.Cond)
	case *ast.ForStmt:
		if n.Cond != nil {
			x.negate(where, n.Cond)
		}
	case *ast.ExprStmt, *ast.BranchStmt, *ast.DeferStmt, *ast.GoStmt, *ast.SendStmt:
		x.drop(where, n)
	case *ast.ReturnStmt:
		if len(n.Results) == 0 {
			x.drop(where, n)
		}
	}
	return true
}

func (x *mutator) operator(where string, pos token.Pos, op token.Token) {
	if to, ok := replacements[op]; ok {
		x.replace(where, pos, pos+token.Pos(len(op.String())), to.String())
	}
}

func (x *mutator) negate(where string, cond ast.Expr) {
	x.replace(where, cond.Pos(), cond.End(), "!("+x.text(cond.Pos(), cond.End())+")")
}

func (x *mutator) drop(where string, n ast.Node) {
	x.replace(where, n.Pos(), n.End(), "")
}

func (x *mutator) text(from, to token.Pos) string {
	return string(x.source[x.file.Offset(from):x.file.Offset(to)])
}

// replace adds the mutant with text in place of the code between from and to.
func (x *mutator) replace(where string, from, to token.Pos, text string) {
	source := string(x.source)
	before, code, after := source[:x.file.Offset(from)], x.text(from, to), source[x.file.Offset(to):]

	// The name contains whole lines, which say more than an operator.
	head := before[strings.LastIndex(before, "\n")+1:]
	tail, _, _ := strings.Cut(after, "\n")
	line := func(code string) string {
		if s := strings.Join(strings.Fields(head+code+tail), " "); s != "" {
			return s
		}
		return "nothing"
	}
	id := fmt.Sprintf("%s %s: %s => %s", x.name, where, line(code), line(text))
	if x.seen[id]++; x.seen[id] > 1 {
		id += fmt.Sprintf(" (%d)", x.seen[id])
	}
	x.all = append(x.all, &mutant{id: id, source: []byte(before + text + after)})
}
