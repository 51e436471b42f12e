// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"gvisor.dev/gvisor/pkg/hostarch"

	"sentrybinder/pkg/abi/binder"
)

// maxObjectSize is the size of the largest object, in bytes.
const maxObjectSize = binder.SizeOfBufferObject

// objectType returns the type of the object at the start of raw.
func objectType(raw []byte) uint32 { return hostarch.ByteOrder.Uint32(raw) }

// objectSize returns the size of the object at the start of raw, or 0 if its type is
// unknown.
func objectSize(raw []byte) uint64 {
	switch objectType(raw) {
	case binder.BINDER_TYPE_BINDER, binder.BINDER_TYPE_WEAK_BINDER, binder.BINDER_TYPE_HANDLE, binder.BINDER_TYPE_WEAK_HANDLE:
		return binder.SizeOfFlatObject
	case binder.BINDER_TYPE_FD:
		return binder.SizeOfFDObject
	case binder.BINDER_TYPE_PTR:
		return binder.SizeOfBufferObject
	case binder.BINDER_TYPE_FDA:
		return binder.SizeOfFDArrayObject
	default:
		return 0
	}
}
