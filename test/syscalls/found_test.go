// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
)

// Found by the random programs of test/differential.

// The context manager can't have a handle for itself.
//
//covers:manager
func TestManagerAcquiresItself(t *testing.T) {
	manager := newManager(t)
	for _, c := range []command{bcIncrefs(0), bcAcquire(0)} {
		r := manager.writeRead(0, bcIncrefs(7), c)
		require.Equal(t, unix.EINVAL, r.err)
		require.Equal(t, 8, r.writeConsumed)
	}
}

// A thread whose failure could not be returned, for lack of memory to read it into, can
// write nothing any more.
//
//covers:write-read,failures
func TestFailureUnread(t *testing.T) {
	p := newProcess(t)
	p.write(bcTransaction{handle: 9})
	p.startRaw(binder.WriteRead{ReadSize: readSize, ReadBuffer: uint64(p.pageEdge() - 4)})
	require.Equal(t, unix.EFAULT, p.finish().err)
	r := p.writeRead(0, bcIncrefs(9))
	require.NoError(t, r.err)
	if differs(t, onUnreadFailure) {
		return
	}
	require.Zero(t, r.writeConsumed)
}

// An empty mapping is refused, even the second time.
//
//covers:mmap
func TestMapNothing(t *testing.T) {
	p := newProcess(t)
	_, err := p.tryMmap(p.fd, 0, unix.PROT_READ, unix.MAP_PRIVATE)
	require.Equal(t, unix.EINVAL, err)
}

// The buffer of a call that could not be returned is freed, with its references: the
// application doesn't know about it, and can't free it. In C it stays.
//
//covers:buffers
func TestBufferOfFaultyRead(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.start(readSize, bcTransaction{payload: payload{node(0x10, 0x11)}})
	client.AwaitBlocked(t)
	server.startRaw(binder.WriteRead{ReadSize: readSize, ReadBuffer: uint64(server.pageEdge() - 4)})
	require.Equal(t, unix.EFAULT, server.finish().err)
	place := server.mapStart
	if differs(t, onFaultyRead) {
		client.finishExpect(brNoop, brIncrefs(0x10, 0x11), brAcquire(0x10, 0x11), brTransactionComplete, brFailedReply)
		place += 32
	} else {
		client.finishExpect(brNoop, brTransactionComplete, brFailedReply)
	}
	client.start(readSize, bcTransaction{})
	require.EqualValues(t, place, server.read().message(t).buffer)
}

// What waits behind a one-way call that could not be returned comes next.
//
//covers:buffers,one-way
func TestOneWayAfterFaultyRead(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.write(bcTransaction{flags: oneWay})
	client.write(bcTransaction{flags: oneWay, code: 7})
	server.startRaw(binder.WriteRead{ReadSize: readSize, ReadBuffer: uint64(server.pageEdge() - 4)})
	require.Equal(t, unix.EFAULT, server.finish().err)
	if differs(t, onFaultyRead) {
		server.expectNothing()
		return
	}
	server.expect(brNoop, &message{flags: oneWay, code: 7})
}

// A dead node can have weak references even if its owner was never told of any.
//
//covers:references
func TestWeakReferenceToDead(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.write(bcTransaction{flags: oneWay, payload: payload{node(0x10, 0)}})
	client.kill()
	got := server.read().message(t)
	h := got.handle(0)
	server.write(bcIncrefs(h), got.free())
	// The handle still exists: its death can be requested, and has happened.
	server.write(bcRequestDeath(h, 0xd))
	server.expect(brNoop, brDeadBinder(0xd))
}

// A process that can't receive is dead to senders, whatever they send.
//
//covers:malformed
func TestMalformedToUnmapped(t *testing.T) {
	server, client := newBareProcess(t), newProcess(t)
	server.fd = server.open(defaultDevice, unix.O_RDWR)
	server.becomeManager()
	client.write(bcTransaction{edit: func(tr *binder.TransactionData) { tr.OffsetsSize = 1<<64 - 1 }})
	if differs(t, onNoMapping) {
		return
	}
	client.expect(brNoop, brDeadReply)
}

// Offsets outside the data cause an error in reading it.
//
//covers:extended-error
func TestErrorOfOffsets(t *testing.T) {
	_, client := newManager(t), newProcess(t)
	for _, offsets := range []text{words(100, 0), words(24, 0, 0, 0)} {
		client.writeRead(readSize, bcTransaction{payload: payload{node(0x10, 0), node(0x20, 0)}, edit: func(tr *binder.TransactionData) {
			at := client.pageEdge() - uintptr(len(offsets))
			require.NoError(t, client.WriteMemory(t, at, offsets.encode()))
			tr.Offsets, tr.OffsetsSize = uint64(at), uint64(len(offsets))
		}})
		if differs(t, onErrno) {
			return
		}
		client.expectError(brFailedReply, unix.EFAULT)
	}
}

// An acknowledgement makes a waiting thread look for work, even if there is none: without
// room in its buffer it returns.
//
//covers:references
func TestAcknowledgementWakes(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	h := server.giveUnacknowledged(client, 0x10)
	// The server holds a reference to its own node, in a buffer.
	client.write(bcTransaction{flags: oneWay, payload: payload{handle(h)}}, bcDecrefs(h), bcRelease(h))
	server.read().message(t)
	server.write(bcIncrefsDone(0x10, 0))
	server.expectNothing()
	if differs(t, onSmallBuffer) {
		return
	}
	th := server.newLooper()
	th.startRaw(binder.WriteRead{ReadSize: 4, ReadConsumed: 4, ReadBuffer: uint64(th.Scratch() + readOffset)})
	th.AwaitBlocked(t)
	server.write(bcAcquireDone(0x10, 0))
	require.NoError(t, th.finish().err)
}

// giveUnacknowledged is give, but the owner has not acknowledged the references.
func (owner *process) giveUnacknowledged(to *process, ptr uint64) uint32 {
	owner.t.Helper()
	to.start(readSize, bcTransaction{})
	request := owner.read().message(owner.t)
	owner.write(bcReply{payload: payload{node(ptr, 0)}}, request.free())
	owner.expect(brNoop, brIncrefs(ptr, 0), brAcquire(ptr, 0), brTransactionComplete)
	answer := to.finish().ok(to.t).message(to.t)
	h := answer.handle(0)
	to.write(bcIncrefs(h), bcAcquire(h), answer.free())
	return h
}
