// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package gate is a part of the sandboxes that test/differential runs its programs
// in. A thread that the driver wakes goes on only when that test's controller says
// so, which is thereby told when nothing moves any more. See
// test/differential/actor. As long as there's no controller, threads go on by
// themselves.
package gate

import (
	"cmp"
	"runtime"
	"slices"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
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

	"sentrybinder/pkg/sentry/devices/binder"
)

// Gate is a binder.Scheduler that a controller commands by a device, and the
// extension of runsc that registers the device.
type Gate struct {
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

// Wake implements binder.Scheduler.Wake.
func (g *Gate) Wake(wake chan struct{}) {
	select {
	case wake <- struct{}{}:
	default:
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lastTurn++
	for _, s := range g.sleepers {
		if s.wake == wake {
			s.turn = g.lastTurn
		}
	}
}

// Block implements binder.Scheduler.Block.
func (g *Gate) Block(caller binder.Task, wake <-chan struct{}) error {
	if !g.controlled.Load() {
		return caller.Block(wake)
	}
	s := &sleeper{task: kernel.TaskFromContext(caller), wake: wake, resume: make(chan struct{}, 1)}
	g.mu.Lock()
	g.sleepers = append(g.sleepers, s)
	g.mu.Unlock()

	err := caller.Block(s.resume)

	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.sleepers, s); i >= 0 {
		g.sleepers = slices.Delete(g.sleepers, i, i+1)
	}
	if err == nil {
		<-wake
	}
	return err
}

// wait is the gate's end of actor.gateWait.
type wait struct {
	state  uint64
	tid    int32
	resume uint32
	late   uint32
	n      uint32
	woken  [maxWoken]int32
}

const (
	maxWoken          = 64
	sizeOfWait        = 24 + 4*maxWoken
	settleRequest     = 0x6701
	interruptBySignal = 0x100
	stateDone         = 2
	patience          = time.Minute
	minor             = 250
	spinsToRest       = 1000
)

// Name implements gVisor's extension.Extension.Name.
func (*Gate) Name() string { return "gate" }

// Register implements gVisor's extension.Extension.Register. It registers the
// device that is the gate's other end.
func (g *Gate) Register(_ context.Context, vfsObj *vfs.VirtualFilesystem, _ *specs.Spec) error {
	return vfsObj.RegisterDevice(vfs.CharDevice, linux.MISC_MAJOR, minor, &device{g}, &vfs.RegisterDeviceOptions{
		GroupName: "misc",
		Pathname:  "binder_gate",
		FilePerms: 0600,
	})
}

type device struct{ gate *Gate }

// Open implements vfs.Device.Open.
func (d *device) Open(ctx context.Context, mnt *vfs.Mount, vfsd *vfs.Dentry, opts vfs.OpenOptions) (*vfs.FileDescription, error) {
	fd := &gateFD{gate: d.gate}
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

	gate *Gate
}

// Release implements vfs.FileDescriptionImpl.Release.
func (*gateFD) Release(context.Context) {}

// Ioctl implements vfs.FileDescriptionImpl.Ioctl.
func (fd *gateFD) Ioctl(ctx context.Context, uio usermem.IO, _ uintptr, args arch.SyscallArguments) (uintptr, error) {
	caller := kernel.TaskFromContext(ctx)
	switch args[1].Uint() {
	case settleRequest:
		fd.gate.controlled.Store(true)
		return 0, fd.gate.settle(caller, uio, args[2].Pointer())
	case coverageRequest:
		return copyOutCoverage(caller, uio, args[2].Pointer())
	}
	return 0, linuxerr.ENOTTY
}

// settle carries out a settleRequest.
func (g *Gate) settle(caller *kernel.Task, uio usermem.IO, at hostarch.Addr) error {
	var raw [sizeOfWait]byte
	if _, err := uio.CopyIn(caller, at, raw[:], usermem.IOOpts{}); err != nil {
		return err
	}
	w := wait{
		state:  hostarch.ByteOrder.Uint64(raw[0:]),
		tid:    int32(hostarch.ByteOrder.Uint32(raw[8:])),
		resume: hostarch.ByteOrder.Uint32(raw[12:]),
	}
	if w.tid != 0 {
		// A thread that was killed meanwhile is not waited for.
		if task := caller.PIDNamespace().TaskWithID(kernel.ThreadID(w.tid)); task != nil {
			var slept *sleeper
			if w.resume != 0 {
				slept = g.end(task, w.resume)
			}
			if !g.await(caller, uio, task, slept, hostarch.Addr(w.state)) {
				w.late = 1
			}
		}
	}

	g.mu.Lock()
	slices.SortStableFunc(g.sleepers, func(a, b *sleeper) int { return cmp.Compare(a.turn, b.turn) })
	for _, s := range g.sleepers {
		if len(s.wake) != 0 && w.n < maxWoken {
			w.woken[w.n] = int32(caller.PIDNamespace().IDOfTask(s.task))
			w.n++
		}
	}
	g.mu.Unlock()
	hostarch.ByteOrder.PutUint32(raw[16:], w.late)
	hostarch.ByteOrder.PutUint32(raw[20:], w.n)
	for i, tid := range w.woken[:w.n] {
		hostarch.ByteOrder.PutUint32(raw[24+4*i:], uint32(tid))
	}
	_, err := uio.CopyOut(caller, at, raw[:24+4*w.n], usermem.IOOpts{})
	return err
}

// end ends the sleep of a thread: it was woken, or is sent a signal. It
// returns how it has slept.
func (g *Gate) end(task *kernel.Task, how uint32) *sleeper {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range g.sleepers {
		if s.task != task {
			continue
		}
		if how >= interruptBySignal {
			task.SendSignal(kernel.SignalInfoPriv(linux.Signal(how - interruptBySignal)))
		} else {
			s.resume <- struct{}{}
		}
		return s
	}
	return nil
}

// await waits until a thread's state is done, or it sleeps, but not as
// before. It returns false if that takes too long.
func (g *Gate) await(caller *kernel.Task, uio usermem.IO, task *kernel.Task, before *sleeper, state hostarch.Addr) bool {
	var deadline time.Time
	for spins := 0; ; spins++ {
		var raw [4]byte
		if _, err := uio.CopyIn(caller, state, raw[:], usermem.IOOpts{}); err == nil && hostarch.ByteOrder.Uint32(raw[:]) == stateDone {
			return true
		}
		if g.sleeps(task, before) {
			return true
		}
		if spins < spinsToRest {
			runtime.Gosched()
			continue
		}
		if deadline.IsZero() {
			deadline = time.Now().Add(patience)
		} else if time.Now().After(deadline) {
			return false
		}
		time.Sleep(20 * time.Microsecond)
	}
}

func (g *Gate) sleeps(task *kernel.Task, before *sleeper) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range g.sleepers {
		if s.task == task && s != before {
			return true
		}
	}
	return false
}
