// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// label returns the label of the rule that builds a Go package, or "" for packages of
// the standard library.
func (t *tree) label(importPath string) (string, error) {
	switch {
	case importPath == "C" || isStandard(importPath):
		return "", nil
	case strings.HasPrefix(importPath, gvisor+"/"):
		dir := strings.TrimPrefix(importPath, gvisor+"/")
		name := path.Base(dir)
		if strings.HasSuffix(name, "_go_proto") {
			return "//" + path.Dir(dir) + ":" + name, nil
		}
		if files, _ := filepath.Glob(filepath.Join(t.dir, dir, "*.go")); len(files) > 0 && t.isNew(dir) {
			return "//" + dir, nil // Its rule may be about to be written.
		}
		build, err := os.ReadFile(filepath.Join(t.dir, dir, "BUILD"))
		if err != nil || !strings.Contains(string(build), "\n    name = \""+name+"\",") {
			return "", fmt.Errorf("no rule makes %s", importPath)
		}
		return "//" + dir, nil
	}
	// Gazelle names the repository of a module with its host name reversed.
	mod, err := moduleOf(t.dir, importPath)
	if err != nil {
		return "", err
	}
	host, rest, _ := strings.Cut(mod, "/")
	parts := strings.Split(host, ".")
	slices.Reverse(parts)
	repo := strings.NewReplacer("/", "_", "-", "_", ".", "_").Replace(strings.Join(parts, "_") + "_" + rest)
	return "@" + repo + "//" + strings.TrimPrefix(strings.TrimPrefix(importPath, mod), "/") + ":go_default_library", nil
}

// moduleOf returns which module required by go.mod provides a package.
func moduleOf(dir, importPath string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return "", err
	}
	best := ""
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(strings.TrimPrefix(line, "require "))
		if len(fields) < 2 {
			continue
		}
		if mod := fields[0]; len(mod) > len(best) && (importPath == mod || strings.HasPrefix(importPath, mod+"/")) {
			best = mod
		}
	}
	if best == "" {
		return "", fmt.Errorf("gVisor's go.mod has no module for %s", importPath)
	}
	return best, nil
}

// labels returns the sorted labels of packages that the package in dir imports.
func (t *tree) labels(dir string, imports []string) ([]string, error) {
	var labels []string
	for _, i := range imports {
		if i == gvisor+"/"+dir {
			continue
		}
		l, err := t.label(i)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", dir, err)
		}
		if l != "" {
			labels = append(labels, l)
		}
	}
	return sortLabels(labels), nil
}

// importsOfAll returns the sorted packages that files import.
func importsOfAll(files map[string][]byte) []string {
	var all []string
	for _, text := range files {
		all = append(all, importsOf(text)...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// sortLabels sorts labels like buildifier: same package, same repository, others.
func sortLabels(labels []string) []string {
	key := func(l string) string {
		order := "0"
		if strings.HasPrefix(l, "//") {
			order = "1"
		} else if strings.HasPrefix(l, "@") {
			order = "2"
		}
		return order + strings.ReplaceAll(l, ":", "\x00")
	}
	slices.SortFunc(labels, func(a, b string) int { return strings.Compare(key(a), key(b)) })
	return slices.Compact(labels)
}

// sources splits a package's files into those of the library, without generated ones,
// and those of tests.
func sources(files map[string][]byte) (library, tests map[string][]byte) {
	library, tests = make(map[string][]byte), make(map[string][]byte)
	for name, text := range files {
		switch {
		case strings.HasSuffix(name, "_test.go"):
			tests[name] = text
		case !isGenerated(name):
			library[name] = text
		}
	}
	return library, tests
}

// newBuild writes the BUILD file of a package that is new to gVisor.
func (t *tree) newBuild(dir string) error {
	files, err := goFiles(filepath.Join(t.dir, dir))
	if err != nil {
		return err
	}
	library, tests := sources(files)
	name := path.Base(dir)

	byHand := maps.Clone(library)
	for n := range byHand {
		if strings.HasSuffix(n, "_mutex.go") {
			delete(byHand, n)
		}
	}
	mutexes, err := findMutexes(byHand)
	if err != nil {
		return err
	}
	var loads, rules []string
	var b strings.Builder
	if len(mutexes) > 0 {
		loads = append(loads, `load("//pkg/sync/locking:locking.bzl", "declare_mutex")`)
	}
	for _, m := range mutexes {
		var r strings.Builder
		fmt.Fprintf(&r, "declare_mutex(\n    name = %q,\n    out = %q,\n", m.rule(), m.out())
		if m.nested {
			r.WriteString("    nested_lock_names = [\"nested\"],\n")
		}
		fmt.Fprintf(&r, "    package = %q,\n    prefix = %q,\n)\n", name, m.prefix)
		rules = append(rules, r.String())
	}
	var kinds []string
	if len(library) > 0 {
		kinds = append(kinds, `"go_library"`)
		r, err := t.libraryRule(dir, library)
		if err != nil {
			return err
		}
		rules = append(rules, r)
	}
	if len(tests) > 0 {
		kinds = append(kinds, `"go_test"`)
		r, err := t.testRule(dir, name+"_test", len(library) > 0, tests)
		if err != nil {
			return err
		}
		rules = append(rules, r)
	}
	loads = append(loads, `load("//tools:defs.bzl", `+strings.Join(kinds, ", ")+`)`)
	b.WriteString(strings.Join(loads, "\n"))
	b.WriteString("\n\npackage(\n    default_applicable_licenses = [\"//:license\"],\n    licenses = [\"notice\"],\n)\n\n")
	b.WriteString(strings.Join(rules, "\n"))
	return os.WriteFile(filepath.Join(t.dir, dir, "BUILD"), []byte(b.String()), 0o644)
}

func anyContains(files map[string][]byte, s string) bool {
	for _, text := range files {
		if strings.Contains(string(text), s) {
			return true
		}
	}
	return false
}

func (t *tree) libraryRule(dir string, library map[string][]byte) (string, error) {
	deps, err := t.labels(dir, importsOfAll(library))
	if err != nil {
		return "", err
	}
	name := path.Base(dir)
	var r strings.Builder
	fmt.Fprintf(&r, "go_library(\n    name = %q,\n", name)
	if strings.HasSuffix(name, "test") {
		r.WriteString("    testonly = True,\n")
	}
	assembly, err := filepath.Glob(filepath.Join(t.dir, dir, "*.s"))
	if err != nil {
		return "", err
	}
	srcs := slices.Collect(maps.Keys(library))
	for _, file := range assembly {
		srcs = append(srcs, filepath.Base(file))
	}
	slices.Sort(srcs)
	writeList(&r, "srcs", srcs)
	writeList(&r, "imports", stateImports(slices.Sorted(maps.Keys(library)), library))
	if anyMarked(library, "// +marshal") {
		r.WriteString("    marshal = True,\n")
	}
	visibility := "//:sandbox"
	if strings.HasPrefix(dir, "pkg/sentry/") {
		visibility = "//pkg/sentry:internal"
	}
	writeList(&r, "visibility", []string{visibility})
	writeList(&r, "deps", deps)
	r.WriteString(")\n")
	return r.String(), nil
}

// testRule returns a rule for tests of the package in dir.
func (t *tree) testRule(dir, name string, hasLibrary bool, tests map[string][]byte) (string, error) {
	deps, err := t.labels(dir, importsOfAll(tests))
	if err != nil {
		return "", err
	}
	library := ""
	if hasLibrary {
		library = ":" + path.Base(dir)
		for _, text := range tests {
			if packageOf(text) == path.Base(dir) {
				library = "" // It is embedded.
			}
		}
		if library != "" {
			deps = append([]string{library}, deps...)
		}
	}
	var r strings.Builder
	fmt.Fprintf(&r, "go_test(\n    name = %q,\n    size = %q,\n", name, t.testSize(dir))
	writeList(&r, "srcs", slices.Sorted(maps.Keys(tests)))
	if _, err := os.Stat(filepath.Join(t.dir, dir, "testdata")); err == nil {
		r.WriteString("    data = glob([\"testdata/**\"]),\n")
	}
	if hasLibrary && library == "" {
		fmt.Fprintf(&r, "    library = \":%s\",\n", path.Base(dir))
	}
	writeList(&r, "deps", deps)
	r.WriteString(")\n")
	return r.String(), nil
}

// testSize returns the size of a package's tests, as this repository declares it.
func (t *tree) testSize(dir string) string {
	for _, p := range t.series.patches {
		for _, part := range p.parts {
			if part.as != dir {
				continue
			}
			build, _ := os.ReadFile(filepath.Join(t.series.repo, part.dir, "BUILD.bazel"))
			if m := regexp.MustCompile(`(?s)\bgo_test\(.*?size = "(\w+)"`).FindSubmatch(build); m != nil {
				return string(m[1])
			}
		}
	}
	return "small"
}

// writeList writes an attribute in buildifier's format.
func writeList(r *strings.Builder, name string, items []string) {
	switch len(items) {
	case 0:
	case 1:
		fmt.Fprintf(r, "    %s = [%q],\n", name, items[0])
	default:
		fmt.Fprintf(r, "    %s = [\n", name)
		for _, i := range items {
			fmt.Fprintf(r, "        %q,\n", i)
		}
		r.WriteString("    ],\n")
	}
}

// editBuild updates the BUILD file of one of gVisor's packages with the sources and
// dependencies that the series has added or removed.
func (t *tree) editBuild(dir string) error {
	file := filepath.Join(t.dir, dir, "BUILD")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	build := string(text)
	now, err := goFiles(filepath.Join(t.dir, dir))
	if err != nil {
		return err
	}
	before, err := t.filesBefore(dir)
	if err != nil {
		return err
	}
	library, tests := sources(now)
	libraryBefore, _ := sources(before)
	name := path.Base(dir)

	added := make([]string, 0)
	for n := range library {
		if _, ok := libraryBefore[n]; !ok {
			added = append(added, n)
		}
	}
	// Leave earlier imports alone, since the BUILD file comes from another commit.
	imports, importsBefore := importsOfAll(library), importsOfAll(libraryBefore)
	add, err := t.labels(dir, without(imports, importsBefore))
	if err != nil {
		return err
	}
	remove, err := t.labels(dir, without(importsBefore, imports))
	if err != nil {
		return err
	}
	if len(added)+len(add)+len(remove) > 0 {
		if build, err = editRule(build, "go_library", name, added, add, remove); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	if len(tests) > 0 {
		if build, err = t.editTests(build, dir, tests); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return os.WriteFile(file, []byte(build), 0o644)
}

// filesBefore returns the Go files of one of gVisor's packages in the base.
func (t *tree) filesBefore(dir string) (map[string][]byte, error) {
	files, err := goFiles(filepath.Join(t.pinned, dir))
	if err == nil && len(files) == 0 {
		return goFiles(filepath.Join(t.main, dir)) // One of fromMain.
	}
	return files, err
}

// editTests adds tests to a BUILD file, to the rule for in-package tests if it has one.
func (t *tree) editTests(build, dir string, tests map[string][]byte) (string, error) {
	name := path.Base(dir)
	deps, err := t.labels(dir, importsOfAll(tests))
	if err != nil {
		return "", err
	}
	taken := false
	for _, r := range rulesOf(build, "go_test") {
		if strings.Contains(r.text, `library = ":`+name+`"`) {
			return editRule(build, "go_test", r.name, slices.Collect(maps.Keys(tests)), deps, nil)
		}
		taken = taken || r.name == name+"_test"
	}
	ruleName := name + "_test"
	if taken {
		ruleName = name + "_internal_test"
	}
	rule, err := t.testRule(dir, ruleName, true, tests)
	if err != nil {
		return "", err
	}
	if !regexp.MustCompile(`(?m)^load\("//tools:defs.bzl",.*"go_test"`).MatchString(build) {
		load := regexp.MustCompile(`(?m)^load\("//tools:defs.bzl", (.*)\)$`)
		m := load.FindStringSubmatch(build)
		if m == nil {
			return "", fmt.Errorf("no load of //tools:defs.bzl")
		}
		names := append(strings.Split(m[1], ", "), `"go_test"`)
		slices.Sort(names)
		build = strings.Replace(build, m[0], `load("//tools:defs.bzl", `+strings.Join(names, ", ")+`)`, 1)
	}
	return build + "\n" + rule, nil
}

func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}

// rule is a rule of a BUILD file.
type rule struct {
	kind, name, text string
}

var ruleText = regexp.MustCompile(`(?ms)^(\w+)\(\n(    name = "([^"]*)",\n.*?)^\)\n`)

// rulesOf returns the rules of a kind in a BUILD file, or all if kind is empty.
func rulesOf(build, kind string) []rule {
	var rules []rule
	for _, m := range ruleText.FindAllStringSubmatch(build, -1) {
		if kind == "" || m[1] == kind {
			rules = append(rules, rule{kind: m[1], name: m[3], text: m[0]})
		}
	}
	return rules
}

var quoted = regexp.MustCompile(`"([^"]*)"`)

// list returns an attribute that is a list of strings, and its text.
func (r rule) list(name string) (items []string, text string) {
	m := regexp.MustCompile(`(?s)    ` + name + ` = \[(.*?)\](,\n| \+ )`).FindStringSubmatch(r.text)
	if m == nil {
		return nil, ""
	}
	for _, q := range quoted.FindAllStringSubmatch(m[1], -1) {
		items = append(items, q[1])
	}
	return items, m[0]
}

// editRule adds sources and dependencies to a rule, and removes dependencies.
func editRule(build, kind, name string, srcs, add, remove []string) (string, error) {
	for _, r := range rulesOf(build, kind) {
		if r.name != name {
			continue
		}
		text := r.text
		if len(srcs) > 0 {
			items, old := r.list("srcs")
			if old == "" {
				return "", fmt.Errorf("%s %s has no list of sources", kind, name)
			}
			text = strings.Replace(text, old, renderList("srcs", sortLabels(append(items, srcs...)), old), 1)
		}
		if len(add)+len(remove) > 0 {
			items, old := r.list("deps")
			items = without(sortLabels(append(items, add...)), remove)
			if old != "" {
				text = strings.Replace(text, old, renderList("deps", items, old), 1)
			} else if len(items) > 0 {
				text = strings.TrimSuffix(text, ")\n") + renderList("deps", items, "],\n") + ")\n"
			}
		}
		return strings.Replace(build, r.text, text, 1), nil
	}
	return "", fmt.Errorf("no rule %s %s", kind, name)
}

// renderList formats a list that replaces old, and keeps a trailing " + ".
func renderList(name string, items []string, old string) string {
	var b strings.Builder
	writeList(&b, name, items)
	if strings.HasSuffix(old, " + ") {
		return strings.TrimSuffix(b.String(), ",\n") + " + "
	}
	return b.String()
}
