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

// A line of playMain's output with this and base64 has the coverage of the driver
// since the sandbox was started, as the gate gives it.
const coverageHeader = "+++ coverage "

// gateCoverage is the gate's request for coverage.
const gateCoverage = 0x6702

// readCoverage asks the gate for coverage: Go's meta data and counters, each after
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

// splitCoverage returns the parts of what readCoverage returns.
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

// saveCoverage puts the coverage lines among out into dir, in the form that go tool
// covdata reads, and returns the other lines.
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
		// The counters' header has the hash of the meta data.
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

// blocks has, by block of the driver's code, its statements and whether they ran.
type blocks map[string]block

type block struct {
	statements int
	ran        bool
}

// readBlocks reads the coverage in dir. What is generated, and the gate, are not
// counted.
func readBlocks(dir string) (blocks, error) {
	profile := filepath.Join(dir, "profile")
	if out, err := exec.Command("go", "tool", "covdata", "textfmt", "-i="+dir, "-o="+profile).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go tool covdata: %w\n%s", err, out)
	}
	text, err := os.ReadFile(profile)
	if err != nil {
		return nil, err
	}
	all := make(blocks)
	for line := range bytes.Lines(text) {
		var place string
		var statements, count int
		if n, _ := fmt.Sscan(string(line), &place, &statements, &count); n == 3 && strings.Contains(place, driverDir) &&
			!strings.Contains(place, "/gate") && !strings.Contains(place, "_autogen") {
			all[place] = block{statements, all[place].ran || count > 0}
		}
	}
	return all, nil
}

// percent returns the statements that ran, in percent.
func (b blocks) percent() float64 {
	ran, total := 0, 0
	for _, block := range b {
		total += block.statements
		if block.ran {
			ran += block.statements
		}
	}
	return 100 * float64(ran) / float64(max(total, 1))
}

// missed returns the places that were not reached.
func (b blocks) missed() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(b)), func(place string) bool { return b[place].ran })
}
