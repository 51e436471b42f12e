// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"fmt"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/sentry/kernel"
	"gvisor.dev/gvisor/pkg/sentry/kernel/auth"
	"gvisor.dev/gvisor/pkg/sentry/limits"
	"gvisor.dev/gvisor/pkg/sentry/vfs"
)

// kernelTask implements Task for a kernel.Task.
type kernelTask struct {
	*kernel.Task
}

// rootThread is implemented by tasks that know their ID in the root PID namespace
// without a lock (see runsc/patches).
type rootThread interface {
	RootThreadID() kernel.ThreadID
}

// ThreadID implements Task.ThreadID.
func (t kernelTask) ThreadID() int32 {
	if t, ok := any(t.Task).(rootThread); ok {
		return int32(t.RootThreadID())
	}
	return int32(t.PIDNamespace().Root().IDOfTask(t.Task))
}

// ProcessID implements Task.ProcessID.
func (t kernelTask) ProcessID(proc *Process) int32 {
	if proc.opener.Load() == t.ThreadGroup() {
		return proc.pid // This takes no lock.
	}
	return int32(t.TGIDInRoot())
}

// PIDOf implements Task.PIDOf.
func (t kernelTask) PIDOf(proc *Process) int32 {
	opener := proc.opener.Load()
	switch {
	case opener == nil:
		return 0
	case opener.PIDNamespace() == t.PIDNamespace():
		return int32(opener.ID()) // This takes no lock.
	default:
		return int32(t.PIDNamespace().IDOfThreadGroup(opener))
	}
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

// Log implements Task.Log. The IDs are those of the caller's PID namespace.
func (t kernelTask) Log(log KernelLog, msg string) {
	log(t.Task, fmt.Sprintf("binder: %d:%d %s", t.ThreadGroup().ID(), t.PIDNamespace().IDOfTask(t.Task), msg))
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
	_ = file.OnClose(t) // There is nobody to report an error to.
}
