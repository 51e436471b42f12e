// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//covers:freeze-notification
package syscalls

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
)

func bcRequestFreeze(handle uint32, cookie uint64) raw {
	return bc(binder.BC_REQUEST_FREEZE_NOTIFICATION, handle, cookie)
}

func bcClearFreeze(handle uint32, cookie uint64) raw {
	return bc(binder.BC_CLEAR_FREEZE_NOTIFICATION, handle, cookie)
}

func bcFreezeDone(cookie uint64) raw { return bc(binder.BC_FREEZE_NOTIFICATION_DONE, cookie) }

// brFrozenBinder is BR_FROZEN_BINDER: its parameters have the layout of a
// nodeReturn's, with the state and a reserved field, 0, in place of the cookie.
func brFrozenBinder(cookie uint64, frozen bool) br {
	var state uint64
	if frozen {
		state = 1
	}
	return nodeReturn{binder.BR_FROZEN_BINDER, cookie, state}
}

func brClearFreezeDone(cookie uint64) br {
	return cookieReturn{binder.BR_CLEAR_FREEZE_NOTIFICATION_DONE, cookie}
}

// writeRefused writes a command that must be refused.
func (th *thread) writeRefused(cmd command) {
	th.t.Helper()
	r := th.writeRead(0, bcIncrefs(0), cmd)
	require.Equal(th.t, unix.EINVAL, r.err)
	require.Equal(th.t, 8, r.writeConsumed, "the preceding commands are consumed")
	th.write(bcDecrefs(0))
}

// watch requests notifications and acknowledges the first.
func (th *thread) watch(h uint32, cookie uint64) {
	th.t.Helper()
	th.write(bcRequestFreeze(h, cookie))
	th.expect(brNoop, brFrozenBinder(cookie, false))
	th.write(bcFreezeDone(cookie))
}

// A requester gets the state at once, and each change once the previous one was
// acknowledged.
func TestFreezeNotification(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	client.write(bcRequestFreeze(h, 0xf))
	client.expect(brNoop, brFrozenBinder(0xf, false))
	client.expectNothing()
	client.write(bcFreezeDone(0xf))
	client.startRead()
	freezer.freeze(server)
	client.finishExpect(brNoop, brFrozenBinder(0xf, true))
	client.write(bcFreezeDone(0xf))
	freezer.thaw(server)
	client.expect(brNoop, brFrozenBinder(0xf, false))
	client.write(bcFreezeDone(0xf))
	client.expectNothing()
}

// A request for a frozen process's node reports that.
func TestFreezeNotificationOfFrozen(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	freezer.freeze(server)
	client.write(bcRequestFreeze(h, 0xf))
	client.expect(brNoop, brFrozenBinder(0xf, true))
}

// The manager's state can be requested.
func TestFreezeNotificationOfManager(t *testing.T) {
	manager, client := newManager(t), newProcess(t)
	client.write(bcAcquire(0))
	client.watch(0, 0xf)
	client.freeze(manager)
	client.expect(brNoop, brFrozenBinder(0xf, true))
}

// A weak reference suffices for a request.
func TestFreezeNotificationOfWeakHandle(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	client.write(bcRelease(h))
	client.watch(h, 0xf)
	freezer.freeze(server)
	client.expect(brNoop, brFrozenBinder(0xf, true))
}

// A second request for the same handle is refused, whatever its cookie.
func TestRequestFreezeTwice(t *testing.T) {
	_, client, _, h := newFreezable(t)
	client.write(bcRequestFreeze(h, 1))
	client.writeRefused(bcRequestFreeze(h, 1))
	client.writeRefused(bcRequestFreeze(h, 2))
	client.expect(brNoop, brFrozenBinder(1, false))
	client.expectNothing()
}

// A cookie stands for one node as long as a notification with it can come: until its
// clearing was reported, or until the reference is gone. In C it can stand for several.
func TestFreezeCookieTwice(t *testing.T) {
	server, client, _, h := newFreezable(t)
	other := server.give(client, 0x11, 0x21)
	client.write(bcRequestFreeze(h, 1))
	if differs(t, onCookieTwice) {
		client.write(bcRequestFreeze(other, 1))
		client.expect(brNoop, brFrozenBinder(1, false))
		client.expect(brNoop, brFrozenBinder(1, false))
		return
	}
	client.writeRefused(bcRequestFreeze(other, 1))
	client.expect(brNoop, brFrozenBinder(1, false))
	client.writeRefused(bcRequestFreeze(other, 1))
	client.write(bcClearFreeze(h, 1))
	client.writeRefused(bcRequestFreeze(other, 1))
	client.write(bcFreezeDone(1))
	client.writeRefused(bcRequestFreeze(other, 1))
	client.expect(brNoop, brClearFreezeDone(1))
	client.watch(other, 1)
	client.writeRefused(bcRequestFreeze(h, 1))

	client.write(bcRelease(other), bcDecrefs(other))
	client.watch(h, 1)
	client.expectNothing()
}

// A request that was cleared and made again with the same cookie keeps it, although the
// end of the first one is reported.
func TestFreezeCookieAgain(t *testing.T) {
	server, client, _, h := newFreezable(t)
	other := server.give(client, 0x11, 0x21)
	client.write(bcRequestFreeze(h, 1))
	client.expect(brNoop, brFrozenBinder(1, false))
	client.write(bcClearFreeze(h, 1), bcRequestFreeze(h, 1))
	client.expect(brNoop, brFrozenBinder(1, false))
	client.write(bcFreezeDone(1))
	client.expect(brNoop, brClearFreezeDone(1))
	if !differs(t, onCookieTwice) {
		client.writeRefused(bcRequestFreeze(other, 1))
	}
	client.write(bcFreezeDone(1), bcClearFreeze(h, 1))
	client.expect(brNoop, brClearFreezeDone(1))
	client.watch(other, 1)
}

// A request for a nonexistent handle is refused.
func TestRequestFreezeOfNothing(t *testing.T) {
	newManager(t)
	client := newProcess(t)
	client.writeRefused(bcRequestFreeze(99, 1))
	client.writeRefused(bcClearFreeze(99, 1))
	client.expectNothing()
}

// Clearing a request that was never made, or with another cookie, is refused.
func TestClearFreezeMismatch(t *testing.T) {
	_, client, _, h := newFreezable(t)
	client.writeRefused(bcClearFreeze(h, 1))
	client.watch(h, 1)
	client.writeRefused(bcClearFreeze(h, 2))
	client.expectNothing()
}

// So are acknowledgements of what was not delivered.
func TestUnaskedFreezeDone(t *testing.T) {
	_, client, _, h := newFreezable(t)
	client.writeRefused(bcFreezeDone(1))
	client.write(bcRequestFreeze(h, 1))
	client.writeRefused(bcFreezeDone(1)) // it is not read yet
	client.expect(brNoop, brFrozenBinder(1, false))
	client.writeRefused(bcFreezeDone(2))
	client.write(bcFreezeDone(1))
	client.writeRefused(bcFreezeDone(1))
}

// A request can be cleared, which is acknowledged.
func TestClearFreeze(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	client.watch(h, 1)
	client.write(bcClearFreeze(h, 1))
	client.expect(brNoop, brClearFreezeDone(1))
	freezer.freeze(server)
	client.expectNothing()
	// Another can be made.
	client.write(bcRequestFreeze(h, 2))
	client.expect(brNoop, brFrozenBinder(2, true))
}

// What is unread when the request is cleared is not delivered.
func TestClearFreezeBeforeItIsTold(t *testing.T) {
	_, client, _, h := newFreezable(t)
	client.write(bcRequestFreeze(h, 1), bcClearFreeze(h, 1))
	client.expect(brNoop, brClearFreezeDone(1))
	client.expectNothing()
	client.writeRefused(bcFreezeDone(1))
}

// If it was read and not acknowledged, the clearing is acknowledged after that.
func TestClearFreezeBeforeDone(t *testing.T) {
	_, client, _, h := newFreezable(t)
	client.write(bcRequestFreeze(h, 1))
	client.expect(brNoop, brFrozenBinder(1, false))
	client.write(bcClearFreeze(h, 1))
	client.expectNothing()
	client.write(bcFreezeDone(1))
	client.expect(brNoop, brClearFreezeDone(1))
	client.expectNothing()
}

// A new request can be made meanwhile, even with the same cookie.
func TestRequestFreezeBeforeCleared(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	client.write(bcRequestFreeze(h, 1))
	client.expect(brNoop, brFrozenBinder(1, false))
	client.write(bcClearFreeze(h, 1), bcRequestFreeze(h, 1))
	client.expect(brNoop, brFrozenBinder(1, false))
	freezer.freeze(server)
	client.expectNothing()
	client.write(bcFreezeDone(1))
	client.expect(brNoop, brClearFreezeDone(1))
	client.expectNothing()
	client.write(bcFreezeDone(1))
	client.expect(brNoop, brFrozenBinder(1, true))
}

// The same if nothing was read: everything is delivered in order.
func TestRequestFreezeAgainUnread(t *testing.T) {
	_, client, _, h := newFreezable(t)
	client.write(bcRequestFreeze(h, 1), bcClearFreeze(h, 1), bcRequestFreeze(h, 2), bcClearFreeze(h, 2), bcRequestFreeze(h, 3))
	client.expect(brNoop, brClearFreezeDone(1), brClearFreezeDone(2), brFrozenBinder(3, false))
	client.expectNothing()
}

// A read returns one process's state for one node.
func TestFreezeNotificationsTogether(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	other := server.give(client, 0x11, 0x21)
	client.write(bcRequestFreeze(h, 1), bcRequestFreeze(other, 2))
	client.expect(brNoop, brFrozenBinder(1, false))
	client.expect(brNoop, brFrozenBinder(2, false))
	client.write(bcFreezeDone(1), bcFreezeDone(2))
	freezer.freeze(server)
	client.expect(brNoop, brFrozenBinder(1, true))
	client.expect(brNoop, brFrozenBinder(2, true))
}

// The nodes of a process come in the order of their pointers.
func TestFreezeNotificationOrder(t *testing.T) {
	server, client, freezer := newManager(t), newProcess(t), newProcess(t)
	for i, ptr := range []uint64{0x30, 0x10, 0x20} {
		client.watch(server.give(client, ptr, 0), uint64(i))
	}
	freezer.freeze(server)
	client.expect(brNoop, brFrozenBinder(1, true))
	client.expect(brNoop, brFrozenBinder(2, true))
	client.expect(brNoop, brFrozenBinder(0, true))
}

// If there is another change before one was read, only the last state is delivered.
func TestFreezeNotificationUnread(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	client.watch(h, 1)
	freezer.freeze(server)
	freezer.thaw(server)
	if differs(t, onToldOnce) {
		client.expectNothing()
	} else {
		client.expect(brNoop, brFrozenBinder(1, false))
		client.write(bcFreezeDone(1))
		client.expectNothing()
	}
	freezer.freeze(server)
	freezer.thaw(server)
	freezer.freeze(server)
	client.expect(brNoop, brFrozenBinder(1, true))
	client.write(bcFreezeDone(1))
	client.expectNothing()
}

// A change before the previous one is acknowledged is delivered after that.
func TestFreezeNotificationUnacknowledged(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	client.watch(h, 1)
	freezer.freeze(server)
	client.expect(brNoop, brFrozenBinder(1, true))
	freezer.thaw(server)
	client.expectNothing()
	client.write(bcFreezeDone(1))
	client.expect(brNoop, brFrozenBinder(1, false))
	client.write(bcFreezeDone(1))
	client.expectNothing()
}

// If there are two, which restore the delivered state, that is delivered again.
func TestFreezeNotificationUnacknowledgedTwice(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	client.watch(h, 1)
	freezer.freeze(server)
	client.expect(brNoop, brFrozenBinder(1, true))
	freezer.thaw(server)
	freezer.freeze(server)
	client.expectNothing()
	client.write(bcFreezeDone(1))
	if differs(t, onToldOnce) {
		client.expectNothing()
		return
	}
	client.expect(brNoop, brFrozenBinder(1, true))
	client.write(bcFreezeDone(1))
	client.expectNothing()
}

// Freezing what is frozen, or thawing what isn't, is delivered again.
func TestFreezeNotificationOfSameState(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	client.watch(h, 1)
	last := false
	for _, frozen := range []bool{false, true, true, false, false} {
		if frozen {
			freezer.freeze(server)
		} else {
			freezer.thaw(server)
		}
		if frozen == last && differs(t, onToldOnce) {
			client.expectNothing()
			continue
		}
		client.expect(brNoop, brFrozenBinder(1, frozen))
		client.write(bcFreezeDone(1))
		last = frozen
	}
}

// But not before the last one is acknowledged.
func TestFreezeNotificationOfSameStateUnacknowledged(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	client.watch(h, 1)
	freezer.freeze(server)
	client.expect(brNoop, brFrozenBinder(1, true))
	freezer.freeze(server)
	client.write(bcFreezeDone(1))
	client.expectNothing()
}

// A failed attempt to freeze is not delivered. While it's in progress, only a new
// requester gets it.
func TestFreezeNotificationOfFailure(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	client.watch(h, 1)
	client.write(bcTransaction{handle: h, flags: oneWay})
	client.expect(brNoop, brTransactionComplete)
	require.Equal(t, unix.EAGAIN, freezer.tryFreeze(server.pid(), 0))
	client.expectNothing()

	freezer.startFreeze(server, forever)
	client.expectNothing()
	late := newProcess(t)
	late.write(bcAcquire(0), bcRequestFreeze(0, 2))
	late.expect(brNoop, brFrozenBinder(2, !differs(t, onFreezeOverlap)))
	late.write(bcFreezeDone(2))
	freezer.kill()
	freezer.remote.Reap(t)
	client.expectNothing()
	late.expectNothing()
}

// A frozen process that fails to be frozen again is thawed.
func TestFreezeNotificationOfFailureWhenFrozen(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	client.watch(h, 1)
	freezer.freeze(server)
	client.expect(brNoop, brFrozenBinder(1, true))
	client.write(bcFreezeDone(1))
	client.write(bcTransaction{handle: h, flags: oneWay})
	client.expect(brNoop, brPendingFrozen)
	require.Equal(t, unix.EAGAIN, freezer.tryFreeze(server.pid(), 0))
	client.expectNothing()
	freezer.thaw(server)
	client.expect(brNoop, brFrozenBinder(1, false))
}

// The owner's death leaves the request in place, in whatever state it is.
func TestFreezeNotificationOfDead(t *testing.T) {
	for _, tc := range []string{"thawed", "frozen", "frozen, not acknowledged", "frozen, not read"} {
		t.Run(tc, func(t *testing.T) {
			server, client, freezer, h := newFreezable(t)
			client.watch(h, 1)
			// Deaths are delivered in the order of the nodes' pointers: once this one's
			// is, the client has been notified.
			freezer.write(bcRequestDeath(server.give(freezer, 0x1000, 0), 3))
			if tc != "thawed" {
				freezer.freeze(server)
			}
			if tc == "frozen" || tc == "frozen, not acknowledged" {
				client.expect(brNoop, brFrozenBinder(1, true))
			}
			if tc == "frozen" {
				client.write(bcFreezeDone(1))
			}
			client.write(bcRequestDeath(h, 2))
			server.kill()
			freezer.expect(brNoop, brDeadBinder(3))
			if tc == "frozen, not read" && !differs(t, onFrozenDead) {
				client.expect(brNoop, brFrozenBinder(1, true))
			}
			client.expect(brNoop, brDeadBinder(2))
			client.expectNothing()
			if tc == "frozen, not acknowledged" || tc == "frozen, not read" && !isRust {
				client.write(bcFreezeDone(1))
				if differs(t, onFrozenDead) {
					client.expect(brNoop, brFrozenBinder(1, false))
					client.write(bcFreezeDone(1))
				}
			}
			client.expectNothing()
			client.write(bcClearFreeze(h, 1))
			client.expect(brNoop, brClearFreezeDone(1))
		})
	}
}

// A request for a dead process's node delivers nothing.
func TestRequestFreezeOfDead(t *testing.T) {
	server, client, _, h := newFreezable(t)
	client.write(bcRequestDeath(h, 2))
	server.kill()
	client.expect(brNoop, brDeadBinder(2))
	client.write(bcRequestFreeze(h, 1))
	if differs(t, onFrozenDead) {
		client.expect(brNoop, brFrozenBinder(1, false))
		client.write(bcFreezeDone(1))
	}
	client.expectNothing()
	client.write(bcClearFreeze(h, 1))
	client.expect(brNoop, brClearFreezeDone(1))
}

// The request goes with the last reference, whatever its state.
func TestFreezeNotificationEndsWithReference(t *testing.T) {
	for _, tc := range []string{"idle", "unread", "unacknowledged", "cleared", "cleared, unacknowledged"} {
		t.Run(tc, func(t *testing.T) {
			server, client, freezer, h := newFreezable(t)
			client.write(bcRequestFreeze(h, 1))
			if tc != "unread" && tc != "cleared" {
				client.expect(brNoop, brFrozenBinder(1, false))
			}
			if tc == "idle" {
				client.write(bcFreezeDone(1))
			}
			if tc == "cleared" || tc == "cleared, unacknowledged" {
				client.write(bcClearFreeze(h, 1))
			}
			client.write(bcRelease(h), bcDecrefs(h))
			server.expect(brNoop, brRelease(0x10, 0x20), brDecrefs(0x10, 0x20))
			freezer.freeze(server)
			switch tc {
			case "cleared":
				client.expect(brNoop, brClearFreezeDone(1))
			case "cleared, unacknowledged":
				client.write(bcFreezeDone(1))
				client.expect(brNoop, brClearFreezeDone(1))
			case "unacknowledged":
				client.writeRefused(bcFreezeDone(1))
			}
			client.expectNothing()
		})
	}
}

// A process's end removes its requests.
func TestFreezeNotificationEndsWithProcess(t *testing.T) {
	for _, tc := range []string{"idle", "unread", "unacknowledged", "cleared", "cleared, unacknowledged"} {
		t.Run(tc, func(t *testing.T) {
			server, client, freezer, h := newFreezable(t)
			client.write(bcRequestFreeze(h, 1))
			if tc != "unread" && tc != "cleared" {
				client.expect(brNoop, brFrozenBinder(1, false))
			}
			if tc == "idle" {
				client.write(bcFreezeDone(1))
			}
			if tc == "cleared" || tc == "cleared, unacknowledged" {
				client.write(bcClearFreeze(h, 1))
			}
			client.kill()
			server.expectInReads(brRelease(0x10, 0x20), brDecrefs(0x10, 0x20))
			freezer.freeze(server)
		})
	}
}

// Notifications go to the process, not to the requesting thread.
func TestWhoIsToldOfFreeze(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	th := client.newLooper()
	th.write(bcRequestFreeze(h, 1))
	client.expect(brNoop, brFrozenBinder(1, false))
	th.write(bcFreezeDone(1))
	freezer.freeze(server)
	client.expect(brNoop, brFrozenBinder(1, true))
	th.write(bcClearFreeze(h, 1))
	th.write(bcFreezeDone(1))
	client.expect(brNoop, brClearFreezeDone(1))
}

// Each of two processes is notified.
func TestFreezeToldToAll(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	second := newProcess(t)
	second.write(bcAcquire(0))
	second.watch(0, 2)
	client.watch(h, 1)
	freezer.freeze(server)
	client.expect(brNoop, brFrozenBinder(1, true))
	second.expect(brNoop, brFrozenBinder(2, true))
}

// A frozen process is notified, too.
func TestFreezeNotificationCycle(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	client.watch(h, 1)
	freezer.freeze(client)
	freezer.freeze(server)
	client.expect(brNoop, brFrozenBinder(1, true))
}

// What could not be read is lost, but must be acknowledged.
func TestFreezeNotificationBadRead(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	client.write(bcRequestFreeze(h, 1))
	edge := client.pageEdge()
	client.startRaw(binder.WriteRead{ReadSize: readSize, ReadBuffer: uint64(edge - 4)})
	require.Equal(t, unix.EFAULT, client.finish().err)
	client.expectNothing()
	freezer.freeze(server)
	client.expectNothing()
	client.write(bcFreezeDone(1))
	client.expect(brNoop, brFrozenBinder(1, true))
}
