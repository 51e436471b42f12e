// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/sentry/kernel/auth"
)

// Context is an isolated binder namespace: the processes that have opened the same
// device, and the context manager that they all know as handle 0.
//
// +stateify savable
type Context struct {
	domain *Domain

	// name is the device's name.
	name string

	// manager is the context manager's node, if any. It stays in its owner's table
	// while the owner lives. It is set and unset with mu locked.
	manager atomic.Pointer[Node] `state:".(*Node)"`

	mu contextMutex `state:"nosave"`

	// user is the user that the context manager must run as.
	// +checklocks:mu
	user managerUser
}

// managerUser is the user that the first context manager of a Context ran as, once
// there was one.
//
// +stateify savable
type managerUser struct {
	uid auth.KUID
	set bool
}

// NewContext returns a context for the device called name.
func (d *Domain) NewContext(name string) *Context {
	return &Context{domain: d, name: name}
}
