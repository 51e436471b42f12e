// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package actor

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// gatePath is a device that only this test's sandboxes have.
const gatePath = "/dev/binder_gate"

func newQuiescence() (quiescence, error) {
	f, err := os.OpenFile(gatePath, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return newScheduler()
	}
	if err != nil {
		return nil, err
	}
	return &gate{file: f, fd: uintptr(f.Fd())}, nil
}

// scheduler implements quiescence with Linux's scheduler.
type scheduler struct {
	// raised are the processes that raiseKernelThreads has seen.
	raised map[string]bool
}

const (
	schedFIFO = 1
	schedIdle = 5

	actorPriority  = 10
	kernelPriority = 50
)

func newScheduler() (quiescence, error) {
	var cpus unix.CPUSet
	if err := unix.SchedGetaffinity(0, &cpus); err != nil {
		return nil, err
	}
	if n := cpus.Count(); n != 1 {
		return nil, fmt.Errorf("outcomes would be random: there are %d CPUs, and no %s", n, gatePath)
	}
	// However long real-time threads run, no CPU time is reserved for others.
	if err := os.WriteFile("/proc/sys/kernel/sched_rt_runtime_us", []byte("-1"), 0); err != nil {
		return nil, err
	}
	if err := os.WriteFile("/sys/kernel/debug/sched/fair_server/cpu0/runtime", []byte("0"), 0); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	// A device that a thread has polled is released in two halves, with an RCU grace
	// period in between, which must be over before any actor runs.
	if err := os.WriteFile("/sys/kernel/rcu_expedited", []byte("1"), 0); err != nil {
		return nil, err
	}
	return &scheduler{raised: make(map[string]bool)}, setScheduler(0, schedIdle, 0)
}

func (s *scheduler) begin() error { return s.raiseKernelThreads() }

// raiseKernelThreads makes the kernel's workers, which close devices, and the threads
// that they wait for, run before the actors that they wake. New ones appear now and then.
func (s *scheduler) raiseKernelThreads() error {
	proc, err := os.Open("/proc")
	if err != nil {
		return err
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		if s.raised[name] {
			continue
		}
		s.raised[name] = true
		comm, err := os.ReadFile("/proc/" + name + "/comm")
		if err != nil || !strings.HasPrefix(string(comm), "kworker") && !strings.HasPrefix(string(comm), "rcu_") {
			continue
		}
		var pid int
		if _, err := fmt.Sscan(name, &pid); err != nil {
			continue
		}
		// An error means that it is gone.
		setScheduler(pid, schedFIFO, kernelPriority)
	}
	return nil
}

func setScheduler(pid, policy int, priority int32) error {
	_, _, errno := unix.RawSyscall(unix.SYS_SCHED_SETSCHEDULER, uintptr(pid), uintptr(policy), uintptr(unsafe.Pointer(&priority)))
	if errno != 0 {
		return fmt.Errorf("sched_setscheduler: %w", errno)
	}
	return nil
}

func (*scheduler) prepare(zygote *Thread) error {
	return setScheduler(zygote.TID, schedFIFO, actorPriority)
}

func (*scheduler) settle(*Machine, *Thread) error { return nil }

func (*scheduler) interrupt(_ *Machine, th *Thread, sig unix.Signal) error {
	return unix.Tgkill(th.Process.PID, th.TID, sig)
}

// awaitFiles waits for as long as Linux can take. If the last reference to a file is
// dropped by a kernel thread, another one closes it, which a timer starts at the next
// tick but one, or earlier. Nothing reports when that is done. A tick is at most 10 ms long.
func (*scheduler) awaitFiles(*Machine) error {
	return unix.Nanosleep(&unix.Timespec{Nsec: 30e6}, nil)
}

// gate implements quiescence with the sentry's gate.
type gate struct {
	file *os.File
	fd   uintptr
}

// gateWait is the argument of gateRequest. The sentry relies on its layout.
type gateWait struct {
	// state is the address of the state of thread tid's slot. The gate waits until it
	// is done, or until the thread sleeps in the driver. If tid is 0, the gate does
	// not wait.
	state uint64
	tid   int32
	// resume is 0 or one of the constants below.
	resume uint32
	// late is set to 1 if the wait has timed out.
	late uint32
	// n is set to the number of sleeping threads that were woken, and woken to their
	// IDs, in the order in which they were woken.
	n     uint32
	woken [MaxThreads]int32
}

// gateRequest is the gate's request to wait for quiescence.
const gateRequest = 0x6701

// Values of gateWait.resume.
const (
	// gateResume lets thread tid, which sleeps and was woken, continue.
	gateResume = 1
	// gateInterrupt plus the number of a signal sends that signal to thread tid, which
	// sleeps.
	gateInterrupt = 0x100
)

func (*gate) prepare(*Thread) error { return nil }

func (*gate) begin() error { return nil }

func (g *gate) settle(m *Machine, th *Thread) error { return g.wait(m, th, 0) }

// awaitFiles only has to wait for quiescence: the sentry closes files at once.
func (g *gate) awaitFiles(m *Machine) error { return g.settle(m, nil) }

func (g *gate) interrupt(m *Machine, th *Thread, sig unix.Signal) error {
	return g.wait(m, th, gateInterrupt+uint32(sig))
}

func (g *gate) wait(m *Machine, th *Thread, resume uint32) error {
	w := gateWait{resume: resume}
	if th != nil {
		w.tid, w.state = int32(th.TID), uint64(uintptr(unsafe.Pointer(&th.slot.state)))
	}
	for {
		if _, _, errno := unix.RawSyscall(unix.SYS_IOCTL, g.fd, gateRequest, uintptr(unsafe.Pointer(&w))); errno != 0 {
			return fmt.Errorf("%s: %w", gatePath, errno)
		}
		if w.late != 0 {
			stuck := m.thread(int(w.tid))
			stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/stat", stuck.Process.PID, stuck.TID))
			return fmt.Errorf("thread %d has neither finished nor gone to sleep: posted %d, state %d, %.30s", w.tid, stuck.slot.posted, stuck.slot.state, stat)
		}
		if w.n == 0 {
			return nil
		}
		tid := w.woken[0]
		next := m.thread(int(tid))
		if next == nil {
			return fmt.Errorf("unknown thread %d was woken", tid)
		}
		w = gateWait{tid: int32(next.TID), state: uint64(uintptr(unsafe.Pointer(&next.slot.state))), resume: gateResume}
	}
}

func (m *Machine) thread(tid int) *Thread {
	for _, p := range m.live {
		for _, th := range p.Threads {
			if th.TID == tid {
				return th
			}
		}
	}
	return nil
}
