// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package play

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/test/differential/actor"
	"sentrybinder/test/differential/program"
)

// pending is a step that a thread is busy with.
type pending struct {
	step *program.Step
	dev  *device
	// calls is the number of system calls that the step consists of.
	calls int
	// result describes the outcome when the calls are done.
	result func(calls []actor.Call) string
}

// noFD is a descriptor that is never open.
const noFD = 999

// badAddress is an address without memory.
const badAddress = 0x5000

// movedStart is where mappings move to. Each of a process's devices has movedSize bytes.
const (
	movedStart = 0x30_0000_0000
	movedSize  = 64 << 20
)

// play plays one step.
func (w *World) play(s *program.Step) {
	if s.Op == program.Log {
		w.printf("%s", w.log(s))
		// It may have woken a thread; see withoutOwnWork.
		w.settle(nil)
		w.reportWoken(nil)
		return
	}
	p := w.procs[s.P%program.MaxProcesses]
	if p == nil || s.T >= len(p.threads) {
		w.printf("  nobody\n")
		return
	}
	th := p.threads[s.T]
	switch s.Op {
	case program.Kill:
		w.kill(p)
		return
	case program.Signal:
		if th.pending == nil {
			w.printf("  not asleep\n")
			return
		}
		w.fail(th.Interrupt(unix.SIGUSR1))
		w.reportWoken(nil)
		return
	}
	if th.pending != nil {
		w.printf("  asleep\n")
		return
	}
	dev := p.devices[s.Device%program.Devices]
	fd := uintptr(noFD)
	if dev != nil {
		fd = uintptr(dev.fd)
	}
	one := func(call actor.Call, result func(c *actor.Call) string) {
		w.begin(th, &pending{step: s, dev: dev, calls: 1, result: func(calls []actor.Call) string { return result(&calls[0]) }}, call)
	}
	if dev != nil {
		w.prime(th, dev, s)
	}
	plain := func(c *actor.Call) string { return errnoName(c.Errno()) }

	switch s.Op {
	case program.Open:
		name := s.NameIndex()
		flags := uintptr(s.Arg>>8) | unix.O_RDWR | unix.O_CLOEXEC
		one(actor.NewCall(unix.SYS_OPENAT, ^uintptr(99), putString(th.Scratch()+miscOffset, "/dev/"+program.DeviceNames[name]), flags, 0), func(c *actor.Call) string {
			if c.Errno() == 0 {
				// The device that this replaces may still be mapped.
				p.soiled = p.soiled || dev != nil && dev.size != 0
				p.devices[s.Device%program.Devices] = &device{name: name, fd: int(c.Ret), owner: p}
				maps.DeleteFunc(p.called, func(by caller, _ bool) bool { return by.fd == int(c.Ret) })
			}
			return fmt.Sprint("fd ", c.Ret)
		})
	case program.Close:
		if dev != nil && dev.size == 0 {
			p.devices[s.Device%program.Devices] = nil
		}
		one(actor.NewCall(unix.SYS_CLOSE, fd), plain)
	case program.Mmap:
		size, prot := uintptr(uint32(s.Arg)), uintptr(s.Arg>>32)
		if prot == 0 {
			prot = unix.PROT_READ
		}
		one(actor.NewCall(unix.SYS_MMAP, 0, size, prot, unix.MAP_PRIVATE|unix.MAP_NORESERVE, fd, 0), func(c *actor.Call) string {
			if c.Errno() == 0 && dev != nil {
				dev.base, dev.size = uintptr(c.Ret), size
				dev.mapping = len(p.mappings)
				p.mappings = append(p.mappings, span{uint64(c.Ret), min((uint64(size)+4095)&^4095, 4<<20)})
			}
			return errnoName(c.Errno())
		})
	case program.Munmap:
		if dev == nil || dev.size == 0 || dev.owner != p {
			w.printf("  not mapped\n")
			return
		}
		size := dev.size
		if s.Arg != 0 {
			const page = 4096
			size = min(size, (uintptr(s.Arg)+page-1)&^(page-1))
		}
		base := dev.base
		dev.base, dev.size = base+size, dev.size-size
		one(actor.NewCall(unix.SYS_MUNMAP, base, size), plain)
	case program.Move:
		if dev == nil || dev.size == 0 || dev.owner != p {
			w.printf("  not mapped\n")
			return
		}
		// Each device alternates between two places.
		dev.moves++
		to := uintptr(movedStart + s.Device*movedSize + dev.moves%2*movedSize/2)
		size := uintptr(uint32(s.Arg))
		one(actor.NewCall(unix.SYS_MREMAP, dev.base, dev.size, size, unix.MREMAP_MAYMOVE|unix.MREMAP_FIXED, to), func(c *actor.Call) string {
			if c.Errno() == 0 {
				dev.base, dev.size = to, size
				p.mappings = append(p.mappings, span{uint64(to), uint64(size)})
			}
			return errnoName(c.Errno())
		})
	case program.Peek:
		if dev == nil || dev.size == 0 || dev.owner != p {
			w.printf("  not mapped\n")
			return
		}
		if s.Arg+8 > uint64(dev.size) {
			w.printf("  not all of it is mapped\n")
			return
		}
		b, err := dev.read(uint64(dev.base)+s.Arg, 8)
		w.printf("  %v %v\n", err, slices.Equal(b, make([]byte, 8)))
	case program.WriteRead:
		w.writeRead(th, dev, fd, s)
	case program.Ioctl:
		arg := th.Scratch() + miscOffset
		request := uintptr(uint32(s.Arg))
		b := actor.Bytes(arg, 64)
		clear(b)
		putUint32(b, uint32(s.Arg>>32))
		one(actor.NewCall(unix.SYS_IOCTL, fd, request, faulty(arg, s.Fault)), func(c *actor.Call) string {
			if c.Errno() == 0 && request == binder.BINDER_THREAD_EXIT {
				th.incoming, th.stack = 0, nil
				if dev != nil && th.index < len(dev.loopers) {
					dev.loopers[th.index] = false
				}
				delete(p.called, caller{int(fd), th.index})
			}
			if c.Errno() == 0 && dev != nil && s.WouldManage() {
				p.manages[dev.name] = true
			}
			return fmt.Sprintf("%s %x", errnoName(c.Errno()), b[:request>>16&0x3f])
		})
	case program.CloseFile:
		p.soiled = true
		one(actor.NewCall(unix.SYS_CLOSE, uintptr(s.Arg)), plain)
	case program.Nice:
		if th.user != 0 {
			w.printf("  not permitted\n") // gVisor would permit it.
			return
		}
		p.soiled = true
		const none = 40
		calls := []actor.Call{actor.NewCall(unix.SYS_GETPRIORITY, unix.PRIO_PROCESS, 0)}
		if s.Arg < none {
			calls = append([]actor.Call{actor.NewCall(unix.SYS_SETPRIORITY, unix.PRIO_PROCESS, 0, uintptr(s.Arg)-20)}, calls...)
		}
		w.begin(th, &pending{step: s, calls: len(calls), result: func(calls []actor.Call) string {
			return fmt.Sprintf("%s %d", errnoName(calls[0].Errno()), 20-calls[len(calls)-1].Ret)
		}}, calls...)
	case program.Freeze:
		w.structIoctl(th, s, dev, fd, binder.BINDER_FREEZE, []uint32{w.pid(s.Arg & 0xff), uint32(s.Arg >> 8 & 0xff), uint32(s.Arg >> 16)}, nil)
	case program.Frozen:
		w.structIoctl(th, s, dev, fd, binder.BINDER_GET_FROZEN_INFO, []uint32{w.pid(s.Arg), 0, 0}, func(b []byte) string {
			return fmt.Sprintf("%x", b[4:])
		})
	case program.NodeInfo:
		w.structIoctl(th, s, dev, fd, binder.BINDER_GET_NODE_INFO_FOR_REF, []uint32{uint32(s.Arg), uint32(s.Arg >> 32), 0, 0, 0, 0}, func(b []byte) string {
			return fmt.Sprintf("%x", b)
		})
	case program.NodeDebug:
		w.structIoctl(th, s, dev, fd, binder.BINDER_GET_NODE_DEBUG_INFO, []uint32{uint32(s.Arg), 0, 0, 0, 0, 0}, func(b []byte) string {
			return fmt.Sprintf("%x", b)
		})
	case program.LastError:
		w.structIoctl(th, s, dev, fd, binder.BINDER_GET_EXTENDED_ERROR, []uint32{0, 0, 0}, func(b []byte) string {
			// The first field, a debug ID, depends on what else the driver has made.
			return fmt.Sprintf("%s %d", returnName(binary.NativeEndian.Uint32(b[4:])), int32(binary.NativeEndian.Uint32(b[8:])))
		})
	case program.Poll:
		at := th.Scratch() + miscOffset
		b := actor.Bytes(at, 64)
		clear(b)
		putUint32(b, uint32(fd))
		putUint32(b[4:], uint32(unix.POLLIN|unix.POLLOUT))
		one(actor.NewCall(unix.SYS_PPOLL, at, 1, at+16, 0, 0), func(c *actor.Call) string {
			return fmt.Sprintf("%d %x", c.Ret, b[6:8])
		})
	case program.Epoll:
		w.epoll(th, s, dev, fd)
	case program.NonBlock:
		flags := uintptr(unix.O_RDWR)
		if s.Arg != 0 {
			flags |= unix.O_NONBLOCK
		}
		one(actor.NewCall(unix.SYS_FCNTL, fd, unix.F_SETFL, flags), func(c *actor.Call) string {
			if c.Errno() == 0 && dev != nil {
				dev.nonBlocking = s.Arg != 0
			}
			return errnoName(c.Errno())
		})
	case program.DupClose:
		// copyFD is a descriptor that nothing else uses.
		const copyFD = 200
		w.begin(th, &pending{step: s, calls: 2, result: func(calls []actor.Call) string {
			return errnoName(calls[1].Errno())
		}}, actor.NewCall(unix.SYS_DUP3, fd, copyFD, unix.O_CLOEXEC), actor.NewCall(unix.SYS_CLOSE, copyFD))
	case program.Fork:
		w.fork(p)
	case program.Exit:
		w.exit(th)
	case program.SetUser:
		p.soiled = true
		one(actor.NewCall(unix.SYS_SETRESUID, ^uintptr(0), uintptr(s.Arg), ^uintptr(0)), func(c *actor.Call) string {
			if c.Errno() == 0 {
				th.user = s.Arg
			}
			return errnoName(c.Errno())
		})
	case program.FileLimit:
		p.soiled = true
		at := th.Scratch() + miscOffset
		b := actor.Bytes(at, 16)
		clear(b)
		putUint32(b, uint32(s.Arg))
		putUint32(b[8:], 4096)
		one(actor.NewCall(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NOFILE, at, 0), plain)
	default:
		w.printf("  unknown\n")
	}
}

// structIoctl makes an ioctl whose argument is a structure of 32-bit numbers. Unless it
// is nil, describe returns what to record of the structure afterwards.
func (w *World) structIoctl(th *thread, s *program.Step, dev *device, fd, request uintptr, arg []uint32, describe func(b []byte) string) {
	at := th.Scratch() + miscOffset
	b := actor.Bytes(at, 4*len(arg))
	for i, v := range arg {
		putUint32(b[4*i:], v)
	}
	w.begin(th, &pending{step: s, dev: dev, calls: 1, result: func(calls []actor.Call) string {
		out := errnoName(calls[0].Errno())
		if describe != nil {
			out += " " + describe(b)
		}
		return out
	}}, actor.NewCall(unix.SYS_IOCTL, fd, request, faulty(at, s.Fault)))
}

// epoll asks the epoll instance of a device, which it creates first if there is none,
// whether the device is ready.
func (w *World) epoll(th *thread, s *program.Step, dev *device, fd uintptr) {
	at := th.Scratch() + miscOffset
	var calls []actor.Call
	if dev != nil && dev.epoll != 0 && dev.epollBy != th {
		// Linux notifies an instance only of what happens to the thread that added
		// the device, the sandbox of what happens to any thread.
		w.printf("  another's\n")
		return
	}
	if dev != nil && dev.epoll == 0 {
		created := th.Quick(actor.NewCall(unix.SYS_EPOLL_CREATE1, unix.EPOLL_CLOEXEC)).Ret
		if created < 0 {
			w.printf("  no instance\n")
			return
		}
		// firstEpoll is higher than any descriptor of devices and files.
		const firstEpoll = 210
		dev.epoll = firstEpoll + s.Device
		copied := th.Quick(actor.NewCall(unix.SYS_DUP3, uintptr(created), uintptr(dev.epoll), unix.O_CLOEXEC)).Ret
		th.Quick(actor.NewCall(unix.SYS_CLOSE, uintptr(created)))
		if copied < 0 {
			dev.epoll = 0
			w.printf("  no instance\n")
			return
		}
		dev.epollBy = th
		clear(actor.Bytes(at, 12))
		putUint32(actor.Bytes(at, 12), uint32(s.Arg)|unix.EPOLLIN|unix.EPOLLOUT)
		calls = append(calls, actor.NewCall(unix.SYS_EPOLL_CTL, uintptr(dev.epoll), unix.EPOLL_CTL_ADD, fd, at))
	}
	epfd := uintptr(noFD)
	if dev != nil {
		epfd = uintptr(dev.epoll)
	}
	events := actor.Bytes(at+16, 12)
	clear(events)
	calls = append(calls, actor.NewCall(unix.SYS_EPOLL_PWAIT, epfd, at+16, 1, 0))
	w.begin(th, &pending{step: s, dev: dev, calls: len(calls), result: func(calls []actor.Call) string {
		return fmt.Sprintf("%s %d %x", errnoName(calls[0].Errno()), calls[len(calls)-1].Ret, events[:4])
	}}, calls...)
}

// pid returns the ID of process i, or one that no process has.
func (w *World) pid(i uint64) uint32 {
	if i < program.MaxProcesses && w.procs[i] != nil {
		return uint32(w.procs[i].actors.PID)
	}
	return 1<<22 + 1
}

// begin makes th start on a step, and records its result and those of the steps that it
// ends.
func (w *World) begin(th *thread, pe *pending, calls ...actor.Call) {
	th.pending, th.lastStep = pe, pe.step
	w.do(th, calls...)
	for pe.step.Op == program.Freeze && th.Busy() && w.err == nil {
		// Wait until the request times out: no other thread does anything meanwhile.
		unix.Nanosleep(&unix.Timespec{Nsec: 1e6}, nil)
		w.settle(nil)
	}
	switch pe.step.Op {
	case program.Close, program.CloseFile, program.Munmap:
		w.released()
	}
	w.report(th)
	w.reportWoken(th)
}

// report records the result of a thread's step, or that the thread sleeps.
func (w *World) report(th *thread) {
	pe := th.pending
	if pe == nil {
		return
	}
	if th.Busy() {
		w.printf("  sleeps\n")
		return
	}
	th.pending = nil
	w.printf("  %s\n", pe.result(th.Calls(pe.calls)))
}

// reportWoken records the results of the steps that threads other than self have slept
// in and finished.
func (w *World) reportWoken(self *thread) {
	for _, p := range w.procs {
		if p == nil {
			continue
		}
		for _, th := range p.threads {
			if th != self && th.pending != nil && !th.Busy() {
				w.printf("  P%d.%d:", p.index, th.index)
				w.report(th)
			}
		}
	}
}

// fork makes a process's main thread fork.
func (w *World) fork(p *process) {
	if p.threads[0].pending != nil {
		w.printf("  asleep\n")
		return
	}
	for i := program.Processes; i < program.MaxProcesses; i++ {
		if w.procs[i] == nil {
			child := newProcess(i, p.actors.Fork())
			p.forked, child.parent = true, p
			child.soiled = p.soiled // It inherits the limit of descriptors.
			if !w.options.LikeC {
				child.devices = p.devices
			}
			for _, th := range child.threads {
				th.user = p.threads[0].user
			}
			w.procs[i] = child
			w.printf("  P%d\n", i)
			return
		}
	}
	w.printf("  too many\n")
}

// exit makes a thread call exit_group(2).
func (w *World) exit(th *thread) {
	p := th.proc
	th.Post(actor.NewCall(unix.SYS_EXIT_GROUP, 0))
	w.fail(p.actors.Reap())
	w.gone(p)
}

func errnoName(e unix.Errno) string {
	if e == 0 {
		return "ok"
	}
	return unix.ErrnoName(e)
}
