// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package android rehearses Android's boot: it asks of the kernel what init, ueventd,
// the native daemons, zygote and system_server ask besides Binder, in their order and
// in their way. The same binary runs in the sandbox, with all of Android's annotations,
// and on Linux.
//
// On Linux every step succeeds, except those that depend on Linux's configuration,
// which shows that the steps ask for the right things. In the sandbox a step may fail:
// the table in docs/android.md lists which do, and with what result. Any other result
// is an error. With -table the table is printed instead.
package android

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/test/syscalls/remote"
)

var (
	// mustRun enables the tests. They mount file systems and change sysctls, so they only
	// run where that is intended.
	mustRun = flag.Bool("must-run", false, "run the tests, which need root and change the machine")

	printTable = flag.Bool("table", false, "print the table of docs/android.md instead of comparing with it")
)

// A stage is a part of the boot.
type stage struct {
	name  string
	steps []step
}

// A step is something that Android's user space asks of the kernel: a row of the
// table in docs/android.md.
type step struct {
	what    string
	who     string
	without string // what happens if it fails

	// run executes the step. It returns an errno, or an error that says what is wrong.
	run func(b *boot) error

	// linux says what the step needs on Linux, or in its configuration, if it may fail
	// there.
	linux string

	// why says why the step fails in the sandbox, if it does.
	why string
}

// The stages in the order of the boot.
var stages = []stage{firstStage, secondStage, services, devices, daemons, sharedMemory, zygote, systemServer}

// A boot is the state that the steps share.
type boot struct {
	*testing.T // of the step

	// root is a separate file system, for what init would mount at /.
	root string
	// cgroup is where cgroup2 is mounted, or "".
	cgroup string
}

// Variables that tell the test binary its role.
const (
	// insideEnv: it runs in a separate mount namespace.
	insideEnv = "ANDROID_INSIDE"
	// childEnv: it is a child, and runs the function of that name.
	childEnv = "ANDROID_CHILD"
)

// children are the functions that a child of the test binary can run.
var children = map[string]func() error{
	"reboot": rebootNamespace,
}

func TestMain(m *testing.M) {
	if name := os.Getenv(childEnv); name != "" {
		if err := children[name](); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	flag.Parse()
	if !*mustRun {
		fmt.Println("nothing was tested: these tests change the machine; -must-run enables them")
		os.Exit(0)
	}
	if os.Getenv(insideEnv) == "" {
		os.Exit(runInside())
	}
	os.Exit(remote.Main(m))
}

// runInside runs the tests in a separate mount namespace, and returns their exit status.
func runInside() int {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), insideEnv+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &unix.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	if err := cmd.Run(); cmd.ProcessState == nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return cmd.ProcessState.ExitCode()
}

// The table in docs/android.md is between these lines.
const (
	tableBegin = "<!-- beyond binder: written by make android-table -->\n"
	tableEnd   = "<!-- end of beyond binder -->\n"
)

// testName turns a step's description into a test's name, without slashes.
var testName = strings.NewReplacer("`", "", "/", ".")

func TestBoot(t *testing.T) {
	require.NoError(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	// Not the test's own directory, which other users can't enter.
	root, err := os.MkdirTemp("", "boot")
	require.NoError(t, err)
	require.NoError(t, unix.Mount("tmpfs", root, "tmpfs", 0, "mode=0755"))
	t.Cleanup(func() {
		require.NoError(t, unix.Unmount(root, unix.MNT_DETACH))
		require.NoError(t, os.Remove(root))
	})
	b := &boot{root: root}

	compare := !*printTable && !onLinux()
	var documented string
	if compare {
		documented = readTable(t)
	}
	var table strings.Builder
	for _, stage := range stages {
		fmt.Fprintf(&table, "\n| %s | needed by | without it | here |\n| --- | --- | --- | --- |\n", stage.name)
		t.Run(stage.name, func(t *testing.T) {
			for _, s := range stage.steps {
				t.Run(testName.Replace(s.what), func(t *testing.T) {
					err := s.try(b, t)
					row := s.row(err)
					table.WriteString(row)
					switch {
					case compare && !strings.Contains(documented, row):
						t.Errorf("docs/android.md lacks this row, which make android-table would write:\n%s", row)
					case err == nil:
					case onLinux() && s.linux == "":
						t.Errorf("%s", describe(err))
					case onLinux():
						t.Skipf("on Linux this needs %s: %s", s.linux, describe(err))
					case s.why == "":
						t.Errorf("unexplained: %s", describe(err))
					default:
						t.Skipf("no: %s", describe(err))
					}
				})
			}
		})
	}
	table.WriteString("\n")
	if compare {
		require.Equal(t, table.String(), documented, "docs/android.md has rows without steps; make android-table updates it")
	}
	if *printTable {
		fmt.Print("\n", tableBegin, table.String(), tableEnd)
	}
}

// readTable returns the table of docs/android.md.
func readTable(t *testing.T) string {
	page, err := os.ReadFile("../../docs/android.md")
	require.NoError(t, err)
	_, rest, ok := strings.Cut(string(page), tableBegin)
	require.True(t, ok, "docs/android.md has no table")
	table, _, ok := strings.Cut(rest, tableEnd)
	require.True(t, ok, "docs/android.md's table has no end")
	return table
}

// try executes the step.
func (s *step) try(b *boot, t *testing.T) error {
	here := *b
	here.T = t
	err := s.run(&here)
	b.cgroup = here.cgroup
	return err
}

// row returns the step's row of the table.
func (s *step) row(err error) string {
	here := "yes"
	if err != nil {
		here = "no: " + describe(err)
		if s.why != "" {
			here += "; " + s.why
		}
	}
	return fmt.Sprintf("| %s | %s | %s | %s |\n", s.what, s.who, s.without, here)
}

// failure is an error of a part of a step.
type failure struct {
	part string
	err  error
}

func (f *failure) Error() string { return f.part + ": " + f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// in adds to an error the part of the step in which it occurred.
func in(part string, err error) error {
	if err == nil {
		return nil
	}
	return &failure{part, err}
}

// describe formats an error briefly, for the table.
func describe(err error) string {
	if errs, ok := err.(interface{ Unwrap() []error }); ok {
		var parts []string
		for _, err := range errs.Unwrap() {
			parts = append(parts, describe(err))
		}
		return strings.Join(parts, ", ")
	}
	if f, ok := err.(*failure); ok {
		return f.part + ": " + describe(f.err)
	}
	if errno := unix.Errno(0); errors.As(err, &errno) {
		return unix.ErrnoName(errno)
	}
	return err.Error()
}

// onLinux returns whether the kernel is Linux itself. In the sandbox, an annotation sets
// the release, but gVisor's version always has the same date.
func onLinux() bool {
	version, err := os.ReadFile("/proc/version")
	return err == nil && !strings.Contains(string(version), "#1 SMP Sun Jan 10 15:06:54 PST 2016")
}
