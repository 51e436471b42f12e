// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package android

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sentrybinder/test/syscalls/remote"
)

// services is what init, and libprocessgroup for it, does to start a service.
var services = stage{"init starts services: libprocessgroup", []step{
	{
		what: "cgroup2", who: "libprocessgroup", without: "from Android 13 on no service starts",
		run: mountCgroup2,
	},
	{
		what: "`uid_N/pid_N`: created, entered, left, removed", who: "libprocessgroup", without: "from Android 13 on no service starts; apps from 14 on",
		run: processGroup,
	},
	{
		what: "`cgroup.kill`", who: "libprocessgroup, to end an app", without: "it kills the processes one by one",
		run: killGroup,
	},
	{
		what: "`cgroup.freeze`, and `cgroup.events` that reports it", who: "ActivityManager's freezer", without: "background apps keep running",
		run: freezeGroup,
	},
	{
		what: "`cgroup.threads`", who: "libprocessgroup, for threads", without: "logged",
		run: threadsOfGroup,
	},
	{
		what: "cgroup v1 at `/dev/cpuctl`, beside cgroup2", who: "libprocessgroup", without: "logged; threads have no groups",
		run:   v1Group("cpuctl", "cgroup", "cpu", "cpu.shares", "512"),
		linux: "CONFIG_CGROUP_SCHED",
	},
	{
		what: "the file system `cpuset`, at `/dev/cpuset`", who: "libprocessgroup", without: "logged",
		run:   v1Group("cpuset", "cpuset", "", "cpus", "0", "mems", "0"),
		linux: "CONFIG_CPUSETS_V1",
	},
	{
		what: "blkio at `/dev/blkio`", who: "libprocessgroup", without: "logged",
		run:   v1Group("blkio", "cgroup", "blkio"),
		linux: "CONFIG_BLK_CGROUP",
		why:   "there are no block devices",
	},
	{
		what: "PR_SET_TIMERSLACK, `/proc/PID/timerslack_ns`", who: "libprocessgroup", without: "logged",
		run: timerSlack,
	},
	{
		what: "users, groups, securebits, ambient capabilities kept by execve", who: "init, for each service", without: "the service does not start",
		run: credentials,
	},
	{
		what: "limits: files, locked memory, real-time priority, cores", who: "init.rc", without: "the service does not start",
		run: func(b *boot) error {
			return limits(b, unix.RLIMIT_NOFILE, unix.RLIMIT_MEMLOCK, unix.RLIMIT_RTPRIO, unix.RLIMIT_CORE)
		},
	},
	{
		what: "the limit of nice values", who: "init.rc; services with `rlimit nice`", without: "such a service does not start",
		run: func(b *boot) error { return limits(b, unix.RLIMIT_NICE) },
	},
	{
		what: "nice values and I/O priorities", who: "init", without: "the service does not start",
		run:   priorities,
		linux: "CONFIG_BLOCK",
	},
	{
		what: "`/proc/PID/oom_score_adj`", who: "init, lmkd", without: "apps are killed in no particular order",
		run: func(b *boot) error {
			path := fmt.Sprintf("/proc/%d/oom_score_adj", b.process().PID())
			if err := write(path, "-1000"); err != nil {
				return err
			}
			return readable(path, "-1000")
		},
	},
	{
		what: "pidfds, waited for", who: "init, lmkd", without: "init waits for SIGCHLD instead",
		run: pidfd,
	},
}}

// mountCgroup2 mounts it like libprocessgroup.
func mountCgroup2(b *boot) error {
	const flags = unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_NOSUID
	dir := b.mkdir("sys-fs-cgroup")
	err := unix.Mount("none", dir, "cgroup2", flags, "memory_recursiveprot")
	if err == unix.EINVAL {
		err = unix.Mount("none", dir, "cgroup2", flags, "")
	}
	if err == nil {
		b.cgroup = dir
	}
	return err
}

// group creates a cgroup for a process of a user, as for an app, and moves it there.
func (b *boot) group() (string, process, error) {
	p := b.process()
	if b.cgroup == "" {
		return "", p, errors.New("no cgroup2")
	}
	user := filepath.Join(b.cgroup, "uid_10001")
	dir := filepath.Join(user, fmt.Sprintf("pid_%d", p.PID()))
	for _, d := range []string{user, dir} {
		if err := os.Mkdir(d, 0o750); err != nil && !os.IsExist(err) {
			return "", p, err
		}
		if err := os.Chown(d, 1000, 1000); err != nil {
			return "", p, err
		}
	}
	b.Cleanup(func() {
		p.Kill(b)
		eventually(func() (bool, error) { return unix.Rmdir(dir) != unix.EBUSY, nil })
		unix.Rmdir(user)
	})
	return dir, p, in("cgroup.procs", write(filepath.Join(dir, "cgroup.procs"), strconv.Itoa(p.PID())))
}

func processGroup(b *boot) error {
	dir, p, err := b.group()
	if err != nil {
		return err
	}
	member := fmt.Sprintf("/uid_10001/pid_%d", p.PID())
	text, err := read(fmt.Sprintf("/proc/%d/cgroup", p.PID()))
	if err != nil || !strings.Contains(text+"\n", "0::"+member+"\n") {
		return in("/proc/PID/cgroup", or(err, fmt.Errorf("is not in %q", text)))
	}
	child := p.Fork(b)
	procs, err := read(filepath.Join(dir, "cgroup.procs"))
	if err != nil || !sameFields(procs, p.PID(), child.PID()) {
		return in("cgroup.procs", or(err, errors.New("are not the process and its child")))
	}
	events := filepath.Join(dir, "cgroup.events")
	if err := readable(events, "populated 1"); err != nil {
		return in("cgroup.events", err)
	}
	if err := unix.Rmdir(dir); err != unix.EBUSY {
		return in("rmdir of a group with members", or(err, errors.New("succeeds")))
	}
	child.Kill(b)
	p.Kill(b)
	if err := eventually(func() (bool, error) {
		text, err := read(events)
		return strings.Contains(text, "populated 0"), err
	}); err != nil {
		return in("cgroup.events", err)
	}
	return in("rmdir", unix.Rmdir(dir))
}

// sameFields returns whether text consists of those numbers, in any order.
func sameFields(text string, numbers ...int) bool {
	fields := strings.Fields(text)
	for _, n := range numbers {
		if !strings.Contains(" "+strings.Join(fields, " ")+" ", fmt.Sprintf(" %d ", n)) {
			return false
		}
	}
	return len(fields) == len(numbers)
}

func killGroup(b *boot) error {
	dir, p, err := b.group()
	if err != nil {
		return err
	}
	if err := write(filepath.Join(dir, "cgroup.kill"), "1"); err != nil {
		return err
	}
	if status := p.Reap(b); status.Signal() != unix.SIGKILL {
		return fmt.Errorf("ends with %v", status)
	}
	return nil
}

// freezeGroup freezes a process that is about to write to a pipe.
func freezeGroup(b *boot) error {
	dir, p, err := b.group()
	if err != nil {
		return err
	}
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return err
	}
	defer unix.Close(pipe[0])
	theirs := p.SendFD(b, pipe[1])
	unix.Close(pipe[1])

	freezer, events := filepath.Join(dir, "cgroup.freeze"), filepath.Join(dir, "cgroup.events")
	frozen := func(want string) error {
		return eventually(func() (bool, error) {
			text, err := read(events)
			return strings.Contains(text, "frozen "+want), err
		})
	}
	notified, err := b.open(events, unix.O_RDONLY)
	if err != nil {
		return in("cgroup.events", err)
	}
	if _, err := unix.Pread(notified, make([]byte, 64), 0); err != nil {
		return in("cgroup.events", err)
	}
	if err := write(freezer, "1"); err != nil {
		return err
	}
	if err := await(notified, unix.POLLPRI); err != nil {
		return in("poll of cgroup.events", err)
	}
	if err := frozen("1"); err != nil {
		return in("cgroup.events", err)
	}
	p.Start(b, unix.SYS_WRITE, uintptr(theirs), p.text("x"), 1)
	// Only its not writing for a while distinguishes it from a slow one.
	early, err := readyWithin(pipe[0], unix.POLLIN, 100*time.Millisecond)
	if err := write(freezer, "0"); err != nil {
		return err
	}
	if err != nil || early {
		return or(err, errors.New("has no effect"))
	}
	if err := frozen("0"); err != nil {
		return in("cgroup.events", err)
	}
	_, err = p.Wait(b)
	return err
}

func threadsOfGroup(b *boot) error {
	dir, p, err := b.group()
	if err != nil {
		return err
	}
	th := p.NewThread(b)
	path := filepath.Join(dir, "cgroup.threads")
	threads, err := read(path)
	if err != nil {
		return err
	}
	if !sameFields(threads, p.PID(), th.TID()) {
		return errors.New("are not the process's threads")
	}
	return write(path, strconv.Itoa(th.TID()))
}

// v1Group returns a function that mounts a hierarchy of controllers, creates a group
// there, sets values, files followed by contents, and moves a thread.
func v1Group(name, fsType, options string, values ...string) func(*boot) error {
	return func(b *boot) error {
		dir := b.mkdir("dev", name)
		if err := b.mount("none", dir, fsType, unix.MS_NODEV|unix.MS_NOEXEC|unix.MS_NOSUID, options); err != nil {
			return err
		}
		group := filepath.Join(dir, "background")
		if err := os.Mkdir(group, 0o755); err != nil {
			return err
		}
		p := b.process()
		b.Cleanup(func() {
			p.Kill(b)
			eventually(func() (bool, error) { return unix.Rmdir(group) != unix.EBUSY, nil })
		})
		for i := 0; i < len(values); i += 2 {
			file, value := values[i], values[i+1]
			if err := write(filepath.Join(group, file), value); err != nil {
				return in(file, err)
			}
			if err := readable(filepath.Join(group, file), value); err != nil {
				return in(file, err)
			}
		}
		tasks := filepath.Join(group, "tasks")
		if err := write(tasks, strconv.Itoa(p.TID())); err != nil {
			return in("tasks", err)
		}
		return in("tasks", readable(tasks, strconv.Itoa(p.TID())))
	}
}

func timerSlack(b *boot) error {
	p := b.process()
	if err := p.do(unix.SYS_PRCTL, unix.PR_SET_TIMERSLACK, 40_000_000); err != nil {
		return err
	}
	if slack, err := p.call(unix.SYS_PRCTL, unix.PR_GET_TIMERSLACK); err != nil || slack != 40_000_000 {
		return or(err, errors.New("has no effect"))
	}
	path := fmt.Sprintf("/proc/%d/timerslack_ns", p.PID())
	if err := readable(path, "40000000"); err != nil {
		return in("timerslack_ns", err)
	}
	return in("timerslack_ns", write(path, "50000"))
}

// credentials gives a process the credentials that init gives a service with one
// capability.
func credentials(b *boot) error {
	const (
		// The capability that Android's surfaceflinger has.
		capability = unix.CAP_SYS_NICE
		keepCaps   = 1<<4 | 1<<5 // SECBIT_KEEP_CAPS, SECBIT_KEEP_CAPS_LOCKED
	)
	p := b.process()
	for _, f := range []func() error{
		func() error { return in("securebits", p.do(unix.SYS_PRCTL, unix.PR_SET_SECUREBITS, keepCaps)) },
		func() error { return in("setresgid", p.do(unix.SYS_SETRESGID, 1003, 1003, 1003)) },
		func() error { return in("setgroups", p.do(unix.SYS_SETGROUPS, 2, p.words(1026, 3009))) },
		func() error { return in("setresuid", p.do(unix.SYS_SETRESUID, 1000, 1000, 1000)) },
		func() error { return in("capset", p.setCapabilities(1<<capability, 1<<capability)) },
		func() error {
			return in("ambient", p.do(unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, capability, 0, 0))
		},
	} {
		if err := f(); err != nil {
			return err
		}
	}
	p.Exec(b)
	capabilities := fmt.Sprintf("%016x", 1<<capability)
	return p.has("Uid", "1000\t1000\t1000\t1000", "Gid", "1003\t1003\t1003\t1003", "Groups", "1026 3009",
		"CapEff", capabilities, "CapPrm", capabilities)
}

// setCapabilities gives the process permitted, effective and inheritable capabilities.
func (p process) setCapabilities(permitted, inheritable uint64) error {
	header := p.words(unix.LINUX_CAPABILITY_VERSION_3, 0)
	lo, hi := uint32(permitted), uint32(permitted>>32)
	return p.do(unix.SYS_CAPSET, header, p.words(lo, lo, uint32(inheritable), hi, hi, uint32(inheritable>>32)))
}

// limits raises limits like init.rc.
func limits(b *boot, resources ...int) error {
	values := map[int]uint64{
		unix.RLIMIT_NOFILE: 32768, unix.RLIMIT_MEMLOCK: 65536, unix.RLIMIT_RTPRIO: 10,
		unix.RLIMIT_CORE: unix.RLIM_INFINITY, unix.RLIMIT_NICE: 40,
	}
	p := b.process()
	for _, r := range resources {
		limit := remote.Alloc(b, 16)
		want := unix.Rlimit{Cur: values[r], Max: values[r]}
		*remote.Struct[unix.Rlimit](limit) = want
		if err := p.do(unix.SYS_SETRLIMIT, uintptr(r), limit); err != nil {
			return in(fmt.Sprintf("limit %d", r), err)
		}
		var got unix.Rlimit
		if err := unix.Prlimit(p.PID(), r, nil, &got); err != nil || got != want {
			return in(fmt.Sprintf("limit %d", r), or(err, fmt.Errorf("is %v", got)))
		}
	}
	return nil
}

func priorities(b *boot) error {
	const (
		ofProcess = 1                // IOPRIO_WHO_PROCESS
		realTime  = 1<<13 | 4        // IOPRIO_CLASS_RT, level 4
		nice      = ^uintptr(19 - 1) // -19
	)
	p := b.process()
	if err := p.do(unix.SYS_SETPRIORITY, unix.PRIO_PROCESS, 0, nice); err != nil {
		return in("setpriority", err)
	}
	if got, err := p.call(unix.SYS_GETPRIORITY, unix.PRIO_PROCESS, 0); err != nil || got != 20+19 {
		return in("getpriority", or(err, fmt.Errorf("is %d", 20-int(got))))
	}
	if err := p.do(unix.SYS_IOPRIO_SET, ofProcess, 0, realTime); err != nil {
		return in("ioprio_set", err)
	}
	if got, err := p.call(unix.SYS_IOPRIO_GET, ofProcess, 0); err != nil || got != realTime {
		return in("ioprio_get", or(err, fmt.Errorf("is %#x", got)))
	}
	return nil
}

// pidfd waits for a process to exit.
func pidfd(b *boot) error {
	p := b.process()
	fd, err := b.closing(unix.PidfdOpen(p.PID(), 0))
	if err != nil {
		return err
	}
	if ready, err := readyWithin(fd, unix.POLLIN, 0); err != nil || ready {
		return or(err, errors.New("is ready before"))
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil {
		return err
	}
	if err := await(fd, unix.POLLIN); err != nil {
		return err
	}
	return in("waitid", unix.Waitid(unix.P_PIDFD, fd, nil, unix.WEXITED|unix.WNOWAIT, nil))
}
