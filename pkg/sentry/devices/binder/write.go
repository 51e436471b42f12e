// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/usermem"

	"sentrybinder/pkg/abi/binder"
)

// commandReader reads commands and their parameters from an application's write
// buffer.
type commandReader struct {
	addr hostarch.Addr

	// pos and end are offsets from addr, in bytes.
	pos, end uint64

	// ahead is what has been read of the buffer from pos on, a part of scratch, which
	// has room for all that most calls write: a single read gets it.
	ahead   []byte
	scratch [freeBufferSize + commandSize + maxParamsSize]byte
}

// more returns whether another command starts in the buffer.
func (r *commandReader) more() bool { return r.pos < r.end && r.end-r.pos >= commandSize }

// next returns the next n bytes, which stay in scratch until it is called again.
//
// Errors: EFAULT if the buffer ends before that, or can't be read.
//
// Preconditions: n is at most maxParamsSize.
func (r *commandReader) next(task Task, uio usermem.IO, n int) ([]byte, error) {
	if r.end-r.pos < uint64(n) {
		return nil, linuxerr.EFAULT
	}
	if len(r.ahead) < n {
		size := int(min(r.end-r.pos, uint64(len(r.scratch))))
		got, _ := uio.CopyIn(task, r.addr+hostarch.Addr(r.pos), r.scratch[:size], ioOpts)
		r.ahead = r.scratch[:got]
		if got < n {
			return nil, linuxerr.EFAULT
		}
	}
	b := r.ahead[:n]
	r.ahead = r.ahead[n:]
	r.pos += uint64(n)
	return b, nil
}

// commandSize is the size of a command's code, maxParamsSize that of the parameters of
// the longest command, and freeBufferSize that of a BC_FREE_BUFFER, in bytes.
const (
	commandSize    = 4
	maxParamsSize  = binder.SizeOfTransactionDataSG
	freeBufferSize = commandSize + 8
)

// maxCommandsAtOnce is the number of commands after which an interrupted thread leaves
// the rest to the restarted call. A write buffer may be as long as the address space:
// this way, its thread can be killed and checkpointed.
const maxCommandsAtOnce = 4096

// write carries out the commands in wr's write buffer and counts the bytes consumed,
// by whole commands. It stops, without an error, after a failure that the thread has
// to read.
//
// Errors: EFAULT if a command can't be read, EINVAL if it is unknown, those of command,
// ERESTARTSYS if there are many and the thread is interrupted.
func (th *Thread) write(task Task, uio usermem.IO, wr *binder.WriteRead) error {
	r := &th.scratch.commands
	r.addr, r.pos, r.end = hostarch.Addr(wr.WriteBuffer), wr.WriteConsumed, wr.WriteSize
	r.ahead = nil
	for n := 1; r.more() && !th.failed(); n++ {
		if n%maxCommandsAtOnce == 0 && task.Interrupted() {
			return linuxerr.ERESTARTSYS
		}
		code, err := r.next(task, uio, commandSize)
		if err != nil {
			return err
		}
		cmd := hostarch.ByteOrder.Uint32(code)
		th.proc.counts.command(cmd)
		th.proc.tracer().command(th, cmd)
		if !knownCommand(cmd) {
			th.refuse(task, cmd, refusalFor(reasonUnknownCommand))
			return linuxerr.EINVAL
		}
		params, err := r.next(task, uio, binder.CommandSize(cmd))
		if err != nil {
			return err
		}
		if err := th.command(task, uio, cmd, params); err != nil {
			return err
		}
		wr.WriteConsumed = r.pos
	}
	return nil
}

// knownCommand returns whether cmd is a command that the driver carries out.
func knownCommand(cmd uint32) bool {
	switch cmd {
	case binder.BC_TRANSACTION, binder.BC_REPLY,
		binder.BC_FREE_BUFFER,
		binder.BC_INCREFS, binder.BC_ACQUIRE, binder.BC_RELEASE, binder.BC_DECREFS,
		binder.BC_INCREFS_DONE, binder.BC_ACQUIRE_DONE,
		binder.BC_REGISTER_LOOPER, binder.BC_ENTER_LOOPER, binder.BC_EXIT_LOOPER,
		binder.BC_REQUEST_DEATH_NOTIFICATION, binder.BC_CLEAR_DEATH_NOTIFICATION, binder.BC_DEAD_BINDER_DONE,
		binder.BC_REQUEST_FREEZE_NOTIFICATION, binder.BC_CLEAR_FREEZE_NOTIFICATION, binder.BC_FREEZE_NOTIFICATION_DONE,
		binder.BC_TRANSACTION_SG, binder.BC_REPLY_SG:
		return true
	default:
		return false
	}
}

// command carries out one command. If what it refers to doesn't exist, it has no
// effect, or the thread has a failure to read.
//
// Errors: EINVAL if the command concerns freeze notifications and is invalid, or if the
// context manager's process acquires handle 0; ENOMEM if it requests freeze notifications
// and the process's account has no room for that. The command is not consumed then.
func (th *Thread) command(task Task, uio usermem.IO, cmd uint32, params []byte) error {
	p := th.proc
	switch cmd {
	case binder.BC_INCREFS, binder.BC_ACQUIRE, binder.BC_RELEASE, binder.BC_DECREFS:
		handle := hostarch.ByteOrder.Uint32(params)
		increment := cmd == binder.BC_INCREFS || cmd == binder.BC_ACQUIRE
		strong := cmd == binder.BC_ACQUIRE || cmd == binder.BC_RELEASE
		if increment && handle == 0 && p.ctx.managedBy(p) {
			th.refuse(task, cmd, refusalFor(reasonManagerRef))
			return linuxerr.EINVAL
		}
		if err := p.changeRef(task, handle, increment, strong); err != nil {
			th.refuse(task, cmd, whyNoRef(err, handle))
		}

	case binder.BC_INCREFS_DONE, binder.BC_ACQUIRE_DONE:
		var pc binder.PtrCookie
		pc.UnmarshalUnsafe(params)
		th.refuse(task, cmd, p.acknowledge(task, cmd == binder.BC_ACQUIRE_DONE, &pc))

	case binder.BC_FREE_BUFFER:
		addr := hostarch.Addr(hostarch.ByteOrder.Uint64(params))
		b, err := p.alloc.Claim(addr)
		if err != nil {
			why := reasonNoBuffer
			if linuxerr.Equals(linuxerr.EPERM, err) {
				why = reasonNotReceived
			}
			th.refuse(task, cmd, refusalFor(why, 0, uint64(addr)))
			return nil
		}
		th.closeFiles(task, &b)
		p.freeBuffer(task, &b)

	case binder.BC_TRANSACTION, binder.BC_REPLY, binder.BC_TRANSACTION_SG, binder.BC_REPLY_SG:
		m := &th.scratch.message
		*m = message{}
		rest := m.UnmarshalUnsafe(params)
		if len(rest) != 0 {
			m.buffersSize = hostarch.ByteOrder.Uint64(rest)
		}
		if cmd == binder.BC_REPLY || cmd == binder.BC_REPLY_SG {
			th.answer(task, uio, m)
		} else {
			th.call(task, uio, m)
		}

	case binder.BC_REGISTER_LOOPER:
		th.refuse(task, cmd, th.register())
	case binder.BC_ENTER_LOOPER:
		th.refuse(task, cmd, th.enter())
	case binder.BC_EXIT_LOOPER:
		th.exitLooper()

	case binder.BC_REQUEST_DEATH_NOTIFICATION, binder.BC_CLEAR_DEATH_NOTIFICATION:
		var hc binder.HandleCookie
		hc.UnmarshalBytes(params)
		if cmd == binder.BC_REQUEST_DEATH_NOTIFICATION {
			why, err := p.requestDeath(task, hc.Handle, hc.Cookie)
			if err != nil {
				th.proc.mu.Lock()
				th.failLocked(binder.BR_ERROR)
				th.proc.mu.Unlock()
			}
			th.refuse(task, cmd, why)
		} else {
			th.refuse(task, cmd, p.clearDeath(task, th, hc.Handle, hc.Cookie))
		}

	case binder.BC_DEAD_BINDER_DONE:
		th.refuse(task, cmd, p.deadBinderDone(task, th, hostarch.ByteOrder.Uint64(params)))

	case binder.BC_REQUEST_FREEZE_NOTIFICATION, binder.BC_CLEAR_FREEZE_NOTIFICATION:
		var hc binder.HandleCookie
		hc.UnmarshalBytes(params)
		change := p.clearFreeze
		if cmd == binder.BC_REQUEST_FREEZE_NOTIFICATION {
			change = p.requestFreeze
		}
		why, err := change(task, hc.Handle, hc.Cookie)
		th.refuse(task, cmd, why)
		return err

	case binder.BC_FREEZE_NOTIFICATION_DONE:
		why, err := p.freezeDone(task, hostarch.ByteOrder.Uint64(params))
		th.refuse(task, cmd, why)
		return err
	}
	return nil
}

// whyNoRef translates an error of changeRef for handle into the reason for it.
func whyNoRef(err error, handle uint32) *refusal {
	if linuxerr.Equals(linuxerr.ENOMEM, err) {
		return refusalFor(reasonNoRoom)
	}
	return refusalFor(reasonRefChange, 0, uint64(handle))
}
