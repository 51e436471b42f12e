// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package account bounds the memory of the sentry that applications can make the
// driver keep.
//
// Whatever an application's call makes is charged to an Account when it is made,
// at a fixed price per kind, and credited when it goes. What cannot be charged is
// not made. An Account takes no lock.
package account

import (
	"gvisor.dev/gvisor/pkg/atomicbitops"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
)

// Account is what one payer, such as a container, has charged. It outlives the
// payer for as long as anything is charged to it. A nil Account takes any charge.
//
// +stateify savable
type Account struct {
	// limit and used are in bytes.
	limit atomicbitops.Int64
	used  atomicbitops.Int64
}

// New returns an account with nothing charged to it that takes up to limit bytes.
func New(limit int64) *Account {
	a := &Account{}
	a.SetLimit(limit)
	return a
}

// SetLimit changes the limit, in bytes. What is charged stays charged, even if it
// is more.
func (a *Account) SetLimit(limit int64) { a.limit.Store(limit) }

// Used returns the number of bytes that are charged.
func (a *Account) Used() int64 { return a.used.Load() }

// Charge charges n bytes, which are at least 0.
//
// Errors: ENOMEM if that would be more than the limit. Nothing is charged then.
func (a *Account) Charge(n int64) error {
	for a != nil {
		used := a.used.Load()
		if used > a.limit.Load()-n {
			return linuxerr.ENOMEM
		}
		if a.used.CompareAndSwap(used, used+n) {
			return nil
		}
	}
	return nil
}

// Credit ends the charge of n bytes.
func (a *Account) Credit(n int64) {
	if a != nil {
		a.used.Add(-n)
	}
}
