// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/hostarch"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/sentry/devices/binder/memorytest"
)

// blockObject puts data into the memory of th and returns the object for it.
func (th *thread) blockObject(data []byte) binder.BufferObject {
	return binder.BufferObject{Type: binder.BINDER_TYPE_PTR, Buffer: th.put(data), Length: uint64(len(data))}
}

// childObject is blockObject for a block that block parent points to, at offset.
func (th *thread) childObject(data []byte, parent, offset uint64) binder.BufferObject {
	o := th.blockObject(data)
	o.Flags = binder.BINDER_BUFFER_FLAG_HAS_PARENT
	o.Parent, o.ParentOffset = parent, offset
	return o
}

func fileArrayObject(n, parent, offset uint64) binder.FDArrayObject {
	return binder.FDArrayObject{Type: binder.BINDER_TYPE_FDA, NumFDs: n, Parent: parent, ParentOffset: offset}
}

// callSG returns a BC_TRANSACTION_SG to handle, with extra bytes for blocks.
func (th *thread) callSG(handle, flags uint32, p payload, extra uint64) []byte {
	return binary.LittleEndian.AppendUint64(th.message(binder.BC_TRANSACTION_SG, uint64(handle), 0, flags, p), extra)
}

// block returns the block that the PTR object at offset points to, and its address.
func (th *thread) block(got *received, offset int) (uint64, []byte) {
	th.w.t.Helper()
	var o binder.BufferObject
	o.UnmarshalUnsafe(got.data[offset:])
	b, err := th.peek(o.Buffer, o.Length)
	require.NoError(th.w.t, err)
	return o.Buffer, b
}

// TestBlocks sends a block with a child and a file.
func TestBlocks(t *testing.T) {
	w := newWorld(t)
	server, client := w.newApp(), w.newApp()
	handle := w.give(server, client, 0x10)
	client.app.installFile(newEventFile(t))
	parent := client.blockObject([]byte("pointer.\x03\x00\x00\x00more"))
	child := client.childObject([]byte("child"), 0, 0)
	client.write(client.callSG(handle, 0, parcel("text", parent, child, fileArrayObject(1, 0, 8)), 24))
	got := server.expectTransaction(binder.BR_TRANSACTION)
	childAddr, b := server.block(&got, 44)
	require.Equal(t, "child", string(b))
	_, b = server.block(&got, 4)
	require.Equal(t, childAddr, binary.LittleEndian.Uint64(b))
	require.Equal(t, "more", string(b[12:]))
	fd := int32(binary.LittleEndian.Uint32(b[8:]))
	require.Same(t, client.files[3], server.files[fd])

	// Freeing the buffer closes the file, and the thread returns at once.
	wr := server.writing([][]byte{got.free()})
	wr.ReadSize, wr.ReadBuffer = readSize, readAddr
	out := server.writeRead(wr)
	require.NoError(t, out.err)
	require.Equal(t, names([]uint32{binder.BR_NOOP}), returnNames(out.returns))
	require.Empty(t, server.files)
	require.EqualValues(t, 1, client.refsOf(3))
	server.expectNothing()
}

// TestManyFilesInArray sends more files in an array than are copied at once.
func TestManyFilesInArray(t *testing.T) {
	const n = 3*maxFilesAtOnce + 5
	w := newWorld(t)
	server, client := w.newApp(), w.newApp()
	handle := w.give(server, client, 0x10)
	server.app.maxFiles = n + 10
	var fds []byte
	for i := range n {
		client.app.installFile(newEventFile(t))
		// The last come first.
		fds = binary.LittleEndian.AppendUint32(fds, uint32(3+n-1-i))
	}
	client.write(client.callSG(handle, 0, parcel("text", client.blockObject(fds), fileArrayObject(n, 0, 0)), (4*n+7)&^7))
	got := server.expectTransaction(binder.BR_TRANSACTION)
	_, b := server.block(&got, 4)
	for i := range n {
		fd := int32(binary.LittleEndian.Uint32(b[4*i:]))
		require.Same(t, client.files[int32(3+n-1-i)], server.files[fd])
	}
	server.write(got.free())
	require.Empty(t, server.files)

	// One of them is not open: none is kept.
	client.app.closeFile(3)
	client.write(client.callSG(handle, binder.TF_ONE_WAY, parcel("text", client.blockObject(fds), fileArrayObject(n, 0, 0)), (4*n+7)&^7))
	client.expect(binder.BR_TRANSACTION_COMPLETE, binder.BR_FAILED_REPLY)
	for fd := range client.files {
		require.EqualValues(t, 1, client.refsOf(fd))
	}
}

// TestPointersStayAtHome sends blocks with pointers and descriptors, which only the sender
// may see, and fails in the end: the receiver's memory doesn't have them.
func TestPointersStayAtHome(t *testing.T) {
	w := newWorld(t)
	server, client := w.newApp(), w.newApp()
	handle := w.give(server, client, 0x10)
	for _, bad := range []uint64{badAddr, appMemory - 4} {
		client.app.files[0x7f0f0f7f] = newEventFile(t)
		parent := client.blockObject([]byte("12345678SECRETS!\x7f\x0f\x0f\x7f1234"))
		child := client.childObject([]byte("childish"), 0, 8)
		last := binder.BufferObject{Type: binder.BINDER_TYPE_PTR, Buffer: bad, Length: 8}
		client.write(client.callSG(handle, 0, parcel("text", parent, child, fileArrayObject(1, 0, 16), last), 40))
		client.expect(binder.BR_FAILED_REPLY)
		b, err := server.peek(testMapAddr, hostarch.PageSize)
		require.NoError(t, err)
		require.Contains(t, string(b), "childish")
		require.NotContains(t, string(b), "SECRETS!")
		require.NotContains(t, string(b), "\x7f\x0f\x0f\x7f")
		client.app.closeFile(0x7f0f0f7f)
		w.requireSound()
	}
}

// TestSaveFileArray restores a process that received files in a block: freeing the buffer
// closes them.
func TestSaveFileArray(t *testing.T) {
	w := newWorld(t)
	server, client := w.newApp(), w.newApp()
	handle := w.give(server, client, 0x10)
	client.app.installFile(newEventFile(t))
	block := client.blockObject(binary.LittleEndian.AppendUint64(nil, 3<<32|3))
	client.write(client.callSG(handle, binder.TF_ONE_WAY, parcel("text", block, fileArrayObject(2, 0, 0)), 8))
	got := server.expectTransaction(binder.BR_TRANSACTION)
	require.Len(t, server.files, 2)

	restored := w.restore().apps[0]
	require.Equal(t, server.pid, restored.pid)
	th := &thread{Context: memorytest.Context(), app: restored, id: server.id}
	th.write(got.free())
	require.Empty(t, th.files)
}
