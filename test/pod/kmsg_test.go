// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package pod

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// kernelLog is an agent's commands for the kernel log.
func kernelLog(command string, args []string) {
	switch command {
	case "write":
		logMessage(openLog(), args[0])
	case "flood":
		fd := openLog()
		for range 1000 {
			logMessage(fd, strings.Repeat("x", 1000))
		}
	case "read":
		fd := openLog()
		for {
			text, err := readLog(fd, unix.MSG_DONTWAIT)
			if err == unix.EAGAIN {
				return
			}
			check("reading the log", err)
			fmt.Println(text)
		}
	case "all":
		// Through the other two interfaces.
		buf := make([]byte, 1<<20)
		n, err := unix.Klogctl(unix.SYSLOG_ACTION_READ_ALL, buf)
		check("SYSLOG_ACTION_READ_ALL", err)
		fmt.Print(string(buf[:n]))
		fd, err := unix.Open("/proc/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		check("open /proc/kmsg", err)
		for {
			n, err := unix.Read(fd, buf)
			if err == unix.EAGAIN {
				return
			}
			check("reading /proc/kmsg", err)
			fmt.Print(string(buf[:n]))
		}
	case "await":
		fd := openLog()
		for {
			text, err := readLog(fd, 0)
			check("reading the log", err)
			if text == args[0] {
				return
			}
		}
	case "hold":
		holdLog()
	case "continue":
		check("kill", unix.Kill(1, unix.SIGUSR1))
	default:
		check(command, unix.EINVAL)
	}
}

func openLog() int {
	fd, err := unix.Open("/dev/kmsg", unix.O_RDWR|unix.O_CLOEXEC, 0)
	check("open /dev/kmsg", err)
	return fd
}

func logMessage(fd int, text string) {
	_, err := unix.Write(fd, []byte("<6>"+text+"\n"))
	check("writing to the log", err)
}

// readLog returns the text of the next record.
func readLog(fd int, flags int) (string, error) {
	check("SetNonblock", unix.SetNonblock(fd, flags == unix.MSG_DONTWAIT))
	buf := make([]byte, 8192)
	n, err := unix.Read(fd, buf)
	if err != nil {
		return "", err
	}
	_, text, _ := strings.Cut(string(buf[:n]), ";")
	return strings.TrimSuffix(text, "\n"), nil
}

// holdLog holds a partly read log, and a trigger on memory pressure, until it's told to
// continue. Then it logs what it holds.
func holdLog() {
	fd := openLog()
	logMessage(fd, "one")
	_, err := unix.Seek(fd, 0, unix.SEEK_END)
	check("seek", err)
	logMessage(fd, "two")
	logMessage(fd, "three")
	pressure, err := unix.Open("/proc/pressure/memory", unix.O_RDWR|unix.O_CLOEXEC, 0)
	check("open /proc/pressure/memory", err)
	trigger := []byte("some 150000 2000000\x00")
	_, err = unix.Write(pressure, trigger)
	check("writing a trigger", err)
	goOn := make(chan os.Signal, 1)
	signal.Notify(goOn, unix.SIGUSR1)
	logMessage(openLog(), "holding")
	for {
		<-goOn
		two, err := readLog(fd, 0)
		check("reading the log", err)
		three, err := readLog(fd, 0)
		check("reading the log", err)
		fds := []unix.PollFd{{Fd: int32(pressure), Events: unix.POLLPRI}}
		_, err = unix.Poll(fds, 0)
		check("poll", err)
		_, err = unix.Write(pressure, trigger)
		logMessage(openLog(), fmt.Sprintf("had %s, %s, %#x, %v", two, three, fds[0].Revents, err))
	}
}

// TestKmsgApart: only the container itself reads what it logs, and it takes no room from
// others. A restarted container has a new log.
func TestKmsgApart(t *testing.T) {
	p := newPod(t)
	p.start("root", nil)
	withCapability := func(spec *specs.Spec) { spec.Process.Capabilities = syslogCapabilities }
	one, two := p.start("one", withCapability), p.start("two", withCapability)
	one.exec("log", "write", "from one")
	two.exec("log", "write", "from two")
	one.exec("log", "flood")
	for _, text := range []string{two.exec("log", "read"), two.exec("log", "all")} {
		require.Contains(t, text, "Starting gVisor...\n")
		require.Contains(t, text, "from two\n")
		require.NotContains(t, text, "from one")
		require.NotContains(t, text, "xxx")
	}
	require.NotContains(t, one.exec("log", "read"), "from")
	two.delete()
	two = p.start("two", withCapability)
	require.Contains(t, two.exec("log", "read"), "Starting gVisor...\n")
	require.NotContains(t, two.exec("log", "read"), "from two")
}

// syslogCapabilities let processes read /proc/kmsg, and no more.
var syslogCapabilities = &specs.LinuxCapabilities{
	Bounding:  []string{"CAP_SYSLOG"},
	Effective: []string{"CAP_SYSLOG"},
	Permitted: []string{"CAP_SYSLOG"},
}

// TestKmsgInDebugLog: the sandbox's own log repeats the containers'.
func TestKmsgInDebugLog(t *testing.T) {
	p := newPod(t)
	p.start("root", nil)
	c := p.start("app", nil)
	c.exec("log", "write", "starting\tservice")
	logs, err := filepath.Glob(filepath.Join(p.dir, "log", "*.boot*"))
	require.NoError(t, err)
	require.Len(t, logs, 1)
	text, err := os.ReadFile(logs[0])
	require.NoError(t, err)
	require.Contains(t, string(text), fmt.Sprintf("kmsg of container %q: <14>starting\\x09service\n", c.id))
}

// TestRestoreKmsg: logs, positions in them, and triggers survive a checkpoint.
func TestRestoreKmsg(t *testing.T) {
	hold := func(spec *specs.Spec) { spec.Process.Args = []string{"/agent", "log", "hold"} }
	p := newPod(t)
	root := p.start("root", nil)
	c := p.start("app", hold)
	c.exec("log", "await", "holding")
	root.exec("log", "write", "of root")
	image := filepath.Join(p.dir, "image")
	p.run("checkpoint", "--image-path="+image, root.id)
	root.delete()
	c.deleted = true

	p.id = ""
	root, c = p.create("root", nil), p.create("app", hold)
	for _, c := range []*container{root, c} {
		p.run("restore", "--detach", "--image-path="+image, c.id)
	}
	c.exec("log", "continue")
	c.exec("log", "await", fmt.Sprintf("had two, three, 0x0, %v", unix.EBUSY))
	require.Contains(t, c.exec("log", "read"), "one\ntwo\nthree\nholding\n")
	require.Contains(t, root.exec("log", "read"), "of root\n")
	require.NotContains(t, root.exec("log", "read"), "holding\n")
}
