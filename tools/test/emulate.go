// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// emulatedUnits are the packages whose unit tests run on arm64: the driver and what it
// is built of.
var emulatedUnits = []string{
	"pkg/abi/binder",
	"pkg/binder/idpool",
	"pkg/binder/kvvec",
	"pkg/binder/list",
	"pkg/binder/pool",
	"pkg/sentry/devices/binder",
	"pkg/sentry/devices/binder/account",
	"pkg/sentry/devices/binder/alloc",
	"pkg/sentry/devices/binder/trace",
}

// A job runs in an emulated machine.
type job struct {
	suite   string
	place   string
	command string // of the shell
	isTest  bool   // whether it prints a Go test's output; otherwise it counts as one test
}

// A machine is one that test/arm64/machine emulates.
type machine struct {
	runs  string // what it does
	place string // the processor and the size of pages
	args  []string
	jobs  []job
}

// Values of machine.place.
const (
	arm64Small = "arm64, 4 KiB pages"
	arm64Large = "arm64, 16 KiB pages"
	amd64      = "amd64"
)

// unitJob runs the unit tests of a package on the machine's kernel.
func unitJob(pkg string) job {
	return job{pkg, "kernel", "cd /tmp && " + arm64Test(pkg) + " -test.v=test2json -test.short", true}
}

// arm64Test returns the path of a package's tests in a machine.
func arm64Test(pkg string) string { return "/programs/tests/" + testBinary(pkg) }

// testBinary returns the name of a package's tests, as tools/build/programs has it.
func testBinary(pkg string) string { return strings.ReplaceAll(pkg, "/", "-") + ".test" }

// sandboxed returns a command that runs another one in a sandbox.
func sandboxed(platform, command string) string {
	// A sandbox writes to a file at offsets of its own, over what others have written.
	return "set -o pipefail; runsc --network=none --ignore-cgroups --platform=" + platform +
		" do --annotation dev.sentrybinder.cgroup=v2 " + command + " 2>&1 | cat"
}

// syscallsJob runs the conformance tests in a sandbox, or on the machine's kernel.
func syscallsJob(place, args string) job {
	command := arm64Test(surfaceSuite) + " -test.v=test2json -must-run " + args
	if place != "linux" {
		command = sandboxed(place, command)
	}
	return job{surfaceSuite, place, command, true}
}

// withoutBinderfs leaves out what takes binderfs, which Debian's kernel lacks: there,
// devices could be mapped to be run, too.
const withoutBinderfs = " -test.skip='Binderfs|^TestWrittenByControl$|^TestMmapProtection$|^TestMprotect$'"

// stormJob attacks the driver in a sandbox.
func stormJob(seconds int) job {
	j := syscallsJob("systrap", fmt.Sprintf("-test.run=^TestStorm$ -storm=%ds -storm-processes=20", seconds))
	j.suite = "a storm"
	return j
}

func demoJob(platform string) job {
	return job{"examples/demo", platform, sandboxed(platform, "/programs/programs/demo"), false}
}

// checkpointJob saves and restores sandboxes.
func checkpointJob(platforms, tests string) job {
	// The same binary runs in the containers.
	return job{"checkpoint and restore", platforms, "cp " + arm64Test("test/pod") + " /tmp/pod.test && cd /tmp && " +
		"RUNSC=/bin/runsc ./pod.test -test.v=test2json -test.run='" + tests + "'", true}
}

// smallMachines is what takes minutes, not hours.
var smallMachines = []machine{{"a small set", arm64Small, []string{"-t", "300"}, []job{
	demoJob("systrap"),
	demoJob("ptrace"),
	syscallsJob("systrap", "-test.run='^Test(Transaction|Reply|Death|FD|Poll)'"),
	stormJob(3),
	checkpointJob("systrap", "^TestSyscallsGoOn$/^systrap$"),
}}}

// machines is everything.
func machines() []machine {
	units := machine{"units, demo, storm, checkpoints", arm64Small, []string{"-t", "7200"}, nil}
	for _, pkg := range emulatedUnits {
		units.jobs = append(units.jobs, unitJob(pkg))
	}
	units.jobs = append(units.jobs, unitJob("test/syscalls/remote"), unitJob("test/differential/actor"),
		demoJob("systrap"), demoJob("ptrace"), stormJob(10), checkpointJob("both platforms", "^TestSyscallsGoOn$"))
	const limit = "-test.timeout=7100s"
	syscalls := func(what, place, on string, args ...string) machine {
		flags := limit
		if on == "linux" {
			args = append(args, "-bs")
			flags += withoutBinderfs
		} else {
			// With one CPU, nothing in a sandbox polls, which halves what its
			// emulation takes. The other machine's sandboxes have two. The driver may
			// keep an eighth of the memory: less than a million nodes take with 2 GiB.
			args = append(args, "-n", "1", "-m", "4G")
		}
		return machine{what, place, append(args, "-t", "7200"), []job{syscallsJob(on, flags)}}
	}
	return []machine{
		// What takes longest comes first.
		syscalls("conformance tests on systrap", arm64Small, "systrap"),
		syscalls("conformance tests on ptrace", arm64Small, "ptrace"),
		units,
		// For comparison: Linux's own driver.
		syscalls("conformance tests on Linux", arm64Small, "linux"),
		syscalls("conformance tests on Linux", arm64Large, "linux", "-k", "16k"),
		syscalls("conformance tests on Linux", amd64, "linux", "-k", "amd64"),
	}
}

// emulate returns the steps that test on emulated processors: all, or the small ones. Of
// those that are not preparations it leaves out what only doesn't match.
func emulate(small bool, only *regexp.Regexp) []step {
	var steps []step
	if small {
		steps = []step{
			{"build for arm64", check("sh", "-c", buildSmall())},
			{"Debian's kernel", check("test/arm64/prepare.sh", "4k")},
		}
	} else {
		steps = []step{
			{"build for arm64", check("make", "--no-print-directory", "programs", "ARCH=arm64")},
			{"build for amd64", check("sh", "-c", buildTests(surfaceSuite, "bin"))},
			{"Debian's kernels", check("test/arm64/prepare.sh", "4k", "16k", "amd64")},
		}
	}
	const units = "unit tests under qemu-aarch64"
	var tests []step
	if only.MatchString(units) {
		tests = append(tests, step{units, emulateUnits})
	}
	all := slices.Clone(smallMachines)
	if !small {
		all = machines()
	}
	all = slices.DeleteFunc(all, func(m machine) bool { return !only.MatchString(m.name()) })
	var runs []func() printed
	for _, m := range all {
		runs = append(runs, m.run)
	}
	for i, wait := range sideBySide(runtime.NumCPU(), runs) {
		tests = append(tests, step{all[i].name(), func() ([]row, error) { return all[i].results(wait()) }})
	}
	return append(steps, tests...)
}

// sideBySide returns functions that return what those of runs do. The first call starts
// runs, in order and at most limit at a time.
func sideBySide[T any](limit int, runs []func() T) []func() T {
	results := make([]chan T, len(runs))
	for i := range results {
		results[i] = make(chan T, 1)
	}
	start := sync.OnceFunc(func() {
		next := make(chan int, len(runs))
		for i := range runs {
			next <- i
		}
		close(next)
		for range limit {
			go func() {
				for i := range next {
					results[i] <- runs[i]()
				}
			}()
		}
	})
	var waits []func() T
	for i := range runs {
		waits = append(waits, func() T {
			start()
			return <-results[i]
		})
	}
	return waits
}

// buildTests returns a command that builds the tests of a package as tools/build/programs
// does.
func buildTests(pkg, bin string) string {
	return "CGO_ENABLED=0 go test -c -trimpath -buildvcs=false -ldflags='-s -w' -o " + bin + "/tests/" + testBinary(pkg) + " ./" + pkg
}

// buildSmall returns a command that builds, of make programs, what the small set runs.
func buildSmall() string {
	script := "set -e; make --no-print-directory runsc ARCH=arm64; export GOARCH=arm64; mkdir -p bin/arm64/programs\n" +
		"CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags='-s -w' -o bin/arm64/programs/ ./examples/demo\n"
	for _, pkg := range append(slices.Clone(emulatedUnits), surfaceSuite, "test/pod") {
		script += buildTests(pkg, "bin/arm64") + "\n"
	}
	return script
}

// emulateUnits runs unit tests as processes of this machine.
func emulateUnits() ([]row, error) {
	var rows []row
	for _, pkg := range emulatedUnits {
		binary, err := filepath.Abs("bin/arm64/tests/" + testBinary(pkg))
		if err != nil {
			return rows, err
		}
		cmd := exec.Command("qemu-aarch64", binary, "-test.v=test2json", "-test.short")
		cmd.Dir = pkg
		output, err := cmd.Output()
		results, readErr := readLog(pkg, bytes.NewReader(output), os.Stdout)
		if readErr != nil {
			return rows, errors.Join(err, readErr)
		}
		rows = append(rows, results.row(pkg, "arm64, user mode", err != nil))
	}
	return rows, nil
}

// jobMark begins the lines before and after what a job prints.
const jobMark = "==== job "

// name returns what m does, and on which processor.
func (m machine) name() string { return m.place + ": " + m.runs }

// printed is what a machine has printed.
type printed struct {
	text string
	err  error // of the machine
}

// run runs all of m's jobs, one after the other.
func (m machine) run() printed {
	script := "[ ! -e /programs/runsc ] || cp /programs/runsc /bin/runsc\n"
	for i, j := range m.jobs {
		script += fmt.Sprintf("echo; echo '%s%d'; (%s) 2>&1; status=$?; echo; echo '%send' $status\n",
			jobMark, i, j.command, jobMark)
	}
	cmd := exec.Command("test/arm64/machine", append(m.args, "--", "sh", "-c", script)...)
	cmd.Stderr = os.Stderr
	output, err := cmd.Output()
	return printed{string(output), err}
}

// results returns what the jobs counted. It returns the machine's error if no job has
// failed.
func (m machine) results(p printed) (rows []row, err error) {
	broken := false
	for i, j := range m.jobs {
		_, text, _ := strings.Cut(p.text, fmt.Sprintf("\n%s%d\n", jobMark, i))
		text, rest, ended := strings.Cut(text, "\n"+jobMark+"end ")
		ok := ended && strings.HasPrefix(rest, "0\n")
		r := row{suite: j.suite, place: m.place + ": " + j.place, counts: counts{passed: 1}}
		if !ok {
			r.counts = counts{failed: 1}
		}
		if j.isTest {
			results, err := readLog(j.suite, strings.NewReader(text), os.Stdout)
			if err != nil {
				return rows, err
			}
			r = results.row(r.suite, r.place, !ok)
		}
		if r.failed > 0 && !j.isTest {
			fmt.Println(text)
		}
		broken = broken || r.failed > 0
		rows = append(rows, r)
	}
	if broken {
		return rows, nil
	}
	return rows, p.err
}
