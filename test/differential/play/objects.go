// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package play

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/test/wire"
)

// objects describes the objects of a received message, in order, and records the handles
// among them as known.
type objects struct {
	world *World
	th    *thread
	dev   *device

	// buffer is the address of the message's buffer.
	buffer uint64

	// buffers has, for each object so far, the address of its buffer if it is a PTR,
	// else 0.
	buffers []uint64
}

// describe describes the object at the start of b, and returns its size. b must have at
// least the size of a flat_binder_object.
func (o *objects) describe(b []byte) (string, int) {
	var flat binder.FlatObject
	flat.UnmarshalBytes(b[:binder.SizeOfFlatObject])
	buffer := uint64(0)
	defer func() { o.buffers = append(o.buffers, buffer) }()
	switch flat.Type {
	case binder.BINDER_TYPE_HANDLE, binder.BINDER_TYPE_WEAK_HANDLE:
		o.dev.learn(uint32(flat.Binder))
	case binder.BINDER_TYPE_FD:
		return fmt.Sprintf("FD %s %#x %#x", o.file(uint32(flat.Binder)), flat.Flags, flat.Cookie), len(b[:binder.SizeOfFlatObject])
	case binder.BINDER_TYPE_PTR:
		if len(b) < binder.SizeOfBufferObject {
			break
		}
		var p binder.BufferObject
		p.UnmarshalBytes(b)
		buffer = p.Buffer
		return fmt.Sprintf("PTR %#x %s+%d %d:%d%s", p.Flags, o.place(p.Buffer), p.Length, p.Parent, p.ParentOffset, o.content(p.Buffer, p.Length)), binder.SizeOfBufferObject
	case binder.BINDER_TYPE_FDA:
		if len(b) < binder.SizeOfFDArrayObject {
			break
		}
		var a binder.FDArrayObject
		a.UnmarshalBytes(b)
		out := fmt.Sprintf("FDA %#x %d %d:%d", a.Pad, a.NumFDs, a.Parent, a.ParentOffset)
		if a.Parent < uint64(len(o.buffers)) {
			fds, _ := o.dev.read(o.buffers[a.Parent]+a.ParentOffset, 4*min(a.NumFDs, 16))
			for ; len(fds) >= 4; fds = fds[4:] {
				out += " " + o.file(binary.NativeEndian.Uint32(fds))
			}
		}
		return out, binder.SizeOfFDArrayObject
	}
	return fmt.Sprintf("%s %#x %#x %#x", wire.ObjectName(flat.Type), flat.Flags, flat.Binder, flat.Cookie), binder.SizeOfFlatObject
}

// content describes what a PTR points to: 32-bit numbers, among which addresses of other
// buffers may be at any offset.
func (o *objects) content(addr, size uint64) string {
	b, err := o.dev.read(addr, min(size, 256))
	var out strings.Builder
	numbers := func(b []byte) {
		for ; len(b) >= 4; b = b[4:] {
			fmt.Fprintf(&out, " %#x", binary.NativeEndian.Uint32(b))
		}
		if len(b) > 0 {
			fmt.Fprintf(&out, " %x", b)
		}
	}
	from := 0
	for at := 0; at+8 <= len(b); at++ {
		if place := o.place(binary.NativeEndian.Uint64(b[at:])); place[0] != '0' {
			numbers(b[from:at])
			out.WriteString(" " + place)
			from = at + 8
			at = from - 1
		}
	}
	numbers(b[from:])
	if err != nil {
		fmt.Fprintf(&out, " %v", err)
	}
	return out.String()
}

// place returns the canonical form of an address: its offset from the message's buffer,
// if it is in the mapping and not below the buffer.
func (o *objects) place(addr uint64) string {
	place := o.dev.place(addr)
	if place[0] == 'm' && addr >= o.buffer {
		return fmt.Sprintf("+%#x", addr-o.buffer)
	}
	return place
}

// file describes a descriptor of the thread's process: its number and the file's name.
func (o *objects) file(fd uint32) string {
	link, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", o.th.proc.actors.PID, fd))
	if err != nil {
		return fmt.Sprintf("%d nothing", fd)
	}
	return fmt.Sprintf("%d %s", fd, strings.TrimSuffix(filepath.Base(link), " (deleted)"))
}
