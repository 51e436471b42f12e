// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//covers:node-info
package syscalls

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
)

// debugInfo returns the first of the process's nodes after ptr. The rest of the argument
// is ignored.
func (th *thread) debugInfo(ptr uint64) binder.NodeDebugInfo {
	th.t.Helper()
	info := binder.NodeDebugInfo{Ptr: ptr, Cookie: 1, HasStrongRef: 2, HasWeakRef: 3}
	arg := make([]byte, binder.SizeOfNodeDebugInfo)
	info.MarshalBytes(arg)
	got, err := th.ioctlBytes(binder.BINDER_GET_NODE_DEBUG_INFO, arg)
	require.NoError(th.t, err, "BINDER_GET_NODE_DEBUG_INFO")
	info.UnmarshalBytes(got)
	return info
}

// A process can list its nodes in ascending order of their pointers.
func TestNodeDebugInfo(t *testing.T) {
	manager, client := newManager(t), newProcess(t)
	require.Zero(t, client.debugInfo(0))
	for _, ptr := range []uint64{0x10, 0x8, 1 << 63, 0x20} {
		client.offer(manager, ptr)
	}
	var ptrs []uint64
	for info := client.debugInfo(0); info != (binder.NodeDebugInfo{}); info = client.debugInfo(info.Ptr) {
		require.Equal(t, binder.NodeDebugInfo{Ptr: info.Ptr, Cookie: info.Ptr + 1, HasStrongRef: 1, HasWeakRef: 1}, info)
		ptrs = append(ptrs, info.Ptr)
	}
	require.Equal(t, []uint64{0x8, 0x10, 0x20, 1 << 63}, ptrs)

	// The pointer need not be a node's, and all nodes are before the last possible
	// pointer.
	require.EqualValues(t, 0x8, client.debugInfo(7).Ptr)
	require.EqualValues(t, 0x10, client.debugInfo(0xf).Ptr)
	require.EqualValues(t, uint64(1<<63), client.debugInfo(1<<63-1).Ptr)
	require.Zero(t, client.debugInfo(^uint64(0)))
}

// A node at 0, such as the manager's, comes after no pointer.
func TestNodeDebugInfoOfManager(t *testing.T) {
	require.Zero(t, newManager(t).debugInfo(0))
}

// The references are those of which the owner has been told.
func TestNodeDebugInfoReferences(t *testing.T) {
	manager, client := newManager(t), newProcess(t)
	expect := func(strong, weak uint32) {
		t.Helper()
		require.Equal(t, binder.NodeDebugInfo{Ptr: 0x10, Cookie: 0x11, HasStrongRef: strong, HasWeakRef: weak}, client.debugInfo(0))
	}
	client.write(bcTransaction{flags: oneWay, payload: payload{weakNode(0x10, 0x11)}})
	expect(0, 0)
	client.expect(brNoop, brIncrefs(0x10, 0x11), brTransactionComplete)
	expect(0, 1)
	client.write(bcTransaction{flags: oneWay, payload: payload{node(0x10, 0x11)}})
	client.expect(brNoop, brAcquire(0x10, 0x11), brTransactionComplete)
	expect(1, 1)
	client.write(bcIncrefsDone(0x10, 0x11), bcAcquireDone(0x10, 0x11))
	manager.write(manager.read().message(t).free())
	manager.write(manager.read().message(t).free())
	expect(1, 1)
	client.expect(brNoop, brRelease(0x10, 0x11), brDecrefs(0x10, 0x11))
	require.Zero(t, client.debugInfo(0))
}

// nodeInfo makes BINDER_GET_NODE_INFO_FOR_REF.
func (th *thread) nodeInfo(in binder.NodeInfoForRef) (binder.NodeInfoForRef, error) {
	th.t.Helper()
	arg := make([]byte, binder.SizeOfNodeInfoForRef)
	in.MarshalBytes(arg)
	got, err := th.ioctlBytes(binder.BINDER_GET_NODE_INFO_FOR_REF, arg)
	var out binder.NodeInfoForRef
	out.UnmarshalBytes(got)
	return out, err
}

// expectNodeInfo checks the counts of a handle's node.
func (th *thread) expectNodeInfo(h uint32, strong, weak uint32) {
	th.t.Helper()
	got, err := th.nodeInfo(binder.NodeInfoForRef{Handle: h})
	require.NoError(th.t, err)
	require.Equal(th.t, binder.NodeInfoForRef{Handle: h, StrongCount: strong, WeakCount: weak}, got)
}

// The manager can query how many processes and buffers hold a strong reference to a node.
func TestNodeInfoForRef(t *testing.T) {
	manager, client := newManager(t), newProcess(t)
	h := client.offer(manager, 0x10)
	weak := uint32(0)
	if differs(t, onNodeCounts) {
		weak = 1
	}
	manager.expectNodeInfo(h, 1, weak)
	// A process counts once.
	manager.write(bcAcquire(h), bcIncrefs(h), bcIncrefs(h))
	manager.expectNodeInfo(h, 1, weak)
	third := newProcess(t)
	third.call(manager.thread, bcTransaction{}, payload{handle(h)})
	manager.expectNodeInfo(h, 2, weak)
	// Transactions to the node hold it until their buffers are freed.
	manager.write(bcTransaction{handle: h, flags: oneWay}, bcTransaction{handle: h, flags: oneWay})
	manager.expectNodeInfo(h, 4, weak)
	client.write(client.read().message(t).free())
	manager.expectNodeInfo(h, 3, weak)
	client.write(client.read().message(t).free())
	manager.expectNodeInfo(h, 2, weak)
	// When the owner dies, the others' references stay.
	client.kill()
	manager.write(bcRequestDeath(h, 1))
	manager.read()
	manager.expectNodeInfo(h, 2, weak)
}

// References of which the owner has been told, but which it has not acknowledged, count
// as its own.
func TestNodeInfoForRefPending(t *testing.T) {
	manager, client := newManager(t), newProcess(t)
	strong, weak := uint32(2), uint32(1)
	if differs(t, onNodeCounts) {
		strong, weak = 1, 0
	}
	client.write(bcTransaction{flags: oneWay, payload: payload{node(0x10, 0x11)}})
	h := manager.read().message(t).handle(0)
	manager.expectNodeInfo(h, 1, 0)
	client.read()
	manager.expectNodeInfo(h, strong, weak)
	client.write(bcIncrefsDone(0x10, 0x11))
	manager.expectNodeInfo(h, strong, 0)
	client.write(bcAcquireDone(0x10, 0x11))
	manager.expectNodeInfo(h, 1, 0)
}

// All fields but the handle must be zero, then the caller must be the manager, and must
// know the handle. In C the reference must be strong.
func TestNodeInfoForRefRefused(t *testing.T) {
	manager, client := newManager(t), newProcess(t)
	h := client.offer(manager, 0x10)
	weak := client.offer(manager, 0x20)
	manager.write(bcRelease(weak))
	other := manager.give(client, 0x30, 0)
	none, differ := unix.ENOENT, differs(t, onNodeUnknown)
	if differ {
		none = unix.EINVAL
	}
	for _, tc := range []struct {
		name string
		p    *process
		in   binder.NodeInfoForRef
		want error
	}{
		{"strong", manager, binder.NodeInfoForRef{Handle: h, StrongCount: 1}, unix.EINVAL},
		{"weak", manager, binder.NodeInfoForRef{Handle: h, WeakCount: 1}, unix.EINVAL},
		{"first reserved", manager, binder.NodeInfoForRef{Handle: h, Reserved1: 1}, unix.EINVAL},
		{"second reserved", manager, binder.NodeInfoForRef{Handle: h, Reserved2: 1}, unix.EINVAL},
		{"third reserved", manager, binder.NodeInfoForRef{Handle: h, Reserved3: 1}, unix.EINVAL},
		{"unknown handle", manager, binder.NodeInfoForRef{Handle: 99}, none},
		{"own handle 0", manager, binder.NodeInfoForRef{}, none},
		{"not the manager", client, binder.NodeInfoForRef{Handle: other}, unix.EPERM},
		{"not the manager, unknown handle", client, binder.NodeInfoForRef{Handle: 99}, unix.EPERM},
		{"not the manager, not zero", client, binder.NodeInfoForRef{Handle: other, WeakCount: 1}, unix.EINVAL},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := tc.p.as(t).nodeInfo(tc.in)
			require.Equal(t, tc.want, err)
			require.Equal(t, tc.in, got)
		})
	}
	_, err := manager.nodeInfo(binder.NodeInfoForRef{Handle: weak})
	if differ {
		require.Equal(t, unix.EINVAL, err)
	} else {
		require.NoError(t, err)
	}
}

// Without a manager nobody may query.
func TestNodeInfoForRefWithoutManager(t *testing.T) {
	newManager(t).kill()
	_, err := newProcess(t).nodeInfo(binder.NodeInfoForRef{})
	require.Equal(t, unix.EPERM, err)
}
