// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package syscalls holds the conformance tests of the binder driver. The same
// binary runs in the sandbox and on Linux's own two drivers, in C and in Rust,
// and expects the same of each; see differs for the exceptions.
//
// Each test starts the processes it needs (see package remote), so that they
// can block, fork, and be killed, and specifies what they write to the driver
// and exactly what they read.
package syscalls

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/test/syscalls/remote"
)

// mustRun makes the lack of a device an error.
var mustRun = flag.Bool("must-run", false, "fail, rather than do nothing, on a machine without binder devices")

func TestMain(m *testing.M) {
	flag.Parse()
	if _, err := os.Stat(defaultDevice); errors.Is(err, fs.ErrNotExist) && !*mustRun {
		fmt.Println("nothing was tested: there is no", defaultDevice, "on this machine")
		os.Exit(0)
	}
	undo := findStats()
	status := remote.Main(m)
	undo()
	os.Exit(status)
}

// defaultDevice is the device of tests for which any will do.
const defaultDevice = "/dev/binder"

// mapSize is the size of the mapping of a process, in bytes.
const mapSize = 128 << 10

// readSize is the size of the buffer for returns, in bytes.
const readSize = 4096

// A process is a process that has opened a device and mapped it. It embeds
// its main thread.
type process struct {
	*thread
	remote *remote.Process
	fd     int

	// The mapping. Its size is 0 if there is none.
	mapStart uintptr
	mapSize  int
}

// A thread is a thread of a process.
type thread struct {
	*remote.Thread
	t testing.TB
	p *process
}

// newBareProcess starts a process that does not use binder yet.
func newBareProcess(t testing.TB) *process {
	t.Helper()
	watchCounters(t)
	return wrap(t, remote.NewProcess(t))
}

func wrap(t testing.TB, rp *remote.Process) *process {
	p := &process{remote: rp, fd: -1}
	p.thread = &thread{Thread: rp.Thread, t: t, p: p}
	return p
}

// newProcess starts a process that has opened and mapped the default device and whose
// main thread is a looper: it handles the process's work.
func newProcess(t testing.TB) *process {
	t.Helper()
	p := newBareProcess(t)
	p.connect(defaultDevice)
	return p
}

// connect opens and maps a device and makes the main thread a looper.
func (p *process) connect(device string) {
	p.t.Helper()
	p.fd = p.open(device, unix.O_RDWR|unix.O_CLOEXEC)
	p.mmap(mapSize)
	p.write(bcEnterLooper)
}

// newManager starts a process that is the context manager of the default
// device.
func newManager(t testing.TB) *process {
	t.Helper()
	p := newProcess(t)
	p.becomeManager()
	return p
}

// becomeManager makes the process the context manager. The previous one may still be
// exiting.
func (p *process) becomeManager() {
	p.t.Helper()
	eventually(p.t, "the device has no context manager", func() bool {
		err := p.ioctl(binder.BINDER_SET_CONTEXT_MGR, 0)
		if err != unix.EBUSY {
			require.NoError(p.t, err, "BINDER_SET_CONTEXT_MGR")
		}
		return err == nil
	})
}

// becomeManagerWith is becomeManager with the node that o describes.
func (p *process) becomeManagerWith(o object) {
	p.t.Helper()
	eventually(p.t, "the device has no context manager", func() bool {
		_, err := p.ioctlBytes(binder.BINDER_SET_CONTEXT_MGR_EXT, o.encode())
		if err != unix.EBUSY {
			require.NoError(p.t, err, "BINDER_SET_CONTEXT_MGR_EXT")
		}
		return err == nil
	})
}

// eventually polls for a condition that nothing announces.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(remote.Timeout); ; {
		if cond() {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not reached: %s", what)
		}
		unix.Nanosleep(&unix.Timespec{Nsec: 1_000_000}, nil)
	}
}

// pid returns the process ID.
func (p *process) pid() int { return p.remote.PID() }

// kill ends the process with SIGKILL.
func (p *process) kill() {
	p.t.Helper()
	p.remote.Kill(p.t)
}

// newBareThread starts another thread in the process, which the driver does not know yet.
func (p *process) newBareThread() *thread {
	p.t.Helper()
	return &thread{Thread: p.remote.NewThread(p.t), t: p.t, p: p}
}

// newThread starts another thread in the process. It is not a looper, and has made its
// first ioctl, in which a thread does not block.
func (p *process) newThread() *thread {
	p.t.Helper()
	th := p.newBareThread()
	th.write()
	return th
}

// newLooper starts another thread in the process, which is a looper.
func (p *process) newLooper() *thread {
	p.t.Helper()
	th := p.newBareThread()
	th.write(bcEnterLooper)
	return th
}

// fork returns a child of the process. It has its descriptors, but no mapping.
func (p *process) fork() *process {
	p.t.Helper()
	child := wrap(p.t, p.remote.Fork(p.t))
	child.fd = p.fd
	return child
}

// again returns the same process with another open file of the default device and a
// mapping of it. To the driver it is another process with the same ID.
func (p *process) again() *process {
	p.t.Helper()
	other := wrap(p.t, p.remote)
	other.connect(defaultDevice)
	return other
}

// as returns the thread for use in t, another test or a subtest of the one that started
// it.
func (th *thread) as(t testing.TB) *thread { return &thread{Thread: th.Thread, t: t, p: th.p} }

// as returns the process for use in t.
func (p *process) as(t testing.TB) *process {
	q := *p
	q.thread = p.thread.as(t)
	q.thread.p = &q
	return &q
}

// str stores a NUL-terminated string where system calls can find it.
func (th *thread) str(s string) uintptr {
	at := th.Scratch()
	copy(remote.Bytes(at, len(s)+1), s+"\x00")
	return at
}

// atCWD is AT_FDCWD. Not every architecture has the system calls that take a path alone.
const atCWD = ^uintptr(99)

// open opens a file, which must succeed.
func (th *thread) open(path string, flags int) int {
	th.t.Helper()
	fd, err := th.tryOpen(path, flags)
	require.NoError(th.t, err, "open %s", path)
	return fd
}

func (th *thread) tryOpen(path string, flags int) (int, error) {
	th.t.Helper()
	fd, err := th.Call(th.t, unix.SYS_OPENAT, atCWD, th.str(path), uintptr(flags), 0)
	return int(fd), err
}

// close closes a descriptor.
func (th *thread) close(fd int) {
	th.t.Helper()
	th.Must(th.t, unix.SYS_CLOSE, uintptr(fd))
}

// mmap maps the process's device, which must succeed.
func (p *process) mmap(size int) {
	p.t.Helper()
	addr, err := p.tryMmap(p.fd, size, unix.PROT_READ, unix.MAP_PRIVATE)
	require.NoError(p.t, err, "mmap")
	p.mapStart, p.mapSize = addr, size
}

// tryMmap maps size bytes of the file fd.
func (th *thread) tryMmap(fd, size, prot, flags int) (uintptr, error) {
	th.t.Helper()
	return th.Call(th.t, unix.SYS_MMAP, 0, uintptr(size), uintptr(prot), uintptr(flags), uintptr(fd), 0)
}

// pageSize is the size of a page, which on arm64 may be more than 4 KiB.
var pageSize = uintptr(unix.Getpagesize())

// pageEdge returns the address of the end of a readable and writable page, beyond which
// nothing is accessible.
func (th *thread) pageEdge() uintptr {
	th.t.Helper()
	page := th.Must(th.t, unix.SYS_MMAP, 0, 2*pageSize, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANON, ^uintptr(0), 0)
	th.Must(th.t, unix.SYS_MUNMAP, page+pageSize, pageSize)
	return page + pageSize
}

// munmap removes the process's mapping.
func (p *process) munmap() {
	p.t.Helper()
	p.Must(p.t, unix.SYS_MUNMAP, p.mapStart, uintptr(p.mapSize))
	p.mapSize = 0
}

// ioctl makes an ioctl system call on the process's device.
func (th *thread) ioctl(request, arg uintptr) error {
	th.t.Helper()
	_, err := th.Call(th.t, unix.SYS_IOCTL, uintptr(th.p.fd), request, arg)
	return err
}

// ioctlBytes makes an ioctl whose argument is initially arg, and returns the argument's
// contents afterwards.
func (th *thread) ioctlBytes(request uintptr, arg []byte) ([]byte, error) {
	th.t.Helper()
	at := th.Scratch()
	b := remote.Bytes(at, len(arg))
	copy(b, arg)
	err := th.ioctl(request, at)
	return append([]byte(nil), b...), err
}

// setMaxThreads makes the driver ask for up to n threads.
func (th *thread) setMaxThreads(n uint32) {
	th.t.Helper()
	_, err := th.ioctlBytes(binder.BINDER_SET_MAX_THREADS, []byte(words(n)))
	require.NoError(th.t, err, "BINDER_SET_MAX_THREADS")
}

// A result is the outcome of BINDER_WRITE_READ.
type result struct {
	err           error
	writeSize     int
	writeConsumed int
	readConsumed  int
	returns       returns
}

// The layout of the scratch memory during BINDER_WRITE_READ: the argument, the read
// buffer, and then whatever is written.
const (
	bwrOffset   = 0
	readOffset  = 64
	writeOffset = readOffset + readSize
)

func (th *thread) bwr() []byte { return remote.Bytes(th.Scratch()+bwrOffset, binder.SizeOfWriteRead) }

// start starts a BINDER_WRITE_READ that writes cmds and reads into a buffer of
// readSize bytes.
func (th *thread) start(readSize int, cmds ...command) {
	th.t.Helper()
	base := th.Scratch()
	m := &memory{next: base + writeOffset, end: base + remote.ScratchSize}
	b := encodeCommands(cmds, m)
	th.startRaw(binder.WriteRead{
		WriteSize:   uint64(len(b)),
		WriteBuffer: uint64(m.put(b)),
		ReadSize:    uint64(readSize),
		ReadBuffer:  uint64(base + readOffset),
	})
}

// startRaw starts a BINDER_WRITE_READ with argument bwr.
func (th *thread) startRaw(bwr binder.WriteRead) {
	th.t.Helper()
	bwr.MarshalBytes(th.bwr())
	th.Start(th.t, unix.SYS_IOCTL, uintptr(th.p.fd), binder.BINDER_WRITE_READ, th.Scratch()+bwrOffset)
}

// finish waits for the BINDER_WRITE_READ that start started.
func (th *thread) finish() result {
	th.t.Helper()
	_, err := th.Wait(th.t)
	var bwr binder.WriteRead
	bwr.UnmarshalBytes(th.bwr())
	r := result{
		err:           err,
		writeSize:     int(bwr.WriteSize),
		writeConsumed: int(bwr.WriteConsumed),
		readConsumed:  int(bwr.ReadConsumed),
	}
	if !errors.Is(err, remote.ErrGone) && bwr.ReadConsumed <= bwr.ReadSize && bwr.ReadSize <= readSize {
		got := append([]byte(nil), remote.Bytes(th.Scratch()+readOffset, r.readConsumed)...)
		r.returns = th.parse(got)
	}
	return r
}

// writeRead makes a BINDER_WRITE_READ.
func (th *thread) writeRead(readSize int, cmds ...command) result {
	th.t.Helper()
	th.start(readSize, cmds...)
	return th.finish()
}

// ok checks that a BINDER_WRITE_READ succeeded completely.
func (r result) ok(t testing.TB) returns {
	t.Helper()
	require.NoError(t, r.err, "BINDER_WRITE_READ, after returns:\n%s", r.returns)
	require.Equal(t, r.writeSize, r.writeConsumed, "bytes consumed")
	return r.returns
}

// write writes commands, which must succeed.
func (th *thread) write(cmds ...command) {
	th.t.Helper()
	th.writeRead(0, cmds...).ok(th.t)
}

// read returns the result of the next read, which must succeed.
func (th *thread) read() returns {
	th.t.Helper()
	return th.writeRead(readSize).ok(th.t)
}

// expect reads and checks that the returns are exactly want.
func (th *thread) expect(want ...br) returns {
	th.t.Helper()
	got := th.read()
	expect(th.t, got, want...)
	return got
}

// expectInReads reads until it has as many returns as want, not counting BR_NOOP, and
// checks that they are want, in this order. It is for returns that may take one read or
// several.
func (th *thread) expectInReads(want ...br) {
	th.t.Helper()
	var got returns
	for len(got) < len(want) {
		rs := th.read()
		require.Equal(th.t, brNoop, rs[0])
		got = append(got, rs[1:]...)
	}
	expect(th.t, got, want...)
}

// startRead starts a read that must block, and returns when it does.
func (th *thread) startRead() {
	th.t.Helper()
	th.start(readSize)
	th.AwaitBlocked(th.t)
}

// startWriteRead starts a write and read whose read must block, and returns when it does.
func (th *thread) startWriteRead(cmds ...command) {
	th.t.Helper()
	th.start(readSize, cmds...)
	th.AwaitBlocked(th.t)
}

// finishExpect waits for the read that was started and checks that the returns
// are exactly want.
func (th *thread) finishExpect(want ...br) returns {
	th.t.Helper()
	got := th.finish().ok(th.t)
	expect(th.t, got, want...)
	return got
}

// setNonblock sets or clears O_NONBLOCK of the process's device.
func (th *thread) setNonblock(on bool) {
	th.t.Helper()
	var flags uintptr = unix.O_RDWR
	if on {
		flags |= unix.O_NONBLOCK
	}
	th.Must(th.t, unix.SYS_FCNTL, uintptr(th.p.fd), unix.F_SETFL, flags)
}

// expectNothing checks that there is nothing for the thread to read.
func (th *thread) expectNothing() {
	th.t.Helper()
	th.setNonblock(true)
	r := th.writeRead(readSize)
	th.setNonblock(false)
	require.Equal(th.t, unix.EAGAIN, r.err, "nothing should be there to read, but there is:\n%s", r.returns)
}

// call makes a synchronous transaction to a server that waits for it in
// thread server, which answers with reply and frees its buffer.
func (th *thread) call(server *thread, tr bcTransaction, reply payload) (request, answer *message) {
	th.t.Helper()
	th.start(readSize, tr)
	request = server.read().message(th.t)
	server.write(bcReply{payload: reply}, request.free())
	complete := server.read()
	require.Equal(th.t, brTransactionComplete, complete[len(complete)-1])
	answer = th.finish().ok(th.t).message(th.t)
	return request, answer
}

// give makes owner, which is the context manager, give to a new node and returns the
// handle. The handle has one strong and one weak reference, and the owner has
// acknowledged them; nothing else remains.
func (owner *process) give(to *process, ptr, cookie uint64) uint32 {
	owner.t.Helper()
	return owner.giveObject(to, node(ptr, cookie))
}

func (owner *process) giveObject(to *process, o object) uint32 {
	owner.t.Helper()
	to.start(readSize, bcTransaction{handle: 0})
	request := owner.read().message(owner.t)
	owner.write(bcReply{payload: payload{o}}, request.free())
	owner.expect(brNoop, brIncrefs(o.Binder, o.Cookie), brAcquire(o.Binder, o.Cookie), brTransactionComplete)
	answer := to.finish().ok(to.t).message(to.t)
	h := answer.handle(0)
	to.write(bcIncrefs(h), bcAcquire(h), answer.free())
	owner.write(bcIncrefsDone(o.Binder, o.Cookie), bcAcquireDone(o.Binder, o.Cookie))
	return h
}

// poll returns the events that poll(2) reports at once for the process's device.
func (th *thread) poll(events int16) int16 {
	th.t.Helper()
	th.startPoll(events, 0)
	return th.finishPoll()
}

// startPoll starts a poll(2) with a timeout in milliseconds.
func (th *thread) startPoll(events int16, timeout int) {
	th.t.Helper()
	th.startPollFD(th.p.fd, events, timeout)
}

func (th *thread) startPollFD(fd int, events int16, timeout int) {
	th.t.Helper()
	at := th.Scratch()
	*remote.Struct[unix.PollFd](at) = unix.PollFd{Fd: int32(fd), Events: events}
	th.Start(th.t, unix.SYS_PPOLL, at, 1, th.timespec(timeout), 0, 0)
}

func (th *thread) finishPoll() int16 {
	th.t.Helper()
	n, err := th.Wait(th.t)
	require.NoError(th.t, err, "poll")
	revents := remote.Struct[unix.PollFd](th.Scratch()).Revents
	require.Equal(th.t, revents != 0, n == 1)
	return revents
}

// timespec stores a timeout of ms milliseconds, or none if it is negative, where system
// calls can find it.
func (th *thread) timespec(ms int) uintptr {
	if ms < 0 {
		return 0
	}
	at := th.Scratch() + 64
	*remote.Struct[unix.Timespec](at) = unix.NsecToTimespec(int64(ms) * 1e6)
	return at
}

// Whether the driver is one of Linux's own.
var (
	isC    = exists("/sys/module/binder_linux") || exists("/sys/module/binder")
	isRust = exists("/sys/module/rust_binder")
)

// inSandbox returns whether the test runs in a sandbox, for what docs/conformance.md
// lists as different there.
func inSandbox() bool { return !isC && !isRust }

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// setUser changes the real, effective and saved user ID of a thread.
func (th *thread) setUser(uid int) {
	th.t.Helper()
	th.Must(th.t, unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid))
}
