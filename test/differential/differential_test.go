// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/base64"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sentrybinder/pkg/abi/binder"
	pkgprogram "sentrybinder/test/differential/program"
)

// A divergence is printed as a test.
func TestCase(t *testing.T) {
	d := &divergence{
		before: []string{
			`1 {"Op":"open","P":0,"T":0}`, "  fd 6",
			`2 {"Op":"write-read","P":0,"T":1,"Write":[{"Code":1077961472,"Handle":9,"Transaction":{"Code":7,"Flags":16}}],"ReadSize":256}`, "  sleeps",
			`3 {"Op":"kill","P":1,"T":0}`,
		},
		linux: []string{"  P0.1:  ok w=68/68 r=8 NOOP", "    DEAD_REPLY "},
		steps: make([]pkgprogram.Step, 3),
	}
	assert.Equal(t, `func TestFound(t *testing.T) {
	p0 := newBareProcess(t)
	p0.fd = p0.open("/dev/binder", 0x2)
	//  fd 6
	p0t1 := p0.newBareThread()
	p0t1.start(256, bcTransaction{handle: 9, code: 7, flags: 0x10})
	p0t1.AwaitBlocked(t)
	//  sleeps
	p1 := newBareProcess(t)
	p1.kill()
	_ = p0t1.finish()
	//  P0.1:  ok w=68/68 r=8 NOOP
	//    DEAD_REPLY `+`
}
`, d.asCase())
}

// Coverage is decoded from the format that Go's runtime writes.
func TestParseReach(t *testing.T) {
	header := make([]byte, 32)
	header[24] = 2
	b := append(header,
		2, 0, 0, 0, 0, 0, 0, 0, // functions
		3, 0, 0, 0, 1, 0, 0, 0, // sizes of tables
		0xff, 0xff, 0xff, 0xff,
		4, 1, 7, 0, 1, 2, 3, // function 7 of package 1
		2, 1, 8, 9, 0x80, 0x01)
	want := reach{{1, 7, 1}: 1, {1, 7, 2}: 2, {1, 7, 3}: 4, {1, 8, 0}: 8, {1, 8, 1}: 8}
	assert.Equal(t, want, parseReach(base64.StdEncoding.EncodeToString(b)))

	all := reach{{1, 7, 1}: 2}
	assert.True(t, all.add(want))
	assert.False(t, all.add(want))
	assert.Equal(t, uint8(3), all[counter{1, 7, 1}])
	assert.True(t, all.has([]counter{{1, 7, 3}, {1, 8, 1}}))
	assert.False(t, all.has([]counter{{1, 7, 3}, {1, 7, 0}}))
}

// Every program of the corpus has steps.
func TestCorpus(t *testing.T) {
	corpus, err := readPrograms("corpus.txt")
	require.NoError(t, err)
	require.NotEmpty(t, corpus)
	for _, p := range corpus {
		assert.NotEmpty(t, p.Steps, p.Name)
	}
}

// A rule either hides a difference, and the comparison continues, or explains the
// divergence with which the comparison ends.
func TestRules(t *testing.T) {
	defer func(was string) { *peer = was }(*peer)
	*peer = "c"
	lines := func(offsets, returned string) trace {
		return trace{name: "7", lines: []string{
			`1 {"Op":"write-read","P":0,"T":0,"ReadSize":256}`,
			"  ok w=0/0 r=72 NOOP",
			"    TRANSACTION 0x0 0x0 code=9 flags=0x10 pid=P1 euid=0 data=m0:0x0+0 offsets=" + offsets + "+0 00000000 00000000",
			`2 {"Op":"write-read","P":0,"T":1,"ReadSize":256}`,
			"  ok w=0/0 r=24 NOOP",
			"    " + returned,
			`3 {"Op":"kill","P":0,"T":1}`,
		}}
	}
	linux, here := lines("0x48", "RELEASE 0x1000 0x1001"), lines("0x0", "RELEASE 0x1000 0x1001")
	hidden := make(map[string]int)
	require.Nil(t, compare(&linux, &here, hidden))
	assert.Equal(t, map[string]int{"fields without a meaning": 1}, hidden)

	*peer = "rust"
	linux = lines("0x0", "DECREFS 0x1000 0x1001")
	d := compare(&linux, &here, nil)
	require.NotNil(t, d)
	assert.Equal(t, "references that were not acknowledged", d.rule)
	assert.Len(t, d.steps, 2)

	linux = lines("0x0", "DEAD_REPLY ")
	d = compare(&linux, &here, nil)
	require.NotNil(t, d)
	assert.Empty(t, d.rule)

	linux = lines("0x48", "RELEASE 0x1000 0x1001")
	d = compare(&linux, &here, nil)
	require.NotNil(t, d)
	assert.Empty(t, d.rule)
}

// If a process ends with two devices, either may be the first whose death is notified.
func TestTwoDevices(t *testing.T) {
	defer func(was string) { *peer = was }(*peer)
	*peer = "c"
	const (
		first     = "    DEAD_BINDER 0xd0"
		second    = "    DEAD_BINDER 0xd1"
		other     = "    DEAD_BINDER 0xd2"
		queued    = "  has dead binder"
		delivered = "  has delivered dead binder"
	)
	open := func(device int) pkgprogram.Step { return pkgprogram.Step{Op: pkgprogram.Open, P: 1, Device: device} }
	ask := pkgprogram.Step{Op: pkgprogram.WriteRead, ReadSize: 256, Write: []pkgprogram.Command{
		{Code: binder.BC_REQUEST_DEATH_NOTIFICATION, Handle: 1, Cookie: 0xd0},
		{Code: binder.BC_REQUEST_DEATH_NOTIFICATION, Handle: 2, Cookie: 0xd1},
	}}
	for _, c := range []struct {
		name        string
		devices     int
		linux, here []string
		explained   bool
	}{
		{"the other death", 2, []string{second}, []string{first}, true},
		{"the other order", 2, []string{second, first}, []string{first, second}, true},
		{"the other order in a log", 2, []string{queued, delivered}, []string{delivered, queued}, true},
		{"the other one left in a log", 2, []string{queued}, []string{delivered}, true},
		{"a death that was not requested", 2, []string{other}, []string{first}, false},
		{"one more", 2, []string{second, first}, []string{first}, false},
		{"one more in a log", 2, []string{queued, delivered}, []string{delivered}, false},
		{"one device", 1, []string{second}, []string{first}, false},
		{"one device in a log", 1, []string{queued}, []string{delivered}, false},
	} {
		before := []string{fmt.Sprintf("1 %v", ask), "  sleeps"}
		for device := range c.devices {
			before = append(before, fmt.Sprintf("%d %v", 2+device, open(device)), fmt.Sprintf("  fd %d", 7+device))
		}
		before = append(before, fmt.Sprintf("%d %v", 2+c.devices, pkgprogram.Step{Op: pkgprogram.Kill, P: 1}), "  P0.0:  ok w=32/32 r=16 NOOP")
		linux := trace{lines: slices.Concat(before, c.linux)}
		here := trace{lines: slices.Concat(before, c.here)}
		d := compare(&linux, &here, nil)
		require.NotNil(t, d, c.name)
		var want string
		if c.explained {
			want = "which of a process's devices is released first"
		}
		assert.Equal(t, want, d.rule, c.name)
	}
}

// What Linux's Rust driver does differently is explained, and nothing else.
func TestRustRules(t *testing.T) {
	defer func(was string) { *peer = was }(*peer)
	type steps = []pkgprogram.Step
	type commands = []pkgprogram.Command
	call := pkgprogram.Step{Op: pkgprogram.WriteRead, T: 2, Write: commands{{Code: binder.BC_TRANSACTION, Handle: 1}}}
	read := pkgprogram.Step{Op: pkgprogram.WriteRead, T: 2, ReadSize: 256}
	send := func(ptr uint64, readSize int) pkgprogram.Step {
		t := &pkgprogram.Transaction{Parts: []pkgprogram.Part{{Type: binder.BINDER_TYPE_BINDER, Binder: ptr, Cookie: ptr + 1}}}
		return pkgprogram.Step{Op: pkgprogram.WriteRead, T: 2, ReadSize: readSize, Write: commands{{Code: binder.BC_TRANSACTION, Transaction: t}}}
	}
	acknowledge := pkgprogram.Step{Op: pkgprogram.WriteRead, T: 1, Write: commands{{Code: binder.BC_ACQUIRE_DONE, Ptr: 0x1000, Cookie: 0x1001}}}
	kill := pkgprogram.Step{Op: pkgprogram.Kill, P: 1}
	free := pkgprogram.Step{Op: pkgprogram.WriteRead, P: 1, Write: commands{{Code: binder.BC_FREE_BUFFER}}}
	manage := func(t int) pkgprogram.Step {
		return pkgprogram.Step{Op: pkgprogram.Ioctl, T: t, Arg: binder.BINDER_SET_CONTEXT_MGR}
	}
	peek := pkgprogram.Step{Op: pkgprogram.Peek}
	lastError := pkgprogram.Step{Op: pkgprogram.LastError}
	ask := func(handle uint32, cookie uint64) pkgprogram.Step {
		return pkgprogram.Step{Op: pkgprogram.WriteRead, ReadSize: 256, Write: commands{
			{Code: binder.BC_INCREFS, Handle: handle},
			{Code: binder.BC_REQUEST_FREEZE_NOTIFICATION, Handle: handle, Cookie: cookie},
		}}
	}
	const (
		done   = "  ok w=68/68 r=0"
		failed = "  ok w=68/68 r=8 NOOP"
		read28 = "  ok w=68/68 r=28 NOOP"
		called = "    TRANSACTION 0x26b0 0x26b1 code=26 flags=0x40 pid=P0 euid=0 data=m0:0x48+0 offsets=0x0+0 00000000 00000000"
		hidden = "hidden"
	)
	for _, c := range []struct {
		name string
		// steps are those up to the difference. If there are several, the first returns
		// notifications of two references.
		steps       steps
		linux, here []string
		// rule is the name of the rule that explains it, or hidden, or "".
		rule string
	}{
		{"a dead process is not frozen", steps{ask(1, 0xf0)},
			[]string{"  ok w=24/24 r=24", "    SPAWN_LOOPER ", "    FROZEN_BINDER 0xf0 0x0"}, []string{"  EAGAIN w=24/24 r=0"},
			"which thread gets a requested notification"},
		{"a freeze notification that was not requested", steps{ask(1, 0xf0)},
			[]string{"  ok w=24/24 r=24", "    SPAWN_LOOPER ", "    FROZEN_BINDER 0xf1 0x0"}, []string{"  EAGAIN w=24/24 r=0"}, ""},

		{"two nodes whose handles were released", steps{read, kill, read},
			[]string{read28, "    DECREFS 0x1000 0x1001", "    RELEASE 0x2000 0x2001", "    DECREFS 0x2000 0x2001"},
			[]string{read28, "    RELEASE 0x2000 0x2001", "    DECREFS 0x2000 0x2001", "    DECREFS 0x1000 0x1001"}, "node notifications"},
		{"two nodes in another order, and no process ends", steps{read, read},
			[]string{read28, "    DECREFS 0x1000 0x1001", "    DECREFS 0x2000 0x2001"},
			[]string{read28, "    DECREFS 0x2000 0x2001", "    DECREFS 0x1000 0x1001"}, ""},
		{"two new nodes in another order", steps{read, kill, read},
			[]string{read28, "    INCREFS 0x1000 0x1001", "    INCREFS 0x2000 0x2001"},
			[]string{read28, "    INCREFS 0x2000 0x2001", "    INCREFS 0x1000 0x1001"}, ""},

		{"a thread that asked to be the manager", steps{manage(2), read}, []string{"  sleeps"}, []string{failed, called}, "void work"},
		{"another thread did", steps{manage(1), read}, []string{"  sleeps"}, []string{failed, called}, ""},
		{"it did, and has slept", steps{manage(1), call},
			[]string{done, "end P0"}, []string{done, "  P0.1:  ok w=0/0 r=72 NOOP", called}, "void work"},
		{"it did, and doesn't sleep", steps{manage(2), read}, []string{failed}, []string{failed, called}, ""},
		{"another thread did, and it has slept", steps{manage(0), call},
			[]string{done, "end P0"}, []string{done, "  P0.1:  ok w=0/0 r=72 NOOP", called}, ""},

		{"a message freed twice", steps{free, free, call},
			[]string{done, "end P0"}, []string{done, "  P1.0:  ok w=0/0 r=72 NOOP", called}, ""},

		{"one of two references acknowledged", steps{read, acknowledge, kill},
			[]string{"end P0"}, []string{"  P0.1:  EFAULT w=0/0 r=0"}, "references that were not acknowledged"},
		{"one of two references acknowledged, before an ioctl without a write", steps{read, acknowledge, kill},
			[]string{"end P0"}, []string{"  P0.1:  EFAULT w=68/0 r=0"}, "references that were not acknowledged"},
		{"neither acknowledged", steps{read, kill},
			[]string{"end P0"}, []string{"  P0.1:  EFAULT w=0/0 r=0"}, ""},
		{"one of two acknowledged by another process", steps{read, acknowledge, kill},
			[]string{"end P0"}, []string{"  P1.1:  EFAULT w=0/0 r=0"}, ""},

		{"a node sent twice", steps{read, send(0x1000, 0), send(0x1000, 256)},
			[]string{read28, "    INCREFS 0x1000 0x1001", "    TRANSACTION_COMPLETE "},
			[]string{read28, "    TRANSACTION_COMPLETE ", "    INCREFS 0x1000 0x1001"}, "node notifications"},
		{"a node sent twice and notified in between", steps{read, send(0x1000, 256), send(0x1000, 256)},
			[]string{read28, "    INCREFS 0x1000 0x1001", "    TRANSACTION_COMPLETE "},
			[]string{read28, "    TRANSACTION_COMPLETE ", "    INCREFS 0x1000 0x1001"}, ""},
		{"two nodes", steps{read, send(0x1000, 0), send(0x2000, 256)},
			[]string{read28, "    INCREFS 0x1000 0x1001", "    TRANSACTION_COMPLETE "},
			[]string{read28, "    TRANSACTION_COMPLETE ", "    INCREFS 0x1000 0x1001"}, ""},
		{"the rest in another order", steps{read, send(0x1000, 0), send(0x1000, 256)},
			[]string{read28, "    INCREFS 0x1000 0x1001", "    TRANSACTION_COMPLETE ", "    FAILED_REPLY "},
			[]string{read28, "    FAILED_REPLY ", "    TRANSACTION_COMPLETE ", "    INCREFS 0x1000 0x1001"}, ""},

		{"different pages in use", steps{peek}, []string{"  <nil> true"}, []string{"  bad address false"}, hidden},
		{"what comes after a peek", steps{peek}, []string{"  <nil> true", "end P0"},
			[]string{"  <nil> true", "  P1.2:  ok w=0/0 r=4 NOOP"}, ""},

		{"excessive sizes, sent to the dead", steps{lastError}, []string{"  ok FAILED_REPLY -12"}, []string{"  ok DEAD_REPLY -22"}, hidden},
		{"no memory", steps{lastError}, []string{"  ok FAILED_REPLY -12"}, []string{"  ok OK 0"}, ""},
	} {
		var before []string
		for i, s := range c.steps {
			before = append(before, fmt.Sprintf("%d %v", i+1, s))
			if i == 0 && len(c.steps) > 1 {
				before = append(before, "  ok w=0/0 r=44 NOOP", "    INCREFS 0x1000 0x1001", "    ACQUIRE 0x1000 0x1001")
			}
		}
		linux := trace{lines: slices.Concat(before, c.linux)}
		here := trace{lines: slices.Concat(before, c.here)}
		for _, p := range []string{"rust", "c"} {
			*peer = p
			var rule string
			if d := compare(&linux, &here, nil); d == nil {
				rule = hidden
			} else {
				rule = d.rule
			}
			want := c.rule
			if p == "c" {
				want = ""
			}
			assert.Equal(t, want, rule, "%s, %s", c.name, p)
		}
	}
}

// There are few rules, each with a unique name and a reason.
func TestFewRules(t *testing.T) {
	for peer, most := range map[string]int{"c": 7, "rust": 9} {
		names := make(map[string]bool)
		for _, r := range rules {
			if r.peer != "" && r.peer != peer {
				continue
			}
			assert.False(t, names[r.name], r.name)
			assert.NotEmpty(t, r.why, r.name)
			assert.True(t, r.applies != nil || r.hide != nil, r.name)
			names[r.name] = true
		}
		assert.LessOrEqual(t, len(names), most, peer)
	}
}

// The tests that must find named faults exist.
func TestNamedTests(t *testing.T) {
	for _, f := range namedFaults {
		dir := filepath.Join("../..", f.dir())
		files, err := filepath.Glob(dir + "/*_test.go")
		require.NoError(t, err)
		found := slices.ContainsFunc(files, func(file string) bool {
			source, err := os.ReadFile(file)
			return err == nil && strings.Contains(string(source), "\nfunc "+f.test+"(")
		})
		assert.True(t, found, "%s in %s", f.test, dir)
	}
}

// plantable are all faults.
func plantable() []fault {
	all := slices.Clone(faults)
	for _, f := range namedFaults {
		all = append(all, f.fault)
	}
	return all
}

// Each fault can still be planted, in exactly one place.
func TestFaultsFit(t *testing.T) {
	for _, f := range plantable() {
		source, err := os.ReadFile(filepath.Join("../..", driverDir, f.file))
		require.NoError(t, err)
		assert.Equal(t, 1, strings.Count(string(source), f.old), "%s: in %s", f.name, f.file)
	}
}

// The driver compiles with each fault.
func TestFaultsCompile(t *testing.T) {
	if _, err := os.Stat("../../go.mod"); err != nil {
		t.Skip("the go command finds no module here")
	}
	packages := make(map[string]*driverPackage)
	for _, f := range plantable() {
		dir, name := filepath.Split(filepath.Join("../..", driverDir, f.file))
		if packages[dir] == nil {
			packages[dir] = loadPackage(t, dir)
		}
		source, err := f.plant(dir + name)
		require.NoError(t, err, f.name)
		assert.NoError(t, packages[dir].check(name, source), f.name)
	}
}

// driverPackage is a package of the driver that can be type-checked with a file replaced.
type driverPackage struct {
	fset    *token.FileSet
	files   map[string]*ast.File
	imports types.Importer
}

func loadPackage(t *testing.T, dir string) *driverPackage {
	t.Helper()
	list := func(args ...string) []string {
		cmd := exec.Command("go", append([]string{"list"}, args...)...)
		cmd.Dir = dir
		out, err := cmd.Output()
		require.NoError(t, err)
		return strings.Fields(string(out))
	}
	exports := make(map[string]string)
	for _, line := range list("-export", "-deps", "-f", "{{.ImportPath}}={{.Export}}") {
		path, file, _ := strings.Cut(line, "=")
		exports[path] = file
	}
	p := &driverPackage{fset: token.NewFileSet(), files: make(map[string]*ast.File)}
	p.imports = importer.ForCompiler(p.fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	for _, name := range list("-f", "{{range .GoFiles}}{{.}} {{end}}") {
		file, err := parser.ParseFile(p.fset, filepath.Join(dir, name), nil, 0)
		require.NoError(t, err)
		p.files[name] = file
	}
	return p
}

// check returns an error if the package does not compile with source as the file name.
func (p *driverPackage) check(name, source string) error {
	file, err := parser.ParseFile(p.fset, name, source, 0)
	if err != nil {
		return err
	}
	files := maps.Clone(p.files)
	files[name] = file
	config := types.Config{Importer: p.imports}
	_, err = config.Check("", p.fset, slices.Collect(maps.Values(files)), nil)
	return err
}
