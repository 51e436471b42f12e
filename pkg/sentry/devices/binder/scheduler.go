// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

// Scheduler determines how threads sleep in the driver until there is work, and when
// woken ones go on. The driver's own leaves that to Go; a test may choose the order.
type Scheduler interface {
	// Wake puts a token into wake, unless it holds one, for the thread that sleeps
	// on it or is about to. It must not block: the caller holds locks.
	Wake(wake chan struct{})

	// Block makes the caller sleep until it has taken a token from wake.
	//
	// Errors: those of Task.Block, if it was interrupted.
	Block(caller Task, wake <-chan struct{}) error
}

// goScheduler is the driver's own Scheduler.
type goScheduler struct{}

// Wake implements Scheduler.Wake.
func (goScheduler) Wake(wake chan struct{}) {
	select {
	case wake <- struct{}{}:
	default:
	}
}

// Block implements Scheduler.Block.
func (goScheduler) Block(caller Task, wake <-chan struct{}) error { return caller.Block(wake) }
