// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"sentrybinder/test/benchmarks/peer"
)

// logs measures how long a call takes while another process reads a log of the
// driver that lists many processes and nodes, and how long while nobody reads it.
// -numbers is how many processes there are, and -count how many nodes they have in
// all. It must be allowed to mount a binderfs.
func logs() {
	dir, err := os.MkdirTemp("", "binderfs")
	peer.Check(err)
	peer.Check(unix.Mount("binder", dir, "binder", 0, "stats=global"))
	defer os.Remove(dir)
	defer unix.Unmount(dir, unix.MNT_DETACH)
	log, err := os.Open(filepath.Join(dir, "binder_logs/state"))
	peer.Check(err)

	server := start("hub", nil)
	defer server.stop()
	others := start("logs/crowd", nil)
	defer others.stop()
	client := open()
	call := func() { client.call(0, 0, nil, nil) }
	measure(call).emit("call, nothing else", *count)

	reader := start("logs/reader", []*os.File{log})
	defer reader.stop()
	measure(call).emit("call, while the log is read", *count)
	var took timing
	reader.result(&took)
	took.emit("the log", *count)
}

// crowd is the role of many idle processes with nodes.
func crowd() {
	processes := numbersOf(*numbers)[0]
	limit := unix.Rlimit{Cur: uint64(processes) + 100, Max: uint64(processes) + 100}
	peer.Check(unix.Setrlimit(unix.RLIMIT_NOFILE, &limit))
	for range processes {
		open().offer(0, *count/processes)
	}
	ready()
	rest()
}

// readings is how many times the reader reads the log before it reports how long
// that takes.
const readings = 5

// reader is the role of a process that reads a log again and again.
func reader() {
	log := file(0)
	buffer := make([]byte, 64<<10)
	ready()
	for reading, samples := 0, []uint64(nil); ; reading++ {
		begin := time.Now()
		_, err := log.Seek(0, 0)
		peer.Check(err)
		for n := 1; n != 0; {
			n, err = unix.Read(int(log.Fd()), buffer)
			peer.Check(err)
		}
		samples = append(samples, uint64(time.Since(begin)))
		if reading == readings {
			report(timingOf(samples, 1))
		}
	}
}
