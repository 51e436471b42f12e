// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"runtime"

	"gvisor.dev/gvisor/pkg/errors/linuxerr"

	"sentrybinder/pkg/abi/binder"
)

// failure says how a transaction failed: with which return, and why. Logs show line,
// the line of its declaration below. Applications can fail as often as they like, so
// failing must be cheap. A failure is immutable.
type failure struct {
	br   uint32
	err  error
	line int

	// why is the reason, unless the message's refusal gives another.
	why reason
}

var (
	failedUnknownHandle = newFailure(binder.BR_FAILED_REPLY, linuxerr.EINVAL, reasonInvalidHandle)
	failedOwnNode       = newFailure(binder.BR_FAILED_REPLY, linuxerr.EINVAL, reasonOwnNode)
	failedOwnManager    = newFailure(binder.BR_FAILED_REPLY, linuxerr.EINVAL, reasonOwnManager)

	// The thread must read a call that it was sent before it makes one.
	failedUnreadCall = newFailure(binder.BR_FAILED_REPLY, linuxerr.EPROTO, reasonUnreadCall)

	// The thread waits for the reply to another call.
	failedInCall = newFailure(binder.BR_FAILED_REPLY, linuxerr.EPROTO, reasonInCall)

	// There's no call to reply to.
	failedNoCall = newFailure(binder.BR_FAILED_REPLY, linuxerr.EPROTO, reasonNoStack)

	// The sender's account has no room.
	failedNoMemory = newFailure(binder.BR_FAILED_REPLY, nil, reasonNoMemory)

	// The receiver's mapping has no room, or the contents are malformed. The error
	// tells which.
	failedNoBuffer = newFailure(binder.BR_FAILED_REPLY, nil, reasonOther)
	failedContents = newFailure(binder.BR_FAILED_REPLY, nil, reasonOther)

	deadNoManager = newFailure(binder.BR_DEAD_REPLY, linuxerr.EINVAL, reasonNoManager)
	deadOwner     = newFailure(binder.BR_DEAD_REPLY, linuxerr.EINVAL, reasonDeadNode)

	// The receiver has no mapping, or has closed the device.
	deadUnmapped = newFailure(binder.BR_DEAD_REPLY, linuxerr.ESRCH, reasonUnmapped)

	// The receiver, or the receiving thread, has gone meanwhile.
	deadReceiver = newFailure(binder.BR_DEAD_REPLY, linuxerr.ESRCH, reasonDeadReceiver)

	// The caller was gone before the reply, or went while it was composed.
	deadCaller        = newFailure(binder.BR_DEAD_REPLY, nil, reasonNoCaller)
	deadCallerOfReply = newFailure(binder.BR_DEAD_REPLY, linuxerr.ESRCH, reasonNoCaller)

	frozenReceiver = newFailure(binder.BR_FROZEN_REPLY, nil, reasonFrozenReceiver)
)

// newFailure returns a failure with its caller's line.
func newFailure(br uint32, err error, why reason) *failure {
	_, _, line, _ := runtime.Caller(1)
	return &failure{br, err, line, why}
}

// by returns f with err as its error.
func (f *failure) by(err error) *failure { return &failure{f.br, err, f.line, f.why} }
