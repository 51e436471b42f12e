// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package pod

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// podman is podman with a separate store and the runsc under test.
type podman struct {
	t     *testing.T
	dir   string
	flags []string
}

func newPodman(t *testing.T) *podman {
	p := newPod(t)
	if _, err := exec.LookPath("podman"); err != nil {
		t.Skip("podman is not installed")
	}
	root := filepath.Join(p.dir, "rootfs")
	require.NoError(t, os.MkdirAll(root, 0755))
	self, err := os.Executable()
	require.NoError(t, err)
	binary, err := os.ReadFile(self)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(root, "agent"), binary, 0755))
	d := &podman{t: t, dir: p.dir, flags: []string{
		"--root=" + p.dir + "/store", "--runroot=" + p.dir + "/run", "--tmpdir=" + p.dir + "/tmp",
		"--cgroup-manager=cgroupfs", "--events-backend=file", "--storage-driver=vfs",
		"--runtime=" + p.runsc, "--runtime-flag=network=none", "--runtime-flag=ignore-cgroups",
	}}
	t.Cleanup(func() {
		d.try("rm", "--all", "--force", "--time=0")
		_ = unix.Unmount(filepath.Join(p.dir, "store"), unix.MNT_DETACH)
	})
	return d
}

// try runs a podman command and returns its output. What outlives the command may keep
// its standard streams: see pod.run.
func (d *podman) try(args ...string) (string, error) {
	d.t.Helper()
	file, err := os.CreateTemp(d.dir, "output")
	require.NoError(d.t, err)
	defer file.Close()
	cmd := exec.Command("podman", append(d.flags, args...)...)
	cmd.Stdout, cmd.Stderr = file, file
	err = cmd.Run()
	output, readErr := os.ReadFile(file.Name())
	require.NoError(d.t, readErr)
	return string(output), err
}

// run runs agents, each given as a command line, in one container with these options, and
// returns what they print.
func (d *podman) run(options []string, agents ...string) string {
	d.t.Helper()
	args := append([]string{"run", "--detach", "--name=c", "--network=none", "--read-only", "--env=" + agentVariable + "=1"}, options...)
	output, err := d.try(append(args, "--rootfs", filepath.Join(d.dir, "rootfs"), "/agent", "sleep")...)
	require.NoError(d.t, err, "%q: %s", options, output)
	var all strings.Builder
	for _, agent := range agents {
		output, err = d.try(append([]string{"exec", "c", "/agent"}, strings.Fields(agent)...)...)
		require.NoError(d.t, err, "%s: %s", agent, output)
		all.WriteString(output)
	}
	output, err = d.try("rm", "--force", "--time=0", "c")
	require.NoError(d.t, err, output)
	return all.String()
}

// TestPodmanLayout: one podman annotation, or a flag of the runtime, selects Android's
// layout, also for an ordinary user.
func TestPodmanLayout(t *testing.T) {
	d := newPodman(t)
	const binder = "/dev/binderfs/binder 20666 0 0\n"
	const nobody = "nobody answers\n"
	user := []string{"--user=1000:1000", "--annotation=dev.sentrybinder.layout=android"}
	require.Equal(t, binder+nobody+"1\n", d.run(user, "file /dev/binder", "call /dev/binder", "cat /dev/binderfs/features/freeze_notification"))
	require.Equal(t, "file 20666 0 0\n", d.run(nil, "file /dev/binder"))

	d.flags = append(d.flags, "--runtime-flag=default-annotations=dev.sentrybinder.layout=android")
	require.Equal(t, binder, d.run(nil, "file /dev/binder"))
	require.Equal(t, "file 20666 0 0\n", d.run([]string{"--annotation=dev.sentrybinder.layout=plain"}, "file /dev/binder"))
}

// TestPodmanMount: a volume is a binderfs if gVisor's annotations say so, without a
// capability; with Android's layout, links lead to its devices.
func TestPodmanMount(t *testing.T) {
	d := newPodman(t)
	volume := t.TempDir()
	options := []string{
		"--cap-drop=all",
		"--annotation=dev.gvisor.spec.mount.b.source=" + volume,
		"--annotation=dev.gvisor.spec.mount.b.type=binder",
		"--annotation=dev.gvisor.spec.mount.b.share=container",
		// podman ends an annotation at a comma, unless it's quoted.
		`--annotation="dev.gvisor.spec.mount.b.options=stats=global,mode=0666"`,
		"--volume=" + volume + ":/dev/binderfs",
	}
	require.Equal(t, "file 20666 0 0\nbinder\nbinder-control\nbinder_logs\nfeatures\nhwbinder\nvndbinder\nnobody answers\n",
		d.run(options, "file /dev/binderfs/hwbinder", "ls /dev/binderfs", "call /dev/binderfs/binder"))
	require.Equal(t, "/dev/binderfs/hwbinder 20666 0 0\n",
		d.run(append(options, "--annotation=dev.sentrybinder.layout=android"), "file /dev/hwbinder"))
	left, err := os.ReadDir(volume)
	require.NoError(t, err)
	require.Empty(t, left)
}

// TestPodmanDevice: --device adds the sandbox's device, with the mode of the host's. A
// device that the sandbox lacks is refused, as is a misspelt annotation.
func TestPodmanDevice(t *testing.T) {
	d := newPodman(t)
	device := filepath.Join(t.TempDir(), "device")
	require.NoError(t, unix.Mknod(device, unix.S_IFCHR|0640, int(unix.Mkdev(10, 55))))
	require.NoError(t, os.Chown(device, 0, 1000))
	require.Equal(t, "file 20640 0 1000\nnobody answers\n", d.run([]string{"--device=" + device + ":/dev/binder"}, "file /dev/binder", "call /dev/binder"))

	for why, option := range map[string]string{
		"device /dev/anbox-binder: this sandbox has no such Binder device": "--device=" + device + ":/dev/anbox-binder",
		"unknown annotation dev.sentrybinder.layuot":                       "--annotation=dev.sentrybinder.layuot=android",
	} {
		output, err := d.try("run", "--rm", "--network=none", option, "--rootfs", filepath.Join(d.dir, "rootfs"), "/agent", "pid")
		require.Error(t, err)
		require.Contains(t, output, why)
	}
}
