// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"gvisor.dev/gvisor/pkg/abi/linux/errno"
	"gvisor.dev/gvisor/pkg/errors"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"

	"sentrybinder/pkg/abi/binder"
)

// extendedError is the outcome of a thread's last transaction, as far as the thread
// itself or its replier determined it. A death is not such an error.
//
// +stateify savable
type extendedError struct {
	// id is the debug ID of the transaction or, if the reply failed, of the reply.
	id int32

	// command is the return that reported the failure, or BR_OK.
	command uint32

	// param is a negative errno, or zero.
	param int32
}

// noError returns the success state for transaction id.
func noError(id int32) extendedError { return extendedError{id: id, command: binder.BR_OK} }

// extendedErrorOf returns the state for transaction id, which failed with f.
func extendedErrorOf(id int32, f *failure) extendedError {
	if f.err == nil {
		return extendedError{id: id, command: f.br}
	}
	return extendedError{id: id, command: f.br, param: -int32(errnoFor(f.err))}
}

// errnoFor returns the errno that applications get for err. An error without one is the
// sentry's, and concerns its memory.
func errnoFor(err error) errno.Errno {
	if e, ok := err.(*errors.Error); ok {
		return e.Errno()
	}
	return linuxerr.ENOMEM.Errno()
}
