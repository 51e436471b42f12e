// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//covers:buffers
package syscalls

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
)

// receive makes client send n bytes to server in a one-way transaction to a separate
// node, so that it doesn't wait for others, and returns where they are in the server's
// mapping.
func receive(server *process, client *process, n int) *message {
	server.t.Helper()
	client.start(readSize, bcTransaction{payload: payload{space(n)}})
	m := server.read().message(server.t)
	server.write(bcReply{})
	server.expect(brNoop, brTransactionComplete)
	answer := client.finish().ok(client.t).message(client.t)
	client.write(answer.free())
	return m
}

func (p *process) offset(m *message) int { return int(m.buffer) - int(p.mapStart) }

// Buffers are aligned to eight bytes, the offsets follow the data, and even an empty
// transaction uses space.
func TestBufferLayout(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	end := 0
	for _, n := range []int{0, 1, 7, 8, 9, 16, 100} {
		m := receive(server, client, n)
		require.Equal(t, end, server.offset(m), "%d bytes", n)
		noOffsets := uint64(0)
		if differs(t, onOffsetsAddress) {
			noOffsets = m.buffer + uint64(n+7)&^7
		}
		require.EqualValues(t, noOffsets, m.offsetsStart)
		end += max((n+7)&^7, 8)
	}
}

// Offsets use space, too.
func TestBufferLayoutWithOffsets(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.start(readSize, bcTransaction{payload: payload{text("hello"), node(1, 0)}})
	m := server.read().message(t)
	require.Equal(t, []uint64{8}, m.offsets)
	require.Equal(t, m.buffer+32, m.offsetsStart)
	server.write(bcReply{})
	server.expect(brNoop, brTransactionComplete)
	client.finish().ok(t)
	require.Equal(t, 40, server.offset(receive(server, client, 8)))
}

// A buffer is allocated in the smallest hole that is large enough; among holes of the
// same size, any will do.
func TestBestFit(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	var bufs []*message
	for _, n := range []int{1024, 8, 256, 8, 512, 8} {
		bufs = append(bufs, receive(server, client, n))
	}
	hole1024, hole256, hole512 := bufs[0], bufs[2], bufs[4]
	server.write(hole1024.free(), hole256.free(), hole512.free())
	if differs(t, onBestFit) {
		require.Equal(t, server.offset(bufs[5])+8, server.offset(receive(server, client, 200)))
		return
	}
	require.Equal(t, server.offset(hole256), server.offset(receive(server, client, 200)))
	require.Equal(t, server.offset(hole512), server.offset(receive(server, client, 300)))
	require.Equal(t, server.offset(hole1024), server.offset(receive(server, client, 300)))
	// The rest of the last hole.
	require.Equal(t, server.offset(hole1024)+304, server.offset(receive(server, client, 720)))
}

// Among holes of exactly the right size, it's the one that a search by size finds first,
// which depends on all earlier allocations and frees.
func TestHolesOfOneSize(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	var held []*message
	var places []int
	for range 120 {
		if len(held) > 0 && rnd.IntN(5) < 2 {
			i := rnd.IntN(len(held))
			server.write(held[i].free())
			held = slices.Delete(held, i, i+1)
			continue
		}
		m := receive(server, client, 8*(1+rnd.IntN(3)))
		held = append(held, m)
		places = append(places, server.offset(m)/8)
	}
	if differs(t, onBestFit) {
		return
	}
	require.Equal(t, []int{
		0, 3, 6, 3, 4, 7, 3, 4, 10, 13, 5, 16, 13, 18, 3, 21, 24, 16, 6, 27, 30, 32, 9, 35, 38, 30, 41, 42,
		3, 5, 32, 21, 33, 34, 44, 21, 0, 13, 46, 37, 48, 51, 54, 46, 51, 21, 2, 57, 60, 62, 65, 3, 23, 9, 32, 51,
		0, 38, 68, 40, 33, 46, 71, 73, 75, 62, 34, 63, 76, 79, 2, 16, 63, 66, 41, 27,
	}, places)
}

// Neighbouring holes are merged.
//
//covers:buffers,free-buffer
func TestHolesMerge(t *testing.T) {
	for name, order := range map[string][]int{
		"forward": {1, 2, 3}, "backward": {3, 2, 1}, "middle last": {1, 3, 2}, "middle first": {2, 1, 3},
	} {
		t.Run(name, func(t *testing.T) {
			server, client := newManager(t), newProcess(t)
			var bufs []*message
			for range 5 {
				bufs = append(bufs, receive(server, client, 1000))
			}
			for _, i := range order {
				server.write(bufs[i].free())
			}
			if differs(t, onBestFit) {
				return
			}
			require.Equal(t, server.offset(bufs[1]), server.offset(receive(server, client, 3000)))
		})
	}
}

// A single buffer can fill the whole mapping, and no more.
func TestWholeMapping(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	send := func(n int) bcTransaction {
		page := client.Must(t, unix.SYS_MMAP, 0, 2*mapSize, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANON, ^uintptr(0), 0)
		return bcTransaction{edit: func(tr *binder.TransactionData) { tr.Buffer, tr.DataSize = uint64(page), uint64(n) }}
	}
	client.write(send(mapSize + 1))
	client.expect(brNoop, brFailedReply)
	client.write(send(mapSize))
	m := server.read().message(t)
	require.Zero(t, server.offset(m))
	server.write(bcReply{}, m.free())
	client.expect(brNoop, brTransactionComplete, &message{reply: true})
}

// When the space is used up, transactions fail until a buffer is freed.
func TestSpaceUsedUp(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	big := receive(server, client, mapSize-4096)
	small := receive(server, client, 4096)
	client.write(bcTransaction{})
	client.expect(brNoop, brFailedReply)
	server.write(small.free())
	receive(server, client, 4096)
	server.write(big.free())
	receive(server, client, mapSize-4096)
}

// One-way transactions may use half of the space.
func TestAsyncHalf(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	send := func(n int) bcTransaction { return bcTransaction{flags: oneWay, payload: payload{space(n)}} }
	client.write(send(mapSize/2 + 1))
	client.expect(brNoop, brFailedReply)
	client.write(send(mapSize/2 - 4096))
	client.expect(brNoop, brTransactionComplete)
	client.write(send(4096 - 8))
	client.expect(brNoop, brTransactionComplete)
	client.write(send(0))
	client.expect(brNoop, brTransactionComplete)
	client.write(send(0))
	client.expect(brNoop, brFailedReply)

	// The other half is for calls.
	client.start(readSize, bcTransaction{payload: payload{space(mapSize / 2)}})
	server.expect(brNoop, &message{flags: oneWay, payload: payload{space(mapSize/2 - 4096)}})
	m := server.read().message(t)
	server.write(bcReply{}, m.free())
	server.expect(brNoop, brTransactionComplete)
	client.finish().ok(t)
}

// A freed one-way buffer returns its share.
//
//covers:buffers,free-buffer
func TestAsyncHalfFreed(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	tr := bcTransaction{flags: oneWay, payload: payload{space(mapSize / 2)}}
	for range 5 {
		client.write(tr)
		client.expect(brNoop, brTransactionComplete)
		server.write(server.read().message(t).free())
	}
}

// A buffer can be freed once, and nothing else can be: an address that isn't the start of
// one of the application's buffers is ignored.
//
//covers:free-buffer
func TestFreeBufferThatIsNone(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.start(readSize, bcTransaction{payload: payload{space(64)}})
	m := server.read().message(t)
	for _, addr := range []uint64{0, badAddress, m.buffer + 8, m.buffer + 64, m.buffer - 8, uint64(server.mapStart + mapSize), ^uint64(0)} {
		server.write(bcFreeBuffer(addr))
	}
	server.write(bcReply{}, m.free(), m.free())
	server.expect(brNoop, brTransactionComplete)
	client.finish().ok(t)
	require.Equal(t, int(m.buffer), int(receive(server, client, 64).buffer))
}

// A buffer that has not been received yet cannot be freed.
//
//covers:free-buffer
func TestFreeBufferBeforeItsReceipt(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.start(readSize, bcTransaction{code: 1})
	server.write(bcFreeBuffer(uint64(server.mapStart)))
	m := server.expect(brNoop, &message{code: 1, pid: client.pid()}).message(t)
	require.Zero(t, server.offset(m))
	server.write(bcReply{}, m.free())
	client.finish().ok(t)
}

// Another process cannot free it.
//
//covers:free-buffer
func TestFreeBufferOfAnotherProcess(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	m := receive(server, client, 8)
	client.write(m.free())
	require.Equal(t, 8, server.offset(receive(server, client, 8)))
}

// The buffer of a call can be freed before it is replied to.
//
//covers:free-buffer
func TestFreeBufferBeforeReply(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.start(readSize, bcTransaction{})
	server.write(server.read().message(t).free())
	server.write(bcReply{code: 1})
	client.finishExpect(brNoop, brTransactionComplete, &message{reply: true, code: 1})
}

// The buffer holds a reference on the node that it was sent to.
//
//covers:free-buffer,counts
func TestBufferHoldsTarget(t *testing.T) {
	owner, client := newManager(t), newProcess(t)
	h := owner.give(client, 0x10, 0x20)
	client.write(bcTransaction{handle: h, flags: oneWay}, bcRelease(h), bcDecrefs(h))
	client.expect(brNoop, brTransactionComplete)
	got := owner.expect(brNoop, &message{ptr: 0x10, cookie: 0x20, flags: oneWay})
	owner.expectNothing()
	owner.write(got.message(t).free())
	owner.expect(brNoop, brRelease(0x10, 0x20), brDecrefs(0x10, 0x20))
}
