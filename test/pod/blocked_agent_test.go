// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package pod

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
)

// blockedOutcomes are the results of a blocked process's system calls, by thread. Only
// epoll_wait(2) is interrupted, as on Linux by a stop: see signal(7).
const blockedOutcomes = `epoll_wait: 18446744073709551615 interrupted system call
futex: 0 <nil>
nanosleep: 0 <nil>
poll: 1 <nil>
ppoll: 1 <nil>
read: 1 <nil>
recvfrom: 1 <nil>
`

// serveBlocked has a thread in each of several system calls. It answers the first call at
// once, and later ones with the results once it has let them all go.
func serveBlocked(device string) {
	release := make([]func(), 0)
	var mu sync.Mutex
	outcomes := make(map[string]string)
	var wg sync.WaitGroup
	block := func(name string, call func() (uintptr, unix.Errno), let func()) {
		release = append(release, let)
		wg.Go(func() {
			runtime.LockOSThread()
			n, errno := call()
			var err error
			if errno != 0 {
				err = errno
			}
			mu.Lock()
			defer mu.Unlock()
			outcomes[name] = fmt.Sprintf("%s: %d %v\n", name, n, err)
		})
	}
	syscall := func(trap, a, b, c, d, e, f uintptr) func() (uintptr, unix.Errno) {
		return func() (uintptr, unix.Errno) {
			n, _, errno := unix.Syscall6(trap, a, b, c, d, e, f)
			return n, errno
		}
	}
	buf := unsafe.Pointer(new([8]byte))
	pipe := func() (r uintptr, let func()) {
		var fds [2]int
		check("pipe", unix.Pipe(fds[:]))
		return uintptr(fds[0]), func() { _, err := unix.Write(fds[1], []byte{1}); check("write", err) }
	}

	r, let := pipe()
	block("read", syscall(unix.SYS_READ, r, uintptr(buf), 1, 0, 0, 0), let)
	r, let = pipe()
	block("poll", syscall(sysPoll, uintptr(unsafe.Pointer(&unix.PollFd{Fd: int32(r), Events: unix.POLLIN})), 1, pollForever, 0, 0, 0), let)
	r, let = pipe()
	// With a timeout that never expires: the restarted system call continues with the
	// rest of it.
	limit := &unix.Timespec{Sec: 3600}
	block("ppoll", syscall(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&unix.PollFd{Fd: int32(r), Events: unix.POLLIN})), 1, uintptr(unsafe.Pointer(limit)), 0, 0, 0), let)
	r, let = pipe()
	ep, err := unix.EpollCreate1(0)
	check("epoll_create", err)
	check("epoll_ctl", unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, int(r), &unix.EpollEvent{Events: unix.EPOLLIN}))
	block("epoll_wait", syscall(sysEpollWait, uintptr(ep), uintptr(unsafe.Pointer(new(unix.EpollEvent))), 1, ^uintptr(0), 0, 0), let)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET, 0)
	check("socketpair", err)
	block("recvfrom", syscall(unix.SYS_RECVFROM, uintptr(pair[0]), uintptr(buf), 1, 0, 0, 0), func() {
		_, err := unix.Write(pair[1], []byte{1})
		check("write", err)
	})
	var word atomic.Uint32
	futex := func(op, value uintptr) func() (uintptr, unix.Errno) {
		return syscall(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&word)), op, value, 0, 0, 0)
	}
	const wait, wake = 0, 1
	block("futex", futex(wait, 0), func() {
		word.Store(1)
		futex(wake, 1)()
	})
	// Restarted with the remaining time, by restart_syscall(2).
	short := &unix.Timespec{Sec: 1}
	block("nanosleep", syscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(short)), 0, 0, 0, 0, 0), func() {})

	c := manage(device)
	for first := true; ; first = false {
		c.await()
		if !first {
			for _, let := range release {
				let()
			}
			release = nil
			wg.Wait()
		}
		var answer strings.Builder
		for _, name := range []string{"epoll_wait", "futex", "nanosleep", "poll", "ppoll", "read", "recvfrom"} {
			answer.WriteString(outcomes[name])
		}
		c.write(transaction(binder.BC_REPLY, []byte(answer.String())))
	}
}
