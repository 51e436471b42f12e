// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package remote lets a test make system calls in other processes and threads.
//
// A remote process is a real one: it has its own memory, descriptors and
// credentials, can fork, exec, and be killed. The only code that it runs is a
// loop of a few instructions that waits for the test to name a system call,
// makes it, and reports the result. There is no Go runtime in it: no threads,
// no signals, and no system calls that the test did not ask for.
//
// Arguments are built in the arena, which test and remote processes share.
//
// The first process is the test binary itself, executed again; all others are
// forked from it, which takes a fraction of the time.
package remote

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Timeout is how long a test waits for a remote system call before it fails. It is far
// longer than any call takes that is not stuck, on an emulated processor, too.
var Timeout = time.Minute

// ErrGone is the result of a system call whose thread ended meanwhile.
var ErrGone = errors.New("the remote thread is gone")

const (
	stackSize = 16 << 10
	// scratchOffset is where a thread's scratch memory begins, after its slot
	// and its stack.
	scratchOffset = 4<<10 + stackSize
	threadSize    = 4 * chunkSize

	// ScratchSize is the size of a thread's scratch memory.
	ScratchSize = threadSize - scratchOffset
)

// A Process is a remote process.
type Process struct {
	// Thread is the main thread.
	*Thread

	pid    int
	reaped bool
	status unix.WaitStatus

	// ctls holds the process's descriptors for its threads' control sockets.
	ctls []int

	// threads holds the threads other than the main thread.
	threads []*Thread
}

// PID returns the process's id.
func (p *Process) PID() int { return p.pid }

// A Thread is a thread of a remote process. It does one thing at a time.
type Thread struct {
	tid  int
	pid  int
	base uintptr
	slot *slot

	// ctl is the test's end of the control socket, remoteCtl the thread's.
	ctl       *os.File
	remoteCtl int

	release func()

	// patient is set if Wait waits forever.
	patient bool
}

// TID returns the thread's id.
func (th *Thread) TID() int { return th.tid }

// Scratch returns the address of ScratchSize bytes of the arena for the
// arguments of this thread's system calls.
func (th *Thread) Scratch() uintptr { return th.base + scratchOffset }

// zygote is the process from which others are forked.
var zygote struct {
	sync.Mutex
	*Process
}

// Main runs the tests of a package that uses remote processes.
func Main(m *testing.M) int {
	if err := startZygote(); err != nil {
		fmt.Fprintln(os.Stderr, "remote:", err)
		return 1
	}
	defer unix.Kill(zygote.pid, unix.SIGKILL)
	return m.Run()
}

// Descriptors of a process that was executed to become an agent. All remote processes
// have that of the arena.
const (
	arenaFD  = 3
	agentCtl = 4
)

func startZygote() error {
	if err := createArena(); err != nil {
		return err
	}
	th, theirs, err := newThread()
	if err != nil {
		return err
	}
	ctl := os.NewFile(uintptr(theirs), "ctl")
	defer ctl.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.ExtraFiles = []*os.File{arena.file, ctl} // arenaFD, agentCtl
	cmd.Env = agentEnviron(agentCtl, th.base)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	pid := cmd.Process.Pid
	th.tid, th.pid, th.remoteCtl = pid, pid, agentCtl
	if _, err = th.wait(); err != nil {
		return err
	}

	// This process has a Go runtime, with threads and with memory that takes time to
	// fork. Its child does without.
	first := &Process{Thread: th, pid: pid, ctls: []int{agentCtl}}
	zygote.Process = first.Fork(setUp{})
	zygote.shed(setUp{})
	first.Kill(setUp{})
	th.close()
	return nil
}

// setUp is the testing.TB when no test runs.
type setUp struct{ testing.TB }

func (setUp) Helper()                           {}
func (setUp) Cleanup(func())                    {}
func (setUp) Errorf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
func (setUp) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// shed unmaps all of the process's memory except the code that it runs, the arena, and
// the kernel's own mappings.
func (p *Process) shed(t testing.TB) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", p.pid))
	if err != nil {
		t.Fatalf("%v", err)
	}
	for line := range strings.Lines(string(maps)) {
		var start, end uintptr
		if _, err := fmt.Sscanf(line, "%x-%x", &start, &end); err != nil {
			t.Fatalf("/proc/%d/maps: %q: %v", p.pid, line, err)
		}
		code := handlerAddress()
		if start <= code && code < end || start == arenaStart || strings.Contains(line, "[v") {
			continue
		}
		p.Must(t, unix.SYS_MUNMAP, start, end-start)
	}
}

// agentEnviron returns the environment of a process that becomes an agent.
func agentEnviron(ctl int, at uintptr) []string {
	return []string{
		fmt.Sprintf("%s=%d %d %d", agentEnv, arenaFD, ctl, at),
		// An agent that was executed has a Go runtime. Keep it quiet.
		"GODEBUG=asyncpreemptoff=1", "GOGC=off",
		// Nor may the kernel refer to the C library's memory, which is unmapped.
		"GLIBC_TUNABLES=glibc.pthread.rseq=0",
	}
}

// newThread returns a thread that has yet to be created, and the thread's end of its
// control socket.
func newThread() (*Thread, int, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, -1, err
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		return nil, -1, err
	}
	base, release := alloc(threadSize)
	return &Thread{
		ctl:     os.NewFile(uintptr(fds[0]), "ctl"),
		base:    base,
		slot:    (*slot)(arenaPointer(base)),
		release: release,
	}, fds[1], nil
}

// NewProcess starts a process, which is killed at the end of the test.
func NewProcess(t testing.TB) *Process {
	t.Helper()
	zygote.Lock()
	defer zygote.Unlock()
	return zygote.Fork(t)
}

// Fork makes the process fork. The child is killed at the end of the test.
// Like any child of a fork it has only one thread. Its parent is the test.
func (p *Process) Fork(t testing.TB) *Process {
	t.Helper()
	th := p.clone(t, unix.CLONE_PARENT|uintptr(unix.SIGCHLD))
	th.pid = th.tid
	child := &Process{Thread: th, pid: th.pid, ctls: []int{th.remoteCtl}}
	t.Cleanup(func() {
		// Until it is dead, it may write to its threads' parts of the arena.
		child.Kill(t)
		th.close()
		for _, th := range child.threads {
			th.close()
		}
	})
	// Otherwise the parent's end would go unnoticed while the child lives.
	for _, ctl := range p.ctls {
		child.Must(t, unix.SYS_CLOSE, uintptr(ctl))
	}
	p.Must(t, unix.SYS_CLOSE, uintptr(th.remoteCtl))
	return child
}

// NewThread starts a thread in the process, which must not be doing anything in
// its main thread.
func (p *Process) NewThread(t testing.TB) *Thread {
	t.Helper()
	th := p.clone(t, unix.CLONE_VM|unix.CLONE_FS|unix.CLONE_FILES|unix.CLONE_SIGHAND|
		unix.CLONE_THREAD|unix.CLONE_SYSVSEM)
	th.pid = p.pid
	p.ctls = append(p.ctls, th.remoteCtl)
	p.threads = append(p.threads, th)
	return th
}

// clone makes the process's main thread create a thread or a process.
func (p *Process) clone(t testing.TB, flags uintptr) *Thread {
	t.Helper()
	child, theirs, err := newThread()
	if err != nil {
		t.Fatalf("clone: %v", err)
	}
	child.remoteCtl = p.SendFD(t, theirs)
	unix.Close(theirs)
	p.slot.childCtl, p.slot.childSlot = uintptr(child.remoteCtl), child.base
	// Only signals use the stack.
	stack := child.Scratch()
	child.tid = int(p.Must(t, unix.SYS_CLONE, flags, stack))
	p.slot.childSlot = 0
	return child
}

// Exec makes the thread execute the test binary again, with the descriptors that are not
// close-on-exec. It becomes the main thread of its process; the others end.
func (th *Thread) Exec(t testing.TB) {
	t.Helper()
	at := th.Scratch()
	str := func(s string) uintptr {
		addr := at
		at += uintptr(copy(Bytes(at, len(s)+1), s+"\x00"))
		return addr
	}
	path := str("/proc/self/exe")
	var env []uintptr
	for _, s := range agentEnviron(th.remoteCtl, th.base) {
		env = append(env, str(s))
	}
	array := func(elems ...uintptr) uintptr {
		at = (at + 7) &^ 7
		addr := at
		for _, e := range append(elems, 0) {
			*(*uintptr)(arenaPointer(at)) = e
			at += 8
		}
		return addr
	}
	th.Must(t, unix.SYS_EXECVE, path, array(path), array(env...))
	th.tid = th.pid
}

func (th *Thread) close() {
	th.ctl.Close()
	th.release()
}

// Kill kills the process and returns when it is gone.
func (p *Process) Kill(t testing.TB) {
	t.Helper()
	if !p.reaped {
		unix.Kill(p.pid, unix.SIGKILL)
		p.Reap(t)
	}
}

// Reap waits for the process, which must be exiting, and returns its status.
func (p *Process) Reap(t testing.TB) unix.WaitStatus {
	t.Helper()
	for !p.reaped {
		_, err := unix.Wait4(p.pid, &p.status, 0, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			t.Errorf("wait for process %d: %v", p.pid, err)
		}
		p.reaped = true
	}
	return p.status
}

// SendFD gives the thread's process a copy of the test's descriptor fd and
// returns its number there.
func (th *Thread) SendFD(t testing.TB, fd int) int {
	t.Helper()
	msg, rights := th.rightsMessage()
	th.Start(t, unix.SYS_RECVMSG, uintptr(th.remoteCtl), msg, 0)
	raw, err := th.ctl.SyscallConn()
	if err != nil {
		t.Fatalf("sending a descriptor: %v", err)
	}
	raw.Write(func(s uintptr) bool {
		err = unix.Sendmsg(int(s), []byte{0}, unix.UnixRights(fd), nil, 0)
		return err != unix.EAGAIN
	})
	if err != nil {
		t.Fatalf("sending a descriptor: %v", err)
	}
	if n, err := th.Wait(t); n != 1 || err != nil {
		t.Fatalf("receiving a descriptor: %d, %v", n, err)
	}
	return int(rights.fd)
}

// TakeFD returns a copy for the test of the descriptor fd of the thread's
// process.
func (th *Thread) TakeFD(t testing.TB, fd int) int {
	t.Helper()
	msg, rights := th.rightsMessage()
	*rights = rightsControl{
		Cmsghdr: unix.Cmsghdr{Len: uint64(unix.CmsgLen(4)), Level: unix.SOL_SOCKET, Type: unix.SCM_RIGHTS},
		fd:      int32(fd),
	}
	th.Start(t, unix.SYS_SENDMSG, uintptr(th.remoteCtl), msg, 0)
	raw, err := th.ctl.SyscallConn()
	if err != nil {
		t.Fatalf("taking a descriptor: %v", err)
	}
	data, control := make([]byte, 1), make([]byte, unix.CmsgSpace(4))
	raw.Read(func(s uintptr) bool {
		_, _, _, _, err = unix.Recvmsg(int(s), data, control, unix.MSG_CMSG_CLOEXEC)
		return err != unix.EAGAIN
	})
	if err != nil {
		t.Fatalf("taking a descriptor: %v", err)
	}
	if _, err := th.Wait(t); err != nil {
		t.Fatalf("taking a descriptor: %v", err)
	}
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil || len(messages) != 1 {
		t.Fatalf("taking a descriptor: %v, %v", messages, err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		t.Fatalf("taking a descriptor: %v, %v", fds, err)
	}
	return fds[0]
}

// rightsControl is a control message with one descriptor.
type rightsControl struct {
	unix.Cmsghdr
	fd int32
}

// rightsMessage prepares, in the thread's scratch memory, a msghdr of one byte
// and one descriptor. It returns the address of the msghdr.
func (th *Thread) rightsMessage() (uintptr, *rightsControl) {
	const vec, data, control = 64, 80, 96
	at := th.Scratch()
	*Struct[unix.Iovec](at + vec) = unix.Iovec{Base: Struct[byte](at + data), Len: 1}
	*Struct[unix.Msghdr](at) = unix.Msghdr{
		Iov:        Struct[unix.Iovec](at + vec),
		Iovlen:     1,
		Control:    Struct[byte](at + control),
		Controllen: uint64(unix.CmsgSpace(4)),
	}
	return at, Struct[rightsControl](at + control)
}

// SetPatient makes Wait wait as long as it takes, for a thread that may have nothing to
// do, or no longer than Timeout again.
func (th *Thread) SetPatient(patient bool) {
	th.patient = patient
	th.ctl.SetReadDeadline(time.Time{})
}

// Start starts a system call, for which Wait waits.
func (th *Thread) Start(t testing.TB, nr uintptr, args ...uintptr) {
	t.Helper()
	th.slot.nr = nr
	th.slot.args = [6]uintptr{}
	copy(th.slot.args[:], args)
	th.slot.state = slotIdle
	if _, err := th.ctl.Write([]byte{0}); err != nil && !errors.Is(err, unix.EPIPE) {
		t.Fatalf("thread %d: %v", th.tid, err)
	}
}

// Wait waits for the system call that was started last and returns its result. The error
// is an errno or ErrGone.
func (th *Thread) Wait(t testing.TB) (uintptr, error) {
	t.Helper()
	n, err := th.wait()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("thread %d: system call %d%#x: no result after %v; state %q", th.tid, th.slot.nr, th.slot.args, Timeout, th.State())
	}
	return n, err
}

func (th *Thread) wait() (uintptr, error) {
	if !th.patient {
		th.ctl.SetReadDeadline(time.Now().Add(Timeout))
	}
	var bell [1]byte
	if _, err := th.ctl.Read(bell[:]); err != nil {
		if err == io.EOF || errors.Is(err, unix.ECONNRESET) {
			return 0, ErrGone
		}
		return 0, err
	}
	if ret := th.slot.ret; ret < 0 && ret >= -4095 {
		return 0, syscall.Errno(-ret)
	}
	return uintptr(th.slot.ret), nil
}

// Call makes a system call and returns its result.
func (th *Thread) Call(t testing.TB, nr uintptr, args ...uintptr) (uintptr, error) {
	t.Helper()
	th.Start(t, nr, args...)
	return th.Wait(t)
}

// Must makes a system call that must succeed.
func (th *Thread) Must(t testing.TB, nr uintptr, args ...uintptr) uintptr {
	t.Helper()
	n, err := th.Call(t, nr, args...)
	if err != nil {
		t.Fatalf("thread %d: system call %d%#x: %v", th.tid, nr, args, err)
	}
	return n
}

// AwaitBlocked returns when the thread sleeps in the system call that was
// started last. It fails the test if the call has ended.
func (th *Thread) AwaitBlocked(t testing.TB) {
	t.Helper()
	for deadline := time.Now().Add(Timeout); time.Now().Before(deadline); {
		// The thread does not sleep between the change of state and the system call, nor
		// between the call and the next change.
		before := atomic.LoadUint64(&th.slot.state)
		proc := th.State()
		switch after := atomic.LoadUint64(&th.slot.state); {
		case after == slotDone:
			t.Fatalf("thread %d: system call %d should block, but returned %d", th.tid, th.slot.nr, th.slot.ret)
		case before == slotInCall && proc == "S":
			return
		}
		unix.Nanosleep(&unix.Timespec{Nsec: 50_000}, nil)
	}
	t.Fatalf("thread %d: system call %d does not block", th.tid, th.slot.nr)
}

// State returns the thread's state from /proc/pid/stat, for example "S", or "" if it
// doesn't exist.
func (th *Thread) State() string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/stat", th.pid, th.tid))
	if err != nil {
		return ""
	}
	// The name, in parentheses, may contain anything.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) == 0 {
		return ""
	}
	return fields[0]
}

// ReadMemory returns the n bytes at address addr of the thread's process, or
// as many as can be read. The error is an errno.
func (th *Thread) ReadMemory(t testing.TB, addr uintptr, n int) ([]byte, error) {
	t.Helper()
	if n == 0 {
		return nil, nil
	}
	buf, release := alloc(n)
	defer release()
	n, err := th.viaArena(t, unix.SYS_PWRITE64, addr, buf, n)
	return bytes.Clone(Bytes(buf, n)), err
}

// WriteMemory writes data to address addr of the thread's process. The error
// is an errno.
func (th *Thread) WriteMemory(t testing.TB, addr uintptr, data []byte) error {
	t.Helper()
	buf, release := alloc(len(data))
	defer release()
	copy(Bytes(buf, len(data)), data)
	_, err := th.viaArena(t, unix.SYS_PREAD64, addr, buf, len(data))
	return err
}

// viaArena reads or writes memory of the thread's process to or from the arena, which
// serves as a file for that.
func (th *Thread) viaArena(t testing.TB, nr, addr, buf uintptr, n int) (int, error) {
	t.Helper()
	done, err := th.Call(t, nr, arenaFD, addr, uintptr(n), buf-arenaStart)
	return int(done), err
}

// Handle makes the thread's process catch signal sig with a handler that does
// nothing. Flags are those of sigaction(2).
func (th *Thread) Handle(t testing.TB, sig unix.Signal, flags uint64) {
	t.Helper()
	const saRestorer = 0x4000000
	*(*sigaction)(arenaPointer(th.Scratch())) = sigaction{
		handler:  handlerAddress(),
		flags:    flags | saRestorer,
		restorer: restorerAddress(),
	}
	th.Must(t, unix.SYS_RT_SIGACTION, uintptr(sig), th.Scratch(), 0, 8)
}

// Signal sends signal sig to the thread.
func (th *Thread) Signal(t testing.TB, sig unix.Signal) {
	t.Helper()
	if err := unix.Tgkill(th.pid, th.tid, sig); err != nil {
		t.Fatalf("tgkill(%d, %d, %v): %v", th.pid, th.tid, sig, err)
	}
}
