// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package play

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/test/differential/program"
)

// What is replaced in binder_logs, or left out: IDs of processes and threads, numbers
// that the driver allocates globally, times, addresses, line numbers of the kernel's
// source, and earlier programs' transactions.
var (
	stateProc   = regexp.MustCompile(`(?m)^proc (\d+)$`)
	stateThread = regexp.MustCompile(`(?m)^  thread (\d+):`)
	stateEnds   = regexp.MustCompile(`from (\d+):(\d+) to (\d+):(\d+)`)
	stateRefs   = regexp.MustCompile(`(?m) proc( \d+)+$`)
	stateTime   = regexp.MustCompile(` elapsed \d+ms`)
	statePlace  = regexp.MustCompile(`: [0-9a-f]{16} from`)
	stateHashed = regexp.MustCompile(`u[0-9a-f]{16} c[0-9a-f]{16}`)
	stateIDs    = regexp.MustCompile(`\b(transaction|node|work|ref|buffer) \d+|(?m)^\d+:`)
	stateOlder  = regexp.MustCompile(`(?m)^(0|-\d+): .*\n`)
	stateLine   = regexp.MustCompile(` l=\d+`)
	stateDeath  = regexp.MustCompile(`(?m) d 0*[1-9a-f][0-9a-f]*$`)
)

// state returns the driver's log of its whole state, which is more than a program can
// observe otherwise.
func (w *World) state() string { return w.readLog("state") }

// readLastID returns the debug ID that the driver allocated last. It makes a transaction
// that fails, since the driver reports the debug ID of those.
func readLastID() (int, error) {
	fd, err := unix.Open("/dev/binder", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	ioctl := func(request uintptr, arg []byte) error {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(unsafe.Pointer(&arg[0])))
		if errno != 0 {
			return fmt.Errorf("ioctl %#x: %w", request, errno)
		}
		return nil
	}
	toNobody := encode([]program.Command{{Code: binder.BC_TRANSACTION, Handle: 1}}, nil, &memory{})
	wr := binder.WriteRead{WriteSize: uint64(len(toNobody)), WriteBuffer: uint64(uintptr(unsafe.Pointer(&toNobody[0])))}
	arg := make([]byte, binder.SizeOfWriteRead)
	wr.MarshalBytes(arg)
	var failure binder.ExtendedError
	b := make([]byte, binder.SizeOfExtendedError)
	err = errors.Join(ioctl(binder.BINDER_WRITE_READ, arg), ioctl(binder.BINDER_GET_EXTENDED_ERROR, b))
	runtime.KeepAlive(toNobody)
	failure.UnmarshalBytes(b)
	return int(failure.ID), err
}

// log returns the log that s reads.
func (w *World) log(s *program.Step) string {
	name := program.LogNames[s.Arg&0xff%uint64(len(program.LogNames))]
	if name == "proc" {
		name += fmt.Sprintf("/%d", w.pid(s.Arg>>8))
	}
	text := w.readLog(name)
	if strings.HasSuffix(name, "hashed") {
		text = stateHashed.ReplaceAllString(text, "u c")
	}
	return text
}

// readLog returns the contents of a file in binder_logs, in canonical form.
func (w *World) readLog(file string) string {
	b, err := os.ReadFile(filepath.Join(filepath.Dir(w.stats.Name()), file))
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
	s = stateIDs.ReplaceAllStringFunc(s, func(match string) string {
		return numberInState.ReplaceAllStringFunc(match, func(digits string) string {
			id, _ := strconv.Atoi(digits)
			if id == 0 {
				return digits // 0 is nothing's ID.
			}
			return strconv.Itoa(id - w.lastID)
		})
	})
	s = stateOlder.ReplaceAllString(s, "")
	s = stateDeath.ReplaceAllString(s, " d")
	s = stateLine.ReplaceAllString(s, "")
	s = statePlace.ReplaceAllString(stateTime.ReplaceAllString(s, ""), ": from")
	return w.withoutOwnWork(s)
}

// withoutOwnWork removes work that reading the log itself has caused: to show a node, the
// driver holds a reference to it for a moment, and queues the node to its owner afterwards.
// If that wakes a sleeping thread of the owner, the thread may or may not have taken the
// work by the time that the log shows the owner's work.
func (w *World) withoutOwnWork(log string) string {
	sleeps := make(map[string]bool)
	for _, p := range w.procs {
		if p == nil {
			continue
		}
		for _, th := range p.threads {
			if th.Busy() && th.pending.dev != nil {
				sleeps["proc "+w.name(int32(th.pending.dev.owner.actors.PID))+"\n"] = true
			}
		}
	}
	var out strings.Builder
	uncertain := false
	for line := range strings.Lines(log) {
		if strings.HasPrefix(line, "proc ") {
			uncertain = sleeps[line]
		}
		if !uncertain || !strings.HasPrefix(line, "  node work ") {
			out.WriteString(line)
		}
	}
	return out.String()
}

var numberInState = regexp.MustCompile(`\d+`)
