// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"go/format"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// buildTools builds gVisor's generators from the tree.
func (t *tree) buildTools() error {
	if t.tools != "" {
		return nil
	}
	tools := filepath.Join(t.out, "bin")
	if err := os.MkdirAll(tools, 0o755); err != nil {
		return err
	}
	for _, name := range []string{"go_stateify", "go_marshal", "go_generics"} {
		if _, err := output(t.dir, "go", "build", "-trimpath", "-buildvcs=false", "-o", tools, "./tools/"+name); err != nil {
			return err
		}
	}
	t.tools = tools
	return nil
}

// generate writes the generated code of a new package.
func (t *tree) generate(dir string) error {
	if err := t.buildTools(); err != nil {
		return err
	}
	full := filepath.Join(t.dir, dir)
	files, err := goFiles(full)
	if err != nil {
		return err
	}
	tests := make(map[string][]byte)
	for name, text := range files {
		if strings.HasSuffix(name, "_test.go") && !isGenerated(name) {
			tests[name] = text
		}
		if strings.HasSuffix(name, "_test.go") || isGenerated(name) || strings.HasSuffix(name, "_mutex.go") {
			delete(files, name)
		}
	}
	if len(files) == 0 {
		return t.generateTests(dir, tests)
	}
	before := maps.Clone(files)
	mutexes, err := findMutexes(files)
	if err != nil {
		return err
	}
	for name, text := range files {
		if string(before[name]) == string(text) {
			continue
		}
		if err := os.WriteFile(filepath.Join(full, name), text, 0o644); err != nil {
			return err
		}
	}
	for _, m := range mutexes {
		if err := t.generateMutex(dir, m); err != nil {
			return err
		}
	}
	if err := t.stateify(dir, files); err != nil {
		return err
	}
	if err := t.marshal(dir, files); err != nil {
		return err
	}
	return t.generateTests(dir, tests)
}

// generateMutex writes the output of the rule declare_mutex.
func (t *tree) generateMutex(dir string, m mutex) error {
	template, err := os.ReadFile(filepath.Join(t.main, "pkg/sync/locking/generic_mutex.go"))
	if err != nil {
		return err
	}
	in := filepath.Join(t.out, "mutex.go")
	// go_merge, which builds templates, drops the header.
	_, body, _ := strings.Cut(string(template), "\npackage ")
	if err := os.WriteFile(in, []byte("package "+body), 0o644); err != nil {
		return err
	}
	out := filepath.Join(t.dir, dir, m.out())
	args := []string{"-i=" + in, "-o=" + out, "-p=" + path.Base(dir), "-prefix=" + m.prefix, "-in-substr=genericMark=prefix"}
	if m.nested {
		args = append(args,
			`-in-substr=func initLockNames() {}=func initLockNames() { lockNames = []string{"nested"} }`,
			"-in-substr=// LOCK_NAME_INDEX_CONSTANTS=const (\n\tLockNested = lockNameIndex(0)\n)")
	}
	if _, err := output(t.dir, filepath.Join(t.tools, "go_generics"), args...); err != nil {
		return err
	}
	return formatFile(out)
}

// suffixes are the suffixes by which gVisor's rules split a package's files, as far as
// they are in use. The longest match counts.
var suffixes = []string{"_arm64", "_amd64", "_linux", "_unsafe", "_arm64_unsafe", "_amd64_unsafe", "_linux_unsafe", "_race", "_norace", "_impl", "_opts"}

// sets splits files by suffix, like gVisor's rules.
func sets(files map[string][]byte) map[string][]string {
	sets := make(map[string][]string)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		set := ""
		for _, suffix := range suffixes {
			if strings.HasSuffix(name, suffix+".go") && len(suffix) > len(set) {
				set = suffix
			}
		}
		sets[set] = append(sets[set], name)
	}
	return sets
}

// stateify writes the methods that save and restore types.
func (t *tree) stateify(dir string, files map[string][]byte) error {
	for suffix, names := range sets(files) {
		out := filepath.Join(t.dir, dir, stateFile(dir, suffix))
		if err := t.runStateify(t.dir, dir, out, names, files); err != nil {
			return err
		}
	}
	return nil
}

// stateFile returns the name of go_stateify's output for a set of a package's files.
func stateFile(dir, suffix string) string { return path.Base(dir) + suffix + "_state_autogen.go" }

// runStateify runs go_stateify for files of the package dir below root.
func (t *tree) runStateify(root, dir, out string, names []string, files map[string][]byte) error {
	args := []string{"-output=" + out, "-fullpkg=" + dir, "-statepkg=" + gvisor + "/pkg/state"}
	if imports := stateImports(names, files); len(imports) > 0 {
		args = append(args, "-imports="+strings.Join(imports, ","))
	}
	args = append(args, "--")
	for _, name := range names {
		args = append(args, filepath.Join(root, dir, name))
	}
	if _, err := output(t.dir, filepath.Join(t.tools, "go_stateify"), args...); err != nil {
		return err
	}
	return formatFile(out)
}

// savedAs matches state tags that name a type.
var savedAs = regexp.MustCompile(`state:"\.\(([^"]*)\)"`)

var qualifier = regexp.MustCompile(`\b(\w+)\.`)

// stateImports returns the packages that state tags refer to, which are the attribute
// imports of go_library.
func stateImports(names []string, files map[string][]byte) []string {
	var needed []string
	for _, name := range names {
		for _, m := range savedAs.FindAllSubmatch(files[name], -1) {
			for _, q := range qualifier.FindAllSubmatch(m[1], -1) {
				for _, i := range importsOf(files[name]) {
					if path.Base(i) == string(q[1]) {
						needed = append(needed, i)
					}
				}
			}
		}
	}
	slices.Sort(needed)
	return slices.Compact(needed)
}

// marshal writes the methods that copy types from and to applications.
func (t *tree) marshal(dir string, files map[string][]byte) error {
	if !anyMarked(files, "// +marshal") {
		return nil
	}
	name := path.Base(dir)
	for suffix, names := range sets(files) {
		out := filepath.Join(t.dir, dir, name+suffix+"_abi_autogen_unsafe.go")
		args := []string{
			"-pkg=" + name, "-output=" + out,
			"-output_test=" + filepath.Join(t.out, "marshal_test.go"),
			"-output_test_unconditional=" + filepath.Join(t.out, "marshal_unconditional_test.go"),
			"--",
		}
		for _, n := range names {
			args = append(args, filepath.Join(t.dir, dir, n))
		}
		if _, err := output(t.dir, filepath.Join(t.tools, "go_marshal"), args...); err != nil {
			return err
		}
		if err := formatFile(out); err != nil {
			return err
		}
	}
	return nil
}

// generateTests writes the state methods of types in tests. gVisor's rules don't
// generate them, so they are checked in.
func (t *tree) generateTests(dir string, tests map[string][]byte) error {
	if !anyMarked(tests, "// +stateify ") {
		return nil
	}
	marked := make(map[string][]byte)
	pkg := ""
	for _, text := range tests {
		p := packageOf(text)
		if !isMarked(text, "// +stateify ") {
			continue
		}
		if pkg != "" && p != pkg {
			return fmt.Errorf("%s: savable types in two packages of tests", dir)
		}
		pkg = p
	}
	for name, text := range tests {
		// What go_stateify writes has the constraints of all its inputs.
		if packageOf(text) == pkg && !strings.Contains(string(text), "\n//go:build ") {
			marked[name] = text
		}
	}
	out := filepath.Join(t.dir, dir, path.Base(dir)+"_state_autogen_test.go")
	return t.runStateify(t.dir, dir, out, slices.Sorted(maps.Keys(marked)), marked)
}

func anyMarked(files map[string][]byte, mark string) bool {
	for _, text := range files {
		if isMarked(text, mark) {
			return true
		}
	}
	return false
}

// packageOf returns the name of a file's package.
func packageOf(text []byte) string {
	f, err := parser.ParseFile(token.NewFileSet(), "", text, parser.PackageClauseOnly)
	if err != nil {
		return ""
	}
	return f.Name.Name
}

// importsOf returns the packages that a file imports.
func importsOf(text []byte) []string {
	f, err := parser.ParseFile(token.NewFileSet(), "", text, parser.ImportsOnly)
	if err != nil {
		return nil
	}
	var imports []string
	for _, i := range f.Imports {
		p, _ := strconv.Unquote(i.Path.Value)
		imports = append(imports, p)
	}
	return imports
}

// formatFile formats a file as gofmt does.
func formatFile(name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	formatted, err := format.Source(text)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return os.WriteFile(name, formatted, 0o644)
}
