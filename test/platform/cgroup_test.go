// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/test/syscalls/remote"
)

// hasController returns whether a controller can be enabled in the cgroup.
func (c cgroup) hasController(name string) bool {
	c.t.Helper()
	return slices.Contains(strings.Fields(c.read("cgroup.controllers")), name)
}

// expectType checks the cgroup.type of cgroups.
func expectType(t *testing.T, want string, cgroups ...cgroup) {
	t.Helper()
	for _, c := range cgroups {
		require.Equal(t, want, c.read("cgroup.type"), c.dir)
	}
}

// A cgroup for each user with one below for each of the user's processes, as Android's
// libprocessgroup creates, fills and removes them.
func TestCgroupProcessTree(t *testing.T) {
	root := newCgroup(t)
	uid := root.child("uid_10001")
	p := remote.NewProcess(t)
	pid := uid.child(fmt.Sprintf("pid_%d", p.PID()))
	require.NoError(t, os.Chown(uid.dir, 1000, 1000))
	require.NoError(t, os.Chmod(uid.dir, 0o750))

	pid.write("cgroup.procs", p.PID())
	child := p.Fork(t)
	thread := p.NewThread(t)
	require.ElementsMatch(t, []int{p.PID(), child.PID()}, pid.ids("cgroup.procs"))
	require.ElementsMatch(t, []int{p.PID(), child.PID(), thread.TID()}, pid.ids("cgroup.threads"))
	require.Empty(t, uid.ids("cgroup.procs"))
	require.Equal(t, "populated 1\nfrozen 0", uid.read("cgroup.events"))
	for _, c := range []cgroup{pid, uid} {
		require.Equal(t, unix.EBUSY, unix.Rmdir(c.dir))
	}

	pid.write("cgroup.kill", 1)
	pid.await("populated 0")
	uid.await("populated 0")
	require.Equal(t, unix.SIGKILL, p.Reap(t).Signal())
	require.Equal(t, unix.SIGKILL, child.Reap(t).Signal())
	require.Empty(t, pid.ids("cgroup.procs"))
	require.Equal(t, unix.EBUSY, unix.Rmdir(uid.dir))
	require.NoError(t, unix.Rmdir(pid.dir))
	require.NoError(t, unix.Rmdir(uid.dir))
}

// A thread can't leave the cgroup of its process for another domain.
func TestCgroupThreadsOfDomains(t *testing.T) {
	root := newCgroup(t)
	a, b := root.child("a"), root.child("b")
	p, gone := remote.NewProcess(t), remote.NewProcess(t)
	thread := p.NewThread(t)
	gone.Kill(t)
	a.write("cgroup.procs", thread.TID())
	require.Equal(t, []int{p.PID()}, a.ids("cgroup.procs"), "the whole process moves")
	expectType(t, "domain", root, a, b)

	for _, tid := range []int{p.TID(), thread.TID()} {
		require.Equal(t, unix.EOPNOTSUPP, b.try("cgroup.threads", fmt.Sprint(tid)))
		a.write("cgroup.threads", tid)
	}
	require.Equal(t, unix.ESRCH, a.try("cgroup.threads", fmt.Sprint(gone.PID())))
	require.Equal(t, unix.EINVAL, a.try("cgroup.threads", "-1"))
	require.Equal(t, unix.EINVAL, a.try("cgroup.threads", "x"))
	require.ElementsMatch(t, []int{p.TID(), thread.TID()}, a.ids("cgroup.threads"))
}

// In a threaded subtree, each thread has its own cgroup.
func TestCgroupThreaded(t *testing.T) {
	root := newCgroup(t)
	dom := root.child("dom")
	a, b := dom.child("a"), dom.child("b")
	p := remote.NewProcess(t)
	thread := p.NewThread(t)
	dom.write("cgroup.procs", p.PID())

	require.Equal(t, unix.EINVAL, a.try("cgroup.type", "domain"))
	require.Equal(t, unix.EINVAL, a.try("cgroup.type", "x"))
	a.write("cgroup.type", "threaded")
	a.write("cgroup.type", "threaded\n")
	expectType(t, "threaded", a)
	expectType(t, "domain threaded", dom)
	expectType(t, "domain invalid", b)
	require.Equal(t, unix.EOPNOTSUPP, b.try("cgroup.procs", fmt.Sprint(p.PID())))
	require.Equal(t, unix.EOPNOTSUPP, b.try("cgroup.threads", fmt.Sprint(p.PID())))
	b.write("cgroup.type", "threaded")
	below := a.child("below")
	expectType(t, "domain invalid", below)
	below.write("cgroup.type", "threaded")

	a.write("cgroup.threads", thread.TID())
	below.write("cgroup.threads", p.TID())
	require.Equal(t, []int{thread.TID()}, a.ids("cgroup.threads"))
	require.Equal(t, []int{p.TID()}, below.ids("cgroup.threads"))
	require.Empty(t, dom.ids("cgroup.threads"))
	require.Equal(t, []int{p.PID()}, dom.ids("cgroup.procs"))
	for _, c := range []cgroup{a, b, below} {
		_, err := c.tryRead("cgroup.procs")
		require.Equal(t, unix.EOPNOTSUPP, err)
		require.Equal(t, unix.EOPNOTSUPP, c.try("cgroup.kill", "1"))
	}
	for tid, path := range map[int]string{p.TID(): "/test/dom/a/below", thread.TID(): "/test/dom/a"} {
		cgroups, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/cgroup", p.PID(), tid))
		require.NoError(t, err)
		require.Contains(t, string(cgroups), "0::"+path+"\n")
	}

	// The threads freeze one by one.
	thread.Start(t, unix.SYS_PPOLL)
	a.write("cgroup.freeze", 1)
	a.await("frozen 1")
	a.write("cgroup.freeze", 0)
	below.freeze()
	require.True(t, a.is("frozen 0"))
	below.thaw()

	// A whole process can enter, too.
	b.write("cgroup.procs", p.PID())
	require.ElementsMatch(t, []int{p.TID(), thread.TID()}, b.ids("cgroup.threads"))
	below.remove()
	a.remove()
	require.Equal(t, unix.EOPNOTSUPP, root.child("other").try("cgroup.threads", fmt.Sprint(p.TID())))
	dom.write("cgroup.kill", 1)
	dom.await("populated 0")
	require.Equal(t, unix.SIGKILL, p.Reap(t).Signal())
	b.remove()
	expectType(t, "domain", dom)
}

// A cgroup that has processes, or processes below it, can't become threaded.
func TestCgroupNotThreaded(t *testing.T) {
	root := newCgroup(t)
	dom := root.child("dom")
	a, b := dom.child("a"), dom.child("b")
	p := remote.NewProcess(t)
	b.write("cgroup.procs", p.PID())
	require.Equal(t, unix.EOPNOTSUPP, b.try("cgroup.type", "threaded"), "is populated")
	require.Equal(t, unix.EOPNOTSUPP, a.try("cgroup.type", "threaded"), "has a sibling that is a domain")
	expectType(t, "domain", dom, a, b)

	a.child("c").write("cgroup.type", "threaded")
	expectType(t, "domain threaded", a)
}

// enable enables controllers for the cgroup's children until the end of the test.
func (c cgroup) enable(names ...string) {
	c.t.Helper()
	for _, name := range names {
		if !slices.Contains(strings.Fields(c.read("cgroup.subtree_control")), name) {
			c.write("cgroup.subtree_control", "+"+name)
			c.t.Cleanup(func() { c.write("cgroup.subtree_control", "-"+name) })
		}
	}
}

// A cgroup with processes can enable controllers for its children if threads can have
// them, too: then the children are threaded. It can't if they have processes.
func TestCgroupInternalProcesses(t *testing.T) {
	root := rootCgroup(t)
	if !root.hasController("cpu") {
		t.Skip("this kernel has no cpu controller")
	}
	root.enable("cpu")
	c := root.child("test")
	child := c.child("child")
	p, q := remote.NewProcess(t), remote.NewProcess(t)
	c.write("cgroup.procs", p.PID())
	c.write("cgroup.subtree_control", "+cpu")
	expectType(t, "domain threaded", c)
	expectType(t, "domain invalid", child)
	require.Equal(t, unix.EOPNOTSUPP, child.try("cgroup.procs", fmt.Sprint(q.PID())))
	c.write("cgroup.procs", q.PID())
	c.write("cgroup.subtree_control", "-cpu")
	expectType(t, "domain", c, child)

	child.write("cgroup.procs", p.PID())
	require.Equal(t, unix.EBUSY, c.try("cgroup.subtree_control", "+cpu"))
	child.write("cgroup.procs", q.PID())
	c.write("cgroup.subtree_control", "+cpu")
	require.Equal(t, unix.EBUSY, c.try("cgroup.procs", fmt.Sprint(p.PID())))
	require.True(t, child.hasController("cpu"))
	expectType(t, "domain", c, child)
}

// Other controllers can't be enabled where processes or threads are.
func TestCgroupDomainController(t *testing.T) {
	root := rootCgroup(t)
	if !root.hasController("memory") {
		t.Skip("this kernel has no memory controller")
	}
	root.enable("memory")
	c := root.child("test")
	child, p := c.child("child"), remote.NewProcess(t)
	c.write("cgroup.procs", p.PID())
	require.Equal(t, unix.EBUSY, c.try("cgroup.subtree_control", "+memory"))
	child.write("cgroup.procs", p.PID())
	c.write("cgroup.subtree_control", "+memory")
	require.Equal(t, unix.EBUSY, c.try("cgroup.procs", fmt.Sprint(p.PID())))
	require.True(t, child.hasController("memory"))
	require.Equal(t, unix.EOPNOTSUPP, c.child("other").try("cgroup.type", "threaded"))

	// A threaded cgroup lacks it even if its parent has it, which only the root can.
	threaded := root.child("threaded")
	require.True(t, threaded.hasController("memory"))
	threaded.write("cgroup.type", "threaded")
	require.False(t, threaded.hasController("memory"))
	expectType(t, "threaded", threaded)
}

// hasFilesystem returns whether the kernel has a file system type.
func hasFilesystem(t *testing.T, fsType string) bool {
	t.Helper()
	types, err := os.ReadFile("/proc/filesystems")
	require.NoError(t, err)
	return strings.Contains(string(types), "\t"+fsType+"\n")
}

// mountV1 mounts a version 1 hierarchy.
func mountV1(t *testing.T, fsType, options string) cgroup {
	t.Helper()
	dir := t.TempDir()
	// Linux needs a while to detach a controller from version 2.
	var err error
	require.Eventually(t, func() bool {
		err = unix.Mount("none", dir, fsType, unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, options)
		return err != unix.EBUSY
	}, freezerTimeout, time.Millisecond)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, 0)) })
	return cgroup{t, dir}
}

// The cpu controller can have a version 1 hierarchy beside version 2, as on Android.
func TestCgroupV1CPU(t *testing.T) {
	root := rootCgroup(t)
	if !root.hasController("cpu") {
		t.Skip("this kernel has no cpu controller")
	}
	cpu := mountV1(t, "cgroup", "cpu")
	require.False(t, root.hasController("cpu"))
	require.NotEmpty(t, cpu.read("cpu.shares"))
	group := filepath.Join(cpu.dir, "background")
	require.NoError(t, os.Mkdir(group, 0o755))
	defer func() { require.NoError(t, os.Remove(group)) }()
	p := remote.NewProcess(t)
	thread := p.NewThread(t)
	background := cgroup{t, group}
	background.write("tasks", thread.TID())
	require.Equal(t, []int{thread.TID()}, background.ids("tasks"))
	background.write("cgroup.procs", p.PID())
	require.ElementsMatch(t, []int{p.TID(), thread.TID()}, background.ids("tasks"))
	p.Kill(t)
	require.Empty(t, background.ids("tasks"))
}

// The file system that cpusets had before cgroups existed.
func TestCpuset(t *testing.T) {
	// Otherwise a hierarchy exists already, which a mount can't change.
	rootCgroup(t)
	if onLinux() && !hasFilesystem(t, "cpuset") {
		t.Skip("this kernel has no cpusets")
	}
	cpuset := mountV1(t, "cpuset", "")
	var statfs unix.Statfs_t
	require.NoError(t, unix.Statfs(cpuset.dir, &statfs))
	require.EqualValues(t, unix.CGROUP_SUPER_MAGIC, statfs.Type)
	mounts, err := os.ReadFile("/proc/self/mounts")
	require.NoError(t, err)
	require.Regexp(t, `none `+cpuset.dir+` cgroup [^ ]*cpuset,noprefix`, string(mounts))

	cpus, mems := cpuset.read("cpus"), cpuset.read("mems")
	require.NotEmpty(t, cpus)
	require.NotEmpty(t, mems)
	_, err = cpuset.tryRead("cpuset.cpus")
	require.Equal(t, unix.ENOENT, err)

	foreground := cgroup{t, filepath.Join(cpuset.dir, "foreground")}
	require.NoError(t, os.Mkdir(foreground.dir, 0o755))
	defer func() { require.NoError(t, os.Remove(foreground.dir)) }()
	foreground.write("cpus", cpus)
	foreground.write("mems", mems)
	require.Equal(t, cpus, foreground.read("cpus"))
	p := remote.NewProcess(t)
	thread := p.NewThread(t)
	foreground.write("tasks", thread.TID())
	require.Equal(t, []int{thread.TID()}, foreground.ids("tasks"))
	foreground.write("cgroup.procs", p.PID())
	require.ElementsMatch(t, []int{p.TID(), thread.TID()}, foreground.ids("tasks"))
	p.Kill(t)

	// Only this controller's files can lack a prefix.
	dir := t.TempDir()
	for _, options := range []string{"cpu,noprefix", "cpu,cpuset,noprefix"} {
		require.Equal(t, unix.EINVAL, unix.Mount("none", dir, "cgroup", 0, options), options)
	}
}
