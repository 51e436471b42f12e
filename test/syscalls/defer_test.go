// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// TF_DEFER_COMPLETE, which Linux has from 7.4 on.

//covers:flags
package syscalls

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
)

const (
	deferComplete = binder.TF_DEFER_COMPLETE
	oneWayDefer   = oneWay | deferComplete
)

// newDeferring starts a context manager and a client. A driver that doesn't know the flag
// is only expected to ignore it.
func newDeferring(t *testing.T) (server, client *process) {
	t.Helper()
	server, client = newManager(t), newProcess(t)
	probe := newProcess(t)
	probe.setNonblock(true)
	r := probe.writeRead(readSize, bcTransaction{flags: oneWayDefer})
	got := server.expect(brNoop, &message{flags: oneWayDefer})
	server.write(got.message(t).free())
	if !inSandbox() && r.err == nil {
		expect(t, r.returns, brNoop, brTransactionComplete)
		t.Skip("this driver is older than TF_DEFER_COMPLETE, and ignores it")
	}
	require.Equal(t, unix.EAGAIN, r.err, "returns:\n%s", r.returns)
	return server, client
}

// The completion of a reply doesn't end the read that waits for the next call, but
// precedes that call.
func TestDeferReply(t *testing.T) {
	server, client := newDeferring(t)
	for range 2 {
		client.start(readSize, bcTransaction{})
		got := server.read().message(t)
		server.startWriteRead(got.free(), bcReply{flags: deferComplete})
		client.finishExpect(brNoop, brTransactionComplete, &message{reply: true, flags: deferComplete})
		client.write(bcTransaction{flags: oneWay})
		got = server.finishExpect(brNoop, brTransactionComplete, &message{flags: oneWay}).message(t)
		server.write(got.free())
		client.expect(brNoop, brTransactionComplete)
	}
}

// Nor does that of a one-way transaction. Several arrive together, in order with what was
// sent after them.
func TestDeferOneWay(t *testing.T) {
	server, client := newDeferring(t)
	client.write(bcTransaction{flags: oneWayDefer, code: 1}, bcTransaction{flags: oneWayDefer, code: 2})
	got := server.expect(brNoop, &message{flags: oneWayDefer, code: 1})
	server.write(got.message(t).free())
	server.expect(brNoop, &message{flags: oneWayDefer, code: 2})
	client.expectNothing()
	client.startWriteRead(bcTransaction{code: 3})
	server.read()
	server.write(bcReply{})
	client.finishExpect(brNoop, brTransactionComplete, brTransactionComplete, brTransactionComplete, &message{reply: true})
}

// The flag doesn't affect calls.
func TestDeferCall(t *testing.T) {
	server, client := newDeferring(t)
	client.startWriteRead(bcTransaction{flags: deferComplete})
	server.expect(brNoop, &message{flags: deferComplete, pid: client.pid()})
	server.write(bcReply{})
	client.finishExpect(brNoop, brTransactionComplete, &message{reply: true})
}

// The completion arrives with other work of the thread: with what was sent before or
// after it without the flag, and with a call back.
func TestDeferBesideOwnWork(t *testing.T) {
	server, client := newDeferring(t)
	h := client.offer(server, clientNode)
	client.write(bcTransaction{flags: oneWayDefer, code: 1}, bcTransaction{flags: oneWay, code: 2})
	client.expect(brNoop, brTransactionComplete, brTransactionComplete)
	client.write(bcTransaction{flags: oneWay, code: 3}, bcTransaction{flags: oneWayDefer, code: 4})
	client.expect(brNoop, brTransactionComplete, brTransactionComplete)
	client.expectNothing()
	server.drain(4)

	client.startWriteRead(bcTransaction{flags: oneWayDefer, code: 5}, bcTransaction{code: 6})
	server.drain(1)
	server.read()
	server.start(readSize, bcTransaction{handle: h, code: 7})
	client.finishExpect(brNoop, brTransactionComplete, brTransactionComplete, &message{ptr: clientNode, cookie: clientNode + 1, code: 7, pid: server.pid()})
	client.startWriteRead(bcReply{flags: deferComplete})
	server.finishExpect(brNoop, brTransactionComplete, &message{reply: true, flags: deferComplete})
	server.write(bcReply{})
	client.finishExpect(brNoop, brTransactionComplete, &message{reply: true})
}

// It precedes process work, whether the thread waits for that or finds it.
func TestDeferBesideWorkOfTheProcess(t *testing.T) {
	server, client := newDeferring(t)
	mortal := newProcess(t)
	h := mortal.offer(server, 0x30)
	server.write(bcRequestDeath(h, 7))
	client.write(bcTransaction{code: 1})
	got := server.expect(brNoop, &message{code: 1, pid: client.pid()})
	mortal.write(bcTransaction{flags: oneWay, code: 2})
	server.write(got.message(t).free(), bcReply{flags: deferComplete})
	server.expect(brNoop, brTransactionComplete, &message{flags: oneWay, code: 2})
	client.read()

	client.write(bcTransaction{code: 3})
	got = server.expect(brNoop, &message{code: 3, pid: client.pid()})
	server.startWriteRead(got.message(t).free(), bcReply{flags: deferComplete})
	mortal.kill()
	server.finishExpect(brNoop, brTransactionComplete, brDeadBinder(7))
}

// Reference changes that the sender is told of, for a node that it has sent, can wait
// like the completion.
func TestDeferNews(t *testing.T) {
	server, client := newDeferring(t)
	client.start(readSize, bcTransaction{})
	got := server.read().message(t)
	server.startWriteRead(got.free(), bcReply{flags: deferComplete, payload: payload{node(0x10, 0x20)}})
	answer := client.finish().ok(t).message(t)
	require.Equal(t, uint32(deferComplete), answer.flags)
	client.write(bcTransaction{flags: oneWay})
	server.finishExpect(brNoop, brIncrefs(0x10, 0x20), brAcquire(0x10, 0x20), brTransactionComplete, &message{flags: oneWay})
}

// It can't be read alone, neither without blocking nor after poll(2), whichever comes
// first.
//
//covers:flags,poll
func TestDeferPoll(t *testing.T) {
	server, client := newDeferring(t)
	client.write(bcTransaction{})
	server.write(server.read().message(t).free(), bcReply{flags: deferComplete})
	require.Zero(t, server.poll(allEvents))
	server.expectNothing()
	server.startPoll(unix.POLLIN, -1)
	server.AwaitBlocked(t)
	client.read()
	client.write(bcTransaction{flags: oneWay})
	require.EqualValues(t, unix.POLLIN, server.finishPoll())
	server.expect(brNoop, brTransactionComplete, &message{flags: oneWay})
	require.Zero(t, server.poll(allEvents))
}

// If another thread of the process reads meanwhile, it takes the call: what was deferred
// belongs to the sender.
//
//covers:flags,dispatch
func TestDeferOtherThread(t *testing.T) {
	server, client := newDeferring(t)
	other := server.newLooper()
	client.write(bcTransaction{})
	server.startWriteRead(server.read().message(t).free(), bcReply{flags: deferComplete})
	client.expect(brNoop, brTransactionComplete, &message{reply: true, flags: deferComplete})
	other.startRead()
	client.write(bcTransaction{flags: oneWay, code: 1})
	got := other.finishExpect(brNoop, &message{flags: oneWay, code: 1})
	other.write(got.message(t).free())
	client.write(bcTransaction{flags: oneWay, code: 2})
	server.finishExpect(brNoop, brTransactionComplete, &message{flags: oneWay, code: 2})
}

// The process is asked for another looper as with any call.
//
//covers:flags,loopers
func TestDeferSpawnsLooper(t *testing.T) {
	server, client := newDeferring(t)
	client.write(bcTransaction{})
	got := server.read()
	server.setMaxThreads(1)
	server.startWriteRead(got.message(t).free(), bcReply{flags: deferComplete})
	client.write(bcTransaction{flags: oneWay})
	server.finishExpect(brSpawnLooper, brTransactionComplete, &message{flags: oneWay})
}

// A read that returns for any other reason returns it, too.
//
//covers:flags,close
func TestDeferFlush(t *testing.T) {
	server, client := newDeferring(t)
	other := server.newThread()
	dup := int(server.Must(t, unix.SYS_DUP, uintptr(server.fd)))
	client.write(bcTransaction{})
	server.startWriteRead(server.read().message(t).free(), bcReply{flags: deferComplete})
	other.close(dup)
	if differs(t, onFlush) {
		return
	}
	server.finishExpect(brNoop, brTransactionComplete)
}

// It is dropped when the thread exits.
//
//covers:flags,threads
func TestDeferExit(t *testing.T) {
	server, client := newDeferring(t)
	client.write(bcTransaction{flags: oneWayDefer})
	server.drain(1)
	client.leave()
	client.expectNothingFirst()
	client.start(readSize, bcTransaction{})
	server.write(server.read().message(t).free(), bcReply{flags: deferComplete})
	server.leave()
	client.finishExpect(brNoop, brTransactionComplete, &message{reply: true, flags: deferComplete})
	server.expectNothingFirst()
}

// A failure is reported at once, and in order.
//
//covers:flags,failures
func TestDeferFailure(t *testing.T) {
	_, client := newDeferring(t)
	client.write(bcTransaction{flags: oneWayDefer}, bcTransaction{handle: 99, flags: oneWayDefer})
	client.expect(brNoop, brTransactionComplete, brFailedReply)
	client.write(bcTransaction{handle: 99, flags: oneWayDefer})
	client.expect(brNoop, brFailedReply)
}

// Replying to a caller that is dead, or has no room, succeeds for the replier: that is
// reported at once, too, as the thread must read it before it continues.
//
//covers:flags,failures
func TestDeferFailedReply(t *testing.T) {
	server, client := newDeferring(t)
	client.write(bcTransaction{})
	server.read()
	server.write(bcReply{flags: deferComplete, payload: payload{handle(99)}})
	server.expect(brNoop, brTransactionComplete)
	client.expect(brNoop, brTransactionComplete, brFailedReply)
	client.write(bcTransaction{})
	server.read()
	client.kill()
	server.write(bcReply{flags: deferComplete})
	server.expect(brNoop, brTransactionComplete)
}

// That the receiver is frozen, or that what is sent looks like spam, is more than a
// completion: it is reported at once.
//
//covers:flags,freeze,spam
func TestDeferFrozenAndSpam(t *testing.T) {
	server, client := newDeferring(t)
	freezer := newProcess(t)
	client.setSpamDetection(1)
	freezer.freeze(server)
	client.write(bcTransaction{flags: oneWayDefer})
	client.expect(brNoop, brPendingFrozen)
	client.write(bcTransaction{flags: deferComplete})
	client.expect(brNoop, brFrozenReply)
	freezer.thaw(server)
	server.drain(1)

	for range 3 {
		client.write(bcTransaction{flags: oneWayDefer, payload: payload{space(asyncSpace / 4)}})
	}
	client.expectNothing()
	client.write(bcTransaction{flags: oneWayDefer, payload: payload{space(asyncSpace / 4)}})
	client.expect(brNoop, brTransactionComplete, brTransactionComplete, brTransactionComplete, brOneWaySpamSuspect)
}
