// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"testing"

	"github.com/stretchr/testify/require"

	"sentrybinder/pkg/abi/binder"
)

// TestSpam: a sender of too much is told, if detection is enabled when it reads the
// completion; its share of the space survives a restore.
func TestSpam(t *testing.T) {
	w := newWorld(t)
	manager, client := w.newManager(), w.newApp()
	const size = testMapping / 16
	send := func(th *thread, want uint32) {
		t.Helper()
		th.write(th.call(0, binder.TF_ONE_WAY, parcel(string(make([]byte, size)))))
		th.expect(want)
	}
	require.NoError(t, client.ioctlUint32(binder.BINDER_ENABLE_ONEWAY_SPAM_DETECTION, 1))
	for range 6 {
		send(client, binder.BR_TRANSACTION_COMPLETE)
	}
	restored := w.restore()
	twin := *client
	twin.app = restored.apps[1]
	for _, th := range []*thread{client, &twin} {
		send(th, binder.BR_ONEWAY_SPAM_SUSPECT)
		send(th, binder.BR_TRANSACTION_COMPLETE)
	}
	for range 8 {
		manager.takeCall()
	}
	require.EqualValues(t, testMapping/2, manager.alloc.Usage().FreeAsync)
	for range 6 {
		send(client, binder.BR_TRANSACTION_COMPLETE)
	}
	client.write(client.call(0, binder.TF_ONE_WAY, parcel(string(make([]byte, size)))))
	require.NoError(t, client.ioctlUint32(binder.BINDER_ENABLE_ONEWAY_SPAM_DETECTION, 0))
	client.expect(binder.BR_TRANSACTION_COMPLETE)
}
