// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package gate is the part of test/differential's sandboxes that makes the order of
// threads deterministic. A thread that the driver wakes continues only when the test's
// controller lets it, and the controller learns from the gate when the sandbox is
// quiescent. See test/differential/actor. Until there is a controller, threads continue
// on their own.
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

// Gate is a binder.Scheduler that a controller commands through a device, and the
// runsc extension that registers the device.
type Gate struct {
	// controlled is set by the controller's first request.
	controlled atomicbitops.Bool

	mu sync.Mutex

	// sleepers are the threads that sleep in the driver.
	// +checklocks:mu
	sleepers []*sleeper

	// lastTurn is the number of wake-ups so far.
	// +checklocks:mu
	lastTurn int
}

// sleeper is a thread that sleeps in the driver.
type sleeper struct {
	task *kernel.Task
	// wake is the channel through which the driver wakes the thread, and resume the
	// one that it actually waits on.
	wake   <-chan struct{}
	resume chan struct{}

	// turn orders sleepers by when they were woken. It is 0 if the thread was woken
	// before it slept.
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

// wait is the gate's counterpart of actor.gateWait.
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
	spinsToSleep      = 1000
)

// Name implements gVisor's extension.Extension.Name.
func (*Gate) Name() string { return "gate" }

// Register implements gVisor's extension.Extension.Register. It registers the device
// through which the controller commands the gate.
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
		// There is no task if the thread was killed meanwhile.
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

// end ends a thread's sleep: it resumes the thread, or sends it a signal. It returns the
// sleeper that it ended, or nil.
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

// await waits until a thread's state is done, or the thread sleeps as another sleeper
// than before. It returns false if that takes too long.
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
		if spins < spinsToSleep {
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

// sleeps returns whether a thread sleeps as another sleeper than before.
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
