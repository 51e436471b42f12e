// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/errors/linuxerr"

	"sentrybinder/pkg/abi/binder"
)

// TestFailureLine checks that the log of failed transactions shows which failure it was,
// whatever the error.
func TestFailureLine(t *testing.T) {
	w := newWorld(t)
	th := w.newApp()
	th.write(th.call(9, 0, parcel("")))
	th.expect(binder.BR_FAILED_REPLY)
	th.write(th.call(0, 0, parcel("")))
	th.expect(binder.BR_DEAD_REPLY)
	log := logsOf(w.view())
	requireLine(t, log, fmt.Sprintf(`\d+: call  from .* ret 29201/-22 l=%d`, failedUnknownHandle.line))
	requireLine(t, log, fmt.Sprintf(`\d+: call  from .* ret 29189/-22 l=%d`, deadNoManager.line))
	require.NotEqual(t, failedUnknownHandle.line, deadNoManager.line)

	f := failedContents.by(linuxerr.EFAULT)
	require.Equal(t, failure{failedContents.br, linuxerr.EFAULT, failedContents.line, failedContents.why}, *f)
	require.Nil(t, failedContents.err)
}

// BenchmarkFailingCall makes calls to an invalid handle.
func BenchmarkFailingCall(b *testing.B) {
	w := newWorld(b)
	th := w.newApp()
	call := th.call(9, 0, parcel(""))
	for b.Loop() {
		th.write(call)
		th.tryRead()
	}
}
