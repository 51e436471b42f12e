// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//covers:malformed,bad-commands
package syscalls

import (
	"encoding/binary"
	"flag"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/test/syscalls/remote"
)

var (
	garbageRounds = flag.Int("garbage", 1500, "the number of system calls that TestGarbage makes")
	garbageSeed   = flag.Uint64("garbage-seed", uint64(time.Now().UnixNano()), "the seed of TestGarbage's choices")
)

var allRequests = []uintptr{
	binder.BINDER_WRITE_READ, binder.BINDER_SET_IDLE_TIMEOUT, binder.BINDER_SET_MAX_THREADS,
	binder.BINDER_SET_IDLE_PRIORITY, binder.BINDER_SET_CONTEXT_MGR, binder.BINDER_THREAD_EXIT,
	binder.BINDER_VERSION, binder.BINDER_GET_NODE_DEBUG_INFO, binder.BINDER_GET_NODE_INFO_FOR_REF,
	binder.BINDER_SET_CONTEXT_MGR_EXT, binder.BINDER_FREEZE, binder.BINDER_GET_FROZEN_INFO,
	binder.BINDER_ENABLE_ONEWAY_SPAM_DETECTION, binder.BINDER_GET_EXTENDED_ERROR,
}

var allCommands = []uint32{
	binder.BC_TRANSACTION, binder.BC_REPLY, binder.BC_ACQUIRE_RESULT, binder.BC_FREE_BUFFER,
	binder.BC_INCREFS, binder.BC_ACQUIRE, binder.BC_RELEASE, binder.BC_DECREFS,
	binder.BC_INCREFS_DONE, binder.BC_ACQUIRE_DONE, binder.BC_ATTEMPT_ACQUIRE,
	binder.BC_REGISTER_LOOPER, binder.BC_ENTER_LOOPER, binder.BC_EXIT_LOOPER,
	binder.BC_REQUEST_DEATH_NOTIFICATION, binder.BC_CLEAR_DEATH_NOTIFICATION, binder.BC_DEAD_BINDER_DONE,
	binder.BC_TRANSACTION_SG, binder.BC_REPLY_SG, binder.BC_REQUEST_FREEZE_NOTIFICATION,
	binder.BC_CLEAR_FREEZE_NOTIFICATION, binder.BC_FREEZE_NOTIFICATION_DONE,
}

var allTypes = []uint32{
	binder.BINDER_TYPE_BINDER, binder.BINDER_TYPE_WEAK_BINDER, binder.BINDER_TYPE_HANDLE,
	binder.BINDER_TYPE_WEAK_HANDLE, binder.BINDER_TYPE_FD, binder.BINDER_TYPE_FDA, binder.BINDER_TYPE_PTR,
}

// A gibberish generates garbage for a process.
type gibberish struct {
	*rand.Rand
	p *process
}

// number returns a number that may mean something, or almost does.
func (g gibberish) number() uint64 {
	switch g.IntN(6) {
	case 0:
		return uint64(g.IntN(5))
	case 1:
		return uint64(g.IntN(100)) * 4
	case 2:
		return g.Uint64() >> g.IntN(64)
	case 3:
		return -uint64(g.IntN(100))
	case 4:
		return 1<<g.IntN(64) + uint64(g.IntN(9)) - 4
	}
	return g.address()
}

// address returns an address, good or bad.
func (g gibberish) address() uint64 {
	switch g.IntN(5) {
	case 0:
		return uint64(g.p.mapStart) + uint64(g.IntN(mapSize))&^7
	case 1:
		return []uint64{0, 1, badAddress, 4095, 1 << 47, 1<<47 - 8, 1 << 63, ^uint64(0) - 7}[g.IntN(8)]
	}
	return g.scratch()
}

// scratch returns an address in the process's scratch memory, which is full of gibberish.
func (g gibberish) scratch() uint64 {
	return uint64(g.p.Scratch()) + uint64(g.IntN(remote.ScratchSize/2))&^3
}

// bytes returns n bytes.
func (g gibberish) bytes(n int) []byte {
	b := make([]byte, 0, n+8)
	for len(b) < n {
		if g.IntN(4) == 0 {
			b = binary.NativeEndian.AppendUint32(b, allTypes[g.IntN(len(allTypes))])
		} else if g.IntN(2) == 0 {
			b = binary.NativeEndian.AppendUint32(b, uint32(g.number()))
		} else {
			b = binary.NativeEndian.AppendUint64(b, g.number())
		}
	}
	return b[:n]
}

// transaction returns a mostly well-formed transaction's data.
func (g gibberish) transaction() []byte {
	tr := binder.TransactionData{
		Target: g.number() % 4, Flags: uint32(g.number()), Code: uint32(g.number()),
		DataSize: uint64(g.IntN(300)), OffsetsSize: uint64(g.IntN(6) * 8),
		Buffer: g.scratch(), Offsets: g.scratch(),
	}
	if g.IntN(2) == 0 {
		// Objects of all kinds at the offsets.
		data := uint64(g.p.Scratch()) + remote.ScratchSize - 8192
		offsets := data + 4096
		at := uint64(0)
		for i := range tr.OffsetsSize / 8 {
			binary.NativeEndian.PutUint64(remote.Bytes(uintptr(offsets+i*8), 8), at)
			o := remote.Bytes(uintptr(data+at), 40)
			copy(o, g.bytes(40))
			binary.NativeEndian.PutUint32(o, allTypes[g.IntN(len(allTypes))])
			at += []uint64{24, 40, 32, 48}[g.IntN(4)]
		}
		tr.Buffer, tr.Offsets, tr.DataSize = data, offsets, at
	}
	for range g.IntN(2) {
		*[]*uint64{&tr.Target, &tr.DataSize, &tr.OffsetsSize, &tr.Buffer, &tr.Offsets}[g.IntN(5)] = g.number()
	}
	var b [binder.SizeOfTransactionData]byte
	tr.MarshalBytes(b[:])
	return b[:]
}

// commands returns a stream of commands, most of which exist.
func (g gibberish) commands() []byte {
	var b []byte
	for range 1 + g.IntN(6) {
		cmd := allCommands[g.IntN(len(allCommands))]
		if g.IntN(20) == 0 {
			cmd = uint32(g.number())
		}
		b = binary.NativeEndian.AppendUint32(b, cmd)
		switch cmd {
		case binder.BC_TRANSACTION, binder.BC_REPLY:
			b = append(b, g.transaction()...)
		case binder.BC_TRANSACTION_SG, binder.BC_REPLY_SG:
			b = append(b, g.transaction()...)
			b = binary.NativeEndian.AppendUint64(b, g.number())
		default:
			b = append(b, g.bytes(binder.CommandSize(cmd))...)
		}
	}
	return b
}

// request makes an ioctl and returns its error.
func (g gibberish) request() error {
	request := allRequests[g.IntN(len(allRequests))]
	if g.IntN(3) != 0 {
		request = binder.BINDER_WRITE_READ
	}
	if g.IntN(30) == 0 {
		request = uintptr(g.number())
	}
	arg := uintptr(g.address())
	if request == binder.BINDER_WRITE_READ && g.IntN(10) != 0 {
		arg = g.p.Scratch()
		b := g.commands()
		at := uint64(g.p.Scratch()) + 64
		copy(remote.Bytes(uintptr(at), len(b)), b)
		bwr := binder.WriteRead{WriteSize: uint64(len(b)), WriteBuffer: at, ReadBuffer: at + 4096}
		if g.IntN(2) == 0 {
			bwr.ReadSize = 4096
		}
		for range g.IntN(8) / 7 {
			*[]*uint64{&bwr.WriteSize, &bwr.WriteConsumed, &bwr.WriteBuffer, &bwr.ReadSize, &bwr.ReadConsumed}[g.IntN(5)] = g.number()
		}
		if bwr.ReadSize-bwr.ReadConsumed > 4096 {
			// A nonexistent buffer, rather than one over memory that the test shares with
			// the process.
			bwr.ReadBuffer = badAddress
		}
		bwr.MarshalBytes(g.p.bwr())
	}
	return g.p.ioctl(request, arg)
}

// Every kind of garbage in every request is answered with an error, or does what it
// happens to mean. It does the driver no harm.
func TestGarbage(t *testing.T) {
	t.Logf("to repeat: -garbage=%d -garbage-seed=%d", *garbageRounds, *garbageSeed)
	rng := rand.New(rand.NewPCG(*garbageSeed, 0))
	server := newFileServer(t)
	server.setNonblock(true)
	errs := map[error]int{}
	for done := 0; done < *garbageRounds; {
		p := newProcess(t)
		// Whatever it asks for, it does not wait for it.
		p.setNonblock(true)
		copy(remote.Bytes(p.Scratch(), remote.ScratchSize), gibberish{rng, p}.bytes(remote.ScratchSize))
		for range 100 {
			err := gibberish{rng, p}.request()
			errs[err]++
			require.Contains(t, []error{nil, unix.EINVAL, unix.EFAULT, unix.EAGAIN, unix.EBUSY, unix.EPERM}, err)
			// Let the server read what arrived there, and answer it.
			if done++; done%10 == 0 {
				server.writeRead(readSize)
				server.writeRead(0, bcReply{})
			}
		}
		p.kill()
	}
	t.Logf("errors: %v", errs)
	server.kill()

	server, client := newManager(t), newProcess(t)
	client.call(server.thread, bcTransaction{payload: payload{text("hello")}}, nil)
}
