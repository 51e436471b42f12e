// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import "gvisor.dev/gvisor/pkg/sentry/kernel"

// identity identifies a process by its ID in the PID namespace that it was started in. It
// stays valid after the process's death, until another process gets the ID.
//
// +stateify savable
type identity struct {
	// ns is nil in tests without a kernel.
	ns *kernel.PIDNamespace

	// pid is the ID in ns, and root the ID in the root namespace.
	pid, root int32
}

// identityOf returns the identity of tg.
func identityOf(tg *kernel.ThreadGroup, root int32) identity {
	return identity{ns: tg.PIDNamespace(), pid: int32(tg.ID()), root: root}
}

// nsID returns a number that identifies id's namespace.
func (id identity) nsID() uint64 {
	if id.ns == nil {
		return 0
	}
	return id.ns.ID()
}

// pidsIn translates IDs to and from those of a PID namespace. It takes TaskSet.mu:
// its methods must not be called with a lock of the driver held.
type pidsIn struct {
	// ns is nil for the root namespace where there's no kernel.
	ns *kernel.PIDNamespace
}

func (v pidsIn) root() bool { return v.ns == nil || v.ns == v.ns.Root() }

// identity returns the identity of the process with ID pid. There may be no such process.
func (v pidsIn) identity(pid int32) identity {
	if v.ns != nil {
		if tg := v.ns.ThreadGroupWithID(kernel.ThreadID(pid)); tg != nil {
			return identity{ns: tg.PIDNamespace(), pid: int32(tg.ID())}
		}
	}
	return identity{ns: v.ns, pid: pid}
}

// pid returns the ID of a process, or zero if it is not in the namespace.
func (v pidsIn) pid(id identity) int32 {
	switch {
	case v.ns == id.ns:
		return id.pid
	case v.root():
		return id.root
	case id.ns == nil:
		return 0
	}
	tg := v.ns.Root().ThreadGroupWithID(kernel.ThreadID(id.root))
	if tg == nil || tg.PIDNamespace() != id.ns || int32(tg.ID()) != id.pid {
		return 0
	}
	return int32(v.ns.IDOfThreadGroup(tg))
}

// tid returns the ID of the thread with ID tid in the root namespace, or zero if it is not
// in the namespace. The thread most likely belongs to process id.
func (v pidsIn) tid(tid int32, id identity) int32 {
	switch {
	case v.root():
		return tid
	case tid == id.root:
		return v.pid(id)
	}
	t := v.ns.Root().TaskWithID(kernel.ThreadID(tid))
	if t == nil {
		return 0
	}
	return int32(v.ns.IDOfTask(t))
}
