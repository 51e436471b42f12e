// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// tree is a git repository that holds gVisor and the series.
type tree struct {
	out string // build/upstream
	dir string // the repository

	// pinned and main are the directories of gVisor's module, at the version that go.mod
	// pins and at a commit of the main branch.
	pinned, main string
	version      string
	mainVersion  string

	// tools is the directory of gVisor's generators, or "" until they are built.
	tools string

	// series is the series that was applied.
	series *series
	// subjects are the subjects of the series.
	subjects []string
}

// fromMain are the directories that the base takes from the main branch.
var fromMain = []string{"tools/go_stateify", "tools/go_generics", "tools/go_marshal", "tools/constraintutil"}

// newTree creates a repository that holds the base.
func newTree(out string) (*tree, error) {
	t := &tree{out: out, dir: filepath.Join(out, "tree")}
	commit, err := output(".", "sed", "-n", "s/^generators=//p", "tools/build/tools")
	if err != nil {
		return nil, err
	}
	t.mainVersion = strings.TrimSpace(commit)
	if t.version, err = output(".", "go", "list", "-m", "-f", "{{.Version}}", gvisor); err != nil {
		return nil, err
	}
	t.version = strings.TrimSpace(t.version)
	if t.pinned, err = moduleDir(t.version); err != nil {
		return nil, err
	}
	if t.main, err = moduleDir(t.mainVersion); err != nil {
		return nil, err
	}

	for _, dir := range []string{"tree", "go", "main", "bin"} {
		if err := os.RemoveAll(filepath.Join(out, dir)); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(t.dir, 0o755); err != nil {
		return nil, err
	}
	if err := copyTree(t.pinned, t.dir, func(string) bool { return true }); err != nil {
		return nil, err
	}
	if err := copyTree(t.main, t.dir, isMissing); err != nil {
		return nil, err
	}
	if _, err := t.git("init", "--quiet", "--initial-branch=all"); err != nil {
		return nil, err
	}
	if err := t.commit("gVisor " + t.version + ", with the BUILD files of " + t.mainVersion); err != nil {
		return nil, err
	}
	_, err = t.git("branch", "base")
	return t, err
}

// isMissing returns whether the base takes a file from the main branch.
func isMissing(name string) bool {
	if name == "MODULE.bazel" || path.Base(name) == "BUILD" || path.Ext(name) == ".bzl" {
		return true
	}
	return slices.ContainsFunc(fromMain, func(dir string) bool { return strings.HasPrefix(name, dir+"/") }) &&
		!strings.Contains(name, "/test") && !strings.Contains(name, "_tests/") && !strings.HasSuffix(name, "_test.go")
}

// moduleDir returns the directory of a version of gVisor's module.
func moduleDir(version string) (string, error) {
	// Run outside of this module, whose go.mod pins the version.
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	json, err := output(dir, "go", "mod", "download", "-json", gvisor+"@"+version)
	if err != nil {
		return "", err
	}
	_, rest, _ := strings.Cut(json, `"Dir": "`)
	got, _, _ := strings.Cut(rest, `"`)
	if got == "" {
		return "", fmt.Errorf("can't get %s@%s", gvisor, version)
	}
	return got, nil
}

// copyTree copies the files that are wanted and don't exist yet.
func copyTree(from, to string, want func(name string) bool) error {
	return filepath.WalkDir(from, func(file string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		name, _ := filepath.Rel(from, file)
		target := filepath.Join(to, name)
		if !want(filepath.ToSlash(name)) {
			return nil
		}
		if _, err := os.Stat(target); err == nil {
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		return os.WriteFile(target, text, 0o644)
	})
}

// git runs git in the repository.
func (t *tree) git(args ...string) (string, error) {
	return output(t.dir, "git", append([]string{
		"-c", "user.name=The sentrybinder Authors", "-c", "user.email=authors@sentrybinder.invalid",
		"-c", "core.autocrlf=false", "-c", "commit.gpgsign=false", "-c", "merge.conflictstyle=diff3", "-c", "gc.auto=0",
	}, args...)...)
}

// commit commits all files.
func (t *tree) commit(message string) error {
	if _, err := t.git("add", "--all", "--force"); err != nil {
		return err
	}
	// The date of this repository's last commit makes IDs reproducible.
	date, err := output(".", "git", "log", "-1", "--format=%cI")
	if err != nil {
		return err
	}
	_, err = t.git("commit", "--quiet", "--allow-empty", "--date="+strings.TrimSpace(date), "--message="+message)
	return err
}

// apply applies the series.
func (t *tree) apply(s *series) error {
	t.series = s
	// Apply all of runsc/patches first: their commits are then cherry-picked, without
	// those that are left out.
	ids := make(map[string]string)
	for _, p := range s.patches {
		if path.Dir(p.file) != "runsc/patches" {
			continue
		}
		if _, err := t.git("am", "--quiet", filepath.Join(s.repo, p.file)); err != nil {
			return err
		}
		id, err := t.git("rev-parse", "HEAD")
		if err != nil {
			return err
		}
		ids[p.file] = strings.TrimSpace(id)
	}
	if _, err := t.git("checkout", "--quiet", "-b", "series", "base"); err != nil {
		return err
	}
	moves := s.moves()
	for _, p := range s.patches {
		if p.left {
			continue
		}
		fmt.Println(p.file)
		var err error
		switch {
		case ids[p.file] != "":
			err = t.pick(ids[p.file])
		case p.isPatch():
			_, err = t.git("am", "--quiet", "--3way", filepath.Join(s.repo, p.file))
		default:
			err = t.add(s.repo, p, moves)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", p.file, err)
		}
		if err := t.finish(); err != nil {
			return fmt.Errorf("%s: %w", p.file, err)
		}
	}
	subjects, err := t.git("log", "--reverse", "--format=%s", "base..series")
	t.subjects = strings.Split(strings.TrimSpace(subjects), "\n")
	return err
}

// pick cherry-picks a commit, although earlier patches may have been left out.
func (t *tree) pick(id string) error {
	_, pickErr := t.git("cherry-pick", id)
	if pickErr == nil {
		return nil
	}
	files, err := t.git("diff", "--name-only", "--diff-filter=U")
	if err != nil {
		return err
	}
	if files == "" {
		return pickErr
	}
	for _, name := range strings.Fields(files) {
		file := filepath.Join(t.dir, name)
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		merged, err := mergeWithout(string(text), "extension.")
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := os.WriteFile(file, []byte(merged), 0o644); err != nil {
			return err
		}
	}
	if _, err := t.git("add", "--all", "--force"); err != nil {
		return err
	}
	_, err = t.git("-c", "core.editor=true", "cherry-pick", "--continue")
	return err
}

// mergeWithout resolves conflicts in a file, in diff3 style, that vanish once lines that
// contain mark are ignored. These are lines of patches that were left out.
func mergeWithout(text, mark string) (string, error) {
	var out strings.Builder
	var sides [3][]string // ours, the base's, theirs
	side := -1
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "<<<<<<< "):
			side, sides = 0, [3][]string{}
		case strings.HasPrefix(line, "||||||| ") && side == 0:
			side = 1
		case line == "=======\n" && side == 1:
			side = 2
		case strings.HasPrefix(line, ">>>>>>> ") && side == 2:
			switch ours, base, theirs := sides[0], sides[1], sides[2]; {
			case slices.Equal(ours, base):
				out.WriteString(strings.Join(theirs, ""))
			case slices.Equal(base, theirs):
				out.WriteString(strings.Join(ours, ""))
			default:
				return "", errors.New("it depends on what was left out:\n" + strings.Join(theirs, ""))
			}
			side = -1
		case side < 0:
			out.WriteString(line)
		case !strings.Contains(line, mark):
			sides[side] = append(sides[side], line)
		}
	}
	return out.String(), nil
}

// add commits the parts of a text file.
func (t *tree) add(repo string, p *patch, moves []string) error {
	for _, part := range p.parts {
		for _, name := range part.files {
			text, err := os.ReadFile(filepath.Join(repo, name))
			if err != nil {
				return err
			}
			if ext := path.Ext(name); ext == ".go" || ext == ".s" {
				if text, err = transplant(name, text, moves); err != nil {
					return err
				}
			}
			target := filepath.Join(t.dir, part.as, strings.TrimPrefix(name, part.dir))
			if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(target, text, 0o644); err != nil {
				return err
			}
		}
	}
	return t.commit(p.message)
}

// finish adds generated code and BUILD files to the last commit.
func (t *tree) finish() error {
	changed, err := t.git("diff", "--name-only", "HEAD^", "HEAD", "--", "*.go")
	if err != nil {
		return err
	}
	for _, dir := range dirs(changed) {
		if strings.HasPrefix(dir, "tools/") {
			t.tools = "" // A generator may have changed.
		}
		if !t.isNew(dir) {
			if err := t.editBuild(dir); err != nil {
				return err
			}
			continue
		}
		if err := t.generate(dir); err != nil {
			return err
		}
		if err := t.newBuild(dir); err != nil {
			return err
		}
	}
	if _, err := t.git("add", "--all", "--force"); err != nil {
		return err
	}
	_, err = t.git("commit", "--quiet", "--amend", "--no-edit")
	return err
}

// dirs returns the sorted directories of files, one per line.
func dirs(files string) []string {
	var dirs []string
	for _, f := range strings.Fields(files) {
		dirs = append(dirs, path.Dir(f))
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// isNew returns whether a package is new to gVisor.
func (t *tree) isNew(dir string) bool {
	for _, base := range []string{t.pinned, t.main} {
		if files, _ := filepath.Glob(filepath.Join(base, dir, "*.go")); len(files) > 0 {
			return false
		}
	}
	return true
}

// goFiles returns the Go files in a directory, by name.
func goFiles(dir string) (map[string][]byte, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	files := make(map[string][]byte)
	for _, p := range paths {
		if files[filepath.Base(p)], err = os.ReadFile(p); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// write writes the series as patches.
func (t *tree) write() error {
	format := []string{"format-patch", "--quiet", "--no-signature", "--zero-commit", "--no-renames", "base..series"}
	if _, err := t.git(append(format, "-o", filepath.Join(t.out, "go"))...); err != nil {
		return err
	}
	args := append(format, "-o", filepath.Join(t.out, "main"), "--", ".")
	generated, err := t.generated()
	if err != nil {
		return err
	}
	for _, name := range generated {
		args = append(args, ":(exclude)"+name)
	}
	_, err = t.git(args...)
	return err
}

// generated returns the generated files that the series changes.
func (t *tree) generated() ([]string, error) {
	changed, err := t.git("diff", "--name-only", "base", "series", "--", "*.go")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, name := range strings.Fields(changed) {
		build, err := os.ReadFile(filepath.Join(t.dir, path.Dir(name), "BUILD"))
		if err != nil {
			return nil, err
		}
		if isGenerated(path.Base(name)) && !strings.HasSuffix(name, "_test.go") ||
			bytes.Contains(build, []byte(`out = "`+path.Base(name)+`"`)) {
			names = append(names, name)
		}
	}
	return names, nil
}
