// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package ashmem holds the user API of Android's anonymous shared memory: the
// ioctl requests on /dev/ashmem, as in the header linux/ashmem.h of Android's common
// kernels. Names are those of the C header, layouts those of 64-bit applications.
package ashmem

// The directions and fields of an ioctl request number; see package binder.
const (
	iocWrite     = 1 << 30
	iocRead      = 2 << 30
	iocSizeShift = 16

	typeRequest = 0x77 << 8 // 'w'
)

// Ioctl requests. Unless its comment says otherwise, the argument is the value itself.
const (
	// ASHMEM_SET_NAME takes, and ASHMEM_GET_NAME fills, a pointer to a NUL-terminated
	// string of at most ASHMEM_NAME_LEN bytes.
	ASHMEM_SET_NAME = iocWrite | ASHMEM_NAME_LEN<<iocSizeShift | typeRequest | 1
	ASHMEM_GET_NAME = iocRead | ASHMEM_NAME_LEN<<iocSizeShift | typeRequest | 2

	// ASHMEM_SET_SIZE takes the region's size in bytes, which ASHMEM_GET_SIZE returns.
	ASHMEM_SET_SIZE = iocWrite | 8<<iocSizeShift | typeRequest | 3
	ASHMEM_GET_SIZE = typeRequest | 4

	// ASHMEM_SET_PROT_MASK takes the PROT_ bits that mappings may have from now on,
	// which ASHMEM_GET_PROT_MASK returns.
	ASHMEM_SET_PROT_MASK = iocWrite | 8<<iocSizeShift | typeRequest | 5
	ASHMEM_GET_PROT_MASK = typeRequest | 6

	// ASHMEM_PIN, ASHMEM_UNPIN and ASHMEM_GET_PIN_STATUS take a pointer to a Pin. The
	// first returns ASHMEM_NOT_PURGED or ASHMEM_WAS_PURGED, the last
	// ASHMEM_IS_UNPINNED or ASHMEM_IS_PINNED.
	ASHMEM_PIN            = iocWrite | SizeOfPin<<iocSizeShift | typeRequest | 7
	ASHMEM_UNPIN          = iocWrite | SizeOfPin<<iocSizeShift | typeRequest | 8
	ASHMEM_GET_PIN_STATUS = typeRequest | 9

	// ASHMEM_PURGE_ALL_CACHES returns the number of pages purged.
	ASHMEM_PURGE_ALL_CACHES = typeRequest | 10

	// ASHMEM_GET_FILE_ID takes a pointer to an unsigned long and stores the inode
	// number that /proc/PID/maps shows for the region.
	ASHMEM_GET_FILE_ID = iocRead | 8<<iocSizeShift | typeRequest | 11
)

const (
	// ASHMEM_NAME_LEN is the size of a name's buffer in bytes, including the NUL.
	ASHMEM_NAME_LEN = 256

	// ASHMEM_NAME_DEF is the name that ASHMEM_GET_NAME returns for an unnamed region.
	ASHMEM_NAME_DEF = "dev/ashmem"
)

// Results of ASHMEM_PIN: whether a page of the range was purged while unpinned.
const (
	ASHMEM_NOT_PURGED = 0
	ASHMEM_WAS_PURGED = 1
)

// Results of ASHMEM_GET_PIN_STATUS: whether all pages of the range are pinned.
const (
	ASHMEM_IS_UNPINNED = 0
	ASHMEM_IS_PINNED   = 1
)

// SizeOfPin is the size of a Pin, in bytes.
const SizeOfPin = 8

// Pin is struct ashmem_pin, a range of whole pages of a region, in bytes.
//
// +marshal
type Pin struct {
	Offset uint32

	// Len is 0 for everything from Offset on.
	Len uint32
}
