// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import "fmt"

// numbered is a command or return.
type numbered struct {
	code uint32
	name string
}

// commands and returns are indexed by number. BR_TRANSACTION_SEC_CTX is missing: it
// shares the number of BR_TRANSACTION.
var (
	commands = [...]numbered{
		{BC_TRANSACTION, "BC_TRANSACTION"},
		{BC_REPLY, "BC_REPLY"},
		{BC_ACQUIRE_RESULT, "BC_ACQUIRE_RESULT"},
		{BC_FREE_BUFFER, "BC_FREE_BUFFER"},
		{BC_INCREFS, "BC_INCREFS"},
		{BC_ACQUIRE, "BC_ACQUIRE"},
		{BC_RELEASE, "BC_RELEASE"},
		{BC_DECREFS, "BC_DECREFS"},
		{BC_INCREFS_DONE, "BC_INCREFS_DONE"},
		{BC_ACQUIRE_DONE, "BC_ACQUIRE_DONE"},
		{BC_ATTEMPT_ACQUIRE, "BC_ATTEMPT_ACQUIRE"},
		{BC_REGISTER_LOOPER, "BC_REGISTER_LOOPER"},
		{BC_ENTER_LOOPER, "BC_ENTER_LOOPER"},
		{BC_EXIT_LOOPER, "BC_EXIT_LOOPER"},
		{BC_REQUEST_DEATH_NOTIFICATION, "BC_REQUEST_DEATH_NOTIFICATION"},
		{BC_CLEAR_DEATH_NOTIFICATION, "BC_CLEAR_DEATH_NOTIFICATION"},
		{BC_DEAD_BINDER_DONE, "BC_DEAD_BINDER_DONE"},
		{BC_TRANSACTION_SG, "BC_TRANSACTION_SG"},
		{BC_REPLY_SG, "BC_REPLY_SG"},
		{BC_REQUEST_FREEZE_NOTIFICATION, "BC_REQUEST_FREEZE_NOTIFICATION"},
		{BC_CLEAR_FREEZE_NOTIFICATION, "BC_CLEAR_FREEZE_NOTIFICATION"},
		{BC_FREEZE_NOTIFICATION_DONE, "BC_FREEZE_NOTIFICATION_DONE"},
	}
	returns = [...]numbered{
		{BR_ERROR, "BR_ERROR"},
		{BR_OK, "BR_OK"},
		{BR_TRANSACTION, "BR_TRANSACTION"},
		{BR_REPLY, "BR_REPLY"},
		{BR_ACQUIRE_RESULT, "BR_ACQUIRE_RESULT"},
		{BR_DEAD_REPLY, "BR_DEAD_REPLY"},
		{BR_TRANSACTION_COMPLETE, "BR_TRANSACTION_COMPLETE"},
		{BR_INCREFS, "BR_INCREFS"},
		{BR_ACQUIRE, "BR_ACQUIRE"},
		{BR_RELEASE, "BR_RELEASE"},
		{BR_DECREFS, "BR_DECREFS"},
		{BR_ATTEMPT_ACQUIRE, "BR_ATTEMPT_ACQUIRE"},
		{BR_NOOP, "BR_NOOP"},
		{BR_SPAWN_LOOPER, "BR_SPAWN_LOOPER"},
		{BR_FINISHED, "BR_FINISHED"},
		{BR_DEAD_BINDER, "BR_DEAD_BINDER"},
		{BR_CLEAR_DEATH_NOTIFICATION_DONE, "BR_CLEAR_DEATH_NOTIFICATION_DONE"},
		{BR_FAILED_REPLY, "BR_FAILED_REPLY"},
		{BR_FROZEN_REPLY, "BR_FROZEN_REPLY"},
		{BR_ONEWAY_SPAM_SUSPECT, "BR_ONEWAY_SPAM_SUSPECT"},
		{BR_TRANSACTION_PENDING_FROZEN, "BR_TRANSACTION_PENDING_FROZEN"},
		{BR_FROZEN_BINDER, "BR_FROZEN_BINDER"},
		{BR_CLEAR_FREEZE_NOTIFICATION_DONE, "BR_CLEAR_FREEZE_NOTIFICATION_DONE"},
	}
)

// The numbers of commands and returns are below these.
const (
	NumCommands = len(commands)
	NumReturns  = len(returns)
)

// NumberedCommand returns the name of the command with number i; see CommandNumber.
func NumberedCommand(i int) string { return commands[i].name }

// NumberedReturn returns the name of the return with number i.
func NumberedReturn(i int) string { return returns[i].name }

// CommandName returns the name of a command, or its number if it has none.
func CommandName(code uint32) string {
	if i := CommandNumber(code); i < len(commands) && commands[i].code == code {
		return commands[i].name
	}
	return fmt.Sprintf("command %#x", code)
}

// ReturnName returns the name of a return, or its number if it has none.
func ReturnName(code uint32) string {
	if code == BR_TRANSACTION_SEC_CTX {
		return "BR_TRANSACTION_SEC_CTX"
	}
	if i := CommandNumber(code); i < len(returns) && returns[i].code == code {
		return returns[i].name
	}
	return fmt.Sprintf("return %#x", code)
}

var objectTypes = map[uint32]string{
	BINDER_TYPE_BINDER:      "BINDER_TYPE_BINDER",
	BINDER_TYPE_WEAK_BINDER: "BINDER_TYPE_WEAK_BINDER",
	BINDER_TYPE_HANDLE:      "BINDER_TYPE_HANDLE",
	BINDER_TYPE_WEAK_HANDLE: "BINDER_TYPE_WEAK_HANDLE",
	BINDER_TYPE_FD:          "BINDER_TYPE_FD",
	BINDER_TYPE_PTR:         "BINDER_TYPE_PTR",
	BINDER_TYPE_FDA:         "BINDER_TYPE_FDA",
}

// ObjectTypeName returns the name of an object type, or its number if it has none.
func ObjectTypeName(t uint32) string {
	if name, ok := objectTypes[t]; ok {
		return name
	}
	return fmt.Sprintf("type %#x", t)
}

// Requests maps the ioctl requests of a binder device to their names. It includes that
// of binder-control, which differs in size.
var Requests = map[uint32]string{
	BINDER_WRITE_READ:                   "BINDER_WRITE_READ",
	BINDER_SET_IDLE_TIMEOUT:             "BINDER_SET_IDLE_TIMEOUT",
	BINDER_SET_MAX_THREADS:              "BINDER_SET_MAX_THREADS",
	BINDER_SET_IDLE_PRIORITY:            "BINDER_SET_IDLE_PRIORITY",
	BINDER_SET_CONTEXT_MGR:              "BINDER_SET_CONTEXT_MGR",
	BINDER_THREAD_EXIT:                  "BINDER_THREAD_EXIT",
	BINDER_VERSION:                      "BINDER_VERSION",
	BINDER_GET_NODE_DEBUG_INFO:          "BINDER_GET_NODE_DEBUG_INFO",
	BINDER_GET_NODE_INFO_FOR_REF:        "BINDER_GET_NODE_INFO_FOR_REF",
	BINDER_SET_CONTEXT_MGR_EXT:          "BINDER_SET_CONTEXT_MGR_EXT",
	BINDER_FREEZE:                       "BINDER_FREEZE",
	BINDER_GET_FROZEN_INFO:              "BINDER_GET_FROZEN_INFO",
	BINDER_ENABLE_ONEWAY_SPAM_DETECTION: "BINDER_ENABLE_ONEWAY_SPAM_DETECTION",
	BINDER_GET_EXTENDED_ERROR:           "BINDER_GET_EXTENDED_ERROR",
	BINDER_CTL_ADD:                      "BINDER_CTL_ADD",
}
