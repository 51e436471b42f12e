// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//covers:write-read
package syscalls

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/test/syscalls/remote"
)

// badAddress is an unmapped address.
const badAddress = 0x10

// transactionSize is the size of BC_TRANSACTION, BC_REPLY, BR_TRANSACTION and
// BR_REPLY with their parameters, in bytes.
const transactionSize = 4 + binder.SizeOfTransactionData

// Without a write part and a read part, nothing happens.
func TestWriteReadNothing(t *testing.T) {
	p := newProcess(t)
	p.startRaw(binder.WriteRead{})
	r := p.finish()
	require.NoError(t, r.err)
	require.Zero(t, r.writeConsumed)
	require.Zero(t, r.readConsumed)
}

// An empty part's buffer is ignored.
func TestWriteReadNothingAtBadAddress(t *testing.T) {
	p := newProcess(t)
	p.startRaw(binder.WriteRead{WriteBuffer: badAddress, ReadBuffer: badAddress})
	require.NoError(t, p.finish().err)
}

// The argument must be readable and writable.
//
//covers:write-read,bad-requests
func TestWriteReadBadArgument(t *testing.T) {
	p := newProcess(t)
	for _, addr := range []uintptr{0, badAddress, p.mapStart, ^uintptr(0) - 7} {
		require.Equal(t, unix.EFAULT, p.ioctl(binder.BINDER_WRITE_READ, addr), "at %#x", addr)
	}
}

// A first read that finds no work waits for it. In C a thread does not block in its first
// ioctl: such a read returns at once.
//
//covers:waiting,write-read
func TestFirstRead(t *testing.T) {
	th := newProcess(t).newBareThread()
	if differs(t, onFirstRead) {
		expect(t, th.writeRead(readSize, bcEnterLooper).ok(t), brNoop)
	}
	th.startRead()
}

// A blocked read returns only with work.
//
//covers:waiting
func TestReadBlocks(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	server.startRead()
	client.write(bcTransaction{flags: binder.TF_ONE_WAY})
	server.finishExpect(brNoop, &message{flags: binder.TF_ONE_WAY})
}

// A command must end where the write buffer does, or before. A rest shorter than a
// command's code is no command. In C a command may extend beyond the end.
//
//covers:write-read,bad-commands
func TestCommandsEnd(t *testing.T) {
	const first, all = 4, 20
	owner, client, h := newMortal(t)
	for _, size := range []int{1, 3, 4, 5, 7, 8, 12, 19, all} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			m := &memory{next: client.Scratch() + writeOffset, end: client.Scratch() + remote.ScratchSize}
			at := m.put(encodeCommands([]command{bcEnterLooper, bcRequestDeath(h, 1)}, m))
			client.startRaw(binder.WriteRead{WriteSize: uint64(size), WriteBuffer: uint64(at)})
			got := client.finish()
			want := result{writeSize: size, writeConsumed: size}
			switch c := differs(t, onCommandsEnd); {
			case c && size <= first:
				want.writeConsumed = first
			case c:
				want.writeConsumed = all
			case size < first:
				want.writeConsumed = 0
			case size < all:
				want.writeConsumed = first
				if size >= 2*first {
					want.err = unix.EFAULT
				}
			}
			require.Equal(t, [2]any{want.err, want.writeConsumed}, [2]any{got.err, got.writeConsumed})
		})
	}
	owner.kill()
	client.expect(brNoop, brDeadBinder(1))
}

// On an error in the middle of the write part, what precedes it is done and counts as
// consumed; the read part is not begun.
//
//covers:write-read,bad-commands
func TestWriteErrorInTheMiddle(t *testing.T) {
	for name, bad := range map[string]raw{
		"unknown command":       bc(0x12345678),
		"zero":                  bc(0),
		"a return":              bc(binder.BR_NOOP),
		"ATTEMPT_ACQUIRE":       bc(binder.BC_ATTEMPT_ACQUIRE, int32(0), uint32(0)),
		"ACQUIRE_RESULT":        bc(binder.BC_ACQUIRE_RESULT, int32(0)),
		"wrong parameter size":  bc(binder.BC_ENTER_LOOPER | 4<<16),
		"ioctl's number":        bc(binder.BINDER_WRITE_READ),
		"transaction with 'r'":  bc(binder.BR_TRANSACTION),
		"reserved freeze value": bc(0x40086300 | 99),
	} {
		t.Run(name, func(t *testing.T) {
			server, client := newManager(t), newProcess(t)
			r := client.writeRead(readSize, bcTransaction{flags: binder.TF_ONE_WAY, code: 1}, bad,
				bcTransaction{flags: binder.TF_ONE_WAY, code: 2})
			require.Equal(t, unix.EINVAL, r.err)
			require.Equal(t, transactionSize, r.writeConsumed)
			require.Zero(t, r.readConsumed)
			server.expect(brNoop, &message{flags: binder.TF_ONE_WAY, code: 1})
			server.expectNothing()
			client.expect(brNoop, brTransactionComplete)
		})
	}
}

// An unreadable write buffer is an error, even if only its end is.
func TestWriteBufferFault(t *testing.T) {
	p := newProcess(t)
	p.startRaw(binder.WriteRead{WriteSize: 4, WriteBuffer: badAddress})
	r := p.finish()
	require.Equal(t, unix.EFAULT, r.err)
	require.Zero(t, r.writeConsumed)

	edge := p.pageEdge()
	require.NoError(t, p.WriteMemory(t, edge-8, append(bcExitLooper, bc(binder.BC_INCREFS)...)))
	p.startRaw(binder.WriteRead{WriteSize: 12, WriteBuffer: uint64(edge - 8)})
	r = p.finish()
	require.Equal(t, unix.EFAULT, r.err)
	require.Equal(t, 4, r.writeConsumed)
}

// write_consumed says where to continue, and read_consumed where there is room.
func TestConsumedAtTheStart(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.write(bcTransaction{flags: binder.TF_ONE_WAY, code: 5})

	base := server.Scratch()
	m := &memory{next: base + writeOffset, end: base + remote.ScratchSize}
	// The first four bytes would be an error.
	b := append(bc(0), bcEnterLooper...)
	server.startRaw(binder.WriteRead{
		WriteSize: 8, WriteConsumed: 4, WriteBuffer: uint64(m.put(b)),
		ReadSize: readSize, ReadConsumed: 8, ReadBuffer: uint64(base + readOffset),
	})
	_, err := server.Wait(t)
	require.NoError(t, err)
	var bwr binder.WriteRead
	bwr.UnmarshalBytes(server.bwr())
	require.EqualValues(t, 8, bwr.WriteConsumed)
	// A read that begins in the middle doesn't begin with BR_NOOP.
	require.EqualValues(t, 8+transactionSize, bwr.ReadConsumed)
	expect(t, server.parse(remote.Bytes(base+readOffset+8, transactionSize)),
		&message{flags: binder.TF_ONE_WAY, code: 5})
}

// minReadSize is the size of the smallest read buffer in which anything but BR_NOOP is
// returned: there must be room for BR_NOOP and for the longest return, whatever there is
// to return.
const minReadSize = 4 + 4 + binder.SizeOfTransactionDataSecctx

// A transaction stays queued until there is enough room.
func TestSmallReadBuffer(t *testing.T) {
	for _, size := range []int{4, 8, 4 + transactionSize, minReadSize - 1} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			server, client := newManager(t), newProcess(t)
			client.write(bcTransaction{flags: binder.TF_ONE_WAY, code: 5})
			expect(t, server.writeRead(size).ok(t), brNoop)
			expect(t, server.writeRead(minReadSize).ok(t), brNoop, &message{flags: binder.TF_ONE_WAY, code: 5})
		})
	}
}

// So does a much shorter return.
func TestSmallReadBufferForCompletion(t *testing.T) {
	newManager(t)
	client := newProcess(t)
	client.write(bcTransaction{flags: binder.TF_ONE_WAY})
	expect(t, client.writeRead(minReadSize-1).ok(t), brNoop)
	expect(t, client.writeRead(minReadSize).ok(t), brNoop, brTransactionComplete)
}

// A small read buffer still blocks until there is work.
//
//covers:write-read,waiting
func TestSmallReadBufferBlocks(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	if differs(t, onSmallBuffer) {
		expect(t, server.writeRead(8).ok(t), brNoop)
		return
	}
	server.start(8)
	server.AwaitBlocked(t)
	client.write(bcTransaction{flags: binder.TF_ONE_WAY})
	server.finishExpect(brNoop)
}

// A read buffer of less than four bytes has no room even for BR_NOOP. Linux's C driver
// writes beyond its end, which is not followed here.
func TestTinyReadBuffer(t *testing.T) {
	if isC {
		t.Skip("this driver writes beyond the end of the buffer")
	}
	p := newProcess(t)
	for size := 1; size < 4; size++ {
		r := p.writeRead(size)
		require.Equal(t, unix.EFAULT, r.err)
		require.Zero(t, r.readConsumed)
	}
}

// One read returns at most one transaction, and no reply after it; what can be returned
// before it is.
//
//covers:write-read,transaction
func TestOneTransactionPerRead(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	h1 := server.give(client, 0x1000, 0)
	h2 := server.give(client, 0x2000, 0)
	client.write(
		bcTransaction{handle: h1, flags: binder.TF_ONE_WAY, code: 1},
		bcTransaction{handle: h2, flags: binder.TF_ONE_WAY, code: 2},
	)
	client.expect(brNoop, brTransactionComplete, brTransactionComplete)
	server.expect(brNoop, &message{ptr: 0x1000, flags: binder.TF_ONE_WAY, code: 1})
	server.expect(brNoop, &message{ptr: 0x2000, flags: binder.TF_ONE_WAY, code: 2})
}

// With O_NONBLOCK a read that finds nothing fails, and nothing is consumed.
//
//covers:waiting
func TestNonblock(t *testing.T) {
	p := newProcess(t)
	p.setNonblock(true)
	r := p.writeRead(readSize, bcEnterLooper)
	require.Equal(t, unix.EAGAIN, r.err)
	require.Equal(t, 4, r.writeConsumed)
	require.Zero(t, r.readConsumed)
}

// With O_NONBLOCK a read still returns what is available.
//
//covers:waiting
func TestNonblockWithWork(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	server.setNonblock(true)
	client.write(bcTransaction{flags: binder.TF_ONE_WAY})
	server.expect(brNoop, &message{flags: binder.TF_ONE_WAY})
	require.Equal(t, unix.EAGAIN, server.writeRead(readSize).err)
}

// With O_NONBLOCK a caller does not wait for its reply.
//
//covers:waiting
func TestNonblockCall(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.setNonblock(true)
	r := client.writeRead(readSize, bcTransaction{})
	require.Equal(t, unix.EAGAIN, r.err)
	require.Equal(t, transactionSize, r.writeConsumed)
	server.read()
	server.write(bcReply{})
	client.expect(brNoop, brTransactionComplete, &message{reply: true})
}

// A signal interrupts a blocked read. The write part is done and counts as
// consumed; the read part has consumed nothing. Whether the handler asks for
// a restart makes no difference.
//
//covers:waiting
func TestInterruptedRead(t *testing.T) {
	for name, flags := range map[string]uint64{"no restart": 0, "SA_RESTART": 0x10000000} {
		t.Run(name, func(t *testing.T) {
			p := newProcess(t)
			p.Handle(t, unix.SIGUSR1, flags)
			p.startWriteRead(bcEnterLooper)
			p.Signal(t, unix.SIGUSR1)
			r := p.finish()
			require.Equal(t, unix.EINTR, r.err)
			require.Equal(t, 4, r.writeConsumed)
			require.Zero(t, r.readConsumed)
		})
	}
}

// A caller that is interrupted while it waits reads its reply later.
//
//covers:waiting
func TestInterruptedCall(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.Handle(t, unix.SIGUSR1, 0)
	client.startWriteRead(bcTransaction{code: 3})
	client.Signal(t, unix.SIGUSR1)
	r := client.finish()
	require.Equal(t, unix.EINTR, r.err)
	require.Equal(t, transactionSize, r.writeConsumed)
	server.expect(brNoop, &message{code: 3, pid: client.pid()})
	client.startRead()
	server.write(bcReply{code: 4})
	client.finishExpect(brNoop, brTransactionComplete, &message{reply: true, code: 4})
}

// A transaction that can't be returned, because the read buffer is not writable, is lost;
// its caller is told.
func TestReadBufferFault(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.start(readSize, bcTransaction{code: 3})
	// The whole page of the read buffer is read-only.
	page := server.Must(t, unix.SYS_MMAP, 0, 4096, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANON, ^uintptr(0), 0)
	server.startRaw(binder.WriteRead{ReadSize: 4096, ReadBuffer: uint64(page)})
	r := server.finish()
	require.Equal(t, unix.EFAULT, r.err)
	require.Zero(t, r.readConsumed)
	// Even BR_NOOP failed, so the transaction is still queued.
	server.expect(brNoop, &message{code: 3, pid: client.pid()})
	server.write(bcReply{})
	client.finish().ok(t)
}

// The same if there is room for BR_NOOP, but not for the transaction.
//
//covers:write-read,failures
func TestReadBufferFaultInTransaction(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.start(readSize, bcTransaction{code: 3})
	server.startRaw(binder.WriteRead{ReadSize: 4096, ReadBuffer: uint64(server.pageEdge() - 12)})
	r := server.finish()
	require.Equal(t, unix.EFAULT, r.err)
	client.finishExpect(brNoop, brTransactionComplete, brFailedReply)
	server.expectNothing()
}

// The consumed size may exceed the total: then nothing is left to do.
func TestConsumedBeyondTheEnd(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.write(bcTransaction{flags: binder.TF_ONE_WAY, code: 5})
	base := server.Scratch()
	server.startRaw(binder.WriteRead{
		WriteSize: 4, WriteConsumed: 100, WriteBuffer: badAddress,
		ReadSize: readSize, ReadBuffer: uint64(base + readOffset),
	})
	r := server.finish()
	require.NoError(t, r.err)
	require.Equal(t, 100, r.writeConsumed)
	expect(t, r.returns, brNoop, &message{flags: binder.TF_ONE_WAY, code: 5})

	if isC {
		return // this driver continues beyond the end of the buffer
	}
	client.write(bcTransaction{code: 6})
	server.write(r.returns.message(t).free())
	server.startRaw(binder.WriteRead{ReadSize: 8, ReadConsumed: 100, ReadBuffer: uint64(base + readOffset)})
	r = server.finish()
	require.NoError(t, r.err)
	require.Equal(t, 100, r.readConsumed)
	server.expect(brNoop, &message{code: 6, pid: client.pid()})
}

// Nothing needs to be aligned.
func TestUnalignedBuffers(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	base := client.Scratch()
	b := bcTransaction{flags: binder.TF_ONE_WAY, code: 7}.append(nil, &memory{next: base + remote.ScratchSize - 64, end: base + remote.ScratchSize})
	at := base + writeOffset + 1
	copy(remote.Bytes(at, len(b)), b)
	arg := base + 3
	bwr := binder.WriteRead{
		WriteSize: uint64(len(b)), WriteBuffer: uint64(at),
		ReadSize: readSize - 8, ReadBuffer: uint64(base + readOffset + 3),
	}
	bwr.MarshalBytes(remote.Bytes(arg, binder.SizeOfWriteRead))
	require.NoError(t, client.ioctl(binder.BINDER_WRITE_READ, arg))
	bwr.UnmarshalBytes(remote.Bytes(arg, binder.SizeOfWriteRead))
	require.EqualValues(t, len(b), bwr.WriteConsumed)
	require.EqualValues(t, 8, bwr.ReadConsumed)
	expect(t, client.parse(remote.Bytes(base+readOffset+3, 8)), brNoop, brTransactionComplete)
	server.expect(brNoop, &message{flags: binder.TF_ONE_WAY, code: 7})
}

// An ignored signal does not interrupt a read; being stopped and continued does.
//
//covers:waiting
func TestStoppedRead(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	server.startRead()
	server.Signal(t, unix.SIGCHLD)
	server.AwaitBlocked(t)
	server.Signal(t, unix.SIGSTOP)
	eventually(t, "the process is stopped", func() bool { return server.State() == "T" })
	client.write(bcTransaction{flags: binder.TF_ONE_WAY})
	server.Signal(t, unix.SIGCONT)
	r := server.finish()
	require.Equal(t, unix.EINTR, r.err)
	require.Zero(t, r.readConsumed)
	server.expect(brNoop, &message{flags: binder.TF_ONE_WAY})
}
