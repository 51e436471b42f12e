// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// roots are the directories whose files must all be accounted for.
var roots = []string{"pkg", "runsc", "test"}

// series is the series of patches.
type series struct {
	repo    string
	patches []*patch
	leftOut []leftOut
}

// patch is one patch of the series.
type patch struct {
	// file is its source, relative to the repository.
	file string

	// message and parts are only set for text files.
	message string
	parts   []*part

	// left is true for a patch in runsc/patches that is left out.
	left bool
}

// part is some files of one package.
type part struct {
	kind     string // "package", "code" or "tests"
	dir      string
	as       string // where it goes
	patterns []string

	// files are the paths of the files, relative to the repository.
	files []string
}

// leftOut is a pattern of files that are not part of the series.
type leftOut struct {
	pattern, reason string
	used            bool
}

// isPatch returns whether p is a file that git can apply.
func (p *patch) isPatch() bool { return strings.HasSuffix(p.file, ".patch") }

// readSeries reads the series of the repository at repo.
func readSeries(repo string) (*series, error) {
	s := &series{repo: repo}
	if err := s.readLeftOut(); err != nil {
		return nil, err
	}
	for _, pattern := range []string{"runsc/patches/*.patch", "tools/upstream/series/*"} {
		files, err := filepath.Glob(filepath.Join(repo, pattern))
		if err != nil {
			return nil, err
		}
		slices.Sort(files)
		for _, file := range files {
			name, _ := filepath.Rel(repo, file)
			p := &patch{file: filepath.ToSlash(name)}
			if !p.isPatch() {
				if err := p.read(file); err != nil {
					return nil, err
				}
			}
			s.patches = append(s.patches, p)
		}
	}
	return s, s.assign()
}

func (s *series) readLeftOut() error {
	text, err := os.ReadFile(filepath.Join(s.repo, "tools/upstream/left-out.txt"))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		pattern, reason, _ := strings.Cut(line, " ")
		if reason == "" {
			return fmt.Errorf("left-out.txt: %s is left out for no reason", pattern)
		}
		s.leftOut = append(s.leftOut, leftOut{pattern: pattern, reason: strings.TrimSpace(reason)})
	}
	return nil
}

// read reads a text file.
func (p *patch) read(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	message, parts, ok := strings.Cut(string(text), "\n--\n")
	if !ok {
		return fmt.Errorf(`%s: no line "--" before what the patch adds`, p.file)
	}
	p.message = message + "\n"
	for line := range strings.Lines(parts) {
		words := strings.Fields(line)
		if len(words) < 2 || !slices.Contains([]string{"package", "code", "tests"}, words[0]) {
			return fmt.Errorf("%s: %q is no part of a patch", p.file, strings.TrimSpace(line))
		}
		part := &part{kind: words[0], dir: words[1], as: words[1]}
		rest := words[2:]
		if len(rest) > 1 && rest[0] == "as" {
			part.as, rest = rest[1], rest[2:]
		}
		part.patterns = rest
		p.parts = append(p.parts, part)
	}
	return nil
}

// assign assigns each file to a part.
func (s *series) assign() error {
	var errs []error
	for _, root := range roots {
		err := filepath.WalkDir(filepath.Join(s.repo, root), func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			name, _ := filepath.Rel(s.repo, file)
			if err := s.assignFile(filepath.ToSlash(name)); err != nil {
				errs = append(errs, err)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, l := range s.leftOut {
		if !l.used {
			errs = append(errs, fmt.Errorf("left-out.txt: there is no %s", l.pattern))
		}
	}
	for _, p := range s.patches {
		for _, part := range p.parts {
			if len(part.files) == 0 {
				errs = append(errs, fmt.Errorf("%s: there is nothing for %s %s %s", p.file, part.kind, part.dir, strings.Join(part.patterns, " ")))
			}
		}
	}
	return errors.Join(errs...)
}

func (s *series) assignFile(name string) error {
	for i := range s.leftOut {
		l := &s.leftOut[i]
		if ok, _ := path.Match(l.pattern, name); !ok && !strings.HasPrefix(name, l.pattern+"/") {
			continue
		}
		l.used = true
		for _, p := range s.patches {
			if p.file == name {
				p.left = true
			}
		}
		return nil
	}
	if isRemade(name) || slices.ContainsFunc(s.patches, func(p *patch) bool { return p.file == name }) {
		return nil
	}
	var best *part
	for _, p := range s.patches {
		for _, part := range p.parts {
			if part.has(name) && (best == nil || len(part.patterns) > 0) {
				best = part
			}
		}
	}
	if best == nil {
		return fmt.Errorf("%s belongs to no patch of tools/upstream/series, nor is it in tools/upstream/left-out.txt", name)
	}
	best.files = append(best.files, name)
	return nil
}

// isRemade returns whether gVisor's tree gets a newly generated version of a file.
func isRemade(name string) bool {
	base := path.Base(name)
	return base == "BUILD.bazel" || isGenerated(base)
}

// isGenerated returns whether a Go file is generated code.
func isGenerated(name string) bool {
	return strings.HasSuffix(name, ".go") && strings.Contains(name, "_autogen")
}

// has returns whether a file belongs to the part.
func (p *part) has(name string) bool {
	rest, ok := strings.CutPrefix(name, p.dir+"/")
	if !ok {
		return false
	}
	data := strings.HasPrefix(rest, "testdata/")
	if !data && strings.Contains(rest, "/") {
		return false
	}
	isTest := data || strings.HasSuffix(rest, "_test.go") || !strings.HasSuffix(rest, ".go")
	if p.kind == "code" && isTest || p.kind == "tests" && !isTest {
		return false
	}
	return len(p.patterns) == 0 || slices.ContainsFunc(p.patterns, func(pattern string) bool {
		ok, _ := path.Match(pattern, rest)
		return ok
	})
}

// moves returns pairs of import paths, old and new, of the packages that move.
func (s *series) moves() []string {
	var moves []string
	for _, p := range s.patches {
		for _, part := range p.parts {
			if part.as != part.dir {
				moves = append(moves, module+"/"+part.dir, gvisor+"/"+part.as)
			}
		}
	}
	return moves
}
