// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/sentry/kernel"
	"gvisor.dev/gvisor/pkg/sentry/kernel/auth"
	"gvisor.dev/gvisor/pkg/sentry/limits"
	"gvisor.dev/gvisor/pkg/sentry/vfs"
	"gvisor.dev/gvisor/pkg/usermem"
)

// ioOpts is for access to the memory of the calling task.
var ioOpts = usermem.IOOpts{}

// Task is the thread of an application that calls the driver: all that the
// protocol needs to know of a kernel.Task, so that it can run without one.
//
// A Task is used by its own goroutine only and is not kept beyond the call.
type Task interface {
	// Context carries Block, by which the caller sleeps.
	context.Context

	// ThreadID identifies the caller among all live threads of the sandbox.
	ThreadID() int32

	// ProcessID identifies the caller's process among all of the sandbox. It is
	// never zero. proc is what the caller makes its call by: most likely its own.
	ProcessID(proc *Process) int32

	// PIDOf returns the thread group ID of the process that opened proc, as the
	// caller's PID namespace sees it, or zero if it does not.
	PIDOf(proc *Process) int32

	// View returns what the caller can see by proc.
	View(proc *Process) *View

	// UIDOf returns kuid as the caller's user namespace sees it, or auth.NoID.
	UIDOf(kuid auth.KUID) auth.UID

	// EffectiveKUID returns the caller's effective user ID.
	EffectiveKUID() auth.KUID

	// Niceness returns the caller's nice value, from -20 to 19.
	Niceness() int

	// SetNiceness makes n the caller's nice value, or as close to it as it may
	// have.
	SetNiceness(n int)

	// SignalPending returns whether a signal awaits delivery to the caller. A
	// caller that is interrupted without one is being checkpointed or stopped,
	// and resumes its system call as if nothing had happened.
	SignalPending() bool

	// GetFile returns a reference on the caller's file fd, or nil if there is none
	// or it was opened with O_PATH.
	GetFile(fd int32) *vfs.FileDescription

	// InstallFiles installs files, close-on-exec, at the lowest free
	// descriptors of the caller: all or none. It takes its own references.
	InstallFiles(files []*vfs.FileDescription) ([]int32, error)

	// CloseFile closes the caller's file fd, if there's one. No lock may be
	// held: the file may be a binder device.
	CloseFile(fd int32)
}

// kernelTask implements Task by a kernel.Task.
type kernelTask struct {
	*kernel.Task
}

// ThreadID implements Task.ThreadID.
func (t kernelTask) ThreadID() int32 {
	return int32(t.PIDNamespace().Root().IDOfTask(t.Task))
}

// ProcessID implements Task.ProcessID.
func (t kernelTask) ProcessID(proc *Process) int32 {
	if proc.opener == t.ThreadGroup() {
		return proc.pid // This takes no lock.
	}
	return int32(t.TGIDInRoot())
}

// PIDOf implements Task.PIDOf.
func (t kernelTask) PIDOf(proc *Process) int32 {
	return pidsIn{t.PIDNamespace()}.pid(proc.id) // This takes no lock within a namespace.
}

// View implements Task.View.
func (t kernelTask) View(proc *Process) *View { return proc.ctx.domain.View(t) }

// UIDOf implements Task.UIDOf.
func (t kernelTask) UIDOf(kuid auth.KUID) auth.UID {
	return t.UserNamespace().MapFromKUID(kuid)
}

// EffectiveKUID implements Task.EffectiveKUID.
func (t kernelTask) EffectiveKUID() auth.KUID {
	return t.Credentials().EffectiveKUID
}

// SetNiceness implements Task.SetNiceness.
func (t kernelTask) SetNiceness(n int) {
	if n, ok := permittedNice(n, t.Limits().Get(limits.Nice).Cur, t.HasRootCapability(linux.CAP_SYS_NICE)); ok {
		t.Task.SetNiceness(n)
	}
}

// SignalPending implements Task.SignalPending.
func (t kernelTask) SignalPending() bool {
	return t.PendingSignals()&^t.SignalMask() != 0
}

// GetFile implements Task.GetFile.
func (t kernelTask) GetFile(fd int32) *vfs.FileDescription {
	file := t.Task.GetFile(fd)
	if file != nil && file.StatusFlags()&linux.O_PATH != 0 {
		file.DecRef(t)
		return nil
	}
	return file
}

// InstallFiles implements Task.InstallFiles.
func (t kernelTask) InstallFiles(files []*vfs.FileDescription) ([]int32, error) {
	return t.NewFDs(0, files, kernel.FDFlags{CloseOnExec: true})
}

// CloseFile implements Task.CloseFile.
func (t kernelTask) CloseFile(fd int32) {
	file := t.FDTable().Remove(t, fd)
	if file == nil {
		return
	}
	defer file.DecRef(t)
	_ = file.OnClose(t) // Nobody is there to hear of an error.
}
