// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"testing"

	"github.com/stretchr/testify/require"

	"sentrybinder/pkg/abi/binder"
)

// TestCallOvertakes: a call waits for at most maxOvertaken notifications, however many came
// before it. Calls don't overtake each other, and all notifications are delivered.
func TestCallOvertakes(t *testing.T) {
	const many = 10 * maxOvertaken
	w := newWorld(t)
	manager, client, dying := w.newManager(), w.newApp(), w.newApp()
	for i := range uint64(many) {
		handle := w.give(dying, manager, 8*(i+1))
		manager.write(cmd(binder.BC_REQUEST_DEATH_NOTIFICATION, binder.HandleCookie{Handle: handle, Cookie: i}))
	}
	dying.app.close()
	for i := range uint32(3) {
		th := client.app.newThread()
		th.write(th.message(binder.BC_TRANSACTION, 0, i, 0, parcel("")))
	}

	var calls []int // after how many notifications they came
	deaths := uint64(0)
	for len(calls) < 3 || deaths < many {
		for _, r := range manager.read() {
			switch r.br {
			case binder.BR_DEAD_BINDER:
				require.Equal(t, deaths, r.cookie())
				deaths++
			case binder.BR_TRANSACTION:
				got := manager.received(r)
				require.EqualValues(t, len(calls), got.TransactionData.Code)
				calls = append(calls, int(deaths))
				manager.write(got.free(), manager.reply(parcel("")))
			}
		}
		w.requireSound()
	}
	require.Equal(t, []int{maxOvertaken, 2 * maxOvertaken, 3 * maxOvertaken}, calls)
}
