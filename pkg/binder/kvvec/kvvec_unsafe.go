// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package kvvec

import "unsafe"

// size returns the number of bytes of n values.
func size[T any](n int) uintptr {
	var x T
	return uintptr(n) * unsafe.Sizeof(x)
}
