// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package play

import (
	"slices"

	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/test/differential/actor"
	"sentrybinder/test/differential/program"
)

// What follows keeps programs to what one of Linux's drivers, or both, do as the sandbox
// does. Most programs would otherwise begin with one of a few differences, which would
// hide all that comes after it.
//
// What is left out for the driver in C (LikeC):
//
//   - A thread's first ioctl, which does not wait for anything: it is preceded by a
//     BINDER_VERSION, which counts as that.
//   - Transactions that can't be told for want of memory: their buffers stay.
//   - Threads that leave, and may have news or a reply to read: they take it along.
//   - Devices that a child has inherited: it may use them.
//   - Commands that go on behind the end of the write buffer: they are carried out.
//   - Parents' offsets that are no multiple of 4, and PTR objects at the start of the
//     data, which nothing can be in.
//   - Two freeze notifications with the same cookie.
//
// What is left out for the driver in Rust (LikeRust):
//
//   - Reads after a flush, which do not wait here: each is preceded by a BINDER_VERSION,
//     which counts as that.
//   - Threads that wait while their device is flushed, also by a child: here they are
//     told what was deferred.
//   - Threads that ask for a process's work without being loopers: they don't get any.
//   - Reads with too little room for any return: they don't wait.
//   - Calls to handle 0 by the manager's process, through another open device: here
//     they fail.
//   - Processes that never map anything: to have no memory for the answer to a call
//     is BR_FAILED_REPLY, too.
//   - Processes with little room in their mappings: the holes are elsewhere.
//   - Answers with TF_ONE_WAY: they use the space for one-way calls.
//   - Reads whose buffer has an end behind the BR_NOOP: what could not be returned
//     is forgotten. Reads behind what was read before: here BR_SPAWN_LOOPER goes in
//     front of it.
//   - Calls by threads that have not read the answer to another: here they fail.
//   - Threads that exit in the middle of a call: who is called by them can't call back.
//   - Commands after a one-way call, and such a call without a read: that the target
//     is frozen is an error, which commands wait for to be read.
//   - Buffers that are freed, and references acknowledged while others wait, by an
//     ioctl that also reads: what that makes work is for those who wait.
//   - Buffers that are freed twice, or by an address that may be another's: another
//     one may be there in one driver, and not in the other.
//   - References that are acknowledged and were not told of: acknowledgements of either
//     kind are counted.
//   - Freeze notifications asked for by a thread that does not read the answer at
//     once, or while others wait: they may be told in its place.
//   - Descriptors of devices in messages: such a device is closed at some time.
//   - BC_REGISTER_LOOPER after BC_ENTER_LOOPER, which counts as a thread that was asked
//     for.
//   - Nodes with other cookies or flags than before: a node is known for longer.
//   - Arrays of no descriptors, which are malformed.
//   - Processes without the mapping that they had, or all of it, and mappings that
//     move: that's BR_FAILED_REPLY, here BR_DEAD_REPLY. So it is with those who end, or
//     close their devices, while a child has them.
//   - Limits of descriptors: an answer with too many is lost.
//   - Logs, which have another form.
//   - Priorities, of which it knows nothing.

// prime makes th make an ioctl before s, which is about to be one by dev, if s is not
// to be the first one or, for the driver in Rust, one that is not the first.
func (w *World) prime(th *thread, dev *device, s *program.Step) {
	at := caller{dev.fd, th.index}
	called := th.proc.called[at]
	switch s.Op {
	case program.WriteRead, program.Poll, program.Epoll:
		if called && w.options.LikeRust || !called && w.options.LikeC {
			th.Quick(actor.NewCall(unix.SYS_IOCTL, uintptr(dev.fd), binder.BINDER_VERSION, th.Scratch()+miscOffset))
		}
		th.proc.called[at] = true
	case program.Ioctl, program.Freeze, program.Frozen, program.NodeInfo, program.NodeDebug, program.LastError:
		th.proc.called[at] = true
	}
}

// keep returns steps that take the place of s, which was made up, and is yet to keep to
// what w's options say.
func (g *Generator) keep(w *World, s program.Step) []program.Step {
	if w.options.LikeC {
		g.keepC(w, &s)
	}
	if w.options.LikeRust {
		return g.keepRust(w, s)
	}
	return []program.Step{s}
}

// keepC makes s keep to what the driver in C does as the sandbox does.
func (g *Generator) keepC(w *World, s *program.Step) {
	if p := w.procs[s.P]; p != nil && s.T < len(p.threads) && s.Op == program.Ioctl && uint32(s.Arg) == binder.BINDER_THREAD_EXIT {
		th, dev := p.threads[s.T], p.devices[s.Device]
		if th.waits() || dev != nil && th.index < len(dev.unread) && dev.unread[th.index] {
			s.Arg = binder.BINDER_VERSION
		}
	}
	if s.Op != program.WriteRead {
		return
	}
	s.Excess = max(s.Excess, 0)
	if s.Fault == program.ReadEdge || s.Fault == program.ReadFault && s.ReadConsumed != 0 {
		s.Fault = program.NoFault
	}
	s.Write = slices.Clone(s.Write)
	for i := range s.Write {
		c := &s.Write[i]
		if c.Code == binder.BC_REQUEST_FREEZE_NOTIFICATION {
			g.cookies++
			c.Cookie = 0x1000 + g.cookies
		}
		if c.Transaction == nil {
			continue
		}
		t := *c.Transaction
		t.Parts = slices.Clone(t.Parts)
		c.Transaction = &t
		for i := range t.Parts {
			o := &t.Parts[i]
			if i == 0 && o.Type == binder.BINDER_TYPE_PTR && len(o.Words) == 0 {
				o.Words = []uint32{7, 7}
			}
			o.ParentOffset &^= 3
		}
	}
}

// minRead is the size that a read buffer needs for a BR_NOOP and any return.
const minRead = 4 + 4 + binder.SizeOfTransactionDataSecctx

// keepRust returns steps that take the place of s, and keep to what the driver in Rust
// does as the sandbox does.
func (g *Generator) keepRust(w *World, s program.Step) []program.Step {
	if s.Op == program.Log {
		s = program.Step{Op: program.Poll}
	}
	p := w.procs[s.P]
	if p == nil || s.T >= len(p.threads) {
		return []program.Step{s}
	}
	th := p.threads[s.T]
	dev := p.devices[s.Device]
	at := program.Step{P: s.P, T: s.T, Device: s.Device}
	instead := func(op program.Op) program.Step {
		s := at
		s.Op = op
		return s
	}
	switch s.Op {
	case program.Nice, program.Move, program.FileLimit:
		s = instead(program.Poll)
	}
	switch s.Op {
	case program.Kill, program.Exit:
		if p.forked || p.parentSleeps() {
			s = instead(program.LastError)
		}
	case program.CloseFile:
		s.Arg = min(s.Arg, program.FirstFree-1)
	case program.Ioctl:
		if s.WouldManage() && len(p.mappings) > 1 || uint32(s.Arg) == binder.BINDER_THREAD_EXIT && len(th.stack) > 0 {
			s.Arg = binder.BINDER_VERSION
		}
	case program.Mmap:
		if size := uint32(s.Arg); size > 0 && size < minMapping {
			s.Arg += uint64(minMapping - size)
		}
	case program.Open:
		if p.manages[s.NameIndex()] {
			s.Arg++
		}
		if len(g.queued) > 0 && g.queued[0].Op == program.Mmap {
			break
		}
		mmap := instead(program.Mmap)
		mmap.Arg = g.mapping
		return []program.Step{s, mmap}
	case program.DupClose:
		if p.sleeps() || p.parentSleeps() {
			s = instead(program.LastError)
		}
	case program.Close, program.Munmap:
		if p.forked || p.sleeps() || p.parentSleeps() {
			return []program.Step{instead(program.LastError)}
		}
		return []program.Step{instead(program.Munmap), instead(program.Close)}
	case program.WriteRead, program.Poll, program.Epoll:
		var steps []program.Step
		if dev != nil && !dev.loopers[s.T%program.Threads] {
			enter := instead(program.WriteRead)
			enter.Write = []program.Command{{Code: pick[uint32](g.rng, binder.BC_ENTER_LOOPER, binder.BC_ENTER_LOOPER, binder.BC_REGISTER_LOOPER)}}
			steps = append(steps, enter)
		}
		if s.Op == program.WriteRead {
			g.keepWriteRead(th, dev, &s)
		}
		return append(steps, s)
	}
	return []program.Step{s}
}

// sleeps returns whether a thread of the process sleeps.
func (p *process) sleeps() bool {
	return slices.ContainsFunc(p.threads, func(th *thread) bool { return th.pending != nil })
}

// parentSleeps returns whether a thread of a process that p descends from sleeps.
func (p *process) parentSleeps() bool {
	for q := p.parent; q != nil; q = q.parent {
		if q.sleeps() {
			return true
		}
	}
	return false
}

// keepWriteRead is keepRust for a BINDER_WRITE_READ by th, of dev.
func (g *Generator) keepWriteRead(th *thread, dev *device, s *program.Step) {
	s.ReadConsumed = 0
	if s.Fault == program.ReadEdge {
		s.Fault = program.NoFault
	}
	if s.ReadSize > 0 {
		s.ReadSize = max(s.ReadSize, minRead)
	}
	others := th.proc.sleeps()
	waits := th.waits()
	var k known
	if dev != nil {
		k = dev.known
	}
	unfreed, owed := k.unfreed(), slices.Clone(k.owed)
	var kept []program.Command
	last := false
	for _, c := range s.Write {
		if last {
			break
		}
		switch c.Code {
		case binder.BC_TRANSACTION, binder.BC_TRANSACTION_SG:
			if waits {
				continue
			}
			if c.Transaction.Flags&binder.TF_ONE_WAY == 0 {
				waits = true
				break
			}
			last = true
			s.ReadSize, s.Excess = max(s.ReadSize, 256), min(s.Excess, 0)
			if s.Fault == program.ReadFault {
				s.Fault = program.NoFault
			}
		case binder.BC_REPLY, binder.BC_REPLY_SG:
			if waits {
				continue
			}
			last = true
		case binder.BC_REGISTER_LOOPER:
			// It has been one or the other before, see keepRust.
			continue
		case binder.BC_FREE_BUFFER:
			i := slices.Index(unfreed, c.Message)
			switch {
			case c.Delta != 0:
				c.Delta = 1 // No buffer begins there.
			case i >= 0:
				unfreed = slices.Delete(unfreed, i, i+1)
			case c.Message < len(k.messages):
				continue
			}
			s.ReadSize = 0
		case binder.BC_REQUEST_FREEZE_NOTIFICATION:
			if others || waits || th.incoming > 0 || s.Fault != program.NoFault {
				continue
			}
			s.ReadSize, last = max(s.ReadSize, 256), true
		case binder.BC_INCREFS_DONE, binder.BC_ACQUIRE_DONE:
			i := indexOfOwed(owed, &c)
			if i < 0 {
				continue
			}
			owed = slices.Delete(owed, i, i+1)
			if others {
				s.ReadSize = 0
			}
		}
		c.Transaction = g.keepTransaction(c.Code, c.Transaction)
		kept = append(kept, c)
	}
	s.Write = kept
	if len(s.Write) == 0 && s.ReadSize == 0 {
		s.ReadSize = 256
	}
}

// minMapping is the size that mappings have at least.
const minMapping = 1 << 16

// nodeFlags are the flags of nodes, by their addresses.
var nodeFlags = [...]uint32{
	binder.FLAT_BINDER_FLAG_ACCEPTS_FDS,
	binder.FLAT_BINDER_FLAG_ACCEPTS_FDS | binder.FLAT_BINDER_FLAG_TXN_SECURITY_CTX,
	0,
	binder.FLAT_BINDER_FLAG_ACCEPTS_FDS,
}

// keepTransaction is keepRust for a transaction, which is sent by the command code.
func (g *Generator) keepTransaction(code uint32, was *program.Transaction) *program.Transaction {
	if was == nil {
		return nil
	}
	t := *was
	if code == binder.BC_REPLY || code == binder.BC_REPLY_SG {
		t.Flags &^= binder.TF_ONE_WAY
	}
	t.Parts = slices.Clone(t.Parts)
	for i := range t.Parts {
		o := &t.Parts[i]
		switch {
		case o.Bytes > 1024 && o.Bytes <= int(g.mapping):
			o.Bytes %= 1024
		case o.Type == binder.BINDER_TYPE_FD && o.Binder >= program.FirstFree && o.Binder < noFD:
			o.Binder = program.FirstFile
		case o.Type == binder.BINDER_TYPE_BINDER || o.Type == binder.BINDER_TYPE_WEAK_BINDER:
			o.Cookie = o.Binder + 1
			o.Flags = nodeFlags[o.Binder>>4%uint64(len(nodeFlags))]
		case o.Type == binder.BINDER_TYPE_FDA:
			o.Binder = max(o.Binder, 1)
		}
	}
	return &t
}
