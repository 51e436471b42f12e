// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package cri

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// binders is the name of the volume that becomes a binderfs.
const binders = "binders"

// binderfsDir is where containers mount it.
const binderfsDir = "/dev/binderfs"

// shared holds the annotations that make it one.
func shared() map[string]string {
	return map[string]string{
		hint("type"):    "binder",
		hint("share"):   "pod",
		hint("options"): "stats=global",
	}
}

func hint(field string) string {
	return "dev.gvisor.spec.mount." + binders + "." + field
}

// pod is a pod, created by crictl the way a kubelet does.
type pod struct {
	t      *testing.T
	id     string
	config map[string]any
	// volume is the directory of the volume binders.
	volume string
	// made counts the containers created.
	made int
}

// preparePod creates what a pod needs on the host.
func preparePod(t *testing.T, annotations map[string]string) *pod {
	t.Helper()
	need(t)
	name := strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name()))
	uid := "uid-" + name
	logs := filepath.Join(dir, "logs", "default_"+name+"_"+uid)
	require.NoError(t, os.MkdirAll(logs, 0755))
	p := &pod{
		t:      t,
		volume: filepath.Join("/var/lib/kubelet/pods", uid, "volumes/kubernetes.io~empty-dir", binders),
		config: map[string]any{
			"metadata":      map[string]any{"name": name, "namespace": "default", "uid": uid},
			"hostname":      name,
			"log_directory": logs,
			"annotations":   annotations,
			"linux":         map[string]any{"cgroup_parent": "/sentrybinder-test"},
		},
	}
	require.NoError(t, os.MkdirAll(p.volume, 0777))
	return p
}

// startPod starts a pod.
func startPod(t *testing.T, annotations map[string]string) *pod {
	t.Helper()
	p := preparePod(t, annotations)
	out, err := p.run()
	require.NoError(t, err, out)
	return p
}

// run starts the pod, without a container yet.
func (p *pod) run() (string, error) {
	p.t.Helper()
	out, err := node.crictl("runp", p.file(p.config))
	if err != nil {
		return out, err
	}
	p.id = strings.TrimSpace(out)
	p.t.Cleanup(func() {
		if p.t.Failed() {
			out, _ := node.crictl("inspectp", p.id)
			p.t.Log(out)
		}
		out, err := node.crictl("rmp", "--force", p.id)
		require.NoError(p.t, err, out)
	})
	return out, nil
}

// file writes a config for crictl.
func (p *pod) file(config map[string]any) string {
	p.t.Helper()
	text, err := json.Marshal(config)
	require.NoError(p.t, err)
	f, err := os.CreateTemp(p.t.TempDir(), "*.json")
	require.NoError(p.t, err)
	defer f.Close()
	_, err = f.Write(text)
	require.NoError(p.t, err)
	return f.Name()
}

// container is a container of a pod.
type container struct {
	*pod
	id  string
	log string
}

// options are a container's deviations from the default.
type options struct {
	image string
	// linux is the part of the config of that name.
	linux map[string]any
	// elsewhere is where the binderfs is mounted, if not on binderfsDir.
	elsewhere string
}

// create creates a container that runs a command.
func (p *pod) create(o options, command ...string) (*container, string, error) {
	p.t.Helper()
	if o.image == "" {
		o.image = "localhost/talk:1"
	}
	if o.elsewhere == "" {
		o.elsewhere = binderfsDir
	}
	p.made++
	name := fmt.Sprintf("c%d", p.made)
	config := map[string]any{
		"metadata": map[string]any{"name": name},
		"image":    map[string]any{"image": o.image},
		"command":  command,
		"log_path": name + ".log",
		"mounts":   []any{map[string]any{"host_path": p.volume, "container_path": o.elsewhere}},
	}
	if o.linux != nil {
		config["linux"] = o.linux
	}
	out, err := node.crictl("create", p.id, p.file(config), p.file(p.config))
	if err != nil {
		return nil, out, err
	}
	return &container{p, strings.TrimSpace(out), filepath.Join(p.config["log_directory"].(string), name+".log")}, "", nil
}

// start creates and starts a container.
func (p *pod) start(o options, command ...string) *container {
	p.t.Helper()
	c, out, err := p.create(o, command...)
	require.NoError(p.t, err, out)
	out, err = node.crictl("start", c.id)
	require.NoError(p.t, err, out)
	return c
}

// exec runs a command in a container.
func (c *container) exec(command ...string) string {
	c.t.Helper()
	out, err := node.crictl(append([]string{"exec", "--sync", c.id}, command...)...)
	require.NoError(c.t, err, out)
	return out
}

// logs returns a container's logs.
func (c *container) logs() string {
	c.t.Helper()
	out, err := node.crictl("logs", c.id)
	require.NoError(c.t, err, out)
	return out
}

// stop stops and removes a container.
func (c *container) stop() {
	c.t.Helper()
	out, err := node.crictl("stop", "--timeout", "0", c.id)
	require.NoError(c.t, err, out)
	out, err = node.crictl("rm", c.id)
	require.NoError(c.t, err, out)
}
