// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	pkgprogram "sentrybinder/test/differential/program"
)

// place is a place where programs are played.
type place struct {
	name string

	// command is the beginning of a command that runs another one there.
	command []string

	// coverage is the directory to save the driver's coverage in, or "".
	coverage string
}

// inSandbox returns the beginning of a command that runs another one in a sandbox.
func inSandbox(runsc string, options ...string) []string {
	return append([]string{runsc, "--platform=systrap", "--network=none", "--ignore-cgroups", "do"}, options...)
}

// places returns the places whose drivers are compared. If there is an error, here is valid
// even so.
func places() (linux, here place, err error) {
	// The security context is that of senders on Linux.
	here = place{name: "sandbox", command: inSandbox(*runsc, "--annotation", "dev.sentrybinder.security-context=kernel")}
	if *oracle == "" {
		return linux, here, errors.New("no Linux to compare with: set BINDER_ORACLE")
	}
	linux = place{name: "linux", command: []string{*oracle, "-k", *peer, "-s", "-t", "3600", "--"}}
	return linux, here, nil
}

// play runs playMain with args in p and returns the traces.
func (p place) play(args ...string) ([]trace, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if p.coverage != "" {
		args = append([]string{"-coverage=end"}, args...)
	}
	if *peer == "rust" {
		args = append([]string{"-no-state"}, args...)
	}
	if *common || *peer == "c" {
		args = append([]string{"-like-c"}, args...)
	}
	if *common || *peer == "rust" {
		args = append([]string{"-like-rust"}, args...)
	}
	args = append(append(slices.Clone(p.command[1:]), exe, "play"), args...)
	cmd := exec.Command(p.command[0], args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	text, coverageErr := saveCoverage(p.coverage, stdout.String())
	if coverageErr != nil {
		return nil, coverageErr
	}
	traces := parseTraces(text)
	if *saved != "" {
		name := strings.ReplaceAll(strings.Trim(fmt.Sprint(args[len(args)-1:]), "[]"), "/", "_")
		os.WriteFile(filepath.Join(*saved, p.name+"-"+name), stdout.Bytes(), 0o644)
	}
	if err != nil {
		if len(traces) == 0 {
			return nil, fmt.Errorf("%s: %w: %s", p.name, err, stderr.String())
		}
		// The error belongs to the last program, whose trace is incomplete.
		last := &traces[len(traces)-1]
		last.lines = append(last.lines, fmt.Sprintf("%s: %v: %s", p.name, err, stderr.String()))
	}
	return traces, nil
}

// playBoth plays the same programs in both places. It returns the traces of those that
// were played in both, in order.
func playBoth(linux, here place, args ...string) (l, h []trace, err error) {
	var wg sync.WaitGroup
	var errL, errH error
	wg.Go(func() { l, errL = linux.play(args...) })
	wg.Go(func() { h, errH = here.play(args...) })
	wg.Wait()
	if err := errors.Join(errL, errH); err != nil {
		return nil, nil, err
	}
	n := min(len(l), len(h))
	return l[:n], h[:n], nil
}

// tally accumulates the results of a run.
type tally struct {
	// steps is the number of steps that were compared, and unseen that of the steps
	// that were not since they followed an explained divergence.
	programs, steps, unseen int

	// explained has the explained divergences by rule, and hidden the numbers of lines
	// in which a rule has hidden a difference.
	explained map[string][]*divergence
	hidden    map[string]int

	// kinds has the unexplained divergences by kind.
	kinds map[string][]*divergence
	// fleeting is the number of divergences that were not found again.
	fleeting int
	playing  time.Duration
}

// rate returns the number of steps per second, including the time that it takes to start
// the sandbox and the kernel.
func (t *tally) rate() int {
	return int(float64(t.steps) / max(t.playing, time.Millisecond).Seconds())
}

func toolMain() error {
	flag.Parse()
	linux, here, err := places()
	first, last, seedsErr := parseSeeds(*seeds)
	switch {
	case seedsErr != nil:
		return seedsErr
	case *rebuild:
		return corpusMain(here, first, last)
	case *allTests:
		return coverageMain(here, first, last)
	case *plant && *named:
		return plantNamed()
	case err != nil:
		return err
	case *plant:
		return errors.Join(plantNamed(), plantFaults(first, last, linux, here))
	}
	dir, err := os.MkdirTemp("build", "coverage")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if *cover {
		here.coverage = dir
	}
	t := &tally{explained: make(map[string][]*divergence), hidden: make(map[string]int), kinds: make(map[string][]*divergence)}
	start := time.Now()
	if *program != "" {
		if _, err := t.play(linux, here, "-file", *program); err != nil {
			return err
		}
	} else {
		if *fresh {
			first = uint64(time.Now().UnixNano())
			last = first
		}
		fmt.Printf("the corpus, then programs from seed %d\n", first)
		if _, err := t.play(linux, here, corpusArgs()...); err != nil {
			return err
		}
		for (first <= last || time.Since(start) < *budget) && (*limit == 0 || time.Since(start) < *limit) {
			end := first + uint64(*batch) - 1
			if *budget == 0 {
				end = min(end, last)
			}
			n, err := t.play(linux, here, seedArgs(first, end)...)
			if err != nil {
				return err
			}
			fmt.Fprintf(os.Stderr, "%d programs, %d steps, %d kinds of divergences, %d steps/s\n",
				t.programs, t.steps, len(t.kinds), t.rate())
			// If a program broke its world, those after it have yet to be
			// played.
			first += uint64(n)
		}
	}
	here.coverage = ""
	t.report(linux, here)
	if *cover {
		all, err := readBlocks(dir)
		if err != nil {
			return err
		}
		all.report("this run")
	}
	if len(t.kinds) > 0 && !*fresh {
		return fmt.Errorf("%d kinds of divergences", len(t.kinds))
	}
	return nil
}

// play plays programs in both places, compares the traces, and adds the result. It returns
// how many programs were played in both. A divergence counts only if its program diverges
// again when all are replayed: on a busy machine, a thread may be late.
func (t *tally) play(linux, here place, args ...string) (int, error) {
	began := time.Now()
	l, h, err := playBoth(linux, here, args...)
	if err != nil {
		fmt.Fprintln(os.Stderr, "retrying after error:", err)
		if l, h, err = playBoth(linux, here, args...); err != nil {
			return 0, err
		}
	}
	t.playing += time.Since(began)
	found := t.add(l, h)
	if len(found) == 0 {
		return len(l), nil
	}
	again, hereAgain, err := playBoth(linux, here, args...)
	if err != nil {
		return 0, err
	}
	same := make(map[string]bool)
	for i := range again {
		same[again[i].name] = compare(&again[i], &hereAgain[i], nil) == nil
	}
	for _, d := range found {
		if same[d.name] {
			fmt.Fprintf(os.Stderr, "program %s: %s, but not when replayed\n%s", d.name, d.kind(), d)
			t.fleeting++
			continue
		}
		fmt.Fprintf(os.Stderr, "program %s: %s\n", d.name, d.kind())
		t.kinds[d.kind()] = append(t.kinds[d.kind()], d)
	}
	return len(l), nil
}

// add compares traces, adds the result, and returns the unexplained divergences.
func (t *tally) add(linux, here []trace) (found []*divergence) {
	for i := range linux {
		t.programs++
		d := compare(&linux[i], &here[i], t.hidden)
		if d == nil {
			t.steps += len(linux[i].steps(len(linux[i].lines)))
			continue
		}
		t.steps += len(d.steps)
		if d.rule != "" {
			t.explained[d.rule] = append(t.explained[d.rule], d)
			t.unseen += len(linux[i].steps(len(linux[i].lines))) - len(d.steps)
			continue
		}
		found = append(found, d)
	}
	return found
}

// report prints what was found.
func (t *tally) report(linux, here place) {
	if *explained {
		for _, name := range slices.Sorted(maps.Keys(t.explained)) {
			fmt.Printf("\n==== explained by %s\n%s", name, shortestOf(t.explained[name]))
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(t.kinds)) {
		found := t.kinds[kind]
		fmt.Printf("\n==== %d of kind %s\n", len(found), kind)
		shortest := shortestOf(found)
		if *shrink {
			if reduced, err := reduce(linux, here, shortest); err != nil {
				fmt.Printf("can't reduce it: %v\n", err)
			} else {
				shortest = reduced
			}
			for _, s := range shortest.steps {
				fmt.Println(s)
			}
			fmt.Print(shortest.asCase())
		}
		fmt.Print(shortest)
	}
	diverged := 0
	for _, found := range t.kinds {
		diverged += len(found)
	}
	fmt.Printf("\n%d programs, %d steps, %d divergences, %d steps/s\n", t.programs, t.steps, len(t.kinds), t.rate())
	for _, name := range slices.Sorted(maps.Keys(t.explained)) {
		fmt.Printf("  %d explained by %s\n", len(t.explained[name]), name)
	}
	for _, name := range slices.Sorted(maps.Keys(t.hidden)) {
		fmt.Printf("  %d lines explained by %s\n", t.hidden[name], name)
	}
	if t.fleeting > 0 {
		fmt.Printf("  %d not found again when replayed\n", t.fleeting)
	}
	if t.unseen > 0 {
		fmt.Printf("  %d more steps, %.1f%%, followed an explained divergence\n", t.unseen, 100*float64(t.unseen)/float64(t.steps+t.unseen))
	}
	if *fresh {
		// A bug that new programs find was there before, and is not the fault of the
		// change under test.
		fmt.Printf("%d passed, 0 failed, %d skipped\n", t.programs-diverged, diverged)
		return
	}
	fmt.Printf("%d passed, %d failed\n", t.programs-diverged, diverged)
}

// shortestOf returns the divergence with the fewest steps.
func shortestOf(found []*divergence) *divergence {
	return slices.MinFunc(found, func(a, b *divergence) int { return len(a.steps) - len(b.steps) })
}

// reduce returns the smallest program found that shows a divergence of the same kind as d.
func reduce(linux, here place, d *divergence) (*divergence, error) {
	kind := d.kind()
	for round := 0; ; round++ {
		candidates := smaller(d.steps)
		if len(candidates) == 0 {
			return d, nil
		}
		file, err := os.CreateTemp("build", "programs")
		if err != nil {
			return nil, err
		}
		file.Close()
		defer os.Remove(file.Name())
		if err := writePrograms(file.Name(), candidates); err != nil {
			return nil, err
		}
		path, err := filepath.Abs(file.Name())
		if err != nil {
			return nil, err
		}
		l, h, err := playBoth(linux, here, "-file", path)
		if err != nil {
			return nil, err
		}
		var best *divergence
		for i := range l {
			if c := compare(&l[i], &h[i], nil); c != nil && c.rule == d.rule && c.kind() == kind && size(c.steps) < size(d.steps) && (best == nil || size(c.steps) < size(best.steps)) {
				best = c
			}
		}
		if best == nil {
			if round == 0 {
				fmt.Println("no smaller program shows it")
			}
			return d, nil
		}
		best.name = d.name
		d = best
	}
}

// size returns the size of a program, which reduce minimizes.
func size(steps []pkgprogram.Step) int {
	n := 0
	for _, s := range steps {
		n += 10 + len(s.Write) + len(s.String())/16
		if s.Op == pkgprogram.WriteRead {
			n++
		}
	}
	return n
}
