// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// coverageHeader begins the line of playMain's output that has the driver's coverage in a
// batch, in the gate's format and base64.
const coverageHeader = "+++ coverage "

// reachedHeader begins lines that have only the counters of the coverage, of one program.
const reachedHeader = "+++ reached "

// gateCoverage is the gate's request for coverage.
const gateCoverage = 0x6702

// readCoverage asks the gate for coverage: Go's metadata and counters, each preceded by
// its size.
func readCoverage() ([]byte, error) {
	fd, err := unix.Open("/dev/binder_gate", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	b := make([]byte, 1<<20)
	n, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), gateCoverage, uintptr(unsafe.Pointer(&b[0])))
	if errno != 0 {
		return nil, errno
	}
	return b[:n], nil
}

// splitCoverage splits what readCoverage returns.
func splitCoverage(b []byte) (meta, counters []byte, err error) {
	part := func() []byte {
		if len(b) < 8 {
			err = errors.New("coverage is cut short")
			return nil
		}
		n := binary.NativeEndian.Uint64(b)
		if uint64(len(b)-8) < n {
			err = errors.New("coverage is cut short")
			return nil
		}
		p := b[8 : 8+n]
		b = b[8+n:]
		return p
	}
	meta, counters = part(), part()
	return meta, counters, err
}

// saveCoverage saves the coverage in out to dir, unless that is "", in the format that go
// tool covdata reads. It returns the other lines of out.
func saveCoverage(dir, out string) (string, error) {
	var rest strings.Builder
	for line := range strings.Lines(out) {
		text, ok := strings.CutPrefix(line, coverageHeader)
		if !ok {
			rest.WriteString(line)
			continue
		}
		if dir == "" {
			continue
		}
		b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
		if err != nil {
			return "", err
		}
		meta, counters, err := splitCoverage(b)
		if err != nil {
			return "", err
		}
		// The header of the counters has the hash of the metadata.
		if len(counters) < 24 {
			return "", errors.New("coverage is cut short")
		}
		hash := hex.EncodeToString(counters[8:24])
		files, err := os.ReadDir(dir)
		if err != nil {
			return "", err
		}
		if err := errors.Join(
			os.WriteFile(filepath.Join(dir, "covmeta."+hash), meta, 0o644),
			os.WriteFile(filepath.Join(dir, fmt.Sprintf("covcounters.%s.%d.1", hash, len(files)+1)), counters, 0o644),
		); err != nil {
			return "", err
		}
	}
	return rest.String(), nil
}

// blocks has the blocks of the driver's code, by place.
type blocks map[string]block

// block is a block of code: its number of statements, and whether it ran.
type block struct {
	statements int
	ran        bool
}

// readBlocks reads the coverage that saveCoverage has saved in dir.
func readBlocks(dir string) (blocks, error) {
	profile := filepath.Join(dir, "profile")
	if out, err := exec.Command("go", "tool", "covdata", "textfmt", "-i="+dir, "-o="+profile).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go tool covdata: %w\n%s", err, out)
	}
	all := make(blocks)
	return all, all.read(profile)
}

// read adds a coverage profile of go test, without generated code.
func (b blocks) read(profile string) error {
	text, err := os.ReadFile(profile)
	if err != nil {
		return err
	}
	for line := range bytes.Lines(text) {
		var place string
		var statements, count int
		if n, _ := fmt.Sscan(string(line), &place, &statements, &count); n == 3 && strings.Contains(place, driverDir) &&
			!strings.Contains(place, "_autogen") {
			b[place] = block{statements, b[place].ran || count > 0}
		}
	}
	return nil
}

// report prints the share of statements that tests have reached and, with -missed, the
// places that they have not.
func (b blocks) report(tests string) {
	ran, total := 0, 0
	for _, place := range slices.Sorted(maps.Keys(b)) {
		total += b[place].statements
		if b[place].ran {
			ran += b[place].statements
		} else if *missed {
			fmt.Println(place)
		}
	}
	fmt.Printf("%.1f%% of the driver's statements ran in %s\n", 100*float64(ran)/float64(max(total, 1)), tests)
}

// coverageMain reports how much of the driver's code all tests reach together: its unit
// tests, the conformance tests, and the corpus and the programs of the seeds.
func coverageMain(here place, first, last uint64) error {
	dir, err := os.MkdirTemp("build", "coverage")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	run := func(name string, args ...string) error {
		cmd := exec.Command(name, args...)
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		return cmd.Run()
	}
	profile, conformance := filepath.Join(dir, "unit"), absolute(filepath.Join(dir, "syscalls.test"))
	if err := run("go", "test", "-coverprofile="+profile, "./"+driverDir+"/..."); err != nil {
		return err
	}
	all := make(blocks)
	if err := all.read(profile); err != nil {
		return err
	}
	all.report("the unit tests")

	if err := run("go", "test", "-c", "-o", conformance, "./test/syscalls"); err != nil {
		return err
	}
	for _, tests := range []struct {
		name string
		play func(p place) error
	}{
		{"the conformance tests", func(p place) error {
			// The shell runs the tests, then playMain, which plays no program but
			// prints the coverage.
			p.command = inSandbox(*runsc, "sh", "-c", conformance+` >&2; exec "$@"`, "sh")
			_, err := p.play("-file", os.DevNull)
			return err
		}},
		{"the corpus and programs", func(p place) error {
			if _, err := p.play(corpusArgs()...); err != nil {
				return err
			}
			for ; first <= last; first += uint64(*batch) {
				if _, err := p.play(seedArgs(first, min(last, first+uint64(*batch)-1))...); err != nil {
					return err
				}
			}
			return nil
		}},
	} {
		p := here
		if p.coverage, err = os.MkdirTemp(dir, "sandbox"); err != nil {
			return err
		}
		if err := tests.play(p); err != nil {
			return err
		}
		ran, err := readBlocks(p.coverage)
		if err != nil {
			return err
		}
		ran.report(tests.name)
		if err := all.read(filepath.Join(p.coverage, "profile")); err != nil {
			return err
		}
	}
	all.report("all of them")
	return nil
}
