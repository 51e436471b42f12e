// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package cri

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// as returns the config of a container that runs as a user.
func as(uid int) map[string]any {
	return map[string]any{"security_context": map[string]any{"run_as_user": map[string]any{"value": uid}}}
}

// talk starts a service manager, a service and a client in a pod.
func talk(p *pod) (manager, greeter, visitor *container) {
	p.t.Helper()
	manager = p.start(options{}, "/bin/talk", "manager")
	greeter = p.start(options{linux: as(1000)}, "/bin/talk", "serve", "greeter")
	visitor = p.start(options{linux: as(1001)}, "/bin/talk", "chat", "greeter", "visitor")
	awaitContent(p.t, visitor.logs, "Hello visitor, this is greeter.")
	return manager, greeter, visitor
}

// TestTalk: containers of a pod share a binderfs, as different users, and their logs show
// it.
func TestTalk(t *testing.T) {
	p := startPod(t, shared())
	manager, greeter, _ := talk(p)
	awaitContent(t, manager.logs, "manages /dev/binderfs/binder", "user 1000 registers greeter")
	awaitContent(t, greeter.logs, "serves as greeter", "visitor of user 1001 calls")
	// An operator sees them from the node, too.
	ps, err := runscOf(greeter.id, "binder", "ps")
	require.NoError(t, err, ps)
	require.Equal(t, 3, strings.Count(ps, " binder "), ps)
}

// runscOf runs a runsc command on a pod's sandbox.
func runscOf(id string, command ...string) (string, error) {
	args := append([]string{"--root=/run/containerd/runsc/k8s.io"}, command...)
	return run(filepath.Join(dir, "usr/bin/runsc"), append(args, id)...)
}

// TestElsewhere: containers share the volume wherever they mount it.
func TestElsewhere(t *testing.T) {
	p := startPod(t, shared())
	p.start(options{}, "/bin/talk", "manager")
	p.start(options{elsewhere: "/b"}, "/bin/talk", "-dir", "/b", "serve", "there")
	c := p.start(options{elsewhere: "/run/binder"}, "/bin/talk", "-dir", "/run/binder", "chat", "there", "me")
	awaitContent(t, c.logs, "Hello me, this is there.")
}

// TestPodsAreApart: another pod's binderfs of the same name is a different one.
func TestPodsAreApart(t *testing.T) {
	p := startPod(t, shared())
	p.start(options{}, "/bin/talk", "manager")
	t.Run("other", func(t *testing.T) {
		other := startPod(t, shared())
		manager := other.start(options{}, "/bin/talk", "manager")
		awaitContent(t, manager.logs, "manages")
	})
}

// TestRestart: when a container restarts in its pod, the service manager is notified of
// the death and the client finds the new one.
func TestRestart(t *testing.T) {
	p := startPod(t, shared())
	manager, greeter, visitor := talk(p)
	for i := range 3 {
		greeter.stop()
		require.NoError(t, eventually(func() error {
			if got := strings.Count(manager.logs(), "greeter has died"); got != i+1 {
				return fmt.Errorf("the manager was notified of %d deaths, not %d", got, i+1)
			}
			return nil
		}))
		greeter = p.start(options{linux: as(2000 + i)}, "/bin/talk", "serve", "greeter")
		awaitContent(t, manager.logs, fmt.Sprintf("user %d registers greeter", 2000+i))
		before := strings.Count(visitor.logs(), "Hello")
		require.NoError(t, eventually(func() error {
			if strings.Count(visitor.logs(), "Hello") > before {
				return nil
			}
			return fmt.Errorf("the visitor has called nobody: %s", visitor.logs())
		}))
	}
}

// TestManagerRestarts: when the service manager's container restarts, the new one takes
// its place on the device.
func TestManagerRestarts(t *testing.T) {
	p := startPod(t, shared())
	manager, greeter, visitor := talk(p)
	manager.stop()
	manager = p.start(options{}, "/bin/talk", "manager")
	awaitContent(t, manager.logs, "manages")
	greeter.stop()
	p.start(options{}, "/bin/talk", "serve", "greeter")
	before := strings.Count(visitor.logs(), "Hello")
	visitor.stop()
	visitor = p.start(options{}, "/bin/talk", "chat", "greeter", "visitor")
	require.Positive(t, before)
	awaitContent(t, visitor.logs, "Hello visitor, this is greeter.")
}

// probes is the number of exec probes in TestProbes.
const probes = 500

// TestProbes: exec probes leave nothing behind, in the driver, in the sandbox or on the
// host.
func TestProbes(t *testing.T) {
	p := startPod(t, shared())
	_, _, visitor := talk(p)
	watch := p.start(options{image: "localhost/shell:1"}, "/bin/sleep", "inf")
	probe := func(n int) {
		for range n {
			require.Contains(t, visitor.exec("/bin/talk", "call", "greeter", "probe"), "Hello probe, this is greeter.")
		}
	}
	// The first few allocate what later ones reuse.
	probe(20)
	before := p.census(watch)
	probe(probes)
	require.NoError(t, eventually(func() error {
		after := p.census(watch)
		for what, n := range after {
			// The visitor keeps calling meanwhile.
			if n > before[what]+before[what]/10+2 {
				return fmt.Errorf("%d %s, and %d before %d probes", n, what, before[what], probes)
			}
		}
		return nil
	}))
	t.Logf("before: %v, after %d probes: %v", before, probes, p.census(watch))
}

// census counts what probes could leave behind. shell is a container that can read the
// logs of binderfs.
func (p *pod) census(shell *container) map[string]int {
	p.t.Helper()
	counts := make(map[string]int)
	for _, line := range strings.Split(shell.exec("/bin/cat", binderfsDir+"/binder_logs/stats"), "\n") {
		if strings.HasPrefix(line, "proc ") {
			break
		}
		// "thread: active 3 total 500"
		var name string
		var active, total int
		if _, err := fmt.Sscanf(strings.ReplaceAll(line, ":", " "), "%s active %d total %d", &name, &active, &total); err == nil {
			counts["binder "+name] = active
		}
	}
	require.NotZero(p.t, counts["binder proc"], "no counts in stats")
	// The sandbox and its gofers, by runsc's directory in their command lines.
	for _, process := range sandboxProcesses(p.t, p.id) {
		fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", process))
		require.NoError(p.t, err)
		counts["descriptors"] += len(fds)
		counts["processes"]++
	}
	stacks, err := runscOf(p.id, "debug", "-stacks")
	require.NoError(p.t, err, stacks)
	counts["goroutines"] = strings.Count(stacks, "goroutine ")
	require.NotZero(p.t, counts["goroutines"])
	return counts
}

// sandboxProcesses returns a sandbox's processes on the host.
func sandboxProcesses(t *testing.T, id string) (pids []int) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	require.NoError(t, err)
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		line, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if err == nil && strings.Contains(string(line), id) && !strings.Contains(string(line), "crictl") {
			pids = append(pids, pid)
		}
	}
	require.NotEmpty(t, pids)
	return pids
}

// TestReadOnlyRoot: a read-only root has a writable binderfs.
func TestReadOnlyRoot(t *testing.T) {
	p := startPod(t, shared())
	linux := map[string]any{"security_context": map[string]any{
		"readonly_rootfs": true,
		"capabilities":    map[string]any{"drop_capabilities": []string{"ALL"}},
		"no_new_privs":    true,
	}}
	manager := p.start(options{linux: linux}, "/bin/talk", "manager")
	awaitContent(t, manager.logs, "manages")
	shell := p.start(options{image: "localhost/shell:1", linux: linux}, "/bin/sh", "-c",
		"touch /x 2>&1; mount | grep -q ' /dev/binderfs type binder' && ls -l /dev/binderfs/binder; sleep inf")
	_ = shell
	awaitContent(t, shell.logs, "/x: Read-only file system")
	p.start(options{linux: linux}, "/bin/talk", "serve", "greeter")
	c := p.start(options{linux: linux}, "/bin/talk", "chat", "greeter", "me")
	awaitContent(t, c.logs, "Hello me")
}

// TestStats: the resource usage of containers and of the pod is available.
func TestStats(t *testing.T) {
	p := startPod(t, shared())
	linux := map[string]any{"resources": map[string]any{
		"memory_limit_in_bytes": 64 << 20, "cpu_period": 100000, "cpu_quota": 50000, "cpu_shares": 512,
	}}
	manager := p.start(options{linux: linux}, "/bin/talk", "manager")
	greeter := p.start(options{linux: linux}, "/bin/talk", "serve", "greeter")
	awaitContent(t, greeter.logs, "serves")

	var stats struct {
		Stats []struct {
			Attributes struct {
				ID string `json:"id"`
			} `json:"attributes"`
			CPU struct {
				UsageCoreNanoSeconds struct {
					Value string `json:"value"`
				} `json:"usageCoreNanoSeconds"`
			} `json:"cpu"`
			Memory struct {
				WorkingSetBytes struct {
					Value string `json:"value"`
				} `json:"workingSetBytes"`
			} `json:"memory"`
		} `json:"stats"`
	}
	for _, c := range []*container{manager, greeter} {
		out, err := node.crictl("stats", "--output", "json", "--id", c.id)
		require.NoError(t, err, out)
		require.NoError(t, json.Unmarshal([]byte(out), &stats), out)
		require.Len(t, stats.Stats, 1)
		used, err := strconv.ParseInt(stats.Stats[0].Memory.WorkingSetBytes.Value, 10, 64)
		require.NoError(t, err, out)
		require.Positive(t, used, out)
	}

	out, err := node.crictl("statsp", "--output", "json", "--id", p.id)
	require.NoError(t, err, out)
	require.Contains(t, out, p.id)
	require.Contains(t, out, `"workingSetBytes"`)
}
