// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//covers:dispatch
package syscalls

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A thread that must reply to a call gets no process work.
func TestBusyThread(t *testing.T) {
	server, one, two := newManager(t), newProcess(t), newProcess(t)
	one.write(bcTransaction{code: 1})
	server.read()
	two.write(bcTransaction{code: 2, flags: oneWay})
	server.expectNothing()
	require.Zero(t, server.poll(allEvents))
	server.write(bcReply{})
	server.expect(brNoop, brTransactionComplete)
	server.expect(brNoop, &message{code: 2, flags: oneWay})
}

// A read returns either the thread's work or the process's: the latter only if there is
// none of the former.
func TestOwnWorkFirst(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	h := client.offer(server, 0x10)
	client.write(bcTransaction{code: 1, flags: oneWay})
	server.write(bcTransaction{handle: h, flags: oneWay})
	server.expect(brNoop, brTransactionComplete)
	server.expect(brNoop, &message{code: 1, flags: oneWay})
}

// The process's work comes in order, one death or transaction per read.
func TestProcessWorkInOrder(t *testing.T) {
	manager, client, mortal := newManager(t), newProcess(t), newProcess(t)
	h := mortal.offer(manager, 0x10)
	manager.write(bcRequestDeath(h, 1))
	mortal.kill()
	manager.awaitReadable()
	client.write(bcTransaction{code: 1, flags: oneWay})
	manager.expect(brNoop, brDeadBinder(1))
	manager.expect(brNoop, &message{code: 1, flags: oneWay})
}

// A call that arrives just as a waiting thread is interrupted and exits goes to another
// thread, or fails if it was already that thread's.
//
//covers:dispatch,threads
func TestNoLostCallWhenThreadLeaves(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	server.Handle(t, unix.SIGUSR1, 0)
	leaves := server.newBareThread()
	for range 50 {
		leaves.write(bcEnterLooper)
		leaves.startRead()
		client.start(0, bcTransaction{})
		leaves.Signal(t, unix.SIGUSR1)
		r := leaves.finish()
		client.finish().ok(t)
		if r.err == nil {
			leaves.write(bcReply{}, r.ok(t).message(t).free())
		} else {
			require.Equal(t, unix.EINTR, r.err)
		}
		leaves.leave()
		server.setNonblock(true)
		if r := server.writeRead(readSize); r.err == nil {
			server.write(bcReply{}, r.ok(t).message(t).free())
			server.expect(brNoop, brTransactionComplete)
		}
		server.setNonblock(false)
		got := client.read()
		if m, ok := got[len(got)-1].(*message); ok {
			client.write(m.free())
		} else {
			expect(t, got, brNoop, brTransactionComplete, brDeadReply)
		}
	}
}

// Work that arrives just as all readers are made to return isn't lost either.
//
//covers:dispatch,close
func TestNoLostWorkWhenReadersReturn(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	one, two := server.newLooper(), server.newLooper()
	for code := range uint32(30) {
		dup := int(server.Must(t, unix.SYS_DUP, uintptr(server.fd)))
		one.startRead()
		two.startRead()
		client.start(0, bcTransaction{code: code, flags: oneWay})
		server.close(dup)
		client.finish().ok(t)
		if differs(t, onFlush) {
			return
		}
		var got []*message
		take := func(rs returns) {
			if len(rs) > 1 {
				got = append(got, rs.message(t))
			}
		}
		take(one.finish().ok(t))
		take(two.finish().ok(t))
		server.setNonblock(true)
		for _, th := range []*thread{server.thread, one, two} {
			for {
				r := th.writeRead(readSize)
				if r.err == unix.EAGAIN {
					break
				}
				take(r.ok(t))
			}
		}
		server.setNonblock(false)
		require.Len(t, got, 1)
		require.Equal(t, code, got[0].code)
		server.write(got[0].free())
		client.expect(brNoop, brTransactionComplete)
	}
}

// A call that arrives just as its target closes the device fails, even if a thread of the
// target's is still in its read.
//
//covers:dispatch,close,ends
func TestNoLostCallWhenDeviceCloses(t *testing.T) {
	rounds := 10
	if isC {
		rounds = 1 // it can lose a node here, once in a few hundred times
	}
	for range rounds {
		server, client := newManager(t), newProcess(t)
		reader := server.newLooper()
		reader.startRead()
		client.start(0, bcTransaction{})
		server.munmap()
		server.close(server.fd)
		client.finish().ok(t)
		if differs(t, onFlush) {
			return
		}
		reader.finish().ok(t)
		got := client.read()
		require.Equal(t, brDeadReply, got[len(got)-1])
	}
}
