// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"runtime"

	"gvisor.dev/gvisor/pkg/errors/linuxerr"

	"sentrybinder/pkg/abi/binder"
)

// failure says how a transaction failed: with which return, and why. Logs show its
// line: where it stands below. An application can fail as often as it likes, so that
// this takes no time. A failure is never changed.
type failure struct {
	br   uint32
	err  error
	line int

	// why is the reason, unless the message's refusal has another one.
	why reason
}

var (
	failedUnknownHandle = newFailure(binder.BR_FAILED_REPLY, linuxerr.EINVAL, reasonInvalidHandle)
	failedOwnNode       = newFailure(binder.BR_FAILED_REPLY, linuxerr.EINVAL, reasonOwnNode)
	failedOwnManager    = newFailure(binder.BR_FAILED_REPLY, linuxerr.EINVAL, reasonOwnManager)

	// A call came for the thread, which it has to read before it makes one.
	failedUnreadCall = newFailure(binder.BR_FAILED_REPLY, linuxerr.EPROTO, reasonUnreadCall)

	// The thread waits for the reply to another call.
	failedInCall = newFailure(binder.BR_FAILED_REPLY, linuxerr.EPROTO, reasonInCall)

	// There's no call to reply to.
	failedNoCall = newFailure(binder.BR_FAILED_REPLY, linuxerr.EPROTO, reasonNoStack)

	// The sender's account has no room.
	failedNoMemory = newFailure(binder.BR_FAILED_REPLY, nil, reasonNoMemory)

	// The receiver's mapping has no room, or the contents are malformed. The error
	// says more.
	failedNoBuffer = newFailure(binder.BR_FAILED_REPLY, nil, reasonOther)
	failedContents = newFailure(binder.BR_FAILED_REPLY, nil, reasonOther)

	deadNoManager = newFailure(binder.BR_DEAD_REPLY, linuxerr.EINVAL, reasonNoManager)
	deadOwner     = newFailure(binder.BR_DEAD_REPLY, linuxerr.EINVAL, reasonDeadNode)

	// The receiver has no mapping, or has closed the device.
	deadUnmapped = newFailure(binder.BR_DEAD_REPLY, linuxerr.ESRCH, reasonUnmapped)

	// The receiver, or the thread of it that the call is for, has gone meanwhile.
	deadReceiver = newFailure(binder.BR_DEAD_REPLY, linuxerr.ESRCH, reasonDeadReceiver)

	// The caller has gone, before the reply or while that was on its way.
	deadCaller        = newFailure(binder.BR_DEAD_REPLY, nil, reasonNoCaller)
	deadCallerOfReply = newFailure(binder.BR_DEAD_REPLY, linuxerr.ESRCH, reasonNoCaller)

	frozenReceiver = newFailure(binder.BR_FROZEN_REPLY, nil, reasonFrozenReceiver)
)

// newFailure returns a failure with the line of its caller.
func newFailure(br uint32, err error, why reason) *failure {
	_, _, line, _ := runtime.Caller(1)
	return &failure{br, err, line, why}
}

// by returns f with err as its reason.
func (f *failure) by(err error) *failure { return &failure{f.br, err, f.line, f.why} }
