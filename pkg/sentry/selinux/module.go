// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package selinux

import (
	"maps"
	"strings"

	"gvisor.dev/gvisor/pkg/errors/linuxerr"
)

// XattrName is the extended attribute that holds a file's context, with its terminating
// NUL.
const XattrName = "security.selinux"

// The names of tasks' attributes in /proc/PID/attr.
const (
	attrCurrent    = "current"
	attrPrev       = "prev"
	attrExec       = "exec"
	attrFSCreate   = "fscreate"
	attrKeyCreate  = "keycreate"
	attrSockCreate = "sockcreate"
)

// Module implements gVisor's interface for security modules.
//
// +stateify savable
type Module struct {
	// mu is a leaf.
	mu moduleMutex `state:"nosave"`

	// containers maps IDs to containers.
	// +checklocks:mu
	containers map[string]container
}

// container is what a Module knows about a container.
//
// +stateify savable
type container struct {
	// name identifies the container after a restore.
	name string

	// ordinal is greater than that of every older container.
	ordinal int

	// initial is the context of processes started from outside.
	initial *taskContext
}

// taskContext is the context of a task, which gVisor keeps in its credentials. Empty
// attributes aren't set.
//
// It is immutable.
//
// +stateify savable
type taskContext struct {
	current, prev, exec, fsCreate, keyCreate, sockCreate string
}

// NewModule returns a module without containers.
func NewModule() *Module { return &Module{containers: make(map[string]container)} }

// StartContainer adds a container whose first process gets the context initial. name
// is unique among the containers that exist at a time, and survives a restore.
//
// Errors: EINVAL if initial is not a security context.
func (m *Module) StartContainer(id, name, initial string) error {
	initial, err := Canonical(initial)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	ordinal := 0
	for _, c := range m.containers {
		ordinal = max(ordinal, c.ordinal+1)
	}
	m.containers[id] = container{name, ordinal, &taskContext{current: initial, prev: initial}}
	return nil
}

// StopContainer removes a container. Unknown IDs are ignored.
func (m *Module) StopContainer(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.containers, id)
}

// RestoreContainers renames the containers after a restore: ids maps names to new IDs.
func (m *Module) RestoreContainers(ids map[string]string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	// A stopped container may still be there beside its successor of the same name.
	byName := make(map[string]container)
	for c := range maps.Values(m.containers) {
		if other, ok := byName[c.name]; !ok || other.ordinal < c.ordinal {
			byName[c.name] = c
		}
	}
	m.containers = make(map[string]container)
	for name, id := range ids {
		if c, ok := byName[name]; ok {
			m.containers[id] = c
		}
	}
}

// unlabeled is the context of tasks without one.
var unlabeled = &taskContext{current: Unlabeled, prev: Unlabeled}

func contextOf(sc any) *taskContext {
	if c, ok := sc.(*taskContext); ok {
		return c
	}
	return unlabeled
}

// InitialContext returns the context of a process that is started in a container from
// outside.
func (m *Module) InitialContext(containerID string) any {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c, ok := m.containers[containerID]; ok {
		return c.initial
	}
	return unlabeled
}

// ExecContext returns the context of a task with context sc after it has executed a
// file. A context set by the task for its next execve takes precedence over the file's.
func (m *Module) ExecContext(sc any, fileLabel string) any {
	old := contextOf(sc)
	next := old.exec
	if next == "" {
		next, _ = Create(old.current, m.FileLabel(fileLabel), ClassProcess) // Both are valid.
	}
	return &taskContext{current: next, prev: old.current}
}

// Label returns the context of a task, as others see it.
func (*Module) Label(sc any) string { return contextOf(sc).current }

// SocketLabel returns the context of a socket that a task creates.
func (*Module) SocketLabel(sc any) string {
	c := contextOf(sc)
	if c.sockCreate != "" {
		return c.sockCreate
	}
	return c.current
}

// Attr returns an attribute of a task, or "" if it isn't set.
func (*Module) Attr(sc any, attr string) string {
	c := *contextOf(sc)
	if field := c.attr(attr); field != nil {
		return *field
	}
	return ""
}

// attr returns the attribute of c with the given name, or nil.
func (c *taskContext) attr(name string) *string {
	switch name {
	case attrCurrent:
		return &c.current
	case attrPrev:
		return &c.prev
	case attrExec:
		return &c.exec
	case attrFSCreate:
		return &c.fsCreate
	case attrKeyCreate:
		return &c.keyCreate
	case attrSockCreate:
		return &c.sockCreate
	}
	return nil
}

// SetAttr returns the context of a task after it has written value to an attribute: a
// context, perhaps with a newline, or nothing to unset the attribute.
//
// Errors: EINVAL if value is not a security context, or is empty where one is required,
// EPERM if the task changes its type while it has other threads, EOPNOTSUPP if the
// attribute can't be written.
func (*Module) SetAttr(sc any, attr, value string, singleThreaded bool) (any, error) {
	c := *contextOf(sc)
	field := c.attr(attr)
	if field == nil || attr == attrPrev {
		return nil, linuxerr.EOPNOTSUPP
	}
	if value == "" || value[0] == 0 || value[0] == '\n' {
		if attr == attrCurrent {
			return nil, linuxerr.EINVAL
		}
		*field = ""
		return &c, nil
	}
	next, err := parse(strings.TrimSuffix(value, "\n"))
	if err != nil {
		return nil, err
	}
	if attr == attrCurrent && !singleThreaded {
		if now, err := parse(c.current); err != nil || now.typ != next.typ {
			return nil, linuxerr.EPERM
		}
	}
	*field = next.String()
	return &c, nil
}

// XattrName returns the extended attribute that holds a file's context.
func (*Module) XattrName() string { return XattrName }

// FileLabel returns the value of the attribute, given the stored one.
func (*Module) FileLabel(stored string) string {
	label, err := Canonical(stored)
	if err != nil {
		label = Unlabeled
	}
	return label + "\x00"
}

// NewFileLabel returns the value of the attribute of a file that a task creates, or "" if
// the task has set none.
func (*Module) NewFileLabel(sc any) string {
	if label := contextOf(sc).fsCreate; label != "" {
		return label + "\x00"
	}
	return ""
}

// CheckFileLabel checks that the attribute can have a value.
//
// Errors: EINVAL if it is not a security context.
func (*Module) CheckFileLabel(value string) error {
	_, err := parse(value)
	return err
}
