// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package android

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// firstStage is what init does before anything of Android's is mounted. In a container
// with its own /dev, like redroid's, init skips most of it.
var firstStage = stage{"init, first stage", []step{
	{
		what: "tmpfs on `/dev`, devpts on `/dev/pts`", who: "init", without: "init exits",
		run: mountDev,
	},
	{
		what: "`/dev/null`, `/dev/random` and `/dev/urandom`, made by mknod", who: "init", without: "init exits",
		run: memoryDevices,
	},
	{
		what: "`/dev/ptmx`, made by mknod", who: "adbd, for shells", without: "no terminals, where `/dev` is replaced (not in redroid)",
		run: ptmx,
		why: "gVisor's terminals are opened through `/dev/pts/ptmx`",
	},
	{
		what: "proc with `hidepid=2`; `/proc/cmdline` only for init", who: "init", without: "init exits",
		run: func(b *boot) error {
			if err := unix.Mount("proc", b.mkdir("proc"), "proc", 0, "hidepid=2,gid=3009"); err != nil {
				return err
			}
			return os.Chmod(b.path("proc/cmdline"), 0o440)
		},
	},
	{
		what: "what `hidepid=2` hides", who: "apps, from each other", without: "an app sees all processes",
		run: hidden,
		why: "gVisor's proc accepts the option but shows all processes",
	},
	{
		what: "sysfs", who: "init", without: "init exits",
		run: func(b *boot) error {
			if err := unix.Mount("sysfs", b.mkdir("sys"), "sysfs", 0, ""); err != nil {
				return err
			}
			_, err := os.Stat(b.path("sys/devices/system/cpu"))
			return err
		},
	},
	{
		what: "`/dev/kmsg`, made by mknod and written", who: "init, for its log", without: "nobody sees why a boot fails",
		run: kmsg,
	},
	{
		what: "selinuxfs on `/sys/fs/selinux`", who: "init; not redroid's", without: "init exits",
		run: func(*boot) error {
			if err := unix.Mount("selinuxfs", "/sys/fs/selinux", "selinuxfs", 0, ""); err != nil && err != unix.EBUSY {
				return err
			}
			return readable("/sys/fs/selinux/enforce", "0")
		},
		linux: "SELinux",
	},
	{
		what: "an SELinux policy", who: "init; not redroid's", without: "init exits",
		run:   loadPolicy,
		linux: "a valid policy",
	},
	{
		what: "the device mapper", who: "init, for verified partitions; not redroid's", without: "init exits, unless the root is the image",
		run: func(b *boot) error {
			_, err := b.open("/dev/mapper/control", unix.O_RDWR)
			return err
		},
		linux: "CONFIG_BLK_DEV_DM",
		why:   "there are no block devices",
	},
	{
		what: "reboot(2), which ends a container", who: "init, for shutdown and on fatal errors", without: "init aborts, which has the same effect",
		run: reboot,
		why: "gVisor lacks it; a container ends with its init",
	},
}}

func mountDev(b *boot) error {
	dev := b.mkdir("dev")
	if err := unix.Mount("tmpfs", dev, "tmpfs", unix.MS_NOSUID, "mode=0755"); err != nil {
		return in("tmpfs", err)
	}
	return in("devpts", unix.Mount("devpts", b.mkdir("dev/pts"), "devpts", 0, ""))
}

func mknod(path string, major, minor uint32) error {
	return unix.Mknod(path, unix.S_IFCHR|0o666, int(unix.Mkdev(major, minor)))
}

// memoryDevices creates devices and uses them.
func memoryDevices(b *boot) error {
	data := make([]byte, 32)
	for _, d := range []struct {
		name  string
		minor uint32
		use   func(fd int) (int, error)
		want  int
	}{
		{"null", 3, func(fd int) (int, error) { return unix.Read(fd, data) }, 0},
		{"random", 8, func(fd int) (int, error) { return unix.Write(fd, data) }, len(data)},
		{"urandom", 9, func(fd int) (int, error) { return unix.Read(fd, data) }, len(data)},
	} {
		path := b.path("dev", d.name)
		if err := mknod(path, 1, d.minor); err != nil {
			return in(d.name, err)
		}
		fd, err := b.open(path, unix.O_RDWR)
		if err != nil {
			return in(d.name, err)
		}
		if n, err := d.use(fd); err != nil || n != d.want {
			return in(d.name, or(err, fmt.Errorf("%d bytes", n)))
		}
	}
	return nil
}

// ptmx opens a terminal and writes to its other side.
func ptmx(b *boot) error {
	path := b.path("dev/ptmx")
	if err := mknod(path, 5, 2); err != nil {
		return err
	}
	master, err := b.open(path, unix.O_RDWR|unix.O_NOCTTY)
	if err != nil {
		return err
	}
	if err := unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0); err != nil {
		return err
	}
	number, err := unix.IoctlGetInt(master, unix.TIOCGPTN)
	if err != nil {
		return err
	}
	terminal, err := b.open(b.path("dev/pts", fmt.Sprint(number)), unix.O_RDWR|unix.O_NOCTTY)
	if err != nil {
		return err
	}
	if _, err := unix.Write(terminal, []byte("$ ")); err != nil {
		return err
	}
	prompt := make([]byte, 16)
	n, err := unix.Read(master, prompt)
	if err == nil && string(prompt[:n]) != "$ " {
		err = fmt.Errorf("got %q", prompt[:n])
	}
	return err
}

// hidden looks at a process as another user.
func hidden(b *boot) error {
	app := b.process()
	if err := app.do(unix.SYS_SETRESUID, 10001, 10001, 10001); err != nil {
		return err
	}
	seen, err := app.exists(b.path("proc", fmt.Sprint(os.Getpid())))
	if err == nil && seen {
		err = errors.New("has no effect")
	}
	return err
}

// kmsgText is the first message of init's log here.
const kmsgText = "init: init first stage started!"

func kmsg(b *boot) error {
	path := b.path("dev/kmsg")
	if err := mknod(path, 1, 11); err != nil {
		return err
	}
	fd, err := b.open(path, unix.O_WRONLY)
	if err != nil {
		return err
	}
	// libbase writes the priority and the tag with it, in one write.
	_, err = unix.Writev(fd, [][]byte{[]byte("<6>"), []byte(kmsgText + "\n")})
	return err
}

// loadPolicy loads data that begins like a policy.
func loadPolicy(*boot) error {
	const magic = "\x8c\xff\x7c\xf9"
	return write("/sys/fs/selinux/load", magic+"\x08\x00\x00\x00SE Linux\x21\x00\x00\x00"+strings.Repeat("\x00", 64))
}

// reboot makes an init process reboot its PID namespace, which is what a container is.
func reboot(*boot) error {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), childEnv+"=reboot")
	cmd.SysProcAttr = &unix.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}
	output, err := cmd.CombinedOutput()
	status, ok := exitStatus(err)
	switch {
	case !ok:
		return err
	case status.Signaled() && status.Signal() == unix.SIGHUP:
		return nil
	case strings.TrimSpace(string(output)) == unix.EPERM.Error():
		return unix.EPERM
	case strings.TrimSpace(string(output)) == unix.ENOSYS.Error():
		return unix.ENOSYS
	}
	return fmt.Errorf("%v, %s", err, output)
}

func exitStatus(err error) (syscall.WaitStatus, bool) {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return 0, false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return status, ok
}

// rebootNamespace is the child's program.
func rebootNamespace() error {
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART); err != nil {
		return err
	}
	select {} // The kernel kills it.
}
