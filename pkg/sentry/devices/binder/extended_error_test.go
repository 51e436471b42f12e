// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/errors/linuxerr"

	"sentrybinder/pkg/abi/binder"
)

// extendedError returns the result of BINDER_GET_EXTENDED_ERROR.
func (th *thread) extendedError() binder.ExtendedError {
	th.w.t.Helper()
	require.NoError(th.w.t, th.ioctl(binder.BINDER_GET_EXTENDED_ERROR, argAddr))
	var e binder.ExtendedError
	e.UnmarshalUnsafe(th.mem.Bytes[argAddr:])
	return e
}

// TestExtendedErrors: a thread gets its own failure and the reply's, once, also after a
// restore.
func TestExtendedErrors(t *testing.T) {
	w := newWorld(t)
	manager, client := w.newManager(), w.newApp()
	none := binder.ExtendedError{Command: binder.BR_OK}
	require.Equal(t, none, client.extendedError())

	client.write(client.call(99, 0, parcel("")))
	client.expect(binder.BR_FAILED_REPLY)
	twin := *client
	twin.app = w.restore().apps[1]
	for _, th := range []*thread{client, &twin} {
		e := th.extendedError()
		require.NotZero(t, e.ID)
		require.EqualValues(t, binder.BR_FAILED_REPLY, e.Command)
		require.EqualValues(t, -linuxerr.EINVAL.Errno(), e.Param)
	}
	require.Equal(t, none, client.extendedError())

	client.write(client.call(0, 0, parcel("")))
	manager.takeCall()
	manager.write(manager.reply(parcel(handleObject(99))))
	client.expect(binder.BR_TRANSACTION_COMPLETE, binder.BR_FAILED_REPLY)
	e, replied := client.extendedError(), manager.extendedError()
	require.Equal(t, binder.ExtendedError{ID: e.ID, Command: binder.BR_FAILED_REPLY, Param: -int32(linuxerr.EINVAL.Errno())}, e)
	require.Equal(t, binder.ExtendedError{ID: e.ID, Command: binder.BR_OK}, replied)
}

// TestExtendedErrorOfSentry: every failure of the sentry itself has an errno.
func TestExtendedErrorOfSentry(t *testing.T) {
	e := extendedErrorOf(1, failedContents.by(io.ErrUnexpectedEOF))
	require.EqualValues(t, -linuxerr.ENOMEM.Errno(), e.param)
}
