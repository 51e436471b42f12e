// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"encoding/binary"
	"fmt"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/test/syscalls/remote"
)

// A command is something to write to the driver.
type command interface {
	// append appends the command to b, and puts what it points to into m.
	append(b []byte, m *memory) []byte
}

// memory allocates memory for the arguments of one system call.
type memory struct {
	next, end uintptr
}

// put copies data to memory aligned to 8 bytes and returns its address.
func (m *memory) put(data []byte) uintptr {
	addr := m.next
	m.next += (uintptr(len(data)) + 7) &^ 7
	if m.next > m.end {
		panic(fmt.Sprintf("no room for %d bytes of arguments", len(data)))
	}
	copy(remote.Bytes(addr, len(data)), data)
	return addr
}

// raw is bytes in place of a command.
type raw []byte

func (c raw) append(b []byte, _ *memory) []byte { return append(b, c...) }

// bc returns the command cmd with the given parameters, which are integers and written
// without padding.
func bc(cmd uint32, params ...any) raw {
	b := binary.NativeEndian.AppendUint32(nil, cmd)
	for _, p := range params {
		b, _ = binary.Append(b, binary.NativeEndian, p)
	}
	return b
}

func bcIncrefs(handle uint32) raw { return bc(binder.BC_INCREFS, handle) }
func bcAcquire(handle uint32) raw { return bc(binder.BC_ACQUIRE, handle) }
func bcRelease(handle uint32) raw { return bc(binder.BC_RELEASE, handle) }
func bcDecrefs(handle uint32) raw { return bc(binder.BC_DECREFS, handle) }

func bcIncrefsDone(ptr, cookie uint64) raw { return bc(binder.BC_INCREFS_DONE, ptr, cookie) }
func bcAcquireDone(ptr, cookie uint64) raw { return bc(binder.BC_ACQUIRE_DONE, ptr, cookie) }

func bcFreeBuffer(addr uint64) raw { return bc(binder.BC_FREE_BUFFER, addr) }

func bcRequestDeath(handle uint32, cookie uint64) raw {
	return bc(binder.BC_REQUEST_DEATH_NOTIFICATION, handle, cookie)
}

func bcClearDeath(handle uint32, cookie uint64) raw {
	return bc(binder.BC_CLEAR_DEATH_NOTIFICATION, handle, cookie)
}

func bcDeadBinderDone(cookie uint64) raw { return bc(binder.BC_DEAD_BINDER_DONE, cookie) }

var (
	bcEnterLooper    = bc(binder.BC_ENTER_LOOPER)
	bcRegisterLooper = bc(binder.BC_REGISTER_LOOPER)
	bcExitLooper     = bc(binder.BC_EXIT_LOOPER)
)

// bcTransaction is BC_TRANSACTION.
type bcTransaction struct {
	handle  uint32
	cookie  uint64
	code    uint32
	flags   uint32
	payload payload

	// edit, if set, changes the structure before it is written.
	edit func(*binder.TransactionData)
}

func (c bcTransaction) append(b []byte, m *memory) []byte {
	return c.appendAs(binder.BC_TRANSACTION, b, m)
}

func (c bcTransaction) appendAs(cmd uint32, b []byte, m *memory) []byte {
	data, offsets := c.payload.encode()
	var offsetBytes []byte
	for _, off := range offsets {
		offsetBytes = binary.NativeEndian.AppendUint64(offsetBytes, off)
	}
	tr := binder.TransactionData{
		Target:      uint64(c.handle),
		Cookie:      c.cookie,
		Code:        c.code,
		Flags:       c.flags,
		DataSize:    uint64(len(data)),
		OffsetsSize: uint64(len(offsetBytes)),
		Buffer:      uint64(m.put(data)),
		Offsets:     uint64(m.put(offsetBytes)),
	}
	if c.edit != nil {
		c.edit(&tr)
	}
	b = binary.NativeEndian.AppendUint32(b, cmd)
	var encoded [binder.SizeOfTransactionData]byte
	tr.MarshalBytes(encoded[:])
	return append(b, encoded[:]...)
}

// bcReply is BC_REPLY.
type bcReply bcTransaction

func (c bcReply) append(b []byte, m *memory) []byte {
	return bcTransaction(c).appendAs(binder.BC_REPLY, b, m)
}

// encodeCommands returns the bytes of cmds.
func encodeCommands(cmds []command, m *memory) []byte {
	var b []byte
	for _, c := range cmds {
		b = c.append(b, m)
	}
	return b
}
