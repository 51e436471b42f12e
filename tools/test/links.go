// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"
)

// link matches the target of a Markdown link or image.
var link = regexp.MustCompile(`\]\(([^()\s]+)\)`)

// checkLinks checks that each link in the documentation that stays in the repository
// leads to an existing file, and to a heading in it if it names one.
func checkLinks() ([]row, error) {
	if err := brokenLinks("."); err != nil {
		return nil, err
	}
	return []row{{place: "source", counts: counts{passed: 1}}}, nil
}

// brokenLinks returns an error for each link below root that leads nowhere.
func brokenLinks(root string) error {
	var errs []error
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (path == filepath.Join(root, "build") || d.Name() == ".git") {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != ".md" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range link.FindAllStringSubmatch(prose(string(text)), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if err := resolve(path, m[1]); err != nil {
				errs = append(errs, fmt.Errorf("%s: link to %s: %w", path, m[1], err))
			}
		}
		return nil
	})
	return errors.Join(append(errs, err)...)
}

// resolve returns an error if a link in the file at path leads nowhere.
func resolve(path, target string) error {
	file, fragment, _ := strings.Cut(target, "#")
	if file != "" {
		path = filepath.Join(filepath.Dir(path), file)
	}
	text, err := os.ReadFile(path)
	if fragment == "" {
		_, err = os.Stat(path)
		return err
	}
	if err != nil {
		return err
	}
	for line := range strings.Lines(prose(string(text))) {
		if heading, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && line[0] == '#' && anchor(heading) == fragment {
			return nil
		}
	}
	return errors.New("no such heading")
}

// prose returns text without its code blocks.
func prose(text string) string {
	var b strings.Builder
	code := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "```") {
			code = !code
		} else if !code {
			b.WriteString(line)
		}
	}
	return b.String()
}

// anchor returns the fragment by which links name a heading.
func anchor(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, strings.TrimSpace(heading))
}
