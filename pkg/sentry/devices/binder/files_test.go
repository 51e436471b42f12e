// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"testing"

	"github.com/stretchr/testify/require"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/sentry/devices/binder/memorytest"
)

// refsOf returns the number of references to file fd of a.
func (a *app) refsOf(fd int32) int64 { return a.files[fd].ReadRefs() }

// file returns the descriptor in the file object at offset.
func (r *received) file(offset int) int32 {
	var o binder.FDObject
	o.UnmarshalUnsafe(r.data[offset:])
	return int32(o.FD)
}

// TestSendFiles sends files with a call and with its reply.
func TestSendFiles(t *testing.T) {
	w := newWorld(t)
	server, client := w.newApp(), w.newApp()
	handle := w.give(server, client, 0x10)
	first, second := newEventFile(t), newEventFile(t)
	client.installFile(first)
	client.installFile(second)

	client.write(client.call(handle, binder.TF_ACCEPT_FDS, parcel("two", fileObject(4), fileObject(3), "files")))
	require.EqualValues(t, 2, first.ReadRefs())
	got := server.expectTransaction(binder.BR_TRANSACTION)
	require.Equal(t, [2]int32{3, 4}, [2]int32{got.file(4), got.file(28)})
	require.Same(t, second, server.files[3])
	require.Same(t, first, server.files[4])
	require.EqualValues(t, 2, first.ReadRefs())
	require.Equal(t, "files", string(got.data[52:]))

	server.write(got.free(), server.reply(parcel(fileObject(4))))
	server.expect(binder.BR_TRANSACTION_COMPLETE)
	back := client.expectReply()
	require.EqualValues(t, 5, back.file(0))
	require.Same(t, first, client.files[5])
}

// TestFilesNotAccepted sends files to nodes and callers that don't accept any.
func TestFilesNotAccepted(t *testing.T) {
	w := newWorld(t)
	manager, client := w.newManager(), w.newApp()
	for _, th := range []*thread{manager, client} {
		th.app.installFile(newEventFile(t))
	}
	client.write(client.call(0, binder.TF_ACCEPT_FDS, parcel(fileObject(3))))
	client.expect(binder.BR_FAILED_REPLY)
	client.write(client.call(0, 0, parcel("")))
	manager.takeCall()
	manager.write(manager.reply(parcel(fileObject(3))))
	manager.expect(binder.BR_TRANSACTION_COMPLETE)
	client.expect(binder.BR_TRANSACTION_COMPLETE, binder.BR_FAILED_REPLY)
	require.EqualValues(t, 1, client.refsOf(3))
	require.EqualValues(t, 1, manager.refsOf(3))
	w.requireSound()
}

// TestNoRoomForFiles sends more files than the receiver may have: a call fails for its
// sender, and the receiver doesn't notice.
func TestNoRoomForFiles(t *testing.T) {
	w := newWorld(t)
	server, client := w.newApp(), w.newApp()
	handle := w.give(server, client, 0x10)
	client.app.installFile(newEventFile(t))
	server.app.maxFiles = 1
	files := parcel(fileObject(3), fileObject(3))

	client.write(client.call(handle, 0, files))
	server.expectNothing()
	client.expect(binder.BR_TRANSACTION_COMPLETE, binder.BR_FAILED_REPLY)

	// The next one-way call is delivered nevertheless.
	client.write(client.call(handle, binder.TF_ONE_WAY, files), client.call(handle, binder.TF_ONE_WAY, parcel("next")))
	require.Equal(t, "next", string(server.expectTransaction(binder.BR_TRANSACTION).data))
	client.expect(binder.BR_TRANSACTION_COMPLETE, binder.BR_TRANSACTION_COMPLETE)

	// A reply fails for its reader.
	server.app.installFile(newEventFile(t))
	client.app.maxFiles = 1
	other := client.app.newThread()
	other.write(other.call(handle, binder.TF_ACCEPT_FDS, parcel("")))
	server.expectTransaction(binder.BR_TRANSACTION)
	server.write(server.reply(files))
	server.expect(binder.BR_TRANSACTION_COMPLETE)
	other.expect(binder.BR_TRANSACTION_COMPLETE, binder.BR_FAILED_REPLY)
	require.Empty(t, other.stack())

	require.EqualValues(t, 1, client.refsOf(3))
	require.EqualValues(t, 1, server.refsOf(3))
	w.requireSound()
}

// TestFilesUndelivered ends the receiver, or the sender, with files in flight.
func TestFilesUndelivered(t *testing.T) {
	for _, tc := range []struct {
		name string
		end  func(server, client *thread)
	}{
		{"receiver", func(server, client *thread) { server.app.close() }},
		{"sender", func(server, client *thread) { client.app.close(); server.takeCall() }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			server, client := w.newApp(), w.newApp()
			handle := w.give(server, client, 0x10)
			file := newEventFile(t)
			file.IncRef()
			defer file.DecRef(memorytest.Context())
			client.installFile(file)
			for _, flags := range []uint32{0, binder.TF_ONE_WAY} {
				th := client.app.newThread()
				th.write(th.call(handle, flags, parcel(fileObject(3))))
			}
			require.EqualValues(t, 4, file.ReadRefs())
			tc.end(server, client)
			w.closeAll()
			require.EqualValues(t, 1, file.ReadRefs())
		})
	}
}

// TestLastReferenceToDevice sends an open device to itself, and others in a cycle, and
// leaves them there: dropping the file ends the process.
func TestLastReferenceToDevice(t *testing.T) {
	w := newWorld(t)
	server, client := w.newApp(), w.newApp()
	handle := w.give(server, client, 0x10)
	file, p := w.newDeviceFile()
	client.app.installFile(file)
	client.write(client.call(handle, binder.TF_ONE_WAY, parcel(fileObject(3))))
	client.app.closeFile(3)
	require.EqualValues(t, 3, w.active()["proc"])

	// The process in the file holds a node of the server, and waits for its death.
	inside := &thread{Context: memorytest.Context(), id: 99, app: &app{Process: p, w: w, mem: newAppIO(appMemory)}}
	require.NoError(t, inside.ioctl(binder.BINDER_VERSION, argAddr))
	inside.write(cmd(binder.BC_REQUEST_DEATH_NOTIFICATION, w.give(server, inside, 0x20), uint64(1)))
	server.app.close()
	require.EqualValues(t, 1, w.active()["proc"])
	require.Zero(t, w.active()["death"])
}
