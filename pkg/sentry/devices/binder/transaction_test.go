// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"testing"

	"github.com/stretchr/testify/require"

	"sentrybinder/pkg/abi/binder"
)

func TestCallAndReply(t *testing.T) {
	w := newWorld(t)
	manager, client := w.newManager(), w.newApp()

	client.write(client.message(binder.BC_TRANSACTION, 0, 7, binder.TF_ACCEPT_FDS, parcel("question")))
	client.expectNothing()
	got := manager.expectTransaction(binder.BR_TRANSACTION)
	require.Equal(t, "question", string(got.data))
	require.Equal(t, uint32(7), got.TransactionData.Code)
	require.Equal(t, uint32(binder.TF_ACCEPT_FDS), got.TransactionData.Flags)
	require.Equal(t, client.pid, got.TransactionData.SenderPID)
	require.Equal(t, uint32(client.euid), got.TransactionData.SenderEUID)
	manager.expectNothing()

	manager.write(got.free(), manager.reply(parcel("answer")))
	manager.expect(binder.BR_TRANSACTION_COMPLETE)
	returns := client.expect(binder.BR_TRANSACTION_COMPLETE, binder.BR_REPLY)
	answer := client.received(returns[1])
	require.Equal(t, "answer", string(answer.data))
	client.write(answer.free())
	client.expectNothing()
	manager.expectNothing()
}
