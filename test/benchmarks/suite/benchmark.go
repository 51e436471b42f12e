// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
)

// benchmark is one benchmark of the suite. Its results are in Unit: more is better
// if that is a rate, and worse if it is a time.
type benchmark struct {
	Name  string
	Title string
	Unit  string

	// X says what X of the results is. It is "" if they all have the same.
	X string

	// Subject is the series that all others are compared with. It is measured in
	// Home, or in a sandbox on systrap if that is "". If Subject is "", each series
	// is compared with the one that ownOf names.
	Subject string
	Home    place

	// Turns multiplies the number of runs; 0 means 1.
	Turns int

	Rows []*row

	// Attacks are the attacks that calls are measured beside, instead of Rows.
	Attacks []*attackRow `json:",omitempty"`

	// attack measures Attacks, with several turns for each.
	attack func() ([]*attackRow, error)

	// once makes one run, in all places in turn.
	once func(add func(place, []result)) error
}

// row has all runs of one series at one X in one place.
type row struct {
	Place  place
	Series string
	X      float64

	// Runs has each run's median, or its only figure if it has no median.
	Runs []float64

	// Median is the median of Runs, and P99 that of the runs' 99th percentiles,
	// which not all runs have.
	Median float64
	P99    float64 `json:",omitempty"`

	// Ratio is the median, over the runs, of the subject's figure divided by this
	// one's: the subject's share of the time if figures are times, its multiple of
	// the work if they are rates.
	Ratio float64

	p99 []float64
}

// beyondEmpty is a series of differences, whose ratios would mean nothing.
const beyondEmpty = "beyond an empty call"

// runAll makes all runs and returns how many failed.
func (b *benchmark) runAll() (failed int) {
	if b.attack != nil {
		var err error
		if b.Attacks, err = b.attack(); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", b.Name, err)
			failed++
		}
		return failed
	}
	for range *runs * max(b.Turns, 1) {
		err := b.once(func(p place, results []result) {
			for _, r := range results {
				b.add(p, r)
			}
		})
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", b.Name, err)
			failed++
		}
	}
	b.compare()
	return failed
}

func (b *benchmark) find(p place, series string, x float64) *row {
	for _, r := range b.Rows {
		if r.Place == p && r.Series == series && r.X == x {
			return r
		}
	}
	return nil
}

func (b *benchmark) add(p place, one result) {
	r := b.find(p, one.Series, one.X)
	if r == nil {
		r = &row{Place: p, Series: one.Series, X: one.X}
		b.Rows = append(b.Rows, r)
	}
	value := one.Value
	if b.Unit == "µs" && one.P50 != 0 {
		value = one.P50
	}
	r.Runs = append(r.Runs, value)
	if one.P99 != 0 {
		r.p99 = append(r.p99, one.P99)
	}
}

// compare computes each row's summary of its runs.
func (b *benchmark) compare() {
	// Rows with the same X belong together.
	slices.SortStableFunc(b.Rows, func(r, s *row) int { return int(r.X - s.X) })
	for _, r := range b.Rows {
		r.Median = median(r.Runs)
		if len(r.p99) != 0 {
			r.P99 = median(r.p99)
		}
		subject := b.find(b.home(), b.Subject, r.X)
		if b.Subject == "" {
			subject = b.find(r.Place, ownOf(r.Series), r.X)
		}
		if subject != nil && subject != r && r.Series != beyondEmpty {
			r.Ratio = medianRatio(subject.Runs, r.Runs)
		}
	}
}

// home returns where Subject is measured.
func (b *benchmark) home() place { return cmp.Or(b.Home, systrap) }

// median returns the median of at least one value.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 0 {
		return (sorted[middle-1] + sorted[middle]) / 2
	}
	return sorted[middle]
}

// medianRatio returns the median of the ratios of two series' runs, which were made
// in turn.
func medianRatio(of, to []float64) float64 {
	var ratios []float64
	for i := range min(len(of), len(to)) {
		if to[i] != 0 {
			ratios = append(ratios, of[i]/to[i])
		}
	}
	if len(ratios) == 0 {
		return 0
	}
	return median(ratios)
}
