// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package android

import (
	"encoding/binary"
	"io"
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/hostarch"

	"sentrybinder/pkg/abi/ashmem"
	"sentrybinder/pkg/abi/binder"
)

// fakeMemory is the memory of an application, from address 0 on.
type fakeMemory []byte

// CopyInBytes implements Memory.CopyInBytes.
func (m fakeMemory) CopyInBytes(addr hostarch.Addr, dst []byte) (int, error) {
	n := 0
	if uint64(addr) < uint64(len(m)) {
		n = copy(dst, m[addr:])
	}
	if n < len(dst) {
		return n, io.ErrUnexpectedEOF
	}
	return n, nil
}

// bufferAddr is the address of the buffer of a BINDER_WRITE_READ in tests. The argument is
// at 0.
const bufferAddr = 0x100

// memory returns memory with values at addr, one after the other.
func memory(t *testing.T, addr int, values ...any) fakeMemory {
	m := make(fakeMemory, addr)
	for _, v := range values {
		var err error
		m, err = binary.Append(m, binary.LittleEndian, v)
		require.NoError(t, err)
	}
	return m
}

// with returns m with value at its start.
func (m fakeMemory) with(t *testing.T, value any) fakeMemory {
	_, err := binary.Encode(m, binary.LittleEndian, value)
	require.NoError(t, err)
	return m
}

func TestWrite(t *testing.T) {
	m := memory(t, bufferAddr,
		uint32(binder.BC_ENTER_LOOPER),
		uint32(binder.BC_ACQUIRE), uint32(7),
		uint32(binder.BC_FREE_BUFFER), uint64(0x7f0000000000),
		uint32(binder.BC_ACQUIRE_DONE), binder.PtrCookie{Ptr: 0x10, Cookie: 0x20},
		uint32(binder.BC_REQUEST_DEATH_NOTIFICATION), uint32(7), uint64(0x30),
		uint32(binder.BC_DEAD_BINDER_DONE), uint64(0x30),
		uint32(binder.BC_TRANSACTION), binder.TransactionData{Target: 7, Code: 3, Flags: binder.TF_ACCEPT_FDS, DataSize: 100, OffsetsSize: 16},
		uint32(binder.BC_TRANSACTION_SG), binder.TransactionDataSG{
			TransactionData: binder.TransactionData{Code: 0x5f504e47, Flags: binder.TF_ONE_WAY | 0x100}, BuffersSize: 24},
		uint32(binder.BC_REPLY), binder.TransactionData{DataSize: 4, Flags: binder.TF_STATUS_CODE | binder.TF_DEFER_COMPLETE},
		uint32(0x12345678),
	)
	size := uint64(len(m) - bufferAddr)
	m = m.with(t, binder.WriteRead{WriteBuffer: bufferAddr, WriteSize: size, WriteConsumed: 4, ReadSize: 256})
	require.Equal(t, "0x0 {write_size=288 write_consumed=4 read_size=256 read_consumed=0 write=["+
		"BC_ACQUIRE{handle=7}, "+
		"BC_FREE_BUFFER{0x7f0000000000}, "+
		"BC_ACQUIRE_DONE{ptr=0x10 cookie=0x20}, "+
		"BC_REQUEST_DEATH_NOTIFICATION{handle=7 cookie=0x30}, "+
		"BC_DEAD_BINDER_DONE{cookie=0x30}, "+
		"BC_TRANSACTION{handle=7 code=0x3 flags=TF_ACCEPT_FDS size=100-16}, "+
		"BC_TRANSACTION_SG{handle=0 code='_PNG' flags=TF_ONE_WAY|0x100 size=0-0-24}, "+
		"BC_REPLY{code=0x0 flags=TF_STATUS_CODE|TF_DEFER_COMPLETE size=4-0}, ...]}",
		Requests()[binder.BINDER_WRITE_READ].Enter(m, 0, 1024))
}

func TestRead(t *testing.T) {
	m := memory(t, bufferAddr,
		uint32(binder.BR_NOOP),
		uint32(binder.BR_TRANSACTION_COMPLETE),
		uint32(binder.BR_INCREFS), binder.PtrCookie{Ptr: 0x10, Cookie: 0x20},
		uint32(binder.BR_TRANSACTION_SEC_CTX), binder.TransactionDataSecctx{TransactionData: binder.TransactionData{
			Target: 0x10, Cookie: 0x20, Code: 1, SenderPID: 12, SenderEUID: 1000, DataSize: 8, Buffer: 0x7000}},
		uint32(binder.BR_REPLY), binder.TransactionData{DataSize: 4, Buffer: 0x8000},
		uint32(binder.BR_DEAD_BINDER), uint64(0x30),
		uint32(binder.BR_FROZEN_BINDER), binder.FrozenStateInfo{Cookie: 0x40, IsFrozen: 1},
		uint32(binder.BR_ERROR), int32(-12),
		uint32(binder.BR_SPAWN_LOOPER),
	)
	size := uint64(len(m) - bufferAddr)
	m = m.with(t, binder.WriteRead{ReadBuffer: bufferAddr, ReadSize: 1000, ReadConsumed: size})
	require.Equal(t, "0x0 {write_size=0 write_consumed=0 read_size=1000 read_consumed=216 read=["+
		"BR_NOOP, BR_TRANSACTION_COMPLETE, BR_INCREFS{ptr=0x10 cookie=0x20}, "+
		"BR_TRANSACTION_SEC_CTX{ptr=0x10 cookie=0x20 code=0x1 flags=0x0 size=8-0 sender_pid=12 sender_euid=1000 buffer=0x7000}, "+
		"BR_REPLY{code=0x0 flags=0x0 size=4-0 sender_pid=0 sender_euid=0 buffer=0x8000}, "+
		"BR_DEAD_BINDER{cookie=0x30}, BR_FROZEN_BINDER{cookie=0x40 is_frozen=1}, BR_ERROR{-ENOMEM}, BR_SPAWN_LOOPER]}",
		Requests()[binder.BINDER_WRITE_READ].Exit(m, 0, 1024))
}

func TestOthers(t *testing.T) {
	for request, tc := range map[uint32]struct {
		arg         any
		enter, exit string
	}{
		binder.BINDER_SET_MAX_THREADS:       {uint32(15), "0x0 {15}", ""},
		binder.BINDER_VERSION:               {binder.Version{ProtocolVersion: 8}, "", "0x0 {protocol_version=8}"},
		binder.BINDER_FREEZE:                {binder.FreezeInfo{PID: 9, Enable: 1, TimeoutMS: 100}, "0x0 {pid=9 enable=1 timeout_ms=100}", ""},
		binder.BINDER_GET_FROZEN_INFO:       {binder.FrozenStatusInfo{PID: 9, SyncRecv: 3}, "0x0 {pid=9}", "0x0 {pid=9 sync_recv=0x3 async_recv=0x0}"},
		binder.BINDER_GET_EXTENDED_ERROR:    {binder.ExtendedError{ID: 5, Command: binder.BR_FAILED_REPLY, Param: -22}, "", "0x0 {id=5 command=BR_FAILED_REPLY param=-EINVAL}"},
		binder.BINDER_SET_CONTEXT_MGR_EXT:   {binder.FlatObject{Flags: binder.FLAT_BINDER_FLAG_TXN_SECURITY_CTX}, "0x0 {flags=FLAT_BINDER_FLAG_TXN_SECURITY_CTX}", ""},
		binder.BINDER_GET_NODE_DEBUG_INFO:   {binder.NodeDebugInfo{Ptr: 1, Cookie: 2, HasWeakRef: 1}, "0x0 {ptr=0x1}", "0x0 {ptr=0x1 cookie=0x2 has_strong_ref=0 has_weak_ref=1}"},
		binder.BINDER_GET_NODE_INFO_FOR_REF: {binder.NodeInfoForRef{Handle: 3, StrongCount: 2}, "0x0 {handle=3}", "0x0 {handle=3 strong_count=2 weak_count=0}"},
		binder.BINDER_CTL_ADD:               {binder.BinderfsDevice{Name: [256]byte{'a', '\n'}, Major: 1, Minor: 2}, `0x0 {name="a\n"}`, `0x0 {name="a\n" major=1 minor=2}`},
		ashmem.ASHMEM_SET_NAME:              {[4]byte{'a', 'b'}, `0x0 "ab"`, ""},
		ashmem.ASHMEM_PIN:                   {ashmem.Pin{Offset: 4096, Len: 8192}, "0x0 {offset=4096 len=8192}", ""},
		ashmem.ASHMEM_GET_FILE_ID:           {uint64(7), "", "0x0 {7}"},
		ashmem.ASHMEM_SET_PROT_MASK:         {[]byte{}, "0x0", ""},
		ashmem.ASHMEM_SET_SIZE:              {[]byte{}, "0", ""},
	} {
		r := Requests()[request]
		m := memory(t, 0, tc.arg)
		for want, describe := range map[string]Describer{tc.enter: r.Enter, tc.exit: r.Exit} {
			if want == "" {
				require.Nil(t, describe, r.Name)
			} else {
				require.Equal(t, want, describe(m, 0, 1024), r.Name)
			}
		}
	}
	require.Equal(t, "PROT_READ|PROT_WRITE", Requests()[ashmem.ASHMEM_SET_PROT_MASK].Enter(fakeMemory{}, 3, 0))
}

// Whatever an application has in its memory, its description is bounded; memory that isn't
// there has none.
func TestHostile(t *testing.T) {
	const room = 200
	rng := rand.New(rand.NewSource(1))
	for range 2000 {
		m := make(fakeMemory, 1+rng.Intn(2000))
		rng.Read(m)
		if rng.Intn(2) == 0 && len(m) > 256 {
			wr := binder.WriteRead{
				WriteBuffer: rng.Uint64() % uint64(len(m)), WriteSize: rng.Uint64() >> rng.Intn(64), WriteConsumed: uint64(rng.Intn(64)),
				ReadBuffer: rng.Uint64() % uint64(len(m)), ReadConsumed: rng.Uint64() >> rng.Intn(64),
			}
			m.with(t, wr)
			at := int(wr.WriteBuffer) + int(wr.WriteConsumed)
			for _, code := range []uint32{binder.BC_ENTER_LOOPER, binder.BC_TRANSACTION_SG, binder.BC_FREE_BUFFER} {
				if at > binder.SizeOfWriteRead && at+4 < len(m) {
					hostarch.ByteOrder.PutUint32(m[at:], code)
					at += 4 + binder.CommandSize(code)
				}
			}
		}
		for _, r := range Requests() {
			for _, describe := range []Describer{r.Enter, r.Exit} {
				if describe != nil {
					// A command of 4 bytes has a name of at most 40.
					require.Less(t, len(describe(m, 0, room)), 200+room/4*40+4*256, r.Name)
				}
			}
		}
	}
	for _, r := range Requests() {
		for _, describe := range []Describer{r.Enter, r.Exit} {
			if describe != nil && r.Name != "ASHMEM_SET_SIZE" && r.Name != "ASHMEM_SET_PROT_MASK" {
				require.Empty(t, describe(fakeMemory{}, 1<<40, room), r.Name)
			}
		}
	}
}
