// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"time"
)

// timing is how long the calls of a run took, in microseconds.
type timing struct {
	Mean, P50, P99, Max float64

	// Rate is calls per second.
	Rate float64
}

// measure calls f, first to warm up, and then for -time.
func measure(f func()) timing {
	measureFor(*duration/4, 4, f)
	return measureFor(*duration, 10, f)
}

// measureFor calls f for at least d, and until there are enough samples.
func measureFor(d time.Duration, enough int, f func()) timing {
	samples := make([]uint64, 0, 1<<16)
	begin, tick := time.Now(), startTicks()
	for enough > len(samples) || time.Since(begin) < d {
		samples = sample(samples, 16, f)
	}
	return timingOf(samples, tick())
}

// sample calls f n times and appends how many ticks each call took.
func sample(samples []uint64, n int, f func()) []uint64 {
	for range n {
		before := ticks()
		f()
		samples = append(samples, ticks()-before)
	}
	return samples
}

// startTicks returns a function that returns how many nanoseconds a tick has taken
// since.
func startTicks() func() float64 {
	begin, first := time.Now(), ticks()
	return func() float64 {
		all := ticks() - first
		return float64(time.Since(begin).Nanoseconds()) / float64(all)
	}
}

// timingOf summarizes samples, which are in units of so many nanoseconds.
func timingOf(samples []uint64, unit float64) timing {
	var sum uint64
	for _, s := range samples {
		sum += s
	}
	slices.Sort(samples)
	µs := func(s uint64) float64 { return float64(s) * unit / 1e3 }
	mean := µs(sum) / float64(len(samples))
	return timing{
		Mean: mean,
		P50:  µs(samples[len(samples)/2]),
		P99:  µs(samples[len(samples)*99/100]),
		Max:  µs(samples[len(samples)-1]),
		Rate: 1e6 / mean,
	}
}

// emit prints the times, in microseconds.
func (t timing) emit(series string, x int) {
	emit(result{Series: series, X: float64(x), Value: t.Mean, P50: t.P50, P99: t.P99, Max: t.Max})
}
