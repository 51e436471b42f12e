// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/sentry/vfs"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/sentry/devices/binder/alloc"
	"sentrybinder/pkg/sentry/devices/binder/memorytest"
)

// FuzzTransaction sends transactions made from the input: with objects of all kinds in all
// kinds of places, some of them valid and some not. A model predicts which arrive, what
// their receivers find, and how the others fail. Failed ones leave nothing behind, and no
// application sees what others have not sent.
func FuzzTransaction(f *testing.F) {
	fuzzPrograms(f, 11, func(t *testing.T, program []byte) { newExchange(t, program).run() })
}

// maxMessages is the maximum number of messages of a program.
const maxMessages = 40

// exchange is a few applications that send each other a program's messages.
type exchange struct {
	*world
	input []byte
	peers [3]*peer
	files []*vfs.FileDescription

	// unread is true if a message was not read.
	unread bool

	// accepted and refused count messages, children and arrays the contents of the
	// accepted ones.
	accepted, refused, children, arrays int
}

// peer is an application with a thread.
type peer struct {
	*thread

	// secret is a word that no other peer may see. Memory that was not sent is full
	// of it.
	secret uint64

	// buffers are the buffers that the peer has not freed.
	buffers []*letter
}

// letter is a message in flight, and its expected outcome.
type letter struct {
	from, to *peer
	reply    bool

	payload
	dataAddr, dataSize, offsetsAddr, offsetsSize, extra uint64
	filesAllowed, secctx                                bool
	flags                                               uint32

	// The model's prediction: the errno, or zero, the blocks, their fix-ups, and the
	// files by the offsets of their descriptors in the buffer.
	errno  error
	blocks map[int]modelBlock
	files  []modelFile

	// addr is the buffer's address in the receiver, and alone holds the descriptors
	// outside of arrays.
	addr  uint64
	alone []int32
}

// modelBlock is a PTR object and its block.
type modelBlock struct {
	binder.BufferObject

	// start is the block's offset in the extra space.
	start uint64

	// contents is the contents that arrive, except for the pointers, which are
	// children, by offset and index.
	contents []byte
	children map[uint64]int
}

// modelFile is a sent file.
type modelFile struct {
	file *vfs.FileDescription

	// block is the index of the block that it's in, or -1 for the data, and offset
	// the offset of its descriptor in there.
	block  int
	offset uint64
}

// oneWay returns whether l has no reply.
func (l *letter) oneWay() bool { return l.flags&binder.TF_ONE_WAY != 0 }

func newExchange(t testing.TB, program []byte) *exchange {
	x := &exchange{world: newWorld(t), input: program}
	for i := range x.peers {
		th := x.newApp()
		th.app.maxFiles = 12
		x.peers[i] = &peer{thread: th, secret: 0xdeadbeefcafe0000 | uint64(th.pid)*0x101}
		for range 3 {
			file := newEventFile(t)
			file.IncRef()
			x.files = append(x.files, file)
			th.app.installFile(file)
		}
	}
	for i, p := range x.peers {
		for j, q := range x.peers {
			if i == j {
				continue
			}
			// q's nodes for p: 1 accepts files, 2 doesn't, and 3 requests security
			// contexts.
			for n := range uint64(3) {
				ptr := nodeFor(p, n)
				x.give(q.thread, p.thread, ptr)
				node := q.node(ptr)
				node.acceptsFDs, node.wantsSecctx = n != 1, n == 2
			}
		}
	}
	return x
}

// nodeFor returns the address of others' n-th node for p.
func nodeFor(p *peer, n uint64) uint64 { return 0x1000*uint64(p.pid) + 0x10*n }

// node returns p's node at ptr, or nil.
//
// +checklocksignore
func (p *peer) node(ptr uint64) *Node { return p.app.Process.inner.nodes.get(ptr) }

// ref returns p's Ref for handle, or nil.
//
// +checklocksignore
func (p *peer) ref(handle uint32) *Ref { return p.app.Process.handles.get(handle) }

// handleFor returns p's handle for a node.
//
// +checklocksignore
func (p *peer) handleFor(n *Node) uint32 { return n.refOf(p.app.Process).handle }

// errno returns the errno of BINDER_GET_EXTENDED_ERROR.
func (p *peer) errno() int32 { return -p.state().takeError().Param }

// byte returns the next byte of the program, or 0 at its end.
func (x *exchange) byte() byte {
	if len(x.input) == 0 {
		return 0
	}
	b := x.input[0]
	x.input = x.input[1:]
	return b
}

// choose returns one of a few things.
func choose[T any](x *exchange, from ...T) T { return from[int(x.byte())%len(from)] }

// rarely returns true in one of n cases, and never at the program's end.
func (x *exchange) rarely(n byte) bool { return x.byte()%n == n-1 }

func (x *exchange) run() {
	for range maxMessages {
		if len(x.input) == 0 {
			break
		}
		x.exchange()
	}
	if !x.unread && x.byte()%2 == 0 {
		// Only the files are left when all is freed.
		for _, p := range x.peers {
			x.freeAll(p)
		}
		x.checkFiles()
	}
	x.closeAll()
	x.requireEmpty()
	for _, p := range x.peers {
		p.app.Process.requireGone(x.world)
	}
	for _, file := range x.files {
		x.check(file.ReadRefs() == 1, "no application has a file")
		file.DecRef(memorytest.Context())
	}
}

// exchange sends a message, and, if it is a call, a reply.
func (x *exchange) exchange() {
	i := x.byte() % 6
	from := x.peers[i%3]
	to := x.peers[(i%3+1+i/3)%3]
	for _, p := range x.peers {
		if len(p.buffers) > 2 {
			x.freeAll(p)
		}
	}
	node := uint64(x.byte() % 3)
	n := to.node(nodeFor(from, node))
	l := &letter{
		from: from, to: to,
		flags:        choose[uint32](x, 0, binder.TF_ONE_WAY) | choose[uint32](x, 0, binder.TF_ACCEPT_FDS, binder.TF_CLEAR_BUF),
		filesAllowed: n.acceptsFDs,
		secctx:       n.wantsSecctx,
	}
	if !x.send(l, from.handleFor(n)) || l.oneWay() {
		return
	}
	answer := &letter{from: to, to: from, reply: true, filesAllowed: l.flags&binder.TF_ACCEPT_FDS != 0}
	x.send(answer, 0)
}

// send sends l, and checks the outcome. It returns true if the receiver got it.
func (x *exchange) send(l *letter, handle uint32) bool {
	from, to := l.from, l.to
	if l.oneWay() {
		// It would wait for earlier ones to be freed.
		x.freeAll(to)
	}
	for _, p := range x.peers {
		p.readNothing()
	}
	x.write(l)
	l.errno = x.model(l)
	before, refs := x.active(), x.fileRefs()
	from.write(x.command(l, handle))
	if l.errno == nil && x.byte() == 0xff {
		// The program ends before the message is read.
		x.unread, x.input = true, nil
		return false
	}
	if l.errno != nil {
		x.refused++
		if l.reply {
			from.expect(binder.BR_TRANSACTION_COMPLETE)
			to.readUntil(binder.BR_FAILED_REPLY)
			x.check(to.errno() == errnoOf(l.errno), "a reply fails as in the model")
			before["transaction"]--
			before["transaction_complete"]--
		} else {
			from.expect(binder.BR_FAILED_REPLY)
			x.checkErrno(from.errno(), l)
		}
		require.Equal(x.t, before, x.active())
		require.Equal(x.t, refs, x.fileRefs())
		x.requireSound()
		x.checkSecrets()
		return false
	}
	x.accepted++
	for _, b := range l.blocks {
		x.children += len(b.children)
	}
	for _, f := range l.files {
		if f.block >= 0 {
			x.arrays++
		}
	}
	come := x.receive(l)
	x.requireSound()
	x.checkSecrets()
	return come
}

// checkErrno checks l's failure.
func (x *exchange) checkErrno(got int32, l *letter) {
	if got != errnoOf(l.errno) {
		x.t.Fatalf("errno %d, the model has %v, for data % x and offsets %v", got, l.errno, l.data, l.offsets)
	}
}

// errnoOf returns the number of err.
func errnoOf(err error) int32 { return -extendedErrorOf(0, failedContents.by(err)).param }

// readUntil reads until one of brs, and returns it.
func (p *peer) readUntil(brs ...uint32) ret {
	for range 20 {
		for _, r := range p.read() {
			if slices.Contains(brs, r.br) {
				return r
			}
		}
	}
	p.w.t.Fatalf("none of %v was read", names(brs))
	return ret{}
}

// fileRefs returns the numbers of references to the files.
func (x *exchange) fileRefs() []int64 {
	var refs []int64
	for _, file := range x.files {
		refs = append(refs, file.ReadRefs())
	}
	return refs
}

// checkFiles checks that only the applications, and x, have the files.
func (x *exchange) checkFiles() {
	for _, file := range x.files {
		n := int64(1)
		for _, p := range x.peers {
			for _, have := range p.files {
				if have == file {
					n++
				}
			}
		}
		x.check(file.ReadRefs() == n, "a file has only the references of applications")
	}
}

// checkSecrets checks that no peer sees the secret of another.
//
// +checklocksignore
func (x *exchange) checkSecrets() {
	for _, p := range x.peers {
		for at := uint64(0); at < testMapping; at += hostarch.PageSize {
			b, err := p.peek(testMapAddr+at, hostarch.PageSize)
			if err != nil {
				continue
			}
			for _, q := range x.peers {
				if q == p {
					continue
				}
				if i := bytes.Index(b, word(q.secret)); i >= 0 {
					x.t.Fatalf("app %d sees app %d's secret at %#x", p.pid, q.pid, at+uint64(i))
				}
			}
		}
	}
}

func word(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }

// Blocks are in the last part of a peer's memory.
const (
	blocksAddr = appMemory - 16<<10
	blocksEnd  = appMemory - 64
)

// write composes l in its sender's memory. What is not sent from there is secret.
func (x *exchange) write(l *letter) {
	from := l.from
	mem := from.mem.Bytes[arenaAddr:]
	for i, s := 0, word(from.secret); i < len(mem); i += len(s) {
		copy(mem[i:], s)
	}
	copy(mem[len(mem)-64:], bytes.Repeat([]byte{0x5e}, 64))

	type sketch struct {
		index        int
		addr, length uint64
		next         uint64
	}
	var blocks []*sketch
	next := uint64(blocksAddr)
	need := uint64(0)
	put := func(o any) {
		for range choose(x, 0, 1, 0, 3) {
			l.data = append(l.data, 'd', 'a', 't', 'a')
		}
		offset := uint64(len(l.data))
		if x.rarely(64) {
			offset = choose[uint64](x, 0, 1, offset+1, offset+2, offset+4, offset+8, offset-4, 1<<63, math.MaxUint64, math.MaxUint64-7)
		}
		l.offsets = append(l.offsets, offset)
		l.data = must(binary.Append(l.data, binary.LittleEndian, o))
	}
	// parent returns the block for the next fix-up, and the offset.
	parent := func(size, align uint64) (s *sketch, index, offset uint64) {
		s = blocks[len(blocks)-1-min(int(choose(x, 0, 0, 1, 2)), len(blocks)-1)]
		offset = (s.next + align - 1) &^ (align - 1)
		if x.rarely(8) {
			offset += choose(x, align, 4, 8)
		}
		index = uint64(s.index)
		if x.rarely(32) {
			offset = choose[uint64](x, 0, 1, 2, 3, 4, s.length, s.length-8, s.length-size, s.length+8, 1<<63, math.MaxUint64-7, math.MaxUint64)
		}
		if x.rarely(32) {
			index = choose[uint64](x, 0, uint64(len(l.offsets)), uint64(len(l.offsets)+1), 1<<61, 1<<32, math.MaxUint64)
		}
		s.next = offset + size
		return s, index, offset
	}
	if x.byte()%16 != 0 {
		l.data = append(l.data, "token..\x00"...)
	}
	for range x.byte() % 12 {
		switch kind := x.byte() % 16; {
		case kind == 0:
			ptr := x.nodePtr(from)
			put(binder.FlatObject{Type: choose[uint32](x, binder.BINDER_TYPE_BINDER, binder.BINDER_TYPE_WEAK_BINDER), Binder: ptr, Cookie: x.cookie(from, ptr)})
		case kind == 1:
			put(binder.FlatObject{Type: choose[uint32](x, binder.BINDER_TYPE_HANDLE, binder.BINDER_TYPE_WEAK_HANDLE), Binder: x.handle()})
		case kind == 2:
			put(fileObject(x.fd()))
		case kind == 3 && x.rarely(8):
			put(binder.FlatObject{Type: choose[uint32](x, 0, 1, binder.BINDER_TYPE_PTR^1, math.MaxUint32)})
		case kind < 11:
			// A block.
			s := &sketch{index: len(l.offsets), addr: next, length: choose[uint64](x, 16, 8, 24, 64, 12, 5, 0, 200)}
			if s.addr+s.length > blocksEnd {
				continue
			}
			next += (s.length + 7) &^ 7
			for i := range s.length {
				from.mem.Bytes[s.addr+i] = byte(i) | 0x80
			}
			o := binder.BufferObject{Type: binder.BINDER_TYPE_PTR, Buffer: s.addr, Length: s.length}
			if x.rarely(8) {
				o.Flags = choose[uint32](x, 2, 0xfffffffe)
				o.Parent, o.ParentOffset = 3, 5
			}
			if x.rarely(64) {
				o.Buffer = choose[uint64](x, badAddr, 0, appMemory-4, appMemory-16, math.MaxUint64-3, 1<<63)
			}
			if x.rarely(64) {
				o.Length = choose[uint64](x, math.MaxUint64, math.MaxUint64-7, 1<<63)
			}
			if len(blocks) > 0 && x.byte()%4 != 0 {
				p, index, offset := parent(8, 8)
				o.Flags |= binder.BINDER_BUFFER_FLAG_HAS_PARENT
				o.Parent, o.ParentOffset = index, offset
				if end := offset + 8; end >= 8 && end <= p.length {
					// The pointer is the sender's secret.
					copy(from.mem.Bytes[p.addr+offset:], word(from.secret))
				}
			}
			blocks = append(blocks, s)
			put(o)
			if o.Length < 1<<20 {
				need += (o.Length + 7) &^ 7
			}
		case len(blocks) > 0:
			// An array of files.
			n := choose[uint64](x, 1, 2, 0, 3)
			p, index, offset := parent(4*n, 4)
			for i := range n {
				if at := offset + 4*i; at < p.length && at+4 <= p.length {
					binary.LittleEndian.PutUint32(from.mem.Bytes[p.addr+at:], uint32(x.fd()))
				}
			}
			if x.rarely(32) {
				n = choose[uint64](x, 100, 1<<30, 1<<32, 1<<62, 1<<62+1, math.MaxUint64)
			}
			put(binder.FDArrayObject{Type: binder.BINDER_TYPE_FDA, NumFDs: n, Parent: index, ParentOffset: offset})
		}
	}
	l.dataAddr, l.dataSize = from.put(l.data), uint64(len(l.data))
	l.offsetsAddr = from.put(must(binary.Append(nil, binary.LittleEndian, l.offsets)))
	l.offsetsSize = uint64(len(l.offsets)) * alloc.OffsetSize
	l.extra = need
	switch x.byte() {
	case 0xff:
		l.dataSize = choose[uint64](x, l.dataSize-1, l.dataSize-8, l.dataSize-20, math.MaxUint64, math.MaxUint64-7, 1<<63, testMapping+8)
	case 0xfe:
		l.offsetsSize = choose[uint64](x, l.offsetsSize+1, l.offsetsSize+7, l.offsetsSize-4, math.MaxUint64, 1<<63)
	case 0xfd:
		l.dataAddr = choose[uint64](x, badAddr, math.MaxUint64-7, appMemory-8)
	case 0xfc:
		l.offsetsAddr = choose[uint64](x, badAddr, math.MaxUint64-7, appMemory-4)
	case 0xfb, 0xfa, 0xf9, 0xf8:
		l.extra = choose[uint64](x, need-8, need+8, need+64, need+4, 7, 0, testMapping+8, math.MaxUint64, math.MaxUint64-7, 1<<63)
	}
}

// nodePtr returns the address of a node of p's that may exist.
func (x *exchange) nodePtr(p *peer) uint64 {
	b := x.byte()
	if q := x.peers[b/8%3]; b%2 == 0 && q != p {
		return nodeFor(q, uint64(b/2%3))
	}
	return 0x10 * uint64(b/2%4)
}

// cookie returns the cookie of p's node at ptr, most of the time. Nodes without a cookie
// get the secret.
func (x *exchange) cookie(p *peer, ptr uint64) uint64 {
	if x.rarely(32) {
		return 1
	}
	if n := p.node(ptr); n != nil {
		return n.cookie
	}
	return p.secret
}

// handle returns a handle that may exist.
func (x *exchange) handle() uint64 {
	if x.rarely(16) {
		return choose[uint64](x, 0, 7, 99, math.MaxUint32)
	}
	return 1 + uint64(x.byte()%6)
}

// fd returns a descriptor that may exist.
func (x *exchange) fd() int32 {
	if x.rarely(32) {
		return choose[int32](x, -1, 0, 99, math.MinInt32)
	}
	return 3 + int32(x.byte()%3)
}

// command returns the command that sends l.
func (x *exchange) command(l *letter, handle uint32) []byte {
	td := binder.TransactionData{
		Target:      uint64(handle),
		Flags:       l.flags,
		DataSize:    l.dataSize,
		OffsetsSize: l.offsetsSize,
		Buffer:      l.dataAddr,
		Offsets:     l.offsetsAddr,
	}
	code := uint32(binder.BC_TRANSACTION)
	if l.reply {
		code = binder.BC_REPLY
	}
	if l.extra == 0 {
		return cmd(code, td)
	}
	return cmd(code+binder.BC_TRANSACTION_SG-binder.BC_TRANSACTION, td, l.extra)
}

// memory returns n bytes of p's memory, or false if they are not mapped.
func (p *peer) memory(addr, n uint64) ([]byte, bool) {
	if n == 0 {
		return nil, true
	}
	size := uint64(len(p.mem.Bytes))
	if addr >= size || n > size-addr {
		return nil, false
	}
	return p.mem.Bytes[addr : addr+n], true
}

// model predicts the outcome of l: it sets the blocks and the files, or returns the error.
// It does so in the most direct way: to find out whether a fix-up is in order, it goes from
// the last block to its parents.
func (x *exchange) model(l *letter) error {
	extra := l.extra
	if l.secctx {
		more, carry := bits.Add64(extra, (uint64(len(testLabel))+1+7)&^7, 0)
		if carry != 0 {
			return linuxerr.EINVAL
		}
		extra = more
	}
	total := uint64(0)
	for _, n := range []uint64{l.dataSize, l.offsetsSize, extra} {
		if n > math.MaxUint64-7 {
			return linuxerr.EINVAL
		}
		sum, carry := bits.Add64(total, (n+7)&^7, 0)
		if carry != 0 {
			return linuxerr.EINVAL
		}
		total = sum
	}
	// Possible ones are so small that there's room.
	if total > testMapping {
		return linuxerr.ENOSPC
	}
	rawOffsets, ok := l.from.memory(l.offsetsAddr, l.offsetsSize)
	if !ok {
		return linuxerr.EFAULT
	}
	if l.offsetsSize%8 != 0 || l.extra%8 != 0 {
		return linuxerr.EINVAL
	}
	l.blocks = make(map[int]modelBlock)
	cookies := make(map[uint64]uint64)
	done, used := uint64(0), uint64(0)
	last, lastEnd := -1, uint64(0) // index of the block with the last fix-up
	allowed := func(index, offset uint64) (int, bool) {
		parent := int(index)
		if _, ok := l.blocks[parent]; !ok || index > math.MaxInt32 || last < 0 {
			return 0, false
		}
		end := lastEnd
		for i := last; i != parent; {
			b := l.blocks[i]
			if b.Flags&binder.BINDER_BUFFER_FLAG_HAS_PARENT == 0 {
				return 0, false
			}
			i, end = int(b.Parent), b.ParentOffset+8
		}
		return parent, offset >= end
	}
	file := func(fd uint32, block int, offset uint64) error {
		if !l.filesAllowed {
			return linuxerr.EPERM
		}
		if l.from.files[int32(fd)] == nil {
			return linuxerr.EBADF
		}
		l.files = append(l.files, modelFile{l.from.files[int32(fd)], block, offset})
		return nil
	}
	for i := range int(l.offsetsSize / 8) {
		offset := binary.LittleEndian.Uint64(rawOffsets[8*i:])
		if offset != done && (offset < done || offset > l.dataSize) {
			return linuxerr.EFAULT
		}
		if _, ok := l.from.memory(l.dataAddr+done, offset-done); !ok {
			return linuxerr.EFAULT
		}
		n := min(l.dataSize-offset, maxObjectSize)
		raw, ok := l.from.memory(l.dataAddr+offset, n)
		if !ok || n < 4 || offset%4 != 0 {
			return linuxerr.EINVAL
		}
		size := objectSize(raw)
		if size == 0 || size > n {
			return linuxerr.EINVAL
		}
		done = offset + size
		switch objectType(raw) {
		case binder.BINDER_TYPE_BINDER, binder.BINDER_TYPE_WEAK_BINDER:
			var o binder.FlatObject
			o.UnmarshalUnsafe(raw)
			cookie, known := cookies[o.Binder]
			if n := l.from.node(o.Binder); n != nil {
				cookie, known = n.cookie, true
			}
			if known && cookie != o.Cookie {
				return linuxerr.EINVAL
			}
			cookies[o.Binder] = o.Cookie
		case binder.BINDER_TYPE_HANDLE, binder.BINDER_TYPE_WEAK_HANDLE:
			var o binder.FlatObject
			o.UnmarshalUnsafe(raw)
			r := l.from.ref(uint32(o.Binder))
			if r == nil || r.inner.strong == 0 && o.Type == binder.BINDER_TYPE_HANDLE { // +checklocksignore: there's one goroutine.
				return linuxerr.EINVAL
			}
		case binder.BINDER_TYPE_FD:
			var o binder.FDObject
			o.UnmarshalUnsafe(raw)
			if err := file(o.FD, -1, offset+8); err != nil {
				return err
			}
		case binder.BINDER_TYPE_PTR:
			b := modelBlock{start: used, children: make(map[uint64]int)}
			b.UnmarshalUnsafe(raw)
			if b.Length > l.extra-used {
				return linuxerr.EINVAL
			}
			used += (b.Length + 7) &^ 7
			if b.Flags&binder.BINDER_BUFFER_FLAG_HAS_PARENT != 0 {
				parent, ok := allowed(b.Parent, b.ParentOffset)
				if !ok || l.blocks[parent].Length < 8 || b.ParentOffset > l.blocks[parent].Length-8 {
					return linuxerr.EINVAL
				}
				l.blocks[parent].children[b.ParentOffset] = i
			}
			l.blocks[i] = b
			last, lastEnd = i, 0
		case binder.BINDER_TYPE_FDA:
			var o binder.FDArrayObject
			o.UnmarshalUnsafe(raw)
			parent, ok := allowed(o.Parent, o.ParentOffset)
			if !ok {
				return linuxerr.EINVAL
			}
			b := l.blocks[parent]
			last, lastEnd = parent, o.ParentOffset+4*o.NumFDs
			if o.NumFDs == 0 {
				continue
			}
			if o.NumFDs > b.Length/4 || o.ParentOffset > b.Length-4*o.NumFDs || (b.start+o.ParentOffset)%4 != 0 || (b.Buffer+o.ParentOffset)%4 != 0 {
				return linuxerr.EINVAL
			}
			for j := range o.NumFDs {
				at := o.ParentOffset + 4*j
				raw, ok := l.from.memory(b.Buffer+at, 4)
				if !ok {
					return linuxerr.EINVAL
				}
				if err := file(binary.LittleEndian.Uint32(raw), parent, at); err != nil {
					return err
				}
			}
		}
	}
	if l.data, ok = l.from.memory(l.dataAddr, l.dataSize); !ok {
		return linuxerr.EFAULT
	}
	l.data = slices.Clone(l.data)
	for i, b := range l.blocks {
		fixed := make(map[uint64]bool)
		for offset := range b.children {
			for at := range uint64(8) {
				fixed[offset+at] = true
			}
		}
		for _, f := range l.files {
			for at := range uint64(4) {
				fixed[f.offset+at] = fixed[f.offset+at] || f.block == i
			}
		}
		b.contents = make([]byte, b.Length)
		for at := range b.Length {
			if fixed[at] {
				continue
			}
			raw, ok := l.from.memory(b.Buffer+at, 1)
			if !ok {
				return linuxerr.EINVAL
			}
			b.contents[at] = raw[0]
		}
		l.blocks[i] = b
	}
	return nil
}

// receive checks the arrival of l, which the model accepts. It returns false if the
// receiver has no room for the files, and gets nothing.
func (x *exchange) receive(l *letter) bool {
	to := l.to
	fds := len(to.files)
	if fds+len(l.files) > to.maxFiles {
		switch {
		case l.reply:
			to.readUntil(binder.BR_FAILED_REPLY)
			l.from.readUntil(binder.BR_TRANSACTION_COMPLETE)
		case l.oneWay():
			to.readNothing()
			l.from.readUntil(binder.BR_TRANSACTION_COMPLETE)
		default:
			to.readNothing()
			l.from.readUntil(binder.BR_FAILED_REPLY)
		}
		x.check(len(to.files) == fds, "a transaction arrives with all its files, or not at all")
		return false
	}
	sentTo := uint32(binder.BR_TRANSACTION)
	switch {
	case l.reply:
		sentTo = binder.BR_REPLY
	case l.secctx:
		sentTo = binder.BR_TRANSACTION_SEC_CTX
	}
	got := to.received(to.readUntil(sentTo))
	l.addr = got.TransactionData.Buffer
	if l.reply || l.oneWay() {
		l.from.readUntil(binder.BR_TRANSACTION_COMPLETE)
	}
	x.compare(l, &got)
	to.buffers = append(to.buffers, l)
	if x.byte()%2 == 0 {
		x.free(to, len(to.buffers)-1)
	}
	return true
}

// readNothing reads until nothing is left, and checks that there's no transaction.
func (p *peer) readNothing() {
	for {
		out := p.tryRead()
		if out.err != nil {
			return
		}
		for _, r := range out.returns {
			p.w.check(r.br != binder.BR_TRANSACTION && r.br != binder.BR_TRANSACTION_SEC_CTX, "no transaction arrives")
		}
	}
}

// compare checks that l arrived as the model predicts.
func (x *exchange) compare(l *letter, got *received) {
	x.check(len(got.data) == int(l.dataSize) && len(got.offsets) == int(l.offsetsSize), "sizes are as sent")
	td := &got.TransactionData
	offsets := (td.Buffer + l.dataSize + 7) &^ 7
	if l.offsetsSize != 0 {
		x.check(td.Offsets == offsets, "the offsets come after the data")
	} else {
		x.check(td.Offsets == 0, "without offsets, their address is 0")
	}
	extra := (offsets + l.offsetsSize + 7) &^ 7
	if l.secctx {
		x.check(got.Secctx == extra+l.extra, "the security context follows the blocks")
		label, err := l.to.peek(got.Secctx, uint64(len(testLabel))+1)
		x.check(err == nil && string(label) == testLabel+"\x00", "the security context is there")
	}
	block := func(i int) []byte {
		b := l.blocks[i]
		raw, err := l.to.peek(extra+b.start, b.Length)
		require.NoError(x.t, err)
		return raw
	}
	at := uint64(0)
	for i, offset := range l.offsets[:l.offsetsSize/8] {
		x.check(bytes.Equal(got.data[at:offset], l.data[at:offset]), "the data between objects is as sent")
		sent, came := l.data[offset:], got.data[offset:]
		at = offset + objectSize(sent)
		x.check(translatesTo(objectType(sent), objectType(came)), "an object has a type that it can have")
		switch objectType(sent) {
		case binder.BINDER_TYPE_PTR:
			b := l.blocks[i]
			var o binder.BufferObject
			o.UnmarshalUnsafe(came)
			want := b.BufferObject
			want.Buffer = extra + b.start
			x.check(o == want, "an object points to its block")
			want1 := slices.Clone(b.contents)
			for offset, child := range b.children {
				binary.LittleEndian.PutUint64(want1[offset:], extra+l.blocks[child].start)
			}
			came := block(i)
			for _, f := range l.files {
				if f.block == i {
					copy(want1[f.offset:], came[f.offset:f.offset+4])
				}
			}
			x.check(bytes.Equal(want1, came), "a block has its contents, and points to its children")
		case binder.BINDER_TYPE_FDA:
			x.check(bytes.Equal(sent[:binder.SizeOfFDArrayObject], came[:binder.SizeOfFDArrayObject]), "an array of files is as sent")
		case binder.BINDER_TYPE_FD:
		default:
			var s, c binder.FlatObject
			s.UnmarshalUnsafe(sent)
			c.UnmarshalUnsafe(came)
			n := l.from.node(s.Binder)
			if s.Type == binder.BINDER_TYPE_HANDLE || s.Type == binder.BINDER_TYPE_WEAK_HANDLE {
				n = l.from.ref(uint32(s.Binder)).node()
			}
			if n.owner == l.to.app.Process {
				x.check(c.Binder == n.ptr && c.Cookie == n.cookie, "a node comes home")
			} else {
				x.check(l.to.ref(uint32(c.Binder)).node() == n && c.Cookie == 0, "a handle is for the node that was sent")
			}
		}
	}
	x.check(bytes.Equal(got.data[at:], l.data[at:l.dataSize]), "the data after the objects is as sent")
	for _, f := range l.files {
		raw := got.data
		if f.block >= 0 {
			raw = block(f.block)
		}
		fd := int32(binary.LittleEndian.Uint32(raw[f.offset:]))
		x.check(l.to.files[fd] == f.file, "a descriptor is for the file that was sent")
		if f.block < 0 {
			l.alone = append(l.alone, fd)
		}
	}
}

// free frees a buffer of p's. The files in its arrays are closed; p closes the others.
func (x *exchange) free(p *peer, i int) {
	l := p.buffers[i]
	p.buffers = slices.Delete(p.buffers, i, i+1)
	before := len(p.files)
	p.write(cmd(binder.BC_FREE_BUFFER, l.addr))
	arrays := len(l.files) - len(l.alone)
	x.check(len(p.files) == before-arrays, "the files in arrays go with the buffer")
	for _, fd := range l.alone {
		if x.byte()%8 != 0 {
			p.closeFile(fd)
		}
	}
	x.requireSound()
}

// freeAll frees all buffers of p's.
func (x *exchange) freeAll(p *peer) {
	for len(p.buffers) > 0 {
		x.free(p, 0)
	}
}

// TestFuzzTransactionReaches checks that programs of random bytes reach everything.
func TestFuzzTransactionReaches(t *testing.T) {
	rnd := rand.New(rand.NewPCG(13, 14))
	var accepted, refused, children, arrays int
	for range 50 {
		program := make([]byte, randomLength)
		for i := range program {
			program[i] = byte(rnd.Uint32())
		}
		x := newExchange(t, program)
		x.run()
		accepted += x.accepted
		refused += x.refused
		children += x.children
		arrays += x.arrays
	}
	t.Logf("%d messages were accepted, with %d fix-ups and %d files in arrays; %d were refused", accepted, children, arrays, refused)
	require.Greater(t, min(accepted, refused, children, arrays), 100)
}
