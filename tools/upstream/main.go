// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Binary upstream turns this repository into a series of patches against gVisor, in
// the order in which one would send them, and checks the series.
//
// The series begins with those of runsc/patches that stand alone, in their order. The
// files in tools/upstream/series follow, by name. Each is a patch of its own:
//
//   - NAME.patch is a patch in git's format, for changes that only gVisor needs, such as
//     the flag that turns the driver on.
//   - NAME.txt is a message and, after a line "--", what the patch adds: lines of the
//     form "package DIR", "code DIR" (a package without its tests) or "tests DIR
//     [PATTERN...]". A following "as DIR" moves the package.
//
// tools/upstream/left-out.txt lists what is not sent, with reasons. A file that neither
// belongs to a patch nor is listed there is an error.
//
// Files get gVisor's header and import paths; mutexes, state and marshalling code come
// from gVisor's generators; BUILD files are written, or updated in gVisor's packages. The
// base is the module that go.mod pins, of gVisor's branch for Go's build system, together
// with what that branch lacks: the BUILD files and generators, from the commit of gVisor's
// main branch that tools/build/tools names.
//
// The result, in build/upstream, is
//
//	tree   a git repository with the base and the series
//	go     the series for that branch, with generated code
//	main   the series for gVisor's main branch, without
//
// gVisor's own build, by Bazel, is not checked: it downloads rules and toolchains.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	quick := flag.Bool("quick", false, "make the series, and check only what takes seconds")
	test := flag.Bool("test", false, "also run the tests of the packages that the series adds")
	flag.Parse()
	if err := run(*quick, *test); err != nil {
		fmt.Fprintln(os.Stderr, "upstream:", err)
		os.Exit(1)
	}
}

func run(quick, test bool) error {
	repo, err := filepath.Abs(".")
	if err != nil {
		return err
	}
	s, err := readSeries(repo)
	if err != nil {
		return err
	}
	t, err := newTree(filepath.Join(repo, "build/upstream"))
	if err != nil {
		return err
	}
	if err := t.apply(s); err != nil {
		return err
	}
	if err := t.write(); err != nil {
		return err
	}
	return t.check(quick, test)
}

// output runs a command in dir and returns its standard output. An error includes both
// of its outputs.
func output(dir, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, stderr.String(), out)
	}
	return string(out), nil
}
