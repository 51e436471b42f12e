// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Binary plot draws results of the benchmarks.
//
//	plot [-format svg|png] RESULTS.JSON DIRECTORY
//
// It is a module of its own, so that the driver doesn't depend on the libraries that
// draw.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

var format = flag.String("format", "svg", "the format of the pictures: svg or png")

// benchmark has what this program reads of a benchmark.
type benchmark struct {
	Name, Title, Unit, X string
	Rows                 []row
}

type row struct {
	Place, Series string
	X, Median     float64
	Runs          []float64
}

func main() {
	flag.Parse()
	if flag.NArg() != 2 {
		fmt.Fprintln(os.Stderr, "usage: plot [-format svg|png] RESULTS.JSON DIRECTORY")
		os.Exit(2)
	}
	if err := drawAll(flag.Arg(0), flag.Arg(1)); err != nil {
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
		f, ok := figures[b.Name]
		if !ok {
			continue
		}
		if err := f.draw(b, filepath.Join(dir, b.Name+"."+*format)); err != nil {
			return fmt.Errorf("%s: %w", b.Name, err)
		}
	}
	return nil
}
