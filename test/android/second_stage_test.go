// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package android

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// secondStage is what init does before it starts services: properties, mount namespaces,
// what init.rc writes.
var secondStage = stage{"init, second stage", []step{
	{
		what: "files in `/dev/__properties__`, labelled with `security.selinux`, which all processes map", who: "init, bionic", without: "init exits",
		run:   properties,
		linux: "CONFIG_TMPFS_XATTR",
	},
	{
		what: "sockets in `/dev/socket`, and SO_PEERCRED", who: "init, logd, lmkd, zygote", without: "nobody can set a property",
		run: propertyService,
	},
	{
		what: "SO_PEERSEC", who: "init, to identify who sets a property; not redroid's", without: "no property is set",
		run: func(b *boot) error {
			fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				return err
			}
			defer unix.Close(fds[0])
			defer unix.Close(fds[1])
			_, err = unix.GetsockoptString(fds[0], unix.SOL_SOCKET, unix.SO_PEERSEC)
			return err
		},
		linux: "SELinux",
	},
	{
		what: "`/proc/self/attr/exec`, written", who: "init, for vendor scripts and each service; not redroid's", without: "vendor scripts do not run",
		run: func(b *boot) error {
			return inThread(func() error { return write("/proc/thread-self/attr/exec", "u:r:vendor_init:s0") })
		},
		linux: "SELinux",
	},
	{
		what: "`/proc/sys/kernel/kptr_restrict`, at least 2", who: "init", without: "init exits",
		run: func(*boot) error { return highest("/proc/sys/kernel/kptr_restrict", 2, 4) },
	},
	{
		what: "`/proc/sys/vm/mmap_rnd_bits`, 32", who: "init", without: "init exits",
		run:   func(*boot) error { return highest("/proc/sys/vm/mmap_rnd_bits", 32, 32) },
		linux: "an architecture other than User Mode Linux",
	},
	{
		what: "`/proc/sys/vm/mmap_rnd_compat_bits`, 16", who: "init, in Android 12 and with 32-bit programs", without: "init exits",
		run:   func(*boot) error { return highest("/proc/sys/vm/mmap_rnd_compat_bits", 16, 16) },
		linux: "an architecture other than User Mode Linux",
	},
	{
		what: "the sysctls that init.rc writes: kernel", who: "init.rc", without: "logged",
		run: sysctls("/proc/sys/kernel/", map[string]string{
			"sysrq": "0", "modprobe": "", "panic_on_oops": "1", "hung_task_timeout_secs": "0", "randomize_va_space": "2",
			"sched_rt_runtime_us": "950000", "sched_rt_period_us": "1000000", "perf_event_paranoid": "3",
			"perf_event_max_sample_rate": "100000", "perf_cpu_time_max_percent": "25", "perf_event_mlock_kb": "516",
		}),
		linux: "CONFIG_DETECT_HUNG_TASK, CONFIG_PERF_EVENTS and CONFIG_MODULES",
		why:   "there is no scheduler to configure",
	},
	{
		what: "the sysctls that init.rc writes: memory", who: "init.rc", without: "logged",
		run: sysctls("/proc/sys/vm/", map[string]string{
			"mmap_min_addr": "32768", "overcommit_memory": "1", "dirty_expire_centisecs": "200",
			"dirty_background_ratio": "5", "watermark_boost_factor": "0",
		}),
	},
	{
		what: "the sysctls that init.rc writes: network", who: "init.rc", without: "logged",
		run: sysctls("/proc/sys/net/", map[string]string{
			"ipv4/ping_group_range": "0\t2147483647", "unix/max_dgram_qlen": "2400", "core/rmem_max": "262144",
			"core/wmem_max": "262144", "ipv4/fwmark_reflect": "1", "ipv6/fwmark_reflect": "1",
			"ipv4/tcp_fwmark_accept": "1", "ipv4/conf/all/accept_redirects": "0", "ipv6/conf/all/accept_redirects": "0",
		}),
		linux: "CONFIG_IPV6",
	},
	{
		what: "`/` shared and slave; two mount namespaces, and back through `/proc/self/ns/mnt`", who: "init, for APEXes", without: "init exits",
		run: mountNamespaces,
	},
	{
		what: "`/` remounted, read-only and bound", who: "init.rc", without: "logged",
		run: func(b *boot) error {
			init := b.process()
			if err := init.do(unix.SYS_UNSHARE, unix.CLONE_NEWNS); err != nil {
				return err
			}
			return init.mount("rootfs", "/", "rootfs", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|unix.MS_NODEV)
		},
	},
	{
		what: "epoll on `/proc/mounts`", who: "init, for what is mounted", without: "init exits",
		run: mountHandler,
	},
	{
		what: "loop devices", who: "apexd, from Android 14 on", without: "no APEX is mounted, so there is no ART",
		run: func(b *boot) error {
			fd, err := b.open("/dev/loop-control", unix.O_RDWR)
			if err == nil {
				_, err = unix.IoctlRetInt(fd, unix.LOOP_CTL_GET_FREE)
			}
			return err
		},
		linux: "CONFIG_BLK_DEV_LOOP",
		why:   "there are no block devices",
	},
	{
		what: "binderfs with `stats=global`, its devices linked", who: "init", without: "no Binder",
		run: binderfs,
	},
	{
		what: "tracefs, debugfs, pstore, configfs, bpf, fusectl", who: "init.rc, for diagnostics", without: "logged",
		run: func(b *boot) error {
			var errs []error
			for _, fsType := range []string{"tracefs", "debugfs", "pstore", "configfs", "bpf", "fusectl"} {
				errs = append(errs, in(fsType, b.mount(fsType, b.mkdir("mnt", fsType), fsType, 0, "")))
			}
			return errors.Join(errs...)
		},
		linux: "all of them configured",
		why:   "there is nothing to trace or to configure with them",
	},
	{
		what: "signalfd, eventfd, timerfd and epoll", who: "init, libutils", without: "init exits",
		run: mainLoop,
	},
	{
		what: "the session keyring", who: "init", without: "logged",
		run: func(*boot) error {
			_, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, true)
			return err
		},
		linux: "CONFIG_KEYS",
	},
	{
		what: "perf_event_open", who: "init, as a test; simpleperf", without: "logged",
		run: func(b *boot) error {
			attr := &unix.PerfEventAttr{Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_TASK_CLOCK, Size: uint32(unix.PERF_ATTR_SIZE_VER0)}
			_, err := b.closing(unix.PerfEventOpen(attr, 0, -1, -1, unix.PERF_FLAG_FD_CLOEXEC))
			return err
		},
		linux: "CONFIG_PERF_EVENTS",
		why:   "the host's counters are not the sandbox's",
	},
}}

// properties creates a property area like bionic, and reads it in another process.
func properties(b *boot) error {
	const (
		dir   = "/dev/__properties__"
		size  = 128 << 10
		label = "u:object_r:default_prop:s0\x00"
	)
	if err := os.Mkdir(dir, 0o711); err != nil && !os.IsExist(err) {
		return err
	}
	path := dir + "/u:object_r:default_prop:s0"
	fd, err := b.closing(unix.Open(path, unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_EXCL, 0o444))
	if err != nil {
		return err
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	if err := unix.Ftruncate(fd, size); err != nil {
		return err
	}
	if err := unix.Fsetxattr(fd, "security.selinux", []byte(label), 0); err != nil {
		return in("fsetxattr", err)
	}
	value := make([]byte, 64)
	if n, err := unix.Getxattr(path, "security.selinux", value); err != nil || string(value[:n]) != label {
		return in("getxattr", or(err, fmt.Errorf("got %q", value[:max(n, 0)])))
	}
	area, err := unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	defer unix.Munmap(area)

	app := b.process()
	if err := app.do(unix.SYS_SETRESUID, 10001, 10001, 10001); err != nil {
		return err
	}
	there, err := app.opened(path, unix.O_RDONLY|unix.O_NOFOLLOW)
	if err != nil {
		return err
	}
	mapped, err := app.call(unix.SYS_MMAP, 0, size, unix.PROT_READ, unix.MAP_SHARED, there, 0)
	if err != nil {
		return err
	}
	copy(area[4096:], "value")
	seen, err := app.ReadMemory(b, mapped+4096, len("value"))
	if err != nil || string(seen) != "value" {
		return or(err, errors.New("is not shared"))
	}
	if _, err := app.opened(path, unix.O_RDWR); err != unix.EACCES {
		return errors.New("an app can write")
	}
	return nil
}

// propertyService creates init's socket, and asks who calls.
func propertyService(b *boot) error {
	const dir, path = "/dev/socket", "/dev/socket/property_service"
	if err := os.Mkdir(dir, 0o755); err != nil && !os.IsExist(err) {
		return err
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	listener, err := b.closing(unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0))
	if err != nil {
		return err
	}
	for _, f := range []func() error{
		func() error { return unix.Bind(listener, &unix.SockaddrUnix{Name: path}) },
		func() error { return unix.Lchown(path, 0, 0) },
		func() error { return unix.Fchmodat(unix.AT_FDCWD, path, 0o666, 0) },
		func() error { return unix.Listen(listener, 8) },
	} {
		if err := f(); err != nil {
			return err
		}
	}

	app := b.process()
	if err := app.do(unix.SYS_SETRESGID, 10002, 10002, 10002); err != nil {
		return err
	}
	if err := app.do(unix.SYS_SETRESUID, 10001, 10001, 10001); err != nil {
		return err
	}
	s, err := app.call(unix.SYS_SOCKET, unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	address := app.text("\x01\x00" + path)
	if err := app.do(unix.SYS_CONNECT, s, address, uintptr(2+len(path)+1)); err != nil {
		return err
	}
	if err := await(listener, unix.POLLIN); err != nil {
		return err
	}
	conn, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(conn)
	who, err := unix.GetsockoptUcred(conn, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return err
	}
	if want := (unix.Ucred{Pid: int32(app.PID()), Uid: 10001, Gid: 10002}); *who != want {
		return fmt.Errorf("is %v, not %v", *who, want)
	}
	return nil
}

// highest sets an option to the highest value that is kept, like init.
func highest(path string, least, most int) error {
	var got string
	var err error
	for value := most; value >= least; value-- {
		if err = write(path, strconv.Itoa(value)+"\n"); errors.Is(err, unix.ENOENT) {
			return err
		}
		if got, err = read(path); err == nil && got == strconv.Itoa(value) {
			return nil
		}
	}
	return or(err, fmt.Errorf("stays %q", got))
}

// sysctls returns a function that writes values and reads them back.
func sysctls(dir string, values map[string]string) func(*boot) error {
	return func(*boot) error {
		wrong := make(map[string][]string)
		for _, name := range slices.Sorted(maps.Keys(values)) {
			err := write(dir+name, values[name]+"\n")
			if err == nil {
				var got string
				if got, err = read(dir + name); err == nil && got != values[name] {
					err = errors.New("are not kept")
				}
			}
			if err != nil {
				wrong[describe(err)] = append(wrong[describe(err)], name)
			}
		}
		var errs []error
		for _, why := range slices.Sorted(maps.Keys(wrong)) {
			errs = append(errs, fmt.Errorf("%s: %s", why, strings.Join(wrong[why], " ")))
		}
		return errors.Join(errs...)
	}
}

// mountNamespaces does what init does for its two sets of APEXes, and looks at them from
// both sides.
func mountNamespaces(b *boot) error {
	init := b.process()
	apex, etc, bound := b.mkdir("apex"), b.mkdir("bootstrap-apex"), b.mkdir("bound")
	if err := os.WriteFile(b.path("bootstrap-apex", "file"), nil, 0o644); err != nil {
		return err
	}
	defer unix.Unmount(apex, unix.MNT_DETACH)
	for _, f := range []func() error{
		func() error { return init.do(unix.SYS_UNSHARE, unix.CLONE_NEWNS) },
		func() error { return in("shared", init.mount("", "/", "", unix.MS_SHARED|unix.MS_REC)) },
		func() error {
			return in("tmpfs", init.mount("tmpfs", apex, "tmpfs", unix.MS_NOEXEC|unix.MS_NOSUID|unix.MS_NODEV))
		},
		func() error { return in("private", init.mount("", apex, "", unix.MS_PRIVATE)) },
		func() error { return in("bind", init.mount(etc, bound, "", unix.MS_BIND)) },
	} {
		if err := f(); err != nil {
			return err
		}
	}
	bootstrap, err := init.opened("/proc/self/ns/mnt", unix.O_RDONLY)
	if err != nil {
		return err
	}
	if err := init.do(unix.SYS_UNSHARE, unix.CLONE_NEWNS); err != nil {
		return err
	}
	// A private mount stays private, and a shared one is propagated.
	if err := init.mount(etc, apex, "", unix.MS_BIND); err != nil {
		return err
	}
	data := b.mkdir("data")
	if err := init.mount("tmpfs", data, "tmpfs", 0); err != nil {
		return err
	}
	if err := init.do(unix.SYS_MKNODAT, ^uintptr(99), init.text(data+"/file"), unix.S_IFREG|0o600, 0); err != nil {
		return err
	}
	if err := init.do(unix.SYS_SETNS, bootstrap, unix.CLONE_NEWNS); err != nil {
		return in("setns", err)
	}
	for _, c := range []struct {
		path, what string
		want       bool
	}{
		{apex + "/file", "a private mount", false},
		{bound + "/file", "a bind mount", true},
		{data + "/file", "a shared mount", true},
	} {
		if seen, err := init.exists(c.path); err != nil || seen != c.want {
			return or(err, fmt.Errorf("%s is seen: %t", c.what, seen))
		}
	}
	return in("slave", init.mount("", "/", "", unix.MS_SLAVE|unix.MS_REC))
}

// mountHandler waits for a mount.
func mountHandler(b *boot) error {
	mounts, err := b.open("/proc/mounts", unix.O_RDONLY)
	if err != nil {
		return err
	}
	epoll, err := b.closing(unix.EpollCreate1(unix.EPOLL_CLOEXEC))
	if err != nil {
		return err
	}
	if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, mounts, &unix.EpollEvent{Events: unix.EPOLLERR | unix.EPOLLPRI}); err != nil {
		return err
	}
	if ready, err := readyWithin(epoll, unix.POLLIN, 0); err != nil || ready {
		return or(err, errors.New("is ready before"))
	}
	if err := b.mount("tmpfs", b.mkdir("mnt/handler"), "tmpfs", 0, ""); err != nil {
		return err
	}
	return await(epoll, unix.POLLIN)
}

// binderfs mounts it like init.rc and redroid's binder_alloc.
func binderfs(b *boot) error {
	dir := b.mkdir("dev/binderfs")
	if err := unix.Mount("binder", dir, "binder", 0, "stats=global"); err != nil {
		return err
	}
	for _, name := range []string{"binder", "hwbinder", "vndbinder"} {
		device := dir + "/" + name
		if err := os.Chmod(device, 0o666); err != nil {
			return err
		}
		link := b.path("dev", name)
		if err := os.Symlink(device, link); err != nil {
			return err
		}
		if _, err := b.open(link, unix.O_RDWR); err != nil {
			return err
		}
	}
	// The link that a program creates in the sandbox's own /dev, which has no file of
	// that name.
	if onLinux() {
		return nil
	}
	if err := os.Symlink(dir+"/binder", "/dev/binder"); err != nil {
		return in("/dev/binder", err)
	}
	return os.Remove("/dev/binder")
}

// mainLoop waits for each kind of event that init waits for.
func mainLoop(b *boot) error {
	epoll, err := b.closing(unix.EpollCreate1(unix.EPOLL_CLOEXEC))
	if err != nil {
		return err
	}
	event, err := b.closing(unix.Eventfd(0, unix.EFD_CLOEXEC))
	if err != nil {
		return in("eventfd", err)
	}
	timer, err := b.closing(unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK))
	if err != nil {
		return in("timerfd", err)
	}
	// A signal for this thread only, which has it blocked.
	return inThread(func() error {
		set := unix.Sigset_t{Val: [16]uint64{1 << (unix.SIGUSR2 - 1)}}
		if err := unix.PthreadSigmask(unix.SIG_BLOCK, &set, nil); err != nil {
			return err
		}
		signal, err := unix.Signalfd(-1, &set, unix.SFD_CLOEXEC)
		if err != nil {
			return in("signalfd", err)
		}
		defer unix.Close(signal)
		for _, f := range []struct {
			name string
			fd   int
			make func() error
		}{
			{"eventfd", event, func() error { _, err := unix.Write(event, []byte{1, 0, 0, 0, 0, 0, 0, 0}); return err }},
			{"timerfd", timer, func() error {
				return unix.TimerfdSettime(timer, 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(int64(time.Millisecond))}, nil)
			}},
			{"signalfd", signal, func() error { return unix.Tgkill(unix.Getpid(), unix.Gettid(), unix.SIGUSR2) }},
		} {
			if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, f.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(f.fd)}); err != nil {
				return in(f.name, err)
			}
			if err := f.make(); err != nil {
				return in(f.name, err)
			}
			if err := await(epoll, unix.POLLIN); err != nil {
				return in(f.name, err)
			}
			events := make([]unix.EpollEvent, 4)
			n, err := unix.EpollWait(epoll, events, 0)
			if err != nil || n != 1 || events[0].Fd != int32(f.fd) {
				return in(f.name, or(err, errors.New("another is ready")))
			}
			if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_DEL, f.fd, nil); err != nil {
				return in(f.name, err)
			}
		}
		return nil
	})
}
