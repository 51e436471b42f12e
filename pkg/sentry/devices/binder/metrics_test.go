// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/hostarch"

	"sentrybinder/pkg/abi/binder"
)

// transactions returns the number of messages of a kind with a result.
func (d *Driver) transactions(kind logKind, r result) uint64 {
	return d.sumTraffic(func(t *traffic) uint64 { return t.transactions[kind][r].Load() })
}

func (d *Driver) notices(n notice) uint64 {
	return d.sumTraffic(func(t *traffic) uint64 { return t.notices[n].Load() })
}

func TestMessagesAreCounted(t *testing.T) {
	w, server, client, freezer, handle := freezeWorld(t)
	d := w.driver
	client.write(client.call(handle, 0, parcel("")))
	require.EqualValues(t, 1, d.transactions(logCall, resultSent))
	server.takeCall()
	server.write(server.reply(parcel("")))
	server.expect(binder.BR_TRANSACTION_COMPLETE)
	client.expectReply()
	require.EqualValues(t, 1, d.transactions(logReply, resultSent))

	client.write(client.call(handle, binder.TF_ONE_WAY, parcel("")))
	client.expect(binder.BR_TRANSACTION_COMPLETE)
	require.EqualValues(t, 1, d.transactions(logOneWay, resultSent))
	server.takeCall()

	client.write(client.call(99, 0, parcel("")))
	client.expect(binder.BR_FAILED_REPLY)
	require.EqualValues(t, 1, d.transactions(logCall, resultFailed))

	require.NoError(t, freezer.setFrozen(server, true))
	client.write(client.call(handle, 0, parcel("")))
	client.expect(binder.BR_FROZEN_REPLY)
	require.EqualValues(t, 1, d.transactions(logCall, resultFrozen))

	server.app.close()
	client.write(client.call(handle, 0, parcel("")))
	client.expect(binder.BR_DEAD_REPLY)
	require.EqualValues(t, 1, d.transactions(logCall, resultDead))
	require.EqualValues(t, 1, d.transactions(logCall, resultSent))
}

func TestNoticesAreCounted(t *testing.T) {
	m := newMourner(t)
	m.request()
	require.Zero(t, m.w.driver.notices(noticeDeath))
	m.kill()
	m.expect(binder.BR_DEAD_BINDER)
	require.EqualValues(t, 1, m.w.driver.notices(noticeDeath))
	m.done()
	m.clear()
	m.expect(binder.BR_CLEAR_DEATH_NOTIFICATION_DONE)
	require.EqualValues(t, 1, m.w.driver.notices(noticeDeath), "the end of a request is not a death")

	_, server, client, freezer, handle := freezeWorld(t)
	client.write(cmd(binder.BC_REQUEST_FREEZE_NOTIFICATION, binder.HandleCookie{Handle: handle, Cookie: 1}))
	client.expect(binder.BR_FROZEN_BINDER)
	client.write(cmd(binder.BC_FREEZE_NOTIFICATION_DONE, uint64(1)))
	require.NoError(t, freezer.setFrozen(server, true))
	client.expect(binder.BR_FROZEN_BINDER)
	require.EqualValues(t, 2, client.w.driver.notices(noticeFreeze))
}

// Counts never decrease, even when a container is gone.
func TestCountsOutliveContainers(t *testing.T) {
	w, other := neighbours(t)
	client := other.newApp()
	client.write(client.call(99, 0, parcel("")))
	client.expect(binder.BR_FAILED_REPLY)
	require.EqualValues(t, 1, w.driver.transactions(logCall, resultFailed))
	other.closeAll()
	w.driver.StopContainer("other")
	w.driver.StopContainer("other")
	require.EqualValues(t, 1, w.driver.transactions(logCall, resultFailed))
}

// The inventory covers all containers, and each domain once.
func TestInventory(t *testing.T) {
	w, other := sharing(t)
	server, client := w.newManager(), other.newApp()
	second := server.newLooper()
	client.write(client.call(0, 0, parcel("")))
	v := w.driver.takeInventory()
	require.EqualValues(t, 2, v.objects[objectProcess])
	require.EqualValues(t, 3, v.objects[objectThread])
	require.EqualValues(t, 1, v.objects[objectNode])
	require.EqualValues(t, 1, v.objects[objectTransaction])
	require.EqualValues(t, 1, v.buffers)
	require.EqualValues(t, hostarch.PageSize, v.bytes[0])
	require.EqualValues(t, w.tenant.account.Used()+other.tenant.account.Used(), v.charged)
	require.Zero(t, v.waiting)
	require.Zero(t, v.frozen)

	got := server.takeCall()
	server.write(server.reply(parcel("")), got.free())
	client.expectReply()
	second.tryRead() // It doesn't wait yet.
	second.sleepRead(func() {
		require.EqualValues(t, 1, w.driver.takeInventory().waiting)
	})
	freezer := other.newApp()
	require.NoError(t, freezer.setFrozen(client, true))
	v = w.driver.takeInventory()
	require.EqualValues(t, 1, v.frozen)
	require.Zero(t, v.objects[objectTransaction])
}

// A scrape sees one inventory, and the next scrape another.
func TestInventoryGetsOld(t *testing.T) {
	w := newWorld(t)
	first := w.driver.inventory()
	require.Same(t, first, w.driver.inventory())
	old := *first
	old.taken -= int64(inventoryAge)
	w.driver.lastInventory.Store(&old)
	require.NotSame(t, &old, w.driver.inventory())
}
