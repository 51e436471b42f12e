// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/marshal/primitive"
	"gvisor.dev/gvisor/pkg/usermem"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/binder/list"
)

// ioctl carries out an ioctl by task, whose memory is uio. Besides open, mmap, poll
// and close it is all that an application does with the driver; it needs no file
// description.
//
// Errors: those of Linux's driver; EINVAL if request is unknown, EFAULT if its
// argument can't be read or written, ENOMEM if the process's account has no room for
// what the call needs.
func (p *Process) ioctl(task Task, uio usermem.IO, request uint32, arg hostarch.Addr, nonBlocking bool) error {
	th, err := p.thread(task.ThreadID())
	if err != nil {
		return err
	}
	if request == binder.BINDER_THREAD_EXIT {
		th.exit(task)
		return nil
	}
	return th.ioctl(task, uio, request, arg, nonBlocking)
}

// ioctlByOther is ioctl for a task of a process that did not open the device, and for
// requests that are openToAll. The task doesn't become a thread of p: its Thread ends with
// the call.
func (p *Process) ioctlByOther(task Task, uio usermem.IO, request uint32, arg hostarch.Addr) error {
	th, err := newThread(p, task.ThreadID())
	if err != nil {
		return err
	}
	fresh := list.NewUnique(th)
	held := fresh.Share()
	defer held.Release(task)
	return th.ioctl(task, uio, request, arg, false)
}

// openToAll returns whether a process that did not open the device may make a request:
// whether it only queries, or freezes others.
func openToAll(request uint32) bool {
	switch request {
	case binder.BINDER_VERSION, binder.BINDER_GET_NODE_DEBUG_INFO, binder.BINDER_GET_NODE_INFO_FOR_REF,
		binder.BINDER_FREEZE, binder.BINDER_GET_FROZEN_INFO:
		return true
	default:
		return false
	}
}

// ioctl carries out a request other than BINDER_THREAD_EXIT.
func (th *Thread) ioctl(task Task, uio usermem.IO, request uint32, arg hostarch.Addr, nonBlocking bool) error {
	err := th.request(task, uio, request, arg, nonBlocking)
	th.scratch.drop()
	th.refuseIoctl(task, request, arg, err)
	if th.needReturn.Load() {
		th.needReturn.Store(false)
	}
	return err
}

// scratch is what a thread needs during an ioctl and passes to interfaces: as local
// variables, its fields would escape to the heap on every call.
type scratch struct {
	cc       usermem.IOCopyContext
	wr       binder.WriteRead
	commands commandReader
	message  message
	compose  composer
	returns  returnWriter
}

// drop releases what the ioctl referred to.
func (s *scratch) drop() {
	s.cc = usermem.IOCopyContext{}
	if s.message.debugID != 0 {
		s.message, s.compose = message{}, composer{}
	}
	s.returns.task, s.returns.uio, s.returns.th = nil, nil, nil
}

// request dispatches a request other than BINDER_THREAD_EXIT.
func (th *Thread) request(task Task, uio usermem.IO, request uint32, arg hostarch.Addr, nonBlocking bool) error {
	p := th.proc
	freezeLeft := th.freezeLeft
	th.freezeLeft = 0
	cc := &th.scratch.cc
	*cc = usermem.IOCopyContext{Ctx: task, IO: uio, Opts: ioOpts}
	switch request {
	case binder.BINDER_WRITE_READ:
		return th.writeRead(task, uio, arg, nonBlocking)

	case binder.BINDER_SET_MAX_THREADS:
		var n uint32
		if _, err := primitive.CopyUint32In(cc, arg, &n); err != nil {
			return linuxerr.EFAULT
		}
		p.mu.Lock()
		p.inner.maxThreads = n
		p.mu.Unlock()
		return nil

	case binder.BINDER_SET_CONTEXT_MGR:
		return p.ctx.setManager(p, task.EffectiveKUID(), &binder.FlatObject{})

	case binder.BINDER_SET_CONTEXT_MGR_EXT:
		var object binder.FlatObject
		if _, err := object.CopyIn(cc, arg); err != nil {
			return linuxerr.EFAULT
		}
		return p.ctx.setManager(p, task.EffectiveKUID(), &object)

	case binder.BINDER_VERSION:
		version := binder.Version{ProtocolVersion: binder.BINDER_CURRENT_PROTOCOL_VERSION}
		if _, err := version.CopyOut(cc, arg); err != nil {
			return linuxerr.EFAULT
		}
		return nil

	case binder.BINDER_ENABLE_ONEWAY_SPAM_DETECTION:
		var enable uint32
		if _, err := primitive.CopyUint32In(cc, arg, &enable); err != nil {
			return linuxerr.EFAULT
		}
		p.mu.Lock()
		p.inner.oneWaySpamDetection = enable != 0
		p.mu.Unlock()
		return nil

	case binder.BINDER_GET_NODE_DEBUG_INFO:
		var info binder.NodeDebugInfo
		if _, err := info.CopyIn(cc, arg); err != nil {
			return linuxerr.EFAULT
		}
		info = p.debugInfo(info.Ptr)
		if _, err := info.CopyOut(cc, arg); err != nil {
			return linuxerr.EFAULT
		}
		return nil

	case binder.BINDER_GET_NODE_INFO_FOR_REF:
		var info binder.NodeInfoForRef
		if _, err := info.CopyIn(cc, arg); err != nil {
			return linuxerr.EFAULT
		}
		if err := p.nodeInfoForRef(task, &info); err != nil {
			return err
		}
		if _, err := info.CopyOut(cc, arg); err != nil {
			return linuxerr.EFAULT
		}
		return nil

	case binder.BINDER_FREEZE:
		var info binder.FreezeInfo
		if _, err := info.CopyIn(cc, arg); err != nil {
			return linuxerr.EFAULT
		}
		return th.freezeProcess(task, &info, freezeLeft)

	case binder.BINDER_GET_FROZEN_INFO:
		var info binder.FrozenStatusInfo
		if _, err := info.CopyIn(cc, arg); err != nil {
			return linuxerr.EFAULT
		}
		if err := task.View(p).frozenInfo(&info); err != nil {
			return err
		}
		if _, err := info.CopyOut(cc, arg); err != nil {
			return linuxerr.EFAULT
		}
		return nil

	case binder.BINDER_GET_EXTENDED_ERROR:
		e := th.takeError()
		if _, err := e.CopyOut(cc, arg); err != nil {
			return linuxerr.EFAULT
		}
		return nil

	default:
		return linuxerr.EINVAL
	}
}

// writeRead handles BINDER_WRITE_READ: commands, then returns.
func (th *Thread) writeRead(task Task, uio usermem.IO, arg hostarch.Addr, nonBlocking bool) error {
	cc, wr := &th.scratch.cc, &th.scratch.wr
	if _, err := wr.CopyIn(cc, arg); err != nil {
		return linuxerr.EFAULT
	}
	var err error
	if wr.WriteSize > 0 {
		if err = th.write(task, uio, wr); err != nil {
			wr.ReadConsumed = 0
		}
	}
	if err == nil && wr.ReadSize > 0 {
		err = th.read(task, uio, wr, nonBlocking)
		if th.endRead(task, err) {
			err = th.scratch.returns.putSpawnLooper()
		}
	}
	// Progress is reported even on failure, so that the application, or the restart
	// of an interrupted call, resumes from there.
	if _, copyErr := wr.CopyOut(cc, arg); copyErr != nil {
		return linuxerr.EFAULT
	}
	return err
}
