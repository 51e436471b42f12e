// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

func init() {
	plot.DefaultFont = font.Font{Typeface: "Liberation", Variant: "Sans"}
	plotter.DefaultFont = plot.DefaultFont
}

// Pictures have their own background, so that they are legible on any page.
var (
	background = color.White
	gridColor  = color.Gray{Y: 0xe6}
)

// style is the look of a series. Colours differ in lightness, too; peers are grey,
// and differ in their marks.
type style struct {
	color  color.Color
	width  vg.Length
	dashes []vg.Length
	shape  draw.GlyphDrawer
}

// emphasised is the look of this driver. The second of two series is dashed.
func emphasised(second bool) style {
	return style{color.NRGBA{0x0b, 0x57, 0xb0, 0xff}, vg.Points(2.5), dashed(second), draw.CircleGlyph{}}
}

func linuxC(second bool) style {
	return style{color.NRGBA{0xc0, 0x30, 0x30, 0xff}, vg.Points(1.5), dashed(second), draw.SquareGlyph{}}
}

func linuxRust(second bool) style {
	return style{color.NRGBA{0xe0, 0x8a, 0x1e, 0xff}, vg.Points(1.5), dashed(second), draw.TriangleGlyph{}}
}

// peer is the look of the i-th peer.
func peer(i int) style {
	greys := []uint8{0x40, 0x70, 0x55, 0x88, 0x60}
	shapes := []draw.GlyphDrawer{draw.PlusGlyph{}, draw.CrossGlyph{}, draw.RingGlyph{}, draw.BoxGlyph{}, draw.PyramidGlyph{}}
	return style{color.Gray{Y: greys[i%len(greys)]}, vg.Points(1), nil, shapes[i%len(shapes)]}
}

func dashed(yes bool) []vg.Length {
	if yes {
		return []vg.Length{vg.Points(5), vg.Points(3)}
	}
	return nil
}

// add draws points and the line between them, and at each point a bar over the
// range of its runs.
func (s style) add(p *plot.Plot, points []point) error {
	var xys plotter.XYs
	for _, pt := range points {
		xys = append(xys, plotter.XY{X: pt.x, Y: pt.y})
		bar, err := plotter.NewLine(plotter.XYs{{X: pt.x, Y: pt.least}, {X: pt.x, Y: pt.most}})
		if err != nil {
			return err
		}
		bar.Color, bar.Width = s.color, s.width/3
		p.Add(bar)
	}
	line, marks, err := plotter.NewLinePoints(xys)
	if err != nil {
		return err
	}
	line.Color, line.Width, line.Dashes = s.color, s.width, s.dashes
	marks.Color, marks.Shape, marks.Radius = s.color, s.shape, vg.Points(2.5)
	if len(points) > 20 {
		marks.Radius = 0
	}
	p.Add(line, marks)
	return nil
}
