// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/test/syscalls/remote"
)

// A process can hold a million handles. They are numbered without a gap, and freed
// numbers are reused, the lowest first.
//
//covers:many-handles
func TestMillionHandles(t *testing.T) {
	const (
		million = 1_000_000
		batch   = 20_000
		size    = 24 // of an object, in bytes
	)
	manager, client := newUnmappedProcess(t), newProcess(t)
	manager.mmap(4 << 20)
	manager.becomeManager()
	data, offsets := remote.Alloc(t, batch*size), remote.Alloc(t, batch*8)
	for i := range batch {
		*remote.Struct[uint64](offsets + uintptr(i)*8) = uint64(i * size)
	}
	news := remote.Alloc(t, 4<<20)
	commands := remote.Alloc(t, batch*8)

	for first := 1; first <= million; first += batch {
		for i := range batch {
			weakNode(uint64(first+i), 0).put(data + uintptr(i)*size)
		}
		client.start(0, bcTransaction{edit: func(tr *binder.TransactionData) {
			tr.Buffer, tr.DataSize = uint64(data), batch*size
			tr.Offsets, tr.OffsetsSize = uint64(offsets), batch*8
		}})
		client.finish().ok(t)
		client.expectError(brOK, 0) // such as for lack of memory
		// To keep this test's memory small, its message is parsed here.
		base := manager.Scratch()
		manager.startRaw(binder.WriteRead{ReadSize: readSize, ReadBuffer: uint64(base + readOffset)})
		_, err := manager.Wait(t)
		require.NoError(t, err)
		var tr binder.TransactionData
		tr.UnmarshalBytes(remote.Bytes(base+readOffset+8, binder.SizeOfTransactionData))
		require.EqualValues(t, batch*size, tr.DataSize)
		got, err := manager.ReadMemory(t, uintptr(tr.Buffer), batch*size)
		require.NoError(t, err)
		b := remote.Bytes(commands, batch*8)[:0]
		for i := range batch {
			if objectAt(got, uint64(i*size)) != weakHandle(uint32(first+i)) {
				require.Equal(t, weakHandle(uint32(first+i)), objectAt(got, uint64(i*size)))
			}
			b = append(b, bcIncrefs(uint32(first+i))...)
		}
		manager.startRaw(binder.WriteRead{WriteSize: uint64(len(b)), WriteBuffer: uint64(commands)})
		_, err = manager.Wait(t)
		require.NoError(t, err)
		manager.write(bcFreeBuffer(tr.Buffer), bcReply{})
		manager.expect(brNoop, brTransactionComplete)
		// The sender is told of each of its nodes.
		client.startRaw(binder.WriteRead{ReadSize: 4 << 20, ReadBuffer: uint64(news)})
		_, err = client.Wait(t)
		require.NoError(t, err)
		var bwr binder.WriteRead
		bwr.UnmarshalBytes(client.bwr())
		require.EqualValues(t, 4+batch*20+4+transactionSize, bwr.ReadConsumed)
		last := news + uintptr(bwr.ReadConsumed) - transactionSize
		require.Equal(t, uint32(binder.BR_REPLY), binary.NativeEndian.Uint32(remote.Bytes(last, 4)))
		tr.UnmarshalBytes(remote.Bytes(last+4, binder.SizeOfTransactionData))
		client.write(bcFreeBuffer(tr.Buffer))
	}

	manager.write(bcDecrefs(million/2), bcDecrefs(3), bcDecrefs(million-1), bcDecrefs(million/2+1))
	for i, want := range []uint32{3, million / 2, million/2 + 1, million - 1, million + 1} {
		client.start(0, bcTransaction{payload: payload{weakNode(uint64(2*million+i), 0)}})
		client.finish().ok(t)
		got := manager.read().message(t)
		require.Equal(t, weakHandle(want), got.object(0))
		manager.write(bcIncrefs(want), got.free(), bcReply{})
		manager.expect(brNoop, brTransactionComplete)
		client.write(client.read().message(t).free())
	}
}

// put encodes the object at address at of the arena.
func (o object) put(at uintptr) {
	(*binder.FlatObject)(&o).MarshalBytes(remote.Bytes(at, 24))
}
