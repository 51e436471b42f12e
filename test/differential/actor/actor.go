// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package actor

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Call is a system call.
type Call struct {
	NR   uintptr
	Args [6]uintptr

	// Ret is the raw result: a value or a negative errno.
	Ret int64
}

// NewCall returns the system call nr.
func NewCall(nr uintptr, args ...uintptr) Call {
	c := Call{NR: nr}
	copy(c.Args[:], args)
	return c
}

// Errno returns the error that the call returned, or 0.
func (c *Call) Errno() unix.Errno {
	if c.Ret < 0 && c.Ret >= -4095 {
		return unix.Errno(-c.Ret)
	}
	return 0
}

// maxCalls is the maximum number of calls that can be posted at once.
const maxCalls = 8

// slot is the part of the arena through which the controller and an actor communicate.
// The assembly relies on its layout.
type slot struct {
	// posted is the futex that the actor waits on.
	posted uint32
	state  uint32
	n      uint64
	// childSlot is the child's slot if the call is a clone(2), which must then be
	// the only one; otherwise it is 0.
	childSlot uintptr
	_         [40]byte
	calls     [maxCalls]Call
}

// Values of slot.state.
const (
	posted = 0
	inCall = 1
	done   = 2
)

// A Process is a process whose threads are actors.
type Process struct {
	PID     int
	Threads []*Thread

	machine *Machine
	gone    bool
}

// A Thread is an actor.
type Thread struct {
	Process *Process
	TID     int

	place uintptr
	slot  *slot

	// busy is set while the thread has calls that, as far as the controller knows,
	// it has not finished.
	busy bool
}

// Scratch returns the address of ScratchSize bytes in the arena for the arguments of
// the thread's system calls.
func (th *Thread) Scratch() uintptr { return th.place + slotSize + stackSize }

// Busy returns whether the thread is still in calls that were posted.
func (th *Thread) Busy() bool { return th.busy }

// Calls returns the n calls that were last posted.
func (th *Thread) Calls(n int) []Call { return th.slot.calls[:n] }

func (th *Thread) finished() bool { return atomic.LoadUint32(&th.slot.state) == done }

// Machine owns all actors. It must be used by a single goroutine, which is locked to
// its thread.
type Machine struct {
	quiescence

	zygote *Process
	free   []uintptr
	live   []*Process
}

// quiescence is the way in which the controller waits for quiescence.
type quiescence interface {
	// prepare prepares the process that all others are forked from.
	prepare(zygote *Thread) error
	// begin is called before each program.
	begin() error
	// settle returns when th has finished the calls last posted to it, or sleeps
	// in one, and all other threads have finished or sleep, too. It returns an
	// error if that takes too long.
	settle(m *Machine, th *Thread) error
	// interrupt sends sig to th, which must be asleep, and then settles.
	interrupt(m *Machine, th *Thread, sig unix.Signal) error
	// awaitFiles returns when all files have been closed whose last reference was
	// in a message to a device that has been released.
	awaitFiles(m *Machine) error
}

// New returns a machine without actors. It locks the calling goroutine to its
// thread.
func New() (*Machine, error) {
	runtime.LockOSThread()
	if unsafe.Sizeof(Call{}) != 64 || unsafe.Offsetof(slot{}.calls) != 64 {
		panic("slot's layout is not the assembly's")
	}
	if err := mapArena(); err != nil {
		return nil, err
	}
	m := &Machine{}
	for i := range MaxThreads {
		m.free = append(m.free, arenaStart+uintptr(i)*threadSize)
	}
	var err error
	if m.quiescence, err = newQuiescence(); err != nil {
		return nil, err
	}
	z := &Process{machine: m}
	th := m.newThread(z)
	pid := fork(uintptr(unix.SIGCHLD), th.place+slotSize+stackSize, th.place)
	if int(pid) < 0 {
		return nil, fmt.Errorf("fork: %w", unix.Errno(-int(pid)))
	}
	z.PID, th.TID = int(pid), int(pid)
	m.zygote = z
	if err := z.setUp(); err != nil {
		return nil, err
	}
	return m, m.prepare(th)
}

// setUp turns a copy of the controller into an actor: it resets Go's signal handlers and
// unmaps the memory that an actor does not need.
func (p *Process) setUp() error {
	th := p.Threads[0]
	action := (*sigaction)(pointer(th.Scratch()))
	for sig := uintptr(1); sig <= 64; sig++ {
		*action = sigaction{}
		if unix.Signal(sig) == unix.SIGUSR1 {
			const saRestorer = 0x4000000
			*action = sigaction{handler: handlerAddress(), flags: saRestorer, restorer: restorerAddress()}
		}
		th.Quick(NewCall(unix.SYS_RT_SIGACTION, sig, th.Scratch(), 0, 8))
	}
	const sigSetMask = 2
	clear(Bytes(th.Scratch(), 8))
	th.Quick(NewCall(unix.SYS_RT_SIGPROCMASK, sigSetMask, th.Scratch(), 0, 8))
	const altStackDisabled = 2
	copy(Bytes(th.Scratch(), 24), make([]byte, 24))
	Bytes(th.Scratch(), 24)[8] = altStackDisabled
	th.Quick(NewCall(unix.SYS_SIGALTSTACK, th.Scratch(), 0))

	maps, err := os.Open(fmt.Sprintf("/proc/%d/maps", p.PID))
	if err != nil {
		return err
	}
	defer maps.Close()
	type span struct{ start, end uintptr }
	const maxFD = 1<<32 - 1
	th.Quick(NewCall(unix.SYS_CLOSE_RANGE, 3, maxFD, 0))
	var unneeded []span
	lines := bufio.NewScanner(maps)
	for lines.Scan() {
		var s span
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x", &s.start, &s.end); err != nil {
			return fmt.Errorf("/proc/%d/maps: %q: %w", p.PID, lines.Text(), err)
		}
		code := codeAddress()
		if s.start <= code && code < s.end || s.start == arenaStart || s.start == readOnlyStart || strings.Contains(lines.Text(), "[v") {
			continue
		}
		unneeded = append(unneeded, s)
	}
	if err := lines.Err(); err != nil {
		return err
	}
	for _, s := range unneeded {
		th.Quick(NewCall(unix.SYS_MUNMAP, s.start, s.end-s.start))
	}
	return nil
}

// sigaction is the kernel's struct sigaction.
type sigaction struct {
	handler  uintptr
	flags    uint64
	restorer uintptr
	mask     uint64
}

// newThread returns a thread of p that has yet to be started.
func (m *Machine) newThread(p *Process) *Thread {
	place := m.takePlace()
	th := &Thread{Process: p, place: place, slot: (*slot)(pointer(place))}
	*th.slot = slot{}
	p.Threads = append(p.Threads, th)
	return th
}

// takePlace allocates a thread's part of the arena. It takes the lowest free one, so
// that processes recreated at the start of a program get their previous places: a
// program that sends addresses of its memory must send the same ones, whichever
// processes earlier programs killed.
func (m *Machine) takePlace() uintptr {
	if len(m.free) == 0 {
		panic("too many threads")
	}
	lowest := slices.Index(m.free, slices.Min(m.free))
	place := m.free[lowest]
	m.free = slices.Delete(m.free, lowest, lowest+1)
	return place
}

// Post makes the thread start to make calls.
func (th *Thread) Post(calls ...Call) {
	if th.busy {
		panic("calls posted to a busy thread")
	}
	s := th.slot
	s.n = uint64(copy(s.calls[:], calls))
	atomic.StoreUint32(&s.state, posted)
	atomic.StoreUint32(&s.posted, 1)
	th.busy = true
	th.wake()
}

func (th *Thread) wake() {
	const futexWake = 1
	unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&th.slot.posted)), futexWake, 1, 0, 0, 0)
}

// Quick makes system calls that neither block nor wake other actors, and returns the
// last one.
func (th *Thread) Quick(calls ...Call) *Call {
	th.Post(calls...)
	for !th.finished() {
		unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
	}
	th.busy = false
	return &th.slot.calls[len(calls)-1]
}

// Do posts calls and waits for quiescence. Afterwards the thread may be Busy, and
// threads that were may no longer be.
func (th *Thread) Do(calls ...Call) error {
	th.Post(calls...)
	return th.Process.machine.Settle(th)
}

// Settle waits for quiescence. If th is not nil, it was just given calls.
func (m *Machine) Settle(th *Thread) error { return m.settled(m.settle(m, th)) }

// AwaitFiles waits until all files have been closed whose last reference was in a
// message to a device that has been released, and then for quiescence.
func (m *Machine) AwaitFiles() error { return m.settled(m.awaitFiles(m)) }

// settled updates which threads are busy.
func (m *Machine) settled(err error) error {
	if err != nil {
		return err
	}
	for _, p := range m.live {
		for _, th := range p.Threads {
			if th.busy && th.finished() {
				th.busy = false
			}
		}
	}
	return nil
}

// Begin prepares for a program.
func (m *Machine) Begin() error { return m.begin() }

// NewProcess starts a process with n threads.
func (m *Machine) NewProcess(n int) *Process {
	p := m.zygote.Fork()
	for range n - 1 {
		p.newThread()
	}
	return p
}

// Fork makes p's main thread, which must not be busy, fork a child with one thread.
// For wait(2), the child's parent is the controller.
func (p *Process) Fork() *Process {
	child := &Process{machine: p.machine}
	th := p.machine.newThread(child)
	child.PID = p.clone(th, unix.CLONE_PARENT|uintptr(unix.SIGCHLD))
	p.machine.live = append(p.machine.live, child)
	return child
}

func (p *Process) newThread() *Thread {
	th := p.machine.newThread(p)
	p.clone(th, unix.CLONE_VM|unix.CLONE_FS|unix.CLONE_FILES|unix.CLONE_SIGHAND|unix.CLONE_THREAD|unix.CLONE_SYSVSEM)
	return th
}

func (p *Process) clone(child *Thread, flags uintptr) int {
	th := p.Threads[0]
	th.slot.childSlot = child.place
	c := th.Quick(NewCall(unix.SYS_CLONE, flags, child.place+slotSize+stackSize))
	th.slot.childSlot = 0
	if c.Errno() != 0 {
		panic(fmt.Sprintf("clone: %v", c.Errno()))
	}
	child.TID = int(c.Ret)
	return child.TID
}

// Interrupt sends sig to a sleeping thread and waits for quiescence.
func (th *Thread) Interrupt(sig unix.Signal) error {
	m := th.Process.machine
	return m.settled(m.interrupt(m, th, sig))
}

// Kill kills the process with SIGKILL, and reaps it.
func (p *Process) Kill() error {
	if p.gone {
		return nil
	}
	unix.Kill(p.PID, unix.SIGKILL)
	return p.Reap()
}

// Reap waits for the process, which must be about to end, and frees its threads' places.
func (p *Process) Reap() error {
	for {
		_, err := unix.Wait4(p.PID, nil, 0, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("wait for process %d: %w", p.PID, err)
		}
		break
	}
	p.gone = true
	m := p.machine
	for i, live := range m.live {
		if live == p {
			m.live = append(m.live[:i], m.live[i+1:]...)
			break
		}
	}
	for _, th := range p.Threads {
		th.busy = false
		m.free = append(m.free, th.place)
	}
	return nil
}
