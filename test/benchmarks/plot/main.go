// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Binary plot draws results of the benchmarks.
//
//	plot RESULTS.JSON DIRECTORY
//
// It is a module of its own: the driver needs nothing of what draws.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
)

// benchmark is what this program reads of one.
type benchmark struct {
	Name, Title, Unit, X string
	Rows                 []struct {
		Place, Series string
		X, Median     float64
	}
}

// figures are the benchmarks that are drawn, and how.
var figures = map[string]struct {
	logX, logY bool
	places     []string // all if empty
}{
	"roundtrip":  {logX: true, logY: true, places: []string{"systrap", "Linux's C driver", "Linux's Rust driver"}},
	"payload":    {logX: true, logY: true},
	"table":      {},
	"million":    {},
	"throughput": {logX: true},
	"fds":        {logX: true, logY: true},
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: plot RESULTS.JSON DIRECTORY")
		os.Exit(2)
	}
	if err := drawAll(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "plot:", err)
		os.Exit(1)
	}
}

func drawAll(results, dir string) error {
	text, err := os.ReadFile(results)
	if err != nil {
		return err
	}
	var report struct{ Benchmarks []benchmark }
	if err := json.Unmarshal(text, &report); err != nil {
		return fmt.Errorf("%s: %w", results, err)
	}
	for _, b := range report.Benchmarks {
		if _, ok := figures[b.Name]; !ok {
			continue
		}
		if err := draw(b, filepath.Join(dir, b.Name+".svg")); err != nil {
			return fmt.Errorf("%s: %w", b.Name, err)
		}
	}
	return nil
}

func draw(b benchmark, path string) error {
	figure := figures[b.Name]
	p := plot.New()
	p.Title.Text = b.Title
	p.X.Label.Text = b.X
	p.Y.Label.Text = b.Unit
	p.Legend.Top = true
	p.Legend.Left = figure.logX
	p.Add(plotter.NewGrid())
	if figure.logX {
		p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.LogTicks{}
	}
	if figure.logY {
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{}
	}

	var names []string
	lines := map[string]plotter.XYs{}
	for _, r := range b.Rows {
		if len(figure.places) != 0 && !slices.Contains(figure.places, r.Place) {
			continue
		}
		if r.Series == "one copy" || r.Series == "beyond an empty call" {
			continue // what there is to compare, and far below
		}
		if figure.logX && r.X == 0 || figure.logY && r.Median <= 0 {
			continue // not on such an axis
		}
		name := r.Series + ", " + r.Place
		if lines[name] == nil {
			names = append(names, name)
		}
		lines[name] = append(lines[name], plotter.XY{X: r.X, Y: r.Median})
	}
	for i, name := range names {
		line, points, err := plotter.NewLinePoints(lines[name])
		if err != nil {
			return err
		}
		line.Color, line.Dashes, line.Width = plotutil.Color(i), plotutil.Dashes(i/7), vg.Points(1.5)
		points.Color, points.Shape, points.Radius = plotutil.Color(i), plotutil.Shape(i), vg.Points(2)
		if len(lines[name]) > 20 {
			points.Radius = 0
		}
		p.Add(line, points)
		p.Legend.Add(name, line)
	}
	// The legend needs room.
	if figure.logY {
		p.Y.Max *= 20
	} else {
		p.Y.Min = 0
		p.Y.Max *= 1.5
	}
	return p.Save(22*vg.Centimeter, 13*vg.Centimeter, path)
}
