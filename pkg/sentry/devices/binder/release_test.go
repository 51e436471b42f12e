// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"testing"

	"sentrybinder/pkg/abi/binder"
)

// TestCloseWithBuffers closes a device whose owner has buffers: received and not
// freed, of calls, replies and one-way calls. newWorld checks that nothing is
// left.
func TestCloseWithBuffers(t *testing.T) {
	w := newWorld(t)
	manager, client := w.newManager(), w.newApp()
	for range 3 {
		client.write(client.call(0, binder.TF_ONE_WAY, parcel("lost", nodeObject(1))))
	}
	client.write(client.call(0, 0, parcel("call", nodeObject(2))))
	manager.expect(binder.BR_TRANSACTION)
	manager.expect(binder.BR_TRANSACTION)
	manager.write(manager.reply(parcel("reply", nodeObject(3))))
	manager.app.close()
	w.requireSound()
	client.app.close()
}
