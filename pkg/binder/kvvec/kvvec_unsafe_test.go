// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package kvvec

import "unsafe"

// buffer returns the address of v's buffer.
func buffer[T any](v *Vec[T]) unsafe.Pointer {
	return unsafe.Pointer(unsafe.SliceData(v.s))
}
