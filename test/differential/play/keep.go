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

// What follows leaves out of programs what one of Linux's drivers, or either, is known to
// do differently. Otherwise most programs would soon run into one of a few differences, and
// nothing after it could be compared. The names in parentheses are those of the differences
// in docs/linux.md.
//
// Left out for the C driver (LikeC):
//
//   - A thread's first ioctl, which never waits (first-read): a BINDER_VERSION that is
//     not part of the program comes first.
//   - Reads whose buffer has no memory for a transaction, whose buffer then stays
//     (faulty-read).
//   - Exits of threads that may have node notifications or a reply to read, which get
//     lost (exit).
//   - Use of devices that were inherited from a parent, which is permitted (opener).
//   - Commands that extend beyond the end of the write buffer, which are executed
//     (commands-end).
//   - Parent offsets that are not a multiple of 4 (alignment), and PTR objects at the
//     start of the data, which can't be parents (parents).
//   - Two freeze notifications with the same cookie (cookie-twice).
//
// Left out for the Rust driver (LikeRust):
//
//   - Reads after a flush, which return at once on our driver (flush): a BINDER_VERSION
//     that is not part of the program takes the place of that return.
//   - Flushes, also by a child, while threads of the process wait: on our driver, these
//     return with deferred work, too (flush).
//   - Requests for a process's work by threads that are not loopers, which get none
//     (no-looper).
//   - A child's edge-triggered wait for a device that it has inherited, which reports
//     POLLERR once (opener). On our driver, it reports POLLERR again whenever a thread of
//     the opener may have work, since a waiter.Queue can't tell who waits.
//   - Reads without room for any return, which don't wait (small-buffer).
//   - Calls to handle 0 by the manager's process through another open device, which fail
//     on our driver (manager-itself).
//   - Processes that never map anything: a reply that they have no memory for is
//     BR_FAILED_REPLY, too (no-mapping).
//   - Processes with small mappings: holes are in other places (best-fit).
//   - Replies with TF_ONE_WAY, which take up space for one-way calls (one-way-space).
//   - Read buffers that end soon after the BR_NOOP: what can't be returned is dropped
//     (unread-failure). Reads that append to an earlier read: our driver puts
//     BR_SPAWN_LOOPER in front of that.
//   - Calls by threads that have not read the reply to another one, which fail on our
//     driver (in-a-call).
//   - Exits of threads in the middle of a call: those that they have called can't call
//     back.
//   - Commands after a one-way call, and one-way calls without a read: if the target is
//     frozen, that is a failure, and later commands are not executed until it has been
//     read (pending-frozen).
//   - Freeing a buffer, or acknowledging a reference while other threads wait, in an ioctl
//     that also reads: the resulting work goes to a waiting thread (waiting-first).
//   - Freeing a buffer twice, or by an address that may be another buffer's: one of the
//     drivers may have another buffer there.
//   - Acknowledgements of references that were not notified, which are counted regardless
//     of their kind (acknowledgements).
//   - Requests for freeze notifications by a thread that does not read them at once, or
//     while others wait, which may get them instead (told-thread).
//   - Sending descriptors of devices: it is unclear when such a device is closed.
//   - BC_REGISTER_LOOPER after BC_ENTER_LOOPER, which counts as a requested thread
//     (registered-looper).
//   - Nodes whose cookie or flags change: a node is known for longer (known-nodes).
//   - Arrays of no descriptors, which are malformed (empty-arrays).
//   - Processes that unmap their mapping, or a part of it, or move it: calls to them are
//     BR_FAILED_REPLY, not BR_DEAD_REPLY (no-mapping). The same goes for processes that
//     end, or close their devices, while a child still has these open.
//   - Limits of descriptors: a reply with too many is lost (lost-reply).
//   - Logs, whose format differs (logs).
//   - Nice values, which it ignores (nice).

// prime makes th request BINDER_VERSION before step s, which uses dev. It does so for the C
// driver if th has made no ioctl yet, and for the Rust driver if it has.
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

// keep returns the steps that replace the generated step s to leave out what w's options say.
func (g *Generator) keep(w *World, s program.Step) []program.Step {
	if w.options.LikeC {
		g.keepC(w, &s)
	}
	if w.options.LikeRust {
		return g.keepRust(w, s)
	}
	return []program.Step{s}
}

// keepC changes s to leave out what the C driver does differently.
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

// minRead is the size of a read buffer that has room for a BR_NOOP and any return.
const minRead = 4 + 4 + binder.SizeOfTransactionDataSecctx

// keepRust returns the steps that replace s to leave out what the Rust driver does
// differently.
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
		if s.WouldManage() && (len(p.mappings) > 1 || p.hasOther(dev)) || uint32(s.Arg) == binder.BINDER_THREAD_EXIT && len(th.stack) > 0 {
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
		if dev != nil && dev.owner == p && !dev.loopers[s.T%program.Threads] {
			enter := instead(program.WriteRead)
			enter.Write = []program.Command{{Code: pick[uint32](g.rng, binder.BC_ENTER_LOOPER, binder.BC_ENTER_LOOPER, binder.BC_REGISTER_LOOPER)}}
			steps = append(steps, enter)
		}
		if s.Op == program.WriteRead {
			g.keepWriteRead(th, dev, &s)
		}
		if s.Op == program.Epoll && dev != nil && dev.owner != p {
			s.Arg &^= unix.EPOLLET
		}
		return append(steps, s)
	}
	return []program.Step{s}
}

// sleeps returns whether a thread of the process sleeps.
func (p *process) sleeps() bool {
	return slices.ContainsFunc(p.threads, func(th *thread) bool { return th.pending != nil })
}

// hasOther returns whether the process has opened another device with the name of dev,
// which may be nil.
func (p *process) hasOther(dev *device) bool {
	return dev != nil && slices.ContainsFunc(p.devices[:], func(d *device) bool { return d != nil && d != dev && d.name == dev.name })
}

// parentSleeps returns whether a thread of one of p's ancestors sleeps.
func (p *process) parentSleeps() bool {
	for q := p.parent; q != nil; q = q.parent {
		if q.sleeps() {
			return true
		}
	}
	return false
}

// keepWriteRead does what keepRust does for a BINDER_WRITE_READ by th on dev.
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
			// The thread is a looper of one kind or the other already, see keepRust.
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

// minMapping is the minimum size of mappings.
const minMapping = 1 << 16

// nodeFlags are the flags of nodes, chosen by their addresses.
var nodeFlags = [...]uint32{
	binder.FLAT_BINDER_FLAG_ACCEPTS_FDS,
	binder.FLAT_BINDER_FLAG_ACCEPTS_FDS | binder.FLAT_BINDER_FLAG_TXN_SECURITY_CTX,
	0,
	binder.FLAT_BINDER_FLAG_ACCEPTS_FDS,
}

// keepTransaction does what keepRust does for a transaction that command code sends.
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
