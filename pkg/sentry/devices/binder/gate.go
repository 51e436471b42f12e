// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build differential

package binder

import (
	"cmp"
	"runtime"
	"slices"
	"time"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/atomicbitops"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/sentry/arch"
	"gvisor.dev/gvisor/pkg/sentry/kernel"
	"gvisor.dev/gvisor/pkg/sentry/kernel/auth"
	"gvisor.dev/gvisor/pkg/sentry/vfs"
	"gvisor.dev/gvisor/pkg/sync"
	"gvisor.dev/gvisor/pkg/usermem"
)

// The gate is a part of the sandboxes that test/differential runs its programs
// in, and of no other. A thread that the driver wakes goes on only when that
// test's controller says so, which is thereby told when nothing moves any more.
// See test/differential/actor. As long as there's no controller, threads go on by
// themselves.
var gate struct {
	// controlled is set with the first request of a controller.
	controlled atomicbitops.Bool

	mu sync.Mutex

	// sleepers are the threads that sleep in the driver.
	// +checklocks:mu
	sleepers []*sleeper

	// lastTurn counts those that were woken.
	// +checklocks:mu
	lastTurn int
}

// sleeper is a thread that sleeps in the driver.
type sleeper struct {
	task *kernel.Task
	// wake is what the driver wakes it by, and resume what it really waits on.
	wake   <-chan struct{}
	resume chan struct{}

	// turn says when it was woken, in relation to the others; 0 if it was before
	// it slept.
	turn int
}

// signal takes the place of what's in signal.go.
func (th *Thread) signal() {
	select {
	case th.wake <- struct{}{}:
	default:
		return
	}
	gate.mu.Lock()
	defer gate.mu.Unlock()
	gate.lastTurn++
	for _, s := range gate.sleepers {
		if s.wake == th.wake {
			s.turn = gate.lastTurn
		}
	}
}

// Block takes the place of kernel.Task.Block.
func (t kernelTask) Block(wake <-chan struct{}) error {
	if !gate.controlled.Load() {
		return t.Task.Block(wake)
	}
	s := &sleeper{task: t.Task, wake: wake, resume: make(chan struct{}, 1)}
	gate.mu.Lock()
	gate.sleepers = append(gate.sleepers, s)
	gate.mu.Unlock()

	err := t.Task.Block(s.resume)

	gate.mu.Lock()
	defer gate.mu.Unlock()
	for i := range gate.sleepers {
		if gate.sleepers[i] == s {
			gate.sleepers = append(gate.sleepers[:i:i], gate.sleepers[i+1:]...)
			break
		}
	}
	if err == nil {
		<-wake
	}
	return err
}

// gateWait is actor.gateWait.
type gateWait struct {
	state  uint64
	tid    int32
	resume uint32
	late   uint32
	n      uint32
	woken  [maxGateWoken]int32
}

const (
	maxGateWoken    = 64
	sizeOfGateWait  = 24 + 4*maxGateWoken
	gateRequest     = 0x6701
	gateInterrupt   = 0x100
	gateStateDone   = 2
	gatePatience    = time.Minute
	gateMinor       = 250
	gateSpinsToRest = 1000
)

// RegisterGate registers the device that is the gate's other end.
func RegisterGate(vfsObj *vfs.VirtualFilesystem) error {
	return vfsObj.RegisterDevice(vfs.CharDevice, linux.MISC_MAJOR, gateMinor, gateDevice{}, &vfs.RegisterDeviceOptions{
		GroupName: "misc",
		Pathname:  "binder_gate",
		FilePerms: 0600,
	})
}

type gateDevice struct{}

// Open implements vfs.Device.Open.
func (gateDevice) Open(ctx context.Context, mnt *vfs.Mount, vfsd *vfs.Dentry, opts vfs.OpenOptions) (*vfs.FileDescription, error) {
	fd := &gateFD{}
	if err := fd.vfsfd.Init(fd, opts.Flags, auth.CredentialsFromContext(ctx), mnt, vfsd, &vfs.FileDescriptionOptions{
		UseDentryMetadata: true,
		SpecialFile:       true,
	}); err != nil {
		return nil, err
	}
	return &fd.vfsfd, nil
}

type gateFD struct {
	vfsfd vfs.FileDescription
	vfs.FileDescriptionDefaultImpl
	vfs.DentryMetadataFileDescriptionImpl
	vfs.NoLockFD
}

// Release implements vfs.FileDescriptionImpl.Release.
func (*gateFD) Release(context.Context) {}

// Ioctl implements vfs.FileDescriptionImpl.Ioctl.
func (*gateFD) Ioctl(ctx context.Context, uio usermem.IO, _ uintptr, args arch.SyscallArguments) (uintptr, error) {
	caller := kernel.TaskFromContext(ctx)
	switch args[1].Uint() {
	case gateRequest:
		gate.controlled.Store(true)
		return 0, gateSettle(caller, uio, args[2].Pointer())
	case coverageRequest:
		return gateCoverage(caller, uio, args[2].Pointer())
	}
	return 0, linuxerr.ENOTTY
}

func gateSettle(caller *kernel.Task, uio usermem.IO, at hostarch.Addr) error {
	var raw [sizeOfGateWait]byte
	if _, err := uio.CopyIn(caller, at, raw[:], usermem.IOOpts{}); err != nil {
		return err
	}
	w := gateWait{
		state:  hostarch.ByteOrder.Uint64(raw[0:]),
		tid:    int32(hostarch.ByteOrder.Uint32(raw[8:])),
		resume: hostarch.ByteOrder.Uint32(raw[12:]),
	}
	if w.tid != 0 {
		// A thread that was killed meanwhile is not waited for.
		if task := caller.PIDNamespace().TaskWithID(kernel.ThreadID(w.tid)); task != nil {
			var slept *sleeper
			if w.resume != 0 {
				slept = gateEnd(task, w.resume)
			}
			if !gateAwait(caller, uio, task, slept, hostarch.Addr(w.state)) {
				w.late = 1
			}
		}
	}

	gate.mu.Lock()
	slices.SortStableFunc(gate.sleepers, func(a, b *sleeper) int { return cmp.Compare(a.turn, b.turn) })
	for _, s := range gate.sleepers {
		if len(s.wake) != 0 && w.n < maxGateWoken {
			w.woken[w.n] = int32(caller.PIDNamespace().IDOfTask(s.task))
			w.n++
		}
	}
	gate.mu.Unlock()
	hostarch.ByteOrder.PutUint32(raw[16:], w.late)
	hostarch.ByteOrder.PutUint32(raw[20:], w.n)
	for i, tid := range w.woken[:w.n] {
		hostarch.ByteOrder.PutUint32(raw[24+4*i:], uint32(tid))
	}
	_, err := uio.CopyOut(caller, at, raw[:24+4*w.n], usermem.IOOpts{})
	return err
}

// gateEnd ends the sleep of a thread: it was woken, or is sent a signal. It
// returns how it has slept.
func gateEnd(task *kernel.Task, how uint32) *sleeper {
	gate.mu.Lock()
	defer gate.mu.Unlock()
	for _, s := range gate.sleepers {
		if s.task != task {
			continue
		}
		if how >= gateInterrupt {
			task.SendSignal(kernel.SignalInfoPriv(linux.Signal(how - gateInterrupt)))
		} else {
			s.resume <- struct{}{}
		}
		return s
	}
	return nil
}

// gateAwait waits until a thread's state is done, or it sleeps, but not as
// before. It returns false if that takes too long.
func gateAwait(caller *kernel.Task, uio usermem.IO, task *kernel.Task, before *sleeper, state hostarch.Addr) bool {
	var deadline time.Time
	for spins := 0; ; spins++ {
		var raw [4]byte
		if _, err := uio.CopyIn(caller, state, raw[:], usermem.IOOpts{}); err == nil && hostarch.ByteOrder.Uint32(raw[:]) == gateStateDone {
			return true
		}
		if gateSleeps(task, before) {
			return true
		}
		if spins < gateSpinsToRest {
			runtime.Gosched()
			continue
		}
		if deadline.IsZero() {
			deadline = time.Now().Add(gatePatience)
		} else if time.Now().After(deadline) {
			return false
		}
		time.Sleep(20 * time.Microsecond)
	}
}

func gateSleeps(task *kernel.Task, before *sleeper) bool {
	gate.mu.Lock()
	defer gate.mu.Unlock()
	for _, s := range gate.sleepers {
		if s.task == task && s != before {
			return true
		}
	}
	return false
}
