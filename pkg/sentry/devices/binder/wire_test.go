// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/sentry/devices/binder/alloc"
)

// cmd returns a command with its parameters.
func cmd(code uint32, params ...any) []byte {
	b := binary.LittleEndian.AppendUint32(nil, code)
	for _, p := range params {
		b = must(binary.Append(b, binary.LittleEndian, p))
	}
	return b
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// payload is the contents of a transaction.
type payload struct {
	data    []byte
	offsets []uint64
}

// parcel returns a payload of parts: strings, and objects, which start at the next multiple
// of 4 bytes.
func parcel(parts ...any) payload {
	var p payload
	for _, part := range parts {
		if s, ok := part.(string); ok {
			p.data = append(p.data, s...)
			continue
		}
		for len(p.data)%4 != 0 {
			p.data = append(p.data, 0)
		}
		p.offsets = append(p.offsets, uint64(len(p.data)))
		p.data = must(binary.Append(p.data, binary.LittleEndian, part))
	}
	return p
}

// testCookie returns the cookie for a node's ptr.
func testCookie(ptr uint64) uint64 { return ptr + 0xc00c1e }

func nodeObject(ptr uint64) binder.FlatObject {
	return binder.FlatObject{Type: binder.BINDER_TYPE_BINDER, Binder: ptr, Cookie: testCookie(ptr)}
}

func weakNodeObject(ptr uint64) binder.FlatObject {
	return binder.FlatObject{Type: binder.BINDER_TYPE_WEAK_BINDER, Binder: ptr, Cookie: testCookie(ptr)}
}

func handleObject(handle uint32) binder.FlatObject {
	return binder.FlatObject{Type: binder.BINDER_TYPE_HANDLE, Binder: uint64(handle)}
}

func weakHandleObject(handle uint32) binder.FlatObject {
	return binder.FlatObject{Type: binder.BINDER_TYPE_WEAK_HANDLE, Binder: uint64(handle)}
}

func fileObject(fd int32) binder.FDObject {
	return binder.FDObject{Type: binder.BINDER_TYPE_FD, FD: uint32(fd)}
}

// call returns a BC_TRANSACTION to handle.
func (th *thread) call(handle uint32, flags uint32, p payload) []byte {
	return th.message(binder.BC_TRANSACTION, uint64(handle), 0, flags, p)
}

// reply returns a BC_REPLY.
func (th *thread) reply(p payload) []byte {
	return th.message(binder.BC_REPLY, 0, 0, 0, p)
}

// message returns a BC_TRANSACTION or BC_REPLY, and puts its contents into the memory of
// th.
func (th *thread) message(code uint32, target uint64, what, flags uint32, p payload) []byte {
	return cmd(code, binder.TransactionData{
		Target:      target,
		Code:        what,
		Flags:       flags,
		DataSize:    uint64(len(p.data)),
		OffsetsSize: uint64(len(p.offsets)) * alloc.OffsetSize,
		Buffer:      th.put(p.data),
		Offsets:     th.put(must(binary.Append(nil, binary.LittleEndian, p.offsets))),
	})
}

// ret is a return that a thread has read.
type ret struct {
	br     uint32
	params []byte
}

// parseReturns parses a read buffer.
func parseReturns(t testing.TB, b []byte) []ret {
	t.Helper()
	var rs []ret
	for len(b) > 0 {
		require.GreaterOrEqual(t, len(b), returnSize, "the buffer ends within a code")
		br := binary.LittleEndian.Uint32(b)
		size := binder.CommandSize(br)
		b = b[returnSize:]
		require.GreaterOrEqual(t, len(b), size, "the buffer ends within the parameters of %s", name(br))
		rs = append(rs, ret{br, append([]byte(nil), b[:size]...)})
		b = b[size:]
	}
	return rs
}

// ptrCookie returns the parameters of BR_INCREFS and the like.
func (r ret) ptrCookie() (pc binder.PtrCookie) {
	pc.UnmarshalBytes(r.params)
	return pc
}

// cookie returns the parameter of BR_DEAD_BINDER and the like.
func (r ret) cookie() uint64 { return binary.LittleEndian.Uint64(r.params) }

// String returns the name of r.
func (r ret) String() string { return name(r.br) }

func name(br uint32) string {
	if s, ok := brNames[br]; ok {
		return s
	}
	return fmt.Sprintf("return %#x", br)
}

func names(brs []uint32) []string {
	s := make([]string, len(brs))
	for i, br := range brs {
		s[i] = name(br)
	}
	return s
}

func returnNames(rs []ret) []string {
	s := make([]string, len(rs))
	for i, r := range rs {
		s[i] = r.String()
	}
	return s
}

// brNames names the driver's returns.
var brNames = map[uint32]string{
	binder.BR_TRANSACTION:                    "BR_TRANSACTION",
	binder.BR_TRANSACTION_SEC_CTX:            "BR_TRANSACTION_SEC_CTX",
	binder.BR_REPLY:                          "BR_REPLY",
	binder.BR_DEAD_REPLY:                     "BR_DEAD_REPLY",
	binder.BR_FAILED_REPLY:                   "BR_FAILED_REPLY",
	binder.BR_TRANSACTION_COMPLETE:           "BR_TRANSACTION_COMPLETE",
	binder.BR_INCREFS:                        "BR_INCREFS",
	binder.BR_ACQUIRE:                        "BR_ACQUIRE",
	binder.BR_RELEASE:                        "BR_RELEASE",
	binder.BR_DECREFS:                        "BR_DECREFS",
	binder.BR_NOOP:                           "BR_NOOP",
	binder.BR_SPAWN_LOOPER:                   "BR_SPAWN_LOOPER",
	binder.BR_DEAD_BINDER:                    "BR_DEAD_BINDER",
	binder.BR_FROZEN_REPLY:                   "BR_FROZEN_REPLY",
	binder.BR_TRANSACTION_PENDING_FROZEN:     "BR_TRANSACTION_PENDING_FROZEN",
	binder.BR_FROZEN_BINDER:                  "BR_FROZEN_BINDER",
	binder.BR_CLEAR_FREEZE_NOTIFICATION_DONE: "BR_CLEAR_FREEZE_NOTIFICATION_DONE",
	binder.BR_CLEAR_DEATH_NOTIFICATION_DONE:  "BR_CLEAR_DEATH_NOTIFICATION_DONE",
}
