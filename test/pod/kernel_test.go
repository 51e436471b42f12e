// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package pod

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

const (
	keptFile  = 100
	keptAlarm = 101
	keptLabel = "/dev/label"
)

// keep makes the kernel remember things for the process: sysctls, a label, a sealed file
// and an alarm.
func keep() {
	check("kptr_restrict", os.WriteFile("/proc/sys/kernel/kptr_restrict", []byte("1"), 0))
	check("memfd_noexec", os.WriteFile("/proc/sys/vm/memfd_noexec", []byte("1"), 0))
	check("label", os.WriteFile(keptLabel, nil, 0600))
	check("setxattr", unix.Setxattr(keptLabel, "security.selinux", []byte("u:object_r:kept:s0"), 0))

	fd, err := unix.MemfdCreate("kept", 0)
	check("memfd_create", err)
	_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_FUTURE_WRITE)
	check("F_ADD_SEALS", err)
	check("dup", unix.Dup3(fd, keptFile, 0))
	alarm, err := unix.TimerfdCreate(unix.CLOCK_BOOTTIME_ALARM, 0)
	check("timerfd_create", err)
	check("timerfd_settime", unix.TimerfdSettime(alarm, 0, &unix.ItimerSpec{Value: unix.Timespec{Sec: 1 << 20}}, nil))
	check("dup", unix.Dup3(alarm, keptAlarm, 0))
	for {
		_ = unix.Pause()
	}
}

// showKept prints what the first process keeps.
func showKept() {
	for _, name := range []string{"kernel/kptr_restrict", "vm/memfd_noexec"} {
		value, err := os.ReadFile("/proc/sys/" + name)
		check(name, err)
		fmt.Printf("%s: %s", name, value)
	}
	label := make([]byte, 64)
	n, err := unix.Getxattr(keptLabel, "security.selinux", label)
	check("getxattr", err)
	fmt.Printf("label: %s\n", label[:n])

	fd, err := unix.Open(fmt.Sprint("/proc/1/fd/", keptFile), unix.O_RDWR, 0)
	check("open", err)
	seals, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0)
	check("F_GET_SEALS", err)
	_, err = unix.Write(fd, []byte("x"))
	fmt.Printf("seals %#x: %v\n", seals, err)
	var stat unix.Stat_t
	check("fstat", unix.Fstat(fd, &stat))
	fmt.Printf("mode %o: %v\n", stat.Mode, unix.Fchmod(fd, 0777))
	link, err := os.Readlink(fmt.Sprint("/proc/1/fd/", keptAlarm))
	check("readlink", err)
	fmt.Println(link)
}

// privileged gives a container capabilities.
func privileged(capabilities ...string) func(*specs.Spec) {
	return func(spec *specs.Spec) {
		spec.Process.Capabilities = &specs.LinuxCapabilities{Bounding: capabilities, Effective: capabilities, Permitted: capabilities}
	}
}

// What the kernel keeps for applications survives a checkpoint.
func TestRestoreKept(t *testing.T) {
	const want = `kernel/kptr_restrict: 1
vm/memfd_noexec: 1
label: u:object_r:kept:s0
seals 0x30: operation not permitted
mode 100666: operation not permitted
anon_inode:[timerfd]
`
	keeping := both(privileged("CAP_SYS_ADMIN", "CAP_WAKE_ALARM"), func(spec *specs.Spec) { spec.Process.Args = []string{"/agent", "keep"} })
	p := newPod(t)
	c := p.start("root", keeping)
	for deadline := time.Now().Add(time.Minute); ; {
		got, err := p.try(c.agent([]string{"kept"})...)
		if err == nil || time.Now().After(deadline) {
			require.NoError(t, err, got)
			require.Equal(t, want, got)
			break
		}
	}
	image := filepath.Join(p.dir, "image")
	p.run("checkpoint", "--image-path="+image, c.id)
	c.delete()

	p.id = ""
	c = p.create("root", keeping)
	p.run("restore", "--detach", "--image-path="+image, c.id)
	require.Equal(t, want, c.exec("kept"))
}

// Only privileged containers can write the kernel's sysctls, and all can read them; those
// of a PID namespace are each container's own.
func TestSysctlsOfAPod(t *testing.T) {
	p := newPod(t)
	// The PID namespace of the first container is the parent of the others'.
	p.start("pause", nil)
	one := p.start("one", privileged("CAP_SYS_ADMIN"))
	two := p.start("two", nil)
	const global, own = "/proc/sys/vm/overcommit_memory", "/proc/sys/vm/memfd_noexec"
	set := func(c *container, path, value string) string { return strings.TrimSpace(c.exec("set", path, value)) }

	require.Equal(t, "operation not permitted", set(two, global, "1"))
	require.Equal(t, "<nil>", set(one, global, "1"))
	require.Equal(t, "1\n", two.exec("cat", global))
	require.Equal(t, "<nil>", set(one, own, "1"))
	require.Equal(t, "1\n", one.exec("cat", own))
	require.Equal(t, "0\n", two.exec("cat", own))
	require.Equal(t, "operation not permitted", set(two, own, "1"))
}

// set writes to a file and prints the result.
func set(path, value string) {
	fd, err := unix.Open(path, unix.O_WRONLY, 0)
	check("open", err)
	_, err = unix.Write(fd, []byte(value))
	fmt.Println(err)
}
