// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//covers:poll
package syscalls

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/test/syscalls/remote"
)

const allEvents = unix.POLLIN | unix.POLLOUT | unix.POLLPRI

// The device becomes readable with work, until that is read. It is never writable.
func TestPoll(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	require.Zero(t, server.poll(allEvents))
	client.write(bcTransaction{flags: oneWay})
	require.EqualValues(t, unix.POLLIN, server.poll(allEvents))
	require.EqualValues(t, unix.POLLIN, server.poll(allEvents))
	server.read()
	require.Zero(t, server.poll(allEvents))
}

// Events that were not requested are not reported.
func TestPollMask(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.write(bcTransaction{flags: oneWay})
	require.Zero(t, server.poll(unix.POLLOUT))
}

// A thread that has not used the device yet must wait like any other. In C its first read
// does not block.
func TestPollFirst(t *testing.T) {
	want := int16(0)
	if differs(t, onFirstRead) {
		want = unix.POLLIN
	}
	require.Equal(t, want, newProcess(t).newBareThread().poll(allEvents))
}

// A blocked poll ends with process work.
func TestPollBlocks(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	server.startPoll(unix.POLLIN, -1)
	server.AwaitBlocked(t)
	client.write(bcTransaction{flags: oneWay})
	require.EqualValues(t, unix.POLLIN, server.finishPoll())
	server.expect(brNoop, &message{flags: oneWay})
}

// It ends with thread work: a reply. The completion of a call does not suffice.
func TestPollReply(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.write(bcTransaction{})
	require.Zero(t, client.poll(unix.POLLIN))
	client.startPoll(unix.POLLIN, -1)
	client.AwaitBlocked(t)
	server.read()
	server.write(bcReply{})
	require.EqualValues(t, unix.POLLIN, client.finishPoll())
	client.expect(brNoop, brTransactionComplete, &message{reply: true})
}

// The completion of a one-way transaction does.
func TestPollCompletion(t *testing.T) {
	newManager(t)
	client := newProcess(t)
	client.write(bcTransaction{flags: oneWay})
	require.EqualValues(t, unix.POLLIN, client.poll(unix.POLLIN))
}

// A death does.
func TestPollDeath(t *testing.T) {
	owner, client, h := newMortal(t)
	client.write(bcRequestDeath(h, 1))
	client.startPoll(unix.POLLIN, -1)
	client.AwaitBlocked(t)
	owner.kill()
	require.EqualValues(t, unix.POLLIN, client.finishPoll())
}

// Another thread's work does not.
func TestPollOtherThread(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	th := client.newThread()
	th.write(bcTransaction{})
	server.read()
	server.write(bcReply{})
	require.Zero(t, client.poll(unix.POLLIN))
	require.EqualValues(t, unix.POLLIN, th.poll(unix.POLLIN))
}

// A thread that waits for a reply is not woken for process work.
func TestPollWhileWaitingForReply(t *testing.T) {
	manager, client, h := newPeers(t)
	client.write(bcTransaction{})
	manager.read()
	manager.write(bcTransaction{handle: h, flags: oneWay})
	require.Zero(t, client.poll(unix.POLLIN))
}

// A thread that is no looper is woken for process work.
func TestPollByNoLooper(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	th := server.newThread()
	client.write(bcTransaction{flags: oneWay})
	if differs(t, onNoLooper) {
		require.Zero(t, th.poll(unix.POLLIN))
		return
	}
	require.EqualValues(t, unix.POLLIN, th.poll(unix.POLLIN))
}

// A poll can be interrupted.
//
//covers:poll,waiting
func TestPollInterrupted(t *testing.T) {
	p := newProcess(t)
	p.Handle(t, unix.SIGUSR1, 0)
	p.startPoll(unix.POLLIN, -1)
	p.AwaitBlocked(t)
	p.Signal(t, unix.SIGUSR1)
	_, err := p.Wait(t)
	require.Equal(t, unix.EINTR, err)
}

// select(2) works like poll(2).
func TestSelect(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	set := server.Scratch() + 256
	sel := func() uintptr {
		clear(remote.Bytes(set, 128))
		remote.Bytes(set, 128)[server.fd/8] |= 1 << (server.fd % 8)
		return server.Must(t, unix.SYS_PSELECT6, uintptr(server.fd+1), set, 0, 0, server.timespec(0), 0)
	}
	require.Zero(t, sel())
	client.write(bcTransaction{flags: oneWay})
	require.EqualValues(t, 1, sel())
}

// newEpoll returns an epoll descriptor that watches the process's device.
func (th *thread) newEpoll(events uint32) int {
	th.t.Helper()
	ep := int(th.Must(th.t, unix.SYS_EPOLL_CREATE1, 0))
	*remote.Struct[unix.EpollEvent](th.Scratch()) = unix.EpollEvent{Events: events, Fd: 7}
	th.Must(th.t, unix.SYS_EPOLL_CTL, uintptr(ep), unix.EPOLL_CTL_ADD, uintptr(th.p.fd), th.Scratch())
	return ep
}

// epollWait returns the events that epoll reports, or 0.
func (th *thread) epollWait(ep, timeout int) uint32 {
	th.t.Helper()
	th.startEpollWait(ep, timeout)
	return th.finishEpollWait()
}

func (th *thread) startEpollWait(ep, timeout int) {
	th.t.Helper()
	th.Start(th.t, unix.SYS_EPOLL_PWAIT, uintptr(ep), th.Scratch(), 8, uintptr(timeout), 0, 0)
}

func (th *thread) finishEpollWait() uint32 {
	th.t.Helper()
	n, err := th.Wait(th.t)
	require.NoError(th.t, err, "epoll_wait")
	if n == 0 {
		return 0
	}
	require.EqualValues(th.t, 1, n)
	return remote.Struct[unix.EpollEvent](th.Scratch()).Events
}

// Level-triggered epoll reports work until it is read.
//
//covers:epoll
func TestEpollLevel(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	ep := server.newEpoll(unix.EPOLLIN)
	require.Zero(t, server.epollWait(ep, 0))
	client.write(bcTransaction{flags: oneWay})
	require.EqualValues(t, unix.EPOLLIN, server.epollWait(ep, 0))
	require.EqualValues(t, unix.EPOLLIN, server.epollWait(ep, 0))
	server.read()
	require.Zero(t, server.epollWait(ep, 0))
}

// Edge-triggered epoll reports it once, and again when more comes.
//
//covers:epoll
func TestEpollEdge(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	h := server.give(client, 0x10, 0)
	ep := server.newEpoll(unix.EPOLLIN | unix.EPOLLET)
	require.Zero(t, server.epollWait(ep, 0))
	client.write(bcTransaction{flags: oneWay})
	require.EqualValues(t, unix.EPOLLIN, server.epollWait(ep, 0))
	require.Zero(t, server.epollWait(ep, 0))
	client.write(bcTransaction{handle: h, flags: oneWay})
	require.EqualValues(t, unix.EPOLLIN, server.epollWait(ep, 0))
	require.Zero(t, server.epollWait(ep, 0))
	server.read()
	server.read()
	server.expectNothing()
	client.write(bcTransaction{code: 1})
	require.EqualValues(t, unix.EPOLLIN, server.epollWait(ep, 0))
}

// A blocked epoll_wait ends with work.
//
//covers:epoll
func TestEpollBlocks(t *testing.T) {
	for name, events := range map[string]uint32{"level": unix.EPOLLIN, "edge": unix.EPOLLIN | unix.EPOLLET, "one-shot": unix.EPOLLIN | unix.EPOLLONESHOT} {
		t.Run(name, func(t *testing.T) {
			server, client := newManager(t), newProcess(t)
			ep := server.newEpoll(events)
			server.startEpollWait(ep, -1)
			server.AwaitBlocked(t)
			client.write(bcTransaction{flags: oneWay})
			require.EqualValues(t, unix.EPOLLIN, server.finishEpollWait())
		})
	}
}

// A process that polls with one thread and reads with another is served.
//
//covers:epoll
func TestEpollThreadDoesNotRead(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	ep := server.newEpoll(unix.EPOLLIN)
	reader := server.newLooper()
	server.startEpollWait(ep, -1)
	server.AwaitBlocked(t)
	client.write(bcTransaction{flags: oneWay})
	require.EqualValues(t, unix.EPOLLIN, server.finishEpollWait())
	reader.expect(brNoop, &message{flags: oneWay})
}

// A thread may exit, and the device be closed, while an epoll watches it.
//
//covers:epoll,close
func TestEpollOutlives(t *testing.T) {
	for name, end := range map[string]func(p *process){
		"thread exit": func(p *process) { require.NoError(p.t, p.ioctl(binder.BINDER_THREAD_EXIT, 0)) },
		"close":       func(p *process) { p.close(p.fd) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newProcess(t)
			ep := p.newEpoll(unix.EPOLLIN)
			require.Zero(t, p.epollWait(ep, 0))
			end(p)
			p.epollWait(ep, 0)
			p.close(ep)
		})
	}
}
