// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"sentrybinder/test/benchmarks/peer"
)

// phase is a stage of an attack.
type phase = uint32

const (
	idle   phase = iota
	making       // creates what the attack needs
	acting
	phases = 3
)

// board is memory in which an attacker records its progress, so that whoever
// measures can see it without a system call.
type board struct {
	phase atomic.Uint32

	// stop asks the attacker to end soon.
	stop atomic.Bool

	// rounds counts the rounds that the attacker has completed, and objects is how
	// many objects it uses in each. made counts those that it has created for the
	// next.
	rounds, objects, made atomic.Uint64

	// refused counts the attacker's requests that failed for lack of memory.
	refused atomic.Uint64
}

const boardSize = 4096

// newBoard returns a board and the path at which other processes can open it.
func newBoard() (*board, string) {
	fd, err := unix.MemfdCreate("board", unix.MFD_CLOEXEC)
	peer.Check(err)
	peer.Check(unix.Ftruncate(fd, boardSize))
	path := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), fd)
	return openBoard(path), path
}

func openBoard(path string) *board {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	peer.Check(err)
	defer unix.Close(fd)
	mem, err := unix.Mmap(fd, 0, boardSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	peer.Check(err)
	return (*board)(unsafe.Pointer(&mem[0]))
}

func (b *board) reset() {
	b.stop.Store(false)
	b.rounds.Store(0)
	b.objects.Store(0)
	b.made.Store(0)
	b.refused.Store(0)
	b.phase.Store(idle)
}
