// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package pool

import (
	"gvisor.dev/gvisor/pkg/sync"
)

// Pool holds unused objects of type T. The zero Pool is empty. Its methods are safe
// for concurrent use.
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
