// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Binary generate runs gVisor's code generators over the packages of this module.
//
// As in gVisor, the methods that save and restore a package's types marked "+stateify
// savable" go to PACKAGE_state_autogen.go, and those that copy types marked "+marshal" from
// and to applications to PACKAGE_abi_autogen_unsafe.go. The mutex types that a package uses
// without declaring them, as in
//
//	mu processMutex
//
// go to PACKAGE_mutex_autogen.go, and to PACKAGE_lockdep_autogen.go for builds with the tag
// lockdep, which check the order of locks. With -check it writes nothing and fails if a file
// would change.
//
// A type with a StateSave method is left alone: its other methods are hand-written, too. A
// marked generic type must have one, since go_stateify doesn't support type parameters. All
// other code may use generics freely.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"go/format"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

var (
	tools = flag.String("tools", "build/tools", "directory with go_stateify and go_marshal")
	check = flag.Bool("check", false, "write nothing; fail if a generated file is out of date")
)

// pkg holds what this program needs of go list's description of a package.
type pkg struct {
	Dir            string
	ImportPath     string
	Name           string
	GoFiles        []string
	IgnoredGoFiles []string
	TestGoFiles    []string
}

func main() {
	flag.Parse()
	if err := run(flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(patterns []string) error {
	pkgs, err := list(patterns)
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "generate")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)

	var stale []string
	for _, p := range pkgs {
		for _, out := range outputs {
			code, err := out.generate(p, tmp)
			if err != nil {
				return err
			}
			path := filepath.Join(p.Dir, p.Name+out.suffix)
			changed, err := update(path, code)
			if err != nil {
				return err
			}
			if changed {
				stale = append(stale, path)
			}
		}
	}
	for _, path := range stale {
		if *check {
			fmt.Fprintln(os.Stderr, "out of date:", path)
		} else {
			fmt.Fprintln(os.Stderr, "generated:", path)
		}
	}
	if *check && len(stale) > 0 {
		return errors.New(`run "make generate" and commit the result`)
	}
	return nil
}

// list returns the packages that match patterns, whether or not they build: what is
// missing may be about to be generated.
func list(patterns []string) ([]pkg, error) {
	cmd := exec.Command("go", append([]string{"list", "-e", "-json=Dir,ImportPath,Name,GoFiles,IgnoredGoFiles,TestGoFiles", "--"}, patterns...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var pkgs []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); err == io.EOF {
			return pkgs, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		pkgs = append(pkgs, p)
	}
}

// update writes code to the file at path, or removes the file if code is empty, unless
// only checking. It returns whether that is a change.
func update(path string, code []byte) (bool, error) {
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	exists := err == nil
	switch {
	case len(code) == 0 && !exists, len(code) != 0 && exists && bytes.Equal(old, code):
		return false, nil
	case *check:
		return true, nil
	case len(code) == 0:
		return true, os.Remove(path)
	default:
		return true, os.WriteFile(path, code, 0o644)
	}
}

// runTool runs a tool and returns, formatted, what it wrote to the file out.
func runTool(out, tool string, args ...string) ([]byte, error) {
	cmd := exec.Command(filepath.Join(*tools, tool), args...)
	if msg, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", tool, err, msg)
	}
	code, err := os.ReadFile(out)
	if err != nil {
		return nil, err
	}
	return format.Source(code)
}
