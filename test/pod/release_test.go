// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package pod

import (
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
)

const releaseAnnotation = "dev.sentrybinder.kernel-release"

func withRelease(release string) func(*specs.Spec) {
	return func(spec *specs.Spec) { spec.Annotations[releaseAnnotation] = release }
}

// requireRelease checks that a container sees the same kernel release everywhere.
func requireRelease(t *testing.T, c *container, release string) {
	t.Helper()
	require.Equal(t, release+"\n", c.exec("release"))
	require.Equal(t, release, strings.TrimSpace(c.exec("cat", "/proc/sys/kernel/osrelease")))
	require.True(t, strings.HasPrefix(c.exec("cat", "/proc/version"), "Linux version "+release+" "))
}

// TestRelease: an annotation of the sandbox's first container sets the kernel release for
// all of them, after a checkpoint, too.
func TestRelease(t *testing.T) {
	const release = "5.10.0-android13"
	p := newPod(t)
	root := p.start("root", withRelease(release))
	c := p.start("app", nil)
	requireRelease(t, root, release)
	requireRelease(t, c, release)
	image := filepath.Join(p.dir, "image")
	p.run("checkpoint", "--image-path="+image, root.id)
	root.delete()
	c.deleted = true

	// The saved kernel's release can't change, which is checked once all of its
	// containers exist.
	p.id = ""
	otherRoot, other := p.create("root", withRelease("5.15.0")), p.create("app", nil)
	p.run("restore", "--detach", "--image-path="+image, otherRoot.id)
	output, err := p.try("restore", "--detach", "--image-path="+image, other.id)
	require.Error(t, err, output)
	require.Contains(t, output, "a restore can't change it")
	otherRoot.delete()
	other.deleted = true

	p.id = ""
	root, c = p.create("root", withRelease(release)), p.create("app", nil)
	for _, c := range []*container{root, c} {
		p.run("restore", "--detach", "--image-path="+image, c.id)
	}
	requireRelease(t, root, release)
	requireRelease(t, c, release)
}

// TestDefaultRelease: without the annotation, it is gVisor's.
func TestDefaultRelease(t *testing.T) {
	p := newPod(t)
	require.Contains(t, p.start("root", nil).exec("release"), "gvisor")
}

// TestInvalidRelease: a release that no kernel could have is refused before the container
// is created.
func TestInvalidRelease(t *testing.T) {
	for _, release := range []string{"", "5.10", "5.10.0 android", "5.10.0-" + strings.Repeat("x", 58)} {
		p := newPod(t)
		c, bundle := p.prepare("root", withRelease(release))
		output, err := p.try("create", "--bundle="+bundle, c.id)
		require.Error(t, err)
		require.Contains(t, output, releaseAnnotation)
	}
}
