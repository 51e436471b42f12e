// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// tester runs a package's tests on its mutants.
type tester struct {
	p   *pkg
	tmp string

	// tests holds the names of all tests, fuzz targets and examples.
	tests []string

	// timeout is how long the tests may run before they count as failed.
	timeout time.Duration
}

// newTester returns a tester for p. It fails if p's tests fail without any mutation.
func newTester(p *pkg, tmp string) (*tester, error) {
	t := &tester{p: p, tmp: tmp, timeout: 10 * time.Minute}
	bin := filepath.Join(tmp, "original.test")
	if out, err := t.build(bin); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", p.name(), err, out)
	}
	start := time.Now()
	if out, err := t.run(bin); err != nil {
		return nil, fmt.Errorf("%s: the tests fail: %w\n%s", p.name(), err, out)
	}
	t.timeout = 10*time.Second + 10*time.Since(start)
	out, err := exec.Command(bin, "-test.list", ".*").Output()
	if err != nil {
		return nil, err
	}
	t.tests = slices.DeleteFunc(strings.Fields(string(out)), func(name string) bool {
		return strings.HasPrefix(name, "Benchmark")
	})
	return t, nil
}

// build builds the tests.
func (t *tester) build(bin string, flags ...string) ([]byte, error) {
	args := slices.Concat([]string{"test", "-c", "-vet=off", "-ldflags=-s -w", "-o", bin}, flags, []string{t.p.ImportPath})
	return exec.Command("go", args...).CombinedOutput()
}

// run runs the tests, or those that flags select. A mutant may allocate without bound; it
// gets 8 GiB of address space.
func (t *tester) run(bin string, flags ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), t.timeout)
	defer cancel()
	args := slices.Concat([]string{"-c", `ulimit -v 8388608; exec "$0" "$@"`, bin, "-test.short"}, flags)
	cmd := exec.CommandContext(ctx, "sh", args...)
	cmd.Dir = t.p.Dir
	return cmd.CombinedOutput()
}

var failed = regexp.MustCompile(`(?m)^--- FAIL: (\w+)`)

// catches returns whether a test that was never seen to fail fails when run alone on one
// of the mutants that were killed: when a test hangs or crashes, those after it don't
// run.
func (t *tester) catches(name string, all []*mutant) bool {
	killed := slices.DeleteFunc(slices.Clone(all), func(m *mutant) bool { return !m.killed })
	slices.SortStableFunc(killed, func(a, b *mutant) int { return len(a.by) - len(b.by) })
	dir := filepath.Join(t.tmp, "alone")
	return slices.ContainsFunc(killed, func(m *mutant) bool {
		bin, err := t.buildMutant(m, dir)
		if err != nil || bin == "" {
			return false
		}
		_, err = t.run(bin, "-test.run=^"+name+"$")
		return err != nil
	})
}

// test builds the mutant m in dir and runs the tests on it.
func (t *tester) test(m *mutant, dir string) {
	if err := t.tryTest(m, dir); err != nil {
		panic(err)
	}
}

func (t *tester) tryTest(m *mutant, dir string) error {
	bin, err := t.buildMutant(m, dir)
	if err != nil {
		return err
	}
	if bin == "" {
		m.invalid = true
		return nil
	}
	out, err := t.run(bin)
	m.killed = err != nil
	for _, match := range failed.FindAllSubmatch(out, -1) {
		m.by = append(m.by, string(match[1]))
	}
	return nil
}

// buildMutant builds the mutant m in dir and returns the path of the binary, or "" if it
// does not compile.
func (t *tester) buildMutant(m *mutant, dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", err
	}
	source := filepath.Join(dir, "source.go")
	if err := os.WriteFile(source, m.source, 0o666); err != nil {
		return "", err
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{m.file: source}})
	if err != nil {
		return "", err
	}
	overlayFile := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlayFile, overlay, 0o666); err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "mutant.test")
	if _, err := t.build(bin, "-overlay="+overlayFile); err != nil {
		return "", nil
	}
	return bin, nil
}
