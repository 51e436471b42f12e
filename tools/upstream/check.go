// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// check checks the series.
func (t *tree) check(quick, test bool) error {
	changed, err := t.git("diff", "--name-only", "--diff-filter=d", "base", "series")
	if err != nil {
		return err
	}
	files := strings.Fields(changed)
	var errs []error
	step := func(what string, f func(files []string) error) {
		start := time.Now()
		err := f(files)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", what, err))
		}
		fmt.Printf("%-6s %s (%.0f s)\n", map[bool]string{true: "ok", false: "FAILED"}[err == nil], what, time.Since(start).Seconds())
	}
	fmt.Printf("%d patches, %d files\n", len(t.subjects), len(files))
	step("messages", t.checkMessages)
	step("git am", t.checkApplies)
	step("gofmt", t.checkFormat)
	step("rules of gVisor's CONTRIBUTING.md", t.checkText)
	step("generated code", t.checkGenerated)
	step("BUILD files", t.checkBuild)
	step("names that clash with gVisor's tests", t.checkClashes)
	if !quick {
		step("go build ./...", func([]string) error { return t.run("go", "build", "./...") })
		packages := t.packages(files)
		step("go vet", func([]string) error { return t.vet(packages) })
		if test {
			step("go test", func(files []string) error {
				var added []string
				for _, p := range packages {
					if t.isNew(strings.TrimPrefix(p, "./")) && !strings.HasPrefix(p, "./test/") {
						added = append(added, p)
					}
				}
				return t.run("go", append([]string{"test", "-timeout=20m"}, added...)...)
			})
		}
	}
	if err := t.tryMain(); err != nil {
		errs = append(errs, err)
	}
	fmt.Println("not checked: gVisor's own build, by Bazel, which needs the network")
	return errors.Join(errs...)
}

// run runs a command in the tree.
func (t *tree) run(name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir = t.dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath -buildvcs=false -mod=readonly")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// complaint matches what go vet says about a line.
var complaint = regexp.MustCompile(`^([^: ]+\.go):(\d+):\d+: `)

// progress matches what go vet says of itself.
var progress = regexp.MustCompile(`^(go: downloading |# |exit status)`)

// vet runs go vet, and returns what it says about lines that the series adds.
func (t *tree) vet(packages []string) error {
	err := t.run("go", append([]string{"vet"}, packages...)...)
	if err == nil {
		return nil
	}
	var kept []string
	said := false
	for line := range strings.Lines(err.Error()) {
		m := complaint.FindStringSubmatch(strings.TrimPrefix(line, "vet: "))
		switch {
		case m == nil && strings.TrimSpace(line) != "" && !progress.MatchString(line):
			kept = append(kept, line)
		case m == nil:
		default:
			said = true
			n, _ := strconv.Atoi(m[2])
			diff, err := t.git("diff", "--unified=0", "base", "series", "--", strings.TrimPrefix(m[1], "./"))
			if err != nil {
				return err
			}
			if strings.HasPrefix(line, "vet: ") || addedLines(diff)[n] {
				kept = append(kept, line)
			}
		}
	}
	if len(kept) == 0 && said {
		return nil
	}
	return errors.New(strings.Join(kept, ""))
}

var hunk = regexp.MustCompile(`(?m)^@@ -\S+ \+(\d+)(?:,(\d+))? @@`)

// addedLines returns the numbers of the lines that a diff without context adds to a
// file.
func addedLines(diff string) map[int]bool {
	added := make(map[int]bool)
	for _, m := range hunk.FindAllStringSubmatch(diff, -1) {
		first, _ := strconv.Atoi(m[1])
		n := 1
		if m[2] != "" {
			n, _ = strconv.Atoi(m[2])
		}
		for i := range n {
			added[first+i] = true
		}
	}
	return added
}

// packages returns the packages of files.
func (t *tree) packages(files []string) []string {
	var packages []string
	for _, f := range files {
		if path.Ext(f) == ".go" && !strings.Contains(f, "/testdata/") {
			packages = append(packages, "./"+path.Dir(f))
		}
	}
	slices.Sort(packages)
	return slices.Compact(packages)
}

var subject = regexp.MustCompile(`^[\w./, -]+: [^A-Z].*[^.]$|^[\w./, -]+: (SO_|NETLINK|SECBIT|RLIMIT|MREMAP|F_SEAL).*`)

func (t *tree) checkMessages([]string) error {
	log, err := t.git("log", "--reverse", "--format=%s%x00%b%x01", "base..series")
	if err != nil {
		return err
	}
	var errs []error
	for entry := range strings.SplitSeq(strings.TrimSpace(log), "\x01") {
		s, body, ok := strings.Cut(strings.TrimSpace(entry), "\x00")
		if !ok {
			continue
		}
		errs = append(errs, checkMessage(s, body))
	}
	return errors.Join(errs...)
}

// checkMessage returns an error for a message that does not follow gVisor's style.
func checkMessage(s, body string) error {
	switch {
	case !subject.MatchString(s) || len(s) > 76:
		return fmt.Errorf("%q: a subject is PLACE: WHAT, of at most 76 characters", s)
	case strings.TrimSpace(body) == "":
		return fmt.Errorf("%q: the message doesn't say why", s)
	}
	for line := range strings.Lines(body) {
		if len(line) > 93 {
			return fmt.Errorf("%q: a long line: %s", s, line)
		}
	}
	return nil
}

// checkApplies applies the series to the base again.
func (t *tree) checkApplies([]string) error {
	patches, err := filepath.Glob(filepath.Join(t.out, "go", "*.patch"))
	if err != nil {
		return err
	}
	if _, err := t.git("checkout", "--quiet", "--detach", "base"); err != nil {
		return err
	}
	_, amErr := t.git(append([]string{"am", "--quiet"}, patches...)...)
	_, diffErr := t.git("diff", "--quiet", "HEAD", "series")
	t.git("am", "--abort")
	_, err = t.git("checkout", "--quiet", "--force", "series")
	return errors.Join(amErr, diffErr, err)
}

func (t *tree) checkFormat(files []string) error {
	args := []string{"-l"}
	for _, f := range files {
		if path.Ext(f) == ".go" && (!isGenerated(path.Base(f)) || t.isNew(path.Dir(f))) {
			args = append(args, f)
		}
	}
	unformatted, err := output(t.dir, "gofmt", args...)
	if err == nil && unformatted != "" {
		err = errors.New(unformatted)
	}
	return err
}

// core matches the packages that gVisor's CONTRIBUTING.md lets the sentry import.
var core = regexp.MustCompile(`^(gvisor\.dev/gvisor/.*|golang\.org/x/sys/unix|golang\.org/x/time/rate|github\.com/google/btree|google\.golang\.org/protobuf/.*)$`)

// checkText checks the rules of gVisor's CONTRIBUTING.md, and that no file mentions this
// repository.
func (t *tree) checkText(files []string) error {
	var errs []error
	for _, name := range files {
		if path.Ext(name) != ".go" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(t.dir, name))
		if err != nil {
			return err
		}
		errs = append(errs, checkFile(name, text))
	}
	return errors.Join(errs...)
}

func checkFile(name string, text []byte) error {
	if strings.Contains(string(text), module) {
		return fmt.Errorf("%s mentions %s", name, module)
	}
	if strings.Contains(string(text), "runsc/patches") {
		return fmt.Errorf(`%s mentions runsc/patches in other words than "(see runsc/patches)"`, name)
	}
	if !strings.HasPrefix(string(text), "// Copyright 20") && !isGenerated(path.Base(name)) && !strings.HasSuffix(name, "_mutex.go") {
		return fmt.Errorf("%s has no licence header", name)
	}
	isTest := strings.HasSuffix(name, "_test.go")
	if strings.HasPrefix(name, "test/") {
		return nil
	}
	for _, i := range importsOf(text) {
		if i == "unsafe" && !strings.HasSuffix(strings.TrimSuffix(name, "_test.go"), "_unsafe") && !strings.HasSuffix(name, "_unsafe.go") {
			return fmt.Errorf("%s imports unsafe, and its name does not end in _unsafe", name)
		}
		if strings.HasPrefix(name, "pkg/") && !strings.HasPrefix(name, "pkg/shim/") && !isTest && !isStandard(i) && !core.MatchString(i) {
			return fmt.Errorf("%s imports %s, which the sentry may not", name, i)
		}
	}
	return nil
}

// checkGenerated regenerates the code of each new package. In gVisor's packages, the
// series only changes how types are saved, which checkState checks.
func (t *tree) checkGenerated(files []string) error {
	if err := t.buildTools(); err != nil {
		return err
	}
	var errs []error
	for _, p := range t.packages(files) {
		dir := strings.TrimPrefix(p, "./")
		if t.isNew(dir) {
			if err := t.generate(dir); err != nil {
				return err
			}
		} else if strings.HasPrefix(dir, "pkg/") || strings.HasPrefix(dir, "runsc/") {
			errs = append(errs, t.checkState(dir))
		}
	}
	diff, err := t.git("diff", "--stat", "HEAD")
	if err == nil && diff != "" {
		err = errors.New("not what the generators write:\n" + diff)
	}
	_, resetErr := t.git("checkout", "--quiet", "--force", "series")
	return errors.Join(errors.Join(errs...), err, resetErr)
}

// checkState compares the series' changes of a package's state methods with the
// generator's.
func (t *tree) checkState(dir string) error {
	now, err := goFiles(filepath.Join(t.dir, dir))
	if err != nil {
		return err
	}
	before, err := t.filesBefore(dir)
	if err != nil {
		return err
	}
	made := func(root string, files map[string][]byte, suffix string) (map[string]bool, error) {
		library, _ := sources(files)
		out := filepath.Join(t.out, "state.go")
		if err := t.runStateify(root, dir, out, sets(library)[suffix], library); err != nil {
			return nil, err
		}
		text, err := os.ReadFile(out)
		if err != nil {
			return nil, err
		}
		return declarations(text)
	}
	library, _ := sources(now)
	var errs []error
	for suffix := range sets(library) {
		name := stateFile(dir, suffix)
		if now[name] == nil || before[name] == nil {
			continue // Nothing is saved, or it would not build.
		}
		madeNow, err1 := made(t.dir, now, suffix)
		madeBefore, err2 := made(t.pinned, before, suffix)
		isNow, err3 := declarations(now[name])
		wasBefore, err4 := declarations(before[name])
		if err := errors.Join(err1, err2, err3, err4); err != nil {
			return err
		}
		for _, d := range append(differ(madeBefore, madeNow, wasBefore, isNow), differ(madeNow, madeBefore, isNow, wasBefore)...) {
			errs = append(errs, fmt.Errorf("%s/%s is out of date:\n%s", dir, name, d))
		}
	}
	return errors.Join(errs...)
}

// differ returns what the step from a to b adds and the step from c to d does not, or
// vice versa.
func differ(a, b, c, d map[string]bool) []string {
	var found []string
	for s := range b {
		if !a[s] && !(d[s] && !c[s]) {
			found = append(found, s)
		}
	}
	for s := range d {
		if !c[s] && !(b[s] && !a[s]) {
			found = append(found, s)
		}
	}
	return found
}

// declarations returns the declarations in a generated file, with init functions split
// into statements.
func declarations(text []byte) (map[string]bool, error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "", text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	all := make(map[string]bool)
	add := func(n ast.Node) {
		var b strings.Builder
		format.Node(&b, fset, n)
		all[strings.Join(strings.Fields(b.String()), " ")] = true
	}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.GenDecl:
			if d.Tok != token.IMPORT {
				add(d)
			}
		case *ast.FuncDecl:
			if d.Recv != nil || d.Name.Name != "init" {
				add(d)
				break
			}
			for _, statement := range d.Body.List {
				add(statement)
			}
		}
	}
	return all, nil
}

// checkClashes checks names in tests against the tests of the main branch, which the
// base lacks.
func (t *tree) checkClashes(files []string) error {
	var errs []error
	for _, name := range files {
		if !strings.HasSuffix(name, "_test.go") || t.isNew(path.Dir(name)) {
			continue
		}
		if _, err := os.Stat(filepath.Join(t.main, name)); err == nil {
			errs = append(errs, fmt.Errorf("the main branch has a file %s", name))
		}
		text, err := os.ReadFile(filepath.Join(t.dir, name))
		if err != nil {
			return err
		}
		all, err := goFiles(filepath.Join(t.main, path.Dir(name)))
		if err != nil {
			return err
		}
		names := topLevel(text)
		for other, text := range all {
			if !strings.HasSuffix(other, "_test.go") {
				continue
			}
			for n := range topLevel(text) {
				if names[n] {
					errs = append(errs, fmt.Errorf("%s: the main branch has a %s in %s", name, n, other))
				}
			}
		}
	}
	return errors.Join(errs...)
}

// topLevel returns the top-level names in a file, as PACKAGE.NAME.
func topLevel(text []byte) map[string]bool {
	f, err := parser.ParseFile(token.NewFileSet(), "", text, 0)
	if err != nil {
		return nil
	}
	names := make(map[string]bool)
	for name := range f.Scope.Objects {
		names[f.Name.Name+"."+name] = true
	}
	return names
}

// checkBuild compares the BUILD files with go list, for each architecture.
func (t *tree) checkBuild(files []string) error {
	var errs []error
	packages := t.packages(files)
	for _, arch := range []string{"amd64", "arm64"} {
		cmd := exec.Command("go", append([]string{"list", "-e", "-json=Dir,GoFiles,IgnoredGoFiles,TestGoFiles,XTestGoFiles,Imports,TestImports,XTestImports"}, packages...)...)
		cmd.Dir = t.dir
		cmd.Env = append(os.Environ(), "GOARCH="+arch, "CGO_ENABLED=0", "GOFLAGS=-mod=readonly")
		out, err := cmd.Output()
		if err != nil {
			return err
		}
		for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
			var p listed
			if err := dec.Decode(&p); err == io.EOF {
				break
			} else if err != nil {
				return err
			}
			errs = append(errs, t.checkPackage(p))
		}
	}
	return errors.Join(errs...)
}

// listed is what go list reports about a package.
type listed struct {
	Dir                                                string
	GoFiles, IgnoredGoFiles, TestGoFiles, XTestGoFiles []string
	Imports, TestImports, XTestImports                 []string
}

// checkPackage compares one package's BUILD file with p.
func (t *tree) checkPackage(p listed) error {
	rel, _ := filepath.Rel(t.dir, p.Dir)
	dir := filepath.ToSlash(rel)
	text, err := os.ReadFile(filepath.Join(p.Dir, "BUILD"))
	if err != nil {
		return err
	}
	build := string(text)
	before, err := t.filesBefore(dir)
	if err != nil {
		return err
	}
	// Ignore imports that the main branch's BUILD file may have missed before.
	var old []string
	for _, f := range before {
		old = append(old, importsOf(f)...)
	}

	var errs []error
	named := make(map[string]bool)
	depsOf := make(map[string][]string)
	for _, r := range rulesOf(build, "") {
		srcs, _ := r.list("srcs")
		for _, s := range srcs {
			named[s] = true
			_, isOld := before[s]
			_, err := os.Stat(filepath.Join(p.Dir, s))
			if err != nil && !isOld && t.isNew(dir) {
				errs = append(errs, fmt.Errorf("%s/BUILD: there is no %s", dir, s))
			}
		}
		deps, _ := r.list("deps")
		depsOf[r.kind] = append(depsOf[r.kind], deps...)
		if out := regexp.MustCompile(`out = "([^"]*)"`).FindStringSubmatch(r.text); out != nil {
			named[out[1]] = true
		}
	}
	for _, f := range slices.Concat(p.GoFiles, p.IgnoredGoFiles, p.TestGoFiles, p.XTestGoFiles) {
		_, isOld := before[f]
		if !named[f] && !isOld && (!isGenerated(f) || strings.HasSuffix(f, "_test.go")) {
			errs = append(errs, fmt.Errorf("%s/BUILD does not name %s", dir, f))
		}
	}
	need := func(kind string, imports []string) {
		for _, i := range imports {
			if slices.Contains(old, i) || i == gvisor+"/"+dir {
				continue
			}
			l, err := t.label(i)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			// gVisor's rules add what generated code imports.
			added := []string{"//pkg/state", "//pkg/gohacks", "//pkg/hostarch", "//pkg/marshal"}
			if l != "" && !slices.Contains(depsOf[kind], l) && !(kind == "go_library" && slices.Contains(added, l)) {
				errs = append(errs, fmt.Errorf("%s/BUILD: %s lacks %s", dir, kind, l))
			}
		}
	}
	need("go_library", p.Imports)
	need("go_test", p.TestImports)
	need("go_test", p.XTestImports)
	return errors.Join(errs...)
}

// tryMain applies the series without generated code to the commit of the main branch
// that the BUILD files come from, and reports what git can't merge.
func (t *tree) tryMain() error {
	dir := filepath.Join(t.out, "try")
	defer os.RemoveAll(dir)
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := copyTree(t.main, dir, func(string) bool { return true }); err != nil {
		return err
	}
	git := func(args ...string) error {
		_, err := output(dir, "git", append([]string{"-c", "user.name=x", "-c", "user.email=x@x.invalid", "-c", "gc.auto=0"}, args...)...)
		return err
	}
	if err := errors.Join(git("init", "--quiet"), git("add", "--all", "--force"), git("commit", "--quiet", "--message=main"),
		// The objects that a three-way merge needs.
		git("fetch", "--quiet", t.dir, "series")); err != nil {
		return err
	}
	patches, err := filepath.Glob(filepath.Join(t.out, "main", "*.patch"))
	if err != nil {
		return err
	}
	fits := 0
	for _, p := range patches {
		if git("am", "--quiet", "--3way", p) == nil {
			fits++
			continue
		}
		fmt.Printf("       does not fit %s: %s\n", t.mainVersion, filepath.Base(p))
		git("am", "--abort")
	}
	fmt.Printf("       %d of %d fit %s, of the main branch\n", fits, len(patches), t.mainVersion)
	return nil
}
