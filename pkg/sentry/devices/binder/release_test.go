// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/sentry/vfs"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/binder/list"
	"sentrybinder/pkg/sentry/devices/binder/alloc"
	"sentrybinder/pkg/sentry/devices/binder/memorytest"
)

// TestCloseWithBuffers closes a device whose owner has buffers of calls, replies and one-way
// calls, received and not freed. newWorld checks that nothing is left.
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

// TestChainOfCloses closes a device whose queue holds the last descriptor of a device whose
// queue holds the last of another, and so on: the sentry's stack must not depend on their
// number.
func TestChainOfCloses(t *testing.T) {
	defer debug.SetMaxStack(debug.SetMaxStack(1 << 20))
	w := newWorld(t)
	var last *vfs.FileDescription
	for range 20000 {
		file, p := w.newDeviceFile()
		if last != nil {
			ar, _ := hostarch.Addr(testMapAddr).ToRange(hostarch.PageSize)
			require.NoError(t, p.AddMapping(memorytest.Context(), nil, ar, 0, false))
			r, err := p.alloc.Reserve(&alloc.Request{DebugID: 1, Async: true}, newCargo(list.Arc[*Node]{}, p.account))
			require.NoError(t, err)
			p.stats().created(objectTransaction)
			require.NoError(t, p.account.Charge(transactionPrice+bufferPrice+filePrice))
			p.hold()
			unread := list.NewUnique(&Transaction{
				fromProc: p, payer: p.account, to: p, flags: binder.TF_ONE_WAY, files: []sentFile{{file: last}},
			})
			unread.Get().buffer = r.Commit()
			p.mu.Lock()
			p.inner.todo.pushTransaction(unread.Get())
			p.mu.Unlock()
			unread.Release(memorytest.Context())
		}
		last = file
	}
	last.DecRef(memorytest.Context())
}
