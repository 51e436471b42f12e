// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"
)

// A slot is a remote thread's part of the arena, which the assembly knows, and through
// which it is controlled. The test writes nr and args, then a byte to the thread's
// control socket; the thread sets state and ret, then writes a byte back.
type slot struct {
	nr   uintptr
	args [6]uintptr

	// ret is the system call's raw result: a negative errno or a value.
	ret   int64
	state uint64

	// If childSlot is not zero, the system call is a clone, whose child
	// serves childSlot over the socket childCtl.
	childCtl  uintptr
	childSlot uintptr

	bell uint64
}

// Values of slot.state.
const (
	slotIdle   = 0 // as the test leaves it
	slotInCall = 1
	slotDone   = 2
)

// agentEnv holds, for a process that becomes an agent, the descriptors of the arena and
// of its control socket and the address of its slot.
const agentEnv = "SENTRYBINDER_REMOTE_AGENT"

// An agent never reaches its own main function, nor the initialisation of packages that
// import this one.
func init() {
	spec := os.Getenv(agentEnv)
	if spec == "" {
		return
	}
	var arenaFD, ctl int
	var at uintptr
	if _, err := fmt.Sscan(spec, &arenaFD, &ctl, &at); err != nil {
		panic(fmt.Sprintf("%s=%q: %v", agentEnv, spec, err))
	}
	becomeAgent(arenaFD, ctl, at)
}

func becomeAgent(arenaFD, ctl int, at uintptr) {
	runtime.LockOSThread()
	if err := mapArena(arenaFD); err != nil {
		panic(err)
	}
	// Go's signal handlers need a Go runtime, which processes forked from here lack.
	for sig := uintptr(1); sig <= 64; sig++ {
		var act sigaction
		syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(&act)), 0, 8, 0, 0)
	}
	s := (*slot)(arenaPointer(at))
	s.ret, s.state = 0, slotDone
	// If the process got here by execve, this answers that call.
	syscall.RawSyscall(syscall.SYS_WRITE, uintptr(ctl), uintptr(unsafe.Pointer(&s.bell)), 1)
	serve(uintptr(ctl), at)
}

// sigaction is the kernel's struct sigaction.
type sigaction struct {
	handler  uintptr
	flags    uint64
	restorer uintptr
	mask     uint64
}
