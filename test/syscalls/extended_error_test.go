// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//covers:extended-error
package syscalls

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
)

// extendedError returns the thread's last failure, and makes the driver forget
// it.
func (th *thread) extendedError() binder.ExtendedError {
	th.t.Helper()
	got, err := th.ioctlBytes(binder.BINDER_GET_EXTENDED_ERROR, words(0xdeadbeef, 0xdeadbeef, 0xdeadbeef).encode())
	require.NoError(th.t, err, "BINDER_GET_EXTENDED_ERROR")
	var e binder.ExtendedError
	e.UnmarshalBytes(got)
	return e
}

// expectError checks the result of the thread's last transaction: the return, and the
// errno.
func (th *thread) expectError(want plainReturn, errno unix.Errno) {
	th.t.Helper()
	e := th.extendedError()
	require.Equal(th.t, want.String(), plainReturn(e.Command).String())
	require.Equal(th.t, errno, unix.Errno(-e.Param))
	require.NotZero(th.t, e.ID, "number")
}

// A thread that has made no transaction has had no failure.
func TestExtendedErrorFirst(t *testing.T) {
	p := newProcess(t)
	for _, th := range []*thread{p.thread, p.newThread(), p.newBareThread()} {
		e := th.extendedError()
		if !differs(t, onErrorNumber) {
			require.Zero(t, e.ID)
		}
		require.Equal(t, brOK, plainReturn(e.Command))
		require.Zero(t, e.Param)
	}
}

// badData makes a transaction's data unreadable.
func badData(tr *binder.TransactionData) { tr.Buffer, tr.DataSize = badAddress, 8 }

// bury kills server and waits until client, which has a handle to it, is notified: until
// then, Linux may know that the process is dead, but not yet that the node is.
func bury(server, client *process) {
	client.write(bcRequestDeath(server.give(client, 0x10, 0), 1))
	client.startRead()
	server.kill()
	client.finishExpect(brNoop, brDeadBinder(1))
	client.write(bcDeadBinderDone(1))
}

// sizes returns an edit of a transaction that sets its sizes.
func sizes(data, offsets uint64) func(*binder.TransactionData) {
	return func(tr *binder.TransactionData) { tr.DataSize, tr.OffsetsSize = data, offsets }
}

// The return and an errno tell how a transaction failed.
func TestExtendedError(t *testing.T) {
	for _, tc := range []struct {
		name    string
		prepare func(server, client *process)
		tr      bcTransaction
		want    plainReturn
		errno   unix.Errno
		rust    unix.Errno // if not errno
	}{
		{"unknown handle", nil, bcTransaction{handle: 9}, brFailedReply, unix.EINVAL, unix.ENOENT},
		{"unknown handle, one-way", nil, bcTransaction{handle: 9, flags: oneWay}, brFailedReply, unix.EINVAL, unix.ENOENT},
		{"weak handle", func(server, client *process) {
			client.write(bcRelease(server.give(client, 0x10, 0)))
		}, bcTransaction{handle: 1}, brFailedReply, unix.EINVAL, 0},
		{"no manager", bury, bcTransaction{}, brDeadReply, unix.EINVAL, 0},
		{"dead node", bury, bcTransaction{handle: 1}, brDeadReply, unix.EINVAL, 0},
		{"no mapping", func(server, _ *process) { server.munmap() }, bcTransaction{}, brDeadReply, unix.ESRCH, 0},
		{"waits already", func(_, client *process) { client.write(bcTransaction{}) },
			bcTransaction{}, brFailedReply, unix.EPROTO, unix.EINVAL},
		{"no space", func(server, client *process) {
			receive(server, client, mapSize-4096)
			receive(server, client, 4096)
		}, bcTransaction{}, brFailedReply, unix.ENOSPC, 0},
		{"no space for one-way", func(_, client *process) {
			client.write(bcTransaction{flags: oneWay, payload: payload{space(mapSize / 2)}})
			client.expect(brNoop, brTransactionComplete)
		}, bcTransaction{flags: oneWay}, brFailedReply, unix.ENOSPC, 0},
		{"too large", nil, bcTransaction{edit: sizes(mapSize+1, 0)}, brFailedReply, unix.ENOSPC, 0},
		{"huge", nil, bcTransaction{edit: sizes(^uint64(8), 0)}, brFailedReply, unix.ENOSPC, 0},
		{"huge, unaligned", nil, bcTransaction{edit: sizes(^uint64(0), 0)}, brFailedReply, unix.EINVAL, 0},
		{"sum overflows", nil, bcTransaction{edit: sizes(1<<63, 1<<63)}, brFailedReply, unix.EINVAL, unix.ENOMEM},
		{"data unreadable", nil, bcTransaction{edit: badData}, brFailedReply, unix.EFAULT, 0},
		{"data before an object unreadable", nil, bcTransaction{payload: payload{text("1234"), handle(9)},
			edit: func(tr *binder.TransactionData) { tr.Buffer = badAddress }}, brFailedReply, unix.EFAULT, 0},
		{"object unreadable", nil, bcTransaction{payload: payload{handle(9)},
			edit: func(tr *binder.TransactionData) { tr.Buffer = badAddress }}, brFailedReply, unix.EINVAL, unix.EFAULT},
		{"offsets unreadable", nil, bcTransaction{
			edit: func(tr *binder.TransactionData) { tr.Offsets, tr.OffsetsSize = badAddress, 8 }}, brFailedReply, unix.EFAULT, 0},
		{"offsets size not a multiple", nil, bcTransaction{payload: payload{node(0x10, 0)}, edit: sizes(24, 7)}, brFailedReply, unix.EINVAL, 0},
		{"type unknown", nil, bcTransaction{payload: payload{object{Type: 1}}}, brFailedReply, unix.EINVAL, 0},
		{"object cut short", nil, bcTransaction{payload: payload{node(0x10, 0)}, edit: sizes(20, 8)}, brFailedReply, unix.EINVAL, unix.EFAULT},
		{"object of unknown handle", nil, bcTransaction{payload: payload{handle(9)}}, brFailedReply, unix.EINVAL, unix.ENOENT},
		{"object of unknown weak handle", nil, bcTransaction{payload: payload{weakHandle(9)}}, brFailedReply, unix.EINVAL, unix.ENOENT},
		{"node with another cookie", nil, bcTransaction{payload: payload{node(0x10, 0), node(0x10, 1)}}, brFailedReply, unix.EINVAL, 0},
		{"file not accepted", nil, bcTransaction{payload: payload{file(0)}}, brFailedReply, unix.EPERM, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server, client := newManager(t), newProcess(t)
			if tc.prepare != nil {
				tc.prepare(server, client)
			}
			client.write(tc.tr)
			errno := tc.errno
			if tc.rust != 0 && differs(t, onErrno) {
				errno = tc.rust
			}
			if tc.want == brDeadReply && differs(t, onNoError) {
				if errno != unix.ESRCH {
					client.expectError(brOK, 0)
					return
				}
				tc.want = brFailedReply
			}
			// It is available before the failure is read.
			client.expectError(tc.want, errno)
			got := client.read()
			require.Equal(t, tc.want, got[len(got)-1])
		})
	}
}

// A descriptor that the sender lacks has its own error.
func TestExtendedErrorOfBadFile(t *testing.T) {
	newFileServer(t)
	client := newProcess(t)
	client.write(bcTransaction{payload: payload{file(77)}})
	client.expect(brNoop, brFailedReply)
	client.expectError(brFailedReply, unix.EBADF)
}

// What the context manager sends to itself fails.
func TestExtendedErrorOfCallToItself(t *testing.T) {
	server := newManager(t)
	server.write(bcTransaction{})
	server.expect(brNoop, brFailedReply)
	server.expectError(brFailedReply, unix.EINVAL)
}

// failCall makes the thread's call fail with EINVAL, and reads that.
func (th *thread) failCall() {
	th.t.Helper()
	th.write(bcTransaction{payload: payload{object{Type: 1}}})
	th.expect(brNoop, brFailedReply)
}

// Each transaction, replies included, clears the failure of the previous one, and
// records its own number.
func TestExtendedErrorAfterSuccess(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.failCall()
	server.write(bcReply{})
	server.expect(brNoop, brFailedReply)
	client.call(server.thread, bcTransaction{}, nil)
	for _, th := range []*thread{client.thread, server.thread} {
		th.expectError(brOK, 0)
		require.Equal(t, binder.ExtendedError{Command: binder.BR_OK}, th.extendedError())
	}
	client.failCall()
	client.write(bcTransaction{flags: oneWay})
	client.expectError(brOK, 0)
}

// Numbers grow.
func TestExtendedErrorID(t *testing.T) {
	newManager(t)
	client := newProcess(t)
	var last uint32
	for range 3 {
		client.failCall()
		e := client.extendedError()
		require.Greater(t, e.ID, last)
		last = e.ID
	}
}

// The failure is cleared once it was requested, even if it could not be copied out.
func TestExtendedErrorIsForgotten(t *testing.T) {
	newManager(t)
	client := newProcess(t)
	for _, at := range []uintptr{0, badAddress, 1 << 63} {
		client.failCall()
		require.Equal(t, unix.EFAULT, client.ioctl(binder.BINDER_GET_EXTENDED_ERROR, at))
		require.Equal(t, binder.ExtendedError{Command: binder.BR_OK}, client.extendedError())
	}
}

// Each thread has its own failures; a thread that exits loses them.
func TestExtendedErrorIsTheThreads(t *testing.T) {
	newManager(t)
	client := newProcess(t)
	client.failCall()
	other := client.newThread()
	require.Equal(t, brOK, plainReturn(other.extendedError().Command))
	require.NoError(t, client.ioctl(binder.BINDER_THREAD_EXIT, 0))
	require.Equal(t, brOK, plainReturn(client.extendedError().Command))
}

// A reply without a call is the replier's error.
func TestExtendedErrorOfReplyToNothing(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.start(readSize, bcTransaction{})
	server.read()
	other := server.newThread()
	other.write(bcReply{})
	other.expect(brNoop, brFailedReply)
	errno := unix.EPROTO
	if differs(t, onErrno) {
		errno = unix.EINVAL
	}
	other.expectError(brFailedReply, errno)
}

// A failed reply is the caller's error, not the replier's.
func TestExtendedErrorOfFailingReply(t *testing.T) {
	for _, tc := range []struct {
		name    string
		prepare func(client *process)
		reply   bcReply
		want    plainReturn
		errno   unix.Errno
	}{
		{"data unreadable", func(*process) {}, bcReply{edit: badData}, brFailedReply, unix.EFAULT},
		{"type unknown", func(*process) {}, bcReply{payload: payload{object{Type: 1}}}, brFailedReply, unix.EINVAL},
		{"file not accepted", func(*process) {}, bcReply{payload: payload{file(0)}}, brFailedReply, unix.EPERM},
		{"too large", func(*process) {}, bcReply{payload: payload{space(5000)}, edit: func(tr *binder.TransactionData) { tr.DataSize = mapSize + 1 }}, brFailedReply, unix.ENOSPC},
		{"no mapping", func(client *process) { client.munmap() }, bcReply{}, brDeadReply, unix.ESRCH},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server, client := newManager(t), newProcess(t)
			client.write(bcTransaction{})
			client.expectError(brOK, 0)
			tc.prepare(client)
			server.read()
			server.write(tc.reply)
			server.expect(brNoop, brTransactionComplete)
			replied := server.extendedError()
			require.Equal(t, brOK, plainReturn(replied.Command))
			if tc.want == brDeadReply && differs(t, onNoMapping) {
				tc.want = brFailedReply
			}
			client.expect(brNoop, brTransactionComplete, tc.want)
			e := client.extendedError()
			require.Equal(t, binder.ExtendedError{ID: replied.ID, Command: uint32(tc.want), Param: -int32(tc.errno)}, e)
		})
	}
}

// In a chain, it is the error of whoever waits for that very reply.
func TestExtendedErrorInAChain(t *testing.T) {
	manager, client, h := newPeers(t)
	client.write(bcTransaction{code: 1})
	manager.read()
	manager.write(bcTransaction{handle: h})
	client.read()
	client.write(bcReply{edit: badData})
	client.expectError(brOK, 0)
	manager.expect(brNoop, brTransactionComplete, brFailedReply)
	manager.expectError(brFailedReply, unix.EFAULT)
}

// The failure of its call doesn't replace an error that the caller has not yet requested.
func TestExtendedErrorIsKept(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.write(bcTransaction{})
	client.write(bcTransaction{handle: 0, flags: oneWay, payload: payload{file(0)}})
	client.expect(brNoop, brTransactionComplete, brFailedReply)
	server.read()
	server.write(bcReply{edit: badData})
	server.expect(brNoop, brTransactionComplete)
	client.expect(brNoop, brFailedReply)
	client.expectError(brFailedReply, unix.EPERM)
}

// The death of the other side is no error.
func TestExtendedErrorOfDeath(t *testing.T) {
	t.Run("before it reads", func(t *testing.T) {
		server, client := newManager(t), newProcess(t)
		client.startWriteRead(bcTransaction{})
		server.kill()
		client.finishExpect(brNoop, brTransactionComplete, brDeadReply)
		client.expectError(brOK, 0)
	})
	t.Run("before it replies", func(t *testing.T) {
		server, client := newManager(t), newProcess(t)
		client.start(readSize, bcTransaction{})
		server.read()
		server.kill()
		client.finishExpect(brNoop, brTransactionComplete, brDeadReply)
		client.expectError(brOK, 0)
	})
	t.Run("before the reply comes", func(t *testing.T) {
		server, client := newManager(t), newProcess(t)
		client.start(readSize, bcTransaction{})
		server.read()
		client.kill()
		server.write(bcReply{})
		server.expect(brNoop, brTransactionComplete)
		server.expectError(brOK, 0)
	})
}

// Nor is a receiver's inability to receive files.
func TestExtendedErrorOfTooManyFiles(t *testing.T) {
	server, client := newFileServer(t), newProcess(t)
	server.limitFiles()
	client.startWriteRead(bcTransaction{code: 1, payload: payload{file(0)}})
	server.setNonblock(true)
	require.Equal(t, unix.EAGAIN, server.writeRead(readSize).err)
	client.finishExpect(brNoop, brTransactionComplete, brFailedReply)
	client.expectError(brOK, 0)
	require.Equal(t, brOK, plainReturn(server.extendedError().Command))
}

// A call that is refused because its target is frozen has no errno. A one-way call that
// waits for the thaw is no error.
//
//covers:extended-error,freeze
func TestExtendedErrorOfFrozen(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	freezer.freeze(server)
	client.write(bcTransaction{handle: h})
	want := brFrozenReply
	if differs(t, onNoError) {
		want = brOK
	}
	client.expectError(want, 0)
	client.expect(brNoop, brFrozenReply)
	client.write(bcTransaction{handle: h, flags: oneWay})
	client.expectError(brOK, 0)
	client.expect(brNoop, brPendingFrozen)
	// What is invalid fails whether or not the target is frozen.
	client.failCall()
	client.expectError(brFailedReply, unix.EINVAL)
}
