// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package android

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"sentrybinder/test/syscalls/remote"
)

// zygote is what zygote does to become an app, and what ART and bionic do in one.
var zygote = stage{"zygote, ART, bionic", []step{
	{
		what: "capabilities dropped: PR_CAPBSET_DROP, capset; groups; user", who: "zygote", without: "no app starts",
		run: specialize,
	},
	{
		what: "a mount namespace for each app: slave, bind, vold's later mounts", who: "zygote", without: "no app starts",
		run: appNamespace,
	},
	{
		what: "a seccomp filter with SECCOMP_RET_TRAP", who: "zygote", without: "no app starts",
		run: seccomp,
	},
	{
		what: "file names in `/proc/self/fd`", who: "zygote, before it forks", without: "zygote exits",
		run: fileNames,
	},
	{
		what: "MAP_32BIT", who: "ART", without: "ART searches for room itself",
		run: func(*boot) error {
			addr, err := call(unix.SYS_MMAP, lowHint, 4096, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|lowFlag, ^uintptr(0), 0)
			if err != nil {
				return err
			}
			defer call(unix.SYS_MUNMAP, addr, 4096)
			if addr>>32 != 0 {
				return fmt.Errorf("is at %#x", addr)
			}
			return nil
		},
		linux: "an architecture other than User Mode Linux",
	},
	{
		what: "a memfd that is mapped twice, writable and executable", who: "ART's compiler", without: "no compiler",
		run: dualMapping,
	},
	{
		what: "membarrier", who: "ART's compiler", without: "it sends signals instead",
		run: func(*boot) error {
			const query, register, expedited = 0, 1 << 4, 1 << 3
			if commands, err := call(unix.SYS_MEMBARRIER, query, 0); err != nil || commands&(register|expedited) != register|expedited {
				return or(err, fmt.Errorf("has commands %#x", commands))
			}
			if _, err := call(unix.SYS_MEMBARRIER, register, 0); err != nil {
				return err
			}
			_, err := call(unix.SYS_MEMBARRIER, expedited, 0)
			return err
		},
	},
	{
		what: "a SIGSEGV handler that gets the address", who: "ART, for null pointers", without: "a NullPointerException kills an app",
		run: segmentationFault,
	},
	{
		what: "userfaultfd", who: "ART's newer collector", without: "it uses its older one",
		run:   userfaultfd,
		linux: "CONFIG_USERFAULTFD",
		why:   "gVisor lacks it",
	},
	{
		what: "MREMAP_DONTUNMAP", who: "ART's newer collector", without: "it uses its older one",
		run: func(*boot) error {
			const flags = unix.MREMAP_MAYMOVE | unix.MREMAP_DONTUNMAP
			m, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
			if err != nil {
				return err
			}
			defer unix.Munmap(m)
			m[0] = 7
			addr, err := call(unix.SYS_MREMAP, uintptr(unsafe.Pointer(&m[0])), 4096, 4096, flags, 0)
			if err != nil {
				return err
			}
			moved := memory(addr, 4096)
			defer call(unix.SYS_MUNMAP, addr, 4096)
			if moved[0] != 7 || m[0] != 0 {
				return errors.New("does not move")
			}
			return nil
		},
	},
	{
		what: "madvise with MADV_FREE, MADV_COLD, MADV_PAGEOUT", who: "ART, bionic", without: "memory is freed later",
		run: func(*boot) error {
			m, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
			if err != nil {
				return err
			}
			defer unix.Munmap(m)
			return errors.Join(
				in("MADV_FREE", unix.Madvise(m, unix.MADV_FREE)),
				in("MADV_COLD", unix.Madvise(m, unix.MADV_COLD)),
				in("MADV_PAGEOUT", unix.Madvise(m, unix.MADV_PAGEOUT)),
			)
		},
		why: "gVisor only implements MADV_DONTNEED",
	},
	{
		what: "memory names, PR_SET_VMA_ANON_NAME", who: "bionic, ART", without: "`maps` has fewer names",
		run:   nameMemory,
		linux: "CONFIG_ANON_VMA_NAME",
	},
	{
		what: "thread names", who: "bionic", without: "traces have fewer names",
		run: func(b *boot) error {
			p := b.process()
			other := p.NewThread(b)
			path := func(th *remote.Thread) string { return fmt.Sprintf("/proc/%d/task/%d/comm", p.PID(), th.TID()) }
			if err := p.do(unix.SYS_PRCTL, unix.PR_SET_NAME, p.text("RenderThread")); err != nil {
				return err
			}
			if err := readable(path(p.Thread), "RenderThread"); err != nil {
				return err
			}
			// Another thread's in the process.
			comm, err := p.opened(path(other), unix.O_WRONLY)
			if err != nil {
				return in("comm", err)
			}
			if err := p.do(unix.SYS_WRITE, comm, p.text("Binder:1_1"), uintptr(len("Binder:1_1"))); err != nil {
				return in("comm", err)
			}
			return in("comm", readable(path(other), "Binder:1_1"))
		},
	},
	{
		what: "`/sys/devices/system/cpu/{online,possible}`", who: "bionic", without: "it assumes one CPU",
		run: func(*boot) error {
			return first(
				func() error { return in("online", readable("/sys/devices/system/cpu/online", "0")) },
				func() error { return in("possible", readable("/sys/devices/system/cpu/possible", "0")) },
			)
		},
	},
	{
		what: "futexes with priority inheritance", who: "bionic, for audio", without: "such a mutex fails",
		run: func(b *boot) error {
			const lock, unlock = 6, 7 // FUTEX_LOCK_PI, FUTEX_UNLOCK_PI
			p := b.process()
			word := p.words(0)
			if err := p.do(unix.SYS_FUTEX, word, lock, 0, 0); err != nil {
				return err
			}
			if owner := *remote.Struct[uint32](word); owner != uint32(p.TID()) {
				return fmt.Errorf("is owned by %d", owner)
			}
			return p.do(unix.SYS_FUTEX, word, unlock, 0, 0)
		},
		linux: "CONFIG_FUTEX_PI",
	},
}}

// memory returns memory allocated by the kernel.
func memory(addr uintptr, size int) []byte {
	return unsafe.Slice(*(**byte)(unsafe.Pointer(&addr)), size)
}

// specialize makes a process an app.
func specialize(b *boot) error {
	const last = unix.CAP_CHECKPOINT_RESTORE
	p := b.process()
	for c := uintptr(0); c <= last; c++ {
		// EINVAL ends the list, as in bionic.
		if err := p.do(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil && err != unix.EINVAL {
			return in("PR_CAPBSET_DROP", err)
		}
	}
	for _, f := range []func() error{
		func() error { return in("PR_SET_KEEPCAPS", p.do(unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 1, 0, 0, 0)) },
		func() error { return in("setgroups", p.do(unix.SYS_SETGROUPS, 3, p.words(3003, 9997, 20001))) },
		func() error { return in("setresgid", p.do(unix.SYS_SETRESGID, 10001, 10001, 10001)) },
		func() error { return in("setresuid", p.do(unix.SYS_SETRESUID, 10001, 10001, 10001)) },
		func() error { return in("capset", p.setCapabilities(0, 0)) },
		func() error {
			return in("PR_SET_NO_NEW_PRIVS", p.do(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		},
	} {
		if err := f(); err != nil {
			return err
		}
	}
	none := strings.Repeat("0", 16)
	if err := p.has("Uid", "10001\t10001\t10001\t10001", "Groups", "3003 9997 20001", "CapBnd", none, "CapPrm", none, "CapEff", none); err != nil {
		return err
	}
	if err := p.do(unix.SYS_SETRESUID, 0, 0, 0); err != unix.EPERM {
		return or(err, errors.New("an app can be root again"))
	}
	return nil
}

// appNamespace creates one, and mounts storage from outside.
func appNamespace(b *boot) error {
	vold, app := b.process(), b.process()
	storage, user, data := b.mkdir("storage"), b.mkdir("mnt/user/0"), b.mkdir("data/data")
	touch := func(p process, path string) error {
		return p.do(unix.SYS_MKNODAT, ^uintptr(99), p.text(path), unix.S_IFREG|0o600, 0)
	}
	if err := vold.do(unix.SYS_UNSHARE, unix.CLONE_NEWNS); err != nil {
		return err
	}
	if err := vold.mount("", "/", "", unix.MS_SHARED|unix.MS_REC); err != nil {
		return in("shared", err)
	}
	ns, err := b.open(fmt.Sprintf("/proc/%d/ns/mnt", vold.PID()), unix.O_RDONLY)
	if err != nil {
		return err
	}
	theirs := uintptr(app.SendFD(b, ns))
	for _, f := range []func() error{
		func() error { return in("setns", app.do(unix.SYS_SETNS, theirs, unix.CLONE_NEWNS)) },
		func() error { return in("unshare", app.do(unix.SYS_UNSHARE, unix.CLONE_NEWNS)) },
		func() error { return in("slave", app.mount("", "/", "", unix.MS_SLAVE|unix.MS_REC)) },
		func() error { return in("bind", app.mount(user, storage, "", unix.MS_BIND|unix.MS_REC)) },
		// This hides other apps' data.
		func() error { return in("tmpfs", app.mount("tmpfs", data, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV)) },
		func() error { return touch(app, filepath.Join(data, "own")) },
		// The user's storage is mounted when it is unlocked.
		func() error { return vold.mount("tmpfs", user, "tmpfs", 0) },
		func() error { return touch(vold, filepath.Join(user, "photo")) },
	} {
		if err := f(); err != nil {
			return err
		}
	}
	for _, c := range []struct {
		p    process
		path string
		want bool
	}{
		{app, filepath.Join(user, "photo"), true},
		{app, filepath.Join(storage, "photo"), true},
		{vold, filepath.Join(data, "own"), false},
	} {
		if seen, err := c.p.exists(c.path); err != nil || seen != c.want {
			return or(err, fmt.Errorf("%s is seen: %t", strings.TrimPrefix(c.path, b.root), seen))
		}
	}
	return nil
}

// seccomp gives a process a filter that traps one call and allows others.
func seccomp(b *boot) error {
	const (
		trap   = unix.SECCOMP_RET_TRAP
		forbid = unix.SYS_SWAPON

		resetHandler = 0x80000000 // SA_RESETHAND
	)
	p := b.process()
	p.Handle(b, unix.SIGSYS, 0)
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the number
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: forbid, Jt: 0, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: trap},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	at := remote.Alloc(b, 256)
	for i, f := range filter {
		*remote.Struct[unix.SockFilter](at + 64 + uintptr(i)*unsafe.Sizeof(f)) = f
	}
	*remote.Struct[unix.SockFprog](at) = unix.SockFprog{Len: uint16(len(filter)), Filter: remote.Struct[unix.SockFilter](at + 64)}
	if err := p.do(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if err := p.do(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, at); err != nil {
		return err
	}
	// The call is not made, and the handler returns.
	if _, err := p.call(forbid, 0, 0); err == unix.EFAULT || err == remote.ErrGone {
		return or(err, errors.New("is not trapped"))
	}
	if pid, err := p.call(unix.SYS_GETPID); err != nil || int(pid) != p.PID() {
		return or(err, errors.New("others are trapped, too"))
	}
	// Without a handler, it ends the process.
	p.Handle(b, unix.SIGSYS, resetHandler)
	p.call(forbid, 0, 0)
	if _, err := p.call(forbid, 0, 0); err != remote.ErrGone {
		return or(err, errors.New("does not kill a process without a handler"))
	}
	if status := p.Reap(b); status.Signal() != unix.SIGSYS {
		return fmt.Errorf("ends with %v", status)
	}
	return nil
}

// fileNames checks zygote's open files, which must be of kinds that it knows.
func fileNames(b *boot) error {
	for _, f := range []struct {
		want string
		open func() (int, error)
	}{
		{"/dev/null", func() (int, error) { return unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0) }},
		{"/dev/urandom", func() (int, error) { return unix.Open("/dev/urandom", unix.O_RDONLY|unix.O_CLOEXEC, 0) }},
		{"socket:[", func() (int, error) { return unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0) }},
		{"/memfd:boot-image-methods.art", func() (int, error) {
			return unix.MemfdCreate("boot-image-methods.art", unix.MFD_CLOEXEC)
		}},
	} {
		fd, err := b.closing(f.open())
		if err != nil {
			return in(f.want, err)
		}
		if got, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd)); err != nil || !strings.HasPrefix(got, f.want) {
			return or(err, fmt.Errorf("%s is %s", f.want, got))
		}
	}
	return nil
}

// dualMapping writes a function through one mapping and calls it through the other,
// twice.
func dualMapping(b *boot) error {
	fd, err := b.closing(unix.MemfdCreate("jit-cache", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING))
	if err != nil {
		return err
	}
	if err := unix.Ftruncate(fd, 4096); err != nil {
		return err
	}
	if err := addSeals(fd, unix.F_SEAL_GROW|unix.F_SEAL_SHRINK); err != nil {
		return err
	}
	data, err := unix.Mmap(fd, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	defer unix.Munmap(data)
	code, err := unix.Mmap(fd, 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_SHARED)
	if err != nil {
		return in("PROT_EXEC", err)
	}
	defer unix.Munmap(code)
	entry := &code[0]
	function := *(*func() int)(unsafe.Pointer(pointerTo(&entry)))
	for _, want := range []byte{42, 43} {
		copy(data, []byte{0xb8, want, 0, 0, 0, 0xc3}) // mov eax, want; ret
		if got := function(); got != int(want) {
			return fmt.Errorf("returns %d", got)
		}
	}
	return nil
}

// pointerTo returns a pointer to a copy of p.
func pointerTo(p **byte) *(**byte) { return &p }

// segmentationFault reads unreadable memory.
func segmentationFault(*boot) (err error) {
	m, err := unix.Mmap(-1, 0, 4096, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return err
	}
	defer unix.Munmap(m)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		fault, ok := recover().(interface{ Addr() uintptr })
		if want := uintptr(unsafe.Pointer(&m[0])); !ok || fault.Addr() != want {
			err = errors.New("does not get the address")
		}
	}()
	return fmt.Errorf("reads %d", m[0])
}

// userfaultfd creates one, and has it report a fault.
func userfaultfd(b *boot) error {
	const (
		userMode = 1          // UFFD_USER_MODE_ONLY
		api      = 0xc018aa3f // UFFDIO_API
		version  = 0xaa
	)
	fd, err := call(unix.SYS_USERFAULTFD, unix.O_CLOEXEC|userMode)
	if err != nil {
		return err
	}
	b.closing(int(fd), nil)
	request := [3]uint64{version, 0, 0}
	_, err = call(unix.SYS_IOCTL, fd, api, pointer(&request))
	return err
}

func nameMemory(b *boot) error {
	p := b.process()
	addr, err := p.call(unix.SYS_MMAP, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, ^uintptr(0), 0)
	if err != nil {
		return err
	}
	if err := p.do(unix.SYS_PRCTL, unix.PR_SET_VMA, unix.PR_SET_VMA_ANON_NAME, addr, 4096, p.text("dalvik-main space")); err != nil {
		return err
	}
	maps, err := read(fmt.Sprintf("/proc/%d/maps", p.PID()))
	if err == nil && !strings.Contains(maps, "[anon:dalvik-main space]") {
		err = errors.New("is not in maps")
	}
	return err
}
