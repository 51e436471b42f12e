// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//covers:poll,epoll
package syscalls

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A thread that calls execve takes the main thread's place: what the main thread was
// waiting for makes it ready, and its own work is left behind.
//
//covers:inherit
func TestPollAfterExec(t *testing.T) {
	if isRust {
		t.Skip("Linux's driver in Rust takes the thread for another process")
	}
	for name, events := range map[string]uint32{"poll": 0, "level": unix.EPOLLIN, "edge": unix.EPOLLIN | unix.EPOLLET} {
		t.Run(name, func(t *testing.T) {
			server, client := newManager(t), newBareProcess(t)
			client.fd = client.open(defaultDevice, unix.O_RDWR)
			client.mmap(mapSize)
			client.write(bcEnterLooper)
			th := client.newThread()
			require.Zero(t, th.poll(unix.POLLIN))
			client.write(bcTransaction{})
			th.write(bcTransaction{flags: oneWay})
			require.EqualValues(t, unix.POLLIN, th.poll(unix.POLLIN))
			server.read()

			th.Exec(t)
			require.Equal(t, client.pid(), th.TID())
			ready := func() uint32 { return uint32(th.poll(unix.POLLIN)) }
			if events != 0 {
				ep := th.newEpoll(events)
				ready = func() uint32 { return th.epollWait(ep, 0) }
			}
			require.Zero(t, ready(), "the main thread's call is not answered")
			// Without a mapping, the answer can't be received.
			server.write(bcReply{})
			require.EqualValues(t, unix.POLLIN, ready())
			th.expect(brNoop, brTransactionComplete, brDeadReply)
			require.Zero(t, ready())
		})
	}
}

// Each of many threads is notified of its own work, and of nobody else's, through every
// interface.
func TestPollManyThreads(t *testing.T) {
	const many = 24
	server, client := newManager(t), newProcess(t)
	shared := client.newEpoll(unix.EPOLLIN)
	outer := int(client.Must(t, unix.SYS_EPOLL_CREATE1, 0))
	client.addToEpoll(outer, shared, unix.EPOLLIN)
	require.Zero(t, client.epollWait(outer, 0))
	var callers []*thread
	for range many {
		th := client.newThread()
		th.write(bcTransaction{})
		callers = append(callers, th)
	}
	for i, th := range callers {
		server.read()
		server.write(bcReply{})
		for _, other := range callers[i+1:] {
			require.Zero(t, other.poll(unix.POLLIN))
		}
		require.EqualValues(t, unix.POLLIN, th.poll(unix.POLLIN))
		how := i % 3
		if isC {
			how = 0 // its epoll is only woken for work of the thread that added the device
		}
		switch how {
		case 1:
			// A waiter that finds the device not ready takes it off the epoll's list.
			require.EqualValues(t, unix.EPOLLIN, th.epollWait(shared, 0))
			require.EqualValues(t, unix.EPOLLIN, th.epollWait(shared, 0))
			require.Zero(t, client.epollWait(shared, 0))
			require.Zero(t, th.epollWait(shared, 0))
		case 2:
			require.EqualValues(t, unix.EPOLLIN, th.epollWait(outer, 0))
			require.Zero(t, client.epollWait(outer, 0))
			require.Zero(t, th.epollWait(outer, 0))
		}
		th.expect(brNoop, brTransactionComplete, &message{reply: true})
		require.Zero(t, th.poll(unix.POLLIN))
		server.read()
	}
}

// Several threads wait for one epoll, and each for the answer to its own call.
func TestEpollSharedByThreads(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	ep := client.newEpoll(unix.EPOLLIN)
	first, second := client.newThread(), client.newThread()
	for _, th := range []*thread{first, second} {
		th.write(bcTransaction{})
		server.read()
		th.startPoll(unix.POLLIN, -1)
		th.AwaitBlocked(t)
		server.write(bcReply{})
		require.EqualValues(t, unix.POLLIN, th.finishPoll())
		if !isC { // as above
			require.EqualValues(t, unix.EPOLLIN, th.epollWait(ep, 0))
		}
		th.expect(brNoop, brTransactionComplete, &message{reply: true})
		require.Zero(t, th.epollWait(ep, 0))
		server.read()
	}
}
