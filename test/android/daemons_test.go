// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package android

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"sentrybinder/test/syscalls/remote"
)

// daemons are the native services.
var daemons = stage{"servicemanager, logd, lmkd, debuggerd, vold, netd", []step{
	{
		what: "`/proc/self/attr/current`", who: "servicemanager; not redroid's", without: "servicemanager exits",
		run: func(*boot) error {
			_, err := read("/proc/thread-self/attr/current")
			return err
		},
		linux: "SELinux",
	},
	{
		what: "selinuxfs's `status`, mapped", who: "servicemanager; not redroid's", without: "servicemanager exits",
		run: func(b *boot) error {
			fd, err := b.open("/sys/fs/selinux/status", unix.O_RDONLY)
			if err != nil {
				return err
			}
			status, err := unix.Mmap(fd, 0, os.Getpagesize(), unix.PROT_READ, unix.MAP_SHARED)
			if err != nil {
				return err
			}
			defer unix.Munmap(status)
			if binary.NativeEndian.Uint32(status) != 1 {
				return errors.New("is of another version")
			}
			return nil
		},
		linux: "SELinux",
	},
	{
		what: "datagrams to `/dev/socket/logdw`, with their sender", who: "liblog, logd", without: "no logcat",
		run: logdw,
	},
	{
		what: "`/proc/kmsg`: init's log", who: "logd", without: "logcat lacks the kernel log",
		run: procKmsg,
	},
	{
		what: "syslog(2): size, unread, everything", who: "logd, dmesg", without: "logged",
		run: syslog,
	},
	{
		what: "the audit socket, with a listening process", who: "logd", without: "logged",
		run:   audit,
		linux: "CONFIG_AUDIT",
	},
	{
		what: "a trigger in `/proc/pressure/memory`", who: "lmkd", without: "lmkd exits; after four times, so does init (not redroid's of 12 to 14)",
		run: pressure, linux: "CONFIG_PSI",
	},
	{
		what: "`/proc/meminfo`, `/proc/vmstat`", who: "lmkd", without: "lmkd kills nothing",
		run: func(*boot) error {
			return first(
				func() error {
					return in("meminfo", readable("/proc/meminfo", "MemTotal:", "MemFree:", "MemAvailable:", "Buffers:", "Cached:", "SwapTotal:", "SwapFree:"))
				},
				func() error { return in("vmstat", readable("/proc/vmstat", "nr_free_pages ", "pgscan_direct ")) },
			)
		},
	},
	{
		what: "`/proc/zoneinfo`", who: "lmkd", without: "lmkd uses only pressure",
		run: func(*boot) error { return readable("/proc/zoneinfo", "Node 0, zone") },
	},
	{
		what: "mlockall with MCL_ONFAULT; SCHED_FIFO for itself", who: "lmkd", without: "logged",
		run: func(b *boot) error {
			p := b.process()
			if err := p.do(unix.SYS_MLOCKALL, unix.MCL_CURRENT|unix.MCL_FUTURE|unix.MCL_ONFAULT); err != nil {
				return in("mlockall", err)
			}
			return in("SCHED_FIFO", p.setFIFO(1))
		},
	},
	{
		what: "process_mrelease of a killed process", who: "lmkd", without: "memory is freed a little later",
		run: release,
	},
	{
		what: "PTRACE_SEIZE, PTRACE_GETREGSET, process_vm_readv", who: "debuggerd", without: "no tombstones",
		run: debuggerd,
	},
	{
		what: "extended attributes `user.*`", who: "installd", without: "apps are not installed",
		run: func(b *boot) error {
			path := b.mkdir("data/data/app")
			value := make([]byte, 16)
			if err := unix.Setxattr(path, "user.inode_cache", []byte("12345678"), 0); err != nil {
				return err
			}
			n, err := unix.Getxattr(path, "user.inode_cache", value)
			if err == nil && string(value[:n]) != "12345678" {
				err = errors.New("is another")
			}
			return err
		},
		linux: "CONFIG_TMPFS_XATTR",
	},
	{
		what: "project quotas", who: "vold, installd, where `/data` has them", without: "ignored by redroid",
		run:   projectQuota,
		linux: "ext4 or f2fs",
		why:   "no file system has quotas",
	},
	{
		what: "routing rules, RTM_NEWRULE", who: "netd", without: "netd exits, and zygote with it; redroid's continues",
		run:   routeRule,
		linux: "CONFIG_IP_MULTIPLE_TABLES",
		why:   "gVisor's network has one routing table",
	},
	{
		what: "iptables", who: "netd", without: "logged",
		run:   iptables,
		linux: "CONFIG_IP_NF_IPTABLES_LEGACY",
		why:   "runsc's flag `-net-raw` allows it",
	},
	{
		what: "netlink for netfilter, sock_diag and xfrm", who: "netd", without: "netd exits, and zygote with it; redroid's continues",
		run: func(b *boot) error {
			var errs []error
			for _, n := range []struct {
				name     string
				protocol int
			}{{"netfilter", unix.NETLINK_NETFILTER}, {"sock_diag", unix.NETLINK_SOCK_DIAG}, {"xfrm", unix.NETLINK_XFRM}} {
				_, err := b.closing(unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, n.protocol))
				errs = append(errs, in(n.name, err))
			}
			return errors.Join(errs...)
		},
		linux: "CONFIG_NETFILTER_NETLINK, CONFIG_INET_DIAG and CONFIG_XFRM_USER",
		why:   "gVisor's network has none of them",
	},
	{
		what: "SO_MARK", who: "netd, for each of an app's sockets", without: "sockets use the default network",
		run: func(b *boot) error {
			s, err := b.closing(unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0))
			if err != nil {
				return err
			}
			if err := unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_MARK, 0xc0064); err != nil {
				return err
			}
			mark, err := unix.GetsockoptInt(s, unix.SOL_SOCKET, unix.SO_MARK)
			if err == nil && mark != 0xc0064 {
				err = errors.New("has no effect")
			}
			return err
		},
	},
	{
		what: "bpf", who: "bpfloader, netd", without: "a reboot; redroid's continue",
		run: bpf, linux: "CONFIG_BPF_SYSCALL",
		why: "the sentry runs no bpf programs",
	},
	{
		what: "release 5.4 or later", who: "NetBpfLoad of Android 16", without: "a reboot",
		run: func(*boot) error {
			var uts unix.Utsname
			if err := unix.Uname(&uts); err != nil {
				return err
			}
			release := unix.ByteSliceToString(uts.Release[:])
			var major, minor int
			if _, err := fmt.Sscanf(release, "%d.%d", &major, &minor); err != nil || major < 5 || major == 5 && minor < 4 {
				return errors.New("is " + release)
			}
			return nil
		},
	},
}}

// logdw logs a line like an app, and receives it like logd.
func logdw(b *boot) error {
	path := b.path("dev/socket/logdw")
	s, err := b.closing(unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0))
	if err != nil {
		return err
	}
	if err := unix.Bind(s, &unix.SockaddrUnix{Name: path}); err != nil {
		return err
	}
	if err := os.Chmod(path, 0o222); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err != nil {
		return in("SO_PASSCRED", err)
	}

	app := b.process()
	if err := app.do(unix.SYS_SETRESUID, 10001, 10001, 10001); err != nil {
		return err
	}
	theirs, err := app.call(unix.SYS_SOCKET, unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	if err := app.do(unix.SYS_CONNECT, theirs, app.text("\x01\x00"+path), uintptr(2+len(path)+1)); err != nil {
		return in("connect", err)
	}
	const line = "\x00\x04tag\x00a line\x00"
	if err := app.do(unix.SYS_WRITE, theirs, app.text(line), uintptr(len(line))); err != nil {
		return in("write", err)
	}

	if err := await(s, unix.POLLIN); err != nil {
		return err
	}
	data, control := make([]byte, 128), make([]byte, unix.CmsgSpace(unix.SizeofUcred))
	n, controlLen, _, _, err := unix.Recvmsg(s, data, control, 0)
	if err != nil {
		return err
	}
	messages, err := unix.ParseSocketControlMessage(control[:controlLen])
	if err != nil || len(messages) != 1 {
		return or(err, errors.New("lacks a sender"))
	}
	who, err := unix.ParseUnixCredentials(&messages[0])
	if err != nil {
		return err
	}
	if who.Uid != 10001 || who.Pid != int32(app.PID()) || string(data[:n]) != line {
		return fmt.Errorf("got %q of %v", data[:n], *who)
	}
	return nil
}

// procKmsg looks for what init wrote to /dev/kmsg.
func procKmsg(b *boot) error {
	fd, err := b.open("/proc/kmsg", unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return err
	}
	var log []byte
	record := make([]byte, 8192)
	for {
		n, err := unix.Read(fd, record)
		if err == unix.EAGAIN || n == 0 {
			return errors.New("has none of it")
		}
		if err != nil {
			return err
		}
		if log = append(log, record[:n]...); bytes.Contains(log, []byte("<6>")) && bytes.Contains(log, []byte(kmsgText)) {
			return nil
		}
	}
}

func syslog(*boot) error {
	const (
		readAll    = 3
		sizeUnread = 9
		sizeBuffer = 10
	)
	size, err := unix.Klogctl(sizeBuffer, nil)
	if err != nil || size <= 0 {
		return in("SIZE_BUFFER", or(err, fmt.Errorf("is %d", size)))
	}
	if _, err := unix.Klogctl(sizeUnread, nil); err != nil {
		return in("SIZE_UNREAD", err)
	}
	buf := make([]byte, size)
	n, err := unix.Klogctl(readAll, buf)
	if err != nil {
		return in("READ_ALL", err)
	}
	if !bytes.Contains(buf[:n], []byte(kmsgText)) {
		return in("READ_ALL", errors.New("has none of init's log"))
	}
	return nil
}

// netlinkRequest sends a request and returns the error in its answer.
func netlinkRequest(b *boot, protocol int, kind, flags uint16, body []byte) error {
	s, err := b.closing(unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol))
	if err != nil {
		return err
	}
	order := binary.NativeEndian
	message := order.AppendUint32(nil, uint32(unix.SizeofNlMsghdr+len(body)))
	message = order.AppendUint16(message, kind)
	message = order.AppendUint16(message, unix.NLM_F_REQUEST|unix.NLM_F_ACK|flags)
	message = order.AppendUint32(message, 1) // sequence
	message = order.AppendUint32(message, 0) // port
	message = append(message, body...)
	if err := unix.Sendto(s, message, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	for {
		if err := await(s, unix.POLLIN); err != nil {
			return err
		}
		answer := make([]byte, 8192)
		n, _, err := unix.Recvfrom(s, answer, 0)
		if err != nil {
			return err
		}
		if n >= unix.SizeofNlMsghdr+4 && order.Uint16(answer[4:]) == unix.NLMSG_ERROR {
			if code := int32(order.Uint32(answer[unix.SizeofNlMsghdr:])); code != 0 {
				return unix.Errno(-code)
			}
			return nil
		}
	}
}

// audit makes this process the one that receives the messages.
func audit(b *boot) error {
	const (
		set       = 1001 // AUDIT_SET
		statusPID = 4    // AUDIT_STATUS_PID
	)
	status := make([]byte, 40) // struct audit_status
	binary.NativeEndian.PutUint32(status, statusPID)
	binary.NativeEndian.PutUint32(status[12:], uint32(os.Getpid()))
	return netlinkRequest(b, unix.NETLINK_AUDIT, set, 0, status)
}

// pressure sets a trigger like lmkd.
func pressure(b *boot) error {
	const path = "/proc/pressure/memory"
	if err := readable(path, "some avg10=", "full avg10="); err != nil {
		return err
	}
	fd, err := b.open(path, unix.O_RDWR|unix.O_NONBLOCK)
	if err != nil {
		return err
	}
	if _, err := unix.Write(fd, []byte("some 70000 1000000\x00")); err != nil {
		return in("trigger", err)
	}
	epoll, err := b.closing(unix.EpollCreate1(unix.EPOLL_CLOEXEC))
	if err != nil {
		return err
	}
	if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLPRI}); err != nil {
		return in("epoll", err)
	}
	if _, err := unix.EpollWait(epoll, make([]unix.EpollEvent, 1), 0); err != nil {
		return in("epoll", err)
	}
	if _, err := unix.Write(fd, []byte("some 70000 1000000\x00")); err != unix.EBUSY {
		return in("a second trigger", or(err, errors.New("is accepted")))
	}
	return nil
}

// setFIFO makes the process a real-time one.
func (p process) setFIFO(priority uint32) error {
	if err := p.do(unix.SYS_SCHED_SETSCHEDULER, 0, unix.SCHED_FIFO, p.words(priority)); err != nil {
		return err
	}
	if policy, err := p.call(unix.SYS_SCHED_GETSCHEDULER, 0); err != nil || policy != unix.SCHED_FIFO {
		return or(err, fmt.Errorf("is policy %d", policy))
	}
	return nil
}

// release reaps the memory of a process.
func release(b *boot) error {
	p := b.process()
	fd, err := b.closing(unix.PidfdOpen(p.PID(), 0))
	if err != nil {
		return err
	}
	if _, err := call(unix.SYS_PROCESS_MRELEASE, uintptr(fd), 0); err != unix.EINVAL {
		return or(err, errors.New("succeeds for a living process"))
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil {
		return err
	}
	// It may have exited by now.
	if _, err := call(unix.SYS_PROCESS_MRELEASE, uintptr(fd), 0); err != unix.ESRCH {
		return err
	}
	return nil
}

// debuggerd inspects a process as if it had crashed.
func debuggerd(b *boot) error {
	p := b.process()
	copy(remote.Bytes(p.Scratch(), 8), "tombston")
	return inThread(func() error {
		if err := unix.PtraceSeize(p.PID()); err != nil {
			return in("PTRACE_SEIZE", err)
		}
		if err := unix.PtraceInterrupt(p.PID()); err != nil {
			return in("PTRACE_INTERRUPT", err)
		}
		var status unix.WaitStatus
		if _, err := unix.Wait4(p.PID(), &status, unix.WALL, nil); err != nil || !status.Stopped() {
			return in("wait", or(err, fmt.Errorf("%v", status)))
		}
		var registers unix.PtraceRegs
		vec := unix.Iovec{Base: (*byte)(unsafe.Pointer(&registers)), Len: uint64(unsafe.Sizeof(registers))}
		const general = 1 // NT_PRSTATUS
		if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_GETREGSET, uintptr(p.PID()), general, uintptr(unsafe.Pointer(&vec)), 0, 0); errno != 0 {
			return in("PTRACE_GETREGSET", errno)
		}
		if registers.PC() == 0 {
			return in("PTRACE_GETREGSET", errors.New("has no program counter"))
		}
		data := make([]byte, 8)
		local := unix.Iovec{Base: &data[0], Len: 8}
		n, err := unix.ProcessVMReadv(p.PID(), []unix.Iovec{local}, []unix.RemoteIovec{{Base: p.Scratch(), Len: 8}}, 0)
		if err != nil || string(data[:n]) != "tombston" {
			return in("process_vm_readv", or(err, fmt.Errorf("got %q", data)))
		}
		return in("PTRACE_DETACH", unix.PtraceDetach(p.PID()))
	})
}

// projectQuota gives a directory a project, as for an app's data.
func projectQuota(b *boot) error {
	const (
		get = 0x801c581f // FS_IOC_FSGETXATTR
		set = 0x401c5820 // FS_IOC_FSSETXATTR
	)
	fd, err := b.open(b.mkdir("data/media/0"), unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	var attr [7]uint32 // struct fsxattr
	if _, err := call(unix.SYS_IOCTL, uintptr(fd), get, pointer(&attr)); err != nil {
		return err
	}
	attr[3] = 50001 // fsx_projid
	_, err = call(unix.SYS_IOCTL, uintptr(fd), set, pointer(&attr))
	return err
}

// routeRule adds and removes a rule.
func routeRule(b *boot) error {
	const (
		toTable                        = 1 // FR_ACT_TO_TBL
		priority, fwmark, fwmask, size = 6, 10, 16, 8
	)
	attribute := func(kind uint16, value uint32) []byte {
		a := binary.NativeEndian.AppendUint16(nil, size)
		a = binary.NativeEndian.AppendUint16(a, kind)
		return binary.NativeEndian.AppendUint32(a, value)
	}
	// struct fib_rule_hdr
	body := []byte{unix.AF_INET, 0, 0, 0, unix.RT_TABLE_MAIN, 0, 0, toTable, 0, 0, 0, 0}
	body = append(body, attribute(priority, 16000)...)
	body = append(body, attribute(fwmark, 0x10064)...)
	body = append(body, attribute(fwmask, 0x1ffff)...)
	if err := netlinkRequest(b, unix.NETLINK_ROUTE, unix.RTM_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, body); err != nil {
		return err
	}
	return in("RTM_DELRULE", netlinkRequest(b, unix.NETLINK_ROUTE, unix.RTM_DELRULE, 0, body))
}

// iptables requests a table like iptables-restore.
func iptables(b *boot) error {
	const getInfo = 64 // IPT_SO_GET_INFO
	s, err := b.closing(unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW))
	if err != nil {
		return err
	}
	var info [84]byte // struct ipt_getinfo
	copy(info[:], "filter")
	length := uint32(len(info))
	if _, err := call(unix.SYS_GETSOCKOPT, uintptr(s), unix.SOL_IP, getInfo, pointer(&info), pointer(&length)); err != nil {
		return err
	}
	if entries := binary.NativeEndian.Uint32(info[76:]); entries < 4 {
		return fmt.Errorf("has %d entries", entries)
	}
	return nil
}

// bpf creates an array of one number, and looks it up.
func bpf(b *boot) error {
	attributes := [32]uint32{unix.BPF_MAP_TYPE_ARRAY, 4, 8, 1}
	_, err := call(unix.SYS_BPF, unix.BPF_MAP_CREATE, pointer(&attributes), unsafe.Sizeof(attributes))
	return err
}
