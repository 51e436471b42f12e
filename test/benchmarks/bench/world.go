// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"sync"

	"golang.org/x/sys/unix"

	"sentrybinder/test/benchmarks/peer"
)

// world boots a service manager and -count services, each a process, which register
// with it. Then it looks one up, calls it and says so, and does that again whenever
// the sandbox was restored: a client that waits for it.
func world() {
	restored := restores()
	defer start("hostile/service", nil, "-dozing").stop()
	var wg sync.WaitGroup
	for range *count {
		wg.Go(func() { start("hostile/service", nil, "-dozing", "-with=manager") })
	}
	wg.Wait()
	e := open()
	handle := e.lastKept()
	for {
		e.call(handle, serviceEcho, nil, nil)
		e.flush()
		emit(result{Series: "answer"})
		awaitRestore(restored)
	}
}

// restores returns a socket that gets the kernel's events.
func restores() int {
	s, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_KOBJECT_UEVENT)
	peer.Check(err)
	peer.Check(unix.Bind(s, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1}))
	return s
}

// awaitRestore waits until there's an event of a restore.
func awaitRestore(s int) {
	buf := make([]byte, 8192)
	for {
		n, err := unix.Read(s, buf)
		if err == unix.EINTR {
			continue
		}
		peer.Check(err)
		if bytes.Contains(buf[:n], []byte("\x00NEW_VMGENID=1\x00")) {
			return
		}
	}
}
