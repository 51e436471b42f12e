// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"sentrybinder/test/differential/play"
	pkgprogram "sentrybinder/test/differential/program"
)

// corpusFile has the corpus: programs that together reach all the code of the driver that
// any program was found to reach. Every run begins with them, and half of the generated
// programs begin like one of them.
const corpusFile = "test/differential/corpus.txt"

// corpusArgs returns the arguments with which playMain plays the corpus, and seedArgs
// those with which it plays the programs of seeds.
func corpusArgs() []string { return []string{"-adapt", "-file", absolute(corpusFile)} }

func seedArgs(first, last uint64) []string {
	return []string{"-corpus", absolute(corpusFile), "-seeds", fmt.Sprintf("%d-%d", first, last)}
}

// absolute returns the absolute path of a file in the repository, whose root must be the
// working directory.
func absolute(file string) string {
	path, err := filepath.Abs(file)
	if err != nil {
		panic(err)
	}
	return path
}

// seededProgram returns the program of a seed. If the seed is even, the program begins with
// some steps of one in the corpus.
func seededProgram(seed uint64, options play.Options, corpus []pkgprogram.Program) play.Source {
	g := play.NewGenerator(seed, options)
	if seed%2 == 0 && len(corpus) > 0 {
		rng := rand.New(rand.NewPCG(seed, 1))
		steps := corpus[rng.IntN(len(corpus))].Steps
		g.Begin(steps[:rng.IntN(len(steps)+1)])
	}
	return g
}

// counter identifies one of Go's coverage counters: the index of the package, that of the
// function in the package, and that of the counter in the function.
type counter [3]uint64

// reach is the code of the driver that programs have reached, and roughly how often: a
// set of bits for each counter, of which 1 means once, 2 twice, 4 up to eight times, and
// 8 more often.
type reach map[counter]uint8

// parseReach decodes Go's coverage counters, in base64. It returns nil for a format that it
// doesn't know.
func parseReach(text string) reach {
	const (
		sizeOfHeader  = 32
		sizeOfSegment = 16
		flavorAt      = 24
		flavorULEB128 = 2
	)
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b) < sizeOfHeader+sizeOfSegment || b[flavorAt] != flavorULEB128 {
		return nil
	}
	functions := binary.LittleEndian.Uint64(b[sizeOfHeader:])
	tables := uint64(binary.LittleEndian.Uint32(b[sizeOfHeader+8:])) + uint64(binary.LittleEndian.Uint32(b[sizeOfHeader+12:]))
	b = b[min(sizeOfHeader+sizeOfSegment+tables, uint64(len(b))):]
	next := func() uint64 {
		v, n := binary.Uvarint(b)
		b = b[max(n, 0):]
		return v
	}
	r := make(reach)
	for range functions {
		counters, pkg, function := next(), next(), next()
		for i := range counters {
			switch n := next(); {
			case n == 0:
			case n <= 2:
				r[counter{pkg, function, i}] = uint8(n)
			case n <= 8:
				r[counter{pkg, function, i}] = 4
			default:
				r[counter{pkg, function, i}] = 8
			}
		}
	}
	return r
}

// add adds other to r, and returns whether that has changed r.
func (r reach) add(other reach) bool {
	changed := false
	for c, often := range other {
		changed = changed || r[c]|often != r[c]
		r[c] |= often
	}
	return changed
}

// has returns whether r has reached all the counters.
func (r reach) has(all []counter) bool {
	return !slices.ContainsFunc(all, func(c counter) bool { return r[c] == 0 })
}

// explorer collects programs that reach new code.
type explorer struct {
	here    place
	dir     string
	reached reach
	found   []trace
	steps   int
}

// corpusMain rebuilds the corpus from its current programs and those of the seeds.
func corpusMain(here place, first, last uint64) error {
	dir, err := os.MkdirTemp("build", "corpus")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	e := &explorer{here: here, dir: absolute(dir), reached: make(reach)}
	if err := e.play(corpusArgs()...); err != nil {
		return err
	}
	if err := e.explore(first, last); err != nil {
		return err
	}
	kept := e.choose()
	for range 3 {
		if err := e.confirm(kept); err != nil {
			return err
		}
	}
	kept = slices.DeleteFunc(kept, func(d duty) bool { return len(d.counters) == 0 })
	for _, n := range []int{32, 16, 8, 4, 2, 1, 2, 1} {
		if err := e.cut(kept, n); err != nil {
			return err
		}
	}
	var programs []pkgprogram.Program
	for i, k := range kept {
		programs = append(programs, pkgprogram.Program{Name: fmt.Sprint("corpus-", i+1), Steps: k.Steps})
	}
	return writePrograms(corpusFile, programs)
}

// write writes the programs found to a file, and returns its name.
func (e *explorer) write() (string, error) {
	var programs []pkgprogram.Program
	for _, t := range e.found {
		programs = append(programs, pkgprogram.Program{Name: t.name, Steps: t.steps(len(t.lines))})
	}
	file := filepath.Join(e.dir, "found")
	return file, writePrograms(file, programs)
}

// play plays programs and keeps those that reach code that no other program has reached, or
// not that often or that rarely.
func (e *explorer) play(args ...string) error {
	traces, err := e.here.play(append([]string{"-coverage=each"}, args...)...)
	if err != nil {
		return err
	}
	for _, t := range traces {
		e.steps += len(t.steps(len(t.lines)))
		if e.reached.add(t.reached) {
			e.found = append(e.found, t)
		}
	}
	return nil
}

// explore plays the programs of seeds, half of which begin like one found before.
func (e *explorer) explore(first, last uint64) error {
	for first <= last {
		file, err := e.write()
		if err != nil {
			return err
		}
		end := min(last, first+uint64(*batch)-1)
		if err := e.play("-corpus", file, "-seeds", fmt.Sprintf("%d-%d", first, end)); err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "programs to %d: %d steps, %d found, %d places reached\n", end, e.steps, len(e.found), len(e.reached))
		first = end + 1
	}
	return nil
}

// duty is a program of the corpus and the counters that it must reach.
type duty struct {
	pkgprogram.Program
	counters []counter
}

// choose returns a small selection of the programs found that together reach every counter,
// however often.
func (e *explorer) choose() []duty {
	var kept []duty
	left := maps.Clone(e.reached)
	for len(left) > 0 {
		var best duty
		var worth float64
		for _, t := range e.found {
			var counters []counter
			for c := range t.reached {
				if _, ok := left[c]; ok {
					counters = append(counters, c)
				}
			}
			steps := t.steps(len(t.lines))
			if w := float64(len(counters)) / float64(20+len(steps)); w > worth {
				best, worth = duty{pkgprogram.Program{Name: t.name, Steps: steps}, counters}, w
			}
		}
		kept = append(kept, best)
		for _, c := range best.counters {
			delete(left, c)
		}
	}
	return kept
}

// confirm removes from duties the counters that programs don't reach every time.
func (e *explorer) confirm(kept []duty) error {
	traces, err := e.traces(kept)
	for i, t := range traces {
		kept[i].counters = slices.DeleteFunc(kept[i].counters, func(c counter) bool { return t.reached[c] == 0 })
	}
	return err
}

// cut removes chunks of n steps from programs as long as these still fulfill their duty.
func (e *explorer) cut(kept []duty, n int) error {
	// First find the chunks of each program that can be removed on their own...
	var tried []duty
	for _, k := range kept {
		for at := 0; at < len(k.Steps); at += n {
			tried = append(tried, k.without(n, at))
		}
	}
	done, err := e.done(tried)
	if err != nil {
		return err
	}
	removable := make([][]int, len(kept))
	tried = nil
	for i, k := range kept {
		for at := 0; at < len(k.Steps); at += n {
			if done[0] {
				removable[i] = append(removable[i], at)
				tried = append(tried, k.without(n, removable[i]...))
			}
			done = done[1:]
		}
	}
	// ... then remove as many of these together as possible, from the start.
	if done, err = e.done(tried); err != nil {
		return err
	}
	steps := 0
	for i := range kept {
		for range removable[i] {
			if done[0] {
				kept[i] = tried[0]
			}
			done, tried = done[1:], tried[1:]
		}
		steps += len(kept[i].Steps)
	}
	fmt.Fprintf(os.Stderr, "%d programs, %d steps\n", len(kept), steps)
	return nil
}

// without returns d without the n steps at each of the given indices.
func (d duty) without(n int, places ...int) duty {
	var steps []pkgprogram.Step
	for at := 0; at < len(d.Steps); at += n {
		if !slices.Contains(places, at) {
			steps = append(steps, d.Steps[at:min(at+n, len(d.Steps))]...)
		}
	}
	d.Steps = steps
	return d
}

// done returns, for each duty, whether its program fulfills it.
func (e *explorer) done(all []duty) ([]bool, error) {
	done := make([]bool, 0, len(all))
	for part := range slices.Chunk(all, *batch) {
		traces, err := e.traces(part)
		if err != nil {
			return nil, err
		}
		for i, d := range part {
			done = append(done, i < len(traces) && traces[i].reached.has(d.counters))
		}
	}
	return done, nil
}

// traces plays the programs of duties and returns the traces.
func (e *explorer) traces(all []duty) ([]trace, error) {
	var programs []pkgprogram.Program
	for _, d := range all {
		programs = append(programs, d.Program)
	}
	file := filepath.Join(e.dir, "programs")
	if err := writePrograms(file, programs); err != nil {
		return nil, err
	}
	return e.here.play("-coverage=each", "-file", file)
}
