// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"runtime/debug"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/sentry/vfs"

	"sentrybinder/pkg/abi/binder"
)

// FuzzCommands runs the input as a program: a few applications of a few threads each make
// ioctls of all kinds, sensible and not, and end. The driver's structures are checked after
// each step, what an application gets is compared with what was sent to it, and at the end
// nothing may be left.
func FuzzCommands(f *testing.F) {
	fuzzPrograms(f, 9, func(t *testing.T, program []byte) {
		m := &machine{world: newWorld(t), input: program, sent: make(map[uint32]sentPayload)}
		m.run()
	})
}

// fuzzPrograms fuzzes run. Its initial corpus is random programs by seed.
func fuzzPrograms(f *testing.F, seed uint64, run func(t *testing.T, program []byte)) {
	debug.SetTraceback("all")
	rnd := rand.New(rand.NewPCG(seed, seed+1))
	for range randomPrograms {
		program := make([]byte, randomLength)
		for i := range program {
			program[i] = byte(rnd.Uint32())
		}
		f.Add(program)
	}
	f.Fuzz(func(t *testing.T, program []byte) {
		// A program never sleeps; if it did, the fuzzer would wait forever.
		hung := time.AfterFunc(time.Minute, func() { panic("the program hangs") })
		defer hung.Stop()
		run(t, program)
	})
}

// The initial corpus: the number of programs, and of random bytes in each.
const (
	randomPrograms = 50
	randomLength   = 2000
)

// The machine's applications, the threads of each, and the maximum number of steps.
const (
	machineApps    = 4
	machineThreads = 3
	machineSteps   = 400
)

// The place of descriptors, which may be open, in each application's memory, and their
// size in bytes.
const (
	fdsAddr = 0x800
	fdsSize = 16
)

// machine runs a program.
type machine struct {
	*world
	input []byte
	slots [machineApps]*slot

	// sent holds what was sent, by the transaction's code, which counts up.
	sent     map[uint32]sentPayload
	lastCode uint32
}

// slot is an application of a machine.
type slot struct {
	*app
	threads [machineThreads]*thread

	// buffers are the buffers that the app has received. It may have freed them.
	buffers []uint64
}

// sentPayload is the contents of a transaction, with its sender and receiver.
type sentPayload struct {
	payload
	from *app
	to   uint16
}

// nobody is the receiver of what must not arrive.
const nobody = math.MaxUint16

// taggedWord returns a word of contents for process to.
func taggedWord(to uint16) uint64 {
	return 0xf00d<<48 | uint64(to)<<32 | uint64(^to)<<16 | uint64(to^0x5555)
}

// wordReceiver is the inverse of taggedWord. It returns false if word is not a tagged word,
// such as the rest of one that was partly overwritten.
func wordReceiver(word uint64) (to uint16, ok bool) {
	to = uint16(word >> 32)
	return to, word == taggedWord(to)
}

// byte returns the next byte of the program, or 0 at its end.
func (m *machine) byte() byte {
	if len(m.input) == 0 {
		return 0
	}
	b := m.input[0]
	m.input = m.input[1:]
	return b
}

// pick returns one of a few things.
func pick[T any](m *machine, from ...T) T { return from[int(m.byte())%len(from)] }

func (m *machine) run() {
	for i := range m.slots {
		m.start(i, testMapping)
	}
	manager := m.slots[0].threads[0]
	o := nodeObject(0)
	o.Flags = binder.FLAT_BINDER_FLAG_ACCEPTS_FDS | binder.FLAT_BINDER_FLAG_TXN_SECURITY_CTX
	o.MarshalUnsafe(manager.mem.Bytes[argAddr:])
	m.noError(manager.ioctl(binder.BINDER_SET_CONTEXT_MGR_EXT, argAddr))
	for range machineSteps {
		if len(m.input) == 0 {
			break
		}
		m.step()
		m.requireSound()
		for _, s := range m.slots {
			if at, found := s.foreignWord(); found {
				m.t.Fatalf("app %d has the word at %#x of another", s.pid, at)
			}
		}
	}
	m.closeAll()
	m.requireEmpty()
	for _, s := range m.slots {
		s.requireGone(m.world)
	}
}

// start starts application i, which has a file. It and every other application know one of
// each other's nodes.
func (m *machine) start(i int, mapping uint64) {
	s := &slot{app: m.open(mapping)}
	m.slots[i] = s
	s.maxFiles = 4
	s.installFile(newEventFile(m.t))
	for j := range s.threads {
		s.threads[j] = s.newThread()
	}
	for j := range hostarch.Addr(fdsSize / 4) {
		binary.LittleEndian.PutUint32(s.mem.Bytes[fdsAddr+4*j:], 3+uint32(j)%2)
	}
	for _, other := range m.slots {
		if other != nil && other != s {
			m.introduce(s, other)
			m.introduce(other, s)
		}
	}
}

// introduce gives s a handle for a node of owner's.
func (m *machine) introduce(owner, s *slot) {
	th := owner.newThread()
	m.give(th, s.threads[0], ptrFor(s))
	m.noError(th.ioctl(binder.BINDER_THREAD_EXIT, 0))
}

// ptrFor returns the address of the node that owners introduce to s.
func ptrFor(s *slot) uint64 { return 0x1000 * uint64(s.pid) }

// asleep returns the number of s's threads in a read.
func (s *slot) asleep() int {
	n := 0
	for _, th := range s.threads {
		if th.onBlock != nil {
			n++
		}
	}
	return n
}

// step carries out a step of the program.
func (m *machine) step() {
	who := m.byte()
	i := int(who % machineApps)
	s := m.slots[i]
	th := s.threads[who/machineApps%machineThreads]
	if th.onBlock != nil {
		return
	}
	switch op := m.byte(); {
	case op < 4:
		if s.asleep() == 0 {
			s.close()
			s.requireGone(m.world)
			m.start(i, pick(m, uint64(testMapping), 0, 8<<10, 4<<10))
		}
	case op < 8:
		m.noError(th.ioctl(binder.BINDER_THREAD_EXIT, 0))
	case op < 10:
		s.RemoveMapping(th, nil, hostarch.AddrRange{Start: testMapAddr, End: testMapAddr + hostarch.PageSize}, 0, false)
	case op < 12:
		_ = th.ioctl(pick[uint32](m, binder.BINDER_SET_CONTEXT_MGR, binder.BINDER_SET_CONTEXT_MGR_EXT), argAddr)
	case op < 16:
		m.noError(th.ioctlUint32(binder.BINDER_SET_MAX_THREADS, uint32(m.byte()%4)))
	case op < 20:
		s.flush()
	case op < 24:
		_ = s.readinessFor(th.id)
	case op < 28:
		m.freeze(th)
	case op < 32:
		m.rawIoctl(th)
	case op < 40:
		m.newFile(s)
	case op < 44:
		if fd := 3 + int32(m.byte()%4); s.files[fd] != nil {
			s.closeFile(fd)
		}
	case op < 64:
		m.sleep(s, th)
	default:
		m.writeRead(s, th, op)
	}
}

// freeze freezes or thaws an application.
func (m *machine) freeze(th *thread) {
	info := binder.FreezeInfo{PID: uint32(m.slots[m.byte()%machineApps].pid), Enable: uint32(m.byte() % 2), TimeoutMS: uint32(m.byte() % 2)}
	th.signaled = m.byte()%2 == 0
	_ = th.freeze(info)
}

// sleep makes th read. Others go on while it sleeps.
func (m *machine) sleep(s *slot, th *thread) {
	th.signaled = m.byte()%2 == 0
	out := th.sleepRead(func() {
		if len(m.input) > 0 {
			m.step()
		}
	})
	m.receive(s, th, out.returns)
}

// noError fails on an error.
func (m *machine) noError(err error) {
	if err != nil {
		m.t.Fatalf("ioctl: %v", err)
	}
}

// rawIoctl makes an ioctl with arbitrary values of the program.
func (m *machine) rawIoctl(th *thread) {
	n := int(m.byte())
	n = copy(th.mem.Bytes[arenaAddr:], m.input[:min(len(m.input), n)])
	m.input = m.input[n:]
	defer clear(th.mem.Bytes[arenaAddr : arenaAddr+n])
	switch m.byte() % 4 {
	case 0:
		_ = th.ioctl(binary.LittleEndian.Uint32(th.mem.Bytes[arenaAddr:]), pick[hostarch.Addr](m, 0, arenaAddr+4, appMemory-4, badAddr))
	case 1:
		// The argument itself is arbitrary.
		_ = th.ioctl(binder.BINDER_WRITE_READ, arenaAddr)
	default:
		th.writeRead(binder.WriteRead{WriteSize: uint64(n), WriteBuffer: arenaAddr})
	}
}

// newFile opens a file: one unrelated to binder, or a device.
func (m *machine) newFile(s *slot) {
	if len(s.files) >= s.maxFiles {
		return
	}
	var file *vfs.FileDescription
	if m.byte()%2 == 0 {
		file = newEventFile(m.t)
	} else {
		file, _ = m.newDeviceFile()
	}
	s.installFile(file)
}

// writeRead makes a BINDER_WRITE_READ of a few commands, or a read.
func (m *machine) writeRead(s *slot, th *thread, op byte) {
	var wr binder.WriteRead
	if op%2 == 0 {
		var cmds [][]byte
		for range 1 + m.byte()%3 {
			cmds = append(cmds, m.command(s, th))
		}
		wr = th.writing(cmds)
	}
	if op%4 != 0 {
		wr.ReadBuffer = readAddr
		wr.ReadSize = readSize
		if op%8 == 7 {
			wr.ReadSize = pick[uint64](m, readSize, 0, 3, 4, 75, 76, 80, 84, 200)
			wr.ReadBuffer = pick[uint64](m, readAddr, readAddr, appMemory-4, badAddr)
		}
	}
	used := th.arena
	out := th.writeRead(wr)
	clear(th.mem.Bytes[arenaAddr:used])
	if out.err == linuxerr.EFAULT {
		m.deaf[s.Process] = true
	}
	if wr.ReadBuffer == readAddr {
		m.receive(s, th, out.returns)
	}
}

// handle returns a handle that may exist.
func (m *machine) handle() uint32 { return uint32(m.byte() % 6) }

// nodePtr returns the address of a node that may exist.
func (m *machine) nodePtr() uint64 {
	b := m.byte()
	if i := b / 4 % machineApps; b%4 == 0 {
		return ptrFor(m.slots[i])
	}
	return uint64(b/4%4) * 0x10
}

// cookieOf returns the cookie of ptr, most of the time.
func (m *machine) cookieOf(ptr uint64) uint64 {
	if m.byte() == 0xff {
		return 1
	}
	return testCookie(ptr)
}

// command returns a command.
func (m *machine) command(s *slot, th *thread) []byte {
	switch m.byte() % 18 {
	case 0, 1, 2:
		return m.transaction(s, th)
	case 3, 4:
		return m.answer(s, th)
	case 5, 6:
		addr := pick[uint64](m, testMapAddr, 0, testMapAddr+8, badAddr)
		if len(s.buffers) > 0 {
			addr = s.buffers[int(m.byte())%len(s.buffers)]
		}
		return cmd(binder.BC_FREE_BUFFER, addr)
	case 7, 8:
		code := pick[uint32](m, binder.BC_INCREFS, binder.BC_ACQUIRE, binder.BC_RELEASE, binder.BC_DECREFS)
		return cmd(code, m.handle())
	case 9:
		ptr := m.nodePtr()
		code := pick[uint32](m, binder.BC_INCREFS_DONE, binder.BC_ACQUIRE_DONE)
		return cmd(code, binder.PtrCookie{Ptr: ptr, Cookie: m.cookieOf(ptr)})
	case 10, 11:
		code := pick[uint32](m, binder.BC_REQUEST_DEATH_NOTIFICATION, binder.BC_CLEAR_DEATH_NOTIFICATION)
		return cmd(code, m.handle(), uint64(m.byte()%2))
	case 12:
		return cmd(binder.BC_DEAD_BINDER_DONE, uint64(m.byte()%2))
	case 13:
		return cmd(pick[uint32](m, binder.BC_ENTER_LOOPER, binder.BC_REGISTER_LOOPER, binder.BC_EXIT_LOOPER))
	case 14:
		return cmd(pick[uint32](m, binder.BC_ATTEMPT_ACQUIRE, binder.BC_ACQUIRE_RESULT, binder.BR_NOOP, 0), uint64(m.byte()))
	case 15:
		code := pick[uint32](m, binder.BC_REQUEST_FREEZE_NOTIFICATION, binder.BC_CLEAR_FREEZE_NOTIFICATION)
		return cmd(code, m.handle(), uint64(m.byte()%2))
	case 16:
		return cmd(binder.BC_FREEZE_NOTIFICATION_DONE, uint64(m.byte()%2))
	default:
		return m.transaction(s, th)
	}
}

// transaction returns a call to one of the handles that s has.
func (m *machine) transaction(s *slot, th *thread) []byte {
	handle := m.handle()
	to := uint16(nobody)
	if n := m.target(s, handle); n != nil {
		to = uint16(n.owner.pid)
	}
	return m.message(s, th, pick[uint32](m, binder.BC_TRANSACTION, binder.BC_TRANSACTION, binder.BC_TRANSACTION_SG), handle, to)
}

// target returns the node that s knows by handle, or nil.
//
// +checklocksignore
func (m *machine) target(s *slot, handle uint32) *Node {
	if handle == 0 {
		return m.ctx.manager.Load()
	}
	if r := s.handles.get(handle); r != nil {
		return r.node()
	}
	return nil
}

// answer returns a reply to the call that th handles, if any.
//
// +checklocksignore
func (m *machine) answer(s *slot, th *thread) []byte {
	to := uint16(nobody)
	if state := th.state(); state != nil {
		if call := state.inner.stack.Get(); call != nil && call.inner.from != nil {
			to = uint16(call.inner.from.proc.pid)
		}
	}
	return m.message(s, th, pick[uint32](m, binder.BC_REPLY, binder.BC_REPLY, binder.BC_REPLY_SG), 0, to)
}

// message returns a BC_TRANSACTION, a BC_REPLY, or one of their _SG forms, with contents
// most of whose words have to's tag.
func (m *machine) message(s *slot, th *thread, code, handle uint32, to uint16) []byte {
	p := m.contents(s, to)
	m.lastCode++
	m.sent[m.lastCode] = sentPayload{p, s.app, to}
	flags := uint32(m.byte()) & (binder.TF_ONE_WAY | binder.TF_ACCEPT_FDS | binder.TF_CLEAR_BUF | binder.TF_UPDATE_TXN | binder.TF_DEFER_COMPLETE)
	b := th.message(code, uint64(handle), m.lastCode, flags, p)
	if m.byte() == 0xff {
		// A size or an address that makes no sense. None reaches the words of
		// another message, which may be for another receiver.
		field := int(m.byte() % 4)
		value := pick[uint64](m, 1, badAddr, 1<<63, 1<<64-1, 1<<64-8)
		if field >= 2 {
			value = pick[uint64](m, value, 12, appMemory)
		}
		binary.LittleEndian.PutUint64(b[4+32+8*field:], value)
		delete(m.sent, m.lastCode)
	}
	if code == binder.BC_TRANSACTION_SG || code == binder.BC_REPLY_SG {
		b = binary.LittleEndian.AppendUint64(b, pick[uint64](m, 0, 8, 64, 7, 1<<64-8, 1<<64-1))
	}
	return b
}

// contents returns data with a few objects in it.
func (m *machine) contents(s *slot, to uint16) payload {
	var p payload
	for range m.byte() % 4 {
		for range pick(m, 0, 1, 2) {
			p.data = binary.LittleEndian.AppendUint64(p.data, taggedWord(to))
		}
		var o any
		switch m.byte() % 16 {
		case 0, 1:
			ptr := m.nodePtr()
			o = binder.FlatObject{Type: binder.BINDER_TYPE_BINDER, Flags: m.nodeFlags(), Binder: ptr, Cookie: m.cookieOf(ptr)}
		case 2, 3:
			ptr := m.nodePtr()
			o = binder.FlatObject{Type: binder.BINDER_TYPE_WEAK_BINDER, Flags: m.nodeFlags(), Binder: ptr, Cookie: m.cookieOf(ptr)}
		case 4, 5:
			o = handleObject(m.handle())
		case 6, 7:
			o = weakHandleObject(m.handle())
		case 8, 9:
			o = fileObject(3 + int32(m.byte()%4))
		case 10:
			o = binder.BufferObject{
				Type:   binder.BINDER_TYPE_PTR,
				Flags:  pick[uint32](m, 0, binder.BINDER_BUFFER_FLAG_HAS_PARENT),
				Buffer: fdsAddr,
				Length: pick[uint64](m, 8, 16, 0),
				Parent: uint64(m.byte() % 4),
			}
		case 11:
			o = binder.FDArrayObject{
				Type:         binder.BINDER_TYPE_FDA,
				NumFDs:       pick[uint64](m, 1, 2, 0),
				Parent:       uint64(m.byte() % 4),
				ParentOffset: pick[uint64](m, 0, 4, 8),
			}
		case 12:
			o = binder.FlatObject{Type: uint32(m.byte())}
		default:
			continue
		}
		offset := uint64(len(p.data))
		if b := m.byte(); b > 0xf0 {
			offset = pick[uint64](m, 0, 1, offset+4, offset+8, offset-8, 1<<63, 1<<64-1)
		}
		p.offsets = append(p.offsets, offset)
		p.data = must(binary.Append(p.data, binary.LittleEndian, o))
		if m.byte() == 0xff {
			p.data = p.data[:len(p.data)-pick(m, 1, 4, 8, 21)]
		}
	}
	for range pick(m, 0, 1, 8, 64, 512, 1024) {
		p.data = binary.LittleEndian.AppendUint64(p.data, taggedWord(to))
	}
	return p
}

func (m *machine) nodeFlags() uint32 {
	return pick[uint32](m, binder.FLAT_BINDER_FLAG_ACCEPTS_FDS, 0, binder.FLAT_BINDER_FLAG_ACCEPTS_FDS|binder.FLAT_BINDER_FLAG_TXN_SECURITY_CTX)
}

// receive checks what th read.
func (m *machine) receive(s *slot, th *thread, rs []ret) {
	for _, r := range rs {
		switch r.br {
		case binder.BR_TRANSACTION, binder.BR_TRANSACTION_SEC_CTX, binder.BR_REPLY:
			got := th.received(r)
			s.buffers = append(s.buffers, got.TransactionData.Buffer)
			if r.br == binder.BR_TRANSACTION_SEC_CTX {
				label, err := th.peek(got.Secctx, uint64(len(testLabel))+1)
				if err != nil || string(label) != testLabel+"\x00" {
					m.t.Fatalf("security context %q, error %v", label, err)
				}
			}
			if want, ok := m.sent[got.TransactionData.Code]; ok {
				m.compare(s, &got, &want)
			}
		default:
			if _, ok := brNames[r.br]; !ok {
				m.t.Fatalf("%s", r)
			}
		}
	}
}

// compare checks that s got what was sent, except for the objects.
func (m *machine) compare(s *slot, got *received, want *sentPayload) {
	if int32(want.to) != s.pid {
		m.t.Fatalf("app %d got what was sent to app %d", s.pid, want.to)
	}
	var offsets []byte
	for _, offset := range want.offsets {
		offsets = binary.LittleEndian.AppendUint64(offsets, offset)
	}
	if !bytes.Equal(got.offsets, offsets) {
		m.t.Fatalf("the offsets are % x, not % x", got.offsets, offsets)
	}
	if len(got.data) != len(want.data) {
		m.t.Fatalf("%d bytes arrived, not %d", len(got.data), len(want.data))
	}
	at := uint64(0)
	for _, offset := range want.offsets {
		if !bytes.Equal(got.data[at:offset], want.data[at:offset]) {
			m.t.Fatalf("the data before %d has changed", offset)
		}
		sent, came := objectType(want.data[offset:]), objectType(got.data[offset:])
		if !translatesTo(sent, came) {
			m.t.Fatalf("an object of type %#x became one of type %#x", sent, came)
		}
		at = offset + objectSize(want.data[offset:])
	}
	if !bytes.Equal(got.data[at:], want.data[at:]) {
		m.t.Fatalf("the data after %d has changed", at)
	}
}

// translatesTo returns whether the receiver may see an object of type sent as type came.
func translatesTo(sent, came uint32) bool {
	switch sent {
	case binder.BINDER_TYPE_BINDER:
		return came == binder.BINDER_TYPE_HANDLE
	case binder.BINDER_TYPE_WEAK_BINDER:
		return came == binder.BINDER_TYPE_WEAK_HANDLE
	case binder.BINDER_TYPE_HANDLE:
		return came == binder.BINDER_TYPE_HANDLE || came == binder.BINDER_TYPE_BINDER
	case binder.BINDER_TYPE_WEAK_HANDLE:
		return came == binder.BINDER_TYPE_WEAK_HANDLE || came == binder.BINDER_TYPE_WEAK_BINDER
	default:
		return sent == came
	}
}
