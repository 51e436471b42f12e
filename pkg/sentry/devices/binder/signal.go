// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build !differential

package binder

// signal makes th look for work, if it waits.
func (th *Thread) signal() {
	select {
	case th.wake <- struct{}{}:
	default:
	}
}
