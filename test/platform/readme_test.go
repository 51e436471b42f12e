// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A need is something that Android's user space asks of the kernel: a row of the
// README's table.
type need struct {
	what, who string

	// probe uses it. It returns an errno, or in words what is wrong.
	probe func(t *testing.T) error

	// optional tells that Linux has it only if it is configured so.
	optional bool
}

var needs = []need{
	{what: "the seals F_SEAL_GROW and F_SEAL_SHRINK", who: "libcutils, for ashmem", probe: sealSize},
	{what: "the seal F_SEAL_FUTURE_WRITE", who: "libcutils, for read-only ashmem", probe: sealFutureWrite},
	{what: "`/dev/ashmem` with the boot's id behind", who: "libcutils, without such a memfd", probe: ashmem, optional: true},
	{what: "`/proc/self/attr/current`", who: "servicemanager, which ends without", probe: opens("/proc/self/attr/current", unix.O_RDONLY)},
	{what: "selinuxfs", who: "init, which ends without", probe: mounts("selinuxfs", ""), optional: true},
	{what: "SO_PEERSEC", who: "init, for who sets a property", probe: peer(unix.SO_PEERSEC), optional: true},
	{what: "SO_PEERCRED", who: "init, logd, lmkd", probe: peer(unix.SO_PEERCRED)},
	{what: "mounting proc with `hidepid=2`", who: "init", probe: mounts("proc", "hidepid=2,gid=3009")},
	{what: "`/dev/kmsg`, after mknod", who: "init, for its log", probe: kmsg},
	{what: "files that processes map shared", who: "bionic, for properties", probe: properties},
	{what: "unshare of the mount namespace", who: "init, zygote", probe: inThread(func() error { return unix.Unshare(unix.CLONE_NEWNS) })},
	{what: "a seccomp filter", who: "zygote", probe: inThread(seccomp)},
	{what: "epoll, eventfd, timerfd, signalfd", who: "libutils, init", probe: looper},
	{what: "pidfds, and their readiness", who: "lmkd, init", probe: pidfd},
	{what: "timerfd with CLOCK_BOOTTIME_ALARM", who: "system_server, for alarms", probe: timerfd},
	{what: "SCHED_FIFO", who: "surfaceflinger, audioserver", probe: inThread(fifo)},
	{what: "cgroup2, its freezer included", who: "libprocessgroup", probe: mounts("cgroup2", "")},
	{what: "PR_SET_TIMERSLACK", who: "libprocessgroup", probe: inThread(func() error {
		return unix.Prctl(unix.PR_SET_TIMERSLACK, 50000, 0, 0, 0)
	})},
	{what: "`/proc/self/oom_score_adj`", who: "lmkd", probe: oomScoreAdj},
	{what: "`/proc/pressure/memory`", who: "lmkd", probe: opens("/proc/pressure/memory", unix.O_RDONLY), optional: true},
	{what: "process_mrelease", who: "lmkd", probe: reap},
	{what: "membarrier", who: "ART", probe: membarrier},
	{what: "PR_SET_VMA_ANON_NAME", who: "bionic, ART", probe: nameMemory, optional: true},
	{what: "userfaultfd", who: "ART, for its newer collector", probe: userfaultfd, optional: true},
	{what: "MREMAP_DONTUNMAP", who: "ART, for its newer collector", probe: mremapDontUnmap},
	{what: "the socket for uevents (there are none)", who: "ueventd", probe: netlink(unix.NETLINK_KOBJECT_UEVENT)},
	{what: "the socket for audit", who: "logd", probe: netlink(unix.NETLINK_AUDIT), optional: true},
	{what: "bpf", who: "bpfloader, netd", probe: bpf, optional: true},
}

// The table in the README is between these lines.
const (
	tableBegin = "<!-- beyond binder -->\n"
	tableEnd   = "<!-- end of beyond binder -->\n"
)

// TestReadme: the README's table of what Android needs beside Binder says what is
// here. Linux has all of it, which shows that each probe can succeed.
func TestReadme(t *testing.T) {
	table := "\n| what | who needs it | here |\n| --- | --- | --- |\n"
	for _, n := range needs {
		err := n.probe(t)
		if onLinux() && !n.optional {
			require.NoError(t, err, n.what)
		}
		here := "yes"
		if errno := unix.Errno(0); errors.As(err, &errno) {
			here = "no: " + unix.ErrnoName(errno)
		} else if err != nil {
			here = "no: " + err.Error()
		}
		table += fmt.Sprintf("| %s | %s | %s |\n", n.what, n.who, here)
	}
	if onLinux() {
		return
	}
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	_, rest, ok := strings.Cut(string(readme), tableBegin)
	require.True(t, ok)
	got, _, ok := strings.Cut(rest, tableEnd)
	require.True(t, ok)
	require.Equal(t, table+"\n", got)
}

func opens(path string, flags int) func(*testing.T) error {
	return func(*testing.T) error {
		fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0)
		if err == nil {
			unix.Close(fd)
		}
		return err
	}
}

// mounts mounts a file system, and takes it away again.
func mounts(fsType, options string) func(*testing.T) error {
	return func(t *testing.T) error {
		dir := t.TempDir()
		if err := unix.Mount(fsType, dir, fsType, 0, options); err != nil {
			return err
		}
		return unix.Unmount(dir, unix.MNT_DETACH)
	}
}

// inThread runs f in a thread that ends then, for what can't be undone.
func inThread(f func() error) func(*testing.T) error {
	return func(*testing.T) error {
		done := make(chan error)
		go func() {
			runtime.LockOSThread()
			done <- f()
		}()
		return <-done
	}
}

// memfd returns a file of one page in memory that can be sealed.
func memfd(t *testing.T) int {
	fd, err := unix.MemfdCreate("region", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	require.NoError(t, unix.Ftruncate(fd, 4096))
	return fd
}

// seal seals a file, which must keep use from having success.
func seal(t *testing.T, seals int, use func(fd int) error) error {
	fd := memfd(t)
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		return err
	}
	if err := use(fd); err != unix.EPERM {
		return errors.New("has no effect")
	}
	return nil
}

func sealSize(t *testing.T) error {
	return seal(t, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW, func(fd int) error { return unix.Ftruncate(fd, 8192) })
}

func sealFutureWrite(t *testing.T) error {
	return seal(t, unix.F_SEAL_FUTURE_WRITE, func(fd int) error {
		_, err := unix.Mmap(fd, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		return err
	})
}

func ashmem(t *testing.T) error {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return err
	}
	return opens("/dev/ashmem"+strings.TrimSpace(string(id)), unix.O_RDWR)(t)
}

// peer asks one end of a socket pair about the other.
func peer(option int) func(*testing.T) error {
	return func(t *testing.T) error {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		defer unix.Close(fds[0])
		defer unix.Close(fds[1])
		if option == unix.SO_PEERSEC {
			_, err = unix.GetsockoptString(fds[0], unix.SOL_SOCKET, option)
		} else {
			_, err = unix.GetsockoptUcred(fds[0], unix.SOL_SOCKET, option)
		}
		return err
	}
}

func kmsg(t *testing.T) error {
	path := filepath.Join(t.TempDir(), "kmsg")
	require.NoError(t, unix.Mknod(path, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 11))))
	return opens(path, unix.O_WRONLY)(t)
}

// propertiesEnv names a file for a child of the test that maps it and exits with its
// first byte.
const propertiesEnv = "PLATFORM_PROPERTIES"

// properties writes to a shared mapping, in which another process looks.
func properties(t *testing.T) error {
	path := filepath.Join(t.TempDir(), "properties")
	f, err := os.Create(path)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, f.Truncate(131072))
	m, err := unix.Mmap(int(f.Fd()), 0, 131072, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	defer unix.Munmap(m)
	m[0] = 7
	status, err := runAgain(propertiesEnv + "=" + path)
	require.NoError(t, err)
	if status != 7 {
		return errors.New("is not shared")
	}
	return nil
}

// readProperties is what the child does.
func readProperties(path string) int {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 1
	}
	m, err := unix.Mmap(fd, 0, 131072, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return 1
	}
	return int(m[0])
}

// seccomp installs a filter that allows everything.
func seccomp() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	allow := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}
	program := unix.SockFprog{Len: 1, Filter: &allow}
	return syscallError(unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&program))))
}

// looper watches a file of each of three kinds, of which one is ready.
func looper(t *testing.T) error {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(epoll)
	for _, open := range []func() (int, error){
		func() (int, error) { return unix.Eventfd(1, unix.EFD_CLOEXEC) },
		func() (int, error) { return unix.TimerfdCreate(unix.CLOCK_BOOTTIME, unix.TFD_CLOEXEC) },
		func() (int, error) { return unix.Signalfd(-1, &unix.Sigset_t{}, unix.SFD_CLOEXEC) },
	} {
		fd, err := open()
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN}); err != nil {
			return err
		}
	}
	if n, err := unix.EpollWait(epoll, make([]unix.EpollEvent, 3), 0); err != nil || n != 1 {
		return errors.Join(err, errors.New("is not ready"))
	}
	return nil
}

// pidfd waits for the end of a child.
func pidfd(t *testing.T) error {
	child, err := startAgain(propertiesEnv + "=/")
	require.NoError(t, err)
	defer child.Wait()
	fd, err := unix.PidfdOpen(child.Process.Pid, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
		if err == nil {
			break
		}
		if err != unix.EINTR {
			return err
		}
	}
	return unix.Waitid(unix.P_PIDFD, fd, nil, unix.WEXITED|unix.WNOWAIT, nil)
}

func timerfd(*testing.T) error {
	fd, err := unix.TimerfdCreate(unix.CLOCK_BOOTTIME_ALARM, unix.TFD_CLOEXEC)
	if err == nil {
		unix.Close(fd)
	}
	return err
}

func fifo() error {
	priority := int32(1)
	if _, _, errno := unix.Syscall(unix.SYS_SCHED_SETSCHEDULER, 0, unix.SCHED_FIFO, uintptr(unsafe.Pointer(&priority))); errno != 0 {
		return errno
	}
	if policy, _, _ := unix.Syscall(unix.SYS_SCHED_GETSCHEDULER, 0, 0, 0); policy != unix.SCHED_FIFO {
		return errors.New("is not reported")
	}
	return nil
}

func oomScoreAdj(*testing.T) error {
	const path = "/proc/self/oom_score_adj"
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	defer os.WriteFile(path, old, 0)
	return os.WriteFile(path, []byte(strconv.Itoa(200)), 0)
}

// reap looks for the system call: of a descriptor that is none, it says so.
func reap(*testing.T) error {
	if _, _, errno := unix.Syscall(unix.SYS_PROCESS_MRELEASE, ^uintptr(0), 0, 0); errno != unix.EBADF {
		return syscallError(0, 0, errno)
	}
	return nil
}

func membarrier(*testing.T) error {
	const register, expedited = 16, 8
	for _, command := range []uintptr{register, expedited} {
		if _, _, errno := unix.Syscall(unix.SYS_MEMBARRIER, command, 0, 0); errno != 0 {
			return errno
		}
	}
	return nil
}

// page returns a page of private memory.
func page(t *testing.T) unsafe.Pointer {
	p, err := unix.MmapPtr(-1, 0, nil, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	require.NoError(t, err)
	t.Cleanup(func() { unix.MunmapPtr(p, 4096) })
	return p
}

func nameMemory(t *testing.T) error {
	name := []byte("name\x00")
	return unix.Prctl(unix.PR_SET_VMA, unix.PR_SET_VMA_ANON_NAME, uintptr(page(t)), 4096, uintptr(unsafe.Pointer(&name[0])))
}

func userfaultfd(*testing.T) error {
	fd, _, errno := unix.Syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC, 0, 0)
	if errno == 0 {
		unix.Close(int(fd))
	}
	return syscallError(0, 0, errno)
}

func mremapDontUnmap(t *testing.T) error {
	p, err := mremap(uintptr(page(t)), 4096, 4096, unix.MREMAP_MAYMOVE|unix.MREMAP_DONTUNMAP, 0)
	if err == nil {
		unix.Syscall(unix.SYS_MUNMAP, p, 4096, 0)
	}
	return err
}

func netlink(protocol int) func(*testing.T) error {
	return func(*testing.T) error {
		fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
		if err == nil {
			unix.Close(fd)
		}
		return err
	}
}

// bpf creates an array of one number.
func bpf(*testing.T) error {
	attributes := [32]uint32{unix.BPF_MAP_TYPE_ARRAY, 4, 4, 1}
	fd, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_MAP_CREATE, uintptr(unsafe.Pointer(&attributes)), unsafe.Sizeof(attributes))
	if errno == 0 {
		unix.Close(int(fd))
	}
	return syscallError(0, 0, errno)
}
