// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package pod

import (
	"path/filepath"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
)

// annotated returns an edit of a spec that adds annotations: keys without their prefix,
// each followed by its value.
func annotated(annotations ...string) func(*specs.Spec) {
	return func(spec *specs.Spec) {
		for i := 0; i < len(annotations); i += 2 {
			spec.Annotations["dev.sentrybinder."+annotations[i]] = annotations[i+1]
		}
	}
}

// refused requires that creating a container fails with the reason why.
func (p *pod) refused(name, why string, edit func(*specs.Spec)) {
	p.t.Helper()
	c, bundle := p.prepare(name, edit)
	output, err := p.try("create", "--bundle="+bundle, c.id)
	require.Error(p.t, err)
	require.Contains(p.t, output, why)
	// It leaves nothing behind.
	_, err = p.try("state", c.id)
	require.Error(p.t, err)
}

// TestAnnotationsOfSandbox: an invalid annotation of a first container is refused before
// the sandbox is created.
func TestAnnotationsOfSandbox(t *testing.T) {
	for why, edit := range map[string]func(*specs.Spec){
		"unknown annotation dev.sentrybinder.device ": annotated("device", "binder"),
		"a device name is a file name":                annotated("devices", "a/b"),
		"want a number of bytes":                      annotated("memory", "1M"),
	} {
		p := newPod(t)
		p.refused("root", why, edit)
		p.id = ""
		p.start("root", annotated("devices", "binder", "memory", "1000000"))
	}
}

// TestAnnotationsOfContainers: any container's annotations are checked before it is
// created, and those of the sandbox must agree with the first container's.
func TestAnnotationsOfContainers(t *testing.T) {
	p := newPod(t)
	p.start("root", annotated("devices", "a,b"))
	p.refused("one", "a security context has 1 to 4095 bytes", annotated("security-context", ""))
	p.refused("one", "want a number of bytes", annotated("memory", "1M"))
	p.refused("one", "unknown annotation dev.sentrybinder.device ", annotated("device", "a"))
	p.refused("one", `takes effect only in the config of the sandbox's first container, where it is "a,b"`, annotated("devices", "c"))
	p.start("one", annotated("devices", "a,b", "memory", "1000000"))
}

// TestAnnotationsOfRestore: a checkpoint keeps the annotations that it was made with, and
// isn't restored with others.
func TestAnnotationsOfRestore(t *testing.T) {
	p := newPod(t)
	saved := p.start("root", annotated("devices", "a", "memory", "1000000"))
	p.start("one", annotated("security-context", "x")).deleted = true
	image := filepath.Join(p.dir, "image")
	p.run("checkpoint", "--image-path="+image, saved.id)
	saved.delete()

	restore := func(root, one func(*specs.Spec)) (string, error) {
		p.id = ""
		c := p.create("root", root)
		p.run("restore", "--detach", "--image-path="+image, c.id)
		return p.try("restore", "--detach", "--image-path="+image, p.create("one", one).id)
	}
	for _, tc := range []struct {
		root, one func(*specs.Spec)
		why       string
	}{
		{annotated("devices", "b", "memory", "1000000"), annotated("security-context", "x"), "annotation dev.sentrybinder.devices is "},
		{annotated("devices", "a"), annotated("security-context", "x"), "annotation dev.sentrybinder.memory is absent"},
		{annotated("devices", "a", "memory", "1000000"), nil, "annotation dev.sentrybinder.security-context is absent"},
	} {
		output, err := restore(tc.root, tc.one)
		require.Error(t, err)
		require.Contains(t, output, tc.why)
		require.Contains(t, output, "a restore can't change it")
	}
	output, err := restore(annotated("devices", "a", "memory", "1000000"), annotated("devices", "a", "security-context", "x"))
	require.NoError(t, err, output)
}
