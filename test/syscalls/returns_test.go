// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/test/wire"
)

// A br is a return that was read from the driver, or that is expected. Two with the same
// String are equal.
type br interface {
	String() string
}

// returns is the result of a read.
type returns []br

func (rs returns) String() string {
	var b strings.Builder
	for _, r := range rs {
		fmt.Fprintln(&b, r)
	}
	return b.String()
}

// expect checks that the returns are exactly want, in this order.
func expect(t testing.TB, got returns, want ...br) {
	t.Helper()
	require.Equal(t, returns(want).String(), got.String())
}

// A plainReturn is a return without parameters.
type plainReturn uint32

const (
	brNoop                = plainReturn(binder.BR_NOOP)
	brOK                  = plainReturn(binder.BR_OK)
	brTransactionComplete = plainReturn(binder.BR_TRANSACTION_COMPLETE)
	brDeadReply           = plainReturn(binder.BR_DEAD_REPLY)
	brFailedReply         = plainReturn(binder.BR_FAILED_REPLY)
	brSpawnLooper         = plainReturn(binder.BR_SPAWN_LOOPER)
	brFrozenReply         = plainReturn(binder.BR_FROZEN_REPLY)
	brPendingFrozen       = plainReturn(binder.BR_TRANSACTION_PENDING_FROZEN)
	brFinished            = plainReturn(binder.BR_FINISHED)
	brOneWaySpamSuspect   = plainReturn(binder.BR_ONEWAY_SPAM_SUSPECT)
)

func (r plainReturn) String() string { return wire.ReturnName(uint32(r)) }

// A nodeReturn notifies the owner of a node about its references.
type nodeReturn struct {
	cmd         uint32
	ptr, cookie uint64
}

func (r nodeReturn) String() string {
	return fmt.Sprintf("%s ptr=%#x cookie=%#x", wire.ReturnName(r.cmd), r.ptr, r.cookie)
}

func brIncrefs(ptr, cookie uint64) br { return nodeReturn{binder.BR_INCREFS, ptr, cookie} }
func brAcquire(ptr, cookie uint64) br { return nodeReturn{binder.BR_ACQUIRE, ptr, cookie} }
func brRelease(ptr, cookie uint64) br { return nodeReturn{binder.BR_RELEASE, ptr, cookie} }
func brDecrefs(ptr, cookie uint64) br { return nodeReturn{binder.BR_DECREFS, ptr, cookie} }

// A cookieReturn has a cookie as its parameter.
type cookieReturn struct {
	cmd    uint32
	cookie uint64
}

func (r cookieReturn) String() string {
	return fmt.Sprintf("%s cookie=%#x", wire.ReturnName(r.cmd), r.cookie)
}

func brDeadBinder(cookie uint64) br { return cookieReturn{binder.BR_DEAD_BINDER, cookie} }
func brClearDeathDone(cookie uint64) br {
	return cookieReturn{binder.BR_CLEAR_DEATH_NOTIFICATION_DONE, cookie}
}

// brError is BR_ERROR.
type brError int32

func (r brError) String() string { return fmt.Sprintf("BR_ERROR %d", int32(r)) }

// A message is BR_TRANSACTION, or BR_REPLY if reply is set. In an expected
// one, payload is compared with data and offsets.
type message struct {
	reply       bool
	ptr, cookie uint64
	code, flags uint32
	pid         int
	euid        int
	payload     payload

	// These are set in received messages.
	received     bool
	buffer       uint64
	offsetsStart uint64
	data         []byte
	offsets      []uint64
	secctx       uint64 // an address, or 0
}

func (m *message) String() string {
	name := "BR_TRANSACTION"
	if m.reply {
		name = "BR_REPLY"
	}
	data, offsets := m.data, m.offsets
	if !m.received {
		data, offsets = m.payload.encode()
	}
	return fmt.Sprintf("%s ptr=%#x cookie=%#x code=%d flags=%#x pid=%d euid=%d %s",
		name, m.ptr, m.cookie, m.code, m.flags, m.pid, m.euid, describe(data, offsets))
}

// object returns the i-th object of a received message.
func (m *message) object(i int) object { return objectAt(m.data, m.offsets[i]) }

// handle returns the handle in the i-th object of a received message.
func (m *message) handle(i int) uint32 { return uint32(m.object(i).Binder) }

// fd returns the descriptor in the i-th object of a received message.
func (m *message) fd(i int) int { return int(int32(m.object(i).Binder)) }

// free returns the command that frees the message's buffer.
func (m *message) free() command { return bcFreeBuffer(m.buffer) }

// message returns the only message among the returns.
func (rs returns) message(t testing.TB) *message {
	t.Helper()
	var found *message
	for _, r := range rs {
		if m, ok := r.(*message); ok {
			require.Nil(t, found, "more than one message in:\n%s", rs)
			found = m
		}
	}
	require.NotNil(t, found, "no message in:\n%s", rs)
	return found
}

// parse decodes the returns that thread th has read.
func (th *thread) parse(b []byte) returns {
	th.t.Helper()
	var rs returns
	for len(b) > 0 {
		require.GreaterOrEqual(th.t, len(b), 4, "trailing bytes after:\n%s", rs)
		cmd := binary.NativeEndian.Uint32(b)
		size := binder.CommandSize(cmd)
		require.GreaterOrEqual(th.t, len(b), 4+size, "%s is cut short after:\n%s", wire.ReturnName(cmd), rs)
		params := b[4 : 4+size]
		b = b[4+size:]
		switch {
		case cmd == binder.BR_TRANSACTION || cmd == binder.BR_REPLY || cmd == binder.BR_TRANSACTION_SEC_CTX:
			rs = append(rs, th.parseMessage(cmd, params))
		case cmd == binder.BR_ERROR:
			rs = append(rs, brError(binary.NativeEndian.Uint32(params)))
		case size == 0:
			rs = append(rs, plainReturn(cmd))
		case size == 8:
			rs = append(rs, cookieReturn{cmd, binary.NativeEndian.Uint64(params)})
		case size == 16:
			rs = append(rs, nodeReturn{cmd, binary.NativeEndian.Uint64(params), binary.NativeEndian.Uint64(params[8:])})
		default:
			th.t.Fatalf("unexpected return %s after:\n%s", wire.ReturnName(cmd), rs)
		}
	}
	return rs
}

func (th *thread) parseMessage(cmd uint32, params []byte) *message {
	th.t.Helper()
	var tr binder.TransactionData
	tr.UnmarshalBytes(params)
	m := &message{
		received:     true,
		reply:        cmd == binder.BR_REPLY,
		ptr:          tr.Target,
		cookie:       tr.Cookie,
		code:         tr.Code,
		flags:        tr.Flags,
		pid:          int(tr.SenderPID),
		euid:         int(tr.SenderEUID),
		buffer:       tr.Buffer,
		offsetsStart: tr.Offsets,
	}
	if cmd == binder.BR_TRANSACTION_SEC_CTX {
		m.secctx = binary.NativeEndian.Uint64(params[binder.SizeOfTransactionData:])
	}
	var err error
	m.data, err = th.ReadMemory(th.t, uintptr(tr.Buffer), int(tr.DataSize))
	require.NoError(th.t, err, "reading a message's data")
	offsets, err := th.ReadMemory(th.t, uintptr(tr.Offsets), int(tr.OffsetsSize))
	require.NoError(th.t, err, "reading a message's offsets")
	for ; len(offsets) >= 8; offsets = offsets[8:] {
		m.offsets = append(m.offsets, binary.NativeEndian.Uint64(offsets))
	}
	return m
}
