// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/waiter"

	"sentrybinder/pkg/abi/binder"
)

const oneWayDefer = binder.TF_ONE_WAY | binder.TF_DEFER_COMPLETE

// TestDeferComplete lets a thread that has replied sleep, like one with nothing to read,
// and go on with the next call: before a restore and after one.
func TestDeferComplete(t *testing.T) {
	w := newWorld(t)
	manager, client := w.newManager(), w.newApp()
	client.write(client.call(0, 0, parcel("")))
	manager.takeCall()
	manager.write(manager.message(binder.BC_REPLY, 0, 0, binder.TF_DEFER_COMPLETE, parcel("")))
	manager.expectNothing()
	require.Zero(t, manager.readinessFor(manager.id))
	w.requireSound()

	restored := w.restore()
	manager2, client2 := *manager, *client
	manager2.app, client2.app = restored.apps[0], restored.apps[1]
	for _, ths := range [][2]*thread{{manager, client}, {&manager2, &client2}} {
		manager, client := ths[0], ths[1]
		out := manager.sleepRead(func() {
			require.Len(t, manager.waitingNow(), 1)
			client.write(client.call(0, oneWayDefer, parcel("")))
		})
		out.woken(manager, 1, binder.BR_TRANSACTION_COMPLETE, binder.BR_TRANSACTION)
		client.expect(binder.BR_TRANSACTION_COMPLETE, binder.BR_REPLY)
	}
}

// TestDeferUnread interrupts a thread that was woken for a call: it has to read the call
// before it makes one, whatever precedes it on the list.
func TestDeferUnread(t *testing.T) {
	for _, deferred := range []bool{true, false} {
		w := newWorld(t)
		manager, client := w.newManager(), w.newApp()
		manager.signaled = true
		handle := w.give(client, manager, 0x10)
		if deferred {
			manager.write(manager.call(handle, oneWayDefer, parcel("")))
		}
		out := manager.sleepRead(func() {
			client.write(client.call(0, 0, parcel("")))
			<-manager.state().wake
		})
		require.Equal(t, linuxerr.EINTR, out.err)
		w.requireSound()
		require.Equal(t, waiter.EventMask(waiter.ReadableEvents), manager.readinessFor(manager.id))
		manager.write(manager.call(handle, 0, parcel("")))
		if deferred {
			manager.expect(binder.BR_TRANSACTION_COMPLETE, binder.BR_TRANSACTION)
		} else {
			manager.expectTransaction(binder.BR_TRANSACTION)
		}
		manager.expect(binder.BR_FAILED_REPLY)
		manager.write(manager.call(handle, 0, parcel("")))
		w.requireSound()
	}
}

// TestDeferPending: the sender is told at once that the receiver is frozen.
func TestDeferPending(t *testing.T) {
	w := newWorld(t)
	manager, client := w.newManager(), w.newApp()
	require.NoError(t, client.freeze(binder.FreezeInfo{PID: uint32(manager.pid), Enable: 1}))
	client.write(client.call(0, oneWayDefer, parcel("")))
	require.Equal(t, waiter.EventMask(waiter.ReadableEvents), client.readinessFor(client.id))
	client.expect(binder.BR_TRANSACTION_PENDING_FROZEN)
	client.expectNothing()
}

// TestDeferMany lets a thread never read its deferred completions: it is charged for all of
// them, until it exits.
func TestDeferMany(t *testing.T) {
	w := newWorld(t)
	manager, client := w.newManager(), w.newApp()
	used := client.account.Used()
	for range 100 {
		client.write(client.call(0, oneWayDefer, parcel("")))
		manager.takeCall()
	}
	require.EqualValues(t, used+100*completionPrice, client.account.Used())
	require.NoError(t, client.ioctl(binder.BINDER_THREAD_EXIT, 0))
	require.EqualValues(t, used-threadPrice, client.account.Used())
}
