// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"crypto/sha256"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"sentrybinder/test/benchmarks/peer"
)

// world boots a service manager and -count services that register with it, each a
// process of its own, and with -preload one more, which has something to compute
// and so registers last. It then looks that one up, calls it and reports the
// answer, and does so again whenever the sandbox was restored: it is the client
// that waits for an answer.
func world() {
	restored := restores()
	defer start("hostile/service", nil, "-dozing", "-preload=0").stop()
	var wg sync.WaitGroup
	if *preload != 0 {
		wg.Go(func() { start("hostile/service", nil, "-dozing", "-with=manager") })
	}
	for range *count {
		wg.Go(func() { start("hostile/service", nil, "-dozing", "-with=manager", "-preload=0") })
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

// preloaded is what a service computes before it registers, and reads when it
// answers: as Android's zygote loads classes, and services read what they serve.
type preloaded []byte

// preloadRounds makes that take about 20 ms per MiB.
const preloadRounds = 8

// newPreloaded computes mib MiB. Each part depends on those before it.
func newPreloaded(mib int) preloaded {
	p := make(preloaded, mib<<20)
	var sum [sha256.Size]byte
	for rest := p; len(rest) != 0; rest = rest[len(sum):] {
		for range preloadRounds {
			sum = sha256.Sum256(sum[:])
		}
		copy(rest, sum[:])
	}
	return p
}

// use reads one page in a hundred.
func (p preloaded) use() (sum byte) {
	for i := 0; i < len(p); i += 100 * os.Getpagesize() {
		sum ^= p[i]
	}
	return sum
}

// restores returns a socket that receives the kernel's events.
func restores() int {
	s, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_KOBJECT_UEVENT)
	peer.Check(err)
	peer.Check(unix.Bind(s, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1}))
	return s
}

// awaitRestore waits for the event that reports a restore.
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
