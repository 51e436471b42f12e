// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/hostarch"

	"sentrybinder/pkg/abi/binder"
)

// blockObject puts data into the memory of th and returns the object for it.
func (th *thread) blockObject(data []byte) binder.BufferObject {
	return binder.BufferObject{Type: binder.BINDER_TYPE_PTR, Buffer: th.put(data), Length: uint64(len(data))}
}

// childObject is blockObject for a block that the one with index parent points to,
// at offset.
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

// block returns what the PTR object at offset points to, and where that is.
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

// TestPointersStayAtHome sends blocks whose pointers nobody else is to see, and
// fails in the end: they are not in the receiver's memory even so.
func TestPointersStayAtHome(t *testing.T) {
	w := newWorld(t)
	server, client := w.newApp(), w.newApp()
	handle := w.give(server, client, 0x10)
	for _, bad := range []uint64{badAddr, appMemory - 4} {
		parent := client.blockObject([]byte("12345678SECRETS!12345678"))
		child := client.childObject([]byte("childish"), 0, 8)
		last := binder.BufferObject{Type: binder.BINDER_TYPE_PTR, Buffer: bad, Length: 8}
		client.write(client.callSG(handle, 0, parcel("text", parent, child, last), 40))
		client.expect(binder.BR_FAILED_REPLY)
		b, err := server.peek(testMapAddr, hostarch.PageSize)
		require.NoError(t, err)
		require.Contains(t, string(b), "childish")
		require.NotContains(t, string(b), "SECRETS!")
		w.requireSound()
	}
}

// TestSaveFileArray restores a process that has received files in a block: freeing
// the buffer closes them.
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
	th := &thread{Context: newContext(), app: restored, id: server.id}
	th.write(got.free())
	require.Empty(t, th.files)
}
