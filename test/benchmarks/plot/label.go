// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// labels are the names of lines, drawn beside their ends.
type labels struct {
	// right is where labels begin.
	right vg.Length
	lines []label
}

type label struct {
	series
	value float64 // at the line's end
	y     vg.Length
}

func (l *labels) add(s series, end point) {
	l.lines = append(l.lines, label{series: s, value: end.y})
}

// apart is the least distance between two labels.
const apart = vg.Length(11)

// draw writes each label at the height that y gives its value, or as close as it
// gets without touching others.
func (l *labels) draw(c draw.Canvas, y func(float64) vg.Length) {
	for i := range l.lines {
		l.lines[i].y = y(l.lines[i].value)
	}
	slices.SortStableFunc(l.lines, func(a, b label) int { return int(a.y - b.y) })
	// Labels that are too close are centred around where they would be.
	for moved := true; moved; {
		moved = false
		for i := 1; i < len(l.lines); i++ {
			if gap := l.lines[i].y - l.lines[i-1].y; gap < apart-0.01 {
				l.lines[i-1].y -= (apart - gap) / 2
				l.lines[i].y += (apart - gap) / 2
				moved = true
			}
		}
	}
	font := plot.DefaultFont
	font.Size = vg.Points(9)
	for _, one := range l.lines {
		c.FillText(text.Style{
			Color:   one.style.color,
			Font:    font,
			YAlign:  text.YCenter,
			Handler: plot.DefaultTextHandler,
		}, vg.Point{X: l.right + vg.Points(4), Y: one.y}, one.label)
	}
}

// wrap breaks s into lines of at most n bytes.
func wrap(s string, n int) string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(s) {
		if line != "" && len(line)+1+len(word) > n {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	return strings.Join(append(lines, line), "\n")
}

// save writes a picture to a file.
func save(picture vg.CanvasWriterTo, path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := picture.WriteTo(file); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}
