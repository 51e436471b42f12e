// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// What is left unread when a thread exits with BINDER_THREAD_EXIT.

//covers:ends,threads
package syscalls

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"sentrybinder/pkg/abi/binder"
)

// leave makes the thread exit from the driver.
func (th *thread) leave() {
	th.t.Helper()
	require.NoError(th.t, th.ioctl(binder.BINDER_THREAD_EXIT, 0))
}

// expectNothingFirst checks that there is nothing to read for a thread that hasn't called
// the driver before, or not since it exited. In C its first read returns.
func (th *thread) expectNothingFirst() {
	th.t.Helper()
	if differs(th.t, onFirstRead) {
		th.expect(brNoop)
	}
	th.expectNothing()
}

// A call back into its chain fails; the call for whose reply the thread itself waited can
// still be replied to.
func TestExitBeforeNestedCall(t *testing.T) {
	manager, client, h := newPeers(t)
	client.write(bcTransaction{})
	manager.read()
	manager.startWriteRead(bcTransaction{handle: h})
	client.leave()
	manager.finishExpect(brNoop, brTransactionComplete, brDeadReply)
	manager.write(bcReply{})
	manager.expect(brNoop, brTransactionComplete)
	client.expectNothingFirst()
}

// The same if the call back was received.
func TestExitInNestedCall(t *testing.T) {
	manager, client, h := newPeers(t)
	client.start(readSize, bcTransaction{})
	manager.read()
	manager.startWriteRead(bcTransaction{handle: h})
	client.finish().ok(t)
	client.leave()
	manager.finishExpect(brNoop, brTransactionComplete, brDeadReply)
	manager.write(bcReply{})
	manager.expect(brNoop, brTransactionComplete)
	client.expectNothingFirst()
}

// A reply is lost, with everything in it. In C its buffer stays until the process ends.
func TestExitBeforeReply(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.write(bcTransaction{})
	server.read()
	server.write(bcReply{payload: payload{node(0x10, 0x20)}})
	server.expect(brNoop, brIncrefs(0x10, 0x20), brAcquire(0x10, 0x20), brTransactionComplete)
	server.write(bcIncrefsDone(0x10, 0x20), bcAcquireDone(0x10, 0x20))
	client.leave()
	if differs(t, onExit) {
		server.expectNothing()
		client.kill()
	}
	server.expectInReads(brRelease(0x10, 0x20), brDecrefs(0x10, 0x20))
}

// Reference notifications go to another thread. In C nobody is told, and the owner's
// acknowledgements have nothing to acknowledge; if the node is sent again, the sender is
// told only if no references were left.
func TestExitBeforeNews(t *testing.T) {
	for _, kept := range []bool{true, false} {
		name := map[bool]string{true: "kept", false: "dropped"}[kept]
		t.Run(name, func(t *testing.T) {
			manager, client := newManager(t), newProcess(t)
			other := client.newLooper()
			send := bcTransaction{flags: oneWay, payload: payload{node(0x10, 0x20), weakNode(0x30, 0x40)}}
			client.write(send)
			client.leave()
			if !differs(t, onExit) {
				other.expect(brNoop, brIncrefs(0x10, 0x20), brAcquire(0x10, 0x20), brIncrefs(0x30, 0x40))
				return
			}
			other.expectNothing()
			client.expectNothingFirst()
			got := manager.read().message(t)
			if kept {
				manager.write(bcAcquire(got.handle(0)), bcIncrefs(got.handle(1)))
			}
			manager.write(got.free())
			other.write(send)
			if kept {
				other.expect(brNoop, brTransactionComplete)
			} else {
				other.expect(brNoop, brIncrefs(0x10, 0x20), brAcquire(0x10, 0x20), brIncrefs(0x30, 0x40), brTransactionComplete)
			}
		})
	}
}

// The completion of a cleared death request is lost. It has ended: the death can be
// requested again.
//
//covers:death,threads
func TestExitBeforeClearDeathDone(t *testing.T) {
	owner, client, h := newMortal(t)
	th := client.newLooper()
	th.write(bcRequestDeath(h, 1), bcClearDeath(h, 1))
	th.leave()
	client.expectNothing()
	client.write(bcRequestDeath(h, 2))
	owner.kill()
	client.expect(brNoop, brDeadBinder(2))
}

// The reply of a thread whose caller is gone goes to nobody, and the call that led to it
// ends: the thread's own. In Rust a reply is examined even then, and if it is malformed,
// the end of that call is reported first.
//
//covers:ends,nested
func TestReplyToExitedCaller(t *testing.T) {
	for _, malformed := range []bool{false, true} {
		t.Run(fmt.Sprint(malformed), func(t *testing.T) {
			manager, client, h := newPeers(t)
			manager.startWriteRead(bcTransaction{handle: h})
			client.read()
			client.write(bcTransaction{})
			manager.finish().ok(t)
			client.leave()
			reply := bcReply{}
			if malformed {
				reply.edit = badData
			}
			manager.write(reply)
			want := []br{brNoop, brTransactionComplete, brDeadReply}
			if malformed && differs(t, onAnswerOrder) {
				want = []br{brNoop, brDeadReply, brTransactionComplete}
			}
			manager.expect(want...)
			manager.expectNothing()
		})
	}
}

// Any other thread can acknowledge a death that a thread has read and not acknowledged.
//
//covers:death,threads
func TestExitBeforeDeadBinderDone(t *testing.T) {
	owner, client, h := newMortal(t)
	th := client.newLooper()
	th.write(bcRequestDeath(h, 1))
	owner.kill()
	th.expect(brNoop, brDeadBinder(1))
	th.leave()
	client.write(bcClearDeath(h, 1))
	client.expectNothing()
	client.write(bcDeadBinderDone(1))
	client.expect(brNoop, brClearDeathDone(1))
}

// An unread death is delivered to the remaining threads.
//
//covers:death,threads
func TestExitBeforeDeath(t *testing.T) {
	owner, client, h := newMortal(t)
	th := client.newLooper()
	th.write(bcRequestDeath(h, 1))
	owner.kill()
	th.awaitReadable()
	th.leave()
	client.expect(brNoop, brDeadBinder(1))
}

// A thread that has failed starts afresh.
func TestExitBeforeFailure(t *testing.T) {
	newManager(t)
	client := newProcess(t)
	client.write(bcReply{})
	client.leave()
	client.expectNothingFirst()
}

// A looper that exits is no looper when it comes back, and makes no room for another: the
// process is asked for as many threads as before.
//
//covers:loopers,threads
func TestExitOfLooper(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	server.setMaxThreads(1)
	server.leave()
	th := server.newLooper()
	client.write(bcTransaction{flags: oneWay})
	got := th.expect(brSpawnLooper, &message{flags: oneWay})
	spawned := server.newBareThread()
	spawned.write(bcRegisterLooper)
	spawned.leave()
	th.write(got.message(t).free())
	client.write(bcTransaction{flags: oneWay})
	th.expect(brNoop, &message{flags: oneWay})
}

// A one-way transaction whose sender is gone is delivered with everything in it.
//
//covers:ends,one-way,files
func TestOneWaySenderDies(t *testing.T) {
	server, client := newFileServer(t), newProcess(t)
	r, w := client.pipe()
	client.writeFile(w, "hello")
	client.setUser(1000)
	client.write(bcTransaction{code: 1, flags: oneWay, payload: payload{file(r), node(0x10, 0x20)}})
	client.kill()
	got := server.expect(brNoop, &message{code: 1, flags: oneWay, euid: 1000, payload: payload{anyFile, handle(1)}}).message(t)
	require.Equal(t, "hello", server.readFile(got.fd(0)))
	eventually(t, "the node is dead", func() bool {
		server.write(bcTransaction{handle: 1, flags: oneWay})
		rs := server.read()
		return rs[len(rs)-1] == brDeadReply
	})
}

// The handle of a dead node can be sent. Its receiver is exactly as well off as its
// sender.
//
//covers:ends,objects
func TestDeadHandleIsSent(t *testing.T) {
	manager, one, two := newManager(t), newProcess(t), newProcess(t)
	h := one.offer(manager, 0x10)
	manager.write(bcRequestDeath(h, 1))
	one.kill()
	manager.expect(brNoop, brDeadBinder(1))
	_, answer := two.call(manager.thread, bcTransaction{}, payload{handle(h), weakHandle(h)})
	require.Equal(t, payload{handle(1), weakHandle(1)}, payload{answer.object(0), answer.object(1)})
	two.write(bcAcquire(1), bcTransaction{handle: 1})
	two.expect(brNoop, brDeadReply)
	two.write(bcRequestDeath(1, 2))
	two.expect(brNoop, brDeadBinder(2))
}
