// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package cri

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// with returns the annotations of a shared binderfs with changes: keys, each followed by
// its value, which is "" to remove one.
func with(annotations ...string) map[string]string {
	all := maps.Clone(shared())
	for i := 0; i < len(annotations); i += 2 {
		if annotations[i+1] == "" {
			delete(all, annotations[i])
		} else {
			all[annotations[i]] = annotations[i+1]
		}
	}
	return all
}

// TestRecipes: a recipe that differs from that of docs/kubernetes.md is an error that
// says what is wrong, at the latest when a container starts. None silently yields another
// file system.
func TestRecipes(t *testing.T) {
	for _, tc := range []struct {
		name        string
		annotations map[string]string
		edit        func(*pod)
		want        string
	}{
		{
			name:        "no volume of the annotation's name",
			annotations: with(hint("source"), "/pods/binders"),
			edit:        func(p *pod) { require.NoError(p.t, os.Remove(p.volume)) },
			want:        "mount annotations name a volume that the pod does not have",
		},
		{
			name:        "volume with files",
			annotations: shared(),
			edit: func(p *pod) {
				require.NoError(p.t, os.WriteFile(filepath.Join(p.volume, "file"), nil, 0644))
			},
			want: "it is forced to be shared (false) or not empty (true)",
		},
		{
			name:        "volume forced to be the host's",
			annotations: with("dev.gvisor.empty-dir.binders.force-shared", "true"),
			want:        "it is forced to be shared (true) or not empty (false)",
		},
		{
			name: "no annotations", want: "pod_annotations in its config",
		},
		{
			name: "no type", annotations: with(hint("type"), ""), want: "pod_annotations in its config",
		},
		{
			name: "no such type", annotations: with(hint("type"), "binderfs"), want: "unknown type",
		},
		{
			name: "not shared", annotations: with(hint("share"), ""), want: "want one of pod, container",
		},
		{
			name: "a nonexistent option", annotations: with(hint("options"), "stats=local"), want: "stats",
		},
		{
			name: "a misspelt annotation", annotations: with("dev.sentrybinder.device", "binder"),
			want: "unknown annotation dev.sentrybinder.device",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := preparePod(t, tc.annotations)
			if tc.edit != nil {
				tc.edit(p)
			}
			out, err := p.run()
			if err == nil {
				var c *container
				c, out, err = p.create(options{}, "/bin/talk", "manager")
				if err == nil {
					out, err = node.crictl("start", c.id)
				}
			}
			require.Error(t, err, "it started")
			require.Contains(t, out, tc.want)
		})
	}
}

// TestSource: the volume's source replaces the manifest's.
func TestSource(t *testing.T) {
	talk(startPod(t, with(hint("source"), "/pods/binders")))
}

// TestAnnotations: a pod's annotations reach the sandbox.
func TestAnnotations(t *testing.T) {
	p := startPod(t, map[string]string{"dev.sentrybinder.devices": "alpha"})
	c := p.start(options{image: "localhost/shell:1", elsewhere: "/data"}, "/bin/sleep", "inf")
	names := c.exec("/bin/ls", "/dev")
	require.Contains(t, names, "alpha\n")
	require.NotContains(t, names, "binder\n")

	// What arrived is visible from outside.
	out, err := node.crictl("inspectp", "--output", "json", p.id)
	require.NoError(t, err, out)
	var info struct {
		Info struct {
			RuntimeSpec struct {
				Annotations map[string]string `json:"annotations"`
			} `json:"runtimeSpec"`
		} `json:"info"`
	}
	require.NoError(t, json.Unmarshal([]byte(out), &info))
	require.Equal(t, "alpha", info.Info.RuntimeSpec.Annotations["dev.sentrybinder.devices"], out)
}

// TestCheck: sentrybinder-setup notices if a config lacks the line without which
// containerd silently drops all annotations.
func TestCheck(t *testing.T) {
	need(t)
	out, err := setup("--check", "--config", node.config, "containerd")
	require.NoError(t, err, out)

	text, err := os.ReadFile(node.config)
	require.NoError(t, err)
	var kept []string
	for _, line := range strings.Split(string(text), "\n") {
		if !strings.Contains(line, "pod_annotations") {
			kept = append(kept, line)
		}
	}
	require.Less(t, len(kept), strings.Count(string(text), "\n")+1)
	config := filepath.Join(t.TempDir(), "config.toml")
	require.NoError(t, os.WriteFile(config, []byte(strings.Join(kept, "\n")), 0644))
	out, err = setup("--check", "--config", config, "containerd")
	require.Error(t, err)
	require.Contains(t, out, `lacks "dev.sentrybinder.*"`)
}

// TestSetup: sentrybinder-setup can remove what it writes into a config, and changes
// nothing else.
func TestSetup(t *testing.T) {
	need(t)
	config := filepath.Join(t.TempDir(), "containerd/config.toml")
	read := func() string {
		text, err := os.ReadFile(config)
		require.NoError(t, err)
		return string(text)
	}
	must := func(args ...string) {
		t.Helper()
		out, err := setup(append(args, "--config", config, "containerd")...)
		require.NoError(t, err, out)
	}
	// If there is no config, it writes one, and removes it.
	must()
	must("--check")
	once := read()
	must()
	require.Equal(t, once, read())
	must("--remove")
	require.NoDirExists(t, filepath.Dir(config))

	require.NoError(t, os.Mkdir(filepath.Dir(config), 0755))
	version := strings.SplitN(once, "\n", 2)[0]
	own := version + "\n# mine\n[debug]\n  level = \"info\"\n"
	require.NoError(t, os.WriteFile(config, []byte(own), 0600))
	must()
	must("--check")
	require.True(t, strings.HasPrefix(read(), own), read())
	must("--remove")
	require.Equal(t, own, read())
	info, err := os.Stat(config)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0600), info.Mode())

	// It keeps a runtime that somebody else wrote.
	theirs := own + "[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.sentrybinder]\n"
	require.NoError(t, os.WriteFile(config, []byte(theirs), 0600))
	out, err := setup("--config", config, "containerd")
	require.Error(t, err)
	require.Contains(t, out, "this command did not write")
	require.Equal(t, theirs, read())
}

// TestDefaultRuntime: if a config names no runtime, containerd's own stays its default.
func TestDefaultRuntime(t *testing.T) {
	need(t)
	c, err := startContainerd(filepath.Join(dir, "second"), configs()[0])
	require.NoError(t, err)
	defer func() { require.NoError(t, c.stop()) }()
	info, err := c.crictl("info")
	require.NoError(t, err, info)
	require.Regexp(t, `"defaultRuntimeName": "runc"`, info)
	require.Contains(t, info, `"sentrybinder"`)
}

// TestTranscript: the files for crictl do what docs/kubernetes.md shows.
func TestTranscript(t *testing.T) {
	need(t)
	files := filepath.Join(dir, "usr/share/sentrybinder/crictl")
	config := filepath.Join(files, "pod.json")
	require.NoError(t, os.MkdirAll("/var/lib/kubelet/pods/talk-1/volumes/kubernetes.io~empty-dir/binders", 0755))
	must := func(args ...string) string {
		t.Helper()
		out, err := node.crictl(args...)
		require.NoError(t, err, out)
		return strings.TrimSpace(out)
	}
	p := must("runp", "--runtime", "sentrybinder", config)
	defer must("rmp", "--force", p)
	var last string
	for _, name := range []string{"manager", "greeter", "visitor"} {
		last = must("create", p, filepath.Join(files, name+".json"), config)
		must("start", last)
	}
	awaitContent(t, func() string { return must("logs", last) }, "Hello visitor, this is greeter.")
	require.Contains(t, must("exec", last, "/bin/talk", "call", "greeter", "me"), "Hello me, this is greeter.")
}
