// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package binder holds the user API of Linux's binder driver: ioctl requests,
// the command (BC_) and return (BR_) protocols, and the layout of everything
// that crosses the boundary between an application and the driver, as in
// Linux 7.3's include/uapi/linux/android/binder.h.
//
// Names are those of the C header. All layouts are those of 64-bit
// applications, protocol version 8. Linux no longer has the 32-bit protocol 7,
// which is not described here.
//
// The package holds only definitions, and doesn't import the driver, so that
// tests, clients and the driver can share it.
package binder

// BINDER_CURRENT_PROTOCOL_VERSION is the version that BINDER_VERSION reports.
const BINDER_CURRENT_PROTOCOL_VERSION = 8

// The directions and fields of an ioctl request number, from
// include/uapi/asm-generic/ioctl.h. They are constants rather than calls to
// linux.IOR and friends so that requests and commands can be switch cases.
const (
	iocWrite     = 1 << 30
	iocRead      = 2 << 30
	iocSizeShift = 16
	iocTypeShift = 8

	iocSizeMask = 1<<14 - 1
	iocNRMask   = 1<<8 - 1

	typeRequest = 0x62 // 'b'
	typeCommand = 0x63 // 'c'
	typeReturn  = 0x72 // 'r'
)

// Ioctl requests on a binder device.
const (
	BINDER_WRITE_READ                   = iocRead | iocWrite | SizeOfWriteRead<<iocSizeShift | typeRequest<<iocTypeShift | 1
	BINDER_SET_IDLE_TIMEOUT             = iocWrite | 8<<iocSizeShift | typeRequest<<iocTypeShift | 3
	BINDER_SET_MAX_THREADS              = iocWrite | 4<<iocSizeShift | typeRequest<<iocTypeShift | 5
	BINDER_SET_IDLE_PRIORITY            = iocWrite | 4<<iocSizeShift | typeRequest<<iocTypeShift | 6
	BINDER_SET_CONTEXT_MGR              = iocWrite | 4<<iocSizeShift | typeRequest<<iocTypeShift | 7
	BINDER_THREAD_EXIT                  = iocWrite | 4<<iocSizeShift | typeRequest<<iocTypeShift | 8
	BINDER_VERSION                      = iocRead | iocWrite | SizeOfVersion<<iocSizeShift | typeRequest<<iocTypeShift | 9
	BINDER_GET_NODE_DEBUG_INFO          = iocRead | iocWrite | SizeOfNodeDebugInfo<<iocSizeShift | typeRequest<<iocTypeShift | 11
	BINDER_GET_NODE_INFO_FOR_REF        = iocRead | iocWrite | SizeOfNodeInfoForRef<<iocSizeShift | typeRequest<<iocTypeShift | 12
	BINDER_SET_CONTEXT_MGR_EXT          = iocWrite | SizeOfFlatObject<<iocSizeShift | typeRequest<<iocTypeShift | 13
	BINDER_FREEZE                       = iocWrite | SizeOfFreezeInfo<<iocSizeShift | typeRequest<<iocTypeShift | 14
	BINDER_GET_FROZEN_INFO              = iocRead | iocWrite | SizeOfFrozenStatusInfo<<iocSizeShift | typeRequest<<iocTypeShift | 15
	BINDER_ENABLE_ONEWAY_SPAM_DETECTION = iocWrite | 4<<iocSizeShift | typeRequest<<iocTypeShift | 16
	BINDER_GET_EXTENDED_ERROR           = iocRead | iocWrite | SizeOfExtendedError<<iocSizeShift | typeRequest<<iocTypeShift | 17
)

// BINDER_CTL_ADD is the ioctl of binderfs's binder-control that adds a device.
const BINDER_CTL_ADD = iocRead | iocWrite | SizeOfBinderfsDevice<<iocSizeShift | typeRequest<<iocTypeShift | 1

// Binderfs constants.
const (
	BINDERFS_SUPER_MAGIC = 0x6c6f6f70 // f_type in statfs(2)
	BINDERFS_MAX_NAME    = 255        // the longest name of a device, in bytes
)

// Commands, which an application writes to the driver.
const (
	BC_TRANSACTION                = iocWrite | SizeOfTransactionData<<iocSizeShift | typeCommand<<iocTypeShift | 0
	BC_REPLY                      = iocWrite | SizeOfTransactionData<<iocSizeShift | typeCommand<<iocTypeShift | 1
	BC_ACQUIRE_RESULT             = iocWrite | 4<<iocSizeShift | typeCommand<<iocTypeShift | 2
	BC_FREE_BUFFER                = iocWrite | 8<<iocSizeShift | typeCommand<<iocTypeShift | 3
	BC_INCREFS                    = iocWrite | 4<<iocSizeShift | typeCommand<<iocTypeShift | 4
	BC_ACQUIRE                    = iocWrite | 4<<iocSizeShift | typeCommand<<iocTypeShift | 5
	BC_RELEASE                    = iocWrite | 4<<iocSizeShift | typeCommand<<iocTypeShift | 6
	BC_DECREFS                    = iocWrite | 4<<iocSizeShift | typeCommand<<iocTypeShift | 7
	BC_INCREFS_DONE               = iocWrite | SizeOfPtrCookie<<iocSizeShift | typeCommand<<iocTypeShift | 8
	BC_ACQUIRE_DONE               = iocWrite | SizeOfPtrCookie<<iocSizeShift | typeCommand<<iocTypeShift | 9
	BC_ATTEMPT_ACQUIRE            = iocWrite | 8<<iocSizeShift | typeCommand<<iocTypeShift | 10
	BC_REGISTER_LOOPER            = typeCommand<<iocTypeShift | 11
	BC_ENTER_LOOPER               = typeCommand<<iocTypeShift | 12
	BC_EXIT_LOOPER                = typeCommand<<iocTypeShift | 13
	BC_REQUEST_DEATH_NOTIFICATION = iocWrite | SizeOfHandleCookie<<iocSizeShift | typeCommand<<iocTypeShift | 14
	BC_CLEAR_DEATH_NOTIFICATION   = iocWrite | SizeOfHandleCookie<<iocSizeShift | typeCommand<<iocTypeShift | 15
	BC_DEAD_BINDER_DONE           = iocWrite | 8<<iocSizeShift | typeCommand<<iocTypeShift | 16
	BC_TRANSACTION_SG             = iocWrite | SizeOfTransactionDataSG<<iocSizeShift | typeCommand<<iocTypeShift | 17
	BC_REPLY_SG                   = iocWrite | SizeOfTransactionDataSG<<iocSizeShift | typeCommand<<iocTypeShift | 18

	BC_REQUEST_FREEZE_NOTIFICATION = iocWrite | SizeOfHandleCookie<<iocSizeShift | typeCommand<<iocTypeShift | 19
	BC_CLEAR_FREEZE_NOTIFICATION   = iocWrite | SizeOfHandleCookie<<iocSizeShift | typeCommand<<iocTypeShift | 20
	BC_FREEZE_NOTIFICATION_DONE    = iocWrite | 8<<iocSizeShift | typeCommand<<iocTypeShift | 21
)

// Returns, which an application reads from the driver.
const (
	BR_ERROR                         = iocRead | 4<<iocSizeShift | typeReturn<<iocTypeShift | 0
	BR_OK                            = typeReturn<<iocTypeShift | 1
	BR_TRANSACTION                   = iocRead | SizeOfTransactionData<<iocSizeShift | typeReturn<<iocTypeShift | 2
	BR_TRANSACTION_SEC_CTX           = iocRead | SizeOfTransactionDataSecctx<<iocSizeShift | typeReturn<<iocTypeShift | 2
	BR_REPLY                         = iocRead | SizeOfTransactionData<<iocSizeShift | typeReturn<<iocTypeShift | 3
	BR_ACQUIRE_RESULT                = iocRead | 4<<iocSizeShift | typeReturn<<iocTypeShift | 4
	BR_DEAD_REPLY                    = typeReturn<<iocTypeShift | 5
	BR_TRANSACTION_COMPLETE          = typeReturn<<iocTypeShift | 6
	BR_INCREFS                       = iocRead | SizeOfPtrCookie<<iocSizeShift | typeReturn<<iocTypeShift | 7
	BR_ACQUIRE                       = iocRead | SizeOfPtrCookie<<iocSizeShift | typeReturn<<iocTypeShift | 8
	BR_RELEASE                       = iocRead | SizeOfPtrCookie<<iocSizeShift | typeReturn<<iocTypeShift | 9
	BR_DECREFS                       = iocRead | SizeOfPtrCookie<<iocSizeShift | typeReturn<<iocTypeShift | 10
	BR_ATTEMPT_ACQUIRE               = iocRead | 24<<iocSizeShift | typeReturn<<iocTypeShift | 11
	BR_NOOP                          = typeReturn<<iocTypeShift | 12
	BR_SPAWN_LOOPER                  = typeReturn<<iocTypeShift | 13
	BR_FINISHED                      = typeReturn<<iocTypeShift | 14
	BR_DEAD_BINDER                   = iocRead | 8<<iocSizeShift | typeReturn<<iocTypeShift | 15
	BR_CLEAR_DEATH_NOTIFICATION_DONE = iocRead | 8<<iocSizeShift | typeReturn<<iocTypeShift | 16
	BR_FAILED_REPLY                  = typeReturn<<iocTypeShift | 17
	BR_FROZEN_REPLY                  = typeReturn<<iocTypeShift | 18
	BR_ONEWAY_SPAM_SUSPECT           = typeReturn<<iocTypeShift | 19
	BR_TRANSACTION_PENDING_FROZEN    = typeReturn<<iocTypeShift | 20

	BR_FROZEN_BINDER                  = iocRead | SizeOfFrozenStateInfo<<iocSizeShift | typeReturn<<iocTypeShift | 21
	BR_CLEAR_FREEZE_NOTIFICATION_DONE = iocRead | 8<<iocSizeShift | typeReturn<<iocTypeShift | 22
)

// CommandSize returns the number of bytes of parameters that follow command or
// return cmd on the wire. The protocol encodes it in the number itself.
func CommandSize(cmd uint32) int { return int(cmd >> iocSizeShift & iocSizeMask) }

// CommandNumber returns the ordinal of command or return cmd, which is the
// index of its counter in binder_logs/stats.
func CommandNumber(cmd uint32) int { return int(cmd & iocNRMask) }

// Values of TransactionData.Flags.
const (
	TF_ONE_WAY     = 0x01 // no reply is sent
	TF_ROOT_OBJECT = 0x04 // contents are the component's root object
	TF_STATUS_CODE = 0x08 // contents are a 32-bit status code
	TF_ACCEPT_FDS  = 0x10 // the reply may hold file descriptors
	TF_CLEAR_BUF   = 0x20 // the buffer is zeroed when it is freed
	TF_UPDATE_TXN  = 0x40 // supersedes a pending one-way transaction

	// BR_TRANSACTION_COMPLETE doesn't end a read, but is delivered with the next return.
	TF_DEFER_COMPLETE = 0x80
)

// Values of the type of an object in a transaction: three letters and 0x85.
const (
	BINDER_TYPE_BINDER      = 0x73622a85 // "sb*"
	BINDER_TYPE_WEAK_BINDER = 0x77622a85 // "wb*"
	BINDER_TYPE_HANDLE      = 0x73682a85 // "sh*"
	BINDER_TYPE_WEAK_HANDLE = 0x77682a85 // "wh*"
	BINDER_TYPE_FD          = 0x66642a85 // "fd*"
	BINDER_TYPE_FDA         = 0x66646185 // "fda"
	BINDER_TYPE_PTR         = 0x70742a85 // "pt*"
)

// Values of FlatObject.Flags.
const (
	FLAT_BINDER_FLAG_PRIORITY_MASK    = 0xff
	FLAT_BINDER_FLAG_ACCEPTS_FDS      = 0x100
	FLAT_BINDER_FLAG_SCHED_POLICY     = 0x600 // Android's kernels only
	FLAT_BINDER_FLAG_INHERIT_RT       = 0x800 // Android's kernels only
	FLAT_BINDER_FLAG_TXN_SECURITY_CTX = 0x1000
)

// BINDER_BUFFER_FLAG_HAS_PARENT is the only value of BufferObject.Flags.
const BINDER_BUFFER_FLAG_HAS_PARENT = 0x01

// Bits of FrozenStatusInfo. The header gives them no names.
const (
	FROZEN_SYNC_RECEIVED  = 0x1 // in SyncRecv: a synchronous call was refused
	FROZEN_TXNS_PENDING   = 0x2 // in SyncRecv: a transaction is in progress
	FROZEN_ASYNC_RECEIVED = 0x1 // in AsyncRecv: a one-way call arrived
)
