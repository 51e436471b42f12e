// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"encoding/binary"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/sentry/devices/binder/alloc"
)

// The commands of a hostileThread. They are composed in its memory.

var (
	hostileCodes = [...]uint32{
		binder.BC_INCREFS, binder.BC_ACQUIRE, binder.BC_RELEASE, binder.BC_DECREFS,
		binder.BC_INCREFS, binder.BC_ACQUIRE, binder.BC_RELEASE, binder.BC_DECREFS,
		binder.BC_INCREFS, binder.BC_ACQUIRE, binder.BC_ACQUIRE,
		binder.BC_REQUEST_DEATH_NOTIFICATION, binder.BC_CLEAR_DEATH_NOTIFICATION,
		binder.BC_REQUEST_DEATH_NOTIFICATION, binder.BC_CLEAR_DEATH_NOTIFICATION,
		binder.BC_INCREFS_DONE, binder.BC_ACQUIRE_DONE, binder.BC_DEAD_BINDER_DONE,
		binder.BC_FREE_BUFFER, binder.BC_FREE_BUFFER,
		binder.BC_ENTER_LOOPER, binder.BC_REGISTER_LOOPER, binder.BC_EXIT_LOOPER,
	}
	hostileSenders = [...]uint32{
		binder.BC_TRANSACTION, binder.BC_TRANSACTION, binder.BC_TRANSACTION, binder.BC_TRANSACTION,
		binder.BC_TRANSACTION_SG, binder.BC_TRANSACTION_SG, binder.BC_TRANSACTION_SG, binder.BC_TRANSACTION_SG,
		binder.BC_TRANSACTION_SG, binder.BC_TRANSACTION_SG, binder.BC_TRANSACTION_SG, binder.BC_REPLY,
	}
	hostileTypes = [...]uint32{
		binder.BINDER_TYPE_BINDER, binder.BINDER_TYPE_WEAK_BINDER, binder.BINDER_TYPE_HANDLE, binder.BINDER_TYPE_WEAK_HANDLE,
		binder.BINDER_TYPE_BINDER, binder.BINDER_TYPE_WEAK_BINDER, binder.BINDER_TYPE_HANDLE, binder.BINDER_TYPE_WEAK_HANDLE,
		binder.BINDER_TYPE_FD, binder.BINDER_TYPE_PTR, binder.BINDER_TYPE_PTR, binder.BINDER_TYPE_FDA,
	}
	hostileFlags = [...]uint32{
		0, 0, binder.TF_ACCEPT_FDS, binder.TF_ONE_WAY, binder.TF_ONE_WAY, binder.TF_CLEAR_BUF,
		binder.TF_ONE_WAY | binder.TF_UPDATE_TXN, binder.TF_ONE_WAY | binder.TF_UPDATE_TXN,
		binder.TF_DEFER_COMPLETE, binder.TF_ONE_WAY | binder.TF_DEFER_COMPLETE,
	}
	hostileNumbers = [...]uint64{
		0, 1, 2, 3, 4, 7, 8, 12, 24, 40, 41, 511, 512, 4095, 4096, 1 << 16, 1<<31 - 1, 1 << 31, 1<<32 - 1, 1 << 32,
		1<<63 - 1, 1 << 63, 1<<64 - 1, 1<<64 - 8, 1<<64 - 24, testMapAddr, testMapAddr + 8, hostileContents, hostileMemory - 4,
	}
)

// wild64 returns a number that is likely to be a boundary, or any.
func (s *hostileThread) wild64() uint64 {
	if s.oneIn(4) {
		return s.pcg.Uint64() >> s.n(64)
	}
	return hostileNumbers[s.n(uint32(len(hostileNumbers)))]
}

func (s *hostileThread) wild32() uint32 { return uint32(s.wild64()) }

// handle returns a handle that the process is likely to have.
func (s *hostileThread) handle() uint32 {
	if s.oneIn(64) {
		return s.wild32()
	}
	return s.n(6)
}

// target returns a handle that the process is likely to be able to call.
func (s *hostileThread) target() uint32 {
	switch {
	case s.oneIn(2) && !s.fd.manager.Load():
		return 0
	case s.oneIn(16):
		return s.handle()
	}
	return s.handles[s.n(uint32(len(s.handles)))]
}

// node returns the address of a node that the process is likely to have.
func (s *hostileThread) node() uint64 {
	if s.oneIn(8) {
		return 8 * uint64(1+s.n(4096))
	}
	return 8 * uint64(1+s.n(8))
}

// cookie returns node ptr's cookie, usually.
func (s *hostileThread) cookie(ptr uint64) uint64 {
	if s.oneIn(64) {
		return s.wild64()
	}
	return testCookie(ptr)
}

// commands composes the answers and n more commands to write, and returns their size in
// bytes.
func (s *hostileThread) commands(n uint32) int {
	s.ends = s.ends[:0]
	s.next = hostileContents
	at := hostileWrite
	start := 0
	for _, end := range s.answerEnds {
		if at+end-start > hostileWriteEnd {
			break
		}
		at += copy(s.Bytes[at:], s.answers[start:end])
		start = end
		s.ends = append(s.ends, at-hostileWrite)
	}
	const room = hostileWriteEnd - 4 - binder.SizeOfTransactionDataSG
	for i := n; i > 0 && at <= room; i-- {
		at = s.command(at)
		s.ends = append(s.ends, at-hostileWrite)
	}
	if n != 0 && s.oneIn(6) && at <= room {
		// Usually a thread calls and then waits for the reply.
		s.calls = true
		at = s.message(at, binder.BC_TRANSACTION)
		s.calls = false
		s.ends = append(s.ends, at-hostileWrite)
	}
	return at - hostileWrite
}

// command composes a command at offset at and returns its end.
func (s *hostileThread) command(at int) int {
	switch s.n(32) {
	case 0, 1:
		return s.message(at, hostileSenders[s.n(uint32(len(hostileSenders)))])
	case 5:
		if s.oneIn(4) {
			return s.freezeCommand(at)
		}
	case 6:
		if s.oneIn(16) {
			s.put32(at, s.wild32())
			return at + 4
		}
	}
	code := hostileCodes[s.n(uint32(len(hostileCodes)))]
	s.put32(at, code)
	at += 4
	switch code {
	case binder.BC_INCREFS, binder.BC_ACQUIRE, binder.BC_RELEASE, binder.BC_DECREFS:
		s.put32(at, s.handle())
	case binder.BC_INCREFS_DONE, binder.BC_ACQUIRE_DONE:
		ptr := s.node()
		s.put64(at, ptr)
		s.put64(at+8, s.cookie(ptr))
	case binder.BC_REQUEST_DEATH_NOTIFICATION, binder.BC_CLEAR_DEATH_NOTIFICATION:
		s.put32(at, s.handle())
		s.put64(at+4, uint64(s.n(4)))
	case binder.BC_DEAD_BINDER_DONE:
		s.put64(at, uint64(s.n(4)))
	case binder.BC_FREE_BUFFER:
		s.put64(at, s.buffer())
	}
	return at + binder.CommandSize(code)
}

// freezeCommand is command for commands that fail if they make no sense.
func (s *hostileThread) freezeCommand(at int) int {
	code := [...]uint32{binder.BC_REQUEST_FREEZE_NOTIFICATION, binder.BC_CLEAR_FREEZE_NOTIFICATION, binder.BC_FREEZE_NOTIFICATION_DONE}[s.n(3)]
	s.put32(at, code)
	at += 4
	if code == binder.BC_FREEZE_NOTIFICATION_DONE {
		s.put64(at, uint64(s.n(4)))
	} else {
		s.put32(at, s.handle())
		s.put64(at+4, uint64(s.n(4)))
	}
	return at + binder.CommandSize(code)
}

// buffer returns the address of a buffer that exists, or may exist.
func (s *hostileThread) buffer() uint64 {
	switch s.n(4) {
	case 0:
		return testMapAddr + 8*uint64(s.n(256))
	case 1:
		return s.wild64()
	default:
		return s.addrs[s.n(uint32(len(s.addrs)))]
	}
}

// message composes a command with contents at offset at and returns its end.
func (s *hostileThread) message(at int, code uint32) int {
	td := s.contents()
	s.put32(at, code)
	at += 4
	td.MarshalUnsafe(s.Bytes[at:])
	if code == binder.BC_TRANSACTION_SG || code == binder.BC_REPLY_SG {
		size := 8 * uint64(s.n(64))
		if s.oneIn(64) {
			size = s.wild64()
		}
		s.put64(at+binder.SizeOfTransactionData, size)
	}
	return at + binder.CommandSize(code)
}

// reply adds a reply to the answers.
func (s *hostileThread) reply() {
	if s.oneIn(8) {
		return
	}
	code := uint32(binder.BC_REPLY)
	if s.oneIn(4) {
		code = binder.BC_REPLY_SG
	}
	// The contents are composed when others may be in the same place.
	const at = hostileWriteEnd - 4 - binder.SizeOfTransactionDataSG
	end := s.message(at, code)
	s.answerWith(code, s.Bytes[at+4:end])
}

// contents composes contents that are likely to be accepted, and returns their
// description.
func (s *hostileThread) contents() binder.TransactionData {
	if s.next+2048 > hostileMemory {
		s.next = hostileContents
	}
	if s.oneIn(8) {
		return s.nativeHandle()
	}
	start := s.next
	at := start
	var offsets [8]uint64
	count := uint64(0)
	objects := s.n(3)
	if s.oneIn(4) {
		objects += s.n(4)
	}
	for range objects {
		if s.oneIn(4) {
			at += 4 * uint64(s.n(4))
		}
		offsets[count] = at - start
		count++
		at += s.object(at, count-1)
	}
	at += uint64(s.n(64))
	if s.oneIn(64) {
		at += uint64(s.n(1024))
	}
	td := binder.TransactionData{
		Target:   uint64(s.target()),
		Code:     s.n(2),
		Flags:    s.flags(),
		DataSize: at - start,
		Buffer:   start,
	}
	if s.oneIn(2) {
		at = (at + 7) &^ 7
	}
	td.Offsets, td.OffsetsSize = at, 8*count
	for _, offset := range offsets[:count] {
		binary.LittleEndian.PutUint64(s.Bytes[at:], offset)
		at += 8
	}
	s.next = at
	if s.oneIn(32) {
		switch s.n(6) {
		case 0:
			td.DataSize = s.wild64()
		case 1:
			td.OffsetsSize = s.wild64()
		case 2:
			td.Buffer = s.wild64()
		case 3:
			td.Offsets = s.wild64()
		case 4:
			td.OffsetsSize += uint64(s.n(16))
		case 5:
			if count != 0 {
				s.put64(int(td.Offsets+8*uint64(s.n(uint32(count)))), s.wild64())
			}
		}
	}
	return td
}

// nativeHandle composes a block with descriptors in it.
func (s *hostileThread) nativeHandle() binder.TransactionData {
	const (
		first  = 8
		second = first + binder.SizeOfBufferObject
		size   = second + binder.SizeOfFDArrayObject
		block  = size + 2*alloc.OffsetSize
	)
	at, n := int(s.next), 1+s.n(3)
	o := binder.BufferObject{Type: binder.BINDER_TYPE_PTR, Buffer: s.next + block, Length: 16}
	o.MarshalUnsafe(s.Bytes[at+first:])
	fda := binder.FDArrayObject{Type: binder.BINDER_TYPE_FDA, NumFDs: uint64(n), ParentOffset: 4 * uint64(s.n(5-n))}
	fda.MarshalUnsafe(s.Bytes[at+second:])
	s.put64(at+size, first)
	s.put64(at+size+alloc.OffsetSize, second)
	for i := range 4 {
		s.put32(at+block+4*i, s.descriptor())
	}
	td := binder.TransactionData{
		Target:      uint64(s.target()),
		Flags:       s.flags(),
		DataSize:    size,
		OffsetsSize: 2 * alloc.OffsetSize,
		Buffer:      s.next,
		Offsets:     s.next + size,
	}
	s.next += block + 16
	return td
}

// flags returns the flags of a call, or of a reply.
func (s *hostileThread) flags() uint32 {
	flags := hostileFlags[s.n(uint32(len(hostileFlags)))]
	if s.calls {
		return flags &^ binder.TF_ONE_WAY
	}
	if !s.oneIn(16) {
		flags |= binder.TF_ONE_WAY
	}
	return flags
}

// object composes an object, which count others precede, at offset at and returns its
// length.
func (s *hostileThread) object(at, count uint64) uint64 {
	t := hostileTypes[s.n(uint32(len(hostileTypes)))]
	flags := s.n(1<<13) | s.n(2)*binder.FLAT_BINDER_FLAG_ACCEPTS_FDS
	switch t {
	case binder.BINDER_TYPE_BINDER, binder.BINDER_TYPE_WEAK_BINDER:
		ptr := s.node()
		o := binder.FlatObject{Type: t, Flags: flags, Binder: ptr, Cookie: s.cookie(ptr)}
		o.MarshalUnsafe(s.Bytes[at:])
		return binder.SizeOfFlatObject
	case binder.BINDER_TYPE_FD:
		o := binder.FDObject{Type: t, FD: s.descriptor()}
		o.MarshalUnsafe(s.Bytes[at:])
		return binder.SizeOfFDObject
	case binder.BINDER_TYPE_PTR:
		o := binder.BufferObject{Type: t, Flags: flags, Length: 4 * uint64(s.n(16)), Buffer: hostileContents + 4*uint64(s.n(64))}
		o.Parent, o.ParentOffset = s.parent(count)
		if s.oneIn(32) {
			o.Buffer = s.wild64()
		}
		if s.oneIn(32) {
			o.Length = s.wild64()
		}
		o.MarshalUnsafe(s.Bytes[at:])
		return binder.SizeOfBufferObject
	case binder.BINDER_TYPE_FDA:
		o := binder.FDArrayObject{Type: t, NumFDs: uint64(s.n(4))}
		o.Parent, o.ParentOffset = s.parent(count)
		if s.oneIn(32) {
			o.NumFDs = s.wild64()
		}
		o.MarshalUnsafe(s.Bytes[at:])
		return binder.SizeOfFDArrayObject
	}
	if s.oneIn(64) {
		t = s.wild32()
	}
	o := binder.FlatObject{Type: t, Flags: flags, Binder: uint64(s.target()), Cookie: s.wild64()}
	o.MarshalUnsafe(s.Bytes[at:])
	return binder.SizeOfFlatObject
}

// descriptor returns the descriptor of a device or another file, which is likely to be open.
func (s *hostileThread) descriptor() uint32 {
	switch s.n(8) {
	case 0:
		return s.n(hostileFiles + 1)
	case 1, 2:
		return s.n(2)
	default:
		return 8 + s.n(4)
	}
}

// parent returns an offset in a block of an object that may come earlier.
func (s *hostileThread) parent(count uint64) (index, offset uint64) {
	index, offset = uint64(s.n(uint32(count)+2)), 4*uint64(s.n(10))
	if s.oneIn(32) {
		index = s.wild64()
	}
	if s.oneIn(32) {
		offset = s.wild64()
	}
	return index, offset
}
