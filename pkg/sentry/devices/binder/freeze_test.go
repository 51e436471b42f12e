// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/errors/linuxerr"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/sentry/devices/binder/memorytest"
)

// freeze makes BINDER_FREEZE.
func (th *thread) freeze(info binder.FreezeInfo) error {
	info.MarshalUnsafe(th.mem.Bytes[argAddr:])
	return th.ioctl(binder.BINDER_FREEZE, argAddr)
}

// setFrozen freezes or thaws a, without a timeout.
func (th *thread) setFrozen(a *thread, frozen bool) error {
	info := binder.FreezeInfo{PID: uint32(a.pid)}
	if frozen {
		info.Enable = 1
	}
	return th.freeze(info)
}

// frozenInfo makes BINDER_GET_FROZEN_INFO for a, and returns the two numbers.
func (th *thread) frozenInfo(a *thread) [2]uint32 {
	th.w.t.Helper()
	info := binder.FrozenStatusInfo{PID: uint32(a.pid)}
	info.MarshalUnsafe(th.mem.Bytes[argAddr:])
	require.NoError(th.w.t, th.ioctl(binder.BINDER_GET_FROZEN_INFO, argAddr))
	info.UnmarshalUnsafe(th.mem.Bytes[argAddr:])
	return [2]uint32{info.SyncRecv, info.AsyncRecv}
}

// freezeWorld returns a server, a client with a handle for one of its nodes, and a freezer.
func freezeWorld(t *testing.T) (w *world, server, client, freezer *thread, handle uint32) {
	w = newWorld(t)
	server, client, freezer = w.newApp(), w.newApp(), w.newApp()
	return w, server, client, freezer, w.give(server, client, 0x10)
}

// TestFreezeWait freezes a busy process within the timeout.
func TestFreezeWait(t *testing.T) {
	w, server, client, freezer, handle := freezeWorld(t)
	client.write(client.call(handle, 0, parcel("")))
	server.takeCall()
	freezer.onBlock = func() { server.write(server.reply(parcel(""))) }
	require.NoError(t, freezer.freeze(binder.FreezeInfo{PID: uint32(server.pid), Enable: 1, TimeoutMS: 1}))
	require.Equal(t, 1, freezer.slept)
	w.requireSound()
}

// TestFreezeWaitsLong is woken for transactions that aren't the last one.
func TestFreezeWaitsLong(t *testing.T) {
	w, server, client, freezer, handle := freezeWorld(t)
	client.write(client.call(handle, binder.TF_ONE_WAY, parcel("")))
	freezer.nap = 400 * time.Microsecond
	freezer.onBlock = func() {
		// Another comes as soon as there's none.
		server.takeCall()
		client.write(client.call(handle, binder.TF_ONE_WAY, parcel("")))
	}
	require.Equal(t, linuxerr.EAGAIN, freezer.freeze(binder.FreezeInfo{PID: uint32(server.pid), Enable: 1, TimeoutMS: 1}))
	require.Equal(t, 3, freezer.slept, "sleeps of 0.4 ms in 1 ms")
	w.requireSound()
}

// TestFreezeRestarted interrupts the wait, without a signal: the repeated call has the
// remaining time.
func TestFreezeRestarted(t *testing.T) {
	_, server, client, freezer, handle := freezeWorld(t)
	client.write(client.call(handle, binder.TF_ONE_WAY, parcel("")))
	freeze := func() error {
		return freezer.freeze(binder.FreezeInfo{PID: uint32(server.pid), Enable: 1, TimeoutMS: 10})
	}
	left := func() time.Duration { return freezer.state().freezeLeft }

	freezer.nap = 4 * time.Millisecond
	require.Equal(t, linuxerr.ERESTARTSYS, freeze())
	require.Equal(t, 6*time.Millisecond, left())
	// Meanwhile the process isn't frozen.
	require.Equal(t, [2]uint32{binder.FROZEN_TXNS_PENDING, 0}, client.frozenInfo(server))
	client.write(client.call(handle, binder.TF_ONE_WAY, parcel("")))
	client.expect(binder.BR_TRANSACTION_COMPLETE, binder.BR_TRANSACTION_COMPLETE)
	require.Equal(t, linuxerr.ERESTARTSYS, freeze())
	require.Equal(t, 2*time.Millisecond, left())
	require.Equal(t, linuxerr.EAGAIN, freeze(), "the time is over")
	require.Zero(t, left())

	// Any other call means that it isn't repeated.
	require.Equal(t, linuxerr.ERESTARTSYS, freeze())
	require.NoError(t, freezer.ioctl(binder.BINDER_VERSION, argAddr))
	require.Zero(t, left())

	// After a signal it starts over.
	freezer.signaled = true
	require.Equal(t, linuxerr.ERESTARTSYS, freeze())
	require.Zero(t, left())
}

// TestFreezeSeveral freezes a process that has opened the device several times: the newest
// open comes first.
func TestFreezeSeveral(t *testing.T) {
	w, server, client, freezer, handle := freezeWorld(t)
	others := []*thread{server}
	handles := []uint32{handle}
	for range 2 {
		other := w.openAs(server.pid, testMapping).newThread()
		others, handles = append(others, other), append(handles, w.give(other, client, 0x10))
	}
	call := client.call(handles[1], binder.TF_ONE_WAY, parcel(""))
	client.write(call)
	client.expect(binder.BR_TRANSACTION_COMPLETE)
	require.Equal(t, linuxerr.EAGAIN, freezer.setFrozen(server, true))
	for i, want := range []uint32{binder.BR_TRANSACTION_COMPLETE, binder.BR_TRANSACTION_COMPLETE, binder.BR_TRANSACTION_PENDING_FROZEN} {
		client.write(client.call(handles[i], binder.TF_ONE_WAY, parcel("")))
		client.expect(want)
	}
	others[1].app.close()
	require.Equal(t, [2]uint32{binder.FROZEN_TXNS_PENDING, binder.FROZEN_ASYNC_RECEIVED}, freezer.frozenInfo(server))
	for _, i := range []int{0, 2} {
		others[i].takeCall()
	}
	require.NoError(t, freezer.setFrozen(server, true))
	require.Equal(t, [2]uint32{}, freezer.frozenInfo(server))
	w.requireSound()
}

// TestFreezeCaller tries to freeze a process with a thread that waits for a reply: it's
// busy, and nothing that it does would change that.
func TestFreezeCaller(t *testing.T) {
	_, server, client, freezer, handle := freezeWorld(t)
	client.write(client.call(handle, 0, parcel("")))
	info := binder.FreezeInfo{PID: uint32(client.pid), Enable: 1, TimeoutMS: 1}
	require.Equal(t, linuxerr.EAGAIN, freezer.freeze(info))
	require.Equal(t, [2]uint32{binder.FROZEN_TXNS_PENDING, 0}, freezer.frozenInfo(client))
	server.takeCall()
	server.write(server.reply(parcel("")))
	require.Equal(t, linuxerr.EAGAIN, freezer.setFrozen(client, true), "the reply isn't read")
	client.expect(binder.BR_TRANSACTION_COMPLETE, binder.BR_REPLY)
	require.NoError(t, freezer.freeze(info))
	require.Zero(t, freezer.slept)
}

// TestFreezeDying ends the process while it is being frozen: the waiter is woken, and a
// dead process is never frozen.
func TestFreezeDying(t *testing.T) {
	_, server, client, freezer, handle := freezeWorld(t)
	client.write(client.call(handle, 0, parcel("")))
	server.expectTransaction(binder.BR_TRANSACTION)
	freezer.onBlock = func() { server.app.close() }
	dead := server.app.Process
	require.NoError(t, freezer.freeze(binder.FreezeInfo{PID: uint32(server.pid), Enable: 1, TimeoutMS: 1}))
	require.Equal(t, 1, freezer.slept)
	_, err := dead.freeze(freezer, 0)
	require.NoError(t, err)
	require.False(t, dead.isFrozen())
	require.Equal(t, linuxerr.EINVAL, freezer.setFrozen(server, true))
	client.expect(binder.BR_TRANSACTION_COMPLETE, binder.BR_DEAD_REPLY)
	client.write(client.call(handle, 0, parcel("")))
	client.expect(binder.BR_DEAD_REPLY)
}

// TestFreezeFailedReply counts down a call whose reply fails.
func TestFreezeFailedReply(t *testing.T) {
	w, server, client, freezer, handle := freezeWorld(t)
	client.write(client.call(handle, 0, parcel("")))
	server.takeCall()
	server.write(server.reply(parcel(handleObject(99))))
	w.requireSound()
	require.NoError(t, freezer.setFrozen(server, true))
}

// TestUpdateOfThawed sends a one-way call after the thaw: it replaces none.
func TestUpdateOfThawed(t *testing.T) {
	_, server, client, freezer, handle := freezeWorld(t)
	require.NoError(t, freezer.setFrozen(server, true))
	for i := range 3 {
		if i == 2 {
			require.NoError(t, freezer.setFrozen(server, false))
		}
		client.write(client.call(handle, binder.TF_ONE_WAY|binder.TF_UPDATE_TXN, parcel("")))
		client.read()
	}
	for range 3 {
		server.takeCall()
	}
}

// TestFreezeNotificationOfReleased releases the handle with a notification unread.
func TestFreezeNotificationOfReleased(t *testing.T) {
	_, server, client, freezer, handle := freezeWorld(t)
	client.watchFreeze(handle)
	require.NoError(t, freezer.setFrozen(server, true))
	client.write(cmd(binder.BC_RELEASE, handle))
	client.expectNothing()
}

// TestFreezeUndelivered counts down transactions that can't be delivered.
func TestFreezeUndelivered(t *testing.T) {
	w, server, client, freezer, handle := freezeWorld(t)
	client.app.installFile(newEventFile(t))
	client.write(client.call(handle, 0, parcel(fileObject(3))))
	server.maxFiles = 0
	freezer.onBlock = func() { server.expectNothing() }
	require.NoError(t, freezer.freeze(binder.FreezeInfo{PID: uint32(server.pid), Enable: 1, TimeoutMS: 1}))
	client.expect(binder.BR_TRANSACTION_COMPLETE, binder.BR_FAILED_REPLY)
	w.requireSound()
}

// TestUpdateWithFiles drops the files of a replaced one-way call.
func TestUpdateWithFiles(t *testing.T) {
	w, server, client, freezer, handle := freezeWorld(t)
	require.NoError(t, freezer.setFrozen(server, true))
	file := newEventFile(t)
	client.app.installFile(file)
	update := func(parts ...any) {
		client.write(client.call(handle, binder.TF_ONE_WAY|binder.TF_UPDATE_TXN, parcel(parts...)))
		client.expect(binder.BR_TRANSACTION_PENDING_FROZEN)
		w.requireSound()
	}
	update("first")
	update(fileObject(3))
	require.EqualValues(t, 2, file.ReadRefs())
	update("last")
	require.EqualValues(t, 1, file.ReadRefs())
	require.Equal(t, 2, server.alloc.Usage().Buffers)
	for _, want := range []string{"first", "last"} {
		got := server.expectTransaction(binder.BR_TRANSACTION)
		require.Equal(t, want, string(got.data))
		server.write(got.free())
	}
	server.expectNothing()
}

// TestThawWhileFreezing thaws the process while another thread waits for it to freeze.
// Watchers are told the truth: that it's not frozen.
func TestThawWhileFreezing(t *testing.T) {
	_, server, client, freezer, handle := freezeWorld(t)
	client.watchFreeze(handle)
	client.write(client.call(handle, binder.TF_ONE_WAY, parcel("")))
	client.expect(binder.BR_TRANSACTION_COMPLETE)
	freezer.onBlock = func() {
		require.NoError(t, client.setFrozen(server, false))
		client.expectFrozen(false)
		server.expectTransaction(binder.BR_TRANSACTION)
	}
	require.NoError(t, freezer.freeze(binder.FreezeInfo{PID: uint32(server.pid), Enable: 1, TimeoutMS: 1}))
	client.expectFrozen(false)
}

// freezeCookie is the cookie of freeze notifications.
const freezeCookie = 0xf0

// watchFreeze requests freeze notifications.
func (th *thread) watchFreeze(handle uint32) {
	th.w.t.Helper()
	th.write(cmd(binder.BC_REQUEST_FREEZE_NOTIFICATION, handle, uint64(freezeCookie)))
	th.expectFrozen(false)
}

// expectFrozen reads a freeze notification and answers it.
func (th *thread) expectFrozen(frozen bool) {
	th.w.t.Helper()
	var state binder.FrozenStateInfo
	state.UnmarshalUnsafe(th.expect(binder.BR_FROZEN_BINDER)[0].params)
	want := binder.FrozenStateInfo{Cookie: freezeCookie}
	if frozen {
		want.IsFrozen = 1
	}
	require.Equal(th.w.t, want, state)
	th.write(cmd(binder.BC_FREEZE_NOTIFICATION_DONE, uint64(freezeCookie)))
}

// TestFreezeNotificationEnds ends the requesting process, with notifications in all states.
// newWorld checks that nothing is left.
func TestFreezeNotificationEnds(t *testing.T) {
	for what, prepare := range map[string]func(client, freezer, server *thread, handle uint32){
		"idle": func(_, _, _ *thread, _ uint32) {},
		"unread": func(_, freezer, server *thread, _ uint32) {
			require.NoError(t, freezer.setFrozen(server, true))
		},
		"unanswered": func(client, freezer, server *thread, _ uint32) {
			require.NoError(t, freezer.setFrozen(server, true))
			client.expect(binder.BR_FROZEN_BINDER)
		},
		"cleared": func(client, freezer, server *thread, handle uint32) {
			require.NoError(t, freezer.setFrozen(server, true))
			client.expect(binder.BR_FROZEN_BINDER)
			client.write(cmd(binder.BC_CLEAR_FREEZE_NOTIFICATION, handle, uint64(freezeCookie)))
		},
	} {
		for _, ref := range []bool{false, true} {
			t.Run(what, func(t *testing.T) {
				w, server, client, freezer, handle := freezeWorld(t)
				client.watchFreeze(handle)
				prepare(client, freezer, server, handle)
				if ref {
					client.write(cmd(binder.BC_RELEASE, handle))
					w.requireSound()
				}
				client.app.close()
				require.NoError(t, freezer.setFrozen(server, false))
				w.requireSound()
			})
		}
	}
}

// TestRefusedFreezeCommands checks that refused commands are not consumed.
func TestRefusedFreezeCommands(t *testing.T) {
	_, _, client, _, handle := freezeWorld(t)
	client.watchFreeze(handle)
	const cookie = uint64(freezeCookie)
	for _, c := range [][]byte{
		cmd(binder.BC_REQUEST_FREEZE_NOTIFICATION, handle, cookie),
		cmd(binder.BC_REQUEST_FREEZE_NOTIFICATION, handle+1, cookie),
		cmd(binder.BC_CLEAR_FREEZE_NOTIFICATION, handle, cookie+1),
		cmd(binder.BC_CLEAR_FREEZE_NOTIFICATION, handle+1, cookie),
		cmd(binder.BC_FREEZE_NOTIFICATION_DONE, cookie),
	} {
		out := client.try(c)
		require.Equal(t, linuxerr.EINVAL, out.err)
		require.Zero(t, out.WriteConsumed)
	}
}

// TestFreezeBadArgument passes arguments that can't be read.
func TestFreezeBadArgument(t *testing.T) {
	_, _, client, _, _ := freezeWorld(t)
	for _, request := range []uint32{binder.BINDER_FREEZE, binder.BINDER_GET_FROZEN_INFO} {
		require.Equal(t, linuxerr.EFAULT, client.ioctl(request, badAddr))
	}
}

// TestRestoreFreezer saves and loads processes that are frozen, that are about to be, and
// that watch these.
func TestRestoreFreezer(t *testing.T) {
	w, server, client, freezer, handle := freezeWorld(t)
	busy := w.newApp()
	toBusy := w.give(busy, client, 0x20)
	client.watchFreeze(handle)
	client.write(client.call(toBusy, binder.TF_ONE_WAY, parcel("")))
	client.expect(binder.BR_TRANSACTION_COMPLETE)
	require.NoError(t, freezer.setFrozen(server, true))
	client.expect(binder.BR_FROZEN_BINDER)
	require.NoError(t, freezer.setFrozen(server, false))
	require.NoError(t, freezer.setFrozen(server, true))
	const update = binder.TF_ONE_WAY | binder.TF_UPDATE_TXN
	for range 2 {
		client.write(client.call(handle, update, parcel("")))
		client.expect(binder.BR_TRANSACTION_PENDING_FROZEN)
	}
	client.write(client.call(handle, 0, parcel("")))
	client.expect(binder.BR_FROZEN_REPLY)
	freezer.nap = 4 * time.Millisecond
	again := binder.FreezeInfo{PID: uint32(busy.pid), Enable: 1, TimeoutMS: 10}
	require.Equal(t, linuxerr.ERESTARTSYS, freezer.freeze(again))

	loaded := w.restore()
	for _, th := range []**thread{&server, &client, &freezer, &busy} {
		for _, a := range loaded.apps {
			if a.pid == (*th).pid {
				*th = &thread{Context: memorytest.Context(), app: a, id: (*th).id}
				break
			}
		}
	}
	loaded.requireSound()
	// The freezer goes on with the remaining time.
	freezer.nap = 6 * time.Millisecond
	require.Equal(t, linuxerr.EAGAIN, freezer.freeze(again))
	require.Equal(t, 1, freezer.slept)
	require.Equal(t, [2]uint32{binder.FROZEN_SYNC_RECEIVED | binder.FROZEN_TXNS_PENDING, binder.FROZEN_ASYNC_RECEIVED}, freezer.frozenInfo(server))
	client.write(client.call(handle, 0, parcel("")))
	client.expect(binder.BR_FROZEN_REPLY)
	// One of the two is waiting, and is replaced.
	client.write(client.call(handle, update, parcel("")))
	client.expect(binder.BR_TRANSACTION_PENDING_FROZEN)
	client.write(cmd(binder.BC_FREEZE_NOTIFICATION_DONE, uint64(freezeCookie)))
	client.expectFrozen(true)
	require.NoError(t, freezer.setFrozen(server, false))
	client.expectFrozen(false)
	for range 2 {
		server.takeCall()
	}
	server.expectNothing()
	require.Equal(t, [2]uint32{}, freezer.frozenInfo(server))
	loaded.requireSound()
}
