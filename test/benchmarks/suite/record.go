// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Where recorded results are kept, and the page and the lines in it between which they
// are shown.
const (
	recordDir   = "test/benchmarks/results"
	recordPage  = "docs/benchmarks.md"
	recordBegin = "<!-- results: written by make record -->\n"
	recordEnd   = "<!-- end of results -->\n"
)

// record copies the results in -out into the repository and shows them.
func record() error {
	text, err := os.ReadFile(filepath.Join(*out, "results.json"))
	if err != nil {
		return err
	}
	var r report
	if err := json.Unmarshal(text, &r); err != nil {
		return err
	}
	plots, err := filepath.Glob(filepath.Join(*out, "*.svg"))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(recordDir, 0o755); err != nil {
		return err
	}
	for _, from := range append(plots, filepath.Join(*out, "results.json"), filepath.Join(*out, "report.md")) {
		file, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(recordDir, filepath.Base(from)), file, 0o644); err != nil {
			return err
		}
	}
	page, err := os.ReadFile(recordPage)
	if err != nil {
		return err
	}
	updated, err := replaceBetween(string(page), r.summary(plots))
	if err != nil {
		return err
	}
	return os.WriteFile(recordPage, []byte(updated), 0o644)
}

// replaceBetween returns page with part between the lines for results.
func replaceBetween(page, part string) (string, error) {
	before, rest, ok1 := strings.Cut(page, recordBegin)
	_, after, ok2 := strings.Cut(rest, recordEnd)
	if !ok1 || !ok2 {
		return "", errors.New(recordPage + " has no place for results")
	}
	return before + recordBegin + part + recordEnd + after, nil
}

// summary returns what recordPage shows: the plots, the marks, and a link to the
// rest.
func (r *report) summary(plots []string) string {
	dir := "../" + recordDir
	var s strings.Builder
	fmt.Fprintf(&s, "\n%s All tables are in [report.md](%s/report.md).\n\n", r.Machine, dir)
	for _, b := range r.Benchmarks {
		for _, p := range plots {
			if filepath.Base(p) == b.Name+".svg" {
				fmt.Fprintf(&s, "![%s](%s/%s.svg)\n", b.Title, dir, b.Name)
			}
		}
	}
	s.WriteString(marksTables(r.Marks))
	s.WriteString("\n")
	return s.String()
}
