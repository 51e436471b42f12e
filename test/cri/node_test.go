// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cri tests pods as Kubernetes runs them: with containerd's CRI plugin and, in
// part, with a kubelet. run.sh prepares what that needs and runs it.
package cri

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Set by run.sh, through environment variables.
var (
	// tools holds crictl, the kubelet and Debian's programs.
	tools = os.Getenv("CRI_TOOLS")
	// containerdDir holds the programs of the containerd under test.
	containerdDir = os.Getenv("CRI_CONTAINERD")
	// images holds the pods' images.
	images = os.Getenv("CRI_IMAGES")
	// dir is for everything else. usr and etc hold what make install installs.
	dir = os.Getenv("CRI_DIR")
)

// hung is the time after which an awaited state is considered hung.
const hung = 30 * time.Second

// node is the containerd that all tests use, nil if there is none.
var node *containerd

func TestMain(m *testing.M) {
	if dir == "" {
		os.Exit(m.Run())
	}
	os.Setenv("PATH", containerdDir+":"+tools+":"+os.Getenv("PATH"))
	var err error
	if node, err = startContainerd(dir, configs()[1]); err == nil {
		err = node.load()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := m.Run()
	if err := node.stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

// need skips a test if there is no containerd.
func need(t *testing.T) {
	t.Helper()
	if node == nil {
		t.Skip("only make cri runs this, with a containerd")
	}
}

// containerd is a running containerd.
type containerd struct {
	cmd    *exec.Cmd
	log    string
	config string
	socket string
}

// startContainerd starts a containerd that keeps everything in a directory.
// sentrybinder-setup adds the runtime to its config.
func startContainerd(dir, config string) (*containerd, error) {
	c := &containerd{
		log:    filepath.Join(dir, "containerd.log"),
		config: filepath.Join(dir, "etc/containerd/config.toml"),
		socket: filepath.Join(dir, "containerd.sock"),
	}
	config = strings.NewReplacer("DIR", dir, "TOOLS", tools).Replace(config)
	if err := os.MkdirAll(filepath.Dir(c.config), 0755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(c.config, []byte(config), 0644); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, "cni"), 0755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "cni/10-bridge.conflist"), []byte(network), 0644); err != nil {
		return nil, err
	}
	if out, err := setup("--config", c.config, "containerd"); err != nil {
		return nil, fmt.Errorf("sentrybinder-setup: %v: %s", err, out)
	}
	log, err := os.Create(c.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	c.cmd = exec.Command("containerd", "--config", c.config)
	c.cmd.Stdout, c.cmd.Stderr = log, log
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	if err := eventually(func() error {
		conn, err := net.Dial("unix", c.socket)
		if err != nil {
			return err
		}
		return conn.Close()
	}); err != nil {
		text, _ := os.ReadFile(c.log)
		return nil, fmt.Errorf("containerd does not listen: %v\n%s", err, text)
	}
	return c, nil
}

// load loads the images.
func (c *containerd) load() error {
	tars, err := filepath.Glob(images + "/*.tar")
	if err != nil {
		return err
	}
	for _, tar := range tars {
		if out, err := run("ctr", "--address", c.socket, "--namespace", "k8s.io", "images", "import", tar); err != nil {
			return fmt.Errorf("importing %s: %v: %s", tar, err, out)
		}
	}
	return nil
}

// configs returns the minimal config of containerd here, and that of the tests.
func configs() [2]string {
	version, err := exec.Command("containerd", "--version").Output()
	if err == nil && strings.Contains(string(version), " 2.") {
		return [2]string{"version = 3\n" + paths, "version = 3\n" + paths + config3}
	}
	return [2]string{"version = 2\n" + paths, "version = 2\n" + paths + config2}
}

// paths is the beginning of each config.
const paths = `root = "DIR/root"
state = "DIR/state"
[grpc]
  address = "DIR/containerd.sock"
[ttrpc]
  address = "DIR/containerd.sock.ttrpc"
`

// config2 is the rest of a config for containerd 1.7. Root without CAP_SYS_RESOURCE, as in a
// container, can't lower OOM scores.
const config2 = `[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  restrict_oom_score_adj = true
  disable_apparmor = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "TOOLS/trixie/usr/lib/cni"
    conf_dir = "DIR/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "sentrybinder"
`

// config3 is the rest of a config for containerd 2.
const config3 = `[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "localhost/pause:1"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
  disable_apparmor = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dir = "TOOLS/trixie/usr/lib/cni"
    conf_dir = "DIR/cni"
  [plugins."io.containerd.cri.v1.runtime".containerd]
    default_runtime_name = "sentrybinder"
`

// network is the pods' network, in the tests' network namespace.
const network = `{"cniVersion": "1.0.0", "name": "pods", "plugins": [
	{"type": "bridge", "bridge": "pods", "isGateway": true,
	 "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.88.0.0/16"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
`

// stop ends containerd, and what it left behind.
func (c *containerd) stop() error {
	out, err := c.crictl("rmp", "--all", "--force")
	if err != nil {
		text, _ := os.ReadFile(c.log)
		err = fmt.Errorf("removing pods: %v: %s\n%s", err, out, text)
	}
	_ = c.cmd.Process.Signal(os.Interrupt)
	_ = c.cmd.Wait() // It reports the interrupt.
	return err
}

// crictl runs a crictl command.
func (c *containerd) crictl(args ...string) (string, error) {
	return run("crictl", append([]string{"--config", "/dev/null", "--timeout", "30s", "--runtime-endpoint", "unix://" + c.socket}, args...)...)
}

// setup runs sentrybinder-setup.
func setup(args ...string) (string, error) {
	return run(filepath.Join(dir, "usr/sbin/sentrybinder-setup"), args...)
}

// run runs a program and returns its output, including error output if it fails.
func run(program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*hung)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String() + stderr.String(), err
	}
	return stdout.String(), nil
}

// eventually polls for a state that nothing reports.
func eventually(check func() error) error {
	deadline := time.Now().Add(hung)
	for {
		err := check()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// awaitContent waits until a function returns a text that contains all of want.
func awaitContent(t *testing.T, get func() string, want ...string) {
	t.Helper()
	require.NoError(t, eventually(func() error {
		text := get()
		for _, w := range want {
			if !strings.Contains(text, w) {
				return fmt.Errorf("no %q in %q", w, text)
			}
		}
		return nil
	}))
}
