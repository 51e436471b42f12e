// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"sentrybinder/test/benchmarks/peer"
)

// wake measures what it takes to wake a thread: from before the system call that
// does it to after the one in which the thread slept. On another CPU that depends
// on how long that CPU has been idle, which is X, in microseconds, and above all on
// whether it is a virtual one. For comparison, it also measures a thread that slept
// on the same CPU, and one that spins instead of sleeping.
func wake() {
	var allowed unix.CPUSet
	peer.Check(unix.SchedGetaffinity(0, &allowed))
	var cpus []int
	for cpu := range len(allowed) * 64 {
		if allowed.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	wakeOn(cpus[0], cpus[0], 0, true).emit("on the same CPU", 0)
	if len(cpus) == 1 {
		return
	}
	wakeOn(cpus[0], cpus[1], 0, false).emit("on another CPU, spinning", 0)
	for _, idle := range []int{0, 20, 100, 1000} {
		wakeOn(cpus[0], cpus[1], time.Duration(idle)*time.Microsecond, true).emit("on another CPU", idle)
	}
}

// baton is what two threads pass back and forth.
type baton struct {
	turn uint32 // changed atomically, at each handover
	_    [60]byte
	sent uint64 // the time of the last handover
}

func (b *baton) pass(sleeping bool) {
	b.sent = ticks()
	if sleeping {
		futexWake(&b.turn)
	} else {
		atomic.AddUint32(&b.turn, 1)
	}
}

// await waits until turn differs from old, and returns it.
func (b *baton) await(old uint32, sleeping bool) uint32 {
	if sleeping {
		return futexWait(&b.turn, old)
	}
	for {
		if turn := atomic.LoadUint32(&b.turn); turn != old {
			return turn
		}
	}
}

// wakeOn measures how long a thread on one CPU takes to wake one on another CPU
// that has been idle for a time.
func wakeOn(from, to int, idle time.Duration, sleeping bool) timing {
	var b baton
	done := make(chan timing)
	var end atomic.Bool
	go func() {
		pin(to)
		var samples []uint64
		begin, tick := time.Now(), startTicks()
		for turn := uint32(0); ; {
			turn = b.await(turn, sleeping)
			samples = append(samples, ticks()-b.sent)
			last := time.Since(begin) > *duration && len(samples) >= 10
			end.Store(last)
			b.pass(sleeping)
			turn++
			if last {
				done <- timingOf(samples, tick())
				return
			}
		}
	}()
	go func() {
		pin(from)
		for turn := uint32(0); !end.Load(); {
			for begin := time.Now(); time.Since(begin) < idle; {
			}
			b.pass(sleeping)
			turn = b.await(turn+1, sleeping)
		}
	}()
	return <-done
}

// pin keeps the calling goroutine on a CPU until it ends.
func pin(cpu int) {
	runtime.LockOSThread()
	var set unix.CPUSet
	set.Set(cpu)
	peer.Check(unix.SchedSetaffinity(0, &set))
}
