// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/test/wire"
)

// A payload is the contents of a transaction: bytes, and objects among them.
type payload []part

// A part of a payload is bytes or an object.
type part interface {
	encode() []byte
	isObject() bool
}

// text is bytes that mean nothing to the driver.
type text string

func (s text) encode() []byte { return []byte(s) }
func (s text) isObject() bool { return false }

// object is a flat_binder_object, or another object of the same size.
type object binder.FlatObject

func (o object) encode() []byte {
	b := make([]byte, 24)
	(*binder.FlatObject)(&o).MarshalBytes(b)
	return b
}

func (o object) isObject() bool { return true }

// A node as its owner sends it.
func node(ptr, cookie uint64) object {
	return object{Type: binder.BINDER_TYPE_BINDER, Binder: ptr, Cookie: cookie}
}

func weakNode(ptr, cookie uint64) object {
	return object{Type: binder.BINDER_TYPE_WEAK_BINDER, Binder: ptr, Cookie: cookie}
}

// A node as others refer to it.
func handle(h uint32) object {
	return object{Type: binder.BINDER_TYPE_HANDLE, Binder: uint64(h)}
}

func weakHandle(h uint32) object {
	return object{Type: binder.BINDER_TYPE_WEAK_HANDLE, Binder: uint64(h)}
}

func (o object) withFlags(flags uint32) object {
	o.Flags = flags
	return o
}

// A file descriptor.
func file(fd int) object {
	return object{Type: binder.BINDER_TYPE_FD, Binder: uint64(uint32(fd))}
}

// anyFile, in an expected payload, is a descriptor that the receiver cannot know in
// advance.
var anyFile = file(-1)

// encode returns the payload's bytes and the offsets of its objects.
func (p payload) encode() (data []byte, offsets []uint64) {
	for _, part := range p {
		if part.isObject() {
			for len(data)%4 != 0 {
				data = append(data, 0)
			}
			offsets = append(offsets, uint64(len(data)))
		}
		data = append(data, part.encode()...)
	}
	return data, offsets
}

// describe renders a payload's bytes and offsets for comparison. Numbers of
// file descriptors are left out.
func describe(data []byte, offsets []uint64) string {
	var s []string
	at := uint64(0)
	upTo := func(end uint64) {
		if at < end {
			s = append(s, fmt.Sprintf("%q", data[at:end]))
		}
		at = end
	}
	for _, off := range offsets {
		if off < at || off+24 > uint64(len(data)) || off+objectSize(data[off:]) > uint64(len(data)) {
			return fmt.Sprintf("%q offsets=%d", data, offsets)
		}
		upTo(off)
		s = append(s, describeObject(data[off:]))
		at = off + objectSize(data[off:])
	}
	upTo(uint64(len(data)))
	return "{" + strings.Join(s, ", ") + "}"
}

// objectSize returns the size of the object at the start of b.
func objectSize(b []byte) uint64 {
	switch binary.NativeEndian.Uint32(b) {
	case binder.BINDER_TYPE_PTR:
		return binder.SizeOfBufferObject
	case binder.BINDER_TYPE_FDA:
		return binder.SizeOfFDArrayObject
	default:
		return binder.SizeOfFlatObject
	}
}

func describeObject(b []byte) string {
	var o binder.FlatObject
	o.UnmarshalBytes(b)
	name := wire.ObjectName(o.Type)
	switch o.Type {
	case binder.BINDER_TYPE_FD:
		return fmt.Sprintf("%s flags=%#x cookie=%#x", name, o.Flags, o.Cookie)
	case binder.BINDER_TYPE_PTR:
		var o binder.BufferObject
		o.UnmarshalBytes(b)
		return fmt.Sprintf("%s flags=%#x %#x+%d parent=%#x at %#x", name, o.Flags, o.Buffer, o.Length, o.Parent, o.ParentOffset)
	case binder.BINDER_TYPE_FDA:
		var o binder.FDArrayObject
		o.UnmarshalBytes(b)
		return fmt.Sprintf("%s pad=%#x %d parent=%#x at %#x", name, o.Pad, o.NumFDs, o.Parent, o.ParentOffset)
	case binder.BINDER_TYPE_BINDER, binder.BINDER_TYPE_WEAK_BINDER, binder.BINDER_TYPE_HANDLE, binder.BINDER_TYPE_WEAK_HANDLE:
		return fmt.Sprintf("%s flags=%#x %#x cookie=%#x", name, o.Flags, o.Binder, o.Cookie)
	}
	return name
}

// objectAt returns the object at offset off of data.
func objectAt(data []byte, off uint64) object {
	var o binder.FlatObject
	o.UnmarshalBytes(data[off:])
	return object(o)
}

// words holds bytes, given as 32-bit numbers.
func words(values ...uint32) text {
	var b []byte
	for _, v := range values {
		b = binary.NativeEndian.AppendUint32(b, v)
	}
	return text(b)
}

// space returns n bytes that differ from their neighbours.
func space(n int) text {
	return text(slices.Repeat([]byte("0123456789abcdef"), n/16+1)[:n])
}
