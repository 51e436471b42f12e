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

// docs/isolation.md has a table of what containers can reach of each other. Its rows name
// these tests.

// everyPID is a range that includes all processes of these tests, whatever their PID
// namespace.
var everyPID = []string{"1", "100"}

// private is the container's own binderfs, and shared the pod's, if hint says so. Both
// have logs.
func private() func(*specs.Spec) {
	return mounts(specs.Mount{Type: "binder", Destination: binderfs, Source: "binder", Options: []string{"stats=global"}})
}

func shared(source string) func(*specs.Spec) {
	return mounts(specs.Mount{Type: "binder", Destination: binderfs, Source: source, Options: []string{"stats=global"}})
}

func sharedHint(source string) func(*specs.Spec) {
	return both(hint(source), func(spec *specs.Spec) {
		spec.Annotations["dev.gvisor.spec.mount.binders.options"] = "stats=global"
	})
}

// inRootPIDs makes the containers of a pod share the PID namespace of the first one.
func inRootPIDs(spec *specs.Spec) {
	spec.Linux.Namespaces = []specs.LinuxNamespace{{Type: specs.MountNamespace}}
}

// freezeAll freezes, through a device, all processes that a user of the container can
// name, and returns which there were.
func (c *container) freezeAll(user, device string) string {
	c.t.Helper()
	return c.execAs(user, append([]string{"freeze", device, "1"}, everyPID...)...)
}

// TestFreezeApart: no container freezes another's services, or learns which processes
// exist, whatever its user and PID namespace.
func TestFreezeApart(t *testing.T) {
	for name, edit := range map[string]func(*specs.Spec){"own PIDs": nil, "same PIDs": inRootPIDs} {
		t.Run(name, func(t *testing.T) {
			p := newPod(t)
			private := private()
			if edit != nil {
				private = both(private, edit)
			}
			one, two := p.start("one", private), p.start("two", private)
			one.serve("/dev/binder", "one")
			one.serve(binderfs+"/binder", "one")
			for _, device := range []string{"/dev/hwbinder", binderfs + "/hwbinder"} {
				two.exec("chmod", device)
				require.Regexp(t, `^\d+: resource temporarily unavailable\n$|^\d+: <nil>\n$`, two.freezeAll("1000", device), "it finds only itself")
				require.Regexp(t, `^\d+: <nil>\n$`, two.exec(append([]string{"info", device}, everyPID...)...))
			}
			for _, device := range []string{"/dev/binder", binderfs + "/binder"} {
				who, _ := one.call(device)
				require.Equal(t, "one", who)
			}
			// The container's own users can freeze them.
			require.NotEmpty(t, one.freezeAll("1000", "/dev/hwbinder"))
			require.Equal(t, "the server is frozen\n", one.exec("call", "/dev/binder"))
			require.Equal(t, "the server is frozen\n", one.exec("call", binderfs+"/binder"))
		})
	}
}

// TestFreezeShared: containers that share a binderfs freeze each other's processes in it,
// if they have IDs for them, but not what these have open elsewhere.
func TestFreezeShared(t *testing.T) {
	p := newPod(t)
	source := t.TempDir()
	p.start("root", sharedHint(source))
	one, same := p.start("one", both(shared(source), inRootPIDs)), p.start("same", both(shared(source), inRootPIDs))
	other := p.start("other", shared(source))
	one.serve("/dev/binder", "one")
	one.serve(binderfs+"/binder", "one")

	// other's PID namespace doesn't have one's processes.
	other.freezeAll("0", binderfs+"/hwbinder")
	who, _ := one.call(binderfs + "/binder")
	require.Equal(t, "one", who)
	same.freezeAll("0", binderfs+"/hwbinder")
	require.Equal(t, "the server is frozen\n", one.exec("call", binderfs+"/binder"))
	who, _ = one.call("/dev/binder")
	require.Equal(t, "one", who)
}

// TestFreezeByPassedDevice: a device passed by another container acts on that container's
// /dev, as its owner has decided.
func TestFreezeByPassedDevice(t *testing.T) {
	p := newPod(t)
	source := t.TempDir()
	p.start("root", sharedHint(source))
	one, two := p.start("one", both(shared(source), inRootPIDs)), p.start("two", both(shared(source), inRootPIDs))
	one.serve("/dev/binder", "one")
	one.server("give", binderfs+"/binder", "/dev/hwbinder")
	two.freezeAll("0", "/dev/hwbinder")
	who, _ := one.call("/dev/binder")
	require.Equal(t, "one", who)
	two.exec(append([]string{"take", binderfs + "/binder"}, everyPID...)...)
	require.Equal(t, "the server is frozen\n", one.exec("call", "/dev/binder"))
}

// TestLogsApart: the logs of a binderfs show only the reader's container.
func TestLogsApart(t *testing.T) {
	p := newPod(t)
	one, two := p.start("one", private()), p.start("two", private())
	for _, device := range []string{"/dev/binder", binderfs + "/binder"} {
		one.serve(device, "one")
		who, _ := one.call(device)
		require.Equal(t, "one", who)
	}
	for _, log := range []string{"state", "stats", "transactions", "transaction_log", "failed_transaction_log"} {
		text := two.exec("cat", binderfs+"/binder_logs/"+log)
		require.NotContains(t, text, "context", log)
		require.NotContains(t, text, "BC_", log)
	}
	require.Empty(t, two.exec("ls", binderfs+"/binder_logs/proc"))
	// They show its own processes, including those of its /dev.
	text := one.exec("cat", binderfs+"/binder_logs/state")
	require.Equal(t, 2, strings.Count(text, "context binder"), text)
	require.Equal(t, 2, strings.Count(one.exec("cat", binderfs+"/binder_logs/transaction_log"), "reply"))
}

// TestLogsShared: the logs of a shared binderfs show all that happens in it, and of the
// containers' /dev only the reader's.
func TestLogsShared(t *testing.T) {
	p := newPod(t)
	source := t.TempDir()
	p.start("root", sharedHint(source))
	one, two := p.start("one", shared(source)), p.start("two", shared(source))
	one.serve(binderfs+"/binder", "one")
	one.serve("/dev/hwbinder", "one")
	two.serve("/dev/vndbinder", "two")
	state := func(c *container) string { return c.exec("cat", binderfs+"/binder_logs/state") }
	require.Contains(t, state(one), "context binder\n")
	require.Contains(t, state(one), "context hwbinder\n")
	require.NotContains(t, state(one), "context vndbinder\n")
	require.Contains(t, state(two), "proc 0\ncontext binder\n", "a process without an ID")
	require.NotContains(t, state(two), "context hwbinder\n")
	require.Contains(t, state(two), "context vndbinder\n")
}

// TestLogsPIDs: logs, and the names in binder_logs/proc, have the IDs of the
// reader's PID namespace.
func TestLogsPIDs(t *testing.T) {
	p := newPod(t)
	source := t.TempDir()
	root := p.start("root", both(shared(source), sharedHint(source)))
	serving := func(spec *specs.Spec) { spec.Process.Args = []string{"/agent", "serve", binderfs + "/binder", "one"} }
	one := p.start("one", both(shared(source), serving))
	two := p.start("two", shared(source))
	one.await(binderfs+"/binder", "one")

	logs := binderfs + "/binder_logs/"
	for name, c := range map[string]*container{"one": one, "root": root} {
		names := strings.Fields(c.exec("ls", logs+"proc"))
		require.Len(t, names, 1)
		require.Equal(t, name == "one", names[0] == "1", "one's first process")
		require.Contains(t, c.exec("cat", logs+"proc/"+names[0]), "proc "+names[0]+"\ncontext binder\n  thread "+names[0]+":")
		require.Contains(t, c.exec("cat", logs+"state"), "proc "+names[0]+"\n")
		require.Contains(t, c.exec("cat", logs+"transaction_log"), "reply from "+names[0]+":"+names[0]+" ")
	}
	require.Empty(t, two.exec("ls", logs+"proc"))
	require.Contains(t, two.exec("cat", logs+"transaction_log"), "reply from 0:0 ")
}

// TestSecurityContexts: a server sees the security context of the caller's container, by
// default one that no service trusts.
func TestSecurityContexts(t *testing.T) {
	p := newPod(t)
	source := t.TempDir()
	labelled := func(label string) func(*specs.Spec) {
		return both(shared(source), func(spec *specs.Spec) {
			spec.Annotations["dev.sentrybinder.security-context"] = label
		})
	}
	root := p.start("root", both(labelled("u:r:init:s0"), sharedHint(source)))
	one, two := p.start("one", labelled("u:r:untrusted_app:s0:c1,c2")), p.start("two", shared(source))
	s := one.server("curious", binderfs+"/binder")
	for c, want := range map[*container]string{
		root: "u:r:init:s0", one: "u:r:untrusted_app:s0:c1,c2", two: "u:object_r:unlabeled:s0",
	} {
		c.call(binderfs + "/binder")
		s.expect("call from %s", want)
	}
}

// TestDeviceNames: the first container's config names all containers' devices.
func TestDeviceNames(t *testing.T) {
	p := newPod(t)
	p.start("root", func(spec *specs.Spec) { spec.Annotations["dev.sentrybinder.devices"] = "a,b" })
	// As containerd passes a pod's annotations.
	one := p.start("one", func(spec *specs.Spec) { spec.Annotations["dev.sentrybinder.devices"] = "a,b" })
	two := p.start("two", nil)
	for _, c := range []*container{one, two} {
		names := strings.Fields(c.exec("ls", "/dev"))
		require.Subset(t, names, []string{"a", "b"})
		require.NotContains(t, names, "binder")
	}
	requireApart(t, one, two, "/dev/b")
}

// TestRestartAsAnotherUser: a restarted container gets new devices: its context manager
// may be another user's.
func TestRestartAsAnotherUser(t *testing.T) {
	p := newPod(t)
	p.start("root", nil)
	for _, uid := range []uint32{1000, 2000} {
		c := p.start("app", func(spec *specs.Spec) {
			spec.Process.User.UID = uid
			spec.Process.Args = []string{"/agent", "serve", "/dev/binder", "app"}
		})
		c.await("/dev/binder", "app")
		c.delete()
	}
}

// TestMinorsApart: a container that adds devices until there is no room for more doesn't
// keep others from adding some, and devices of different mounts have different numbers.
func TestMinorsApart(t *testing.T) {
	p := newPod(t)
	p.start("root", nil)
	greedy := p.start("greedy", private())
	require.Equal(t, "after 4093: no space left on device\n", greedy.exec("fill", binderfs))
	one, two := p.start("one", private()), p.start("two", private())
	numbers := make(map[string]bool)
	for _, c := range []*container{greedy, one, two} {
		numbers[c.exec("stat", binderfs+"/binder")] = true
	}
	require.Len(t, numbers, 3)
	require.Equal(t, "added another\n", one.exec("add", binderfs, "another"))
}

// TestRestorePod: containers stay isolated after a checkpoint, and each has its devices.
func TestRestorePod(t *testing.T) {
	serving := func(name string) func(*specs.Spec) {
		return func(spec *specs.Spec) { spec.Process.Args = []string{"/agent", "serve", "/dev/binder", name} }
	}
	names := []string{"root", "one", "two"}
	p := newPod(t)
	var saved []*container
	for _, name := range names {
		c := p.start(name, serving(name))
		c.await("/dev/binder", name)
		saved = append(saved, c)
	}
	image := filepath.Join(p.dir, "image")
	p.run("checkpoint", "--image-path="+image, saved[0].id)
	saved[0].delete()
	// The sandbox is gone, so the other containers can't be stopped.
	saved[1].deleted, saved[2].deleted = true, true

	p.id = ""
	var restored []*container
	for _, name := range names {
		c := p.create(name, serving(name))
		p.run("restore", "--detach", "--image-path="+image, c.id)
		restored = append(restored, c)
	}
	for i, c := range restored {
		c.await("/dev/binder", names[i])
	}
	restored[1].freezeAll("1000", "/dev/hwbinder")
	for i, c := range restored {
		if i == 1 {
			require.Equal(t, "the server is frozen\n", c.exec("call", "/dev/binder"))
		} else {
			c.await("/dev/binder", names[i])
		}
	}
	// A container that is started now has nothing of the old ones.
	restored[2].delete()
	again := p.start("two", nil)
	require.Equal(t, "nobody answers\n", again.exec("call", "/dev/binder"))
}
