// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//covers:scatter-gather,pointers
package syscalls

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/test/syscalls/remote"
)

// bufferObject is a BINDER_TYPE_PTR.
type bufferObject binder.BufferObject

func (o bufferObject) encode() []byte {
	b := make([]byte, binder.SizeOfBufferObject)
	(*binder.BufferObject)(&o).MarshalBytes(b)
	return b
}

func (o bufferObject) isObject() bool { return true }

// in makes the object with index parent point to the buffer, with the pointer at offset.
func (o bufferObject) in(parent, offset uint64) bufferObject {
	o.Flags |= binder.BINDER_BUFFER_FLAG_HAS_PARENT
	o.Parent, o.ParentOffset = parent, offset
	return o
}

// fdArray is a BINDER_TYPE_FDA.
type fdArray binder.FDArrayObject

func (o fdArray) encode() []byte {
	b := make([]byte, binder.SizeOfFDArrayObject)
	(*binder.FDArrayObject)(&o).MarshalBytes(b)
	return b
}

func (o fdArray) isObject() bool { return true }

// fds returns n descriptors in the buffer of the object with index parent, from offset
// on.
func fds(n, parent, offset uint64) fdArray {
	return fdArray{Type: binder.BINDER_TYPE_FDA, NumFDs: n, Parent: parent, ParentOffset: offset}
}

// newMemory returns memory for what buffer objects point to, until the test ends.
func newMemory(t testing.TB) *memory {
	at := remote.Alloc(t, 64<<10)
	return &memory{next: at, end: at + 64<<10}
}

// at returns the buffer of n bytes at addr.
func at(addr uintptr, n uint64) bufferObject {
	return bufferObject{Type: binder.BINDER_TYPE_PTR, Buffer: uint64(addr), Length: n}
}

// buffer stores data in m and returns the buffer that holds it.
func (m *memory) buffer(data []byte) bufferObject {
	return at(m.put(data), uint64(len(data)))
}

// quads holds bytes, given as 64-bit numbers.
func quads(values ...uint64) []byte {
	var b []byte
	for _, v := range values {
		b = binary.NativeEndian.AppendUint64(b, v)
	}
	return b
}

// bcTransactionSG is BC_TRANSACTION_SG.
type bcTransactionSG struct {
	bcTransaction

	// buffersSize is the size of the space for buffers, in bytes.
	buffersSize uint64
}

func (c bcTransactionSG) append(b []byte, m *memory) []byte {
	b = c.appendAs(binder.BC_TRANSACTION_SG, b, m)
	return binary.NativeEndian.AppendUint64(b, c.buffersSize)
}

// bcReplySG is BC_REPLY_SG.
type bcReplySG bcTransactionSG

func (c bcReplySG) append(b []byte, m *memory) []byte {
	b = c.appendAs(binder.BC_REPLY_SG, b, m)
	return binary.NativeEndian.AppendUint64(b, c.buffersSize)
}

// token precedes a transaction's first object: Linux's C driver overlooks a parent at the
// start of the data.
const token = text("token..\x00")

// pointer returns the i-th object of a received message, which is a buffer.
func (m *message) pointer(i int) bufferObject {
	var o binder.BufferObject
	o.UnmarshalBytes(m.data[m.offsets[i]:])
	return bufferObject(o)
}

// bytes returns the memory that the i-th object of the message points to.
func (th *thread) bytes(m *message, i int) []byte {
	th.t.Helper()
	o := m.pointer(i)
	b, err := th.ReadMemory(th.t, uintptr(o.Buffer), int(o.Length))
	require.NoError(th.t, err, "reading buffer %d", i)
	return b
}

// extra returns the address of a received message's space for buffers.
func (m *message) extra() uint64 {
	return m.offsetsStart + uint64(8*len(m.offsets))
}

// sgCase is a transaction's contents with buffers.
type sgCase struct {
	name string

	// make returns the contents. What they point to is in m.
	make func(m *memory) payload

	// size is the size of the space for buffers.
	size uint64

	// errno is the error with which the transaction fails, or 0.
	errno unix.Errno
}

var sgCases = []sgCase{
	{"one buffer", func(m *memory) payload { return payload{token, m.buffer(quads(1))} }, 8, 0},
	{"two buffers", func(m *memory) payload { return payload{token, m.buffer(quads(1)), m.buffer(quads(2))} }, 16, 0},
	{"more space than needed", func(m *memory) payload { return payload{token, m.buffer(quads(1))} }, 4096, 0},
	{"no space", func(m *memory) payload { return payload{token, m.buffer(quads(1))} }, 0, unix.EINVAL},
	{"too little space", func(m *memory) payload { return payload{token, m.buffer(quads(1, 2))} }, 8, unix.EINVAL},
	{"too little space for the second", func(m *memory) payload { return payload{token, m.buffer(quads(1)), m.buffer(quads(2))} }, 8, unix.EINVAL},
	{"space for all but the padding", func(m *memory) payload { return payload{token, m.buffer(quads(1)[:5]), m.buffer(quads(2)[:4])} }, 8, unix.EINVAL},
	{"padding", func(m *memory) payload { return payload{token, m.buffer(quads(1)[:5]), m.buffer(quads(2)[:5])} }, 16, 0},
	{"space of 4", func(m *memory) payload { return payload{token, m.buffer(quads(1)[:4])} }, 4, unix.EINVAL},
	{"space of 12", func(m *memory) payload { return payload{token, m.buffer(quads(1))} }, 12, unix.EINVAL},
	{"space huge", func(m *memory) payload { return payload{token, m.buffer(quads(1))} }, 1 << 40, unix.ENOSPC},
	{"space of 2^64-8", func(m *memory) payload { return payload{token, m.buffer(quads(1))} }, 1<<64 - 8, unix.EINVAL},
	{"space of 2^64-1", func(m *memory) payload { return payload{token, m.buffer(quads(1))} }, 1<<64 - 1, unix.EINVAL},
	{"length 0", func(m *memory) payload { return payload{token, at(0, 0)} }, 0, 0},
	{"length 0 at a bad address", func(m *memory) payload { return payload{token, at(badAddress, 0)} }, 8, 0},
	{"length huge", func(m *memory) payload { return payload{token, at(m.next, 1<<63)} }, 8, unix.EINVAL},
	{"length 2^64-1", func(m *memory) payload { return payload{token, at(m.next, 1<<64-1)} }, 8, unix.EINVAL},
	{"length 2^64-4 of the second", func(m *memory) payload { return payload{token, at(m.next, 8), at(m.next, 1<<64-4)} }, 8, unix.EINVAL},
	{"unreadable", func(m *memory) payload { return payload{token, at(badAddress, 8)} }, 8, unix.EINVAL},
	{"address wraps around", func(m *memory) payload { return payload{token, at(^uintptr(0)-3, 8)} }, 8, unix.EINVAL},
	{"address of the kernel", func(m *memory) payload { return payload{token, at(1<<63, 8)} }, 8, unix.EINVAL},
	{"unreadable after a good one", func(m *memory) payload { return payload{token, m.buffer(quads(1)), at(badAddress, 8)} }, 16, unix.EINVAL},
	{"unknown flags", func(m *memory) payload {
		o := m.buffer(quads(1))
		o.Flags = 0xfffffffe
		return payload{token, o}
	}, 8, 0},
	{"parent without the flag", func(m *memory) payload {
		o := m.buffer(quads(1))
		o.Parent, o.ParentOffset = 77, 99
		return payload{token, o}
	}, 8, 0},

	// Parents of buffers.
	{"parent", func(m *memory) payload { return payload{token, m.buffer(quads(0, 0)), m.buffer(quads(1)).in(0, 0)} }, 24, 0},
	{"parent at the data's start", func(m *memory) payload { return payload{m.buffer(quads(0, 0)), m.buffer(quads(1)).in(0, 0)} }, 24, 0},
	{"parent at the start, after another buffer", func(m *memory) payload {
		return payload{m.buffer(quads(0, 0)), m.buffer(quads(0, 0)), m.buffer(quads(1)).in(0, 0)}
	}, 40, unix.EINVAL},
	{"grandparent at the data's start", func(m *memory) payload {
		return payload{m.buffer(quads(0, 0)), m.buffer(quads(0, 0)), m.buffer(quads(1)).in(1, 0)}
	}, 40, 0},
	{"at the parent's end", func(m *memory) payload { return payload{token, m.buffer(quads(0, 0)), m.buffer(quads(1)).in(0, 8)} }, 24, 0},
	{"offset unaligned by 4", func(m *memory) payload { return payload{token, m.buffer(quads(0, 0)), m.buffer(quads(1)).in(0, 4)} }, 24, 0},
	{"offset unaligned by 2", func(m *memory) payload { return payload{token, m.buffer(quads(0, 0)), m.buffer(quads(1)).in(0, 2)} }, 24, 0},
	{"offset odd", func(m *memory) payload { return payload{token, m.buffer(quads(0, 0)), m.buffer(quads(1)).in(0, 1)} }, 24, 0},
	{"offset too near to the end", func(m *memory) payload { return payload{token, m.buffer(quads(0, 0)), m.buffer(quads(1)).in(0, 12)} }, 24, unix.EINVAL},
	{"offset is the end", func(m *memory) payload { return payload{token, m.buffer(quads(0, 0)), m.buffer(quads(1)).in(0, 16)} }, 24, unix.EINVAL},
	{"offset beyond the end", func(m *memory) payload { return payload{token, m.buffer(quads(0, 0)), m.buffer(quads(1)).in(0, 24)} }, 24, unix.EINVAL},
	{"offset huge", func(m *memory) payload {
		return payload{token, m.buffer(quads(0, 0)), m.buffer(quads(1)).in(0, 1<<64-8)}
	}, 24, unix.EINVAL},
	{"offset negative", func(m *memory) payload {
		return payload{token, m.buffer(quads(0, 0)), m.buffer(quads(1)).in(0, 1<<64-16)}
	}, 24, unix.EINVAL},
	{"parent smaller than a pointer", func(m *memory) payload { return payload{token, at(m.put(quads(0)), 7), m.buffer(quads(1)).in(0, 0)} }, 24, unix.EINVAL},
	{"parent of length 0", func(m *memory) payload { return payload{token, at(m.next, 0), m.buffer(quads(1)).in(0, 0)} }, 24, unix.EINVAL},
	{"parent is itself", func(m *memory) payload { return payload{token, m.buffer(quads(0, 0)).in(0, 0)} }, 24, unix.EINVAL},
	{"parent is itself, second", func(m *memory) payload { return payload{token, m.buffer(quads(0, 0)), m.buffer(quads(0, 0)).in(1, 0)} }, 32, unix.EINVAL},
	{"parent comes later", func(m *memory) payload { return payload{token, m.buffer(quads(0, 0)).in(1, 0), m.buffer(quads(0, 0))} }, 32, unix.EINVAL},
	{"parent out of range", func(m *memory) payload { return payload{token, m.buffer(quads(0, 0)), m.buffer(quads(0, 0)).in(2, 0)} }, 32, unix.EINVAL},
	{"parent huge", func(m *memory) payload {
		return payload{token, m.buffer(quads(0, 0)), m.buffer(quads(0, 0)).in(1<<64-1, 0)}
	}, 32, unix.EINVAL},
	{"parent 2^32", func(m *memory) payload {
		return payload{token, m.buffer(quads(0, 0)), m.buffer(quads(0, 0)).in(1<<32, 0)}
	}, 32, unix.EINVAL},
	{"parent 2^61", func(m *memory) payload {
		return payload{token, m.buffer(quads(0, 0)), m.buffer(quads(0, 0)).in(1<<61, 0)}
	}, 32, unix.EINVAL},
	{"parent is a node", func(m *memory) payload { return payload{token, node(0x10, 0x20), m.buffer(quads(1)).in(0, 0)} }, 8, unix.EINVAL},
	{"parent is a file", func(m *memory) payload { return payload{token, file(0), m.buffer(quads(1)).in(0, 0)} }, 8, unix.EINVAL},
	{"no parent, but the first buffer has one", func(m *memory) payload { return payload{token, m.buffer(quads(1)).in(0, 0)} }, 8, unix.EINVAL},
	{"children in order", func(m *memory) payload {
		return payload{token, m.buffer(quads(0, 0)), m.buffer(quads(1)).in(0, 0), m.buffer(quads(2)).in(0, 8)}
	}, 32, 0},
	{"children out of order", func(m *memory) payload {
		return payload{token, m.buffer(quads(0, 0)), m.buffer(quads(1)).in(0, 8), m.buffer(quads(2)).in(0, 0)}
	}, 32, unix.EINVAL},
	{"children at the same place", func(m *memory) payload {
		return payload{token, m.buffer(quads(0, 0)), m.buffer(quads(1)).in(0, 0), m.buffer(quads(2)).in(0, 0)}
	}, 32, unix.EINVAL},
	{"children overlap", func(m *memory) payload {
		return payload{token, m.buffer(quads(0, 0)), m.buffer(quads(1)).in(0, 0), m.buffer(quads(2)).in(0, 4)}
	}, 32, unix.EINVAL},
	{"children of length 0", func(m *memory) payload {
		return payload{token, m.buffer(quads(0, 0)), at(0, 0).in(0, 0), at(0, 0).in(0, 8)}
	}, 16, 0},
	{"another buffer between the children", func(m *memory) payload {
		return payload{token, m.buffer(quads(0, 0)), m.buffer(quads(1)).in(0, 0), m.buffer(quads(2)), m.buffer(quads(3)).in(0, 8)}
	}, 40, unix.EINVAL},
	{"another buffer between parent and child", func(m *memory) payload {
		return payload{token, m.buffer(quads(0, 0)), m.buffer(quads(2)), m.buffer(quads(3)).in(0, 8)}
	}, 40, unix.EINVAL},
	{"other objects between parent and child", func(m *memory) payload {
		return payload{token, m.buffer(quads(0, 0)), node(0x10, 0), file(0), text("1234"), m.buffer(quads(3)).in(0, 8)}
	}, 24, 0},
	{"grandchild", func(m *memory) payload {
		return payload{token, m.buffer(quads(0, 0)), m.buffer(quads(0, 0)).in(0, 0), m.buffer(quads(1)).in(1, 8)}
	}, 40, 0},
	{"child after grandchild", func(m *memory) payload {
		return payload{token, m.buffer(quads(0, 0)), m.buffer(quads(0, 0)).in(0, 0), m.buffer(quads(1)).in(1, 8), m.buffer(quads(2)).in(0, 8)}
	}, 48, 0},
	{"child after grandchild, out of order", func(m *memory) payload {
		return payload{token, m.buffer(quads(0, 0)), m.buffer(quads(0, 0)).in(0, 8), m.buffer(quads(1)).in(1, 0), m.buffer(quads(2)).in(0, 0)}
	}, 48, unix.EINVAL},
	{"grandchild of a child that is done", func(m *memory) payload {
		return payload{token, m.buffer(quads(0, 0)), m.buffer(quads(0, 0)).in(0, 0), m.buffer(quads(1)).in(0, 8), m.buffer(quads(2)).in(1, 0)}
	}, 48, unix.EINVAL},
	{"child after grandchildren of two levels", func(m *memory) payload {
		return payload{token, m.buffer(quads(0, 0)), m.buffer(quads(0, 0)).in(0, 0), m.buffer(quads(0, 0)).in(1, 8), m.buffer(quads(1)).in(2, 0), m.buffer(quads(2)).in(0, 8)}
	}, 64, 0},
	{"two families", func(m *memory) payload {
		return payload{token, m.buffer(quads(0, 0)), m.buffer(quads(1)).in(0, 0), m.buffer(quads(0, 0)), m.buffer(quads(2)).in(2, 8)}
	}, 48, 0},

	// Arrays of files.
	{"files", func(m *memory) payload { return payload{token, m.buffer([]byte(words(0, 0))), fds(2, 0, 0)} }, 8, 0},
	{"files at the data's start", func(m *memory) payload { return payload{m.buffer([]byte(words(0, 0))), fds(2, 0, 0)} }, 8, 0},
	{"files in the middle", func(m *memory) payload { return payload{token, m.buffer([]byte(words(5, 0, 0, 6))), fds(2, 0, 4)} }, 16, 0},
	{"no files", func(m *memory) payload { return payload{token, m.buffer([]byte(words(0, 0))), fds(0, 0, 0)} }, 8, 0},
	{"no files beyond the end", func(m *memory) payload { return payload{token, m.buffer([]byte(words(0, 0))), fds(0, 0, 99)} }, 8, 0},
	{"no files at 2^64-1", func(m *memory) payload { return payload{token, m.buffer([]byte(words(0, 0))), fds(0, 0, 1<<64-1)} }, 8, 0},
	{"no files in a buffer of length 0", func(m *memory) payload { return payload{token, at(0, 0), fds(0, 0, 0)} }, 8, 0},
	{"a buffer after no files beyond the end", func(m *memory) payload {
		return payload{token, m.buffer(quads(0, 0)), fds(0, 0, 99), m.buffer(quads(1)).in(0, 0)}
	}, 24, unix.EINVAL},
	{"no files and no parent", func(m *memory) payload { return payload{token, fds(0, 0, 0)} }, 8, unix.EINVAL},
	{"files whose parent comes later", func(m *memory) payload { return payload{token, fds(1, 1, 0), m.buffer(quads(0))} }, 8, unix.EINVAL},
	{"files in themselves", func(m *memory) payload { return payload{token, m.buffer(quads(0)), fds(1, 1, 0)} }, 8, unix.EINVAL},
	{"files in a node", func(m *memory) payload { return payload{token, node(0x10, 0), fds(1, 0, 0)} }, 8, unix.EINVAL},
	{"files, parent out of range", func(m *memory) payload { return payload{token, m.buffer(quads(0)), fds(1, 9, 0)} }, 8, unix.EINVAL},
	{"files, parent huge", func(m *memory) payload { return payload{token, m.buffer(quads(0)), fds(1, 1<<64-1, 0)} }, 8, unix.EINVAL},
	{"files beyond the parent", func(m *memory) payload { return payload{token, m.buffer(quads(0)), fds(3, 0, 0)} }, 8, unix.EINVAL},
	{"files up to beyond the parent", func(m *memory) payload { return payload{token, m.buffer(quads(0)), fds(2, 0, 4)} }, 8, unix.EINVAL},
	{"files from the parent's end", func(m *memory) payload { return payload{token, m.buffer(quads(0)), fds(1, 0, 8)} }, 8, unix.EINVAL},
	{"files at a huge offset", func(m *memory) payload { return payload{token, m.buffer(quads(0)), fds(1, 0, 1<<64-4)} }, 8, unix.EINVAL},
	{"files whose size is 2^64", func(m *memory) payload { return payload{token, m.buffer(quads(0)), fds(1<<62, 0, 0)} }, 8, unix.EINVAL},
	{"files whose size overflows", func(m *memory) payload { return payload{token, m.buffer(quads(0)), fds(1<<62+1, 0, 0)} }, 8, unix.EINVAL},
	{"files whose number is 2^64-1", func(m *memory) payload { return payload{token, m.buffer(quads(0)), fds(1<<64-1, 0, 0)} }, 8, unix.EINVAL},
	{"files whose number is 2^32", func(m *memory) payload { return payload{token, m.buffer(quads(0)), fds(1<<32, 0, 0)} }, 8, unix.EINVAL},
	{"files at an offset of 2", func(m *memory) payload { return payload{token, m.buffer(quads(0, 0)), fds(1, 0, 2)} }, 16, unix.EINVAL},
	{"files at an odd offset", func(m *memory) payload { return payload{token, m.buffer(quads(0, 0)), fds(1, 0, 1)} }, 16, unix.EINVAL},
	{"files at an odd address", func(m *memory) payload { return payload{token, at(m.put(quads(0, 0))+1, 8), fds(1, 0, 0)} }, 16, unix.EINVAL},
	{"files at an odd sum of address and offset", func(m *memory) payload { return payload{token, at(m.put(quads(0, 0))+1, 8), fds(1, 0, 3)} }, 16, unix.EINVAL},
	{"a file that is not open", func(m *memory) payload { return payload{token, m.buffer([]byte(words(0, 77))), fds(2, 0, 0)} }, 8, unix.EBADF},
	{"a negative file", func(m *memory) payload { return payload{token, m.buffer([]byte(words(0, ^uint32(0)))), fds(2, 0, 0)} }, 8, unix.EBADF},
	{"files in memory that is not there", func(m *memory) payload { return payload{token, at(4096, 8), fds(1, 0, 0)} }, 8, unix.EINVAL},
	{"files in order", func(m *memory) payload { return payload{token, m.buffer(quads(0)), fds(1, 0, 0), fds(1, 0, 4)} }, 8, 0},
	{"files with a gap", func(m *memory) payload { return payload{token, m.buffer(quads(0, 0)), fds(1, 0, 0), fds(1, 0, 8)} }, 16, 0},
	{"files out of order", func(m *memory) payload { return payload{token, m.buffer(quads(0)), fds(1, 0, 4), fds(1, 0, 0)} }, 8, unix.EINVAL},
	{"files twice", func(m *memory) payload { return payload{token, m.buffer(quads(0)), fds(1, 0, 0), fds(1, 0, 0)} }, 8, unix.EINVAL},
	{"files overlap", func(m *memory) payload { return payload{token, m.buffer(quads(0, 0)), fds(2, 0, 0), fds(2, 0, 4)} }, 16, unix.EINVAL},
	{"files, then a buffer", func(m *memory) payload {
		return payload{token, m.buffer(quads(0, 0)), fds(2, 0, 0), m.buffer(quads(1)).in(0, 8)}
	}, 24, 0},
	{"files that overlap with a buffer", func(m *memory) payload {
		return payload{token, m.buffer(quads(0, 0)), fds(3, 0, 0), m.buffer(quads(1)).in(0, 8)}
	}, 24, unix.EINVAL},
	{"a buffer, then files", func(m *memory) payload {
		return payload{token, m.buffer(quads(0, 0)), m.buffer(quads(1)).in(0, 0), fds(2, 0, 8)}
	}, 24, 0},
	{"a buffer that overlaps with files", func(m *memory) payload {
		return payload{token, m.buffer(quads(0, 0)), m.buffer(quads(1)).in(0, 0), fds(2, 0, 4)}
	}, 24, unix.EINVAL},
	{"files in a child", func(m *memory) payload {
		return payload{token, m.buffer(quads(0, 0)), m.buffer(quads(0)).in(0, 0), fds(2, 1, 0)}
	}, 24, 0},
	{"files in a child, then a buffer", func(m *memory) payload {
		return payload{token, m.buffer(quads(0, 0)), m.buffer(quads(0)).in(0, 0), fds(2, 1, 0), m.buffer(quads(0)).in(0, 8)}
	}, 32, 0},
	{"files in a buffer, with another between", func(m *memory) payload {
		return payload{token, m.buffer(quads(0)), m.buffer(quads(0)), fds(2, 0, 0)}
	}, 16, unix.EINVAL},
	{"good buffers, then a bad handle", func(m *memory) payload {
		return payload{token, m.buffer(quads(0, 0)), m.buffer(quads(0)).in(0, 0), fds(2, 0, 8), handle(99)}
	}, 24, unix.EINVAL},
	{"good buffers and a node, then an unknown type", func(m *memory) payload {
		return payload{token, m.buffer(quads(0, 0)), node(0x10, 0x20), fds(2, 0, 8), object{Type: 1}}
	}, 24, unix.EINVAL},
	{"a node, then a bad buffer", func(m *memory) payload { return payload{token, node(0x10, 0x20), m.buffer(quads(0, 0))} }, 8, unix.EINVAL},
}

// sgOther holds the cases that end differently on the Linux driver that is not followed.
var sgOther = map[string]struct {
	errno unix.Errno
	in    difference
}{
	"unreadable":                        {unix.EFAULT, onErrno},
	"address wraps around":              {unix.EFAULT, onErrno},
	"address of the kernel":             {unix.EFAULT, onErrno},
	"unreadable after a good one":       {unix.EFAULT, onErrno},
	"files in memory that is not there": {unix.EFAULT, onErrno},
	"space of 2^64-8":                   {unix.ENOMEM, onErrno},
	"good buffers, then a bad handle":   {unix.ENOENT, onErrno},
	"parent at the data's start":        {unix.EINVAL, onParents},
	"files at the data's start":         {unix.EINVAL, onParents},
	"offset unaligned by 2":             {unix.EINVAL, onAlignment},
	"offset odd":                        {unix.EINVAL, onAlignment},
	"no files beyond the end":           {unix.EINVAL, onEmptyArrays},
	"no files at 2^64-1":                {unix.EINVAL, onEmptyArrays},
}

// Contents with buffers arrive, or the transaction fails with one failure to its sender,
// and nothing is left of it.
//
//covers:scatter-gather,pointers,files,malformed
func TestScatterGather(t *testing.T) {
	sharedServer, sharedClient := newFileServer(t), newProcess(t)
	for _, tc := range sgCases {
		t.Run(tc.name, func(t *testing.T) {
			server, client := sharedServer.as(t), sharedClient.as(t)
			errno := tc.errno
			if other, ok := sgOther[tc.name]; ok && differs(t, other.in) {
				errno = other.errno
			}
			m := newMemory(t)
			for _, flags := range []uint32{0, oneWay} {
				client.write(bcTransactionSG{bcTransaction{flags: flags, payload: tc.make(m)}, tc.size})
				if errno != 0 {
					client.expect(brNoop, brFailedReply)
					client.expectError(brFailedReply, errno)
					server.expectNothing()
					continue
				}
				got := server.readMessage()
				server.write(got.free())
				if flags == 0 {
					server.write(bcReply{})
					client.write(client.readMessage().free())
				} else {
					client.read()
				}
			}
		})
	}
}

// readMessage reads until there's a message.
func (th *thread) readMessage() *message {
	th.t.Helper()
	for {
		for _, r := range th.read() {
			if m, ok := r.(*message); ok {
				return m
			}
		}
	}
}

// sendSG sends p to the manager, and returns what arrives.
func sendSG(server, client *process, size uint64, p payload) *message {
	client.t.Helper()
	client.write(bcTransactionSG{bcTransaction{flags: oneWay, payload: p}, size})
	return server.read().message(server.t)
}

// moved returns the buffer as its receiver finds it at address addr.
func (o bufferObject) moved(addr uint64) bufferObject {
	o.Buffer = addr
	return o
}

// expectPayload checks the data and the offsets of a received message.
func (m *message) expectPayload(t testing.TB, want ...part) {
	t.Helper()
	data, offsets := payload(want).encode()
	require.Equal(t, describe(data, offsets), describe(m.data, m.offsets))
}

// Buffers follow each other after the offsets, each aligned to 8 bytes; the objects say
// where.
func TestSGBuffers(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	m := newMemory(t)
	one, two, none, three := m.buffer([]byte("one")), m.buffer([]byte("123456789")), at(badAddress, 0), m.buffer([]byte("three"))
	two.Flags = 0xf0
	three.Parent, three.ParentOffset = 5, 6
	got := sendSG(server, client, 64, payload{token, one, text("text"), two, none, three, text("end")})
	extra := got.extra()
	got.expectPayload(t, token, one.moved(extra), text("text"), two.moved(extra+8), none.moved(extra+24), three.moved(extra+24), text("end"))
	require.Equal(t, "one", string(server.bytes(got, 0)))
	require.Equal(t, "123456789", string(server.bytes(got, 1)))
	require.Equal(t, "three", string(server.bytes(got, 3)))
}

// Large buffers arrive whole.
func TestSGLargeBuffers(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	m := newMemory(t)
	one, two := m.buffer([]byte(space(20_001))), m.buffer([]byte(space(9_000)))
	got := sendSG(server, client, 30_000, payload{token, one, two})
	require.Equal(t, string(space(20_001)), string(server.bytes(got, 0)))
	require.Equal(t, string(space(9_000)), string(server.bytes(got, 1)))
}

// Objects without buffers can be in such a transaction as in any other.
func TestSGWithoutBuffers(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.call(server.thread, bcTransaction{}, nil)
	client.write(bcTransactionSG{bcTransaction{flags: oneWay, code: 7, payload: payload{node(0x10, 0x20)}}, 0})
	server.expect(brNoop, &message{flags: oneWay, code: 7, payload: payload{handle(1)}})
}

// An empty buffer needs no space, so it can be anywhere.
func TestEmptyBufferInPlainTransaction(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.write(bcTransaction{flags: oneWay, payload: payload{token, at(0, 0)}})
	got := server.read().message(t)
	got.expectPayload(t, token, at(uintptr(got.extra()), 0))
	client.expect(brNoop, brTransactionComplete)

	client.write(bcTransaction{flags: oneWay, payload: payload{token, newMemory(t).buffer(quads(1))}})
	client.expect(brNoop, brFailedReply)
	client.expectError(brFailedReply, unix.EINVAL)
}

// The pointer to a buffer in its parent is set to the receiver's address, at any offset
// in the parent.
func TestSGParent(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	for _, offset := range []uint64{0, 8, 16, 4, 12} {
		m := newMemory(t)
		parent, child := m.buffer([]byte(space(24))), m.buffer([]byte("child")).in(0, offset)
		got := sendSG(server, client, 32, payload{token, parent, child})
		got.expectPayload(t, token, parent.moved(got.extra()), child.moved(got.extra()+24))
		require.Equal(t, "child", string(server.bytes(got, 1)))
		want := []byte(space(24))
		binary.NativeEndian.PutUint64(want[offset:], got.extra()+24)
		require.Equal(t, want, server.bytes(got, 0), "offset %d", offset)
		server.write(got.free())
	}
}

// hidlString is a hidl_string: a pointer, a length, and whether it is owned.
func hidlString(length uint64) []byte { return quads(0xdead, length) }

// sgStrings stores a hidl_vec of hidl_strings in m. The first of the objects has index
// first.
func sgStrings(m *memory, first uint64, strings ...string) (p payload, size uint64) {
	var elements []byte
	for _, s := range strings {
		elements = append(elements, hidlString(uint64(len(s)))...)
	}
	p = payload{m.buffer(quads(0xdead, uint64(len(strings)))), m.buffer(elements).in(first, 0)}
	size = 16 + uint64(len(elements))
	for i, s := range strings {
		p = append(p, m.buffer([]byte(s+"\x00")).in(first+1, uint64(16*i)))
		size += uint64(len(s)+1+7) &^ 7
	}
	return p, size
}

// hidlStrings returns the strings of the hidl_vec at addr.
func (th *thread) hidlStrings(addr uint64) []string {
	th.t.Helper()
	vector := func(addr uint64) (at, n uint64) {
		b, err := th.ReadMemory(th.t, uintptr(addr), 16)
		require.NoError(th.t, err)
		return binary.NativeEndian.Uint64(b), binary.NativeEndian.Uint64(b[8:])
	}
	var strings []string
	elements, n := vector(addr)
	for i := range n {
		at, length := vector(elements + 16*i)
		b, err := th.ReadMemory(th.t, uintptr(at), int(length+1))
		require.NoError(th.t, err)
		require.Zero(th.t, b[length])
		strings = append(strings, string(b[:length]))
	}
	return strings
}

// A vector of strings, as HIDL sends it, arrives as such: in a call, in its reply, and
// one-way.
func TestSGStrings(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	m := newMemory(t)
	words := []string{"hello", "", "a longer string than the others"}
	p, size := sgStrings(m, 0, words...)
	p = append(payload{token}, p...)
	call := bcTransactionSG{bcTransaction{code: 1, payload: p}, size}

	client.start(readSize, call)
	got := server.read().message(t)
	require.Equal(t, words, server.hidlStrings(got.pointer(0).Buffer))
	p, size = sgStrings(m, 0, "an", "answer")
	server.write(bcReplySG{bcTransaction{payload: append(payload{token}, p...)}, size}, got.free())
	server.expect(brNoop, brTransactionComplete)
	answer := client.finish().ok(t).message(t)
	require.Equal(t, []string{"an", "answer"}, client.hidlStrings(answer.pointer(0).Buffer))
	client.write(answer.free())

	call.flags = oneWay
	client.write(call)
	got = server.read().message(t)
	require.Equal(t, words, server.hidlStrings(got.pointer(0).Buffer))
}

// Two such vectors, and a node between them.
func TestSGTwoVectors(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	m := newMemory(t)
	one, size1 := sgStrings(m, 0, "x", "yy")
	two, size2 := sgStrings(m, 5, "zzz")
	p := append(append(append(payload{token}, one...), node(0x10, 0x20)), two...)
	got := sendSG(server, client, size1+size2, p)
	require.Equal(t, []string{"x", "yy"}, server.hidlStrings(got.pointer(0).Buffer))
	require.Equal(t, handle(1), got.object(4))
	require.Equal(t, []string{"zzz"}, server.hidlStrings(got.pointer(5).Buffer))
}

// A chain of buffers, each in the previous one, and then the other children of each, from
// the last to the first.
func TestSGDeep(t *testing.T) {
	const depth = 100
	server, client := newManager(t), newProcess(t)
	m := newMemory(t)
	p := payload{token, m.buffer(quads(0, 0))}
	for i := range uint64(depth) {
		p = append(p, m.buffer(quads(0, i)).in(i, 0))
	}
	for i := range uint64(depth) {
		p = append(p, m.buffer(quads(1000+i)).in(depth-1-i, 8))
	}
	got := sendSG(server, client, (1+depth)*16+depth*8, p)
	at := got.pointer(0).Buffer
	for i := range uint64(depth) {
		b, err := server.ReadMemory(t, uintptr(at), 16)
		require.NoError(t, err)
		at = binary.NativeEndian.Uint64(b)
		other, err := server.ReadMemory(t, uintptr(binary.NativeEndian.Uint64(b[8:])), 8)
		require.NoError(t, err)
		require.Equal(t, 1000+depth-1-i, binary.NativeEndian.Uint64(other))
	}
}

// The security context follows the space for buffers.
//
//covers:scatter-gather,security-context
func TestSGWithSecurityContext(t *testing.T) {
	server, client := newCuriousManager(t), newProcess(t)
	m := newMemory(t)
	// The space for buffers excludes that for the context.
	client.write(bcTransactionSG{bcTransaction{flags: oneWay, payload: payload{token, m.buffer(quads(1, 2)), m.buffer(quads(3))}}, 16})
	client.expect(brNoop, brFailedReply)
	got := sendSG(server, client, 24, payload{token, m.buffer(quads(1, 2)), m.buffer(quads(3))})
	require.Equal(t, quads(1, 2), server.bytes(got, 0))
	require.Equal(t, quads(3), server.bytes(got, 1))
	require.Equal(t, got.extra()+24, got.secctx)
	context, err := server.ReadMemory(t, uintptr(got.secctx), len(label))
	require.NoError(t, err)
	require.Equal(t, label, string(context))
}

// A native_handle is a buffer with descriptors in it. They arrive as the receiver's
// descriptors, close-on-exec, and what is around them is unchanged.
//
//covers:pointers,files
func TestSGNativeHandle(t *testing.T) {
	server, client := newFileServer(t), newProcess(t)
	r1, w1 := client.pipe()
	r2, w2 := client.pipe()
	m := newMemory(t)
	buffer := m.buffer([]byte(words(12, 2, 1, uint32(r1), uint32(r2), 77)))
	got := sendSG(server, client, 24, payload{token, buffer, fds(2, 0, 12)})
	got.expectPayload(t, token, buffer.moved(got.extra()), fds(2, 0, 12))
	native := server.bytes(got, 0)
	require.Equal(t, string(words(12, 2, 1)), string(native[:12]))
	require.Equal(t, string(words(77)), string(native[20:]))
	client.writeFile(w1, "one")
	client.writeFile(w2, "two")
	for i, want := range []string{"one", "two"} {
		fd := int(binary.NativeEndian.Uint32(native[12+4*i:]))
		require.EqualValues(t, unix.FD_CLOEXEC, server.Must(t, unix.SYS_FCNTL, uintptr(fd), unix.F_GETFD))
		require.Equal(t, want, server.readFile(fd))
	}
}

// fdArrayIn returns the descriptors of the i-th object of a message, which is a
// buffer of nothing else.
func (th *thread) fdArrayIn(m *message, i int) []int {
	th.t.Helper()
	var fds []int
	for b := th.bytes(m, i); len(b) >= 4; b = b[4:] {
		fds = append(fds, int(int32(binary.NativeEndian.Uint32(b))))
	}
	return fds
}

// isOpen returns whether fd is a descriptor of the thread's process.
func (th *thread) isOpen(fd int) bool {
	th.t.Helper()
	_, err := th.Call(th.t, unix.SYS_FCNTL, uintptr(fd), unix.F_GETFD)
	return err == nil
}

// Descriptors in arrays and separate ones arrive in order.
//
//covers:pointers,files
func TestSGFilesInOrder(t *testing.T) {
	server, client := newFileServer(t), newProcess(t)
	m := newMemory(t)
	var r, w [4]int
	for i := range r {
		r[i], w[i] = client.pipe()
	}
	got := sendSG(server, client, 16, payload{token, file(r[0]),
		m.buffer([]byte(words(uint32(r[1]), uint32(r[2])))), fds(2, 1, 0), file(r[3])})
	all := append([]int{got.fd(0)}, server.fdArrayIn(got, 1)...)
	all = append(all, got.fd(3))
	for i, fd := range all {
		client.writeFile(w[i], string(rune('a'+i)))
		require.Equal(t, string(rune('a'+i)), server.readFile(fd))
		require.Equal(t, all[0]+i, fd)
	}
}

// Descriptors in an array belong to the transaction: freeing its buffer closes them.
// Separate ones stay open.
//
//covers:pointers,free-buffer
func TestSGFreeClosesArrays(t *testing.T) {
	server, client := newFileServer(t), newProcess(t)
	m := newMemory(t)
	got := sendSG(server, client, 24, payload{token, file(0), m.buffer([]byte(words(0, 0))), fds(2, 1, 0), m.buffer(quads(0)), fds(1, 3, 4)})
	array, second := server.fdArrayIn(got, 1), server.fdArrayIn(got, 3)[1]
	kept := int(server.Must(t, unix.SYS_DUP, uintptr(array[0])))
	for _, fd := range append(array, second, got.fd(0)) {
		require.True(t, server.isOpen(fd))
	}
	server.write(got.free())
	for _, fd := range append(array, second) {
		require.False(t, server.isOpen(fd), "descriptor %d", fd)
	}
	require.True(t, server.isOpen(got.fd(0)))
	require.True(t, server.isOpen(kept))
}

// The same in a reply.
//
//covers:pointers,free-buffer
func TestSGFreeClosesArraysOfReply(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.start(readSize, bcTransaction{flags: binder.TF_ACCEPT_FDS})
	server.read()
	server.write(bcReplySG{bcTransaction{payload: payload{token, newMemory(t).buffer([]byte(words(0, 0))), fds(1, 0, 4)}}, 8})
	server.expect(brNoop, brTransactionComplete)
	got := client.finish().ok(t).message(t)
	fd := client.fdArrayIn(got, 0)[1]
	require.True(t, client.isOpen(fd))
	client.write(got.free())
	require.False(t, client.isOpen(fd))
}

// Whatever uses the numbers by then is closed. Unused numbers do no harm.
//
//covers:pointers,free-buffer
func TestSGFreeClosesNumbers(t *testing.T) {
	server, client := newFileServer(t), newProcess(t)
	got := sendSG(server, client, 8, payload{token, newMemory(t).buffer([]byte(words(0, 0))), fds(2, 0, 0)})
	array := server.fdArrayIn(got, 0)
	server.close(array[0])
	server.close(array[1])
	r, _ := server.pipe()
	require.Equal(t, array[0], r)
	server.Must(t, unix.SYS_DUP3, uintptr(array[1]), 100, 0)
	server.close(array[1])
	server.write(got.free())
	require.False(t, server.isOpen(r))
	require.True(t, server.isOpen(100))
}

// A read in the same call that closes descriptors in this way returns at once.
//
//covers:pointers,free-buffer,waiting
func TestSGFreeMakesReadReturn(t *testing.T) {
	server, client := newFileServer(t), newProcess(t)
	got := sendSG(server, client, 8, payload{token, newMemory(t).buffer([]byte(words(0, 0))), fds(2, 0, 0)})
	server.start(readSize, got.free())
	server.finishExpect(brNoop)
	server.startRead()
	client.write(bcTransaction{flags: oneWay})
	server.write(server.finish().ok(t).message(t).free())
	// Not if there are none.
	got = sendSG(server, client, 8, payload{token, newMemory(t).buffer(quads(0)), fds(0, 0, 0)})
	server.startWriteRead(got.free())
}

// The last descriptor for a device can be in an array.
//
//covers:pointers,free-buffer
func TestSGFreeClosesDevice(t *testing.T) {
	server, client := newFileServer(t), newProcess(t)
	other := client.open(defaultDevice, unix.O_RDWR)
	got := sendSG(server, client, 8, payload{token, newMemory(t).buffer([]byte(words(uint32(client.fd), uint32(other)))), fds(2, 0, 0)})
	client.close(other)
	server.write(got.free())
	for _, fd := range server.fdArrayIn(sendSG(server, client, 8, payload{token, newMemory(t).buffer([]byte(words(0, 0))), fds(2, 0, 0)}), 0) {
		require.True(t, server.isOpen(fd))
	}
}

// A receiver that doesn't accept descriptors gets none; an empty array contains none.
//
//covers:pointers,files
func TestSGFilesNotAccepted(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	m := newMemory(t)
	client.write(bcTransactionSG{bcTransaction{flags: oneWay, payload: payload{token, m.buffer(quads(0)), fds(1, 0, 0)}}, 8})
	client.expect(brNoop, brFailedReply)
	client.expectError(brFailedReply, unix.EPERM)
	server.expectNothing()
	client.write(bcTransactionSG{bcTransaction{flags: oneWay, payload: payload{token, m.buffer(quads(0)), fds(0, 0, 0)}}, 8})
	if differs(t, onEmptyArrays) {
		client.expect(brNoop, brFailedReply)
		return
	}
	client.expect(brNoop, brTransactionComplete)
	got := server.read().message(t)
	got.expectPayload(t, token, at(uintptr(got.extra()), 8), fds(0, 0, 0))
}

// The same in a reply: the call fails.
//
//covers:pointers,files
func TestSGFilesInReplyNotAccepted(t *testing.T) {
	server, client := newFileServer(t), newProcess(t)
	client.start(readSize, bcTransaction{})
	server.read()
	server.write(bcReplySG{bcTransaction{payload: payload{token, newMemory(t).buffer(quads(0)), fds(1, 0, 0)}}, 8})
	server.expect(brNoop, brTransactionComplete)
	client.finishExpect(brNoop, brTransactionComplete, brFailedReply)
	client.expectError(brFailedReply, unix.EPERM)
}

// A reply with bad buffers fails the call; the replier is done with it.
//
//covers:scatter-gather,malformed
func TestSGMalformedReply(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.start(readSize, bcTransaction{})
	server.read()
	m := newMemory(t)
	server.write(bcReplySG{bcTransaction{payload: payload{token, m.buffer(quads(0)), m.buffer(quads(0)).in(7, 0)}}, 16})
	server.expect(brNoop, brTransactionComplete)
	client.finishExpect(brNoop, brTransactionComplete, brFailedReply)
	client.expectError(brFailedReply, unix.EINVAL)
}

// A receiver that can't have all descriptors gets none.
//
//covers:pointers,files
func TestSGTooManyFiles(t *testing.T) {
	server, client := newFileServer(t), newProcess(t)
	server.limitFiles()
	server.Must(t, unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NOFILE, 0, server.Scratch())
	limit := int(remote.Struct[unix.Rlimit](server.Scratch()).Cur)
	*remote.Struct[unix.Rlimit](server.Scratch()) = unix.Rlimit{Cur: uint64(limit) + 3, Max: 4096}
	server.Must(t, unix.SYS_SETRLIMIT, unix.RLIMIT_NOFILE, server.Scratch())
	p := payload{token, newMemory(t).buffer([]byte(words(0, 0, 0, 0))), fds(4, 0, 0)}
	client.startWriteRead(bcTransactionSG{bcTransaction{code: 1, payload: p}, 16})
	server.setNonblock(true)
	require.Equal(t, unix.EAGAIN, server.writeRead(readSize).err)
	server.setNonblock(false)
	client.finishExpect(brNoop, brTransactionComplete, brFailedReply)
	for fd := limit; fd < limit+3; fd++ {
		require.False(t, server.isOpen(fd))
	}
}

// Descriptors in flight keep their files open, and no longer than that.
//
//covers:pointers,files
func TestSGFileInFlight(t *testing.T) {
	for name, end := range map[string]func(server, client *process){
		"receiver dies":           func(server, client *process) { server.kill() },
		"received, then it dies":  func(server, client *process) { server.read(); server.kill() },
		"received, then it frees": func(server, client *process) { server.write(server.read().message(server.t).free()) },
	} {
		t.Run(name, func(t *testing.T) {
			server, client := newFileServer(t), newProcess(t)
			r, w := client.pipe()
			m := newMemory(t)
			client.write(bcTransactionSG{bcTransaction{flags: oneWay, payload: payload{token, m.buffer([]byte(words(uint32(w), uint32(w)))), fds(2, 0, 0)}}, 8})
			client.close(w)
			client.startPollFD(r, unix.POLLIN, 0)
			require.Zero(t, client.finishPoll())
			end(server.as(t), client)
			require.Equal(t, "", client.readFile(r))
		})
	}
}

// A failed transaction closes its descriptors, whichever of its objects was bad.
//
//covers:pointers,files,malformed
func TestSGFileInFailedTransaction(t *testing.T) {
	server, client := newFileServer(t), newProcess(t)
	m := newMemory(t)
	for name, rest := range map[string]payload{
		"object":                {handle(99)},
		"buffer":                {at(badAddress, 8)},
		"parent":                {m.buffer(quads(0)).in(0, 0)},
		"array":                 {fds(1, 0, 0)},
		"array of a bad file":   {m.buffer(quads(77)), fds(1, 2, 0)},
		"array of good and bad": {m.buffer([]byte(words(0, 77))), fds(2, 2, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			client := client.as(t)
			r, w := client.pipe()
			p := append(payload{token, m.buffer([]byte(words(0, uint32(w)))), fds(1, 0, 4)}, rest...)
			client.write(bcTransactionSG{bcTransaction{flags: oneWay, payload: p}, 64})
			client.expect(brNoop, brFailedReply)
			client.close(w)
			require.Equal(t, "", client.readFile(r))
			server.as(t).expectNothing()
		})
	}
}

// A receiver whose read fails as the transaction is delivered does not get the
// descriptors. In C it keeps them, though it doesn't know them.
//
//covers:pointers,files
func TestSGReadFaults(t *testing.T) {
	server, client := newFileServer(t), newProcess(t)
	m := newMemory(t)
	first := int(server.Must(t, unix.SYS_DUP, 0))
	server.close(first)
	client.startWriteRead(bcTransactionSG{bcTransaction{code: 1, payload: payload{token, m.buffer([]byte(words(0, 0))), fds(2, 0, 0)}}, 8})
	edge := server.pageEdge()
	server.startRaw(binder.WriteRead{ReadSize: 200, ReadBuffer: uint64(edge - 4)})
	require.Equal(t, unix.EFAULT, server.finish().err)
	client.finishExpect(brNoop, brTransactionComplete, brFailedReply)
	kept := differs(t, onFaultyRead)
	require.Equal(t, [2]bool{kept, kept}, [2]bool{server.isOpen(first), server.isOpen(first + 1)})
}

// The padding of an array of descriptors is cleared.
//
//covers:pointers,files
func TestSGFilesPadding(t *testing.T) {
	server, client := newFileServer(t), newProcess(t)
	m := newMemory(t)
	array := fds(1, 0, 0)
	array.Pad = 0x1234
	got := sendSG(server, client, 8, payload{token, m.buffer(quads(0)), array})
	var came binder.FDArrayObject
	came.UnmarshalBytes(got.data[got.offsets[1]:])
	want := binder.FDArrayObject(array)
	if !differs(t, onPadding) {
		want.Pad = 0
	}
	require.Equal(t, want, came)
}

// An array can contain many descriptors.
//
//covers:pointers,files
func TestSGManyFiles(t *testing.T) {
	const n = 200
	server, client := newFileServer(t), newProcess(t)
	r, w := client.pipe()
	got := sendSG(server, client, 4*n, payload{token, newMemory(t).buffer([]byte(words(slices.Repeat([]uint32{uint32(r)}, n)...))), fds(n, 0, 0)})
	array := server.fdArrayIn(got, 0)
	client.writeFile(w, "hello")
	require.Equal(t, "hello", server.readFile(array[n-1]))
	for i, fd := range array {
		require.Equal(t, array[0]+i, fd)
	}
	server.write(got.free())
	require.False(t, server.isOpen(array[0]) || server.isOpen(array[n-1]))
}
