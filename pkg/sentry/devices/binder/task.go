// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/sentry/kernel"
	"gvisor.dev/gvisor/pkg/sentry/kernel/auth"
	"gvisor.dev/gvisor/pkg/sentry/vfs"
)

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
	// never zero.
	ProcessID() int32

	// PIDOf returns the thread group ID of the process that opened proc, as the
	// caller's PID namespace sees it, or zero if it does not.
	PIDOf(proc *Process) int32

	// UIDOf returns kuid as the caller's user namespace sees it, or auth.NoID.
	UIDOf(kuid auth.KUID) auth.UID

	// EffectiveKUID returns the caller's effective user ID.
	EffectiveKUID() auth.KUID

	// SignalPending returns whether a signal awaits delivery to the caller. A
	// caller that is interrupted without one is being checkpointed or stopped,
	// and resumes its system call as if nothing had happened.
	SignalPending() bool

	// GetFile returns a reference on the caller's file fd, or nil.
	GetFile(fd int32) *vfs.FileDescription

	// InstallFiles installs files, close-on-exec, at the lowest free
	// descriptors of the caller: all or none. It takes its own references.
	InstallFiles(files []*vfs.FileDescription) ([]int32, error)
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
func (t kernelTask) ProcessID() int32 { return int32(t.TGIDInRoot()) }

// PIDOf implements Task.PIDOf.
func (t kernelTask) PIDOf(proc *Process) int32 {
	return int32(t.PIDNamespace().IDOfThreadGroup(proc.opener))
}

// UIDOf implements Task.UIDOf.
func (t kernelTask) UIDOf(kuid auth.KUID) auth.UID {
	return t.UserNamespace().MapFromKUID(kuid)
}

// EffectiveKUID implements Task.EffectiveKUID.
func (t kernelTask) EffectiveKUID() auth.KUID {
	return t.Credentials().EffectiveKUID
}

// SignalPending implements Task.SignalPending.
func (t kernelTask) SignalPending() bool {
	return t.PendingSignals()&^t.SignalMask() != 0
}

// InstallFiles implements Task.InstallFiles.
func (t kernelTask) InstallFiles(files []*vfs.FileDescription) ([]int32, error) {
	return t.NewFDs(0, files, kernel.FDFlags{CloseOnExec: true})
}
