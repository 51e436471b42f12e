// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package pool

// Put puts v back; the caller must hold the only pointer to it. v becomes zero, so that
// it keeps nothing else alive.
func (p *Pool[T]) Put(v *T) {
	var zero T
	*v = zero
	p.unused.Put(v)
}
