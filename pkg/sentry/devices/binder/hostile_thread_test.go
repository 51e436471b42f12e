// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"time"

	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/safemem"
	"gvisor.dev/gvisor/pkg/sentry/kernel/auth"
	"gvisor.dev/gvisor/pkg/sentry/memmap"
	"gvisor.dev/gvisor/pkg/sentry/vfs"
	"gvisor.dev/gvisor/pkg/usermem"
	"gvisor.dev/gvisor/pkg/waiter"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/sentry/devices/binder/memorytest"
)

// The layout of a hostileThread's memory: the argument of an ioctl, the buffer for returns,
// the commands, and the contents of transactions.
const (
	hostileArg      = 0x100
	hostileRead     = 0x1000
	hostileWrite    = 0x2000
	hostileWriteEnd = 0x4000
	hostileContents = 0x4000
	hostileMemory   = 0x10000
)

// hostileThread is a thread of a hostileApp. It implements Task, and is its own memory.
type hostileThread struct {
	context.Context
	usermem.BytesIO

	app  *hostileApp
	id   int32
	pcg  *rand.PCG
	nice int

	// calm is true if the memory doesn't change while the driver reads it.
	calm bool

	signaled bool
	timer    *time.Timer

	// fd and proc are the attacked device.
	fd   *hostileFile
	proc *Process

	// next is the place of the next transaction's contents. ends holds the ends of
	// the written commands, in bytes from hostileWrite.
	next uint64
	ends []int

	// calls is true if the contents being composed are a call's.
	calls bool

	// answers are commands that answer what was read, answerEnds their ends.
	answers    []byte
	answerEnds []int

	// addrs are buffers that the thread has received. New ones replace old ones.
	addrs [8]uint64

	// handles are some that came with transactions.
	handles [4]uint32

	// idle counts the reads that returned nothing.
	idle uint32

	// managerless is true if a call has failed because its target was dead.
	managerless bool

	fds     []int32
	entry   waiter.Entry
	counted int64
}

func newHostileThread(a *hostileApp, seed uint64) *hostileThread {
	s := &hostileThread{
		Context: memorytest.Context(),
		BytesIO: usermem.BytesIO{Bytes: make([]byte, hostileMemory)},
		app:     a,
		id:      a.storm.lastTID.Add(1),
		pcg:     rand.NewPCG(seed, 0),
		timer:   time.NewTimer(time.Hour),
	}
	s.timer.Stop()
	s.entry, _ = waiter.NewChannelEntry(waiter.ReadableEvents)
	return s
}

// n returns a random number below k.
func (s *hostileThread) n(k uint32) uint32 {
	return uint32((s.pcg.Uint64() >> 32) * uint64(k) >> 32)
}

func (s *hostileThread) oneIn(k uint32) bool { return s.n(k) == 0 }

func (s *hostileThread) put32(at int, v uint32) { binary.LittleEndian.PutUint32(s.Bytes[at:], v) }
func (s *hostileThread) put64(at int, v uint64) { binary.LittleEndian.PutUint64(s.Bytes[at:], v) }

// fault changes something in the memory, as another thread could at any time, and returns
// whether the coming access fails.
func (s *hostileThread) fault() bool {
	if s.calm {
		return false
	}
	r := s.pcg.Uint64()
	if r&0xf == 0 {
		at := hostileContents + int(r>>8%(hostileMemory-hostileContents-8))&^7
		s.put64(at, s.wild64())
	}
	return r>>32&0xfff == 0
}

// CopyIn implements usermem.IO.CopyIn.
func (s *hostileThread) CopyIn(ctx context.Context, addr hostarch.Addr, dst []byte, opts usermem.IOOpts) (int, error) {
	if s.fault() {
		return 0, linuxerr.EFAULT
	}
	return s.BytesIO.CopyIn(ctx, addr, dst, opts)
}

// CopyOut implements usermem.IO.CopyOut.
func (s *hostileThread) CopyOut(ctx context.Context, addr hostarch.Addr, src []byte, opts usermem.IOOpts) (int, error) {
	if s.fault() {
		return 0, linuxerr.EFAULT
	}
	return s.BytesIO.CopyOut(ctx, addr, src, opts)
}

// CopyInTo implements usermem.IO.CopyInTo. Other threads may run first.
func (s *hostileThread) CopyInTo(ctx context.Context, ars hostarch.AddrRangeSeq, dst safemem.Writer, opts usermem.IOOpts) (int64, error) {
	if s.fault() {
		return 0, linuxerr.EFAULT
	}
	if s.oneIn(64) {
		runtime.Gosched()
	}
	return s.BytesIO.CopyInTo(ctx, ars, dst, opts)
}

// Block implements context.Blocker.Block. It doesn't wait long.
func (s *hostileThread) Block(c <-chan struct{}) error {
	for range 4 {
		select {
		case <-c:
			return nil
		default:
			runtime.Gosched()
		}
	}
	if s.oneIn(256) {
		s.timer.Reset(100 * time.Microsecond)
		select {
		case <-c:
			s.timer.Stop()
			return nil
		case <-s.timer.C:
		}
	}
	s.signaled = s.oneIn(2)
	return errInterrupted
}

// BlockWithTimeout implements context.Blocker.BlockWithTimeout.
func (s *hostileThread) BlockWithTimeout(c chan struct{}, _ bool, timeout time.Duration) (time.Duration, error) {
	err := s.Block(c)
	if err != nil && s.oneIn(2) {
		return 0, linuxerr.ETIMEDOUT
	}
	return timeout, err
}

// Interrupted implements context.Blocker.Interrupted.
func (s *hostileThread) Interrupted() bool { return s.oneIn(2) }

// ThreadID implements Task.ThreadID.
func (s *hostileThread) ThreadID() int32 { return s.id }

// ProcessID implements Task.ProcessID.
func (s *hostileThread) ProcessID(*Process) int32 { return max(s.app.pid, 1) }

// PIDOf implements Task.PIDOf.
func (s *hostileThread) PIDOf(proc *Process) int32 { return proc.pid }

// View implements Task.View.
func (s *hostileThread) View(proc *Process) *View {
	return &View{domain: proc.ctx.domain, tenant: proc.tenant}
}

// UIDOf implements Task.UIDOf.
func (s *hostileThread) UIDOf(kuid auth.KUID) auth.UID { return auth.UID(kuid) }

// EffectiveKUID implements Task.EffectiveKUID.
func (s *hostileThread) EffectiveKUID() auth.KUID { return auth.RootKUID }

// Niceness implements Task.Niceness.
func (s *hostileThread) Niceness() int { return s.nice }

// SetNiceness implements Task.SetNiceness.
func (s *hostileThread) SetNiceness(n int) { s.nice = n }

// SignalPending implements Task.SignalPending.
func (s *hostileThread) SignalPending() bool { return s.signaled }

// GetFile implements Task.GetFile.
func (s *hostileThread) GetFile(fd int32) *vfs.FileDescription {
	file := s.app.file(fd)
	if file != nil && processOf(file) != nil {
		s.app.storm.devicesSent.Add(1)
	}
	return file
}

// InstallFiles implements Task.InstallFiles.
func (s *hostileThread) InstallFiles(files []*vfs.FileDescription) ([]int32, error) {
	s.fds = s.fds[:0]
	for _, file := range files {
		file.IncRef()
		fd, ok := s.app.install(file)
		if !ok {
			file.DecRef(s)
			for _, fd := range s.fds {
				s.app.closeFile(s, fd)
			}
			return nil, linuxerr.EMFILE
		}
		s.fds = append(s.fds, fd)
	}
	return s.fds, nil
}

// CloseFile implements Task.CloseFile.
func (s *hostileThread) CloseFile(fd int32) { s.app.closeFile(s, fd) }

// Log implements Task.Log.
func (s *hostileThread) Log(KernelLog, string) {}

// run makes steps with any of the process's devices.
func (s *hostileThread) run(steps int) {
	storm := s.app.storm
	for steps > 0 && !storm.over() {
		file := s.app.file(int32(s.n(2)))
		if s.oneIn(4) {
			if file != nil {
				file.DecRef(s)
			}
			file = s.app.file(int32(s.n(hostileFiles)))
		}
		if file == nil {
			steps--
			continue
		}
		if fd, ok := file.Impl().(*hostileFile); ok {
			s.fd, s.proc = fd, fd.proc
			for range 1 + s.n(8) {
				s.step()
				steps--
			}
		}
		file.DecRef(s)
		storm.done.Add(s.counted)
		s.counted = 0
	}
}

// ioctl makes an ioctl by p.
func (s *hostileThread) ioctl(p *Process, request uint32, arg hostarch.Addr) error {
	s.signaled = false
	err := p.ioctl(s, s, request, arg, !s.oneIn(8))
	if linuxerr.Equals(linuxerr.ENOMEM, err) {
		s.app.storm.refused.Add(1)
	}
	return err
}

// writeRead makes a BINDER_WRITE_READ by p and returns its argument.
func (s *hostileThread) writeRead(p *Process, wr binder.WriteRead) binder.WriteRead {
	wr.MarshalUnsafe(s.Bytes[hostileArg:])
	_ = s.ioctl(p, binder.BINDER_WRITE_READ, hostileArg)
	wr.UnmarshalUnsafe(s.Bytes[hostileArg:])
	return wr
}

// step writes commands and reads, writes the answers and reads again, and does one of the
// rarer things.
func (s *hostileThread) step() {
	s.exchange(s.n(32))
	for n := s.n(8); n > 0 && len(s.answers) != 0; n-- {
		s.exchange(0)
	}
	s.rarely()
}

// exchange writes answers and n other commands and reads.
func (s *hostileThread) exchange(n uint32) {
	wr := binder.WriteRead{
		WriteBuffer: hostileWrite,
		WriteSize:   uint64(s.commands(n)),
		ReadBuffer:  hostileRead,
		ReadSize:    hostileWrite - hostileRead,
	}
	switch s.n(256) {
	case 0:
		wr.ReadSize = uint64(s.n(100))
	case 1:
		wr.ReadSize = 0
	case 2:
		wr.ReadBuffer = s.wild64()
	case 3:
		wr.WriteSize = s.wild64()
	case 4:
		wr.WriteConsumed = uint64(s.n(hostileWriteEnd - hostileWrite))
	case 5:
		wr.ReadConsumed = s.wild64()
	}
	honest := wr.ReadConsumed == 0 && wr.ReadBuffer == hostileRead
	wrote := wr.WriteConsumed
	wr = s.writeRead(s.proc, wr)
	s.app.storm.steps.Add(1)
	for _, end := range s.ends {
		// The failed one was executed, too.
		if uint64(end) > wrote {
			s.counted++
		}
		if uint64(end) > wr.WriteConsumed {
			break
		}
	}
	s.dropAnswers(wr.WriteConsumed)
	s.idle++
	if honest && wr.ReadConsumed <= hostileWrite-hostileRead {
		s.answer(s.Bytes[hostileRead:][:wr.ReadConsumed])
	}
}

// dropAnswers drops the answers that were written, in the first consumed bytes.
func (s *hostileThread) dropAnswers(consumed uint64) {
	if consumed >= uint64(len(s.answers)) || s.oneIn(8) {
		s.answers, s.answerEnds = s.answers[:0], s.answerEnds[:0]
		return
	}
	gone := 0
	for gone < len(s.answerEnds) && uint64(s.answerEnds[gone]) <= consumed {
		gone++
	}
	if gone == 0 {
		return
	}
	bytes := s.answerEnds[gone-1]
	s.answers = s.answers[:copy(s.answers, s.answers[bytes:])]
	s.answerEnds = s.answerEnds[:copy(s.answerEnds, s.answerEnds[gone:])]
	for i := range s.answerEnds {
		s.answerEnds[i] -= bytes
	}
}

// answer adds the answers to the returns in b, except for some that it forgets.
func (s *hostileThread) answer(b []byte) {
	for len(b) >= 4 {
		br := binary.LittleEndian.Uint32(b)
		size := binder.CommandSize(br)
		if br == binder.BR_ERROR {
			size = 0 // For lack of memory, it comes without a parameter.
			s.app.storm.deaf.Add(1)
		}
		if len(b) < 4+size {
			return // A fault has left earlier contents.
		}
		params := b[4:][:size]
		b = b[4+size:]
		if br != binder.BR_NOOP {
			s.idle = 0
		}
		if s.oneIn(32) {
			continue
		}
		switch br {
		case binder.BR_INCREFS:
			s.answerWith(binder.BC_INCREFS_DONE, params)
		case binder.BR_ACQUIRE:
			s.answerWith(binder.BC_ACQUIRE_DONE, params)
		case binder.BR_DEAD_BINDER:
			s.answerWith(binder.BC_DEAD_BINDER_DONE, params)
		case binder.BR_FROZEN_BINDER:
			s.answerWith(binder.BC_FREEZE_NOTIFICATION_DONE, params[:8])
		case binder.BR_DEAD_REPLY:
			s.managerless = true
		case binder.BR_TRANSACTION, binder.BR_TRANSACTION_SEC_CTX, binder.BR_REPLY:
			var td binder.TransactionData
			td.UnmarshalUnsafe(params)
			s.app.storm.received.Add(1)
			s.learn(&td)
			s.addrs[s.n(uint32(len(s.addrs)))] = td.Buffer
			if !s.oneIn(32) {
				s.answerWith(binder.BC_FREE_BUFFER, binary.LittleEndian.AppendUint64(params[:0], td.Buffer))
			}
			if br != binder.BR_REPLY && td.Flags&binder.TF_ONE_WAY == 0 {
				s.reply()
			}
		}
	}
}

// learn remembers a handle that came with td, and acquires it.
func (s *hostileThread) learn(td *binder.TransactionData) {
	if td.OffsetsSize == 0 {
		return
	}
	fd, mapping := s.fd, memmap.MappableRange{Start: 0, End: hostarch.PageSize}
	at := td.Buffer - testMapAddr
	mapping.Start = at &^ (hostarch.PageSize - 1)
	mapping.End = mapping.Start + hostarch.PageSize
	if at%hostarch.PageSize > hostarch.PageSize-binder.SizeOfFlatObject {
		return
	}
	ts, err := fd.proc.Translate(s, mapping, mapping, hostarch.Read)
	if err != nil {
		return
	}
	fr := ts[0].FileRange()
	fr.Start += at - mapping.Start
	fr.End = fr.Start + binder.SizeOfFlatObject
	src, err := ts[0].File.MapInternal(fr, hostarch.Read)
	if err != nil {
		return
	}
	var raw [binder.SizeOfFlatObject]byte
	if _, err := safemem.CopySeq(safemem.BlockSeqOf(safemem.BlockFromSafeSlice(raw[:])), src); err != nil {
		return
	}
	var o binder.FlatObject
	o.UnmarshalUnsafe(raw[:])
	if o.Type == binder.BINDER_TYPE_HANDLE {
		h := uint32(o.Binder)
		for i := range s.handles {
			if s.handles[i] == 0 {
				s.handles[i] = h
			}
		}
		s.handles[s.n(uint32(len(s.handles)))] = h
		s.answerWith(binder.BC_ACQUIRE, raw[8:12])
	}
}

func (s *hostileThread) answerWith(code uint32, params []byte) {
	s.answers = binary.LittleEndian.AppendUint32(s.answers, code)
	s.answers = append(s.answers, params...)
	s.answerEnds = append(s.answerEnds, len(s.answers))
}
