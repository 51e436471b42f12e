// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package wire has the names of what drivers return and send, for tests to print.
package wire

import (
	"fmt"

	"sentrybinder/pkg/abi/binder"
)

var returnNames = map[uint32]string{
	binder.BR_ERROR:                          "BR_ERROR",
	binder.BR_OK:                             "BR_OK",
	binder.BR_TRANSACTION:                    "BR_TRANSACTION",
	binder.BR_TRANSACTION_SEC_CTX:            "BR_TRANSACTION_SEC_CTX",
	binder.BR_REPLY:                          "BR_REPLY",
	binder.BR_DEAD_REPLY:                     "BR_DEAD_REPLY",
	binder.BR_TRANSACTION_COMPLETE:           "BR_TRANSACTION_COMPLETE",
	binder.BR_INCREFS:                        "BR_INCREFS",
	binder.BR_ACQUIRE:                        "BR_ACQUIRE",
	binder.BR_RELEASE:                        "BR_RELEASE",
	binder.BR_DECREFS:                        "BR_DECREFS",
	binder.BR_NOOP:                           "BR_NOOP",
	binder.BR_SPAWN_LOOPER:                   "BR_SPAWN_LOOPER",
	binder.BR_FINISHED:                       "BR_FINISHED",
	binder.BR_DEAD_BINDER:                    "BR_DEAD_BINDER",
	binder.BR_CLEAR_DEATH_NOTIFICATION_DONE:  "BR_CLEAR_DEATH_NOTIFICATION_DONE",
	binder.BR_FAILED_REPLY:                   "BR_FAILED_REPLY",
	binder.BR_FROZEN_REPLY:                   "BR_FROZEN_REPLY",
	binder.BR_ONEWAY_SPAM_SUSPECT:            "BR_ONEWAY_SPAM_SUSPECT",
	binder.BR_TRANSACTION_PENDING_FROZEN:     "BR_TRANSACTION_PENDING_FROZEN",
	binder.BR_FROZEN_BINDER:                  "BR_FROZEN_BINDER",
	binder.BR_CLEAR_FREEZE_NOTIFICATION_DONE: "BR_CLEAR_FREEZE_NOTIFICATION_DONE",
}

// ReturnName returns the name of a BR_ code.
func ReturnName(code uint32) string { return nameIn(returnNames, "return", code) }

var objectNames = map[uint32]string{
	binder.BINDER_TYPE_BINDER:      "BINDER",
	binder.BINDER_TYPE_WEAK_BINDER: "WEAK_BINDER",
	binder.BINDER_TYPE_HANDLE:      "HANDLE",
	binder.BINDER_TYPE_WEAK_HANDLE: "WEAK_HANDLE",
	binder.BINDER_TYPE_FD:          "FD",
	binder.BINDER_TYPE_PTR:         "PTR",
	binder.BINDER_TYPE_FDA:         "FDA",
}

// ObjectName returns the name of a type of objects, without BINDER_TYPE_.
func ObjectName(t uint32) string { return nameIn(objectNames, "type", t) }

// nameIn returns a code's name, or what it is and its number if it has none.
func nameIn(names map[uint32]string, what string, code uint32) string {
	if name := names[code]; name != "" {
		return name
	}
	return fmt.Sprintf("%s %#x", what, code)
}
