// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//covers:epoll
package syscalls

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/test/syscalls/remote"
)

// Process work ends the wait of each polling thread.
func TestEpollWakesAll(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	second := server.newLooper()
	ep1, ep2 := server.newEpoll(unix.EPOLLIN), second.newEpoll(unix.EPOLLIN)
	server.startEpollWait(ep1, -1)
	second.startEpollWait(ep2, -1)
	server.AwaitBlocked(t)
	second.AwaitBlocked(t)
	client.write(bcTransaction{flags: oneWay})
	require.EqualValues(t, unix.EPOLLIN, server.finishEpollWait())
	require.EqualValues(t, unix.EPOLLIN, second.finishEpollWait())
	second.read()
	require.Zero(t, server.epollWait(ep1, 0))
	require.Zero(t, second.epollWait(ep2, 0))
}

// A polling thread isn't woken for work that a reader takes.
//
//covers:poll,dispatch
func TestPollBesideReader(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	reader := server.newLooper()
	server.startPoll(unix.POLLIN, -1)
	server.AwaitBlocked(t)
	reader.startRead()
	client.write(bcTransaction{code: 1})
	reader.finishExpect(brNoop, &message{code: 1, pid: client.pid()})
	server.AwaitBlocked(t)
	reader.write(bcReply{})
	client.expect(brNoop, brTransactionComplete, &message{reply: true})
	// It is woken for the rest when no reader waits.
	client.write(bcTransaction{flags: oneWay})
	require.EqualValues(t, unix.POLLIN, server.finishPoll())
}

// A close that makes readers return doesn't end a poll, but the next poll reports that a
// read would return.
//
//covers:poll,close
func TestPollFlush(t *testing.T) {
	p := newProcess(t)
	other, reader := p.newLooper(), p.newLooper()
	p.startPoll(unix.POLLIN, -1)
	p.AwaitBlocked(t)
	reader.startRead()
	other.close(int(other.Must(t, unix.SYS_DUP, uintptr(p.fd))))
	reader.finishExpect(brNoop) // Linux's worker has run by then.
	p.AwaitBlocked(t)
	if differs(t, onFlush) {
		require.Zero(t, other.poll(unix.POLLIN))
		return
	}
	require.EqualValues(t, unix.POLLIN, other.poll(unix.POLLIN))
	other.expect(brNoop)
	require.Zero(t, other.poll(unix.POLLIN))
}

// A thread that exits from the driver has nothing to read. In C it is reported ready: its
// next read, like that of any new thread, returns at once.
//
//covers:epoll,threads
func TestEpollLeave(t *testing.T) {
	p := newProcess(t)
	ep := p.newEpoll(unix.EPOLLIN)
	require.Zero(t, p.epollWait(ep, 0))
	p.leave()
	if differs(t, onFirstRead) {
		require.EqualValues(t, unix.EPOLLIN, p.epollWait(ep, 0))
		p.expect(brNoop)
	}
	require.Zero(t, p.epollWait(ep, 0))
}

// An exited thread's epoll descriptor works for another thread.
func TestEpollOfEndedThread(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	th := server.newLooper()
	ep := th.newEpoll(unix.EPOLLIN)
	require.Zero(t, th.epollWait(ep, 0))
	th.Start(t, unix.SYS_EXIT, 0)
	eventually(t, "the thread is gone", func() bool { return th.State() == "" })
	require.Zero(t, server.epollWait(ep, 0))
	client.write(bcTransaction{flags: oneWay})
	require.EqualValues(t, unix.EPOLLIN, server.epollWait(ep, 0))
}

// Nobody waits for a process that dies while polling.
//
//covers:epoll,ends
func TestDeathWhilePolling(t *testing.T) {
	for name, start := range map[string]func(p *process){
		"poll":  func(p *process) { p.startPoll(unix.POLLIN, -1) },
		"epoll": func(p *process) { p.startEpollWait(p.newEpoll(unix.EPOLLIN|unix.EPOLLET), -1) },
	} {
		t.Run(name, func(t *testing.T) {
			server, client := newManager(t), newProcess(t)
			client.startWriteRead(bcTransaction{})
			server.read()
			start(server)
			server.AwaitBlocked(t)
			server.kill()
			client.finishExpect(brNoop, brTransactionComplete, brDeadReply)
		})
	}
}

// Each of several devices in one epoll is reported separately.
//
//covers:epoll,contexts
func TestEpollTwoDevices(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	other := server.again()
	ep := server.newEpoll(unix.EPOLLIN)
	server.addToEpoll(ep, other.fd, unix.EPOLLIN)
	require.Zero(t, server.epollWait(ep, 0))
	client.write(bcTransaction{flags: oneWay})
	require.EqualValues(t, unix.EPOLLIN, server.epollWait(ep, 0))
	server.read()
	other.write(bcReply{})
	if !differs(t, onPollFailure) {
		require.EqualValues(t, unix.EPOLLIN, server.epollWait(ep, 0))
	}
	other.expect(brNoop, brFailedReply)
	require.Zero(t, server.epollWait(ep, 0))
}

// addToEpoll makes an epoll descriptor watch fd, too.
func (th *thread) addToEpoll(ep, fd int, events uint32) {
	th.t.Helper()
	*remote.Struct[unix.EpollEvent](th.Scratch()) = unix.EpollEvent{Events: events, Fd: 8}
	th.Must(th.t, unix.SYS_EPOLL_CTL, uintptr(ep), unix.EPOLL_CTL_ADD, uintptr(fd), th.Scratch())
}

// A blocked select(2) ends with work.
//
//covers:poll
func TestSelectBlocks(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	set := server.Scratch() + 256
	b := remote.Bytes(set, 128)
	clear(b)
	b[server.fd/8] |= 1 << (server.fd % 8)
	server.Start(t, unix.SYS_PSELECT6, uintptr(server.fd+1), set, 0, 0, 0, 0)
	server.AwaitBlocked(t)
	client.write(bcTransaction{flags: oneWay})
	n, err := server.Wait(t)
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
}
