// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"sentrybinder/test/differential/play"
	pkgprogram "sentrybinder/test/differential/program"
)

// header and the program's name form the first line of a trace.
const header = "=== "

// playMain plays programs and prints their traces. It runs in the sandbox and under the
// kernel.
func playMain(args []string) (err error) {
	flags := flag.NewFlagSet("play", flag.ExitOnError)
	seeds := flags.String("seeds", "", "first and last seed of the programs to play, as FIRST-LAST")
	file := flags.String("file", "", "file with programs to play instead of -seeds")
	corpus := flags.String("corpus", "", "file with programs; every second seed's program begins like one of them")
	coverage := flags.String("coverage", "", "when to print the driver's coverage: \"end\" or \"each\", after each program")
	var options play.Options
	adapt := flags.Bool("adapt", false, "apply -like-c and -like-rust to the programs of -file, too")
	flags.BoolVar(&options.LikeC, "like-c", false, "leave out what Linux's C driver does differently")
	flags.BoolVar(&options.LikeRust, "like-rust", false, "leave out what Linux's Rust driver does differently")
	flags.BoolVar(&options.NoState, "no-state", false, "leave the driver's logs and counts out of traces")
	flags.Parse(args)

	w, err := play.NewWorld(options)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(os.Stdout, 1<<16)
	defer out.Flush()
	one := func(name string, src play.Source) error {
		trace, _, err := w.Play(src)
		fmt.Fprintf(out, "%s%s\n%s", header, name, trace)
		if *coverage == "each" {
			err = errors.Join(err, printCoverage(out, reachedHeader))
		}
		return err
	}
	if *coverage == "end" {
		defer func() { err = errors.Join(err, printCoverage(out, coverageHeader)) }()
	}
	if *file != "" {
		programs, err := readPrograms(*file)
		if err != nil {
			return err
		}
		for _, p := range programs {
			var src play.Source = &play.Replay{Steps: p.Steps}
			if *adapt {
				src = play.NewAdapter(p.Steps, options)
			}
			if err := one(p.Name, src); err != nil {
				return err
			}
		}
		return nil
	}
	first, last, err := parseSeeds(*seeds)
	if err != nil {
		return err
	}
	var beginnings []pkgprogram.Program
	if *corpus != "" {
		if beginnings, err = readPrograms(*corpus); err != nil {
			return err
		}
	}
	for seed := first; seed <= last; seed++ {
		if err := one(fmt.Sprint(seed), seededProgram(seed, options, beginnings)); err != nil {
			return err
		}
	}
	return nil
}

func printCoverage(out *bufio.Writer, header string) error {
	b, err := readCoverage()
	if err == nil && header == reachedHeader {
		_, b, err = splitCoverage(b)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s%s\n", header, base64.StdEncoding.EncodeToString(b))
	return nil
}

func parseSeeds(s string) (first, last uint64, err error) {
	if _, err := fmt.Sscanf(s, "%d-%d", &first, &last); err != nil {
		return 0, 0, fmt.Errorf("seeds %q: want FIRST-LAST", s)
	}
	return first, last, nil
}

// readPrograms reads programs. Each is a header followed by steps, one per line, which may
// be numbered as in a trace. Other lines are ignored.
func readPrograms(file string) ([]pkgprogram.Program, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var programs []pkgprogram.Program
	for line := range strings.Lines(string(b)) {
		if name, ok := strings.CutPrefix(line, header); ok {
			programs = append(programs, pkgprogram.Program{Name: strings.TrimSpace(name)})
			continue
		}
		s, ok, err := parseStep(line)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if !ok {
			continue
		}
		if len(programs) == 0 {
			programs = append(programs, pkgprogram.Program{Name: file})
		}
		p := &programs[len(programs)-1]
		p.Steps = append(p.Steps, s)
	}
	return programs, nil
}

// parseStep parses a line of a trace. It returns false if the line is not a step.
func parseStep(line string) (s pkgprogram.Step, ok bool, err error) {
	at := strings.IndexByte(line, '{')
	if at < 0 || strings.Trim(line[:at], "0123456789 ") != "" {
		return s, false, nil
	}
	if err := json.Unmarshal([]byte(line[at:]), &s); err != nil {
		return s, false, fmt.Errorf("%q: %w", line, err)
	}
	return s, true, nil
}

// writePrograms writes programs in the form that readPrograms reads.
func writePrograms(file string, programs []pkgprogram.Program) error {
	var b strings.Builder
	for _, p := range programs {
		fmt.Fprintf(&b, "%s%s\n", header, p.Name)
		for _, s := range p.Steps {
			fmt.Fprintln(&b, s)
		}
	}
	return os.WriteFile(file, []byte(b.String()), 0o644)
}
