// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Binary mutate tests the tests of packages. It introduces small bugs in their code, one
// at a time, and checks whether the tests notice.
//
// Mutants that survive must be listed with a reason in the file given by -explained, one
// per line:
//
//	MUTANT # why no test can notice
//
// The exit status is 0 if enough mutants are killed, and all others are explained.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

var (
	maxMutants = flag.Int("max", 0, "the maximum number of mutants of a package, spread evenly over its code; 0 for all")
	match      = flag.String("match", "", "test only the mutants whose names match this regular expression")
	parallel   = flag.Int("parallel", 2, "the number of mutants to test at once")
	minKilled  = flag.Float64("min", 95, "the minimum percentage of mutants that must be killed")
	explained  = flag.String("explained", "tools/mutate/explained.txt", "the file that lists the mutants that are known to survive")
	verbose    = flag.Bool("v", false, "print every mutant")
)

func main() {
	flag.Parse()
	if err := run(flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

// pkg holds what this program needs of go list's description of a package.
type pkg struct {
	Dir        string
	ImportPath string
	Module     struct{ Path string }
	GoFiles    []string
}

// name returns the package's path within the module.
func (p *pkg) name() string {
	return strings.TrimPrefix(p.ImportPath, p.Module.Path+"/")
}

func run(patterns []string) error {
	reasons, err := readExplained(*explained)
	if err != nil {
		return err
	}
	matched, err := regexp.Compile(*match)
	if err != nil {
		return err
	}
	pkgs, err := list(patterns)
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)

	// Only all mutants together show whether each test catches one.
	whole := *maxMutants == 0 && *match == ""
	var complaints []string
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "package\tmutants\tkilled\texplained\tunexplained\tkilled\ttime")
	for _, p := range pkgs {
		start := time.Now()
		t, err := newTester(p, tmp)
		if err != nil {
			return err
		}
		all, err := mutants(p)
		if err != nil {
			return err
		}
		valid := t.testAll(spread(slices.DeleteFunc(slices.Clone(all), func(m *mutant) bool {
			return !matched.MatchString(m.id)
		}), *maxMutants))

		killed, known, unknown := 0, 0, 0
		caught := make(map[string]bool)
		for _, m := range valid {
			reason := reasons[m.id]
			switch {
			case m.killed && reason != "":
				complaints = append(complaints, "explained, but killed: "+m.id)
				killed++
			case m.killed:
				killed++
			case reason != "":
				known++
			default:
				complaints = append(complaints, "survived: "+m.id)
				unknown++
			}
			for _, name := range m.by {
				caught[name] = true
			}
			if *verbose {
				fmt.Fprintf(os.Stderr, "%v %s %v\n", m.killed, m.id, m.by)
			}
		}
		for _, name := range t.tests {
			if whole && !caught[name] && !t.catches(name, valid) {
				complaints = append(complaints, "catches no mutant: "+p.name()+"."+name)
			}
		}
		for id := range reasons {
			if strings.HasPrefix(id, p.name()+"/") && !slices.ContainsFunc(all, func(m *mutant) bool { return m.id == id }) {
				complaints = append(complaints, "explained, but nonexistent: "+id)
			}
		}
		percent := 100 * float64(killed) / float64(max(1, len(valid)))
		if percent < *minKilled {
			complaints = append(complaints, fmt.Sprintf("%s: less than %v%% killed", p.name(), *minKilled))
		}
		fmt.Fprintf(out, "%s\t%d\t%d\t%d\t%d\t%.1f%%\t%v\n",
			p.name(), len(valid), killed, known, unknown, percent, time.Since(start).Round(time.Second))
	}
	out.Flush()
	slices.Sort(complaints)
	for _, c := range complaints {
		fmt.Println(c)
	}
	if len(complaints) > 0 {
		return fmt.Errorf("%d complaints", len(complaints))
	}
	return nil
}

// list returns the packages that match patterns.
func list(patterns []string) ([]*pkg, error) {
	cmd := exec.Command("go", append([]string{"list", "-json=Dir,ImportPath,Module,GoFiles", "--"}, patterns...)...)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var pkgs []*pkg
	for dec := json.NewDecoder(strings.NewReader(string(stdout))); dec.More(); {
		p := new(pkg)
		if err := dec.Decode(p); err != nil {
			return nil, err
		}
		pkgs = append(pkgs, p)
	}
	return pkgs, nil
}

// readExplained returns the reasons in a file, by mutant.
func readExplained(name string) (map[string]string, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	reasons := make(map[string]string)
	in := bufio.NewScanner(f)
	for in.Scan() {
		line := strings.TrimSpace(in.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		id, reason, _ := strings.Cut(line, " # ")
		if reason == "" {
			return nil, fmt.Errorf("%s: no reason: %s", name, line)
		}
		reasons[strings.TrimSpace(id)] = reason
	}
	return reasons, in.Err()
}

// spread returns n of the mutants, evenly spread, or all if n is 0.
func spread(all []*mutant, n int) []*mutant {
	if n <= 0 || n >= len(all) {
		return all
	}
	some := make([]*mutant, n)
	for i := range some {
		some[i] = all[i*len(all)/n]
	}
	return some
}

// testAll tests mutants in parallel and returns those that compile.
func (t *tester) testAll(all []*mutant) []*mutant {
	var wg sync.WaitGroup
	next := make(chan *mutant)
	for worker := range *parallel {
		wg.Go(func() {
			dir := filepath.Join(t.tmp, fmt.Sprint("worker", worker))
			for m := range next {
				t.test(m, dir)
			}
		})
	}
	for _, m := range all {
		next <- m
	}
	close(next)
	wg.Wait()
	return slices.DeleteFunc(slices.Clone(all), func(m *mutant) bool { return m.invalid })
}
