// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package pod

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// cgroupDir is where containers mount their cgroup2.
const cgroupDir = "/cgroup"

// cgroup2 is an edit of a spec that asks for cgroup2, and for the container's part of it.
func cgroup2(spec *specs.Spec) {
	annotated("cgroup", "v2")(spec)
	spec.Mounts = append(spec.Mounts, specs.Mount{Type: "cgroup", Destination: cgroupDir, Source: "cgroup"})
	spec.Linux.Namespaces = append(spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.CgroupNamespace})
}

// freezeSpinner is an agent's command. It starts a process that never sleeps, in its own
// cgroup, freezes it and waits forever.
func freezeSpinner() {
	dir := cgroupDir + "/app"
	check("mkdir", os.Mkdir(dir, 0o755))
	cmd := exec.Command("/proc/self/exe", "spin")
	cmd.Env = os.Environ()
	check("start", cmd.Start())
	check("cgroup.procs", os.WriteFile(dir+"/cgroup.procs", []byte(strconv.Itoa(cmd.Process.Pid)), 0))
	check("cgroup.freeze", os.WriteFile(dir+"/cgroup.freeze", []byte("1"), 0))
	_ = cmd.Wait()
	_ = unix.Pause() // The sandbox would end with this process.
}

// write is an agent's command. It writes a value to a file, and prints the result.
func write(path, value string) {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	check("open "+path, err)
	_, err = unix.Write(fd, []byte(value))
	fmt.Println(err)
}

// awaitFile waits until a file in the container has a line.
func (c *container) awaitFile(path, line string) {
	c.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		text, err := c.try(c.agent([]string{"cat", path})...)
		if err == nil && strings.Contains(text, line+"\n") {
			return
		}
		require.True(c.t, time.Now().Before(deadline), "%s is %q", path, text)
	}
}

// ticks returns the CPU time of the only process in the container's cgroup app.
func (c *container) ticks() int {
	c.t.Helper()
	pid := strings.TrimSpace(c.exec("cat", cgroupDir+"/app/cgroup.procs"))
	stat := c.exec("cat", "/proc/"+pid+"/stat")
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	utime, err := strconv.Atoi(fields[14-3])
	require.NoError(c.t, err)
	return utime
}

// Only a sandbox that asks for cgroup2 has it.
func TestCgroupAnnotation(t *testing.T) {
	for _, edit := range []func(*specs.Spec){nil, annotated("cgroup", "v1")} {
		c := newPod(t).start("root", edit)
		require.NotContains(t, c.exec("cat", "/proc/filesystems"), "\tcgroup2\n")
	}
	p := newPod(t)
	p.refused("root", "want one of v1, v2", annotated("cgroup", "v3"))
	p.id = ""
	c := p.start("root", cgroup2)
	require.Contains(t, c.exec("ls", cgroupDir), "cgroup.freeze\n")
	require.Contains(t, c.exec("cat", "/proc/filesystems"), "\tcgroup2\n")
	p.refused("one", "takes effect only in the config of the sandbox's first container", annotated("cgroup", "v1"))
	p.start("one", cgroup2)
}

// Each container of a pod sees its own part of the tree, and can't freeze what is above
// it, or another's.
func TestCgroupsAreApart(t *testing.T) {
	p := newPod(t)
	p.start("root", cgroup2)
	spinning := func(spec *specs.Spec) {
		cgroup2(spec)
		spec.Process.Args = []string{"/agent", "freeze-spinner"}
	}
	one, two := p.start("one", spinning), p.start("two", spinning)
	for _, c := range []*container{one, two} {
		c.awaitFile(cgroupDir+"/app/cgroup.events", "frozen 1")
		require.Equal(t, "operation not permitted\n", c.exec("write", cgroupDir+"/cgroup.freeze", "1"))
		require.Equal(t, 1, strings.Count(c.exec("ls", cgroupDir), "app\n"))
		require.Contains(t, c.exec("cat", "/proc/1/cgroup"), "0::/\n")
	}
	require.Equal(t, "<nil>\n", one.exec("write", cgroupDir+"/app/cgroup.freeze", "0"))
	one.awaitFile(cgroupDir+"/app/cgroup.events", "frozen 0")
	require.Contains(t, two.exec("cat", cgroupDir+"/app/cgroup.events"), "frozen 1\n")
	before := two.ticks()
	for start := one.ticks(); one.ticks() == start; {
	}
	require.Equal(t, before, two.ticks())
	// A container ends even if something is frozen in it.
	two.delete()
	p.start("two", cgroup2)
}

// What is frozen stays frozen through a checkpoint, and runs again when it is thawed.
func TestRestoreFrozen(t *testing.T) {
	spinning := func(spec *specs.Spec) {
		cgroup2(spec)
		spec.Process.Args = []string{"/agent", "freeze-spinner"}
	}
	p := newPod(t)
	c := p.start("root", spinning)
	const events = cgroupDir + "/app/cgroup.events"
	c.awaitFile(events, "frozen 1")
	image := filepath.Join(p.dir, "image")
	p.run("checkpoint", "--image-path="+image, c.id)
	c.delete()

	p.id = ""
	c = p.create("root", spinning)
	p.run("restore", "--detach", "--image-path="+image, c.id)
	require.Equal(t, "populated 1\nfrozen 1\n", c.exec("cat", events))
	require.Equal(t, "1\n", c.exec("cat", cgroupDir+"/app/cgroup.freeze"))
	before := c.ticks()
	require.Equal(t, before, c.ticks())
	require.Equal(t, "<nil>\n", c.exec("write", cgroupDir+"/app/cgroup.freeze", "0"))
	c.awaitFile(events, "frozen 0")
	for c.ticks() == before {
	}
	require.Equal(t, "<nil>\n", c.exec("write", cgroupDir+"/app/cgroup.freeze", "1"))
	c.awaitFile(events, "frozen 1")
	require.Equal(t, "<nil>\n", c.exec("write", cgroupDir+"/app/cgroup.kill", "1"))
	c.awaitFile(events, "populated 0")
}
