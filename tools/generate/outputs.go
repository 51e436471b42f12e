// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"path/filepath"
)

// output is a kind of generated file.
type output struct {
	// suffix follows the package's name in the file's name.
	suffix string

	// generate returns the contents of the file for p, empty if it should not exist. It
	// may leave files in tmp.
	generate func(p pkg, tmp string) ([]byte, error)
}

var outputs = []output{
	{"_state_autogen.go", func(p pkg, tmp string) ([]byte, error) {
		return stateify(p, p.GoFiles, tmp)
	}},
	{"_state_autogen_test.go", func(p pkg, tmp string) ([]byte, error) {
		return stateify(p, p.TestGoFiles, tmp)
	}},
	{"_abi_autogen_unsafe.go", marshal},
	{"_mutex_autogen.go", func(p pkg, _ string) ([]byte, error) { return mutexes(p, false) }},
	{"_lockdep_autogen.go", func(p pkg, _ string) ([]byte, error) { return mutexes(p, true) }},
}

// stateify generates the methods that save and restore the marked types in the files
// names of package p.
func stateify(p pkg, names []string, tmp string) ([]byte, error) {
	src, err := parse(p, names, "// +stateify ")
	if err != nil || !src.marked() {
		return nil, err
	}
	in, imports, err := src.reduce(tmp)
	if err != nil || in == "" {
		return nil, err
	}
	out := filepath.Join(tmp, "out.go")
	return runTool(out, "go_stateify", "-output="+out, "-fullpkg="+p.ImportPath,
		"-statepkg=gvisor.dev/gvisor/pkg/state", "-imports="+imports, "--", in)
}

// marshal generates the methods that marshal the marked types of package p. The tests
// that go_marshal also generates are discarded: they call code that is not in the gVisor
// module.
func marshal(p pkg, tmp string) ([]byte, error) {
	src, err := parse(p, p.GoFiles, "// +marshal")
	if err != nil || !src.marked() {
		return nil, err
	}
	args := []string{
		"-pkg=" + p.Name,
		"-output=" + filepath.Join(tmp, "out.go"),
		"-output_test=" + filepath.Join(tmp, "out_test.go"),
		"-output_test_unconditional=" + filepath.Join(tmp, "out_unconditional_test.go"),
		"--",
	}
	for _, f := range src.files {
		args = append(args, f.path)
	}
	code, err := runTool(filepath.Join(tmp, "out.go"), "go_marshal", args...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.ImportPath, err)
	}
	return code, nil
}
