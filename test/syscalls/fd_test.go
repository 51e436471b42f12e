// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//covers:files
package syscalls

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/test/syscalls/remote"
)

// newFileServer starts a manager whose node accepts file descriptors.
func newFileServer(t *testing.T) *process {
	t.Helper()
	server := newProcess(t)
	server.becomeManagerWith(node(0, 0).withFlags(binder.FLAT_BINDER_FLAG_ACCEPTS_FDS))
	return server
}

// pipe creates a pipe.
func (th *thread) pipe() (r, w int) {
	th.t.Helper()
	at := th.Scratch()
	th.Must(th.t, unix.SYS_PIPE2, at, 0)
	b := remote.Bytes(at, 8)
	return int(b[0]) | int(b[1])<<8, int(b[4]) | int(b[5])<<8
}

// writeFile writes s to a descriptor.
func (th *thread) writeFile(fd int, s string) {
	th.t.Helper()
	require.EqualValues(th.t, len(s), th.Must(th.t, unix.SYS_WRITE, uintptr(fd), th.str(s), uintptr(len(s))))
}

// readFile returns the result of a read from a descriptor.
func (th *thread) readFile(fd int) string {
	th.t.Helper()
	n := th.Must(th.t, unix.SYS_READ, uintptr(fd), th.Scratch(), 100)
	return string(remote.Bytes(th.Scratch(), int(n)))
}

// inode returns what identifies the file of a descriptor.
func (th *thread) inode(fd int) [2]uint64 {
	th.t.Helper()
	th.Must(th.t, unix.SYS_FSTAT, uintptr(fd), th.Scratch())
	st := remote.Struct[unix.Stat_t](th.Scratch())
	return [2]uint64{st.Dev, st.Ino}
}

// A descriptor in a call becomes the receiver's descriptor for the same open file. It is
// close-on-exec, whatever it was for the sender.
func TestFile(t *testing.T) {
	for name, open := range map[string]func(th *thread) int{
		"pipe":   func(th *thread) int { r, _ := th.pipe(); return r },
		"file":   func(th *thread) int { return th.open("/proc/self/exe", unix.O_RDONLY) },
		"device": func(th *thread) int { return th.open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC) },
		"socket": func(th *thread) int {
			return int(th.Must(th.t, unix.SYS_SOCKET, unix.AF_UNIX, unix.SOCK_STREAM, 0))
		},
		"memfd": func(th *thread) int {
			return int(th.Must(th.t, unix.SYS_MEMFD_CREATE, th.str("x"), 0))
		},
		"eventfd":   func(th *thread) int { return int(th.Must(th.t, unix.SYS_EVENTFD2, 0, 0)) },
		"binder":    func(th *thread) int { return th.p.fd },
		"directory": func(th *thread) int { return th.open("/", unix.O_RDONLY|unix.O_DIRECTORY) },
		"epoll":     func(th *thread) int { return int(th.Must(th.t, unix.SYS_EPOLL_CREATE1, 0)) },
		"timerfd":   func(th *thread) int { return int(th.Must(th.t, unix.SYS_TIMERFD_CREATE, 0, 0)) },
		"inotify":   func(th *thread) int { return int(th.Must(th.t, unix.SYS_INOTIFY_INIT1, 0)) },
	} {
		t.Run(name, func(t *testing.T) {
			server, client := newFileServer(t), newProcess(t)
			fd := open(client.thread)
			client.write(bcTransaction{flags: oneWay, payload: payload{file(fd)}})
			got := server.expect(brNoop, &message{flags: oneWay, payload: payload{anyFile}}).message(t)
			require.Equal(t, client.inode(fd), server.inode(got.fd(0)))
			require.EqualValues(t, unix.FD_CLOEXEC, server.Must(t, unix.SYS_FCNTL, uintptr(got.fd(0)), unix.F_GETFD))
		})
	}
}

// What is written to a pipe can be read from its passed end.
func TestFileWorks(t *testing.T) {
	server, client := newFileServer(t), newProcess(t)
	r, w := client.pipe()
	client.write(bcTransaction{flags: oneWay, payload: payload{file(r)}})
	got := server.read().message(t)
	client.writeFile(w, "hello")
	require.Equal(t, "hello", server.readFile(got.fd(0)))
	// Freeing the buffer does not close it.
	server.write(got.free())
	client.writeFile(w, "again")
	require.Equal(t, "again", server.readFile(got.fd(0)))
}

// The sender may close its descriptor as soon as the transaction is made.
func TestFileClosedBySender(t *testing.T) {
	server, client := newFileServer(t), newProcess(t)
	r, w := client.pipe()
	client.write(bcTransaction{flags: oneWay, payload: payload{file(r)}})
	client.close(r)
	client.writeFile(w, "hello")
	require.Equal(t, "hello", server.readFile(server.read().message(t).fd(0)))
}

// Several descriptors arrive in order, among other objects.
func TestSeveralFiles(t *testing.T) {
	server, client := newFileServer(t), newProcess(t)
	r1, w1 := client.pipe()
	r2, w2 := client.pipe()
	client.write(bcTransaction{flags: oneWay, payload: payload{file(r1), node(0x10, 0), file(r2)}})
	got := server.expect(brNoop, &message{flags: oneWay, payload: payload{anyFile, handle(1), anyFile}}).message(t)
	client.writeFile(w1, "one")
	client.writeFile(w2, "two")
	require.Equal(t, "one", server.readFile(got.fd(0)))
	require.Equal(t, "two", server.readFile(got.fd(2)))
}

// The rest of the object is passed on, except its flags, which are padding.
func TestFileObjectFields(t *testing.T) {
	server, client := newFileServer(t), newProcess(t)
	o := file(0).withFlags(0x1234)
	o.Cookie = 0x5678
	client.write(bcTransaction{flags: oneWay, payload: payload{o}})
	got := server.read().message(t)
	want := "{FD flags=0x0 cookie=0x5678}"
	if differs(t, onPadding) {
		want = "{FD flags=0x1234 cookie=0x5678}"
	}
	require.Equal(t, want, describe(got.data, got.offsets))
}

// A node that doesn't accept descriptors gets none.
//
//covers:files,flags
func TestFileNotAccepted(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.write(bcTransaction{flags: binder.TF_ACCEPT_FDS, payload: payload{file(0)}})
	client.expect(brNoop, brFailedReply)
	server.expectNothing()
}

// A reply may contain descriptors if the call said so.
//
//covers:files,flags
func TestFileInReply(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	r, w := server.pipe()
	client.start(readSize, bcTransaction{flags: binder.TF_ACCEPT_FDS})
	server.read()
	server.write(bcReply{payload: payload{file(r)}})
	got := client.finishExpect(brNoop, brTransactionComplete, &message{reply: true, payload: payload{anyFile}}).message(t)
	server.writeFile(w, "hello")
	require.Equal(t, "hello", client.readFile(got.fd(0)))
}

// Otherwise the call fails.
//
//covers:files,flags
func TestFileInReplyNotAccepted(t *testing.T) {
	server, client := newFileServer(t), newProcess(t)
	client.start(readSize, bcTransaction{})
	server.read()
	server.write(bcReply{payload: payload{file(0)}})
	server.expect(brNoop, brTransactionComplete)
	client.finishExpect(brNoop, brTransactionComplete, brFailedReply)
}

// A descriptor that the sender lacks is an error; what was sent with it is undone.
func TestBadFile(t *testing.T) {
	for name, fd := range map[string]int{"not open": 77, "negative": -1, "least": -1 << 31} {
		t.Run(name, func(t *testing.T) {
			server, client := newFileServer(t), newProcess(t)
			client.write(bcTransaction{payload: payload{file(0), file(fd)}})
			client.expect(brNoop, brFailedReply)
			server.expectNothing()
		})
	}
}

// A descriptor that only names a file can't be passed.
func TestPathOnlyFile(t *testing.T) {
	server, client := newFileServer(t), newProcess(t)
	fd := client.open("/", unix.O_PATH)
	client.write(bcTransaction{payload: payload{file(0), file(fd)}})
	client.expect(brNoop, brFailedReply)
	server.expectNothing()
}

// limitFiles makes the thread's process unable to open any more files.
func (th *thread) limitFiles() {
	th.t.Helper()
	fd := th.Must(th.t, unix.SYS_DUP, 0)
	th.close(int(fd))
	*remote.Struct[unix.Rlimit](th.Scratch()) = unix.Rlimit{Cur: uint64(fd), Max: 4096}
	th.Must(th.t, unix.SYS_SETRLIMIT, unix.RLIMIT_NOFILE, th.Scratch())
}

// A call with more descriptors than its receiver may open fails when it is received. The
// receiver gets none of them.
func TestTooManyFiles(t *testing.T) {
	server, client := newFileServer(t), newProcess(t)
	server.limitFiles()
	client.startWriteRead(bcTransaction{code: 1, payload: payload{file(0)}})
	server.setNonblock(true)
	require.Equal(t, unix.EAGAIN, server.writeRead(readSize).err)
	server.setNonblock(false)
	client.finishExpect(brNoop, brTransactionComplete, brFailedReply)
	client.call(server.thread, bcTransaction{}, nil)
}

// The same for a reply.
func TestTooManyFilesInReply(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.limitFiles()
	client.start(readSize, bcTransaction{flags: binder.TF_ACCEPT_FDS})
	server.read()
	server.write(bcReply{payload: payload{file(0)}})
	server.expect(brNoop, brTransactionComplete)
	if differs(t, onLostReply) {
		client.finishExpect(brNoop, brTransactionComplete)
		return
	}
	client.finishExpect(brNoop, brTransactionComplete, brFailedReply)
}

// A descriptor in flight keeps its file open, and no longer than that.
func TestFileInFlight(t *testing.T) {
	for name, end := range map[string]func(server, client *process){
		"receiver dies":           func(server, client *process) { server.kill() },
		"receiver closes":         func(server, client *process) { server.munmap(); server.close(server.fd) },
		"received, then it dies":  func(server, client *process) { server.read(); server.kill() },
		"received, then it frees": nil,
	} {
		t.Run(name, func(t *testing.T) {
			server, client := newFileServer(t), newProcess(t)
			// Only the transaction holds the pipe's writing end.
			r, w := client.pipe()
			client.write(bcTransaction{flags: oneWay, payload: payload{file(w)}})
			client.close(w)
			client.startPollFD(r, unix.POLLIN, 0)
			require.Zero(t, client.finishPoll())
			if end == nil {
				got := server.read().message(t)
				server.write(got.free())
				server.close(got.fd(0))
			} else {
				end(server, client)
			}
			require.Equal(t, "", client.readFile(r))
		})
	}
}

// A failed transaction closes its descriptors.
func TestFileInFailedTransaction(t *testing.T) {
	newFileServer(t)
	client := newProcess(t)
	r, w := client.pipe()
	client.write(bcTransaction{flags: oneWay, payload: payload{file(w), handle(99)}})
	client.expect(brNoop, brFailedReply)
	client.close(w)
	require.Equal(t, "", client.readFile(r))
}

// The receiver can use a passed binder descriptor no more than any other copy.
//
//covers:files,inherit
func TestPassedBinder(t *testing.T) {
	server, client := newFileServer(t), newProcess(t)
	client.write(bcTransaction{flags: oneWay, payload: payload{file(client.fd)}})
	got := server.read().message(t)
	server.fd = got.fd(0)
	_, err := server.tryMmap(server.fd, mapSize, unix.PROT_READ, unix.MAP_PRIVATE)
	require.Equal(t, unix.EINVAL, err)
	// It keeps the open file alive.
	client.kill()
	_, err = server.ioctlBytes(binder.BINDER_VERSION, make([]byte, 4))
	require.NoError(t, err)
	if !differs(t, onOpener) {
		require.Equal(t, unix.EINVAL, server.writeRead(0, bcEnterLooper).err)
	}
}
