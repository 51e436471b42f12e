// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
)

// axis says how the values of an axis are placed and labelled.
type axis struct {
	// logarithmic says whether the axis is. Others are linear, and begin at zero.
	logarithmic bool
	// atValues puts a tick at each measured value, if these are few.
	atValues bool
	// write returns a value with its unit.
	write func(value float64) string
}

var (
	sizes                = axis{logarithmic: true, atValues: true, write: bytes}
	fewCounts            = axis{logarithmic: true, atValues: true, write: count}
	counts               = axis{write: count}
	microseconds         = axis{logarithmic: true, write: duration}
	microsecondsFromZero = axis{write: duration}
	megabytes            = axis{logarithmic: true, write: rate}
	perSecondFromZero    = axis{write: func(v float64) string { return count(v) + "/s" }}
	milliseconds         = axis{write: func(v float64) string { return duration(1000 * v) }}
	mebibytes            = axis{write: func(v float64) string { return bytes(v * (1 << 20)) }}
	perSecond            = axis{logarithmic: true, write: func(v float64) string { return count(v) + "/s" }}
)

// has returns whether a value fits on the axis.
func (a axis) has(value float64) bool {
	return !a.logarithmic || value > 0
}

// apply turns an axis of a plot into one of this kind, for measured values.
func (a axis) apply(to *plot.Axis, label string, values []float64) {
	to.Label.Text = label
	to.Label.TextStyle.Font.Size = vg.Points(10)
	to.Label.Padding = vg.Points(4)
	to.Tick.Marker = ticker{a, values}
	to.Padding = vg.Points(4)
	if !a.logarithmic {
		to.Min = 0
		return
	}
	to.Scale = plot.LogScale{}
}

// ticker places the ticks of an axis.
type ticker struct {
	axis
	values []float64
}

// Ticks implements plot.Ticker.Ticks.
func (t ticker) Ticks(least, most float64) []plot.Tick {
	var ticks []plot.Tick
	switch {
	case t.atValues:
		for _, v := range t.values {
			ticks = append(ticks, plot.Tick{Value: v, Label: t.write(v)})
		}
	case t.logarithmic:
		for decade := math.Pow(10, math.Floor(math.Log10(least))); decade <= most; decade *= 10 {
			for _, v := range []float64{decade, 2 * decade, 5 * decade} {
				if v >= least && v <= most {
					ticks = append(ticks, plot.Tick{Value: v, Label: t.write(v)})
				}
			}
		}
	default:
		ticks = plot.DefaultTicks{}.Ticks(least, most)
		for i := range ticks {
			if ticks[i].Label != "" {
				ticks[i].Label = t.write(ticks[i].Value)
			}
		}
	}
	return ticks
}

// scaled writes a value in the largest of units, each step times the one before,
// that leaves at least one.
func scaled(value, step float64, units ...string) string {
	i := 0
	for value >= step && i < len(units)-1 {
		value /= step
		i++
	}
	return fmt.Sprintf("%s%s", strconv.FormatFloat(value, 'g', 4, 64), units[i])
}

func bytes(v float64) string    { return scaled(v, 1024, " B", " KiB", " MiB", " GiB") }
func count(v float64) string    { return scaled(v, 1000, "", "k", "M") }
func duration(v float64) string { return scaled(v, 1000, " µs", " ms", " s") }
func rate(v float64) string     { return scaled(v, 1000, " MB/s", " GB/s", " TB/s") }
