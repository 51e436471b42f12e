// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package pod

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// docker is a separate daemon, with the runsc under test as the runtimes runsc and, with
// a flag for Android's layout, runsc-android. It has an image of the agent.
type docker struct {
	t    *testing.T
	host string
}

func newDocker(t *testing.T) *docker {
	p := newPod(t)
	for _, program := range []string{"docker", "dockerd", "containerd"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(program + " is not installed")
		}
	}
	// Socket paths must be short.
	dir, err := os.MkdirTemp("", "docker")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	type runtime struct {
		Path string   `json:"path"`
		Args []string `json:"runtimeArgs"`
	}
	args := []string{"--network=none", "--ignore-cgroups"}
	d := &docker{t, "unix://" + dir + "/socket"}
	config, err := json.Marshal(map[string]any{
		"data-root": dir + "/data", "exec-root": dir + "/exec", "pidfile": dir + "/pid", "hosts": []string{d.host},
		"bridge": "none", "iptables": false, "ip6tables": false, "ip-forward": false, "storage-driver": "vfs",
		"exec-opts": []string{"native.cgroupdriver=cgroupfs"},
		"runtimes": map[string]runtime{
			"runsc":         {p.runsc, args},
			"runsc-android": {p.runsc, append(args, "--default-annotations=dev.sentrybinder.layout=android")},
		},
	})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(dir+"/daemon.json", config, 0644))

	var log bytes.Buffer
	daemon := exec.Command("dockerd", "--config-file="+dir+"/daemon.json")
	daemon.Stdout, daemon.Stderr = &log, &log
	require.NoError(t, daemon.Start())
	ended := make(chan error, 1)
	go func() { ended <- daemon.Wait() }()
	t.Cleanup(func() {
		_ = daemon.Process.Signal(unix.SIGTERM)
		<-ended
		// runsc leaves this mount in place for the next sandbox.
		_ = unix.Unmount(dir+"/exec/runtime-runc/moby/null-netns", unix.MNT_DETACH)
	})
	deadline := time.After(time.Minute)
	for {
		_, err := d.try("version")
		if err == nil {
			break
		}
		select {
		case <-ended:
			ended <- nil
			require.FailNow(t, "dockerd has ended", "%s", &log)
		case <-deadline:
			require.FailNow(t, "dockerd does not answer")
		default:
		}
	}

	self, err := os.Executable()
	require.NoError(t, err)
	tar := exec.Command("tar", "--create", "--directory="+filepath.Dir(self), "--transform=s/.*/agent/", filepath.Base(self))
	image := d.command("import", "-", "agent")
	image.Stdin, err = tar.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, tar.Start())
	output, err := image.CombinedOutput()
	require.NoError(t, err, "%s", output)
	require.NoError(t, tar.Wait())
	return d
}

func (d *docker) command(args ...string) *exec.Cmd {
	return exec.Command("docker", append([]string{"--host=" + d.host}, args...)...)
}

func (d *docker) try(args ...string) (string, error) {
	output, err := d.command(args...).CombinedOutput()
	return string(output), err
}

// run runs an agent in a new container with these options, and returns what it prints.
func (d *docker) run(options []string, agent ...string) (string, error) {
	args := append([]string{"run", "--rm", "--network=none", "--read-only", "--env=" + agentVariable + "=1"}, options...)
	return d.try(append(append(args, "agent", "/agent"), agent...)...)
}

// TestDocker: a runtime in Docker's configuration stands for Android's layout, and where
// Docker supports annotations, they take effect.
func TestDocker(t *testing.T) {
	d := newDocker(t)
	check := func(want string, options []string, agent ...string) {
		t.Helper()
		output, err := d.run(options, agent...)
		require.NoError(t, err, output)
		require.Equal(t, want, output)
	}
	check("file 20666 0 0\n", []string{"--runtime=runsc"}, "file", "/dev/binder")
	android := []string{"--runtime=runsc-android", "--user=1000:1000"}
	check("/dev/binderfs/binder 20666 0 0\n", android, "file", "/dev/binder")
	check("nobody answers\n", android, "call", "/dev/hwbinder")
	check("1\n", android, "cat", "/dev/binderfs/features/freeze_notification")
	check("/dev/binderfs/binder 20666 0 0\n", []string{"--runtime=runsc-android", "--privileged"}, "file", "/dev/binder")

	device := filepath.Join(t.TempDir(), "device")
	require.NoError(t, unix.Mknod(device, unix.S_IFCHR|0640, int(unix.Mkdev(10, 55))))
	check("file 20640 0 0\n", []string{"--runtime=runsc", "--device=" + device + ":/dev/binder"}, "file", "/dev/binder")
	output, err := d.run([]string{"--runtime=runsc", "--device=" + device + ":/dev/anbox-binder"}, "pid")
	require.Error(t, err)
	require.Contains(t, output, "device /dev/anbox-binder: this sandbox has no such Binder device")

	output, err = d.run([]string{"--runtime=runsc", "--annotation=dev.sentrybinder.layout=android"}, "file", "/dev/hwbinder")
	if err != nil && (strings.Contains(output, "unknown flag") || strings.Contains(output, "requires API version")) {
		t.Log("this Docker has no annotations")
		return
	}
	require.NoError(t, err, output)
	require.Equal(t, "/dev/binderfs/hwbinder 20666 0 0\n", output)
	check("file 20666 0 0\n", []string{"--runtime=runsc-android", "--annotation=dev.sentrybinder.layout=plain"}, "file", "/dev/binder")

	volume := t.TempDir()
	check("file 20660 0 0\n", []string{
		"--runtime=runsc", "--volume=" + volume + ":/dev/binderfs",
		"--annotation=dev.gvisor.spec.mount.b.source=" + volume,
		"--annotation=dev.gvisor.spec.mount.b.type=binder",
		"--annotation=dev.gvisor.spec.mount.b.share=container",
		"--annotation=dev.gvisor.spec.mount.b.options=stats=global,mode=0660",
	}, "file", "/dev/binderfs/vndbinder")
	output, err = d.run([]string{"--runtime=runsc", "--annotation=dev.sentrybinder.layuot=android"}, "pid")
	require.Error(t, err)
	require.Contains(t, output, "unknown annotation dev.sentrybinder.layuot")
}
