// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package play

import (
	"math/rand/v2"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/test/differential/program"
)

// opEntry and codeEntry are entries of the tables that the generator chooses from. The
// weight, multiplied by the program's own, is relative to those of the other entries.
type opEntry struct {
	op     program.Op
	weight int
}

type codeEntry struct {
	code   uint32
	weight int
}

func (e opEntry) base() int   { return e.weight }
func (e codeEntry) base() int { return e.weight }

var opTable = []opEntry{
	{program.WriteRead, 1000},
	{program.Ioctl, 40},
	{program.Poll, 30},
	{program.Epoll, 20},
	{program.NonBlock, 15},
	{program.DupClose, 10},
	{program.Close, 6},
	{program.Munmap, 4},
	{program.Move, 3},
	{program.Peek, 6},
	{program.Mmap, 4},
	{program.Open, 4},
	{program.Fork, 4},
	{program.Exit, 6},
	{program.Kill, 10},
	{program.SetUser, 5},
	{program.FileLimit, 4},
	{program.CloseFile, 3},
	{program.Nice, 8},
	{program.Freeze, 15},
	{program.Frozen, 4},
	{program.NodeInfo, 8},
	{program.NodeDebug, 8},
	{program.LastError, 20},
}

var commandTable = []codeEntry{
	{binder.BC_TRANSACTION, 100},
	{binder.BC_REPLY, 10},
	{binder.BC_FREE_BUFFER, 40},
	{binder.BC_INCREFS, 8},
	{binder.BC_ACQUIRE, 8},
	{binder.BC_RELEASE, 8},
	{binder.BC_DECREFS, 8},
	{binder.BC_INCREFS_DONE, 12},
	{binder.BC_ACQUIRE_DONE, 12},
	{binder.BC_REQUEST_DEATH_NOTIFICATION, 25},
	{binder.BC_CLEAR_DEATH_NOTIFICATION, 10},
	{binder.BC_DEAD_BINDER_DONE, 8},
	{binder.BC_REGISTER_LOOPER, 3},
	{binder.BC_ENTER_LOOPER, 5},
	{binder.BC_EXIT_LOOPER, 2},
	{binder.BC_ATTEMPT_ACQUIRE, 1},
	{binder.BC_ACQUIRE_RESULT, 1},
	{0x1234, 1},
	{binder.BC_TRANSACTION_SG, 30},
	{binder.BC_REPLY_SG, 4},
	{binder.BC_REQUEST_FREEZE_NOTIFICATION, 12},
	{binder.BC_CLEAR_FREEZE_NOTIFICATION, 8},
	{binder.BC_FREEZE_NOTIFICATION_DONE, 8},
}

var objectTable = []codeEntry{
	{binder.BINDER_TYPE_BINDER, 40},
	{binder.BINDER_TYPE_WEAK_BINDER, 10},
	{binder.BINDER_TYPE_HANDLE, 30},
	{binder.BINDER_TYPE_WEAK_HANDLE, 10},
	{binder.BINDER_TYPE_FD, 10},
	{0x12345678, 1},
	{binder.BINDER_TYPE_PTR, 15},
	{binder.BINDER_TYPE_FDA, 5},
}

// Weights say how often a program does what.
type Weights struct {
	ops      [32]int
	commands [32]int
	objects  [16]int
	// On average, one in oneWay transactions is one-way, one in update has
	// TF_UPDATE_TXN, one in rarity things is malformed, and one in again steps repeats
	// an earlier one.
	oneWay, update, rarity, again int
	// nodes is the number of nodes of a process, and parts the mean number of parts of
	// a transaction.
	nodes, parts int
}

func randomWeights(rng *rand.Rand) Weights {
	var w Weights
	for _, group := range [][]int{w.ops[:], w.commands[:], w.objects[:]} {
		for i := range group {
			group[i] = pick(rng, 0, 1, 1, 2, 2, 4)
		}
	}
	// Without WriteRead and BC_TRANSACTION, little would happen.
	w.ops[0], w.commands[0] = 2, 2
	w.oneWay = pick(rng, 2, 3, 5, 20)
	w.update = pick(rng, 3, 50, 1000)
	w.rarity = pick(rng, 10, 30, 100, 1000)
	w.again = pick(rng, 4, 15, 100, 1000)
	w.nodes = pick(rng, 4, 4, 4, 4, 4, 150)
	w.parts = pick(rng, 1, 1, 1, 1, 1, 20)
	return w
}

func weighted[E interface{ base() int }](rng *rand.Rand, weights []int, table []E) E {
	total := 0
	for i, e := range table {
		total += e.base() * weights[i]
	}
	n := rng.IntN(max(total, 1))
	for i, e := range table {
		if n -= e.base() * weights[i]; n < 0 {
			return e
		}
	}
	return table[0]
}
