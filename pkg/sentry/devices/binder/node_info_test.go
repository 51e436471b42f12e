// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/errors/linuxerr"

	"sentrybinder/pkg/abi/binder"
)

// TestNodeDebugInfo visits a process's nodes.
func TestNodeDebugInfo(t *testing.T) {
	w := newWorld(t)
	owner, other := w.newApp(), w.newApp()
	for _, ptr := range []uint64{3, 1 << 63, 2} {
		w.give(owner, other, ptr)
	}
	var ptrs []uint64
	var info binder.NodeDebugInfo
	for {
		info.MarshalUnsafe(owner.mem.Bytes[argAddr:])
		require.NoError(t, owner.ioctl(binder.BINDER_GET_NODE_DEBUG_INFO, argAddr))
		info.UnmarshalUnsafe(owner.mem.Bytes[argAddr:])
		if info == (binder.NodeDebugInfo{}) {
			break
		}
		require.Equal(t, binder.NodeDebugInfo{Ptr: info.Ptr, Cookie: testCookie(info.Ptr), HasStrongRef: 1, HasWeakRef: 1}, info)
		ptrs = append(ptrs, info.Ptr)
	}
	require.Equal(t, []uint64{2, 3, 1 << 63}, ptrs)
}

// TestNodeInfoForRef: the manager learns how many references a node has.
func TestNodeInfoForRef(t *testing.T) {
	w := newWorld(t)
	manager, owner := w.newManager(), w.newApp()
	h := w.give(owner, manager, 1)
	ask := func(th *thread, info binder.NodeInfoForRef) (binder.NodeInfoForRef, error) {
		info.MarshalUnsafe(th.mem.Bytes[argAddr:])
		err := th.ioctl(binder.BINDER_GET_NODE_INFO_FOR_REF, argAddr)
		info.UnmarshalUnsafe(th.mem.Bytes[argAddr:])
		return info, err
	}
	info, err := ask(manager, binder.NodeInfoForRef{Handle: h})
	require.NoError(t, err)
	require.Equal(t, binder.NodeInfoForRef{Handle: h, StrongCount: 1}, info)
	manager.write(manager.call(h, binder.TF_ONE_WAY, parcel("")))
	info, err = ask(manager, binder.NodeInfoForRef{Handle: h})
	require.NoError(t, err)
	require.EqualValues(t, 2, info.StrongCount)

	_, err = ask(manager, binder.NodeInfoForRef{Handle: h, Reserved3: 1})
	require.Equal(t, linuxerr.EINVAL, err)
	_, err = ask(manager, binder.NodeInfoForRef{Handle: h + 1})
	require.Equal(t, linuxerr.ENOENT, err)
	_, err = ask(owner, binder.NodeInfoForRef{})
	require.Equal(t, linuxerr.EPERM, err)
	manager.app.close()
	_, err = ask(owner, binder.NodeInfoForRef{})
	require.Equal(t, linuxerr.EPERM, err)
}
