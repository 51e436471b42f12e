// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package account bounds the sentry memory that applications can make the driver
// keep.
//
// Every object that an application's call creates is charged to an Account on
// creation, at a fixed price per kind, and credited when it is freed. What cannot
// be charged is not created. An Account takes no lock.
package account

import (
	"gvisor.dev/gvisor/pkg/atomicbitops"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
)

// Account records the charges of one payer, such as a container. It outlives the
// payer while anything is charged to it. A nil Account accepts any charge.
//
// +stateify savable
type Account struct {
	// limit and used are in bytes.
	limit atomicbitops.Int64
	used  atomicbitops.Int64
}

// New returns an account with a limit in bytes and no charges.
func New(limit int64) *Account {
	a := &Account{}
	a.SetLimit(limit)
	return a
}

// SetLimit changes the limit, in bytes. Existing charges stay, even beyond it.
func (a *Account) SetLimit(limit int64) { a.limit.Store(limit) }

// Used returns the number of bytes charged.
func (a *Account) Used() int64 { return a.used.Load() }

// Charge charges n bytes. n is not negative.
//
// Errors: ENOMEM if that would exceed the limit. Then nothing is charged.
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

// Credit undoes a charge of n bytes.
func (a *Account) Credit(n int64) {
	if a != nil {
		a.used.Add(-n)
	}
}
