// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package android

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	abi "sentrybinder/pkg/abi/binder"
)

// systemServer is what system_server and surfaceflinger do.
var systemServer = stage{"system_server, surfaceflinger", []step{
	{
		what: "timerfd with CLOCK_REALTIME_ALARM and CLOCK_BOOTTIME_ALARM", who: "system_server, for alarms", without: "system_server exits repeatedly",
		run: alarms,
	},
	{
		what: "TFD_TIMER_CANCEL_ON_SET, EPOLLWAKEUP", who: "system_server, for alarms", without: "alarms miss time changes",
		run: timeChange,
	},
	{
		what: "inotify on `/dev/input`", who: "system_server's EventHub", without: "system_server exits",
		run: eventHub,
	},
	{
		what: "a frozen app: BINDER_FREEZE, then `cgroup.freeze`", who: "ActivityManager's freezer", without: "background apps keep running",
		run: freezeApp,
	},
	{
		what: "process_madvise of another process", who: "ActivityManager, to compact apps", without: "background apps keep their memory",
		run: compact,
		why: "gVisor lacks it",
	},
	{
		what: "`/proc/stat`, `/proc/loadavg`, `/proc/PID/task/TID/stat`", who: "ActivityManager, for statistics", without: "no statistics",
		run: func(b *boot) error {
			p := b.process()
			return first(
				func() error { return in("stat", readable("/proc/stat", "cpu  ", "cpu0 ", "btime ", "processes ")) },
				func() error { return in("loadavg", readable("/proc/loadavg", "")) },
				func() error {
					return in("task", readable(fmt.Sprintf("/proc/%d/task/%d/stat", p.PID(), p.TID()), fmt.Sprintf("%d (", p.TID())))
				},
			)
		},
	},
	{
		what: "`/sys/power`", who: "the power manager, SystemSuspend", without: "logged; the sandbox does not sleep",
		run: func(*boot) error {
			return first(
				func() error { _, err := read("/sys/power/state"); return in("state", err) },
				func() error { _, err := read("/sys/power/wakeup_count"); return in("wakeup_count", err) },
			)
		},
		linux: "CONFIG_PM_SLEEP",
		why:   "there is no machine to sleep",
	},
	{
		what: "SCHED_FIFO and SCHED_RR", who: "surfaceflinger, audioserver", without: "logged",
		run: func(b *boot) error {
			p := b.process()
			if err := p.setFIFO(2); err != nil {
				return in("SCHED_FIFO", err)
			}
			const resetOnFork = 1 << 30 // SCHED_RESET_ON_FORK
			if err := p.do(unix.SYS_SCHED_SETSCHEDULER, 0, unix.SCHED_RR|resetOnFork, p.words(3)); err != nil {
				return in("SCHED_RR", err)
			}
			attr, err := unix.SchedGetAttr(p.PID(), 0)
			if err != nil || attr.Policy != unix.SCHED_RR || attr.Priority != 3 {
				return in("SCHED_RR", or(err, errors.New("is not reported")))
			}
			return nil
		},
	},
	{
		what: "sched_setaffinity", who: "surfaceflinger, media", without: "logged",
		run: func(b *boot) error {
			p := b.process()
			var set unix.CPUSet
			set.Set(0)
			if err := unix.SchedSetaffinity(p.PID(), &set); err != nil {
				return err
			}
			var got unix.CPUSet
			if err := unix.SchedGetaffinity(p.PID(), &got); err != nil || got != set {
				return or(err, errors.New("has no effect"))
			}
			return nil
		},
	},
}}

// alarms sets one on each clock, and waits for it.
func alarms(b *boot) error {
	for _, c := range []struct {
		name  string
		clock int
		// plain is the clock from which programs read the time.
		plain int32
	}{
		{"CLOCK_REALTIME_ALARM", unix.CLOCK_REALTIME_ALARM, unix.CLOCK_REALTIME},
		{"CLOCK_BOOTTIME_ALARM", unix.CLOCK_BOOTTIME_ALARM, unix.CLOCK_BOOTTIME},
	} {
		fd, err := b.closing(unix.TimerfdCreate(c.clock, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK))
		if err != nil {
			return in(c.name, err)
		}
		var now unix.Timespec
		if err := unix.ClockGettime(c.plain, &now); err != nil {
			return err
		}
		at := unix.NsecToTimespec(now.Nano() + int64(5*time.Millisecond))
		if err := unix.TimerfdSettime(fd, unix.TFD_TIMER_ABSTIME, &unix.ItimerSpec{Value: at}, nil); err != nil {
			return in(c.name, err)
		}
		if err := await(fd, unix.POLLIN); err != nil {
			return in(c.name, err)
		}
		var fired [8]byte
		if _, err := unix.Read(fd, fired[:]); err != nil || binary.NativeEndian.Uint64(fired[:]) != 1 {
			return in(c.name, or(err, errors.New("fires more than once")))
		}
	}
	return nil
}

// timeChange waits for a time change, which does not come.
func timeChange(b *boot) error {
	const cancelOnSet = 1 << 1 // TFD_TIMER_CANCEL_ON_SET
	fd, err := b.closing(unix.TimerfdCreate(unix.CLOCK_REALTIME, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK))
	if err != nil {
		return err
	}
	far := unix.ItimerSpec{Value: unix.Timespec{Sec: 1 << 40}}
	if err := unix.TimerfdSettime(fd, unix.TFD_TIMER_ABSTIME|cancelOnSet, &far, nil); err != nil {
		return in("TFD_TIMER_CANCEL_ON_SET", err)
	}
	epoll, err := b.closing(unix.EpollCreate1(unix.EPOLL_CLOEXEC))
	if err != nil {
		return err
	}
	if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLWAKEUP}); err != nil {
		return in("EPOLLWAKEUP", err)
	}
	if ready, err := readyWithin(epoll, unix.POLLIN, 0); err != nil || ready {
		return or(err, errors.New("fires"))
	}
	return nil
}

// eventHub waits for a device to appear and disappear.
func eventHub(b *boot) error {
	const dir = "/dev/input"
	if err := os.Mkdir(dir, 0o755); err != nil && !os.IsExist(err) {
		return err
	}
	b.Cleanup(func() { os.Remove(dir) })
	fd, err := b.closing(unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK))
	if err != nil {
		return err
	}
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_DELETE|unix.IN_CREATE); err != nil {
		return err
	}
	device := filepath.Join(dir, "event77")
	for _, c := range []struct {
		mask uint32
		do   func() error
	}{
		{unix.IN_CREATE, func() error { return os.WriteFile(device, nil, 0o600) }},
		{unix.IN_DELETE, func() error { return os.Remove(device) }},
	} {
		if err := c.do(); err != nil {
			return err
		}
		if err := await(fd, unix.POLLIN); err != nil {
			return err
		}
		event := make([]byte, 512)
		n, err := unix.Read(fd, event)
		if err != nil || n < unix.SizeofInotifyEvent {
			return or(err, fmt.Errorf("got %d bytes", n))
		}
		if mask := binary.NativeEndian.Uint32(event[4:]); mask != c.mask {
			return fmt.Errorf("got %#x, not %#x", mask, c.mask)
		}
	}
	return nil
}

// freezeApp freezes an app in the order of CachedAppOptimizer: its Binder, then its
// cgroup.
func freezeApp(b *boot) error {
	dir, app, err := b.group()
	if err != nil {
		return err
	}
	device := b.path("dev/binderfs/vndbinder")
	theirs, err := app.opened(device, unix.O_RDWR)
	if err != nil {
		return err
	}
	if err := app.do(unix.SYS_MMAP, 0, 64<<10, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_NORESERVE, theirs, 0); err != nil {
		return err
	}
	fd, err := b.open(device, unix.O_RDWR)
	if err != nil {
		return err
	}
	freeze := func(enable uint32) error {
		info := [3]uint32{uint32(app.PID()), enable, 100}
		_, err := call(unix.SYS_IOCTL, uintptr(fd), uintptr(abi.BINDER_FREEZE), pointer(&info))
		return in("BINDER_FREEZE", err)
	}
	self := func(value string) error {
		if err := write(filepath.Join(dir, "cgroup.freeze"), value); err != nil {
			return in("cgroup.freeze", err)
		}
		return in("cgroup.events", eventually(func() (bool, error) {
			return readable(filepath.Join(dir, "cgroup.events"), "frozen "+value) == nil, nil
		}))
	}
	return first(
		func() error { return freeze(1) },
		func() error { return self("1") },
		func() error {
			info := [3]uint32{uint32(app.PID())}
			_, err := call(unix.SYS_IOCTL, uintptr(fd), uintptr(abi.BINDER_GET_FROZEN_INFO), pointer(&info))
			return in("BINDER_GET_FROZEN_INFO", err)
		},
		func() error { return self("0") },
		func() error { return freeze(0) },
		func() error { return app.do(unix.SYS_GETPID) },
	)
}

// compact pages out another process's memory, whose contents stay the same.
func compact(b *boot) error {
	app := b.process()
	addr, err := app.call(unix.SYS_MMAP, 0, 64<<10, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, ^uintptr(0), 0)
	if err != nil {
		return err
	}
	if err := app.WriteMemory(b, addr, []byte("bitmap")); err != nil {
		return err
	}
	fd, err := b.closing(unix.PidfdOpen(app.PID(), 0))
	if err != nil {
		return err
	}
	vec := [2]uint64{uint64(addr), 64 << 10}
	done, err := call(unix.SYS_PROCESS_MADVISE, uintptr(fd), pointer(&vec), 1, unix.MADV_PAGEOUT, 0)
	if err != nil || done != 64<<10 {
		return or(err, fmt.Errorf("advises %d bytes", done))
	}
	seen, err := app.ReadMemory(b, addr, len("bitmap"))
	if err == nil && string(seen) != "bitmap" {
		err = errors.New("loses the contents")
	}
	return err
}
