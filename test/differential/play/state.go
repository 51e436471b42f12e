// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package play

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
)

// Numbers of processes and threads in binder_logs/state, times, and addresses.
var (
	stateProc   = regexp.MustCompile(`(?m)^proc (\d+)$`)
	stateThread = regexp.MustCompile(`(?m)^  thread (\d+):`)
	stateEnds   = regexp.MustCompile(`from (\d+):(\d+) to (\d+):(\d+)`)
	stateRefs   = regexp.MustCompile(`(?m) proc( \d+)+$`)
	stateTime   = regexp.MustCompile(` elapsed \d+ms`)
	statePlace  = regexp.MustCompile(`: [0-9a-f]{16} from`)
	stateDeath  = regexp.MustCompile(`(?m) d 0*[1-9a-f][0-9a-f]*$`)
)

// state returns what the driver says of all that it has, which is more than a
// program can see of it.
func (w *World) state() string {
	b, err := os.ReadFile(filepath.Join(filepath.Dir(w.stats.Name()), "state"))
	if err != nil {
		return ""
	}
	name := func(digits string) string {
		id, _ := strconv.Atoi(digits)
		if id == 0 {
			return digits
		}
		for i, p := range w.procs {
			if p == nil {
				continue
			}
			for j, th := range p.threads {
				if th.TID == id && j == 0 {
					return fmt.Sprintf("P%d", i)
				} else if th.TID == id {
					return fmt.Sprintf("P%d.%d", i, j)
				}
			}
		}
		return "P?"
	}
	rename := func(re *regexp.Regexp, s string) string {
		return re.ReplaceAllStringFunc(s, func(match string) string {
			return numberInState.ReplaceAllStringFunc(match, name)
		})
	}
	s := string(b)
	for _, re := range []*regexp.Regexp{stateProc, stateThread, stateEnds, stateRefs} {
		s = rename(re, s)
	}
	s = stateDeath.ReplaceAllString(s, " d")
	return statePlace.ReplaceAllString(stateTime.ReplaceAllString(s, ""), ": from")
}

var numberInState = regexp.MustCompile(`\d+`)
