// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//covers:freeze
package syscalls

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/test/syscalls/remote"
)

// forever is a timeout of BINDER_FREEZE, in milliseconds, that no test outlasts.
const forever = 1_000_000

// untilWoken returns a timeout of BINDER_FREEZE, in milliseconds, for a change that Linux
// does not wake the caller for: there it has to pass, once the caller was seen to wait.
func untilWoken() uint32 {
	if inSandbox() {
		return forever
	}
	return 2000
}

// freezeInfo returns the argument of BINDER_FREEZE.
func freezeInfo(pid int, enable, timeout uint32) []byte {
	return words(uint32(pid), enable, timeout).encode()
}

// tryFreeze makes th freeze the process pid, with a timeout in milliseconds.
func (th *thread) tryFreeze(pid int, timeout uint32) error {
	th.t.Helper()
	_, err := th.ioctlBytes(binder.BINDER_FREEZE, freezeInfo(pid, 1, timeout))
	return err
}

// freeze makes th freeze p, which must succeed at once.
func (th *thread) freeze(p *process) {
	th.t.Helper()
	require.NoError(th.t, th.tryFreeze(p.pid(), 0), "BINDER_FREEZE")
}

// thaw makes th thaw p.
func (th *thread) thaw(p *process) {
	th.t.Helper()
	_, err := th.ioctlBytes(binder.BINDER_FREEZE, freezeInfo(p.pid(), 0, 0))
	require.NoError(th.t, err, "BINDER_FREEZE")
}

// startFreeze starts to freeze p and returns when th waits for it.
func (th *thread) startFreeze(p *process, timeout uint32) {
	th.t.Helper()
	copy(remote.Bytes(th.Scratch(), binder.SizeOfFreezeInfo), freezeInfo(p.pid(), 1, timeout))
	th.Start(th.t, unix.SYS_IOCTL, uintptr(th.p.fd), binder.BINDER_FREEZE, th.Scratch())
	th.AwaitBlocked(th.t)
}

// finishFreeze waits for what startFreeze started.
func (th *thread) finishFreeze() error {
	th.t.Helper()
	_, err := th.Wait(th.t)
	return err
}

// startFreezeHandling is startFreeze for p that is handling a call. It returns false if
// there is nothing to wait for.
func (th *thread) startFreezeHandling(p *process, timeout uint32) bool {
	th.t.Helper()
	if differs(th.t, onFreezeBusy) {
		require.Equal(th.t, unix.EAGAIN, th.tryFreeze(p.pid(), timeout))
		return false
	}
	th.startFreeze(p, timeout)
	return true
}

// frozenInfo is the result of BINDER_GET_FROZEN_INFO.
type frozenInfo struct{ sync, async uint32 }

// Bits of frozenInfo's first field.
const (
	syncReceived = 1 // a call has come since the process was frozen
	syncPending  = 2 // a transaction is pending
)

// frozenInfo makes BINDER_GET_FROZEN_INFO.
func (th *thread) frozenInfo(pid int) (frozenInfo, error) {
	th.t.Helper()
	got, err := th.ioctlBytes(binder.BINDER_GET_FROZEN_INFO, words(uint32(pid), 0xdead, 0xdead).encode())
	require.EqualValues(th.t, pid, int32(binary.NativeEndian.Uint32(got)))
	return frozenInfo{binary.NativeEndian.Uint32(got[4:]), binary.NativeEndian.Uint32(got[8:])}, err
}

// expectInfo checks p's BINDER_GET_FROZEN_INFO.
func (th *thread) expectInfo(p *process, sync, async uint32) {
	th.t.Helper()
	got, err := th.frozenInfo(p.pid())
	require.NoError(th.t, err, "BINDER_GET_FROZEN_INFO")
	require.Equal(th.t, frozenInfo{sync, async}, got)
}

// oneWayUpdate holds the flags of a one-way call that replaces a superseded one.
const oneWayUpdate = oneWay | binder.TF_UPDATE_TXN

// newFreezable returns the manager, a client with a handle to one of its nodes, and an
// unrelated process that freezes others.
func newFreezable(t *testing.T) (server, client, freezer *process, h uint32) {
	t.Helper()
	server, client, h = newMortal(t)
	return server, client, newProcess(t), h
}

// A call to a frozen process fails at once.
func TestCallFrozen(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	freezer.freeze(server)
	client.write(bcTransaction{handle: h})
	client.expect(brNoop, brFrozenReply)
	client.write(bcTransaction{handle: 0})
	client.expect(brNoop, brFrozenReply)
	server.expectNothing()
	freezer.thaw(server)
	client.call(server.thread, bcTransaction{handle: h}, nil)
}

// The call is consumed like any that fails, and what follows it is not.
func TestCallFrozenStopsWriting(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	freezer.freeze(server)
	r := client.writeRead(readSize, bcTransaction{handle: h}, bcAcquire(h))
	require.NoError(t, r.err)
	require.Equal(t, 4+binder.SizeOfTransactionData, r.writeConsumed)
	expect(t, r.returns, brNoop, brFrozenReply)
}

// What the call carried is undone: the caller is told of no references.
func TestCallFrozenUndone(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	freezer.freeze(server)
	client.write(bcTransaction{handle: h, payload: payload{node(0x99, 0x1)}})
	if differs(t, onFrozenReferences) {
		return
	}
	client.expect(brNoop, brFrozenReply)
	client.expectNothing()
}

// A one-way call to a frozen process is queued, and its sender is told that it may take a
// while.
func TestOneWayFrozen(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	freezer.freeze(server)
	for code := range uint32(2) {
		client.write(bcTransaction{handle: h, flags: oneWay, code: code + 1})
		client.expect(brNoop, brPendingFrozen)
	}
	freezer.thaw(server)
	for code := range uint32(2) {
		got := server.expect(brNoop, &message{ptr: 0x10, cookie: 0x20, flags: oneWay, code: code + 1})
		server.write(got.message(t).free())
	}
	server.expectNothing()
	client.write(bcTransaction{handle: h, flags: oneWay})
	client.expect(brNoop, brTransactionComplete)
}

// That is no failure: the following commands are executed.
func TestOneWayFrozenWritesOn(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	freezer.freeze(server)
	r := client.writeRead(readSize, bcTransaction{handle: h, flags: oneWay}, bcTransaction{handle: h, flags: oneWay})
	require.NoError(t, r.err)
	if differs(t, onPendingFrozen) {
		expect(t, r.returns, brNoop, brPendingFrozen)
		return
	}
	expect(t, r.ok(t), brNoop, brPendingFrozen, brPendingFrozen)
}

// A thread of a frozen process that reads anyway gets the call.
func TestOneWayFrozenReader(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	freezer.freeze(server)
	server.startRead()
	client.write(bcTransaction{handle: h, flags: oneWay})
	server.finishExpect(brNoop, &message{ptr: 0x10, cookie: 0x20, flags: oneWay})
}

// A frozen process can call others, receive replies, and release what it holds.
func TestFrozenCalls(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	freezer.freeze(client)
	client.call(server.thread, bcTransaction{handle: h}, payload{words(1)})
	client.write(bcRelease(h), bcDecrefs(h))
	server.expect(brNoop, brRelease(0x10, 0x20), brDecrefs(0x10, 0x20))
}

// A call back to a frozen process fails, even if one of its threads waits.
func TestCallBackFrozen(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	freezer.freeze(client)
	client.start(readSize, bcTransaction{handle: h, payload: payload{node(0x99, 0)}})
	back := server.read().message(t).handle(0)
	server.write(bcTransaction{handle: back})
	server.expect(brNoop, brFrozenReply)
	server.write(bcReply{})
	server.expect(brNoop, brTransactionComplete)
	client.finish().ok(t)
}

// A frozen process can read and answer what came before it was frozen; but then freezing
// it fails.
func TestFreezeBusy(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	client.start(readSize, bcTransaction{handle: h})
	for _, state := range []string{"queued", "read"} {
		if state == "read" {
			server.read()
		}
		if state == "queued" {
			client.AwaitBlocked(t)
		}
		freezer.expectInfo(server, syncPending, 0)
		require.Equal(t, unix.EAGAIN, freezer.tryFreeze(server.pid(), 0), state)
		require.Equal(t, unix.EAGAIN, freezer.tryFreeze(server.pid(), 1), state)
	}
	server.write(bcReply{})
	freezer.freeze(server)
	client.finish().ok(t)
	freezer.expectInfo(server, 0, 0)
}

// It also fails if a one-way call has not been read, but not if it was read and its
// buffer is in use.
func TestFreezeWithOneWay(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	client.write(bcTransaction{handle: h, flags: oneWay})
	freezer.expectInfo(server, syncPending, 0)
	require.Equal(t, unix.EAGAIN, freezer.tryFreeze(server.pid(), 0))
	server.read()
	freezer.expectInfo(server, 0, 0)
	freezer.freeze(server)
}

// A one-way call that waits for a previous one counts.
func TestFreezeWithOneWayWaiting(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	client.write(bcTransaction{handle: h, flags: oneWay}, bcTransaction{handle: h, flags: oneWay})
	first := server.read().message(t)
	require.Equal(t, unix.EAGAIN, freezer.tryFreeze(server.pid(), 0))
	server.write(first.free())
	require.Equal(t, unix.EAGAIN, freezer.tryFreeze(server.pid(), 0))
	server.read()
	freezer.freeze(server)
}

// A process that waits for a reply can't be frozen, nor can one to which a reply is in
// flight.
func TestFreezeCaller(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	client.setNonblock(true)
	require.Equal(t, unix.EAGAIN, client.writeRead(readSize, bcTransaction{handle: h}).err)
	client.setNonblock(false)
	freezer.expectInfo(client, syncPending, 0)
	// Freezing does not wait: the process has nothing left to do.
	require.Equal(t, unix.EAGAIN, freezer.tryFreeze(client.pid(), forever))
	server.read()
	server.write(bcReply{})
	freezer.expectInfo(client, syncPending, 0)
	require.Equal(t, unix.EAGAIN, freezer.tryFreeze(client.pid(), 0))
	client.read().message(t)
	freezer.freeze(client)
}

// A failed attempt to freeze leaves the process as it was.
func TestFreezeFailsWithoutTrace(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	client.write(bcTransaction{handle: h, flags: oneWay})
	client.expect(brNoop, brTransactionComplete)
	require.Equal(t, unix.EAGAIN, freezer.tryFreeze(server.pid(), 0))
	client.write(bcTransaction{handle: h, flags: oneWay})
	client.expect(brNoop, brTransactionComplete)
	freezer.expectInfo(server, syncPending, 0)
}

// If freezing a frozen process again fails, it is thawed.
func TestFreezeAgainBusy(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	freezer.freeze(server)
	client.write(bcTransaction{handle: h, flags: oneWay})
	client.expect(brNoop, brPendingFrozen)
	freezer.expectInfo(server, syncPending, 1)
	require.Equal(t, unix.EAGAIN, freezer.tryFreeze(server.pid(), 0))
	client.write(bcTransaction{handle: h, flags: oneWay})
	client.expect(brNoop, brTransactionComplete)
	freezer.expectInfo(server, syncPending, 0)
}

// Freezing twice equals freezing once; so does thawing.
func TestFreezeTwice(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	freezer.thaw(server)
	freezer.freeze(server)
	client.write(bcTransaction{handle: h})
	client.expect(brNoop, brFrozenReply)
	freezer.expectInfo(server, syncReceived, 0)
	freezer.freeze(server)
	freezer.expectInfo(server, 0, 0)
	freezer.thaw(server)
	freezer.thaw(server)
	client.call(server.thread, bcTransaction{handle: h}, nil)
}

// What has come since the process was frozen is reported until it is thawed.
func TestFrozenInfo(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	freezer.expectInfo(server, 0, 0)
	client.write(bcTransaction{handle: h, flags: oneWay})
	server.write(server.read().message(t).free())
	freezer.expectInfo(server, 0, 0)

	freezer.freeze(server)
	freezer.expectInfo(server, 0, 0)
	client.write(bcTransaction{handle: h, flags: oneWay})
	freezer.expectInfo(server, syncPending, 1)
	client.expect(brNoop, brTransactionComplete, brPendingFrozen)
	client.write(bcTransaction{handle: h})
	client.expect(brNoop, brFrozenReply)
	freezer.expectInfo(server, syncReceived|syncPending, 1)
	server.write(server.read().message(t).free())
	freezer.expectInfo(server, syncReceived, 1)

	freezer.thaw(server)
	freezer.expectInfo(server, 0, 0)
}

// What is refused as malformed is not recorded.
func TestFrozenInfoOfMalformed(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	freezer.freeze(server)
	client.write(bcTransaction{handle: h, edit: func(tr *binder.TransactionData) { tr.OffsetsSize = 3 }})
	client.expect(brNoop, brFailedReply)
	client.write(bcTransaction{handle: h, edit: func(tr *binder.TransactionData) { tr.DataSize = mapSize * 2 }})
	client.expect(brNoop, brFailedReply)
	freezer.expectInfo(server, 0, 0)
}

// A process that doesn't exist, or has not opened a device, can't be frozen or queried.
func TestFreezeUnknown(t *testing.T) {
	freezer, bare := newProcess(t), newBareProcess(t)
	gone := newProcess(t)
	gone.kill()
	gone.remote.Reap(t)
	// Linux releases a process some time after its end.
	eventually(t, "the process is gone", func() bool {
		_, err := freezer.frozenInfo(gone.pid())
		return err == unix.EINVAL
	})
	for _, pid := range []int{-1, 0, 1 << 30, bare.pid(), gone.pid()} {
		for _, enable := range []uint32{0, 1} {
			_, err := freezer.ioctlBytes(binder.BINDER_FREEZE, freezeInfo(pid, enable, 0))
			if differs(t, onFreezeNobody) {
				require.NoError(t, err)
				continue
			}
			require.Equal(t, unix.EINVAL, err, "%d", pid)
		}
		got, err := freezer.frozenInfo(pid)
		require.Equal(t, unix.EINVAL, err)
		require.Equal(t, frozenInfo{0xdead, 0xdead}, got)
	}
}

// Any value but 0 means to freeze.
func TestFreezeEnable(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	for _, enable := range []uint32{2, 1 << 31} {
		_, err := freezer.ioctlBytes(binder.BINDER_FREEZE, freezeInfo(server.pid(), enable, 0))
		require.NoError(t, err)
		client.write(bcTransaction{handle: h})
		client.expect(brNoop, brFrozenReply)
		freezer.thaw(server)
	}
}

// A process can freeze itself.
func TestFreezeOneself(t *testing.T) {
	server, client, _, h := newFreezable(t)
	server.freeze(server)
	client.write(bcTransaction{handle: h})
	client.expect(brNoop, brFrozenReply)
	server.thaw(server)
	client.call(server.thread, bcTransaction{handle: h}, nil)
}

// No privilege is needed.
func TestFreezeByOther(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	freezer.setUser(1000)
	freezer.freeze(server)
	client.write(bcTransaction{handle: h})
	client.expect(brNoop, brFrozenReply)
}

// A thread's ID is not a process ID.
func TestFreezeThread(t *testing.T) {
	freezer, p := newProcess(t), newProcess(t)
	th := p.newThread()
	_, err := freezer.frozenInfo(th.TID())
	require.Equal(t, unix.EINVAL, err)
	if !differs(t, onFreezeNobody) {
		require.Equal(t, unix.EINVAL, freezer.tryFreeze(th.TID(), 0))
	}
}

// A process that has opened the device more than once is frozen as a whole, on
// all devices.
func TestFreezeSeveral(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	server.again()
	second := wrap(t, server.remote)
	second.connect("/dev/hwbinder")
	second.becomeManager()
	hwClient := newBareProcess(t)
	hwClient.connect("/dev/hwbinder")
	freezer.freeze(server)

	client.write(bcTransaction{handle: h})
	client.expect(brNoop, brFrozenReply)
	hwClient.write(bcTransaction{flags: oneWay})
	hwClient.expect(brNoop, brPendingFrozen)
	freezer.expectInfo(server, syncReceived|syncPending, 1)
	hwClient.expectInfo(server, syncReceived|syncPending, 1)
	second.read()
	freezer.expectInfo(server, syncReceived, 1)

	freezer.thaw(server)
	hwClient.start(readSize, bcTransaction{})
	second.read()
	second.write(bcReply{})
	hwClient.finishExpect(brNoop, brTransactionComplete, &message{reply: true})
}

// If one of several is busy, it isn't frozen; those that were opened after it are, and
// those before it are left alone.
func TestFreezeSeveralBusy(t *testing.T) {
	freezer, first := newProcess(t), newBareProcess(t)
	var clients []*process
	for i, device := range devices {
		p := first
		if i > 0 {
			p = wrap(t, first.remote)
		}
		p.connect(device)
		p.becomeManager()
		client := newBareProcess(t)
		client.connect(device)
		clients = append(clients, client)
	}
	clients[1].write(bcTransaction{flags: oneWay})
	clients[1].expect(brNoop, brTransactionComplete)
	require.Equal(t, unix.EAGAIN, freezer.tryFreeze(first.pid(), 0))
	if differs(t, onFreezeOrder) {
		return
	}
	for i, want := range []br{brTransactionComplete, brTransactionComplete, brPendingFrozen} {
		clients[i].write(bcTransaction{flags: oneWay})
		clients[i].expect(brNoop, want)
	}
}

// A child that only inherited its parent's device can't be frozen or queried.
func TestFreezeForked(t *testing.T) {
	freezer, p := newProcess(t), newProcess(t)
	child := p.fork()
	_, err := freezer.frozenInfo(child.pid())
	require.Equal(t, unix.EINVAL, err)
	if !differs(t, onFreezeNobody) {
		require.Equal(t, unix.EINVAL, freezer.tryFreeze(child.pid(), 0))
	}
}

// The process ID is that in the root namespace on Linux, and that in the caller's
// namespace in a sandbox.
func TestFreezeNamespace(t *testing.T) {
	client, outer := newProcess(t), newBareProcess(t)
	outer.Must(t, unix.SYS_UNSHARE, unix.CLONE_NEWPID)
	inner := wrap(t, outer.remote.Fork(t))
	inner.connect(defaultDevice)
	inner.becomeManager()
	pid, other := inner.pid(), int(inner.Must(t, unix.SYS_GETPID))
	if inSandbox() {
		pid, other = other, pid
	}
	_, err := inner.frozenInfo(other)
	require.Equal(t, unix.EINVAL, err)
	if !differs(t, onFreezeNobody) {
		require.Equal(t, unix.EINVAL, inner.tryFreeze(other, 0))
	}
	require.NoError(t, inner.tryFreeze(pid, 0))
	_, err = inner.frozenInfo(pid)
	require.NoError(t, err)
	// Others use its ID in their namespace.
	_, err = client.frozenInfo(inner.pid())
	require.NoError(t, err)
	client.write(bcTransaction{})
	client.expect(brNoop, brFrozenReply)
}

// Freezing waits until what has come is handled.
func TestFreezeWaits(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	client.start(readSize, bcTransaction{handle: h})
	server.read()
	if !freezer.startFreezeHandling(server, forever) {
		return
	}
	// Meanwhile it's frozen.
	other := newProcess(t)
	other.write(bcTransaction{})
	other.expect(brNoop, brFrozenReply)
	server.write(bcReply{})
	require.NoError(t, freezer.finishFreeze())
	client.finish().ok(t)
	other.write(bcTransaction{})
	other.expect(brNoop, brFrozenReply)
	freezer.expectInfo(server, syncReceived, 0)
}

// It waits for one-way calls until they are read.
func TestFreezeWaitsForOneWay(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	client.write(bcTransaction{handle: h, flags: oneWay})
	freezer.startFreeze(server, forever)
	server.read()
	require.NoError(t, freezer.finishFreeze())
}

// It also waits for one that comes meanwhile.
func TestFreezeWaitsForNew(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	client.write(bcTransaction{handle: h, flags: oneWay})
	freezer.startFreeze(server, forever)
	client.write(bcTransaction{handle: h, flags: oneWay, code: 2})
	client.expect(brNoop, brTransactionComplete, brPendingFrozen)
	first := server.read().message(t)
	freezer.AwaitBlocked(t)
	server.write(first.free())
	freezer.AwaitBlocked(t)
	server.expect(brNoop, &message{ptr: 0x10, cookie: 0x20, flags: oneWay, code: 2})
	require.NoError(t, freezer.finishFreeze())
}

// A process that has handled everything, but waits for a reply itself, isn't frozen after
// the wait.
func TestFreezeWaitsInVain(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	looper := client.newLooper()
	client.start(readSize, bcTransaction{handle: h, payload: payload{node(0x99, 0)}})
	back := server.read().message(t).handle(0)
	server.write(bcTransaction{handle: back, flags: oneWay})
	freezer.startFreeze(client, forever)
	looper.read()
	require.Equal(t, unix.EAGAIN, freezer.finishFreeze())
	server.write(bcReply{})
	client.finish().ok(t)
}

// When the time is up, it fails, and the process is not frozen.
func TestFreezeTimesOut(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	client.start(readSize, bcTransaction{handle: h})
	server.read()
	require.Equal(t, unix.EAGAIN, freezer.tryFreeze(server.pid(), 10))
	other := newProcess(t)
	other.write(bcTransaction{flags: oneWay})
	other.expect(brNoop, brTransactionComplete)
}

// A signal ends the wait; the process is not frozen.
func TestFreezeInterrupted(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	client.write(bcTransaction{handle: h, flags: oneWay})
	client.read()
	freezer.Handle(t, unix.SIGUSR1, 0)
	freezer.startFreeze(server, forever)
	freezer.Signal(t, unix.SIGUSR1)
	require.Equal(t, unix.EINTR, freezer.finishFreeze())
	client.write(bcTransaction{handle: h, flags: oneWay})
	client.expect(brNoop, brTransactionComplete)
}

// With SA_RESTART the call is restarted.
func TestFreezeInterruptedAndRestarted(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	client.write(bcTransaction{handle: h, flags: oneWay})
	freezer.Handle(t, unix.SIGUSR1, 0x10000000)
	freezer.startFreeze(server, forever)
	freezer.Signal(t, unix.SIGUSR1)
	freezer.AwaitBlocked(t)
	server.read()
	require.NoError(t, freezer.finishFreeze())
}

// A non-blocking device makes no difference.
func TestFreezeNonblocking(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	client.write(bcTransaction{handle: h, flags: oneWay})
	freezer.setNonblock(true)
	freezer.startFreeze(server, forever)
	server.read()
	require.NoError(t, freezer.finishFreeze())
}

// An exiting thread's calls count as handled.
func TestFreezeWaitsForThreadExit(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	client.start(readSize, bcTransaction{handle: h})
	th := server.newLooper()
	th.read()
	if !freezer.startFreezeHandling(server, untilWoken()) {
		return
	}
	require.NoError(t, th.ioctl(binder.BINDER_THREAD_EXIT, 0))
	require.NoError(t, freezer.finishFreeze())
	expect(t, client.finish().ok(t), brNoop, brTransactionComplete, brDeadReply)
}

// A call whose caller has died must still be answered.
func TestFreezeWaitsForCallOfDead(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	client.start(readSize, bcTransaction{handle: h})
	server.read()
	client.kill()
	if !freezer.startFreezeHandling(server, forever) {
		return
	}
	server.write(bcReply{})
	require.NoError(t, freezer.finishFreeze())
}

// A call that fails on its way counts as handled.
func TestFreezeWaitsForFailedReply(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	client.start(readSize, bcTransaction{handle: h})
	server.read()
	if !freezer.startFreezeHandling(server, forever) {
		return
	}
	server.write(bcReply{payload: payload{handle(99)}})
	require.NoError(t, freezer.finishFreeze())
	expect(t, client.finish().ok(t), brNoop, brTransactionComplete, brFailedReply)
}

// A reply counts for its receiver until it is read.
func TestFreezeWaitsForReply(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	client.setNonblock(true)
	require.Equal(t, unix.EAGAIN, client.writeRead(readSize, bcTransaction{handle: h}).err)
	server.read()
	server.write(bcReply{})
	freezer.startFreeze(client, forever)
	client.read().message(t)
	require.NoError(t, freezer.finishFreeze())
}

// A process that dies while another waits for it to freeze.
func TestFreezeDying(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	client.start(readSize, bcTransaction{handle: h})
	server.read()
	if !freezer.startFreezeHandling(server, untilWoken()) {
		return
	}
	server.kill()
	require.NoError(t, freezer.finishFreeze())
	expect(t, client.finish().ok(t), brNoop, brTransactionComplete, brDeadReply)
}

// A process stays frozen after its freezer is gone.
func TestFreezerDies(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	freezer.freeze(server)
	freezer.kill()
	freezer.remote.Reap(t)
	client.write(bcTransaction{handle: h})
	client.expect(brNoop, brFrozenReply)
	newProcess(t).thaw(server)
	client.call(server.thread, bcTransaction{handle: h}, nil)
}

// A process that dies while it waits for another to freeze leaves that as it was.
func TestFreezerDiesWaiting(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	client.start(readSize, bcTransaction{handle: h})
	server.read()
	if !freezer.startFreezeHandling(server, forever) {
		return
	}
	freezer.kill()
	freezer.remote.Reap(t)
	other := newProcess(t)
	other.write(bcTransaction{flags: oneWay})
	other.expect(brNoop, brTransactionComplete)
}

// A frozen process that dies counts as dead.
func TestFrozenDies(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	client.write(bcRequestDeath(h, 1))
	freezer.freeze(server)
	client.write(bcTransaction{handle: h, flags: oneWay})
	client.expect(brNoop, brPendingFrozen)
	server.kill()
	client.expect(brNoop, brDeadBinder(1))
	for _, flags := range []uint32{0, oneWay} {
		client.write(bcTransaction{handle: h, flags: flags})
		client.expect(brNoop, brDeadReply)
	}
}

// Two processes can wait for the same one.
func TestFreezeTogether(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	other := newProcess(t)
	client.write(bcTransaction{handle: h, flags: oneWay})
	freezer.startFreeze(server, forever)
	other.startFreeze(server, forever)
	server.read()
	require.NoError(t, freezer.finishFreeze())
	require.NoError(t, other.finishFreeze())
}

// If another thaws the process meanwhile, the wait continues, and succeeds, but the
// process is not frozen.
func TestThawWhileFreezing(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	client.write(bcTransaction{handle: h, flags: oneWay})
	client.read()
	freezer.startFreeze(server, untilWoken())
	client.thaw(server)
	server.read()
	require.NoError(t, freezer.finishFreeze())
	client.write(bcTransaction{flags: oneWay})
	if differs(t, onFreezeOverlap) {
		client.expect(brNoop, brPendingFrozen)
		return
	}
	client.expect(brNoop, brTransactionComplete)
}

// A one-way call that replaces superseded ones replaces one that waits.
//
//covers:flags
func TestUpdate(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	freezer.freeze(server)
	for i := range uint32(4) {
		client.write(bcTransaction{handle: h, flags: oneWayUpdate, payload: payload{words(i)}})
		client.expect(brNoop, brPendingFrozen)
	}
	freezer.thaw(server)
	// The first is not waiting: it can be read.
	for _, i := range []uint32{0, 3} {
		got := server.expect(brNoop, &message{ptr: 0x10, cookie: 0x20, flags: oneWayUpdate, payload: payload{words(i)}})
		server.write(got.message(t).free())
	}
	server.expectNothing()
	freezer.freeze(server)
}

// What a replaced call carried is released.
//
//covers:flags,counts
func TestUpdateReleases(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	freezer.freeze(server)
	client.write(bcTransaction{handle: h, flags: oneWayUpdate})
	client.expect(brNoop, brPendingFrozen)
	client.write(bcTransaction{handle: h, flags: oneWayUpdate, payload: payload{node(0x99, 1)}})
	client.expect(brNoop, brIncrefs(0x99, 1), brAcquire(0x99, 1), brPendingFrozen)
	client.write(bcIncrefsDone(0x99, 1), bcAcquireDone(0x99, 1))
	client.write(bcTransaction{handle: h, flags: oneWayUpdate})
	client.expect(brNoop, brPendingFrozen)
	client.expect(brNoop, brRelease(0x99, 1), brDecrefs(0x99, 1))
}

// Which calls replace which.
//
//covers:flags
func TestUpdateConditions(t *testing.T) {
	for name, tc := range map[string]struct {
		first, second bcTransaction
		thawed        bool // before the second
		another       bool // the second comes from another process
		replaced      bool
	}{
		"same":            {bcTransaction{flags: oneWayUpdate}, bcTransaction{flags: oneWayUpdate}, false, false, true},
		"other data":      {bcTransaction{flags: oneWayUpdate}, bcTransaction{flags: oneWayUpdate, payload: payload{words(1, 2, 3)}}, false, false, true},
		"other code":      {bcTransaction{flags: oneWayUpdate}, bcTransaction{flags: oneWayUpdate, code: 1}, false, false, false},
		"other flags":     {bcTransaction{flags: oneWayUpdate}, bcTransaction{flags: oneWayUpdate | binder.TF_CLEAR_BUF}, false, false, false},
		"same flags":      {bcTransaction{flags: oneWayUpdate | binder.TF_CLEAR_BUF}, bcTransaction{flags: oneWayUpdate | binder.TF_CLEAR_BUF}, false, false, true},
		"only the first":  {bcTransaction{flags: oneWayUpdate}, bcTransaction{flags: oneWay}, false, false, false},
		"only the second": {bcTransaction{flags: oneWay}, bcTransaction{flags: oneWayUpdate}, false, false, false},
		"neither":         {bcTransaction{flags: oneWay}, bcTransaction{flags: oneWay}, false, false, false},
		"thawed":          {bcTransaction{flags: oneWayUpdate}, bcTransaction{flags: oneWayUpdate}, true, false, false},
		"another process": {bcTransaction{flags: oneWayUpdate}, bcTransaction{flags: oneWayUpdate}, false, true, false},
		"other node":      {bcTransaction{flags: oneWayUpdate}, bcTransaction{flags: oneWayUpdate, handle: 0xffff}, false, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			server, client, freezer, h := newFreezable(t)
			from, to := client, h
			if tc.another {
				from = newProcess(t)
				_, answer := from.call(server.thread, bcTransaction{}, payload{node(0x10, 0x20)})
				to = answer.handle(0)
				from.write(bcAcquire(to), answer.free())
			}
			if tc.second.handle != 0 {
				to = server.give(client, 0x11, 0x21)
			}
			freezer.freeze(server)
			send := func(p *process, tr bcTransaction) {
				t.Helper()
				p.writeRead(readSize, tr).ok(t)
			}
			// Keep the nodes busy.
			busy := 1
			send(client, bcTransaction{handle: h, flags: oneWay, code: 99})
			if tc.second.handle != 0 {
				busy++
				send(client, bcTransaction{handle: to, flags: oneWay, code: 99})
			}
			tc.first.handle, tc.second.handle = h, to
			send(client, tc.first)
			if tc.thawed {
				freezer.thaw(server)
			}
			send(from, tc.second)
			want := busy + 2
			if tc.replaced {
				want--
			}
			for range want {
				server.write(server.read().message(t).free())
			}
			server.expectNothing()
		})
	}
}

// Bad arguments are refused.
//
//covers:freeze,bad-requests
func TestFreezeBadArgument(t *testing.T) {
	p := newProcess(t)
	edge := p.pageEdge()
	for name, request := range map[string]uintptr{"BINDER_FREEZE": binder.BINDER_FREEZE, "BINDER_GET_FROZEN_INFO": binder.BINDER_GET_FROZEN_INFO} {
		for where, addr := range map[string]uintptr{"null": 0, "bad": badAddress, "kernel": 1 << 63, "cut short": edge - 8} {
			t.Run(name+" "+where, func(t *testing.T) {
				require.Equal(t, unix.EFAULT, p.as(t).ioctl(request, addr))
			})
		}
	}
}
