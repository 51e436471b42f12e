// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//covers:malformed
package syscalls

import (
	"encoding/binary"
	"testing"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/test/syscalls/remote"
)

// A transaction with malformed objects fails, with one failure to its sender. The
// receiver sees nothing, no references are left, and the next transaction works as usual.
func TestMalformed(t *testing.T) {
	nodeBytes := text(node(0x10, 0x20).encode())
	fake := func(typ uint32) payload { return payload{object{Type: typ, Binder: 1}} }
	at := func(offsets ...uint64) func(*thread, *binder.TransactionData) {
		return func(th *thread, tr *binder.TransactionData) {
			addr := th.Scratch() + remote.ScratchSize - 4096
			var b []byte
			for _, off := range offsets {
				b = binary.NativeEndian.AppendUint64(b, off)
			}
			copy(remote.Bytes(addr, len(b)), b)
			tr.Offsets, tr.OffsetsSize = uint64(addr), uint64(len(b))
		}
	}
	size := func(data, offsets int64) func(*thread, *binder.TransactionData) {
		return func(th *thread, tr *binder.TransactionData) {
			if data != -1 {
				tr.DataSize = uint64(data)
			}
			if offsets != -1 {
				tr.OffsetsSize = uint64(offsets)
			}
		}
	}
	const huge = -8 // as an unsigned number
	sharedServer, sharedClient := newManager(t), newProcess(t)
	for _, tc := range []struct {
		name    string
		payload payload
		edit    func(*thread, *binder.TransactionData)
	}{
		{"offset not aligned", payload{nodeBytes, nodeBytes}, at(2)},
		{"offset odd", payload{nodeBytes, nodeBytes}, at(1)},
		{"offset at the end", payload{nodeBytes}, at(24)},
		{"offset beyond the end", payload{nodeBytes}, at(48)},
		{"object cut short", payload{nodeBytes}, at(4)},
		{"offset of only a header", payload{nodeBytes, text("\x85*bs")}, at(0, 24)},
		{"offset huge", payload{nodeBytes}, at(^uint64(0) &^ 7)},
		{"offset wraps around", payload{nodeBytes}, at(^uint64(0) - 23)},
		{"offset of 2^32", payload{nodeBytes}, at(1 << 32)},
		{"same offset twice", payload{nodeBytes, nodeBytes}, at(0, 0)},
		{"objects overlap", payload{nodeBytes, nodeBytes}, at(0, 16)},
		{"offsets not in order", payload{nodeBytes, nodeBytes}, at(24, 0)},
		{"good object, bad offset", payload{nodeBytes, nodeBytes}, at(0, 48)},
		{"data smaller than an object", payload{text("12345678")}, at(0)},
		{"no data", nil, at(0)},
		{"offsets size odd", payload{node(0x10, 0)}, size(-1, 7)},
		{"offsets size not a multiple", payload{node(0x10, 0), node(0x11, 0)}, size(-1, 12)},
		{"offsets size huge", payload{node(0x10, 0)}, size(-1, huge)},
		{"data size huge", payload{text("1234")}, size(huge, -1)},
		{"data size 2^63", payload{text("1234")}, size(-1<<63, -1)},
		{"data size 2^32", payload{text("1234")}, size(1<<32, -1)},
		{"both sizes huge", payload{node(0x10, 0)}, size(huge, huge)},
		{"sizes that add up to little", payload{node(0x10, 0)}, size(huge, 16)},
		{"type 0", fake(0), nil},
		{"type unknown", fake(0x12345678), nil},
		{"type of all ones", fake(^uint32(0)), nil},
		{"type in another case", fake(binder.BINDER_TYPE_BINDER ^ 0x20<<24), nil},
		{"type without the large bit", fake(binder.BINDER_TYPE_BINDER &^ 0x85), nil},
		{"handle unknown", payload{handle(1)}, nil},
		{"good object, unknown type", payload{node(0x10, 0), object{Type: 1}}, nil},
		{"good object, unknown handle", payload{node(0x10, 0), handle(99)}, nil},
	} {
		for name, flags := range map[string]uint32{"call": 0, "one-way": oneWay} {
			t.Run(tc.name+" "+name, func(t *testing.T) {
				server, client := sharedServer.as(t), sharedClient.as(t)
				tr := bcTransaction{flags: flags, payload: tc.payload}
				if tc.edit != nil {
					tr.edit = func(data *binder.TransactionData) { tc.edit(client.thread, data) }
				}
				client.write(tr)
				client.expect(brNoop, brFailedReply)
				server.expectNothing()
				client.call(server.thread, bcTransaction{payload: payload{text("hello")}}, nil)
			})
		}
		// A malformed reply fails the call; the replier is done with it.
		t.Run(tc.name+" reply", func(t *testing.T) {
			server, client := sharedServer.as(t), sharedClient.as(t)
			reply := bcReply{payload: tc.payload}
			if tc.edit != nil {
				reply.edit = func(data *binder.TransactionData) { tc.edit(server.thread, data) }
			}
			client.start(readSize, bcTransaction{})
			request := server.read().message(t)
			server.write(reply)
			server.expect(brNoop, brTransactionComplete)
			client.finishExpect(brNoop, brTransactionComplete, brFailedReply)
			server.write(request.free())
			server.expectNothing()
			client.call(server.thread, bcTransaction{payload: payload{text("hello")}}, nil)
		})
	}
}

// Bytes that look like an object are none without an offset.
func TestBytesThatLookLikeObjects(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	p := payload{text(node(0x10, 0x20).encode())}
	client.write(bcTransaction{flags: oneWay, payload: p})
	client.expect(brNoop, brTransactionComplete)
	server.expect(brNoop, &message{flags: oneWay, payload: p})
}
