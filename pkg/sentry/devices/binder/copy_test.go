// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/sync"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/sentry/devices/binder/alloc"
)

// pair is two processes that exchange calls and replies without test overhead, so that the
// driver can be measured.
type pair struct {
	server, client *thread
	call, reply    []byte
	freeing        [12]byte
}

// newPair returns a pair whose calls and replies have size bytes.
func newPair(t testing.TB, size int) *pair { return newPairIn(newWorld(t), size) }

// newPairIn is newPair in w.
func newPairIn(w *world, size int) *pair {
	open := func() *thread {
		a := w.open(alloc.MaxSize)
		a.mem = newAppIO(size + appMemory)
		return a.newThread()
	}
	p := &pair{server: open(), client: open()}
	handle := w.give(p.server, p.client, 0x10)
	// Nothing else is put where the contents are.
	contents := func(th *thread) binder.TransactionData {
		return binder.TransactionData{DataSize: uint64(size), Buffer: appMemory}
	}
	td := contents(p.client)
	td.Target = uint64(handle)
	p.call = cmd(binder.BC_TRANSACTION, td)
	p.reply = cmd(binder.BC_REPLY, contents(p.server))
	return p
}

// exchange writes commands, and reads what is available then.
func (p *pair) exchange(th *thread, write []byte) { p.writeRead(th, write, true) }

// sleep writes commands, and waits to read.
func (p *pair) sleep(th *thread, write []byte) { p.writeRead(th, write, false) }

func (p *pair) writeRead(th *thread, write []byte, nonBlocking bool) {
	const writeAddr = arenaAddr
	n := copy(th.mem.Bytes[writeAddr:], write)
	wr := binder.WriteRead{WriteSize: uint64(n), WriteBuffer: writeAddr, ReadSize: readSize, ReadBuffer: readAddr}
	wr.MarshalUnsafe(th.mem.Bytes[argAddr:])
	_ = th.app.Process.ioctl(th, &th.mem, binder.BINDER_WRITE_READ, argAddr, nonBlocking)
}

// free returns the BC_FREE_BUFFER for the transaction that th has just read, which
// is at offset in its read buffer.
func (p *pair) free(th *thread, offset int) []byte {
	var td binder.TransactionData
	td.UnmarshalUnsafe(th.mem.Bytes[readAddr+offset:])
	hostarch.ByteOrder.PutUint32(p.freeing[:], binder.BC_FREE_BUFFER)
	hostarch.ByteOrder.PutUint64(p.freeing[4:], td.Buffer)
	return p.freeing[:]
}

// roundTrip is a call and its reply.
func (p *pair) roundTrip() {
	p.exchange(p.client, p.call)
	p.exchange(p.server, nil)
	p.answerCall()
}

// sleepForCall is a read by the server, during whose sleep the client makes its call.
func (p *pair) sleepForCall() { p.sleep(p.server, nil) }

// answerCall does what follows the server's read of a call.
func (p *pair) answerCall() {
	p.exchange(p.server, p.free(p.server, 8))
	p.exchange(p.server, p.reply)
	p.exchange(p.client, nil)
	p.exchange(p.client, p.free(p.client, 12))
}

// TestOneCopy makes calls with small and with large contents. The large ones take no more
// of the sentry's memory.
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

		// All calls have arrived, and all buffers are free.
		for _, th := range []*thread{p.client, p.server} {
			require.Zero(t, th.alloc.Usage().Buffers)
			require.Empty(t, th.stack())
		}
		sent := p.client.w.domain.ObjectCounts()[objectTransaction]
		require.Equal(t, ObjectCount{Name: "transaction", Total: 2 * (rounds + 1)}, sent)
		return (after.TotalAlloc - before.TotalAlloc) / rounds
	}
	little, much := allocated(64), allocated(1<<20)
	t.Logf("a round trip of 64 bytes allocates %d bytes, one of 1 MiB %d", little, much)
	require.Less(t, much, little+4096)
}

// TestContents sends contents of all sizes, and compares what arrives.
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

// TestAllocationsPerCall makes calls of up to a page. After the first ones, a call
// allocates nothing, whether the server has to wait for it or not.
func TestAllocationsPerCall(t *testing.T) {
	if sync.RaceEnabled {
		t.Skip("with the race detector, a sync.Pool now and then drops what it gets")
	}
	for _, size := range []int{0, 64, 4096} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			p := newPair(t, size)
			require.Zero(t, testing.AllocsPerRun(100, p.roundTrip))
			p.server.onBlock = func() { p.exchange(p.client, p.call) }
			require.Zero(t, testing.AllocsPerRun(100, func() {
				p.sleepForCall()
				p.answerCall()
			}))
			for _, th := range []*thread{p.client, p.server} {
				require.Zero(t, th.alloc.Usage().Buffers)
				require.Empty(t, th.stack())
			}
		})
	}
}

// BenchmarkRoundTrip measures the driver's work for a call and its reply, without the
// applications' memory and context switches.
func BenchmarkRoundTrip(b *testing.B) {
	for _, size := range []int{0, 4096} {
		b.Run(fmt.Sprintf("bytes=%d", size), func(b *testing.B) {
			p := newPair(b, size)
			b.ReportAllocs()
			for b.Loop() {
				p.roundTrip()
			}
		})
	}
}

// BenchmarkCall measures the driver's work for a call by a client that waits for the
// reply: three requests, each of which also frees what the one before received.
func BenchmarkCall(b *testing.B) {
	for _, size := range []int{0, 128} {
		b.Run(fmt.Sprintf("bytes=%d", size), func(b *testing.B) {
			p := newPair(b, size)
			call := append(cmd(binder.BC_FREE_BUFFER, uint64(0)), p.call...)
			reply := append(cmd(binder.BC_FREE_BUFFER, uint64(0)), p.reply...)
			p.client.onBlock = func() {
				p.exchange(p.server, nil)
				copy(reply, p.free(p.server, 8))
				p.exchange(p.server, reply)
			}
			b.ReportAllocs()
			for b.Loop() {
				p.sleep(p.client, call)
				copy(call, p.free(p.client, 12))
			}
		})
	}
}

// TestNoCommonLock makes calls, to the context manager too, while the context's lock is
// held.
func TestNoCommonLock(t *testing.T) {
	w := newWorld(t)
	server, client, other := w.newManager(), w.newApp(), w.newApp()
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
	// Lock the mutex inside, so that lockdep doesn't object: this test's order is the
	// wrong one.
	w.ctx.mu.mu.Lock()
	defer w.ctx.mu.mu.Unlock()
	client.write(client.call(again, binder.TF_ONE_WAY, objects), client.call(0, binder.TF_ONE_WAY, objects), client.call(again, 0, objects))
	server.takeCall()
	server.takeCall()
	server.takeCall()
	server.write(server.reply(parcel("reply")))
	server.expect(binder.BR_TRANSACTION_COMPLETE)
}
