// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/waiter"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/sentry/devices/binder/memorytest"
)

// woken checks the result of a read that has slept the given number of times.
func (out *outcome) woken(th *thread, times int, want ...uint32) {
	th.w.t.Helper()
	require.NoError(th.w.t, out.err)
	require.Equal(th.w.t, names(append([]uint32{binder.BR_NOOP}, want...)), returnNames(out.returns))
	require.Equal(th.w.t, times, th.slept)
}

// TestReadSleeps wakes a reader by each kind of work.
func TestReadSleeps(t *testing.T) {
	for _, tc := range []struct {
		name string
		wake func(m *mourner)
		want []uint32
	}{
		{"a call", func(m *mourner) { m.owner.write(m.owner.call(0, 0, parcel(""))) }, []uint32{binder.BR_TRANSACTION}},
		{"a one-way call", func(m *mourner) { m.owner.write(m.owner.call(0, binder.TF_ONE_WAY, parcel(""))) }, []uint32{binder.BR_TRANSACTION}},
		{"a death", (*mourner).kill, []uint32{binder.BR_DEAD_BINDER}},
		{"a close", func(m *mourner) { m.flush() }, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := newMourner(t)
			require.NoError(t, m.ioctl(binder.BINDER_SET_CONTEXT_MGR, 0))
			m.request()
			out := m.sleepRead(func() { tc.wake(m) })
			out.woken(m.thread, 1, tc.want...)
		})
	}
}

// TestReplyWakes wakes the waiting caller, and no other thread of its process.
func TestReplyWakes(t *testing.T) {
	w := newWorld(t)
	manager, client := w.newManager(), w.newApp()
	client.write(client.call(0, 0, parcel("")))
	out := client.sleepRead(func() {
		manager.takeCall()
		manager.write(manager.reply(parcel("")))
	})
	out.woken(client, 1, binder.BR_TRANSACTION_COMPLETE, binder.BR_REPLY)
}

// TestNestedWakes calls back a thread that waits for a reply: the call wakes it.
func TestNestedWakes(t *testing.T) {
	c := newChain(t)
	c.call(c.a, c.b, 0)
	out := c.a.sleepRead(func() {
		c.b.takeCall()
		c.call(c.b, c.a, 0)
	})
	out.woken(c.a, 1, binder.BR_TRANSACTION_COMPLETE, binder.BR_TRANSACTION)
}

// TestWaitersTakeTurns lets two threads wait: each call wakes another.
func TestWaitersTakeTurns(t *testing.T) {
	w := newWorld(t)
	manager, client := w.newManager(), w.newApp()
	second := manager.app.newThread()
	var inner outcome
	outer := manager.sleepRead(func() {
		inner = second.sleepRead(func() {
			require.Len(t, manager.waitingNow(), 2)
			client.write(client.call(0, binder.TF_ONE_WAY, parcel("")))
			require.Len(t, manager.waitingNow(), 1)
			client.app.newThread().write(client.call(0, 0, parcel("")))
			require.Empty(t, manager.waitingNow())
		})
	})
	inner.woken(second, 1, binder.BR_TRANSACTION)
	outer.woken(manager, 1, binder.BR_TRANSACTION)
	require.EqualValues(t, binder.TF_ONE_WAY, second.received(inner.returns[1]).TransactionData.Flags,
		"the last to wait is woken first")
}

// TestWokenForNothing takes away the work that a thread was woken for: it sleeps again.
func TestWokenForNothing(t *testing.T) {
	m := newMourner(t)
	m.request()
	other := m.app.newThread()
	out := m.sleepRead(func() {
		m.onBlock = func() { m.flush() }
		m.kill()
		other.expect(binder.BR_DEAD_BINDER)
	})
	out.woken(m.thread, 2)
}

// TestInterruption interrupts readers, with and without a signal, and leaves no trace: the
// next work goes to others.
func TestInterruption(t *testing.T) {
	w := newWorld(t)
	manager, client := w.newManager(), w.newApp()
	other := manager.app.newThread()
	for _, signaled := range []bool{true, false} {
		manager.signaled = signaled
		out := manager.sleepRead(nil)
		if signaled {
			require.Equal(t, linuxerr.EINTR, out.err)
		} else {
			require.Equal(t, linuxerr.ERESTARTSYS, out.err)
		}
		require.Zero(t, out.ReadConsumed)
		w.requireSound()
		client.write(client.call(0, binder.TF_ONE_WAY, parcel("")))
		other.takeCall()
	}
}

// TestInterruptedWithWork interrupts a thread that a call was meant for: after a signal, the
// next read returns it; without one, this read does.
func TestInterruptedWithWork(t *testing.T) {
	for _, signaled := range []bool{true, false} {
		w := newWorld(t)
		manager, client := w.newManager(), w.newApp()
		manager.signaled = signaled
		out := manager.sleepRead(func() {
			client.write(client.call(0, 0, parcel("")))
			<-manager.state().wake
		})
		if signaled {
			require.Equal(t, linuxerr.EINTR, out.err)
			manager.takeCall()
		} else {
			out.woken(manager, 1, binder.BR_TRANSACTION)
		}
		w.requireSound()
	}
}

// TestWakeIsPassedOn interrupts a thread that was woken for work of the process: another
// waiting thread is woken in its place.
func TestWakeIsPassedOn(t *testing.T) {
	m := newMourner(t)
	m.request()
	second := m.app.newThread()
	m.signaled, second.signaled = true, true
	var inner outcome
	outer := m.sleepRead(func() {
		inner = second.sleepRead(func() {
			m.kill()
			<-second.state().wake
		})
	})
	require.Equal(t, linuxerr.EINTR, inner.err)
	outer.woken(m.thread, 1, binder.BR_DEAD_BINDER)
}

// TestReadAfterClose: a thread's first read sleeps like any other; one after a close
// doesn't.
func TestReadAfterClose(t *testing.T) {
	w := newWorld(t)
	a := w.open(testMapping)
	th := a.newBareThread()
	th.expectNothing()
	a.flush()
	require.Equal(t, 1, len(th.tryRead().returns))
	th.expectNothing()
}

// TestSpawnLooper requests a thread when the last one gets busy, and one at a time.
func TestSpawnLooper(t *testing.T) {
	w := newWorld(t)
	manager, client := w.newManager(), w.newApp()
	require.NoError(t, manager.ioctlUint32(binder.BINDER_SET_MAX_THREADS, 2))
	manager.write(cmd(binder.BC_ENTER_LOOPER))
	spawn := func(th *thread) bool {
		t.Helper()
		client.app.newThread().write(client.call(0, 0, parcel("")))
		out := th.tryRead()
		require.NoError(t, out.err)
		require.EqualValues(t, binder.BR_TRANSACTION, out.returns[len(out.returns)-1].br)
		got := th.received(out.returns[1])
		th.write(got.free(), th.reply(parcel("")))
		th.expect(binder.BR_TRANSACTION_COMPLETE)
		return out.returns[0].br == binder.BR_SPAWN_LOOPER
	}
	register := func() *thread {
		th := manager.app.newBareThread()
		th.write(cmd(binder.BC_REGISTER_LOOPER))
		return th
	}

	other := manager.app.newThread()
	require.False(t, spawn(other), "it is not a looper")
	require.True(t, spawn(manager))
	require.False(t, spawn(manager), "one was requested and has not registered")
	second := register()
	require.True(t, spawn(second))
	third := register()
	require.False(t, spawn(third), "the maximum is reached")
	require.EqualValues(t, 2, manager.started())
	require.Zero(t, third.state().looperNow()&looperInvalid)

	// None was requested.
	require.NotZero(t, register().state().looperNow()&looperInvalid)
	require.EqualValues(t, 2, manager.started())

	// While another thread waits, none is needed.
	require.NoError(t, manager.ioctlUint32(binder.BINDER_SET_MAX_THREADS, 9))
	var busy outcome
	third.sleepRead(func() {
		busy = second.sleepRead(func() {
			client.app.newThread().write(client.call(0, 0, parcel("")))
		})
	})
	busy.woken(second, 1, binder.BR_TRANSACTION)
	require.True(t, spawn(manager))
}

// TestLooperCommands writes contradictory commands, in each way.
func TestLooperCommands(t *testing.T) {
	w := newWorld(t)
	a := w.open(testMapping)
	for _, tc := range []struct {
		codes []uint32
		want  looperState
	}{
		{[]uint32{binder.BC_ENTER_LOOPER}, looperEntered},
		{[]uint32{binder.BC_REGISTER_LOOPER}, looperRegistered | looperInvalid},
		{[]uint32{binder.BC_ENTER_LOOPER, binder.BC_REGISTER_LOOPER}, looperEntered | looperRegistered | looperInvalid},
		{[]uint32{binder.BC_REGISTER_LOOPER, binder.BC_ENTER_LOOPER}, looperEntered | looperRegistered | looperInvalid},
		{[]uint32{binder.BC_ENTER_LOOPER, binder.BC_EXIT_LOOPER}, looperEntered | looperExited},
	} {
		th := a.newBareThread()
		for _, code := range tc.codes {
			th.write(cmd(code))
		}
		require.Equal(t, tc.want, th.state().looperNow())
	}
}

// TestThreadExit removes a thread: its next call creates it anew.
func TestThreadExit(t *testing.T) {
	w := newWorld(t)
	th := w.newApp()
	before := th.state()
	require.NoError(t, th.ioctl(binder.BINDER_THREAD_EXIT, 0))
	require.Nil(t, th.state())
	require.Zero(t, w.active()["thread"])
	th.expectNothing()
	require.NotSame(t, before, th.state())
}

// TestThreadExitHandsOver has a thread leave without reading: another thread is told what
// it can be told, and nothing is left of the rest.
func TestThreadExitHandsOver(t *testing.T) {
	w := newWorld(t)
	manager, client := w.newManager(), w.newApp()
	other, leaves := client.app.newLooper(), client.app.newThread()
	leaves.write(leaves.call(0, binder.TF_ONE_WAY, parcel("", nodeObject(0x10))))
	leaves.write(leaves.call(0, 0, parcel("")))
	manager.expectTransaction(binder.BR_TRANSACTION)
	manager.takeCall()
	manager.write(manager.reply(parcel("what nobody reads", nodeObject(0x20))))
	manager.expect(binder.BR_INCREFS, binder.BR_ACQUIRE, binder.BR_TRANSACTION_COMPLETE)
	pc := binder.PtrCookie{Ptr: 0x20, Cookie: testCookie(0x20)}
	manager.write(cmd(binder.BC_INCREFS_DONE, pc), cmd(binder.BC_ACQUIRE_DONE, pc))
	out := other.sleepRead(func() {
		require.NoError(t, leaves.ioctl(binder.BINDER_THREAD_EXIT, 0))
	})
	out.woken(other, 1, binder.BR_INCREFS, binder.BR_ACQUIRE)
	other.expectNothing()
	manager.expect(binder.BR_RELEASE, binder.BR_DECREFS)
	w.requireSound()
}

// TestReadiness polls with one thread of each process.
func TestReadiness(t *testing.T) {
	w := newWorld(t)
	manager, client := w.newManager(), w.newApp()
	ready := func(th *thread) bool { return th.app.readinessFor(th.id)&waiter.ReadableEvents != 0 }

	require.False(t, ready(w.open(testMapping).newBareThread()), "a new thread has nothing to read")
	require.False(t, ready(manager))
	client.write(client.call(0, 0, parcel("")))
	require.True(t, ready(manager), "work of the process")
	require.False(t, ready(client), "a completion is not worth waking up for")
	manager.takeCall()
	require.False(t, ready(manager))

	manager.flush()
	require.True(t, ready(manager), "a read returns at once")
	require.Empty(t, manager.read())
	manager.write(manager.reply(parcel("")))
	require.True(t, ready(client), "work of the thread")
	client.expectReply()
	require.False(t, ready(client))

	// A thread with work of its own takes nothing else.
	client.write(client.call(0, 0, parcel("")))
	manager.expect(binder.BR_TRANSACTION_COMPLETE)
	manager.takeCall()
	client.app.newThread().write(client.call(0, 0, parcel("")))
	require.False(t, ready(manager))
}

// TestPollersAreWoken counts the pollers' notifications.
func TestPollersAreWoken(t *testing.T) {
	w := newWorld(t)
	file, p := w.newDeviceFile()
	defer file.DecRef(memorytest.Context())
	fd := file.Impl().(*deviceFD)
	require.True(t, fd.Epollable())
	woken := 0
	e := waiter.NewFunctionEntry(waiter.ReadableEvents, func(waiter.EventMask) { woken++ })
	require.NoError(t, fd.EventRegister(&e))
	defer fd.EventUnregister(&e)

	a := &app{Process: p, w: w, mem: newAppIO(appMemory), arena: arenaAddr}
	require.NoError(t, a.mapAt(testMapAddr, testMapping))
	th := a.newThread()
	require.NoError(t, th.ioctl(binder.BINDER_SET_CONTEXT_MGR, 0))
	require.Zero(t, p.readinessFor(th.id))
	client := w.newApp()
	client.write(client.call(0, 0, parcel("")))
	require.Equal(t, 1, woken, "work of the process")
	require.NotZero(t, p.readinessFor(th.id))
	require.NotZero(t, fd.Readiness(waiter.ReadableEvents), "the caller is unknown")
	require.NotZero(t, fd.ReadinessFor(memorytest.Context(), waiter.ReadableEvents), "the caller is not a task")
	require.Zero(t, fd.Readiness(waiter.WritableEvents))
	th.takeCall()
	th.write(th.reply(parcel("")))
	require.Equal(t, 2, woken, "work of a thread that does not read")

	require.NoError(t, fd.OnClose(memorytest.Context()))
	require.Empty(t, th.read()[1:])
	client.expectReply()
}
