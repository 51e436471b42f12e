// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package android

import (
	"fmt"
	"strings"

	"gvisor.dev/gvisor/pkg/hostarch"

	"sentrybinder/pkg/abi/binder"
)

// writeReadEnter describes what the caller is about to write.
func writeReadEnter(mem Memory, addr hostarch.Addr, room uint) string {
	var wr binder.WriteRead
	if !copyIn(mem, addr, &wr) {
		return ""
	}
	written := stream(mem, wr.WriteBuffer, wr.WriteConsumed, wr.WriteSize, room, command)
	return fmt.Sprintf("%#x {write_size=%d write_consumed=%d read_size=%d read_consumed=%d write=%s}",
		addr, wr.WriteSize, wr.WriteConsumed, wr.ReadSize, wr.ReadConsumed, written)
}

// writeReadExit describes what the caller read.
func writeReadExit(mem Memory, addr hostarch.Addr, room uint) string {
	var wr binder.WriteRead
	if !copyIn(mem, addr, &wr) {
		return ""
	}
	read := stream(mem, wr.ReadBuffer, 0, wr.ReadConsumed, room, response)
	return fmt.Sprintf("%#x {write_size=%d write_consumed=%d read_size=%d read_consumed=%d read=%s}",
		addr, wr.WriteSize, wr.WriteConsumed, wr.ReadSize, wr.ReadConsumed, read)
}

// stream describes the commands, or returns, in a buffer from byte pos to byte end. It
// looks at no more than room bytes. describe describes one.
func stream(mem Memory, buffer, pos, end uint64, room uint, describe func(code uint32, params []byte) string) string {
	if pos >= end {
		return "[]"
	}
	raw := make([]byte, min(end-pos, uint64(room)))
	n, _ := mem.CopyInBytes(hostarch.Addr(buffer+pos), raw)
	whole := uint64(n) == end-pos
	raw = raw[:n]
	var all []string
	for len(raw) >= 4 {
		code := hostarch.ByteOrder.Uint32(raw)
		size := binder.CommandSize(code)
		if len(raw)-4 < size {
			break
		}
		all = append(all, describe(code, raw[4:4+size]))
		raw = raw[4+size:]
	}
	if !whole || len(raw) != 0 {
		all = append(all, "...")
	}
	return "[" + strings.Join(all, ", ") + "]"
}

// command describes a command. Its number gives the length of params.
func command(code uint32, params []byte) string {
	name := binder.CommandName(code)
	switch code {
	case binder.BC_TRANSACTION, binder.BC_REPLY, binder.BC_TRANSACTION_SG, binder.BC_REPLY_SG:
		var td binder.TransactionData
		rest := td.UnmarshalBytes(params)
		to := fmt.Sprintf("handle=%d ", uint32(td.Target))
		if code == binder.BC_REPLY || code == binder.BC_REPLY_SG {
			to = ""
		}
		extra := ""
		if len(rest) != 0 {
			extra = fmt.Sprintf("-%d", hostarch.ByteOrder.Uint64(rest))
		}
		return fmt.Sprintf("%s{%s%s%s}", name, to, message(&td), extra)

	case binder.BC_INCREFS, binder.BC_ACQUIRE, binder.BC_RELEASE, binder.BC_DECREFS:
		return fmt.Sprintf("%s{handle=%d}", name, hostarch.ByteOrder.Uint32(params))

	case binder.BC_INCREFS_DONE, binder.BC_ACQUIRE_DONE:
		return name + ptrCookie(params)

	case binder.BC_REQUEST_DEATH_NOTIFICATION, binder.BC_CLEAR_DEATH_NOTIFICATION,
		binder.BC_REQUEST_FREEZE_NOTIFICATION, binder.BC_CLEAR_FREEZE_NOTIFICATION:
		var hc binder.HandleCookie
		hc.UnmarshalBytes(params)
		return fmt.Sprintf("%s{handle=%d cookie=%#x}", name, hc.Handle, hc.Cookie)

	case binder.BC_FREE_BUFFER:
		return fmt.Sprintf("%s{%#x}", name, hostarch.ByteOrder.Uint64(params))

	case binder.BC_DEAD_BINDER_DONE, binder.BC_FREEZE_NOTIFICATION_DONE:
		return fmt.Sprintf("%s{cookie=%#x}", name, hostarch.ByteOrder.Uint64(params))

	default:
		return name
	}
}

// response describes a return. Its number gives the length of params.
func response(code uint32, params []byte) string {
	name := binder.ReturnName(code)
	switch code {
	case binder.BR_TRANSACTION, binder.BR_TRANSACTION_SEC_CTX, binder.BR_REPLY:
		var td binder.TransactionData
		td.UnmarshalBytes(params)
		to := fmt.Sprintf("ptr=%#x cookie=%#x ", td.Target, td.Cookie)
		if code == binder.BR_REPLY {
			to = ""
		}
		return fmt.Sprintf("%s{%s%s sender_pid=%d sender_euid=%d buffer=%#x}", name, to, message(&td), td.SenderPID, int32(td.SenderEUID), td.Buffer)

	case binder.BR_INCREFS, binder.BR_ACQUIRE, binder.BR_RELEASE, binder.BR_DECREFS:
		return name + ptrCookie(params)

	case binder.BR_DEAD_BINDER, binder.BR_CLEAR_DEATH_NOTIFICATION_DONE, binder.BR_CLEAR_FREEZE_NOTIFICATION_DONE:
		return fmt.Sprintf("%s{cookie=%#x}", name, hostarch.ByteOrder.Uint64(params))

	case binder.BR_FROZEN_BINDER:
		var info binder.FrozenStateInfo
		info.UnmarshalBytes(params)
		return fmt.Sprintf("%s{cookie=%#x is_frozen=%d}", name, info.Cookie, info.IsFrozen)

	case binder.BR_ERROR:
		return fmt.Sprintf("%s{%s}", name, errno(int32(hostarch.ByteOrder.Uint32(params))))

	default:
		return name
	}
}

// message describes the common part of commands and returns with a message.
func message(td *binder.TransactionData) string {
	return fmt.Sprintf("code=%s flags=%s size=%d-%d", code(td.Code), flagNames(td.Flags, messageFlags), td.DataSize, td.OffsetsSize)
}

// code returns a transaction's code: as letters if it is one that libbinder makes of four
// letters.
func code(c uint32) string {
	letters := []byte{byte(c >> 24), byte(c >> 16), byte(c >> 8), byte(c)}
	for _, l := range letters {
		if l < 'A' || l > 'Z' && l != '_' {
			return fmt.Sprintf("%#x", c)
		}
	}
	return fmt.Sprintf("'%s'", letters)
}

// ptrCookie describes a node as its owner knows it.
func ptrCookie(params []byte) string {
	var pc binder.PtrCookie
	pc.UnmarshalBytes(params)
	return fmt.Sprintf("{ptr=%#x cookie=%#x}", pc.Ptr, pc.Cookie)
}

var messageFlags = []flag{
	{binder.TF_ONE_WAY, "TF_ONE_WAY"},
	{binder.TF_ROOT_OBJECT, "TF_ROOT_OBJECT"},
	{binder.TF_STATUS_CODE, "TF_STATUS_CODE"},
	{binder.TF_ACCEPT_FDS, "TF_ACCEPT_FDS"},
	{binder.TF_CLEAR_BUF, "TF_CLEAR_BUF"},
	{binder.TF_UPDATE_TXN, "TF_UPDATE_TXN"},
	{binder.TF_DEFER_COMPLETE, "TF_DEFER_COMPLETE"},
}
