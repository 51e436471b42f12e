// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package pod

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
)

// limited returns the edit of a spec that limits the memory, in bytes, that a container's
// processes can make the driver keep.
func limited(bytes int64) func(*specs.Spec) {
	return func(spec *specs.Spec) {
		spec.Annotations["dev.sentrybinder.memory"] = fmt.Sprint(bytes)
	}
}

// TestMemoryApart: a container that creates objects until there is no memory for more
// reaches its own limit. Others, with whom it may share a device, don't notice, and once
// its processes have exited it can do everything again.
func TestMemoryApart(t *testing.T) {
	p := newPod(t)
	source := t.TempDir()
	p.start("root", sharedHint(source))
	one := p.start("one", shared(source))
	greedy := p.start("greedy", both(shared(source), limited(4<<20)))
	one.serve("/dev/binder", "one")

	// To itself, and to another container, which holds what it receives.
	for _, place := range []struct {
		server *container
		device string
	}{{greedy, "/dev/binder"}, {one, binderfs + "/binder"}} {
		for range 2 {
			place.server.server("hold", place.device)
			first := greedy.flood(place.device)
			require.Greater(t, first, 5000)
			require.Less(t, first, 30000)
			// What others still hold of the exited processes is charged to the container,
			// too.
			require.Less(t, greedy.flood(place.device), first/2)
			who, _ := one.call("/dev/binder")
			require.Equal(t, "one", who)
			place.server.exec("stop", place.device)
		}
	}
}

// TestPodOf200MiB: the sandbox of a pod stays below 200 MiB while a container creates all
// the nodes that it can, up to two million, with the default limit of a pod with that
// much memory. Those who hold its nodes, or share a device with it, survive.
func TestPodOf200MiB(t *testing.T) {
	const pod, nodes = 200 << 20, 2_000_000
	p := newPod(t)
	source := t.TempDir()
	root := p.start("root", sharedHint(source))
	one := p.start("one", both(shared(source), limited(pod/8)))
	greedy := p.start("greedy", both(shared(source), limited(pod/8)))
	const device = binderfs + "/binder"
	one.server("hold", device)
	one.serve("/dev/binder", "one")
	before := root.peakMemory()
	made := greedy.flood(device)
	after := root.peakMemory()
	t.Logf("the sandbox took %d MiB at most before, and %d MiB with %d nodes", before>>20, after>>20, made)
	require.Greater(t, made, 50_000)
	require.Less(t, made, nodes)
	require.Less(t, after, int64(pod))
	who, _ := one.call("/dev/binder")
	require.Equal(t, "one", who)
	who, _ = root.call("/dev/binder")
	require.Empty(t, who)
	greedy.serve("/dev/binder", "greedy")
}

// peakMemory returns the peak, in bytes, of the host memory used by the sandbox whose
// first container is c.
func (c *container) peakMemory() int64 {
	c.t.Helper()
	var state specs.State
	require.NoError(c.t, json.Unmarshal([]byte(c.run("state", c.id)), &state))
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", state.Pid))
	require.NoError(c.t, err)
	_, peak, ok := strings.Cut(string(status), "VmHWM:")
	require.True(c.t, ok)
	var kib int64
	_, err = fmt.Sscan(peak, &kib)
	require.NoError(c.t, err)
	return kib << 10
}

// TestCircle: a device that was sent to itself, and that nobody has open any more, is
// released.
func TestCircle(t *testing.T) {
	p := newPod(t)
	c := p.start("one", mounts(specs.Mount{Type: "binder", Destination: binderfs, Source: "binder", Options: []string{"stats=global"}}))
	require.Equal(t, "sent\n", c.exec("circle", binderfs+"/binder"))
	const state = binderfs + "/binder_logs/state"
	require.Eventually(t, func() bool { return c.exec("cat", state) == "binder state:\n" }, time.Minute, 100*time.Millisecond)
}

// flood creates nodes in the container until there is no memory for more, and returns how
// many.
func (c *container) flood(device string) (nodes int) {
	c.t.Helper()
	output := c.exec("flood", device)
	_, err := fmt.Sscanf(output, "after %d nodes: cannot allocate memory\n", &nodes)
	require.NoError(c.t, err, "%q", output)
	return nodes
}
