// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package pod

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
)

// permissive gives a sandbox labels.
var permissive = annotated("selinux", "permissive")

// context gives a container's processes their first label.
func context(label string) func(*specs.Spec) {
	return annotated("security-context", label)
}

// selinuxfs is where containers mount selinuxfs.
const selinuxfs = "/selinux"

// withSelinuxfs mounts selinuxfs in a container.
func withSelinuxfs(spec *specs.Spec) {
	if err := os.MkdirAll(filepath.Join(spec.Root.Path, selinuxfs), 0755); err != nil {
		panic(err)
	}
	mounts(specs.Mount{Type: "selinuxfs", Destination: selinuxfs, Source: "selinuxfs"})(spec)
}

// label returns an attribute of a process in the container.
func (c *container) label(pid, attr string) string {
	c.t.Helper()
	return c.exec("cat", "/proc/"+pid+"/attr/"+attr)
}

// Each container has its own initial label, whatever others' labels become. Binder
// reports a caller's own.
func TestLabelsOfContainers(t *testing.T) {
	p := newPod(t)
	source := t.TempDir()
	mount := mounts(specs.Mount{Type: "binder", Destination: binderfs, Source: source})
	root := p.start("root", both(both(permissive, context("u:r:init:s0")), both(mount, hint(source))))
	one := p.start("one", both(mount, context("u:r:app:s0:c2,c1")))
	two := p.start("two", mount)
	for c, want := range map[*container]string{
		root: "u:r:init:s0", one: "u:r:app:s0:c1,c2", two: "u:object_r:unlabeled:s0",
	} {
		require.Equal(t, want+"\x00", c.label("1", "current"))
		require.Equal(t, want+"\x00", c.label("self", "current"), "of a process started from outside")
		require.Equal(t, "u:r:other:s0\x00", c.exec("as", "u:r:other:s0", "cat", "/proc/self/attr/current"))
		require.Equal(t, want+"\x00", c.label("self", "current"))
	}

	const device = binderfs + "/binder"
	s := one.server("curious", device)
	two.exec("call", device)
	s.expect("call from u:object_r:unlabeled:s0")
	two.exec("as", "u:r:other:s0", "call", device)
	s.expect("call from u:r:other:s0")
	root.exec("call", device)
	s.expect("call from u:r:init:s0")
}

// With labels, a container's security context must be one.
func TestInvalidLabel(t *testing.T) {
	p := newPod(t)
	p.start("root", permissive)
	p.refused("app", "USER:ROLE:TYPE:RANGE", context("anything"))
	p = newPod(t)
	p.refused("root", "want one of permissive", annotated("selinux", "enforcing"))
}

// Labels that nobody asked for don't show.
func TestNoLabels(t *testing.T) {
	p := newPod(t)
	c := p.start("root", context("u:r:init:s0"))
	require.NotContains(t, c.exec("ls", "/proc/self"), "attr\n")
	require.NotContains(t, c.exec("cat", "/proc/filesystems"), "selinuxfs")
	p.refused("other", "takes effect only in the config of the sandbox's first container", permissive)
}

// A restored process has the labels that it was saved with, and so do the containers,
// although their IDs differ.
func TestLabelsAreRestored(t *testing.T) {
	running := func(spec *specs.Spec) {
		spec.Process.Args = []string{"/agent", "as", "u:r:adbd:s0:c2,c1", "sleep"}
		permissive(spec)
		context("u:r:init:s0")(spec)
		withSelinuxfs(spec)
	}
	requireLabels := func(c *container) {
		t.Helper()
		require.Equal(t, "u:r:init:s0\x00", c.label("1", "prev"))
		require.Equal(t, "u:r:init:s0\x00", c.label("self", "current"))
		require.Equal(t, "0", c.exec("cat", selinuxfs+"/enforce"))
	}
	p := newPod(t)
	c := p.start("root", running)
	for deadline := time.Now().Add(time.Minute); c.label("1", "current") != "u:r:adbd:s0:c1,c2\x00"; {
		require.True(t, time.Now().Before(deadline), "the first process has %q", c.label("1", "current"))
	}
	requireLabels(c)
	image := filepath.Join(p.dir, "image")
	p.run("checkpoint", "--image-path="+image, c.id)
	c.delete()

	p.id = ""
	c = p.create("root", running)
	p.run("restore", "--detach", "--image-path="+image, c.id)
	require.Equal(t, "u:r:adbd:s0:c1,c2\x00", c.label("1", "current"))
	requireLabels(c)
}
