// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//covers:loopers
package syscalls

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
)

// A process is asked for another thread when the last one that waits for work gets some:
// BR_SPAWN_LOOPER then replaces BR_NOOP.
func TestSpawnLooper(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	server.setMaxThreads(1)
	client.write(bcTransaction{flags: oneWay})
	server.expect(brSpawnLooper, &message{flags: oneWay})
}

// It is asked for one thread at a time: again only when that one registers.
func TestSpawnLooperOneAtATime(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	server.setMaxThreads(2)
	send := func() { client.write(bcTransaction{flags: oneWay}); client.read() }
	receive := func(th *thread, first br) {
		got := th.expect(first, &message{flags: oneWay})
		th.write(got.message(t).free())
	}
	send()
	receive(server.thread, brSpawnLooper)
	send()
	receive(server.thread, brNoop)
	second := server.newBareThread()
	second.write(bcRegisterLooper)
	send()
	receive(second, brSpawnLooper)
	third := server.newBareThread()
	third.write(bcRegisterLooper)
	// Now there are two besides the main thread.
	send()
	receive(third, brNoop)
}

// It is not asked while another thread waits.
func TestNoSpawnWhileAnotherWaits(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	server.setMaxThreads(1)
	idle := server.newLooper()
	idle.startRead()
	server.startRead()
	client.write(bcTransaction{flags: oneWay})
	server.finishExpect(brNoop, &message{flags: oneWay})
}

// It is not asked by default, nor when the maximum is set to zero.
func TestNoSpawnByDefault(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	server.setMaxThreads(5)
	server.setMaxThreads(0)
	client.write(bcTransaction{flags: oneWay})
	server.expect(brNoop, &message{flags: oneWay})
}

// A thread that is not a looper is not asked to start one.
func TestNoSpawnForOthers(t *testing.T) {
	manager, client, h := newPeers(t)
	client.setMaxThreads(1)
	caller := client.newThread()
	caller.start(readSize, bcTransaction{})
	manager.read()
	manager.start(readSize, bcTransaction{handle: h})
	caller.finishExpect(brNoop, brTransactionComplete,
		&message{ptr: clientNode, cookie: clientNode + 1, pid: manager.pid()})
}

// A thread that handles a call back into its chain is asked if it is a looper.
//
//covers:loopers,nested
func TestSpawnInNestedCall(t *testing.T) {
	manager, client, h := newPeers(t)
	client.setMaxThreads(1)
	client.start(readSize, bcTransaction{})
	manager.read()
	manager.start(readSize, bcTransaction{handle: h})
	client.finishExpect(brSpawnLooper, brTransactionComplete,
		&message{ptr: clientNode, cookie: clientNode + 1, pid: manager.pid()})
}

// A reply needs no thread, but the driver can't tell: a looper that reads anything when
// no other waits is asked.
func TestSpawnWithReply(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.setMaxThreads(1)
	client.start(readSize, bcTransaction{})
	server.read()
	server.write(bcReply{})
	client.finishExpect(brSpawnLooper, brTransactionComplete, &message{reply: true})
}

// The looper commands are accepted in any order and any number.
func TestLooperCommands(t *testing.T) {
	for name, cmds := range map[string][]command{
		"register unasked":    {bcRegisterLooper},
		"enter twice":         {bcEnterLooper, bcEnterLooper},
		"register, enter":     {bcRegisterLooper, bcEnterLooper},
		"enter, register":     {bcEnterLooper, bcRegisterLooper},
		"exit without enter":  {bcExitLooper},
		"enter, exit, enter":  {bcEnterLooper, bcExitLooper, bcEnterLooper},
		"exit twice":          {bcEnterLooper, bcExitLooper, bcExitLooper},
		"register, exit, end": {bcRegisterLooper, bcExitLooper},
	} {
		t.Run(name, func(t *testing.T) {
			newProcess(t).newThread().write(cmds...)
		})
	}
}

// A looper that has announced its exit still gets work if it reads.
//
//covers:loopers,dispatch
func TestExitedLooperReads(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	server.write(bcExitLooper)
	client.write(bcTransaction{flags: oneWay})
	server.expect(brNoop, &message{flags: oneWay})
}

// A thread that never became a looper also gets process work if it reads.
//
//covers:loopers,dispatch
func TestNoLooperReads(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	th := server.newThread()
	client.write(bcTransaction{flags: oneWay})
	if differs(t, onNoLooper) {
		th.expectNothing()
		return
	}
	th.expect(brNoop, &message{flags: oneWay})
}

// Of the waiting threads, the one that began to wait last gets the work.
//
//covers:dispatch
func TestLastWaiterFirst(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	threads := []*thread{server.newLooper(), server.newLooper(), server.newLooper()}
	for _, th := range threads {
		th.startRead()
	}
	for i, th := range []*thread{threads[2], threads[1], threads[0]} {
		client.start(0, bcTransaction{code: uint32(i), flags: oneWay})
		client.finish().ok(t)
		got := th.finishExpect(brNoop, &message{code: uint32(i), flags: oneWay})
		th.write(got.message(t).free())
	}
}

// A waiting thread that is interrupted, ends, or whose reads fail takes no work with it:
// another gets it.
//
//covers:dispatch,threads
func TestWaiterLeaves(t *testing.T) {
	for name, leave := range map[string]func(server *process, th *thread){
		"signal": func(server *process, th *thread) {
			th.Signal(server.t, unix.SIGUSR1)
			require.Equal(server.t, unix.EINTR, th.finish().err)
		},
		"BINDER_THREAD_EXIT": func(server *process, th *thread) {
			th.Signal(server.t, unix.SIGUSR1)
			require.Equal(server.t, unix.EINTR, th.finish().err)
			require.NoError(server.t, th.ioctl(binder.BINDER_THREAD_EXIT, 0))
		},
	} {
		t.Run(name, func(t *testing.T) {
			server, client := newManager(t), newProcess(t)
			server.Handle(t, unix.SIGUSR1, 0)
			stays, leaves := server.newLooper(), server.newLooper()
			stays.startRead()
			leaves.startRead()
			leave(server, leaves)
			client.write(bcTransaction{flags: oneWay})
			stays.finishExpect(brNoop, &message{flags: oneWay})
		})
	}
}

// Work that arrives just as a waiting thread is interrupted is not lost, whichever comes
// first: that thread finds it at its next read, or another gets it.
//
//covers:dispatch,waiting
func TestNoLostWakeup(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	server.Handle(t, unix.SIGUSR1, 0)
	one, two := server.newLooper(), server.newLooper()
	one.startRead()
	two.startRead()
	for code := range uint32(100) {
		// Two waits last, so the work is for it, and so is the signal.
		client.start(0, bcTransaction{code: code, flags: oneWay})
		two.Signal(t, unix.SIGUSR1)
		client.finish().ok(t)
		receiver, r := two, two.finish()
		if r.err != nil {
			require.Equal(t, unix.EINTR, r.err)
			two.setNonblock(true)
			r = two.writeRead(readSize)
			two.setNonblock(false)
		}
		if r.err != nil {
			require.Equal(t, unix.EAGAIN, r.err)
			receiver, r = one, one.finish()
		}
		got := r.ok(t)
		expect(t, got, brNoop, &message{code: code, flags: oneWay})
		receiver.write(got.message(t).free())
		if receiver == one {
			one.startRead()
		}
		two.startRead()
		client.expect(brNoop, brTransactionComplete)
	}
}

// A call that arrives just as its target dies fails, and the caller doesn't wait forever.
//
//covers:dispatch,ends
func TestCallWhileProcessDies(t *testing.T) {
	for range 10 {
		// A call may take a reference to the node just as the node's process
		// releases it. Then Linux's C driver sometimes never frees the node.
		cMayLose(t, "node", 1)
		server, client := newManager(t), newProcess(t)
		server.startRead()
		client.start(readSize, bcTransaction{})
		server.kill()
		r := client.finish()
		if len(r.returns) == 1 {
			r = client.writeRead(readSize)
		}
		last := r.ok(t)[len(r.returns)-1]
		if last == brFailedReply && differs(t, onNoMapping) {
			continue
		}
		require.Equal(t, brDeadReply, last)
	}
}
