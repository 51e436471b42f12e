// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package pod

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
)

// member is a container of a pod that is checkpointed and restored.
type member struct {
	name string
	edit func(*specs.Spec)
}

// startAll starts a pod's containers.
func (p *pod) startAll(members []member) []*container {
	p.t.Helper()
	var all []*container
	for _, m := range members {
		all = append(all, p.start(m.name, m.edit))
	}
	return all
}

// checkpoint saves the pod. Its sandbox ends, unless flags say otherwise.
func (p *pod) checkpoint(all []*container, flags ...string) (image string) {
	p.t.Helper()
	image = p.t.TempDir()
	p.run(append(append([]string{"checkpoint"}, flags...), "--image-path="+image, all[0].id)...)
	return image
}

// gone deletes the first container, which ends the sandbox, and marks the others as
// deleted: they can't be stopped any more.
func (p *pod) gone(all []*container) {
	p.t.Helper()
	all[0].delete()
	for _, c := range all {
		c.deleted = true
	}
}

// clone restores a pod into a new sandbox.
func (p *pod) clone(image string, members []member, flags ...string) ([]*container, error) {
	all, err := p.prepared(members)
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		args := append(append([]string{"restore", "--detach"}, flags...), "--image-path="+image, c.id)
		if output, err := p.try(args...); err != nil {
			return nil, &runscError{output, err}
		}
	}
	return all, nil
}

// prepared creates the containers of a pod to restore into.
func (p *pod) prepared(members []member) ([]*container, error) {
	p.id = ""
	var all []*container
	for _, m := range members {
		c, bundle := p.prepare(m.name, m.edit)
		if output, err := p.try("create", "--bundle="+bundle, c.id); err != nil {
			return nil, &runscError{output, err}
		}
		p.t.Cleanup(c.delete)
		all = append(all, c)
	}
	return all, nil
}

// restore is clone, which must succeed.
func (p *pod) restore(image string, members []member, flags ...string) []*container {
	p.t.Helper()
	all, err := p.clone(image, members, flags...)
	require.NoError(p.t, err)
	return all
}

// runscError is a failed command, and its output.
type runscError struct {
	output string
	err    error
}

func (e *runscError) Error() string { return e.err.Error() + ": " + e.output }
func (e *runscError) Unwrap() error { return e.err }

// report asks a service for a report.
func (c *container) report(device string) (r sandboxReport) {
	c.t.Helper()
	require.NoError(c.t, json.Unmarshal([]byte(c.exec("ask", device)), &r))
	return r
}

// told asks for reports until the service has received that many uevents and outcomes.
func (c *container) told(device string, events, outcomes int) (r sandboxReport) {
	c.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		r = c.report(device)
		if len(r.Events) >= events && len(r.Outcomes) >= outcomes || time.Now().After(deadline) {
			require.Len(c.t, r.Events, events)
			require.Len(c.t, r.Outcomes, outcomes)
			return r
		}
	}
}

func running(args ...string) func(*specs.Spec) {
	return func(spec *specs.Spec) { spec.Process.Args = append([]string{"/agent"}, args...) }
}

// TestClones: clones of a sandbox run side by side, and beside the original. Each is told
// that it is a clone, has its own random numbers, and clocks that have continued.
func TestClones(t *testing.T) {
	const device = "/dev/binder"
	p := newPod(t)
	world := []member{{"root", running("clone", device)}}
	original := p.startAll(world)
	original[0].awaitAnswer(device)
	before := original[0].report(device)
	require.Empty(t, before.Events)
	image := p.checkpoint(original, "--leave-running", "--compression=none")
	// The original is not a clone.
	resumed := original[0].told(device, 0, 1)
	require.Equal(t, []string{"resume"}, resumed.Outcomes)

	const n = 4
	var clones [n]*container
	var wg sync.WaitGroup
	for i := range n {
		q := newPod(t)
		wg.Go(func() {
			all, err := q.clone(image, world, "--background")
			if err == nil {
				clones[i] = all[0]
			} else {
				t.Errorf("clone %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	require.False(t, t.Failed())

	random := map[string]bool{string(before.Random): true, string(before.Urandom): true}
	for _, c := range clones {
		r := c.told(device, 1, 1)
		event := r.Events[0]
		require.Equal(t, "change@"+event["DEVPATH"], event["header"])
		require.Equal(t, "change", event["ACTION"])
		require.Equal(t, "1", event["NEW_VMGENID"])
		require.Equal(t, "0", event["uid"])
		require.NotEmpty(t, event["SEQNUM"])
		require.Equal(t, []string{"restore"}, r.Outcomes)
		for _, b := range [][]byte{r.Random, r.Urandom} {
			require.False(t, random[string(b)], "a repeated random number")
			random[string(b)] = true
		}
		require.Equal(t, before.BootID, r.BootID)
		require.Greater(t, r.Monotonic, before.Monotonic)
		require.Greater(t, r.BootTime, before.BootTime)
		require.Greater(t, r.Realtime, before.Realtime)
	}
	require.Empty(t, original[0].report(device).Events)

	// A clone of a clone is told again.
	first := clones[0]
	image = first.checkpoint([]*container{first})
	first.gone([]*container{first})
	again := first.restore(image, world)[0].told(device, 2, 2)
	require.NotEqual(t, again.Events[0]["SEQNUM"], again.Events[1]["SEQNUM"])
}

// awaitAnswer waits until a device has a context manager.
func (c *container) awaitAnswer(device string) {
	c.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		output, err := c.try(c.agent([]string{"ask", device})...)
		if err == nil {
			return
		}
		require.True(c.t, time.Now().Before(deadline), output)
	}
}

// sharing returns a pod whose containers share a mount: the first one has the hint, the
// others the mount, whose source differs in each pod.
func sharing(t *testing.T, mount, hinted string) []member {
	source := t.TempDir()
	root := func(spec *specs.Spec) {
		hint(source)(spec)
		spec.Annotations["dev.gvisor.spec.mount.binders.type"] = hinted
	}
	share := mounts(specs.Mount{Type: mount, Destination: binderfs, Source: source})
	return []member{{"root", root}, {"one", share}, {"two", share}}
}

// TestSharedMountsAreRestored: a container that is added to a restored pod, or restarted
// in it, shares what the pod's containers shared before, and still does after the next
// restore.
func TestSharedMountsAreRestored(t *testing.T) {
	for name, types := range map[string][2]string{
		"binder": {"binder", "binder"}, "memory": {"tmpfs", "tmpfs"}, "file": {"bind", "tmpfs"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPod(t)
			members := sharing(t, types[0], types[1])
			pod := p.startAll(members[:2])
			put(pod[1], types[1], "old")
			for _, name := range []string{"new", "newer"} {
				image := p.checkpoint(pod)
				p.gone(pod)
				members = sharing(t, types[0], types[1])
				pod = p.restore(image, members[:2])
				two := p.start("two", members[2].edit)
				require.Contains(t, two.exec("ls", binderfs), "old\n")
				put(two, types[1], name)
				require.Contains(t, pod[1].exec("ls", binderfs), name+"\n")
				two.delete()
				// The shared mount outlives the last container that uses it.
				pod[1].delete()
				pod[1] = p.start("one", members[1].edit)
				require.Contains(t, pod[1].exec("ls", binderfs), name+"\n")
			}
		})
	}
}

// TestFirstOfSharedMountIsGone: the container that first mounted a shared volume, such as
// an init container, may be gone.
func TestFirstOfSharedMountIsGone(t *testing.T) {
	p := newPod(t)
	pod := p.startAll(sharing(t, "bind", "tmpfs"))
	put(pod[1], "tmpfs", "old")
	pod[1].delete()
	for range 2 {
		image := p.checkpoint(pod)
		p.gone(pod)
		members := sharing(t, "bind", "tmpfs")
		pod = p.restore(image, []member{members[0], members[2]})
		require.Contains(t, pod[1].exec("ls", binderfs), "old\n")
	}
}

// put adds a device, or a file, to a mount.
func put(c *container, typ, name string) {
	c.t.Helper()
	if typ == "binder" {
		c.exec("add", binderfs, name)
		return
	}
	c.exec("create", filepath.Join(binderfs, name))
}

// TestRestoredPodTakesContainers: containers can be added to a restored pod, and
// restarted in it. They join what they would have joined before: its PID namespaces and
// its cgroup2.
func TestRestoredPodTakesContainers(t *testing.T) {
	inPIDs := func(path string) func(*specs.Spec) {
		return func(spec *specs.Spec) {
			cgroup2(spec)
			spec.Linux.Namespaces[0] = specs.LinuxNamespace{Type: specs.PIDNamespace, Path: path}
		}
	}
	p := newPod(t)
	world := []member{{"root", inPIDs("")}, {"one", inPIDs("/proc/1/ns/pid")}}
	saved := p.startAll(world)
	image := p.checkpoint(saved)
	p.gone(saved)
	pod := p.restore(image, world)
	for range 2 {
		two := p.start("two", inPIDs("/proc/1/ns/pid"))
		require.Len(t, processID.FindAllString(two.exec("ls", "/proc"), -1), 3, "one's, its own, and the one that lists them")
		require.Contains(t, two.exec("ls", cgroupDir), "cgroup.freeze\n")
		require.Contains(t, two.exec("cat", "/proc/self/cgroup"), "0::/\n")
		two.delete()
	}
	pod[1].delete()
	p.start("one", world[1].edit)
}

// processID matches a line of a listing of /proc.
var processID = regexp.MustCompile(`(?m)^\d+$`)

// TestExecIsNotRestored: a clone has the containers' own processes. Those started by
// `runsc exec` are gone from it, and their callers are told. Whoever makes the checkpoint
// or restores it is told which they are.
func TestExecIsNotRestored(t *testing.T) {
	const device = "/dev/binder"
	p := newPod(t)
	world := []member{{"root", running("serve", "/dev/hwbinder", "own")}, {"two", nil}}
	saved := p.startAll(world)
	saved[0].await("/dev/hwbinder", "own")
	executed := saved[0].serve(device, "executed")
	// So many that it takes them a while to exit.
	for range 40 {
		saved[0].server("listen")
	}
	saved[1].serve(device, "executed in another container")
	var lost []string
	for _, c := range saved {
		for _, id := range c.processes()[1:] {
			lost = append(lost, fmt.Sprintf(`process %d (agent) of exec in container %q`, id, c.id))
		}
	}
	require.Len(t, lost, 42)
	image := t.TempDir()
	said := p.run("checkpoint", "--leave-running", "--image-path="+image, saved[0].id)
	want := func(format string) (lines string) {
		for _, what := range lost {
			lines += fmt.Sprintf("warning: "+format+"\n", what)
		}
		return lines
	}
	require.Equal(t, want("%s will be killed when the checkpoint is restored"), said)
	saved[0].exec("call", device)
	require.True(t, executed.lines.Scan(), "the original still has it")

	q := newPod(t)
	clones, err := q.prepared(world)
	require.NoError(t, err)
	for i, c := range clones {
		for j := range lost {
			lost[j] = strings.ReplaceAll(lost[j], saved[i].id, c.id)
		}
		said = q.run("restore", "--detach", "--image-path="+image, c.id)
		if i == 0 {
			require.Empty(t, said, "nothing is restored yet")
		}
	}
	require.Equal(t, want("%s was in the checkpoint and has been killed"), said)
	for _, c := range clones {
		require.Len(t, c.processes(), 1)
	}
	clones[0].await("/dev/hwbinder", "own")
	for _, c := range clones {
		require.Equal(t, "nobody answers\n", c.exec("call", device))
	}
	// The next checkpoint has none.
	require.Empty(t, q.run("checkpoint", "--image-path="+t.TempDir(), clones[0].id))
	q.gone(clones)
}

// processes returns the IDs, in the sandbox, of the container's processes, its first one's
// first.
func (c *container) processes() (ids []int) {
	c.t.Helper()
	require.NoError(c.t, json.Unmarshal([]byte(c.run("ps", "--format=json", c.id)), &ids))
	slices.Sort(ids)
	return ids
}

// TestRestoreElsewhere: a restore into an unsuitable sandbox is refused, with the reason.
func TestRestoreElsewhere(t *testing.T) {
	const device = "/dev/binder"
	serving := running("clone", device)
	world := []member{{"root", serving}, {"two", nil}}
	p := newPod(t)
	saved := p.startAll(world)
	saved[0].awaitAnswer(device)
	image := p.checkpoint(saved)
	p.gone(saved)
	for name, test := range map[string]struct {
		edit  func(*specs.Spec)
		flags []string
		want  string
	}{
		"devices":          {annotated("devices", "binder"), nil, "dev.sentrybinder.devices"},
		"security context": {annotated("security-context", "u:r:init:s0"), nil, "dev.sentrybinder.security-context"},
		"memory":           {annotated("memory", "33554432"), nil, "dev.sentrybinder.memory"},
		"arguments":        {running("sleep"), nil, `"Args" does not match`},
		"platform":         {nil, []string{"--platform=ptrace"}, `checkpoint created on platform "systrap"`},
	} {
		t.Run(name, func(t *testing.T) {
			q := newPod(t)
			q.flags = test.flags
			changed := serving
			if test.edit != nil {
				changed = both(serving, test.edit)
			}
			_, err := q.clone(image, []member{{"root", changed}, world[1]})
			require.ErrorContains(t, err, test.want)
		})
	}
	t.Run("another name", func(t *testing.T) {
		_, err := newPod(t).clone(image, []member{{"root", serving}, {"three", nil}})
		require.ErrorContains(t, err, `does not contain spec for container: "three"`)
	})
	t.Run("one more", func(t *testing.T) {
		_, err := newPod(t).clone(image, append(world, member{"three", nil}))
		require.ErrorContains(t, err, "sandbox is not being restored")
	})
	// What identifies a clone, and where it runs, may differ.
	q := newPod(t)
	changed := both(serving, func(spec *specs.Spec) {
		spec.Process.Env = append(spec.Process.Env, "CLONE=3")
		spec.Hostname = "clone-3"
	})
	clone := q.restore(image, []member{{"root", changed}, world[1]})[0]
	clone.told(device, 1, 1)
	require.Contains(t, clone.exec("cat", "/proc/gvisor/spec_environ"), "CLONE=3")
	require.Equal(t, "clone-3\n", clone.exec("cat", "/proc/sys/kernel/hostname"))
}

// TestRestoreOnSystrap: what was saved on ptrace can be restored on systrap.
func TestRestoreOnSystrap(t *testing.T) {
	const device = "/dev/binder"
	world := []member{{"root", running("clone", device)}}
	p := newPod(t)
	p.flags = []string{"--platform=ptrace"}
	saved := p.startAll(world)
	saved[0].awaitAnswer(device)
	image := p.checkpoint(saved)
	p.gone(saved)
	newPod(t).restore(image, world)[0].told(device, 1, 1)
}

// TestSyscallsGoOn: threads of a restored process stay asleep in their system calls, and
// return from them as if nothing had happened, or as after a stop.
func TestSyscallsGoOn(t *testing.T) {
	const device = "/dev/binder"
	world := []member{{"root", both(running("blocked", device), func(spec *specs.Spec) {
		// Go's own signals would interrupt them.
		spec.Process.Env = append(spec.Process.Env, "GODEBUG=asyncpreemptoff=1")
	})}}
	for _, platform := range []string{"systrap", "ptrace"} {
		t.Run(platform, func(t *testing.T) {
			t.Parallel()
			p := newPod(t)
			p.flags = []string{"--platform=" + platform}
			saved := p.startAll(world)
			saved[0].awaitAnswer(device)
			for range 2 {
				image := p.checkpoint(saved)
				p.gone(saved)
				saved = p.restore(image, world)
			}
			require.Equal(t, blockedOutcomes, saved[0].exec("ask", device))
		})
	}
}
