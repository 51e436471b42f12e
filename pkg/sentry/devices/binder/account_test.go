// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/waiter"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/sentry/devices/binder/memorytest"
)

// withoutRoom runs try with ever more room in the account, from none on, until it
// succeeds. A failed try must leave nothing behind.
func (w *world) withoutRoom(try func() (ok bool)) (failures int) {
	w.t.Helper()
	account := w.tenant.account
	defer account.SetLimit(math.MaxInt64)
	for room := int64(0); ; room += 32 {
		used, before := account.Used(), w.active()
		account.SetLimit(used + room)
		ok := try()
		account.SetLimit(math.MaxInt64)
		w.requireSound()
		if ok {
			require.Greater(w.t, account.Used(), used, "what was created is charged")
			return failures
		}
		failures++
		require.Equal(w.t, used, account.Used(), "bytes left by a refused call, with %d bytes of room", room)
		require.Equal(w.t, before, w.active(), "objects left by a refused call, with %d bytes of room", room)
	}
}

// expectNoMemory reads want, and checks that the reason is ENOMEM.
func (th *thread) expectNoMemory(want ...uint32) {
	th.w.t.Helper()
	th.expect(want...)
	e := th.extendedError()
	require.EqualValues(th.w.t, binder.BR_FAILED_REPLY, e.Command)
	require.EqualValues(th.w.t, -linuxerr.ENOMEM.Errno(), e.Param)
}

// TestNoRoomToOpen: neither a device nor a thread is created without room for it.
func TestNoRoomToOpen(t *testing.T) {
	w := newWorld(t)
	require.NotZero(t, w.withoutRoom(func() bool {
		p, err := w.ctx.open(w.tenant, nil, pidOf(77), "", memorytest.Shared())
		if err != nil {
			require.Equal(t, linuxerr.ENOMEM, err)
			return false
		}
		w.apps = append(w.apps, &app{Process: p, w: w})
		return true
	}))

	a := w.open(testMapping)
	require.NotZero(t, w.withoutRoom(func() bool {
		th := a.newBareThread()
		err := th.ioctl(binder.BINDER_VERSION, argAddr)
		if err != nil {
			require.Equal(t, linuxerr.ENOMEM, err)
			require.Nil(t, th.state())
		}
		return err == nil
	}))
	require.NotZero(t, w.withoutRoom(func() bool {
		th := a.newBareThread()
		return a.readinessFor(th.id) != waiter.EventErr
	}))
}

// TestNoRoomForManager: a process that could not become the context manager can later, and
// so can any other.
func TestNoRoomForManager(t *testing.T) {
	w := newWorld(t)
	first, second := w.newApp(), w.newApp()
	account := w.tenant.account
	account.SetLimit(account.Used())
	require.Equal(t, linuxerr.ENOMEM, first.ioctl(binder.BINDER_SET_CONTEXT_MGR, 0))
	account.SetLimit(math.MaxInt64)
	require.NotEqual(t, first.euid, second.euid)
	require.NotZero(t, w.withoutRoom(func() bool { return second.ioctl(binder.BINDER_SET_CONTEXT_MGR, 0) == nil }))
}

// TestNoRoomForCall: a call fails wherever the room ends, and the receiver doesn't notice.
func TestNoRoomForCall(t *testing.T) {
	for _, flags := range []uint32{0, binder.TF_ONE_WAY} {
		w := newWorld(t)
		server, client := w.newApp(), w.newApp()
		handle, back := w.give(server, client, 0x10), w.give(client, server, 0x20)
		file := newEventFile(t)
		client.app.installFile(file)
		ptr := uint64(0x100)
		failures := w.withoutRoom(func() bool {
			ptr += 0x100
			client.write(client.call(handle, flags, parcel(
				nodeObject(ptr), handleObject(handle), fileObject(3), nodeObject(ptr+0x10), fileObject(3))))
			if w.tenant.account.Used() == 0 || client.returned(binder.BR_FAILED_REPLY) {
				e := client.extendedError()
				require.EqualValues(t, -linuxerr.ENOMEM.Errno(), e.Param)
				require.EqualValues(t, 1, file.ReadRefs())
				server.expectNothing()
				return false
			}
			return true
		})
		require.Greater(t, failures, 10)
		require.NotZero(t, back)
	}
}

// returned reads until nothing comes and returns whether br was among the returns.
func (th *thread) returned(br uint32) (found bool) {
	for {
		out := th.tryRead()
		if out.err != nil {
			return found
		}
		for _, r := range out.returns {
			found = found || r.br == br
		}
	}
}

// TestNoRoomForReply: the caller is told that there was no room for the reply.
func TestNoRoomForReply(t *testing.T) {
	w := newWorld(t)
	manager, client := w.newManager(), w.newApp()
	account := w.tenant.account
	client.write(client.call(0, 0, parcel("")))
	manager.takeCall()
	account.SetLimit(account.Used())
	manager.write(manager.reply(parcel("")))
	client.expectNoMemory(binder.BR_TRANSACTION_COMPLETE, binder.BR_FAILED_REPLY)
	manager.expect(binder.BR_TRANSACTION_COMPLETE)
}

// TestNoRoomForNotice: without room, a request for a death notification is answered with
// BR_ERROR, and one for freeze notifications is refused.
func TestNoRoomForNotice(t *testing.T) {
	w := newWorld(t)
	server, client := w.newApp(), w.newApp()
	handle := w.give(server, client, 0x10)
	require.NotZero(t, w.withoutRoom(func() bool {
		client.write(cmd(binder.BC_REQUEST_DEATH_NOTIFICATION, binder.HandleCookie{Handle: handle, Cookie: 1}))
		wr := binder.WriteRead{ReadSize: readSize, ReadBuffer: readAddr}
		wr.MarshalUnsafe(client.mem.Bytes[argAddr:])
		if err := client.ioctl(binder.BINDER_WRITE_READ, argAddr); err != nil {
			require.Equal(t, linuxerr.EAGAIN, err)
			return true
		}
		wr.UnmarshalUnsafe(client.mem.Bytes[argAddr:])
		require.EqualValues(t, 2*returnSize, wr.ReadConsumed, "BR_ERROR comes without a parameter")
		require.EqualValues(t, binder.BR_ERROR, hostarch.ByteOrder.Uint32(client.mem.Bytes[readAddr+returnSize:]))
		return false
	}))
	require.NotZero(t, w.withoutRoom(func() bool {
		out := client.try(cmd(binder.BC_REQUEST_FREEZE_NOTIFICATION, binder.HandleCookie{Handle: handle, Cookie: 2}))
		if out.err != nil {
			require.Equal(t, linuxerr.ENOMEM, out.err)
			require.Zero(t, out.WriteConsumed)
		}
		return out.err == nil
	}))
}

// TestDeadProcessStaysCharged: a process that closed its device stays charged while one of
// its nodes is referenced.
func TestDeadProcessStaysCharged(t *testing.T) {
	w := newWorld(t)
	server, client := w.newApp(), w.newApp()
	require.NotZero(t, w.give(server, client, 0x10))
	base := w.tenant.account.Used()
	other := w.newApp()
	handle := w.give(other, client, 0x10)
	other.app.close()
	require.GreaterOrEqual(t, w.tenant.account.Used()-base, int64(processPrice+nodePrice+refPrice))
	client.write(cmd(binder.BC_RELEASE, handle))
	require.Equal(t, base, w.tenant.account.Used())
}

// prices has, for each kind, a function that creates n objects, and their charge.
var prices = []struct {
	name string
	make func(w *world, n int)
}{
	{"open devices", func(w *world, n int) {
		ar, _ := hostarch.Addr(testMapAddr).ToRange(testMapping)
		for i := range n {
			p := w.ctx.mustOpen(w.tenant, int32(i))
			require.NoError(w.t, p.AddMapping(memorytest.Context(), nil, ar, 0, false))
			w.apps = append(w.apps, &app{Process: p, w: w})
		}
	}},
	{"threads", func(w *world, n int) {
		a := w.open(testMapping)
		for range n {
			a.newThread()
		}
	}},
	{"nodes", func(w *world, n int) {
		p := w.open(testMapping).Process
		for i := range n {
			o := nodeObject(uint64(i) * 8)
			p.mustAddNode(&o)
		}
	}},
	{"requests", func(w *world, n int) {
		server, client := w.newApp(), w.newApp()
		for i := range n {
			handle := w.give(server, client, uint64(8*i))
			client.write(cmd(binder.BC_REQUEST_DEATH_NOTIFICATION, binder.HandleCookie{Handle: handle, Cookie: uint64(i)}))
		}
	}},
	{"one-way calls", func(w *world, n int) {
		server, client := w.newApp(), w.newApp()
		handle := w.give(server, client, 1)
		for range n {
			client.write(client.call(handle, binder.TF_ONE_WAY, parcel("")))
		}
	}},
	{"files in flight", func(w *world, n int) {
		server, client := w.newApp(), w.newApp()
		handle := w.give(server, client, 1)
		for range n {
			fd := client.app.installFile(newEventFile(w.t))
			client.write(client.call(handle, binder.TF_ONE_WAY, parcel(fileObject(fd))))
			client.closeFile(fd)
		}
	}},
}

// TestPrices: objects are charged at least the memory that they take, and at most four
// times as much.
func TestPrices(t *testing.T) {
	for _, tc := range prices {
		t.Run(tc.name, func(t *testing.T) {
			const n = 1000
			w := newWorld(t)
			heap, used := heapInUse(), w.tenant.account.Used()
			tc.make(w, n)
			took := float64(heapInUse()-heap) / n
			charged := float64(w.tenant.account.Used()-used) / n
			t.Logf("one takes %.0f bytes and is charged %.0f", took, charged)
			require.LessOrEqual(t, took, charged)
			require.LessOrEqual(t, charged, 4*took)
		})
	}
}

// TestSenderPays: a sender in another container pays for what the receiver gets, not the
// receiver.
func TestSenderPays(t *testing.T) {
	w, other := sharing(t)
	manager, client := w.newManager(), other.newApp()
	receives, sends := w.tenant.account.Used(), other.tenant.account.Used()
	client.write(client.call(0, binder.TF_ONE_WAY, parcel(nodeObject(0x10))))
	got := manager.expectTransaction(binder.BR_TRANSACTION)
	manager.write(cmd(binder.BC_ACQUIRE, uint32(got.object(0).Binder)), got.free())
	require.Equal(t, receives, w.tenant.account.Used())
	require.Greater(t, other.tenant.account.Used(), sends)

	// At its limit, it cannot send.
	other.tenant.account.SetLimit(1)
	client.write(client.call(0, binder.TF_ONE_WAY, parcel("")))
	require.True(t, client.returned(binder.BR_FAILED_REPLY))
	manager.expectNothing()
	other.tenant.account.SetLimit(math.MaxInt64)
}

// TestDeadProcessKeepsLittle: whatever a process had, a reference to one of its nodes
// keeps no more memory than is charged.
func TestDeadProcessKeepsLittle(t *testing.T) {
	n := uint64(200)
	if testing.Short() {
		n = 50
	}
	w := newWorld(t)
	client, holder := w.newApp(), w.newApp()
	die := func() {
		dying := w.newApp()
		w.give(dying, holder, 0x10)
		handle := w.give(dying, client, 0x20)
		for i := range uint64(100) {
			client.write(client.call(handle, binder.TF_ONE_WAY, parcel("")))
			client.returned(binder.BR_TRANSACTION_COMPLETE)
			w.give(dying, client, 0x100+8*i)
			w.give(client, dying, 0x10000*uint64(dying.pid)+8*i)
			dying.app.newThread()
		}
		dying.app.close()
		client.returned(binder.BR_RELEASE)
		for handle := uint32(1); handle < 200; handle++ {
			client.write(cmd(binder.BC_RELEASE, handle))
		}
	}
	die() // Now the client's and the holder's tables have grown.
	before := heapInUse()
	for range n {
		die()
	}
	took := (heapInUse() - before) / n
	t.Logf("a dead process with a node takes %d bytes", took)
	require.LessOrEqual(t, took, uint64(processPrice+nodePrice+refPrice))
}

// TestCallerPays: a caller pays for the replies, and for what it keeps of them.
func TestCallerPays(t *testing.T) {
	w, other := sharing(t)
	manager, client := w.newManager(), other.newApp()
	manager.app.installFile(newEventFile(t))
	before, calls := w.tenant.account.Used(), other.tenant.account.Used()
	for range 10 {
		client.write(client.call(0, binder.TF_ACCEPT_FDS, parcel("")))
		manager.takeCall()
		manager.write(manager.reply(parcel(fileObject(3))))
		manager.returned(binder.BR_TRANSACTION_COMPLETE)
		require.Equal(t, before, w.tenant.account.Used(), "even before the reply is read")
		client.expectReply()
	}
	require.EqualValues(t, 10*bufferPrice, other.tenant.account.Used()-calls)

	other.tenant.account.SetLimit(other.tenant.account.Used() + transactionPrice + completionPrice + bufferPrice)
	client.write(client.call(0, binder.TF_ACCEPT_FDS, parcel("")))
	manager.takeCall()
	manager.write(manager.reply(parcel("")))
	client.expectNoMemory(binder.BR_TRANSACTION_COMPLETE, binder.BR_FAILED_REPLY)
	other.tenant.account.SetLimit(math.MaxInt64)
}
