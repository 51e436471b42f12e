// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"

	"sentrybinder/pkg/abi/binder"
)

// debugInfo handles BINDER_GET_NODE_DEBUG_INFO: it describes p's node with the
// lowest address above ptr, so that an application can visit all of its nodes. The zero
// value means that there's none.
func (p *Process) debugInfo(ptr uint64) binder.NodeDebugInfo {
	p.mu.Lock()
	defer p.mu.Unlock()
	var buf [1]*Node
	nodes, _ := p.inner.nodes.next(ptr+1, buf[:0])
	if len(nodes) == 0 || nodes[0].ptr <= ptr {
		return binder.NodeDebugInfo{} // The latter if ptr is the highest address.
	}
	next := nodes[0]
	info := binder.NodeDebugInfo{Ptr: next.ptr, Cookie: next.cookie}
	in := next.lockedBy(p)
	if in.hasStrong {
		info.HasStrongRef = 1
	}
	if in.hasWeak {
		info.HasWeakRef = 1
	}
	return info
}

// nodeInfoForRef handles BINDER_GET_NODE_INFO_FOR_REF: it sets info's counts to
// the references that there are to the node that p knows by info.Handle. The weak
// ones are only those held for the owner itself, as in Linux.
//
// Errors: EINVAL if any other field of info is set, EPERM if p is not the context
// manager, ENOENT if it has no such handle.
func (p *Process) nodeInfoForRef(ctx context.Context, info *binder.NodeInfoForRef) error {
	if *info != (binder.NodeInfoForRef{Handle: info.Handle}) {
		return linuxerr.EINVAL
	}
	manager := p.ctx.managerNode()
	isManager := manager.Ok() && manager.Get().owner == p
	manager.Release(ctx)
	if !isManager {
		return linuxerr.EPERM
	}

	p.refsMu.Lock()
	defer p.refsMu.Unlock()
	r := p.refLocked(info.Handle, false)
	if r == nil {
		return linuxerr.ENOENT
	}
	n := r.node()
	n.owner.mu.Lock()
	defer n.owner.mu.Unlock()
	info.StrongCount = uint32(n.inner.localStrong + n.inner.internalStrong)
	info.WeakCount = uint32(n.inner.localWeak)
	return nil
}
