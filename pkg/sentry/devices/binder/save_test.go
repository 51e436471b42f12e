// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"bytes"
	gocontext "context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/sentry/pgalloc"
	"gvisor.dev/gvisor/pkg/sentry/usage"
	"gvisor.dev/gvisor/pkg/state"
	"gvisor.dev/gvisor/pkg/tcpip/faketime"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/sentry/devices/binder/memorytest"
)

// restore saves w, and returns a world loaded from the image, with memory of its own.
func (w *world) restore() *world {
	w.t.Helper()
	// As the kernel does first; see kernel.SaveTo.
	memorytest.Shared().StartEvictions()
	memorytest.Shared().WaitForEvictions()
	for _, a := range w.apps {
		require.NoError(w.t, a.InvalidateUnsavable(memorytest.Context()))
	}

	var image bytes.Buffer
	_, err := state.Save(memorytest.Context(), &image, &w.ctx)
	require.NoError(w.t, err)
	restored := &world{t: w.t, lastID: w.lastID, deaf: make(map[*Process]bool)}
	memory := context.WithValue(memorytest.Context(), pgalloc.CtxMemoryFile, copyMemory(w.t, memorytest.Shared()))
	_, err = state.Load(memory, &image, &restored.ctx)
	require.NoError(w.t, err)
	restored.domain = restored.ctx.domain
	restored.driver = restored.domain.driver
	restored.tenant = restored.driver.tenants.get("id")
	byPID := make(map[int32]*Process)
	for p := range restored.view().processes() {
		byPID[p.pid] = p
	}
	for _, a := range w.apps {
		twin := *a
		twin.Process, twin.w = byPID[a.pid], restored
		twin.mem = newAppIO(len(a.mem.Bytes))
		copy(twin.mem.Bytes, a.mem.Bytes)
		restored.apps = append(restored.apps, &twin)
	}
	w.t.Cleanup(func() {
		restored.closeAll()
		restored.requireEmpty()
	})
	return restored
}

// copyMemory returns a MemoryFile with the contents of mf.
func copyMemory(t testing.TB, mf *pgalloc.MemoryFile) *pgalloc.MemoryFile {
	twin := memorytest.New(pgalloc.DelayedEvictionDefault)
	t.Cleanup(twin.Destroy)
	fr, err := twin.Allocate(mf.TotalSize(), pgalloc.AllocOpts{Kind: usage.Anonymous, Mode: pgalloc.AllocateUncommitted})
	require.NoError(t, err)
	require.Zero(t, fr.Start)
	from := mf.File()
	for end := int64(0); ; {
		start, err := from.Seek(end, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return twin
		}
		require.NoError(t, err)
		end, err = from.Seek(start, unix.SEEK_HOLE)
		require.NoError(t, err)
		_, err = io.Copy(io.NewOffsetWriter(twin.File(), start), io.NewSectionReader(from, start, end-start))
		require.NoError(t, err)
	}
}

// testClock is a ManualClock that can be saved, like the kernel's. A restored one starts
// anew.
//
// +stateify savable
type testClock struct {
	*faketime.ManualClock `state:"nosave"`
}

func newTestClock() *testClock { return &testClock{faketime.NewManualClock()} }

// afterLoad is invoked by stateify.
func (c *testClock) afterLoad(gocontext.Context) { c.ManualClock = faketime.NewManualClock() }

// scene is processes in the middle of everything.
type scene struct {
	*world
	server, server2, client, client2, client3, other, other2, calm *thread

	outer, oneWay received
	deaths        []uint32 // the client's handles
}

// newScene starts processes, and stops in the middle of everything.
func newScene(w *world) *scene {
	s := &scene{world: w, server: w.newManager(), client: w.newApp(), other: w.newApp(), calm: w.newApp()}
	s.server2 = s.server.app.newLooper()
	s.client2, s.client3 = s.client.app.newThread(), s.client.app.newThread()
	s.other2 = s.other.app.newThread()
	require.NoError(w.t, s.server.ioctlUint32(binder.BINDER_SET_MAX_THREADS, 3))
	toServer := w.give(s.server, s.client, 0x10)
	toOther := w.give(s.other, s.server, 0x20)
	back := w.give(s.client, s.other, 0x30)

	// A call, from its handler one to another process, and from there one back.
	s.client.write(s.client.call(toServer, binder.TF_ACCEPT_FDS, parcel("outer", nodeObject(0x100), handleObject(toServer))))
	s.outer = s.server.expectTransaction(binder.BR_TRANSACTION)
	s.server.write(s.server.call(toOther, 0, parcel("middle", handleObject(uint32(s.outer.object(8).Binder)))))
	s.other.expectTransaction(binder.BR_TRANSACTION)
	s.other.write(s.other.call(back, 0, parcel("inner")))

	// One-way calls, the first of which was read by a thread that was asked for
	// another one; and an unread call.
	for i := range 3 {
		s.client3.write(s.client3.call(0, binder.TF_ONE_WAY, parcel(fmt.Sprintf("one-way %d", i))))
	}
	s.client3.expect(binder.BR_TRANSACTION_COMPLETE, binder.BR_TRANSACTION_COMPLETE, binder.BR_TRANSACTION_COMPLETE)
	out := s.server2.tryRead()
	require.Equal(w.t, []string{"BR_SPAWN_LOOPER", "BR_TRANSACTION"}, returnNames(out.returns))
	s.oneWay = s.server2.received(out.returns[1])
	s.client2.write(s.client2.call(toServer, 0, parcel("unread", weakNodeObject(0x200))))

	// Death notifications that are requested, read, and unread.
	told, unread := w.newApp(), w.newApp()
	for i, owner := range []*thread{s.calm, told, unread} {
		s.deaths = append(s.deaths, w.give(owner, s.client, 0x1000))
		s.client3.write(cmd(binder.BC_REQUEST_DEATH_NOTIFICATION, s.deaths[i], uint64(i)))
	}
	told.app.close()
	s.client3.expect(binder.BR_DEAD_BINDER)
	unread.app.close()

	// A sleeping reader. Its call is repeated.
	require.Equal(w.t, linuxerr.ERESTARTSYS, s.other2.sleepRead(nil).err)
	return s
}

// in returns the scene in another world.
func (s *scene) in(w *world) *scene {
	twin := *s
	twin.world = w
	for _, th := range []**thread{&twin.server, &twin.server2, &twin.client, &twin.client2, &twin.client3, &twin.other, &twin.other2, &twin.calm} {
		for _, a := range w.apps {
			if a.pid == (*th).pid {
				*th = &thread{Context: memorytest.Context(), app: a, id: (*th).id}
				break
			}
		}
		require.Same(w.t, w, (*th).w)
	}
	return &twin
}

// goOn lets the processes finish. It returns what they read.
func (s *scene) goOn() []string {
	t := s.t
	var read []string
	note := func(th *thread, want ...uint32) []ret {
		t.Helper()
		rs := th.expect(want...)
		for _, r := range rs {
			switch r.br {
			case binder.BR_TRANSACTION, binder.BR_REPLY:
				got := th.received(r)
				read = append(read, fmt.Sprintf("%s %+v %q % x", r, got.TransactionData, got.data, got.offsets))
			default:
				read = append(read, fmt.Sprintf("%s % x", r, r.params))
			}
		}
		return rs
	}
	s.requireSound()

	note(s.client, binder.BR_INCREFS, binder.BR_ACQUIRE, binder.BR_TRANSACTION_COMPLETE, binder.BR_TRANSACTION)
	s.client.write(s.client.reply(parcel("inner reply")))
	note(s.other, binder.BR_TRANSACTION_COMPLETE, binder.BR_REPLY)
	s.other.write(s.other.reply(parcel("middle reply")))
	note(s.other, binder.BR_TRANSACTION_COMPLETE)
	note(s.server, binder.BR_TRANSACTION_COMPLETE, binder.BR_REPLY)
	s.server.write(s.outer.free(), s.server.reply(parcel("outer reply")))
	note(s.client, binder.BR_TRANSACTION_COMPLETE, binder.BR_REPLY)

	note(s.server2, binder.BR_TRANSACTION)
	s.server2.write(s.server2.reply(parcel("read at last")))
	note(s.client2, binder.BR_INCREFS, binder.BR_TRANSACTION_COMPLETE, binder.BR_REPLY)
	note(s.server2, binder.BR_TRANSACTION_COMPLETE)
	s.server2.expectNothing()
	s.server2.write(s.oneWay.free())
	for range 2 {
		last := s.server2.received(note(s.server2, binder.BR_TRANSACTION)[0])
		s.server2.write(last.free())
	}
	s.server2.expectNothing()
	looper := s.server.app.newBareThread()
	looper.write(cmd(binder.BC_REGISTER_LOOPER))
	require.Zero(t, looper.state().looperNow()&looperInvalid)

	s.client3.write(cmd(binder.BC_CLEAR_DEATH_NOTIFICATION, s.deaths[1], uint64(1)))
	note(s.client3, binder.BR_DEAD_BINDER)
	s.client3.expectNothing()
	s.client3.write(cmd(binder.BC_DEAD_BINDER_DONE, uint64(1)), cmd(binder.BC_DEAD_BINDER_DONE, uint64(2)))
	note(s.client3, binder.BR_CLEAR_DEATH_NOTIFICATION_DONE)
	s.calm.app.close()
	note(s.client3, binder.BR_DEAD_BINDER)

	// Handles go on where they were, as does the sleeper.
	s.client3.write(cmd(binder.BC_RELEASE, s.deaths[1]))
	toOther := s.give(s.other, s.client, 0x4000)
	require.Equal(t, s.deaths[1], toOther)
	s.other2.signaled = true // An interruption doesn't count as waking up.
	out := s.other2.sleepRead(func() {
		s.client3.write(s.client3.call(toOther, 0, parcel("wake up")))
	})
	out.woken(s.other2, s.other2.slept, binder.BR_TRANSACTION)

	s.requireSound()
	return append(read, fmt.Sprint(s.active()))
}

// TestSaveRestore saves processes in the middle of everything. The loaded ones go on in the
// same way as the saved ones.
func TestSaveRestore(t *testing.T) {
	saved := newScene(newWorld(t))
	loaded := saved.in(saved.restore())
	require.Equal(t, saved.domain.ObjectCounts(), loaded.domain.ObjectCounts())
	require.Equal(t, saved.goOn(), loaded.goOn())
}

// TestRestoreAndEnd ends the loaded world at once. newWorld and restore check that nothing
// is left of either.
func TestRestoreAndEnd(t *testing.T) {
	saved := newScene(newWorld(t))
	loaded := saved.restore()
	loaded.closeAll()
	saved.requireSound()
}

// TestRestoreFiles saves a file on its way.
func TestRestoreFiles(t *testing.T) {
	w := newWorld(t)
	server, client := w.newApp(), w.newApp()
	client.app.installFile(newEventFile(t))
	client.write(client.call(w.give(server, client, 0x10), 0, parcel(fileObject(3))))
	loaded := w.restore()
	th := &thread{Context: memorytest.Context(), app: loaded.apps[0], id: server.id}
	clear(th.files)
	got := th.expectTransaction(binder.BR_TRANSACTION)
	require.EqualValues(t, 3, got.file(0))
	require.NotSame(t, client.files[3], th.files[3])
	server.takeCall()
}
