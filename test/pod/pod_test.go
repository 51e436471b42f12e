// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package pod tests containers that share a sandbox: which of them see the same Binder
// devices, and how they identify each other.
package pod

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// agentVariable, in the environment, makes this binary an agent: see agent.
const agentVariable = "POD_AGENT"

func TestMain(m *testing.M) {
	if os.Getenv(agentVariable) != "" {
		agent(os.Args[1:])
		return
	}
	os.Exit(m.Run())
}

// pod is a sandbox. Its first container is the root one.
type pod struct {
	t     *testing.T
	runsc string
	dir   string
	id    string

	// started counts the containers.
	started int

	// cgroups is set if the limits in containers' specs are obeyed.
	cgroups bool

	// flags are additional runsc flags.
	flags []string

	// metricServer is the address of the metric server, or empty for none. Without one,
	// sandboxes keep no metrics.
	metricServer string
}

// container is a running container, whose first process does nothing.
type container struct {
	*pod
	id      string
	deleted bool
}

func newPod(t *testing.T) *pod {
	runsc := os.Getenv("RUNSC")
	if runsc == "" {
		t.Skip("RUNSC does not name a runsc to test")
	}
	if os.Getuid() != 0 {
		t.Skip("a sandbox of several containers needs root")
	}
	p := &pod{t: t, runsc: runsc, dir: t.TempDir()}
	// runsc leaves this mount in place for the next sandbox.
	t.Cleanup(func() { _ = unix.Unmount(filepath.Join(p.dir, "state", "null-netns"), unix.MNT_DETACH) })
	return p
}

func (p *pod) command(args ...string) *exec.Cmd {
	flags := append([]string{
		"--root=" + filepath.Join(p.dir, "state"),
		"--metric-server=" + p.metricServer,
		"--network=none", fmt.Sprintf("--ignore-cgroups=%t", !p.cgroups), "--overlay2=none",
		"--debug-log=" + p.dir + "/log/",
	}, p.flags...)
	return exec.Command(p.runsc, append(flags, args...)...)
}

// run runs a runsc command and returns its output. Processes that outlive the command
// keep its standard streams, which are therefore a file: nobody needs to wait for its
// end.
func (p *pod) run(args ...string) string {
	p.t.Helper()
	output, err := p.try(args...)
	require.NoError(p.t, err, "runsc %s: %s", strings.Join(args, " "), output)
	return output
}

// try is run for a command that may fail.
func (p *pod) try(args ...string) (string, error) {
	p.t.Helper()
	file, err := os.CreateTemp(p.dir, "output")
	require.NoError(p.t, err)
	defer file.Close()
	cmd := p.command(args...)
	cmd.Stdout, cmd.Stderr = file, file
	err = cmd.Run()
	output, readErr := os.ReadFile(file.Name())
	require.NoError(p.t, readErr)
	return string(output), err
}

// start starts a container. edit changes its spec.
func (p *pod) start(name string, edit func(*specs.Spec)) *container {
	p.t.Helper()
	c := p.create(name, edit)
	p.run("start", c.id)
	return c
}

// create creates a container.
func (p *pod) create(name string, edit func(*specs.Spec)) *container {
	p.t.Helper()
	c, bundle := p.prepare(name, edit)
	p.run("create", "--bundle="+bundle, c.id)
	p.t.Cleanup(c.delete)
	return c
}

// prepare makes the bundle for a container that is about to be created.
func (p *pod) prepare(name string, edit func(*specs.Spec)) (c *container, bundle string) {
	p.t.Helper()
	bundle = filepath.Join(p.dir, name)
	root := filepath.Join(bundle, "rootfs")
	for _, dir := range []string{"dev", "proc", "binderfs", "cgroup"} {
		require.NoError(p.t, os.MkdirAll(filepath.Join(root, dir), 0755))
	}
	self, err := os.Executable()
	require.NoError(p.t, err)
	binary, err := os.ReadFile(self)
	require.NoError(p.t, err)
	require.NoError(p.t, os.WriteFile(filepath.Join(root, "agent"), binary, 0755))

	p.started++
	c = &container{pod: p, id: fmt.Sprintf("%s-%d-%d", name, p.started, os.Getpid())}
	kind := "container"
	if p.id == "" {
		p.id, kind = c.id, "sandbox"
	}
	spec := &specs.Spec{
		Version: "1.0.0",
		Root:    &specs.Root{Path: root, Readonly: true},
		Process: &specs.Process{Args: []string{"/agent", "sleep"}, Env: []string{agentVariable + "=1"}, Cwd: "/"},
		Mounts:  []specs.Mount{{Type: "proc", Destination: "/proc", Source: "proc"}},
		Linux:   &specs.Linux{Namespaces: []specs.LinuxNamespace{{Type: specs.PIDNamespace}, {Type: specs.MountNamespace}}},
		Annotations: map[string]string{
			"io.kubernetes.cri.container-type": kind,
			"io.kubernetes.cri.container-name": name,
			"io.kubernetes.cri.sandbox-id":     p.id,
		},
	}
	if edit != nil {
		edit(spec)
	}
	config, err := json.Marshal(spec)
	require.NoError(p.t, err)
	require.NoError(p.t, os.WriteFile(filepath.Join(bundle, "config.json"), config, 0644))

	return c, bundle
}

// delete deletes the container unless it was deleted already.
func (c *container) delete() {
	if !c.deleted {
		c.deleted = true
		c.run("delete", "--force", c.id)
	}
}

// exec runs an agent in the container and returns its output.
func (c *container) exec(args ...string) string {
	c.t.Helper()
	return c.run(c.agent(args)...)
}

func (c *container) agent(args []string) []string {
	return append([]string{"exec", "--env=" + agentVariable + "=1", c.id, "/agent"}, args...)
}

// server is an agent that serves.
type server struct {
	c     *container
	lines *bufio.Scanner
}

// serve starts a context manager of device in the container, which answers with its name.
func (c *container) serve(device, name string) *server {
	c.t.Helper()
	return c.server("serve", device, name)
}

// server starts an agent that serves.
func (c *container) server(args ...string) *server {
	c.t.Helper()
	return c.startServer(c.agent(args)...)
}

// startServer runs a command that starts an agent that serves.
func (c *container) startServer(args ...string) *server {
	c.t.Helper()
	cmd := c.command(args...)
	out, err := cmd.StdoutPipe()
	require.NoError(c.t, err)
	require.NoError(c.t, cmd.Start())
	c.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	s := &server{c, bufio.NewScanner(out)}
	s.expect("ready")
	return s
}

// expect reads the server's next line.
func (s *server) expect(format string, args ...any) {
	s.c.t.Helper()
	require.True(s.c.t, s.lines.Scan(), "the server has exited")
	require.Equal(s.c.t, fmt.Sprintf(format, args...), s.lines.Text())
}

// call makes a call in the container, and returns who answers, or "", and the caller's
// own process ID.
func (c *container) call(device string) (who string, pid int) {
	c.t.Helper()
	out := c.exec("call", device)
	if out == "nobody answers\n" {
		return "", 0
	}
	_, err := fmt.Sscanf(out, "pid %d: answer from %s\n", &pid, &who)
	require.NoError(c.t, err, "%q", out)
	return who, pid
}

// execAs is exec as another user.
func (c *container) execAs(user string, args ...string) string {
	c.t.Helper()
	return c.run(append([]string{"exec", "--user=" + user, "--env=" + agentVariable + "=1", c.id, "/agent"}, args...)...)
}

// mounts returns the edit that adds a mount to a container's spec.
func mounts(m specs.Mount) func(*specs.Spec) {
	return func(spec *specs.Spec) { spec.Mounts = append(spec.Mounts, m) }
}

// both combines two edits.
func both(a, b func(*specs.Spec)) func(*specs.Spec) {
	return func(spec *specs.Spec) { a(spec); b(spec) }
}

// Each container has its own /dev, and reaches no other container through it.
func TestDevicesAreTheContainers(t *testing.T) {
	p := newPod(t)
	one, two := p.start("one", nil), p.start("two", nil)
	for _, device := range []string{"/dev/binder", "/dev/hwbinder"} {
		requireApart(t, one, two, device)
	}
}

// requireApart checks that two containers see different devices.
func requireApart(t *testing.T, one, two *container, device string) {
	t.Helper()
	one.serve(device, "one")
	who, _ := two.call(device)
	require.Empty(t, who)
	two.serve(device, "two")
	for name, c := range map[string]*container{"one": one, "two": two} {
		who, _ := c.call(device)
		require.Equal(t, name, who)
	}
}

// A restarted container gets its devices back.
func TestDevicesOfARestartedContainer(t *testing.T) {
	p := newPod(t)
	p.start("root", nil)
	first := p.start("app", nil)
	first.serve("/dev/binder", "first")
	first.delete()
	second := p.start("app", nil)
	who, _ := second.call("/dev/binder")
	require.Empty(t, who, "the first container's server should be gone")
	second.serve("/dev/binder", "second")
	who, _ = second.call("/dev/binder")
	require.Equal(t, "second", who)
}

// binderfs is where containers have their mounts of type binder.
const binderfs = "/binderfs"

// Each mount in a config is a separate instance.
func TestMountsAreApart(t *testing.T) {
	p := newPod(t)
	mount := mounts(specs.Mount{Type: "binder", Destination: binderfs, Source: "binder"})
	one, two := p.start("one", mount), p.start("two", mount)
	requireApart(t, one, two, binderfs+"/binder")
	require.Contains(t, two.exec("ls", binderfs), "binder-control\n")
}

// hint returns the edit that makes all mounts of source one binderfs.
func hint(source string) func(*specs.Spec) {
	return func(spec *specs.Spec) {
		spec.Annotations["dev.gvisor.spec.mount.binders.source"] = source
		spec.Annotations["dev.gvisor.spec.mount.binders.type"] = "binder"
		spec.Annotations["dev.gvisor.spec.mount.binders.share"] = "pod"
	}
}

// Containers share a binderfs if a mount hint says so, whether their mounts are of type
// binder or bind mounts. Others don't see it.
func TestSharedMount(t *testing.T) {
	for _, typ := range []string{"binder", "bind"} {
		t.Run(typ, func(t *testing.T) {
			p := newPod(t)
			source := t.TempDir()
			mount := mounts(specs.Mount{Type: typ, Destination: binderfs, Source: source})
			alone := mounts(specs.Mount{Type: "binder", Destination: binderfs, Source: "binder"})
			p.start("root", hint(source))
			one, two, other := p.start("one", mount), p.start("two", mount), p.start("other", alone)
			const device = binderfs + "/binder"
			one.serve(device, "one")
			for _, c := range []*container{one, two} {
				who, _ := c.call(device)
				require.Equal(t, "one", who)
			}
			requireApart(t, two, other, "/dev/binder")
			who, _ := other.call(device)
			require.Empty(t, who)
			// It outlives the containers that use it.
			require.Contains(t, two.exec("add", binderfs, "another"), "added")
			one.delete()
			require.Contains(t, two.exec("ls", binderfs), "another\n")
			// It leaves nothing on the host.
			left, err := os.ReadDir(source)
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
}

// A caller in another container is process 0 to a server whose PID namespace doesn't have
// it, as between containers. The root container's has all.
func TestSenderInAnotherContainer(t *testing.T) {
	p := newPod(t)
	source := t.TempDir()
	mount := mounts(specs.Mount{Type: "binder", Destination: binderfs, Source: source})
	root := p.start("root", both(mount, hint(source)))
	one, two := p.start("one", mount), p.start("two", mount)

	s := one.serve(binderfs+"/hwbinder", "one")
	two.call(binderfs + "/hwbinder")
	s.expect("call from pid 0 uid 0")
	root.call(binderfs + "/hwbinder")
	s.expect("call from pid 0 uid 0")
	_, pid := one.call(binderfs + "/hwbinder")
	s.expect("call from pid %d uid 0", pid)

	s = root.serve(binderfs+"/binder", "root")
	two.exec("call", binderfs+"/binder")
	require.True(t, s.lines.Scan())
	require.Regexp(t, "^call from pid [1-9][0-9]* uid 0$", s.lines.Text())
	_, pid = root.call(binderfs + "/binder")
	s.expect("call from pid %d uid 0", pid)
}

// Containers that share a PID namespace see each other's processes.
func TestSenderInASharedNamespace(t *testing.T) {
	p := newPod(t)
	source := t.TempDir()
	mount := mounts(specs.Mount{Type: "binder", Destination: binderfs, Source: source})
	shared := func(spec *specs.Spec) {
		spec.Linux.Namespaces = []specs.LinuxNamespace{
			{Type: specs.PIDNamespace, Path: "/proc/1/ns/pid"}, {Type: specs.MountNamespace},
		}
	}
	p.start("root", hint(source))
	one, two := p.start("one", both(mount, shared)), p.start("two", both(mount, shared))
	s := one.serve(binderfs+"/binder", "one")
	_, pid := two.call(binderfs + "/binder")
	s.expect("call from pid %d uid 0", pid)
}

// The user ID is that of the process, whatever container it is in.
func TestSenderIsAnotherUser(t *testing.T) {
	p := newPod(t)
	source := t.TempDir()
	mount := mounts(specs.Mount{Type: "binder", Destination: binderfs, Source: source})
	p.start("root", hint(source))
	one, two := p.start("one", mount), p.start("two", mount)
	s := one.serve(binderfs+"/binder", "one")
	two.execAs("1000", "call", binderfs+"/binder")
	s.expect("call from pid 0 uid 1000")
}

// A restored container has the devices that it was saved with, although its ID differs.
func TestRestore(t *testing.T) {
	serving := func(spec *specs.Spec) { spec.Process.Args = []string{"/agent", "serve", "/dev/binder", "one"} }
	p := newPod(t)
	world := []member{{"root", serving}}
	saved := p.startAll(world)
	saved[0].await("/dev/binder", "one")
	image := p.checkpoint(saved)
	p.gone(saved)
	p.restore(image, world)[0].await("/dev/binder", "one")
}

// await waits until a device's context manager, which was just started, is ready.
func (c *container) await(device, name string) {
	c.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		who, _ := c.call(device)
		if who != "" || time.Now().After(deadline) {
			require.Equal(c.t, name, who)
			return
		}
	}
}
