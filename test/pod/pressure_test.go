// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package pod

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// press is an agent that allocates memory until there is memory pressure, and then prints
// how much was free, in KiB, and what a program such as lmkd reads before and after.
func press() {
	pressure, err := unix.Open("/proc/pressure/memory", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	check("open /proc/pressure/memory", err)
	_, err = unix.Write(pressure, []byte("some 70000 2000000\x00"))
	check("writing a trigger", err)
	before := field("/proc/vmstat", "pgscan_direct")
	fds := []unix.PollFd{{Fd: int32(pressure), Events: unix.POLLPRI}}
	for {
		// Close to the limit, it allocates slowly: the trigger must fire before memory
		// runs out.
		step, wait := 1<<20, 50
		if field("/proc/meminfo", "MemFree:") > field("/proc/meminfo", "MemTotal:")/5 {
			step, wait = 32<<20, 0
		}
		mem, err := unix.Mmap(-1, 0, step, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_POPULATE)
		check("mmap", err)
		for i := 0; i < len(mem); i += 4096 {
			mem[i] = 1
		}
		n, err := unix.Poll(fds, wait)
		if err == unix.EINTR {
			continue
		}
		check("poll", err)
		if n != 0 {
			break
		}
	}
	fmt.Println(fds[0].Revents, field("/proc/meminfo", "MemFree:"), field("/proc/meminfo", "MemTotal:"), before, field("/proc/vmstat", "pgscan_direct"))
}

// field returns the number after name in a file of such lines.
func field(path, name string) (value int64) {
	file, err := os.Open(path)
	check("open "+path, err)
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if words := strings.Fields(lines.Text()); len(words) >= 2 && words[0] == name {
			_, err := fmt.Sscan(words[1], &value)
			check(lines.Text(), err)
			return value
		}
	}
	check(path+": "+name, os.ErrNotExist)
	return 0
}

// TestPressure: triggers fire when the memory that the sandbox may use runs out.
func TestPressure(t *testing.T) {
	const limit = 1 << 30
	p := newPod(t)
	p.cgroups = true
	c := p.start("root", func(spec *specs.Spec) {
		spec.Linux.CgroupsPath = fmt.Sprintf("/sentrybinder-%d-%d", os.Getpid(), time.Now().UnixNano())
		bytes := int64(limit)
		spec.Linux.Resources = &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &bytes}}
	})
	require.True(t, strings.HasSuffix(strings.SplitN(c.exec("cat", "/proc/pressure/memory"), "\n", 2)[0], " total=0"))
	var events, free, total, before, after int64
	output := c.exec("press")
	_, err := fmt.Sscan(output, &events, &free, &total, &before, &after)
	require.NoError(t, err, "%q", output)
	require.EqualValues(t, unix.POLLPRI, events)
	require.EqualValues(t, limit>>10, total)
	// A twentieth of it is free, less what the sentry itself uses.
	require.Less(t, free, total/10)
	require.Zero(t, before)
	require.NotZero(t, after)
	require.False(t, strings.HasSuffix(strings.SplitN(c.exec("cat", "/proc/pressure/memory"), "\n", 2)[0], " total=0"))
	// The agent has exited, and its memory is freed.
	require.Eventually(t, func() bool { return c.field("/proc/meminfo", "MemFree:") > total/2 }, time.Minute, 50*time.Millisecond)
}

// field returns a field of a file in the container.
func (c *container) field(path, name string) (value int64) {
	c.t.Helper()
	_, err := fmt.Sscan(c.exec("field", path, name), &value)
	require.NoError(c.t, err)
	return value
}
