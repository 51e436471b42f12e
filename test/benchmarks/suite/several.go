// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

// several makes runs that measure more than one thing, each of which is a benchmark
// with its own unit. Whichever benchmark comes first makes the runs, and the others
// get what these found.
type several struct {
	run func(add func(benchmark string, p place, results []result)) error

	// kept has, by name of the benchmark, the runs that it hasn't asked for yet.
	kept map[string][]keptRun
}

// keptRun is what a run found for one benchmark.
type keptRun struct {
	found []found
	err   error
}

// found is what a run found in one place.
type found struct {
	place   place
	results []result
}

// of returns a function that makes a run of the benchmark, and of the others that
// the same run measures.
func (s *several) of(benchmark string, others ...string) func(func(place, []result)) error {
	return func(add func(place, []result)) error {
		if len(s.kept[benchmark]) == 0 {
			s.make(append(others, benchmark))
		}
		one := s.kept[benchmark][0]
		s.kept[benchmark] = s.kept[benchmark][1:]
		for _, f := range one.found {
			add(f.place, f.results)
		}
		return one.err
	}
}

// make makes a run and keeps it for the benchmarks.
func (s *several) make(benchmarks []string) {
	runs := make(map[string]*keptRun)
	for _, b := range benchmarks {
		runs[b] = &keptRun{}
	}
	err := s.run(func(benchmark string, p place, results []result) {
		r := runs[benchmark]
		r.found = append(r.found, found{p, results})
	})
	if s.kept == nil {
		s.kept = make(map[string][]keptRun)
	}
	for b, r := range runs {
		r.err = err
		s.kept[b] = append(s.kept[b], *r)
	}
}
