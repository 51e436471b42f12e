// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"sentrybinder/pkg/abi/binder"
)

// malformed is contents that are refused. They start with objects that have to be undone:
// a node and a handle.
var malformed = []struct {
	name string
	make func(p *payload, td *binder.TransactionData)
}{
	{"offsets whose size isn't a multiple of 8", func(p *payload, td *binder.TransactionData) { td.OffsetsSize = 17 }},
	{"more offsets than objects", func(p *payload, td *binder.TransactionData) { td.OffsetsSize += 8 }},
	{"sizes that overflow", func(p *payload, td *binder.TransactionData) { td.DataSize = math.MaxUint64 - 7 }},
	{"too much data", func(p *payload, td *binder.TransactionData) { td.DataSize = testMapping + 1 }},
	{"data that is not mapped", func(p *payload, td *binder.TransactionData) { td.Buffer = badAddr }},
	{"data at the end of the address space", func(p *payload, td *binder.TransactionData) { td.Buffer = math.MaxUint64 - 64 }},
	{"data that ends", func(p *payload, td *binder.TransactionData) { td.Buffer = appMemory - 64 }},
	{"offsets that are not mapped", func(p *payload, td *binder.TransactionData) { td.Offsets = badAddr }},
	{"an offset that is not aligned", func(p *payload, td *binder.TransactionData) {
		p.data = slices.Insert(p.data, int(p.offsets[2]), 0, 0)
		p.offsets[2] += 2
		td.DataSize += 2
	}},
	{"objects that overlap", func(p *payload, td *binder.TransactionData) { p.offsets[2] -= 4 }},
	{"objects out of order", func(p *payload, td *binder.TransactionData) { p.offsets[2] = p.offsets[0] }},
	{"an offset after the data", func(p *payload, td *binder.TransactionData) { p.offsets[2] = uint64(len(p.data)) }},
	{"an offset far after the data", func(p *payload, td *binder.TransactionData) { p.offsets[2] = 1 << 63 }},
	{"an object that is cut off", func(p *payload, td *binder.TransactionData) { td.DataSize-- }},
	{"an object's type that is cut off", func(p *payload, td *binder.TransactionData) { td.DataSize -= 21 }},
	{"an unknown object", func(p *payload, td *binder.TransactionData) { p.data[p.offsets[2]]++ }},
	{"a handle that does not exist", func(p *payload, td *binder.TransactionData) { p.object(2, handleObject(77)) }},
	{"a weak handle that does not exist", func(p *payload, td *binder.TransactionData) { p.object(2, weakHandleObject(77)) }},
	{"a node with another cookie", func(p *payload, td *binder.TransactionData) {
		o := nodeObject(0x100)
		o.Cookie++
		p.object(2, o)
	}},
	{"a file that does not exist", func(p *payload, td *binder.TransactionData) { p.object(2, fileObject(77)) }},
	{"a file that does not exist after one that does", func(p *payload, td *binder.TransactionData) {
		p.object(0, fileObject(3))
		p.object(2, fileObject(-1))
	}},
	{"a pointer", func(p *payload, td *binder.TransactionData) {
		p.object(2, binder.BufferObject{Type: binder.BINDER_TYPE_PTR, Buffer: badAddr, Length: 8})
		td.DataSize = uint64(len(p.data))
	}},
	{"an array of files", func(p *payload, td *binder.TransactionData) {
		p.object(2, binder.FDArrayObject{Type: binder.BINDER_TYPE_FDA, NumFDs: 1 << 62})
		td.DataSize = uint64(len(p.data))
	}},
}

// object replaces object i.
func (p *payload) object(i int, o any) {
	raw := must(binary.Append(nil, binary.LittleEndian, o))
	at := int(p.offsets[i])
	p.data = append(p.data[:at], append(raw, p.data[min(len(p.data), at+24):]...)...)
}

// TestMalformed sends malformed contents, as a call, as a one-way call, and as a reply.
// Nothing is left of them, and only the waiting thread is told.
func TestMalformed(t *testing.T) {
	for _, tc := range malformed {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			server, client := w.newApp(), w.newApp()
			toServer := w.give(server, client, 0x10)
			serverHas := w.give(client, server, 0x20)
			for _, th := range []*thread{server, client} {
				th.app.installFile(newEventFile(t))
			}
			send := func(th *thread, code uint32, handle, flags uint32) []byte {
				p := parcel("text", nodeObject(0x100), handleObject(handle), nodeObject(0x200))
				td := binder.TransactionData{DataSize: uint64(len(p.data)), OffsetsSize: uint64(len(p.offsets)) * 8}
				tc.make(&p, &td)
				td.Target, td.Flags = uint64(handle), flags
				if td.Buffer == 0 {
					td.Buffer = th.put(p.data)
				}
				if td.Offsets == 0 {
					td.Offsets = th.put(must(binary.Append(nil, binary.LittleEndian, p.offsets)))
				}
				return cmd(code, td)
			}
			require.EqualValues(t, toServer, serverHas)

			before := w.active()
			for _, flags := range []uint32{0, binder.TF_ONE_WAY} {
				client.write(send(client, binder.BC_TRANSACTION, toServer, flags))
				client.expect(binder.BR_FAILED_REPLY)
				require.Equal(t, before, w.active())
				server.expectNothing()
				w.requireSound()
			}

			client.write(client.call(toServer, binder.TF_ACCEPT_FDS, parcel("a reply, please")))
			server.takeCall()
			server.write(send(server, binder.BC_REPLY, serverHas, 0))
			server.expect(binder.BR_TRANSACTION_COMPLETE)
			client.expect(binder.BR_TRANSACTION_COMPLETE, binder.BR_FAILED_REPLY)
			require.Equal(t, before, w.active())
			w.requireSound()
			for _, th := range []*thread{server, client} {
				require.Empty(t, th.stack())
				require.EqualValues(t, 1, th.files[3].ReadRefs(), "a file was kept")
			}
		})
	}
}

// TestFailureReleasesItsOwn sends objects, the first of which is refused, to where others
// were before: the references of those are not touched.
func TestFailureReleasesItsOwn(t *testing.T) {
	w := newWorld(t)
	manager, client := w.newManager(), w.newApp()
	client.write(client.call(0, binder.TF_ONE_WAY, parcel(nodeObject(0x10), nodeObject(0x20))))
	got := manager.expectTransaction(binder.BR_TRANSACTION)
	for _, offset := range []int{0, 24} {
		manager.write(cmd(binder.BC_ACQUIRE, uint32(got.object(offset).Binder)))
	}
	manager.write(got.free())
	client.write(client.call(0, 0, parcel(handleObject(77), nodeObject(0x20))))
	client.expect(binder.BR_INCREFS, binder.BR_ACQUIRE, binder.BR_INCREFS, binder.BR_ACQUIRE,
		binder.BR_TRANSACTION_COMPLETE, binder.BR_FAILED_REPLY)
	require.Equal(t, 2, manager.numRefs())
	w.requireSound()
}

// TestMalformedScatterGather asks for impossible extra space.
func TestMalformedScatterGather(t *testing.T) {
	for _, extra := range []uint64{4, math.MaxUint64, math.MaxUint64 - 7, testMapping} {
		w := newWorld(t)
		w.newManager()
		client := w.newApp()
		before := w.active()
		client.write(append(client.message(binder.BC_TRANSACTION_SG, 0, 0, 0, parcel("x", nodeObject(1))),
			must(binary.Append(nil, binary.LittleEndian, extra))...))
		client.expect(binder.BR_FAILED_REPLY)
		require.Equal(t, before, w.active(), "%#x", extra)
		w.requireSound()
	}
}

// TestNoTarget sends to targets that don't exist.
func TestNoTarget(t *testing.T) {
	w := newWorld(t)
	client := w.newApp()
	client.write(client.call(0, 0, parcel("")))
	client.expect(binder.BR_DEAD_REPLY)
	client.write(client.call(9, 0, parcel("")))
	client.expect(binder.BR_FAILED_REPLY)

	unmapped := w.open(0).newThread()
	handle := w.give(unmapped, client, 0x10)
	before := w.active()
	client.write(client.call(handle, 0, parcel("")))
	client.expect(binder.BR_DEAD_REPLY)
	require.Equal(t, before, w.active())
	w.requireSound()
}
