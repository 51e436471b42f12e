// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// figure says how a benchmark is drawn.
type figure struct {
	// title replaces the benchmark's title, if it isn't empty.
	title string
	x, y  axis
	// series are drawn in this order.
	series []series
}

// series is a line of a figure.
type series struct {
	place, name string
	// label is what to write at the end of the line.
	label string
	style style
}

// The figures, by the benchmark's name. What is measured on the host, or for a
// single X, is only in the tables.
var figures = map[string]figure{
	"roundtrip": {x: sizes, y: microseconds, series: slices.Concat(
		peers("systrap", "unix seqpacket", "unix stream", "pipes", "futexes"),
		linux("binder", ""), ours("systrap", "binder", "Binder"))},
	"onecpu": {title: "A call and an answer of the same size, on one CPU", x: sizes, y: microseconds, series: slices.Concat(
		peers("systrap, one CPU", "unix seqpacket", "unix stream", "pipes", "futexes"),
		ours("systrap, one CPU", "binder with TF_DEFER_COMPLETE", "Binder, deferred"),
		ours("systrap, one CPU", "binder", "Binder"))},
	"payload": {x: sizes, y: megabytes, series: slices.Concat(
		peers("systrap", "unix seqpacket", "unix stream", "pipes", "futexes", "process_vm_readv"),
		linux("binder", ""), ours("systrap", "binder", "Binder"))},
	"table": {x: counts, y: microsecondsFromZero, series: slices.Concat(
		linux("binder", ""),
		ours("systrap, one CPU", "binder", "Binder, one CPU"), ours("systrap", "binder", "Binder"))},
	"million": {x: counts, y: microsecondsFromZero, series: ours("systrap", "binder", "Binder")},
	"throughput": {x: fewCounts, y: perSecond, series: slices.Concat(
		peers("systrap", "unix seqpacket"),
		linux("binder", ""), linux("binder with a pool", ", one server"),
		ours("systrap", "binder with a pool", "Binder, one server"), ours("systrap", "binder", "Binder"))},
	"processes": {x: fewCounts, y: perSecondFromZero, series: slices.Concat(
		ours("systrap, one CPU", "binder", "Binder, one CPU"), ours("systrap", "binder", "Binder"))},
	"processes-time": {x: fewCounts, y: microseconds, series: []series{
		{"systrap, one CPU", "99th percentile", "p99, one CPU", linuxRust(true)},
		{"systrap, one CPU", "median", "median, one CPU", linuxRust(false)},
		{"systrap", "99th percentile", "p99", emphasised(true)},
		{"systrap", "median", "median", emphasised(false)}}},
	"restore":           {x: fewCounts, y: milliseconds, series: starts},
	"preload":           {x: fewCounts, y: milliseconds, series: starts},
	"sandboxes-startup": {x: counts, y: milliseconds, series: []series{{"systrap", "cold start", "start", emphasised(false)}}},
	"sandboxes-memory":  {x: counts, y: mebibytes, series: []series{{"systrap", "memory", "memory", emphasised(false)}}},
	"fds": {x: fewCounts, y: perSecond, series: slices.Concat(
		peers("systrap", "SCM_RIGHTS"), linux("binder", ""), ours("systrap", "binder", "Binder"))},
}

// starts are the ways in which a sandbox gets to its first answer.
var starts = []series{
	{"systrap", "cold start", "cold start", peer(0)},
	{"systrap", "restored, the last of four at once", "restored, four at once", emphasised(true)},
	{"systrap", "restored", "restored", emphasised(false)},
}

// ours is the series of this driver.
func ours(place, name, label string) []series {
	return []series{{place, name, label, emphasised(label != "Binder")}}
}

// linux are the series of Linux's drivers.
func linux(name, suffix string) []series {
	return []series{
		{"Linux's C driver", name, "Linux, C" + suffix, linuxC(suffix != "")},
		{"Linux's Rust driver", name, "Linux, Rust" + suffix, linuxRust(suffix != "")},
	}
}

// peers are the series of everything else.
func peers(place string, names ...string) []series {
	var all []series
	for i, name := range names {
		all = append(all, series{place, name, name, peer(i)})
	}
	return all
}

// The size of a picture, and the part of it that is reserved for labels.
const (
	width      = 20 * vg.Centimeter
	height     = 11 * vg.Centimeter
	labelWidth = 4.2 * vg.Centimeter
	margin     = 4 * vg.Millimeter
)

// draw draws the figure of b.
func (f figure) draw(b benchmark, path string) error {
	p := plot.New()
	p.Title.Text = wrap(cmp.Or(f.title, b.Title), 80)
	p.Title.TextStyle.Font.Size = vg.Points(12)
	p.Title.Padding = vg.Points(8)
	var xs []float64
	for _, s := range f.series {
		for _, pt := range f.points(b, s) {
			xs = append(xs, pt.x)
		}
	}
	slices.Sort(xs)
	f.x.apply(&p.X, b.X, slices.Compact(xs))
	f.y.apply(&p.Y, "", nil) // the ticks show the unit

	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = gridColor, gridColor
	p.Add(grid)
	ends := labels{right: width - labelWidth}
	for _, s := range f.series {
		points := f.points(b, s)
		if len(points) == 0 {
			continue
		}
		if err := s.style.add(p, points); err != nil {
			return err
		}
		ends.add(s, points[len(points)-1])
	}

	canvas, err := draw.NewFormattedCanvas(width, height, *format)
	if err != nil {
		return err
	}
	all := draw.New(canvas)
	all.SetColor(background)
	all.Fill(all.Rectangle.Path())
	part := draw.Crop(all, margin, -labelWidth, margin, -margin)
	p.Draw(part)
	data := p.DataCanvas(part)
	_, y := p.Transforms(&data)
	ends.draw(all, y)
	return save(canvas, path)
}

// point is a result, with the range of its runs.
type point struct{ x, y, least, most float64 }

// points returns the results of s that fit on the axes.
func (f figure) points(b benchmark, s series) []point {
	var all []point
	for _, r := range b.Rows {
		if r.Place != s.place || r.Series != s.name || !f.x.has(r.X) || !f.y.has(r.Median) {
			continue
		}
		p := point{x: r.X, y: r.Median, least: r.Median, most: r.Median}
		for _, run := range r.Runs {
			p.least, p.most = math.Min(p.least, run), math.Max(p.most, run)
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(p, q point) int { return int(math.Copysign(1, p.x-q.x)) })
	return all
}
