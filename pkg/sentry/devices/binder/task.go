// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/sentry/kernel/auth"
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
	// never zero. proc is the Process that the caller makes its call on, most likely
	// its own.
	ProcessID(proc *Process) int32

	// PIDOf returns the thread group ID of the process that opened proc in the
	// caller's PID namespace, or zero if it has none there.
	PIDOf(proc *Process) int32

	// View returns what the caller can see through proc.
	View(proc *Process) *View

	// UIDOf returns kuid as the caller's user namespace sees it, or auth.NoID.
	UIDOf(kuid auth.KUID) auth.UID

	// EffectiveKUID returns the caller's effective user ID.
	EffectiveKUID() auth.KUID

	// Niceness returns the caller's nice value, from -20 to 19.
	Niceness() int

	// SetNiceness sets the caller's nice value to n, or as close to it as its
	// limits allow.
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

	// Log writes a message to the kernel log of the caller's container, prefixed with
	// the caller's IDs.
	Log(log KernelLog, msg string)

	// CloseFile closes the caller's file fd, if there is one. No lock may be
	// held: the file may be a binder device.
	CloseFile(fd int32)
}
