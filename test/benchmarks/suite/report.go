// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// report has everything that a run of the suite measured.
type report struct {
	Machine    machine
	Benchmarks []*benchmark
	Marks      []mark
}

// mark is a figure that should be at most, or at least, a limit. Without a limit it
// is there for comparison.
type mark struct {
	What    string
	Figure  float64
	Limit   float64 `json:",omitempty"`
	AtLeast bool

	// OfHost says that the figure depends on the cost of waking a thread on another
	// CPU, which is the host's and not the driver's.
	OfHost bool `json:",omitempty"`

	// Bound is what keeps the figure from being any better, whatever the driver
	// does.
	Bound string `json:",omitempty"`
}

func (m mark) reached() bool {
	if m.AtLeast {
		return m.Figure >= m.Limit
	}
	return m.Figure <= m.Limit
}

// Bounds of figures.
const (
	boundOfThree = "3 system calls to a socket's 4, 5 switches of the CPU to its 6: 0.75 to 0.83"
	boundOfTwo   = "2 system calls to a socket's 4, 4 switches of the CPU to its 6: 0.50 to 0.67"
	boundOfLinux = "both make three system calls and switch the CPU equally often"
)

// marks returns the marks whose figures were measured, beginning with those of one
// CPU.
func (r *report) marks() []mark {
	var marks []mark
	ofHost, bound := false, ""
	add := func(what string, figure, limit float64, atLeast bool) {
		// A figure that isn't above 0 wasn't measured, or something else occupied
		// the machine meanwhile.
		if figure > 0 && !math.IsInf(figure, 0) {
			marks = append(marks, mark{what, figure, limit, atLeast, ofHost, bound})
		}
	}
	bounded := func(by, what string, figure, limit float64) {
		bound = by
		add(what, figure, limit, false)
		bound = ""
	}
	large := func(b *benchmark, p place, where string) {
		empty := b.figure(p, "binder", 0)
		for _, bytes := range []float64{64 << 10, 256 << 10, 1 << 20} {
			call := fmt.Sprintf("call of %.0f KiB%s", bytes/1024, where)
			by := ""
			if stream := b.figure(p, "unix stream", bytes); empty > 0 && stream > 0 {
				by = fmt.Sprintf("an empty call alone: %.2f", empty/stream)
			}
			bounded(by, call+", relative to a stream socket's round trip", b.ratio(p, "unix stream", bytes), 0.30)
			add(call+", less an empty one, relative to two copies", copies(b, p, bytes), 1.25, false)
		}
	}
	if b := r.benchmark("onecpu"); b != nil {
		// A call makes three system calls, which nothing in the driver can make any
		// cheaper.
		three := 3 * b.figure(systrapOneCPU, "system call", 0)
		bounded(boundOfThree, "call of 128 bytes, on one CPU, relative to a seqpacket round trip", b.ratio(systrapOneCPU, "unix seqpacket", 128), 0.79)
		bounded(boundOfTwo, "call of 128 bytes "+withDefer+", on one CPU, relative to a seqpacket round trip", b.between(systrapOneCPU, deferring, "unix seqpacket", 128), 0.62)
		add("call of 128 bytes "+withDefer+", on one CPU, relative to one without", b.between(systrapOneCPU, deferring, "binder", 128), 0, false)
		add("three empty system calls, on one CPU, relative to a call of 128 bytes", three/b.figure(systrapOneCPU, "binder", 128), 0, false)
		add("three empty system calls, on one CPU, relative to a seqpacket round trip", three/b.figure(systrapOneCPU, "unix seqpacket", 128), 0, false)
		large(b, systrapOneCPU, ", on one CPU")
		for _, p := range []place{oracleCOneCPU, oracleROneCPU} {
			bounded(boundOfLinux, "call of 128 bytes, speed relative to "+string(p), 1/b.ratio(p, "binder", 128), 0)
		}
	}
	ofHost = true
	if b := r.benchmark("wake"); b != nil {
		add("µs to wake a thread on the host, on the same CPU", b.figure(host, wakeSame, 0), 0, false)
		for _, idle := range []float64{20, 1000} {
			add(fmt.Sprintf("µs to wake a thread on the host, on a CPU idle for %.0f µs", idle), b.figure(host, wakeOther, idle), 0, false)
		}
	}
	if b := r.benchmark("starts"); b != nil {
		add("call of 128 bytes, on two CPUs, relative to a seqpacket round trip", b.ratio(systrapTwoCPUs, "unix seqpacket", 128), 1, false)
		add("call of 128 bytes "+withDefer+", on two CPUs, relative to a seqpacket round trip", b.between(systrapTwoCPUs, deferring, "unix seqpacket", 128), 1, false)
	}
	if b := r.benchmark("roundtrip"); b != nil {
		add("call of 128 bytes, relative to a seqpacket round trip", b.ratio(systrap, "unix seqpacket", 128), 1, false)
		for _, peer := range []string{"unix stream", "pipes", "futexes"} {
			add("call of 128 bytes, relative to a round trip by "+peer, b.ratio(systrap, peer, 128), 1, false)
		}
		if row := b.find(systrap, "binder", 128); row != nil {
			add("call of 128 bytes, p99 relative to the median", row.P99/row.Median, 3, false)
		}
		for _, p := range []place{oracleC, oracleR} {
			add("call of 128 bytes, speed relative to "+string(p), 1/b.ratio(p, "binder", 128), 0, true)
		}
		large(b, systrap, "")
	}
	ofHost = false
	for _, t := range []struct {
		name  string
		limit float64
	}{{"table", 1.02}, {"million", 1.04}} {
		if b := r.benchmark(t.name); b != nil {
			for _, p := range []place{systrap, systrapOneCPU, oracleC, oracleR} {
				limit := t.limit
				if p != systrap && p != systrapOneCPU {
					limit = 0
				}
				what := fmt.Sprintf("%s, last tenth relative to the first, %s", t.name, p)
				add(what, lastTenth(b, p), limit, false)
			}
		}
	}
	if b := r.benchmark("throughput"); b != nil {
		if one, eight := b.find(systrap, "binder", 1), b.find(systrap, "binder", 8); one != nil && eight != nil {
			add("throughput of 8 pairs, relative to one pair's", medianRatio(eight.Runs, one.Runs), 1, true)
		}
	}
	for _, t := range []struct {
		name  string
		limit float64
	}{{"startup", 1.02}, {"size", 1.03}} {
		if b := r.benchmark(t.name); b != nil {
			add(t.name+", relative to the stock runsc's", b.ratio(systrap, runscs[1], 0), t.limit, false)
		}
	}
	if b := r.benchmark("startup"); b != nil {
		if android, stock := b.find(systrap, androidLayout, 0), b.find(systrap, runscs[1], 0); android != nil && stock != nil {
			add("startup with Android's layout, relative to the stock runsc's", medianRatio(android.Runs, stock.Runs), 1.05, false)
		}
	}
	for _, t := range []struct {
		name, cold, restored string
		x                    float64
		what                 string
	}{
		{"restore", coldStart, restored, 100, "100 services"},
		{"restore", aospColdStart, aospRestored, 0, "AOSP's service managers"},
		{"preload", coldStart, restored, 100, "a service that computes 100 MiB"},
	} {
		b := r.benchmark(t.name)
		if b == nil {
			continue
		}
		if cold, again := b.find(systrap, t.cold, t.x), b.find(systrap, t.restored, t.x); cold != nil && again != nil {
			add(fmt.Sprintf("first answer of a restored sandbox with %s, relative to a cold start's", t.what), again.Median/cold.Median, 0.10, false)
		}
	}
	if b := r.benchmark("hostile"); b != nil {
		for _, p := range hostilePlaces {
			p99, max := b.worst(p)
			limits := [2]float64{2, 10}
			if !p.ours() {
				limits = [2]float64{}
			}
			add(fmt.Sprintf("call beside the worst attack, p99 relative to that alone, %s", p), p99, limits[0], false)
			add(fmt.Sprintf("call beside the worst attack, maximum relative to that alone, %s", p), max, limits[1], false)
		}
	}
	if b := r.benchmark("memory"); b != nil {
		if row := b.find(systrap, "node and reference", 0); row != nil {
			add("bytes of heap per node with a reference to it", row.Median, 200, false)
		}
	}
	return marks
}

func (r *report) benchmark(name string) *benchmark {
	i := slices.IndexFunc(r.Benchmarks, func(b *benchmark) bool { return b.Name == name })
	if i < 0 {
		return nil
	}
	return r.Benchmarks[i]
}

// figure returns the figure in a row, or 0 if there's none.
func (b *benchmark) figure(p place, series string, x float64) float64 {
	if r := b.find(p, series, x); r != nil {
		return r.Median
	}
	return 0
}

// ratio returns the ratio in a row, or 0 if there's none.
func (b *benchmark) ratio(p place, series string, x float64) float64 {
	if r := b.find(p, series, x); r != nil {
		return r.Ratio
	}
	return 0
}

// The series of calls whose replies have TF_DEFER_COMPLETE.
const (
	withDefer = "with TF_DEFER_COMPLETE"
	deferring = "binder " + withDefer
)

// The series of wake.
const (
	wakeSame  = "on the same CPU"
	wakeOther = "on another CPU"
)

// between returns the ratio of two series in a place, or 0 if one is missing.
func (b *benchmark) between(p place, of, to string, x float64) float64 {
	one, other := b.find(p, of, x), b.find(p, to, x)
	if one == nil || other == nil {
		return 0
	}
	return medianRatio(one.Runs, other.Runs)
}

// copies returns how much longer a call of a size takes than an empty one, relative
// to the time that the copies of its data and its answer's take.
func copies(b *benchmark, p place, bytes float64) float64 {
	return b.between(p, beyondEmpty, "one copy", bytes) / 2
}

// lastTenth returns how long the last tenth of the calls took, relative to the
// first tenth.
func lastTenth(b *benchmark, p place) float64 {
	var rows []*row
	for _, r := range b.Rows {
		if r.Place == p {
			rows = append(rows, r)
		}
	}
	tenth := len(rows) / 10
	if tenth == 0 {
		return 0
	}
	var ratios []float64
	for run := range rows[0].Runs {
		sum := func(rows []*row) (s float64) {
			for _, r := range rows {
				if run < len(r.Runs) {
					s += r.Runs[run]
				}
			}
			return s
		}
		ratios = append(ratios, sum(rows[len(rows)-tenth:])/sum(rows[:tenth]))
	}
	return median(ratios)
}

// markdown returns the tables.
func (r *report) markdown() string {
	var s strings.Builder
	fmt.Fprintf(&s, "# Benchmarks\n\n%s\n\n", r.Machine)
	s.WriteString("A figure is the median over the runs, in which the peers take turns; the time of a run is the median of its calls. A ratio is the figure of the row in bold divided by the row's own, run by run: Binder is ahead below 1 where figures are times, and above 1 where they are rates.\n")
	for _, b := range r.Benchmarks {
		b.markdown(&s)
	}
	if len(r.Marks) != 0 {
		s.WriteString("\n## Marks\n" + marksTables(r.Marks))
	}
	return s.String()
}

// marksTables returns a table of the marks that don't depend on the machine, and
// one of those that depend on the cost of waking a thread, which it lists, too.
func marksTables(marks []mark) string {
	var s strings.Builder
	for _, t := range []struct {
		title  string
		ofHost bool
	}{
		{"", false},
		{"\nThese depend on the host: on the cost of waking a thread on another CPU.\n", true},
	} {
		var rows []mark
		for _, m := range marks {
			if m.OfHost == t.ofHost {
				rows = append(rows, m)
			}
		}
		if len(rows) != 0 {
			s.WriteString(t.title + marksTable(rows))
		}
	}
	return s.String()
}

func marksTable(marks []mark) string {
	var s strings.Builder
	s.WriteString("\n| what | here | mark | reached | bound |\n| --- | ---: | ---: | --- | --- |\n")
	for _, m := range marks {
		limit, reached := fmt.Sprintf("≤ %.2f", m.Limit), "yes"
		if !m.reached() {
			reached = "no"
		}
		switch {
		case m.Limit == 0:
			limit, reached = "", ""
		case m.AtLeast:
			limit = fmt.Sprintf("≥ %.2f", m.Limit)
		}
		fmt.Fprintf(&s, "| %s | %.2f | %s | %s | %s |\n", m.What, m.Figure, limit, reached, m.Bound)
	}
	return s.String()
}

// rowsInTable is how many different X a table shows at most. results.json has all.
const rowsInTable = 10

func (b *benchmark) markdown(s *strings.Builder) {
	fmt.Fprintf(s, "\n## %s\n\n%s.\n\n", b.Name, b.Title)
	if len(b.Attacks) != 0 {
		s.WriteString(attacksTable(b.Attacks))
		return
	}
	x, rule := "", ""
	if b.X != "" {
		x, rule = " "+b.X+" |", " ---: |"
	}
	fmt.Fprintf(s, "|%s | where | %s | p99, µs | ratio |\n|%s --- | --- | ---: | ---: | ---: |\n", x, b.Unit, rule)
	var xs []float64
	for _, r := range b.Rows {
		if !slices.Contains(xs, r.X) {
			xs = append(xs, r.X)
		}
	}
	every := (len(xs) + rowsInTable - 1) / rowsInTable
	for _, r := range b.Rows {
		if i := slices.Index(xs, r.X); every > 1 && (i+1)%every != 0 && i != 0 {
			continue
		}
		series, ratio := r.Series, number(r.Ratio)
		if r.Place == b.home() && r.Series == b.Subject {
			series, ratio = "**"+series+"**", ""
		}
		x := ""
		if b.X != "" {
			x = fmt.Sprintf(" %.0f |", r.X)
		}
		fmt.Fprintf(s, "|%s %s | %s | %s | %s | %s |\n", x, series, r.Place, number(r.Median), number(r.P99), ratio)
	}
}

// number returns x with at least three significant digits, or "" if it is 0.
func number(x float64) string {
	switch a := math.Abs(x); {
	case x == 0:
		return ""
	case a >= 100:
		return fmt.Sprintf("%.0f", x)
	case a >= 10:
		return fmt.Sprintf("%.1f", x)
	default:
		return fmt.Sprintf("%.2f", x)
	}
}
