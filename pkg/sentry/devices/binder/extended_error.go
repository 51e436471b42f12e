// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"gvisor.dev/gvisor/pkg/abi/linux/errno"
	"gvisor.dev/gvisor/pkg/errors"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"

	"sentrybinder/pkg/abi/binder"
)

// extendedError says how a thread's last transaction went: as far as what the
// thread did itself, or who replied to it. That somebody died is no such error.
//
// +stateify savable
type extendedError struct {
	// id is the transaction's number: that of the reply, if it's the reply that
	// failed.
	id int32

	// command is the return that the failure is answered with, or BR_OK.
	command uint32

	// param is a negative errno, or zero.
	param int32
}

// noError is that transaction id went well, as far as is known.
func noError(id int32) extendedError { return extendedError{id: id, command: binder.BR_OK} }

// extendedErrorOf is that transaction id failed by f.
func extendedErrorOf(id int32, f *failure) extendedError {
	if f.err == nil {
		return extendedError{id: id, command: f.br}
	}
	return extendedError{id: id, command: f.br, param: -int32(errnoFor(f.err))}
}

// errnoFor returns what applications are told of err. What is no errno comes from the
// sentry, and is about its memory.
func errnoFor(err error) errno.Errno {
	if e, ok := err.(*errors.Error); ok {
		return e.Errno()
	}
	return linuxerr.ENOMEM.Errno()
}
