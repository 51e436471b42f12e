// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/errors/linuxerr"

	"sentrybinder/pkg/abi/binder"
)

// CVE-2022-20421: a reference that could not be acquired for a process was left behind, and
// with it, if the process was dying, a pointer to the process.
func TestCVE_2022_20421(t *testing.T) {
	t.Run("refused", func(t *testing.T) {
		w := newWorld(t)
		owner, sender, receiver := w.newApp(), w.newApp(), w.newApp()
		h := w.give(owner, sender, 0x10)
		n := sender.refAt(h).node()
		// A strong reference can't be made from a weak one. The sender had a strong
		// one when it started sending.
		sender.write(cmd(binder.BC_INCREFS, h), cmd(binder.BC_RELEASE, h))
		_, err := receiver.acquireNode(receiver, n, true, nil, receiver.account)
		require.Equal(t, linuxerr.EINVAL, err)
		require.Zero(t, receiver.numRefs())
		w.requireSound()
	})
	t.Run("dying", func(t *testing.T) {
		w := newWorld(t)
		owner, sender, receiver := w.newApp(), w.newApp(), w.newApp()
		to := w.give(receiver, sender, 0x20)
		h := w.give(owner, sender, 0x10)
		sender.mem.onCopy = func() { receiver.app.close() }
		sender.write(sender.call(to, 0, parcel(weakHandleObject(h), handleObject(h), handleObject(h))))
		sender.expect(binder.BR_DEAD_REPLY)
		require.Zero(t, receiver.numRefs())
		sender.write(cmd(binder.BC_RELEASE, h))
		owner.expect(binder.BR_RELEASE, binder.BR_DECREFS)
	})
}
