// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package pool

import (
	"gvisor.dev/gvisor/pkg/sync"
)

// Pool has objects of type T that nobody uses. The zero Pool is empty. Its methods
// may be called by several goroutines at a time.
type Pool[T any] struct {
	unused sync.Pool
}

// Get returns a zero T.
func (p *Pool[T]) Get() *T {
	if v, ok := p.unused.Get().(*T); ok {
		return v
	}
	return new(T)
}
