// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A namedFault is a fault that a particular test must find, since random programs would
// need luck, or since it takes several threads. Most of those below are like vulnerabilities
// that were reported in other implementations of Binder.
type namedFault struct {
	fault

	// test is the name of the test.
	test string

	// unit is true if the test is one of the driver's unit tests, run with the race
	// detector, and false if it is one of test/syscalls.
	unit bool
}

var namedFaults = []namedFault{
	{fault{"a buffer is freed before it is delivered", "alloc/space.go",
		"	if *f != delivered {\n", "	if false {\n"},
		"TestCVE_2019_2025", false},
	{fault{"a thread that has exited is still known", "process.go",
		"	delete(p.inner.threads, th.id)\n", ""},
		"TestCVE_2019_2215", false},
	{fault{"an object that was not checked can be a parent", "gather.go",
		"		if g.open[i].index != index {\n", "		if g.open[i].index > index {\n"},
		"TestCVE_2020_0041", false},
	{fault{"work is released without the lock", "release.go",
		"			if w, more = th.inner.todo.popFront(); !more {\n",
		"			p.mu.Unlock()\n			w, more = th.inner.todo.popFront()\n			p.mu.Lock()\n			if !more {\n"},
		"TestCVE_2020_0423", true},
	{fault{"a rejected reference stays", "ref.go",
		"		r.removeIfUnusedLocked(ctx, p)\n", ""},
		"TestCVE_2022_20421", true},
	{fault{"a freed buffer's references stay", "buffer.go",
		"		_ = p.changeRef(ctx, uint32(o.Binder), false, o.Type == binder.BINDER_TYPE_HANDLE)\n", ""},
		"TestCVE_2022_20421", false},
	{fault{"objects that were not translated are cleaned up", "compose.go",
		"		to.discardBuffer(task, &b, c.translated)\n", "		to.discardBuffer(task, &b, m.OffsetsSize)\n"},
		"TestCVE_2023_20938", false},
	{fault{"no objects to clean up means all objects", "compose.go",
		"		to.discardBuffer(task, &b, c.translated)\n",
		"		to.discardBuffer(task, &b, min(c.translated-1, m.OffsetsSize-1)+1)\n"},
		"TestCVE_2023_21255", false},
	{fault{"a thread's own work does not wake pollers", "thread.go",
		"		p.pollers.Notify(waiter.ReadableEvents)\n", "		p.pollers.Notify(waiter.EventMask(0))\n"},
		"TestCVE_2024_26606", false},
	{fault{"offsets need not be aligned", "translate.go",
		"	if n < binder.SizeOfObjectHeader || offset%4 != 0 {\n", "	if n < binder.SizeOfObjectHeader {\n"},
		"TestCVE_2024_26926", false},
	{fault{"an object's offset may be beyond the data", "translate.go",
		"(offset < c.copied || offset > b.DataSize) {", "offset < c.copied {"},
		"TestCVE_2024_46740", false},
	{fault{"a notification is withdrawn without the lock", "ref.go",
		"		p.inner.deliveredDeath.dequeue(ctx, d.cookie, d)\n", "		p.mu.Unlock()\n		(&longWalk{}).yield()\n		p.inner.deliveredDeath.dequeue(ctx, d.cookie, d)\n		p.mu.Lock()\n"},
		"TestCVE_2025_68260", true},
	{fault{"an empty array is fixed up like a pointer", "scatter_gather.go",
		"	if o.NumFDs == 0 {\n",
		"	c.gather.fixups = append(c.gather.fixups, fixup{parent.start + o.ParentOffset, 8, 0, true})\n	if o.NumFDs == 0 {\n"},
		"TestCVE_2026_23194", false},
	{fault{"a thread that is not a looper deadlocks with itself", "death.go",
		"	p.inner.todo.pushBack(w)\n	p.wakeupLocked(ctx)\n}\n", "	p.mu.Lock()\n	p.inner.todo.pushBack(w)\n	p.wakeupLocked(ctx)\n}\n"},
		"TestCVE_2026_23400", false},
	{fault{"transactions go to whatever has replaced the mapping", "alloc/space.go",
		"	s.inner.mapped = false\n", ""},
		"TestCVE_2026_43434", false},
	{fault{"large transactions don't count as spam", "alloc/spam.go",
		" || share.bytes > in.size/suspectFraction", ""},
		"TestCVE_2026_43435", false},
	{fault{"the security context's space is used for buffers", "compose.go",
		"	c.gather.end = c.gather.next + c.m.buffersSize\n", "	c.gather.end = c.gather.next + b.ExtraSize\n"},
		"TestCVE_2026_68458", false},
	{fault{"a superseded call keeps its files open", "call.go",
		"		superseded.Get().abandon(task)\n", "		superseded.Get().files = nil\n		superseded.Get().abandon(task)\n"},
		"TestUpdateClosesFiles", false},
}

// dir returns the directory of the test.
func (f *namedFault) dir() string {
	if f.unit {
		return driverDir
	}
	return "test/syscalls"
}

// plantNamed plants each named fault and runs its test. First it checks that the tests pass
// without a fault.
func plantNamed() error {
	dir, err := os.MkdirTemp("build", "faults")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	// Commands are run in other directories.
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	syscalls := filepath.Join(dir, "syscalls.test")
	if err := goBuild("0", "test", "-c", "-trimpath", "-o", syscalls, "./test/syscalls"); err != nil {
		return err
	}
	run := func(f *namedFault, sandbox, unit string) error {
		command := inSandbox(sandbox, syscalls, "-must-run")
		if f.unit {
			command = []string{unit}
		}
		command = append(command, "-test.run=^"+f.test+"$", "-test.timeout=90s")
		// A sandbox whose driver hangs never ends.
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, command[0], command[1:]...)
		cmd.WaitDelay = 10 * time.Second
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err == nil && strings.Contains(string(out), "no tests to run") {
			return errors.New("there is no such test")
		}
		if err != nil {
			return fmt.Errorf("%w:\n%s", err, out)
		}
		return nil
	}
	unit := filepath.Join(dir, "unit.test")
	buildUnit := func(args ...string) error {
		args = append([]string{"test", "-c", "-race", "-tags=lockdep", "-o", unit}, args...)
		return goBuild("1", append(args, "./"+driverDir)...)
	}
	if err := buildUnit(); err != nil {
		return err
	}
	sandbox, err := filepath.Abs(*runsc)
	if err != nil {
		return err
	}
	chosen := slices.DeleteFunc(slices.Clone(namedFaults), func(f namedFault) bool { return !strings.Contains(f.name, *only) })
	for i := range chosen {
		if err := run(&chosen[i], sandbox, unit); err != nil {
			return fmt.Errorf("%s fails without a fault: %w", chosen[i].test, err)
		}
	}
	missed := 0
	for i := range chosen {
		f := &chosen[i]
		if f.unit {
			var config string
			if config, err = f.overlay(dir); err == nil {
				err = buildUnit("-overlay=" + config)
			}
		} else {
			sandbox, err = f.build(dir)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		start := time.Now()
		verdict := "found by " + f.test
		if run(f, sandbox, unit) == nil {
			verdict = "NOT FOUND by " + f.test
			missed++
		}
		fmt.Printf("%-60s %s, in %v\n", f.name, verdict, time.Since(start).Round(time.Second))
	}
	if missed > 0 {
		return fmt.Errorf("%d of %d faults were not found by their tests", missed, len(chosen))
	}
	fmt.Printf("%d faults found by their tests\n", len(chosen))
	return nil
}

// goBuild runs the go command with cgo enabled, "1", or disabled, "0".
func goBuild(cgo string, args ...string) error {
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}
