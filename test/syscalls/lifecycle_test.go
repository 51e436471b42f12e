// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//covers:ends
package syscalls

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
)

// A call fails if its target goes away, at any stage.
//
//covers:ends,failures
func TestTargetGoes(t *testing.T) {
	read := func(p *process) { p.read() }
	readAndFree := func(p *process) { p.write(p.read().message(p.t).free()) }
	nothing := func(p *process) {}
	die := func(p *process) { p.kill() }
	closes := func(p *process) { p.munmap(); p.close(p.fd) }
	exit := func(p *process) { require.NoError(p.t, p.ioctl(binder.BINDER_THREAD_EXIT, 0)) }
	for _, tc := range []struct {
		name     string
		got, end func(p *process)
	}{
		{"dies before delivery", nothing, die},
		{"dies before the reply", read, die},
		{"dies before the reply, buffer freed", readAndFree, die},
		{"closes before delivery", nothing, closes},
		{"closes before the reply", read, closes},
		{"closes before the reply, buffer freed", readAndFree, closes},
		{"thread exits before the reply", read, exit},
		{"thread exits before the reply, buffer freed", readAndFree, exit},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server, client := newManager(t), newProcess(t)
			client.startWriteRead(bcTransaction{})
			tc.got(server)
			tc.end(server)
			client.finishExpect(brNoop, brTransactionComplete, brDeadReply)
		})
	}
}

// The mapping keeps the device open after its descriptor is closed.
//
//covers:close
func TestMappingKeepsDeviceOpen(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.startWriteRead(bcTransaction{})
	got := server.read().message(t)
	server.close(server.fd)
	require.Equal(t, unix.EBUSY, newProcess(t).ioctl(binder.BINDER_SET_CONTEXT_MGR, 0))
	client.AwaitBlocked(t)
	_, err := server.ReadMemory(t, uintptr(got.buffer), 8)
	require.NoError(t, err)
	server.munmap()
	client.finishExpect(brNoop, brTransactionComplete, brDeadReply)
}

// A thread that exits before a call is delivered to its process leaves it to the others.
//
//covers:ends,threads,dispatch
func TestThreadExitsBeforeDelivery(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	other := server.newLooper()
	client.startWriteRead(bcTransaction{})
	require.NoError(t, server.ioctl(binder.BINDER_THREAD_EXIT, 0))
	other.expect(brNoop, &message{pid: client.pid()})
	other.write(bcReply{})
	client.finish().ok(t)
}

// A thread that ends without BINDER_THREAD_EXIT keeps what it holds until its process
// ends.
func TestThreadEndsSilently(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	th := server.newLooper()
	client.startWriteRead(bcTransaction{})
	th.read()
	th.Start(t, unix.SYS_EXIT, 0)
	eventually(t, "the thread is gone", func() bool { return th.State() == "" })
	client.AwaitBlocked(t)
	server.kill()
	client.finishExpect(brNoop, brTransactionComplete, brDeadReply)
}

// One-way transactions to a process that dies vanish silently.
//
//covers:ends,one-way
func TestOneWayTargetDies(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.write(bcTransaction{flags: oneWay}, bcTransaction{flags: oneWay}, bcTransaction{flags: oneWay})
	client.expect(brNoop, brTransactionComplete, brTransactionComplete, brTransactionComplete)
	server.read()
	server.kill()
	newManager(t)
	client.expectNothing()
}

// A reply to a caller that is gone completes, as far as the replier is told.
func TestCallerGoes(t *testing.T) {
	for name, end := range map[string]func(p *process){
		"dies":   func(p *process) { p.kill() },
		"closes": func(p *process) { p.munmap(); p.close(p.fd) },
	} {
		t.Run(name, func(t *testing.T) {
			server, client := newManager(t), newProcess(t)
			client.write(bcTransaction{code: 1})
			server.expect(brNoop, &message{code: 1, pid: client.pid()})
			end(client)
			server.write(bcReply{payload: payload{text("hello")}})
			server.expect(brNoop, brTransactionComplete)
		})
	}
}

// The contents of such a reply are not examined, and nobody is told of them.
func TestReplyToNobody(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.write(bcTransaction{flags: binder.TF_ACCEPT_FDS})
	server.read()
	client.kill()
	server.write(bcReply{payload: payload{node(0x10, 0x20), file(0), handle(99)}})
	server.expect(brNoop, brTransactionComplete)
	server.expectNothing()
}

// The same if the caller's thread exits.
//
//covers:ends,threads
func TestCallerThreadExits(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.write(bcTransaction{code: 1})
	server.expect(brNoop, &message{code: 1, pid: client.pid()})
	require.NoError(t, client.ioctl(binder.BINDER_THREAD_EXIT, 0))
	server.write(bcReply{})
	server.expect(brNoop, brTransactionComplete)
	// The actions of an earlier thread with the same number don't affect it.
	client.write(bcEnterLooper)
	client.expectNothing()
}

// A call whose caller is gone is still delivered, without a process ID.
func TestCallerGoesBeforeDelivery(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	caller := client.newThread()
	caller.write(bcTransaction{code: 1, payload: payload{text("hello")}})
	require.NoError(t, caller.ioctl(binder.BINDER_THREAD_EXIT, 0))
	pid := 0
	if differs(t, onCallerGone) {
		pid = client.pid()
	}
	server.expect(brNoop, &message{code: 1, pid: pid, payload: payload{text("hello")}})
	server.write(bcReply{})
	server.expect(brNoop, brTransactionComplete)
}

// When a process in the middle of a chain dies while it waits for the rest of the chain,
// the rest continues without a caller, and the call to the dead process fails only when
// the reply comes.
//
//covers:ends,nested
func TestMiddleOfChainDies(t *testing.T) {
	manager, last := newManager(t), newProcess(t)
	toLast := last.offer(manager, 0x10)
	client := newProcess(t)
	client.startWriteRead(bcTransaction{})
	manager.read()
	manager.startWriteRead(bcTransaction{handle: toLast, code: 2})
	got := last.expect(brNoop, &message{ptr: 0x10, cookie: 0x11, code: 2, pid: manager.pid()})
	manager.kill()
	newManager(t) // This needs the old one to be gone.
	client.AwaitBlocked(t)
	last.write(bcReply{})
	client.finishExpect(brNoop, brTransactionComplete, brDeadReply)
	last.expect(brNoop, brTransactionComplete)
	// The manager's references are gone, but the buffer holds one, too.
	last.expectNothing()
	last.write(got.message(t).free())
	last.expect(brNoop, brRelease(0x10, 0x11), brDecrefs(0x10, 0x11))
}

// When the end of a chain dies, its caller is told, and can still reply.
//
//covers:ends,nested
func TestEndOfChainDies(t *testing.T) {
	manager, last, client := newManager(t), newProcess(t), newProcess(t)
	toLast := last.offer(manager, 0x10)
	client.startWriteRead(bcTransaction{})
	manager.read()
	manager.startWriteRead(bcTransaction{handle: toLast})
	last.read()
	last.kill()
	manager.finishExpect(brNoop, brTransactionComplete, brDeadReply)
	manager.write(bcReply{code: 4})
	client.finishExpect(brNoop, brTransactionComplete, &message{reply: true, code: 4})
}

// A process that dies while it waits for a nested call's reply takes its whole part of
// the chain with it.
//
//covers:ends,nested
func TestCallerDiesInNestedCall(t *testing.T) {
	manager, client, h := newPeers(t)
	client.startWriteRead(bcTransaction{})
	manager.read()
	manager.startWriteRead(bcTransaction{handle: h})
	client.finish().ok(t)
	client.kill()
	manager.finishExpect(brNoop, brTransactionComplete, brDeadReply)
	manager.write(bcReply{})
	manager.expect(brNoop, brTransactionComplete)
}

// A reply that is never read, and everything in it, goes away with the caller.
//
//covers:ends,counts
func TestReplyNeverRead(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.write(bcTransaction{flags: binder.TF_ACCEPT_FDS})
	server.read()
	server.write(bcReply{payload: payload{node(0x10, 0x20), file(0), text("hello")}})
	server.expect(brNoop, brIncrefs(0x10, 0x20), brAcquire(0x10, 0x20), brTransactionComplete)
	server.write(bcIncrefsDone(0x10, 0x20), bcAcquireDone(0x10, 0x20))
	client.kill()
	server.expectInReads(brRelease(0x10, 0x20), brDecrefs(0x10, 0x20))
}

// A call that is never read, and everything in it, goes away with its target.
//
//covers:ends,counts
func TestCallNeverRead(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.write(bcTransaction{flags: oneWay, payload: payload{node(0x10, 0x20), weakNode(0x30, 0x40)}})
	client.expect(brNoop, brIncrefs(0x10, 0x20), brAcquire(0x10, 0x20), brIncrefs(0x30, 0x40), brTransactionComplete)
	client.write(bcIncrefsDone(0x10, 0x20), bcAcquireDone(0x10, 0x20), bcIncrefsDone(0x30, 0x40))
	server.kill()
	if differs(t, onReleaseOrder) {
		client.expectInReads(brDecrefs(0x30, 0x40), brRelease(0x10, 0x20), brDecrefs(0x10, 0x20))
		return
	}
	client.expectInReads(brRelease(0x10, 0x20), brDecrefs(0x10, 0x20), brDecrefs(0x30, 0x40))
}

// The driver releases everything at the last close, not before.
//
//covers:close,inherit
func TestLastClose(t *testing.T) {
	manager, client := newManager(t), newProcess(t)
	h := client.offer(manager, 0x10)
	manager.write(bcRequestDeath(h, 1))
	child := client.fork()
	client.kill()
	manager.expectNothing()
	child.kill()
	manager.expect(brNoop, brDeadBinder(1))
}

// After execve a process has lost the mapping, but not its state in the driver; if the
// descriptor is close-on-exec, it is as if it had died.
//
//covers:inherit
func TestExec(t *testing.T) {
	for name, flags := range map[string]int{"kept": unix.O_RDWR, "close-on-exec": unix.O_RDWR | unix.O_CLOEXEC} {
		t.Run(name, func(t *testing.T) {
			manager, client := newManager(t), newBareProcess(t)
			client.fd = client.open(defaultDevice, flags)
			client.mmap(mapSize)
			client.write(bcEnterLooper)
			h := client.offer(manager, 0x10)
			manager.write(bcRequestDeath(h, 1))
			client.remote.Exec(t)
			if flags&unix.O_CLOEXEC != 0 {
				manager.expect(brNoop, brDeadBinder(1))
				return
			}
			manager.expectNothing()
			// Without a mapping, nothing can be received.
			manager.write(bcTransaction{handle: h, flags: oneWay})
			want := brDeadReply
			if differs(t, onNoMapping) {
				want = brTransactionComplete
			}
			manager.expect(brNoop, want)
		})
	}
}

// A process's other threads end when one calls execve, wherever they are.
//
//covers:inherit
func TestExecWhileReading(t *testing.T) {
	manager, client := newManager(t), newProcess(t)
	h := client.offer(manager, 0x10)
	manager.write(bcRequestDeath(h, 1))
	client.newLooper().startRead()
	client.remote.Exec(t)
	manager.expect(brNoop, brDeadBinder(1))
}

// A blocked reader whose descriptor another thread closes returns; only then does the
// driver release everything.
//
//covers:close
func TestCloseWhileReading(t *testing.T) {
	manager, client := newManager(t), newProcess(t)
	h := client.offer(manager, 0x10)
	manager.write(bcRequestDeath(h, 1))
	th := client.newLooper()
	th.startRead()
	client.munmap()
	client.close(client.fd)
	if differs(t, onFlush) {
		return
	}
	th.finishExpect(brNoop)
	manager.expect(brNoop, brDeadBinder(1))
}
