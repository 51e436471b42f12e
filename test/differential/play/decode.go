// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package play

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"

	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/test/differential/actor"
	"sentrybinder/test/wire"
)

const sysIoctl = unix.SYS_IOCTL

// writeReadResult describes the outcome of a BINDER_WRITE_READ, and updates what the
// process knows.
func (w *World) writeReadResult(th *thread, dev *device, c *actor.Call) string {
	base := th.Scratch()
	var wr binder.WriteRead
	wr.UnmarshalBytes(actor.Bytes(base+bwrOffset, binder.SizeOfWriteRead))
	s := th.lastStep
	var out strings.Builder
	fmt.Fprintf(&out, "%s w=%d/%d r=%d", errnoName(c.Errno()), wr.WriteConsumed, wr.WriteSize, wr.ReadConsumed)
	if s.ReadSize > 0 && dev != nil && th.index < len(dev.unread) {
		noRoom := s.ReadConsumed < 0 || s.ReadSize-s.ReadConsumed < 256
		dev.unread[th.index] = c.Errno() != 0 || noRoom
	}
	if wr.ReadBuffer != uint64(base+readOffset) || wr.ReadConsumed > maxRead || s.ReadConsumed < 0 {
		return out.String()
	}
	// The driver has not written what the buffer held before the call.
	returns := actor.Bytes(base+readOffset, int(wr.ReadConsumed))
	returns = returns[min(len(returns), s.ReadConsumed):]
	for len(returns) >= 4 {
		code := binary.NativeEndian.Uint32(returns)
		size := binder.CommandSize(code)
		if len(returns) < 4+size {
			fmt.Fprintf(&out, "\n    %s cut short", returnName(code))
			break
		}
		params := returns[4 : 4+size]
		returns = returns[4+size:]
		switch code {
		case binder.BR_REPLY, binder.BR_FAILED_REPLY, binder.BR_DEAD_REPLY, binder.BR_FROZEN_REPLY:
			th.pop(true)
		}
		switch {
		case code == binder.BR_NOOP:
			out.WriteString(" NOOP")
		case code == binder.BR_TRANSACTION, code == binder.BR_REPLY, code == binder.BR_TRANSACTION_SEC_CTX:
			fmt.Fprintf(&out, "\n    %s %s", returnName(code), w.message(th, dev, code, params))
		case size == binder.SizeOfPtrCookie:
			ptr, cookie := binary.NativeEndian.Uint64(params), binary.NativeEndian.Uint64(params[8:])
			fmt.Fprintf(&out, "\n    %s %#x %#x", returnName(code), ptr, cookie)
			dev.notified(code, ptr, cookie)
		case size == 8:
			cookie := binary.NativeEndian.Uint64(params)
			fmt.Fprintf(&out, "\n    %s %#x", returnName(code), cookie)
			dev.notified(code, 0, cookie)
		default:
			fmt.Fprintf(&out, "\n    %s %x", returnName(code), params)
		}
	}
	return out.String()
}

// message describes a transaction or a reply that th has received.
func (w *World) message(th *thread, dev *device, code uint32, params []byte) string {
	var tr binder.TransactionDataSecctx
	rest := tr.TransactionData.UnmarshalBytes(params)
	if len(rest) != 0 {
		tr.Secctx = binary.NativeEndian.Uint64(rest)
	}
	d := &tr.TransactionData
	offsetsAt := d.Offsets
	if offsetsAt != 0 {
		offsetsAt -= d.Buffer
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%#x %#x code=%d flags=%#x pid=%s euid=%d data=%s+%d offsets=%#x+%d",
		d.Target, d.Cookie, d.Code, d.Flags, w.name(d.SenderPID), d.SenderEUID,
		dev.place(d.Buffer), d.DataSize, offsetsAt, d.OffsetsSize)
	data, err := dev.read(d.Buffer, d.DataSize)
	if err != nil {
		fmt.Fprintf(&out, " data: %v", err)
	}
	offsets, err := dev.read(d.Offsets, d.OffsetsSize)
	if err != nil {
		fmt.Fprintf(&out, " offsets: %v", err)
	}
	m := message{addr: d.Buffer}
	fmt.Fprintf(&out, " %08x", crc32.ChecksumIEEE(offsets))
	masked := append([]byte(nil), data...)
	objects := objects{world: w, th: th, dev: dev, buffer: d.Buffer}
	for ; len(offsets) >= 8; offsets = offsets[8:] {
		at := binary.NativeEndian.Uint64(offsets)
		if at > uint64(len(data)) || len(data[at:]) < binder.SizeOfFlatObject {
			fmt.Fprintf(&out, " object at %d", at)
			continue
		}
		description, size := objects.describe(data[at:])
		fmt.Fprintf(&out, "\n      %s", description)
		clear(masked[at:][:min(size, len(masked[at:]))])
	}
	fmt.Fprintf(&out, " %08x", crc32.ChecksumIEEE(masked))
	if tr.Secctx != 0 {
		context, _ := dev.read(tr.Secctx, 64)
		name, _, _ := strings.Cut(string(context), "\x00")
		fmt.Fprintf(&out, " context=%s %q", objects.place(tr.Secctx), name)
	}
	dev.messages = append(dev.messages, m)
	if code != binder.BR_REPLY && d.Flags&binder.TF_ONE_WAY == 0 {
		th.incoming++
		th.stack = append(th.stack, false)
	}
	return out.String()
}

// place returns the canonical form of an address in one of the mappings that the
// device's owner has made. That may be another device's mapping: if this device was
// closed, its descriptor may be the other's now.
func (d *device) place(addr uint64) string {
	// The device's own mapping comes first: it may overlap former ones of the process,
	// possibly on one driver only.
	order := []int{d.mapping}
	for i := range d.owner.mappings {
		order = append(order, i)
	}
	for _, i := range order {
		if i < len(d.owner.mappings) && addr-d.owner.mappings[i].base < d.owner.mappings[i].size {
			return fmt.Sprintf("m%d:%#x", i, addr-d.owner.mappings[i].base)
		}
	}
	return fmt.Sprintf("%#x", addr)
}

// read reads the memory of the process that has the mapping.
func (d *device) read(addr, size uint64) ([]byte, error) {
	if size == 0 {
		return nil, nil
	}
	if size > 1<<20 {
		return nil, unix.E2BIG
	}
	b := make([]byte, size)
	local := []unix.Iovec{{Base: &b[0]}}
	local[0].SetLen(len(b))
	n, err := unix.ProcessVMReadv(d.owner.actors.PID, local, []unix.RemoteIovec{{Base: uintptr(addr), Len: int(size)}}, 0)
	return b[:max(n, 0)], err
}

// returnName returns the name of a BR_ code without that prefix.
func returnName(code uint32) string { return strings.TrimPrefix(wire.ReturnName(code), "BR_") }
