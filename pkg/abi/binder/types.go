// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import "gvisor.dev/gvisor/pkg/hostarch"

// Sizes of the structures on the wire, in bytes.
const (
	SizeOfWriteRead             = 48
	SizeOfVersion               = 4
	SizeOfTransactionData       = 64
	SizeOfTransactionDataSG     = SizeOfTransactionData + 8
	SizeOfTransactionDataSecctx = SizeOfTransactionData + 8
	SizeOfPtrCookie             = 16
	SizeOfHandleCookie          = 12
	SizeOfObjectHeader          = 4
	SizeOfFlatObject            = 24
	SizeOfFDObject              = 24
	SizeOfBufferObject          = 40
	SizeOfFDArrayObject         = 32
	SizeOfNodeDebugInfo         = 24
	SizeOfNodeInfoForRef        = 24
	SizeOfFreezeInfo            = 12
	SizeOfFrozenStatusInfo      = 12
	SizeOfFrozenStateInfo       = 16
	SizeOfExtendedError         = 12
	SizeOfBinderfsDevice        = 264
)

// WriteRead is struct binder_write_read, the argument of BINDER_WRITE_READ.
// Sizes and consumed counts are bytes.
//
// +marshal
type WriteRead struct {
	WriteSize     uint64
	WriteConsumed uint64
	WriteBuffer   uint64
	ReadSize      uint64
	ReadConsumed  uint64
	ReadBuffer    uint64
}

// Version is struct binder_version.
//
// +marshal
type Version struct {
	ProtocolVersion int32
}

// TransactionData is struct binder_transaction_data.
//
// +marshal
type TransactionData struct {
	// Target is a handle (in its low 32 bits) in a BC_ command and the node's
	// pointer in a BR_ return.
	Target uint64

	// Cookie is the node's cookie. The driver ignores it in commands.
	Cookie uint64

	Code  uint32
	Flags uint32

	// SenderPID and SenderEUID are set by the driver. SenderPID is zero for
	// one-way transactions.
	SenderPID  int32
	SenderEUID uint32

	// DataSize and OffsetsSize are bytes.
	DataSize    uint64
	OffsetsSize uint64

	// Buffer and Offsets are addresses in the process that wrote this
	// structure (BC_) or reads it (BR_).
	Buffer  uint64
	Offsets uint64
}

// TransactionDataSG is struct binder_transaction_data_sg.
//
// +marshal
type TransactionDataSG struct {
	TransactionData TransactionData

	// BuffersSize is the space that PTR objects need, in bytes.
	BuffersSize uint64
}

// TransactionDataSecctx is struct binder_transaction_data_secctx.
//
// +marshal
type TransactionDataSecctx struct {
	TransactionData TransactionData

	// Secctx is the address of the sender's NUL-terminated security context.
	Secctx uint64
}

// PtrCookie is struct binder_ptr_cookie: a node as its owner knows it.
//
// +marshal
type PtrCookie struct {
	Ptr    uint64
	Cookie uint64
}

// HandleCookie is struct binder_handle_cookie, which is packed: 12 bytes on
// the wire. go_marshal takes a struct's layout from the compiler, which pads
// this one, so its methods are written by hand.
type HandleCookie struct {
	Handle uint32
	Cookie uint64
}

// UnmarshalBytes sets h from the first SizeOfHandleCookie bytes of src and
// returns the rest.
func (h *HandleCookie) UnmarshalBytes(src []byte) []byte {
	h.Handle = hostarch.ByteOrder.Uint32(src)
	h.Cookie = hostarch.ByteOrder.Uint64(src[4:])
	return src[SizeOfHandleCookie:]
}

// MarshalBytes writes h to the first SizeOfHandleCookie bytes of dst and
// returns the rest.
func (h *HandleCookie) MarshalBytes(dst []byte) []byte {
	hostarch.ByteOrder.PutUint32(dst, h.Handle)
	hostarch.ByteOrder.PutUint64(dst[4:], h.Cookie)
	return dst[SizeOfHandleCookie:]
}

// FlatObject is struct flat_binder_object.
//
// +marshal
type FlatObject struct {
	Type  uint32
	Flags uint32

	// Binder is the node's pointer in a BINDER or WEAK_BINDER, the handle (in
	// its low 32 bits) in a HANDLE or WEAK_HANDLE.
	Binder uint64
	Cookie uint64
}

// FDObject is struct binder_fd_object.
//
// +marshal
type FDObject struct {
	Type     uint32
	PadFlags uint32
	FD       uint32
	PadFD    uint32
	Cookie   uint64
}

// BufferObject is struct binder_buffer_object, a BINDER_TYPE_PTR.
//
// +marshal
type BufferObject struct {
	Type         uint32
	Flags        uint32
	Buffer       uint64
	Length       uint64
	Parent       uint64
	ParentOffset uint64
}

// FDArrayObject is struct binder_fd_array_object, a BINDER_TYPE_FDA.
//
// +marshal
type FDArrayObject struct {
	Type         uint32
	Pad          uint32
	NumFDs       uint64
	Parent       uint64
	ParentOffset uint64
}

// NodeDebugInfo is struct binder_node_debug_info.
//
// +marshal
type NodeDebugInfo struct {
	Ptr          uint64
	Cookie       uint64
	HasStrongRef uint32
	HasWeakRef   uint32
}

// NodeInfoForRef is struct binder_node_info_for_ref.
//
// +marshal
type NodeInfoForRef struct {
	Handle      uint32
	StrongCount uint32
	WeakCount   uint32
	Reserved1   uint32
	Reserved2   uint32
	Reserved3   uint32
}

// FreezeInfo is struct binder_freeze_info.
//
// +marshal
type FreezeInfo struct {
	PID       uint32
	Enable    uint32
	TimeoutMS uint32
}

// FrozenStatusInfo is struct binder_frozen_status_info.
//
// +marshal
type FrozenStatusInfo struct {
	PID       uint32
	SyncRecv  uint32
	AsyncRecv uint32
}

// FrozenStateInfo is struct binder_frozen_state_info, the parameter of
// BR_FROZEN_BINDER.
//
// +marshal
type FrozenStateInfo struct {
	Cookie   uint64
	IsFrozen uint32
	Reserved uint32
}

// ExtendedError is struct binder_extended_error.
//
// +marshal
type ExtendedError struct {
	// ID is the debug id of the transaction that failed.
	ID uint32
	// Command is the BR_ code that reported the failure.
	Command uint32
	// Param is zero or a negative errno.
	Param int32
}

// BinderfsDevice is struct binderfs_device, the argument of BINDER_CTL_ADD.
//
// +marshal
type BinderfsDevice struct {
	// Name is the new device's name, NUL-terminated. The last byte counts as a
	// NUL whatever its value.
	Name [BINDERFS_MAX_NAME + 1]byte

	// Major and Minor are the device number, which the driver fills in.
	Major uint32
	Minor uint32
}
