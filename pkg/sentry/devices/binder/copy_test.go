// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"bytes"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/hostarch"

	"sentrybinder/pkg/abi/binder"
)

// pair is two processes that exchange calls and replies without anything that a
// test needs, so that what the driver does can be measured.
type pair struct {
	server, client *thread
	call, reply    []byte
}

// newPair returns a pair whose calls and replies have size bytes.
func newPair(t testing.TB, size int) *pair { return newPairIn(newWorld(t), size) }

// newPairIn is newPair in w.
func newPairIn(w *world, size int) *pair {
	open := func() *thread {
		a := w.open(maxMappingSize)
		a.mem = newAppIO(size + appMemory)
		return a.newThread()
	}
	p := &pair{server: open(), client: open()}
	handle := w.give(p.server, p.client, 0x10)
	// The contents are where nothing else is put.
	contents := func(th *thread) binder.TransactionData {
		return binder.TransactionData{DataSize: uint64(size), Buffer: appMemory}
	}
	td := contents(p.client)
	td.Target = uint64(handle)
	p.call = cmd(binder.BC_TRANSACTION, td)
	p.reply = cmd(binder.BC_REPLY, contents(p.server))
	return p
}

// exchange writes a command, and reads what there is then.
func (p *pair) exchange(th *thread, write []byte) {
	const writeAddr = arenaAddr
	n := copy(th.mem.Bytes[writeAddr:], write)
	wr := binder.WriteRead{WriteSize: uint64(n), WriteBuffer: writeAddr, ReadSize: readSize, ReadBuffer: readAddr}
	wr.MarshalUnsafe(th.mem.Bytes[argAddr:])
	_ = th.ioctl(binder.BINDER_WRITE_READ, argAddr)
}

// free returns the BC_FREE_BUFFER for the transaction that th has just read, which
// is at offset in its read buffer.
func (p *pair) free(th *thread, offset int) []byte {
	var td binder.TransactionData
	td.UnmarshalUnsafe(th.mem.Bytes[readAddr+offset:])
	var c [12]byte
	hostarch.ByteOrder.PutUint32(c[:], binder.BC_FREE_BUFFER)
	hostarch.ByteOrder.PutUint64(c[4:], td.Buffer)
	return append([]byte(nil), c[:]...)
}

// roundTrip is a call and its reply.
func (p *pair) roundTrip() {
	p.exchange(p.client, p.call)
	p.exchange(p.server, nil)
	p.exchange(p.server, p.free(p.server, 8))
	p.exchange(p.server, p.reply)
	p.exchange(p.client, nil)
	p.exchange(p.client, p.free(p.client, 12))
}

// TestOneCopy makes calls with little and with much in them. The second take no
// more memory of the sentry's.
func TestOneCopy(t *testing.T) {
	allocated := func(size int) uint64 {
		const rounds = 50
		p := newPair(t, size)
		p.roundTrip()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range rounds {
			p.roundTrip()
		}
		runtime.ReadMemStats(&after)

		// All calls have come, and all buffers are free.
		for _, th := range []*thread{p.client, p.server} {
			require.Zero(t, th.alloc.numBuffers())
			require.Empty(t, th.stack())
		}
		sent := p.client.w.driver.ObjectCounts()[objectTransaction]
		require.Equal(t, ObjectCount{Name: "transaction", Total: 2 * (rounds + 1)}, sent)
		return (after.TotalAlloc - before.TotalAlloc) / rounds
	}
	little, much := allocated(64), allocated(1<<20)
	t.Logf("a round trip of 64 bytes allocates %d bytes, one of 1 MiB %d", little, much)
	require.Less(t, much, little+4096)
}

// TestContents sends contents of all sizes, and compares what comes.
func TestContents(t *testing.T) {
	w := newWorld(t)
	server, client := w.newApp(), w.newApp()
	handle := w.give(server, client, 0x10)
	for _, size := range []int{0, 1, 7, 8, 9, 4095, 4096, 4097, 20_000} {
		data := make([]byte, size)
		for i := range data {
			data[i] = byte(i*7 + size)
		}
		client.write(client.call(handle, binder.TF_ONE_WAY, payload{data: data}))
		got := server.takeCall()
		require.True(t, bytes.Equal(data, got.data), "%d bytes", size)
	}
}

// TestAllocationsPerCall limits what a round trip allocates, whatever it carries.
func TestAllocationsPerCall(t *testing.T) {
	p := newPair(t, 64)
	n := testing.AllocsPerRun(100, p.roundTrip)
	t.Logf("a round trip makes %v allocations", n)
	require.LessOrEqual(t, n, 40.0)
}

// TestNoCommonLock makes calls while somebody else has the lock of the context.
func TestNoCommonLock(t *testing.T) {
	w := newWorld(t)
	server, client, other := w.newApp(), w.newApp(), w.newApp()
	handle := w.give(server, client, 0x10)
	known := w.give(other, client, 0x20)
	w.give(client, server, 0x30)
	again := w.give(server, client, 0x40)
	objects := parcel("objects that the server knows", nodeObject(0x30), handleObject(known))
	client.write(client.call(handle, binder.TF_ONE_WAY, objects))
	server.expectTransaction(binder.BR_TRANSACTION)

	// A call that takes the lock sleeps for ever.
	stuck := time.AfterFunc(time.Minute, func() { panic("a call takes the lock of its context") })
	defer stuck.Stop()
	w.ctx.mu.Lock()
	defer w.ctx.mu.Unlock()
	client.write(client.call(again, binder.TF_ONE_WAY, objects), client.call(again, 0, objects))
	server.takeCall()
	server.takeCall()
	server.write(server.reply(parcel("reply")))
	server.expect(binder.BR_TRANSACTION_COMPLETE)
}
