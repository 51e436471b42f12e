// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMedian(t *testing.T) {
	values := []float64{9, 1, 5}
	require.Equal(t, 5.0, median(values))
	require.Equal(t, []float64{9, 1, 5}, values, "their order tells which run each is of")
	require.Equal(t, 3.0, median([]float64{4, 2}))
}

// The ratio is the median of ratios of runs made in turn, not the ratio of medians.
func TestMedianRatio(t *testing.T) {
	require.Equal(t, 0.5, medianRatio([]float64{1, 10, 4}, []float64{2, 20, 1}))
	require.Equal(t, 2.0, medianRatio([]float64{4, 1}, []float64{2, 0}), "a figure of 0 means nothing")
	require.Zero(t, medianRatio(nil, []float64{1}))
}

func TestRunAll(t *testing.T) {
	turn := 0.0
	b := &benchmark{Unit: "µs", Subject: "binder", once: func(add func(place, []result)) error {
		turn++
		add(systrap, []result{{Series: "binder", X: 8, Value: 7, P50: turn, P99: 10 * turn}, {Series: "binder", X: 0, Value: turn}})
		add(host, []result{{Series: "socket", X: 8, Value: 100, P50: 2 * turn}})
		return nil
	}}
	old := *runs
	defer func() { *runs = old }()
	*runs = 3
	require.Zero(t, b.runAll())
	require.Len(t, b.Rows, 3)
	require.Equal(t, 0.0, b.Rows[0].X, "rows are sorted by X")
	binder := b.find(systrap, "binder", 8)
	require.Equal(t, []float64{1, 2, 3}, binder.Runs, "the median of a run counts, not its mean")
	require.Equal(t, 2.0, binder.Median)
	require.Equal(t, 20.0, binder.P99)
	require.Zero(t, binder.Ratio)
	require.Equal(t, 0.5, b.ratio(host, "socket", 8))
	require.Zero(t, b.ratio(host, "socket", 0))
}

// Each benchmark that a run measures gets it once, whichever asks first.
func TestSeveral(t *testing.T) {
	made := 0.0
	s := several{run: func(add func(string, place, []result)) error {
		made++
		add("time", systrap, []result{{Value: made}})
		add("memory", host, []result{{Value: 10 * made}})
		add("time", host, []result{{Value: 100 * made}})
		return errors.New("one")
	}}
	var got []float64
	add := func(_ place, results []result) { got = append(got, results[0].Value) }
	time, memory := s.of("time", "memory"), s.of("memory", "time")
	for _, once := range []func(func(place, []result)) error{time, time, memory, memory, memory, time} {
		require.Error(t, once(add))
	}
	require.Equal(t, []float64{1, 100, 2, 200, 10, 20, 30, 3, 300}, got)
	require.Equal(t, 3.0, made)
}

func TestRunAllCountsFailures(t *testing.T) {
	b := &benchmark{once: func(func(place, []result)) error { return errors.New("failed") }}
	require.Equal(t, *runs, b.runAll())
}

func TestDecodeAll(t *testing.T) {
	results, err := decodeAll[result](strings.NewReader(`{"series":"a","x":1,"value":2}
{"series":"b","p50":3,"p99":4}
`))
	require.NoError(t, err)
	require.Equal(t, []result{{Series: "a", X: 1, Value: 2}, {Series: "b", P50: 3, P99: 4}}, results)
	_, err = decodeAll[result](strings.NewReader("no JSON"))
	require.Error(t, err)
}

func TestParseBenchmarks(t *testing.T) {
	const output = `goos: linux
BenchmarkFill/linear/1k-8          	 100	 6817.5 ns/op	 6.8 ns/id
BenchmarkWalk/by=All               	 200	   12 ns/op
BenchmarkX/16M-nearly-full-2       	   1	    3 ns/op	 0 B/op
PASS
`
	require.Equal(t, []result{
		{Series: "Fill/linear/1k", Value: 6817.5},
		{Series: "Walk/by=All", Value: 12},
		{Series: "X/16M-nearly-full", Value: 3},
	}, parseBenchmarks([]byte(output)))
}

func TestOwnOf(t *testing.T) {
	for series, own := range map[string]string{
		"Fill/linear/1k":                  "Fill/sentrybinder/1k",
		"Wave/slices-clip/100k":           "Wave/sentrybinder/100k",
		"Fill/sentrybinder/1k":            "Fill/sentrybinder/1k",
		"PushPop/list=ilist/interface":    "PushPop/list=List/interface",
		"PushPop/list=container/list":     "PushPop/list=List/pointer",
		"References/op=BuildQueueDestroy": "References/op=BuildQueueDestroy",
	} {
		require.Equal(t, own, ownOf(series))
	}
}

func TestMarks(t *testing.T) {
	roundtrip := &benchmark{Name: "roundtrip", Unit: "µs", X: "bytes", Subject: "binder", once: func(add func(place, []result)) error {
		add(systrap, []result{
			{Series: "binder", X: 128, P50: 10, P99: 20},
			{Series: "unix seqpacket", X: 128, P50: 20},
			{Series: "binder", X: 65536, P50: 20},
			{Series: "unix stream", X: 65536, P50: 40},
			{Series: "one copy", X: 65536, P50: 4},
			{Series: "beyond an empty call", X: 65536, Value: 10},
		})
		add(oracleC, []result{{Series: "binder", X: 128, P50: 50}})
		return nil
	}}
	oneCPU := &benchmark{Name: "onecpu", Unit: "µs", X: "bytes", Subject: "binder", Home: systrapOneCPU, once: func(add func(place, []result)) error {
		add(systrapOneCPU, []result{
			{Series: "system call", X: 0, P50: 2},
			{Series: "binder", X: 128, P50: 10},
			{Series: "binder with TF_DEFER_COMPLETE", X: 128, P50: 4},
			{Series: "unix seqpacket", X: 128, P50: 8},
			{Series: "binder", X: 65536, P50: 12},
			{Series: "unix stream", X: 65536, P50: 48},
			{Series: "one copy", X: 65536, P50: 1},
			{Series: "beyond an empty call", X: 65536, Value: 2},
		})
		return nil
	}}
	table := &benchmark{Name: "table", Unit: "µs", Subject: "binder", once: func(add func(place, []result)) error {
		for i := range 20 {
			add(systrap, []result{{Series: "binder", X: float64(i), Value: float64(100 + i/18*10)}})
		}
		return nil
	}}
	starts := &benchmark{Name: "starts", Unit: "µs", Subject: "binder", Home: systrapTwoCPUs, Turns: 2, once: func(add func(place, []result)) error {
		add(systrapTwoCPUs, []result{
			{Series: "binder", X: 128, P50: 30},
			{Series: "binder with TF_DEFER_COMPLETE", X: 128, P50: 20},
			{Series: "unix seqpacket", X: 128, P50: 25},
		})
		return nil
	}}
	wake := &benchmark{Name: "wake", Unit: "µs", X: "µs asleep", Subject: wakeOther, Home: host, once: func(add func(place, []result)) error {
		add(host, []result{
			{Series: wakeSame, P50: 2},
			{Series: wakeOther, X: 20, P50: 16},
			{Series: wakeOther, X: 1000, P50: 29},
		})
		return nil
	}}
	r := &report{Benchmarks: []*benchmark{roundtrip, oneCPU, starts, wake, table}}
	for _, b := range r.Benchmarks {
		b.runAll()
	}
	reached := map[string]bool{}
	figures := map[string]float64{}
	r.Marks = r.marks()
	for _, m := range r.Marks {
		reached[m.What] = m.reached()
		figures[m.What] = m.Figure
	}
	require.Equal(t, map[string]bool{
		"call of 128 bytes, relative to a seqpacket round trip":                true,
		"call of 128 bytes, p99 relative to the median":                        true,
		"call of 128 bytes, speed relative to Linux's C driver":                true, // without a limit
		"call of 64 KiB, relative to a stream socket's round trip":             false,
		"call of 64 KiB, less an empty one, relative to two copies":            true,
		"call of 64 KiB, on one CPU, relative to a stream socket's round trip": true,

		"call of 128 bytes, on one CPU, relative to a seqpacket round trip":                        false,
		"call of 128 bytes with TF_DEFER_COMPLETE, on one CPU, relative to a seqpacket round trip": true,
		"call of 128 bytes with TF_DEFER_COMPLETE, on one CPU, relative to one without":            false,
		"three empty system calls, on one CPU, relative to a call of 128 bytes":                    false,
		"three empty system calls, on one CPU, relative to a seqpacket round trip":                 false,

		"call of 64 KiB, on one CPU, less an empty one, relative to two copies": true,

		"call of 128 bytes, on two CPUs, relative to a seqpacket round trip":                        false,
		"call of 128 bytes with TF_DEFER_COMPLETE, on two CPUs, relative to a seqpacket round trip": true,
		"µs to wake a thread on the host, on the same CPU":                                          false,
		"µs to wake a thread on the host, on a CPU idle for 20 µs":                                  false,
		"µs to wake a thread on the host, on a CPU idle for 1000 µs":                                false,

		"table, last tenth relative to the first, systrap": false,
	}, reached)
	require.Len(t, starts.find(systrapTwoCPUs, "binder", 128).Runs, 2**runs)
	require.Equal(t, 5.0, figures["call of 128 bytes, speed relative to Linux's C driver"])
	require.Equal(t, 1.25, figures["call of 64 KiB, less an empty one, relative to two copies"])
	require.Equal(t, 0.25, figures["call of 64 KiB, on one CPU, relative to a stream socket's round trip"])
	require.Equal(t, 1.0, figures["call of 64 KiB, on one CPU, less an empty one, relative to two copies"])
	require.Equal(t, 0.4, figures["call of 128 bytes with TF_DEFER_COMPLETE, on one CPU, relative to one without"])
	require.Equal(t, 0.6, figures["three empty system calls, on one CPU, relative to a call of 128 bytes"])
	require.Equal(t, 0.75, figures["three empty system calls, on one CPU, relative to a seqpacket round trip"])
	require.Equal(t, 1.1, figures["table, last tenth relative to the first, systrap"])

	text := r.markdown()
	require.Contains(t, text, "| 128 | unix seqpacket | systrap | 20.0 |  | 0.50 |\n")
	require.Contains(t, text, "| 128 | **binder** | systrap | 10.0 | 20.0 |  |\n")
	require.Contains(t, text, "| 65536 | beyond an empty call | systrap | 10.0 |  |  |\n")
	// Marks that depend on the host come last, beginning with the cost of waking.
	_, rest, ok := strings.Cut(text, "| call of 128 bytes, on one CPU, relative to a seqpacket round trip | 1.25 | ≤ 0.79 | no | "+boundOfThree+" |\n")
	require.True(t, ok)
	_, rest, ok = strings.Cut(rest, "| µs to wake a thread on the host, on the same CPU | 2.00 |  |  |  |\n")
	require.True(t, ok)
	require.Contains(t, rest, "| call of 128 bytes, on two CPUs, relative to a seqpacket round trip | 1.20 | ≤ 1.00 | no |  |\n")
	require.Contains(t, text, "| call of 64 KiB, relative to a stream socket's round trip | 0.50 | ≤ 0.30 | no |  |\n")
}

func TestReplaceBetween(t *testing.T) {
	readme, err := replaceBetween("a\n"+recordBegin+"old\n"+recordEnd+"b\n", "new\n")
	require.NoError(t, err)
	require.Equal(t, "a\n"+recordBegin+"new\n"+recordEnd+"b\n", readme)
	_, err = replaceBetween("a\n", "new\n")
	require.Error(t, err)
}

func TestNumber(t *testing.T) {
	for x, text := range map[float64]string{0: "", 0.123: "0.12", 12.34: "12.3", 12345.6: "12346"} {
		require.Equal(t, text, number(x))
	}
}

// attackedTurn returns a turn with these 99th percentiles, and maxima ten times as
// high.
func attackedTurn(alone, control, acting float64, rounds, objects uint64) turn {
	of := func(x float64) called { return called{Calls: 10, P50: x / 2, P99: x, Max: 10 * x} }
	return turn{Alone: of(alone), Control: of(control), Acting: of(acting), Rounds: rounds, Objects: objects}
}

func TestAttackRow(t *testing.T) {
	r := &attackRow{Place: systrap, Attack: "open and close devices", Does: "opens", Turns: []turn{
		attackedTurn(1, 2, 4, 7, 1000), attackedTurn(10, 15, 30, 5, 1000), attackedTurn(3, 3, 9, 9, 900),
	}}
	r.summarize()
	require.Equal(t, called{Calls: 30, P50: 1.5, P99: 3, Max: 30}, r.Alone)
	require.Equal(t, called{Calls: 30, P50: 4.5, P99: 9, Max: 90}, r.Acting)
	require.Zero(t, r.Making, "it was not measured")
	require.Equal(t, uint64(5), r.Rounds)
	require.Equal(t, uint64(900), r.Objects)
	require.Equal(t, ratios{3, 3}, r.OfAlone, "ratios compare calls of the same turn")
	require.Equal(t, ratios{2, 2}, r.OfControl)

	elsewhere := &attackRow{Place: oracleCOneCPU, Turns: []turn{attackedTurn(1, 1, 100, 1, 1)}}
	elsewhere.summarize()
	b := &benchmark{Name: "hostile", Title: "A call", Attacks: []*attackRow{r, elsewhere}}
	p99, most := b.worst(systrap)
	require.Equal(t, []float64{3, 3}, []float64{p99, most})
	report := &report{Benchmarks: []*benchmark{b}}
	report.Marks = report.marks()
	require.Equal(t, []mark{
		{What: "call beside the worst attack, p99 relative to that alone, systrap", Figure: 3, Limit: 2},
		{What: "call beside the worst attack, maximum relative to that alone, systrap", Figure: 3, Limit: 10},
		{What: "call beside the worst attack, p99 relative to that alone, Linux's C driver, one CPU", Figure: 100},
		{What: "call beside the worst attack, maximum relative to that alone, Linux's C driver, one CPU", Figure: 100},
	}, report.Marks)
	require.Contains(t, report.markdown(), "| systrap | open and close devices | 900 | 5 opens | 0 | 30 | 3.00 | 30.0 | 3.00 | 30.0 |  |  | 4.50 | 9.00 | 90.0 | 3.00 | 2.00 | 3.00 | 2.00 |\n")
}

// An attack that did nothing proves nothing: its run has failed.
func TestIdleAttack(t *testing.T) {
	require.Error(t, checkTurns([]turn{attackedTurn(1, 1, 1, 1, 0), attackedTurn(1, 1, 1, 0, 0)}))
	require.NoError(t, checkTurns([]turn{attackedTurn(1, 1, 1, 1, 0)}))
}
