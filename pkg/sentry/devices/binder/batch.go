// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import "runtime"

// batchSize is the number of objects that are visited while a lock is held. It
// bounds how long a call waits for the lock, whatever an application owns.
const batchSize = 32

// yieldToWaiters lets others take a lock that the caller has unlocked before the caller
// locks it again. Without it, a waiter would mostly find the lock taken.
func yieldToWaiters() { runtime.Gosched() }
