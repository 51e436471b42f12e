// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package android

import (
	"fmt"
	"maps"

	"gvisor.dev/gvisor/pkg/hostarch"

	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/ashmem"
	"sentrybinder/pkg/abi/binder"
)

// Requests returns the known requests by number.
func Requests() map[uint32]Request {
	all := make(map[uint32]Request)
	for request, name := range binder.Requests {
		r := binderRequests[request]
		r.Name = name
		all[request] = r
	}
	maps.Copy(all, ashmemRequests)
	return all
}

// binderRequests holds the Describers of binder's requests that have an argument.
var binderRequests = map[uint32]Request{
	binder.BINDER_WRITE_READ:                   {Enter: writeReadEnter, Exit: writeReadExit},
	binder.BINDER_SET_MAX_THREADS:              {Enter: number},
	binder.BINDER_ENABLE_ONEWAY_SPAM_DETECTION: {Enter: number},
	binder.BINDER_VERSION: {Exit: structure(func(v *binder.Version) string {
		return fmt.Sprintf("protocol_version=%d", v.ProtocolVersion)
	})},
	binder.BINDER_SET_CONTEXT_MGR_EXT: {Enter: structure(func(o *binder.FlatObject) string {
		return fmt.Sprintf("flags=%s", flagNames(o.Flags, nodeFlags))
	})},
	binder.BINDER_GET_NODE_DEBUG_INFO: {
		Enter: structure(func(i *binder.NodeDebugInfo) string { return fmt.Sprintf("ptr=%#x", i.Ptr) }),
		Exit: structure(func(i *binder.NodeDebugInfo) string {
			return fmt.Sprintf("ptr=%#x cookie=%#x has_strong_ref=%d has_weak_ref=%d", i.Ptr, i.Cookie, i.HasStrongRef, i.HasWeakRef)
		}),
	},
	binder.BINDER_GET_NODE_INFO_FOR_REF: {
		Enter: structure(func(i *binder.NodeInfoForRef) string { return fmt.Sprintf("handle=%d", i.Handle) }),
		Exit: structure(func(i *binder.NodeInfoForRef) string {
			return fmt.Sprintf("handle=%d strong_count=%d weak_count=%d", i.Handle, i.StrongCount, i.WeakCount)
		}),
	},
	binder.BINDER_FREEZE: {Enter: structure(func(i *binder.FreezeInfo) string {
		return fmt.Sprintf("pid=%d enable=%d timeout_ms=%d", int32(i.PID), i.Enable, i.TimeoutMS)
	})},
	binder.BINDER_GET_FROZEN_INFO: {
		Enter: structure(func(i *binder.FrozenStatusInfo) string { return fmt.Sprintf("pid=%d", int32(i.PID)) }),
		Exit: structure(func(i *binder.FrozenStatusInfo) string {
			return fmt.Sprintf("pid=%d sync_recv=%#x async_recv=%#x", int32(i.PID), i.SyncRecv, i.AsyncRecv)
		}),
	},
	binder.BINDER_GET_EXTENDED_ERROR: {Exit: structure(func(e *binder.ExtendedError) string {
		return fmt.Sprintf("id=%d command=%s param=%s", e.ID, binder.ReturnName(e.Command), errno(e.Param))
	})},
	binder.BINDER_CTL_ADD: {
		Enter: structure(func(d *binder.BinderfsDevice) string { return "name=" + text(d.Name[:]) }),
		Exit: structure(func(d *binder.BinderfsDevice) string {
			return fmt.Sprintf("name=%s major=%d minor=%d", text(d.Name[:]), d.Major, d.Minor)
		}),
	},
}

// errno returns the name of a negative errno.
func errno(param int32) string {
	if name := unix.ErrnoName(unix.Errno(-param)); param < 0 && name != "" {
		return "-" + name
	}
	return fmt.Sprint(param)
}

var nodeFlags = []flag{
	{binder.FLAT_BINDER_FLAG_ACCEPTS_FDS, "FLAT_BINDER_FLAG_ACCEPTS_FDS"},
	{binder.FLAT_BINDER_FLAG_INHERIT_RT, "FLAT_BINDER_FLAG_INHERIT_RT"},
	{binder.FLAT_BINDER_FLAG_TXN_SECURITY_CTX, "FLAT_BINDER_FLAG_TXN_SECURITY_CTX"},
}

var ashmemRequests = map[uint32]Request{
	ashmem.ASHMEM_SET_NAME:         {Name: "ASHMEM_SET_NAME", Enter: name},
	ashmem.ASHMEM_GET_NAME:         {Name: "ASHMEM_GET_NAME", Exit: name},
	ashmem.ASHMEM_SET_SIZE:         {Name: "ASHMEM_SET_SIZE", Enter: value},
	ashmem.ASHMEM_GET_SIZE:         {Name: "ASHMEM_GET_SIZE"},
	ashmem.ASHMEM_SET_PROT_MASK:    {Name: "ASHMEM_SET_PROT_MASK", Enter: protection},
	ashmem.ASHMEM_GET_PROT_MASK:    {Name: "ASHMEM_GET_PROT_MASK"},
	ashmem.ASHMEM_PIN:              {Name: "ASHMEM_PIN", Enter: pin},
	ashmem.ASHMEM_UNPIN:            {Name: "ASHMEM_UNPIN", Enter: pin},
	ashmem.ASHMEM_GET_PIN_STATUS:   {Name: "ASHMEM_GET_PIN_STATUS", Enter: pin},
	ashmem.ASHMEM_PURGE_ALL_CACHES: {Name: "ASHMEM_PURGE_ALL_CACHES"},
	ashmem.ASHMEM_GET_FILE_ID:      {Name: "ASHMEM_GET_FILE_ID", Exit: fileID},
}

var pin = structure(func(p *ashmem.Pin) string { return fmt.Sprintf("offset=%d len=%d", p.Offset, p.Len) })

// name describes an argument that points to a region's name.
func name(mem Memory, addr hostarch.Addr, _ uint) string {
	var raw [ashmem.ASHMEM_NAME_LEN]byte
	// A string may end where the memory does.
	n, _ := mem.CopyInBytes(addr, raw[:])
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%#x %s", addr, text(raw[:n]))
}

// value describes an argument that is a number.
func value(_ Memory, addr hostarch.Addr, _ uint) string { return fmt.Sprint(uint64(addr)) }

// protection describes an argument that is PROT_ bits.
func protection(_ Memory, addr hostarch.Addr, _ uint) string {
	return flagNames(uint32(addr), []flag{{unix.PROT_READ, "PROT_READ"}, {unix.PROT_WRITE, "PROT_WRITE"}, {unix.PROT_EXEC, "PROT_EXEC"}})
}

// fileID describes an argument that points to an inode number.
func fileID(mem Memory, addr hostarch.Addr, _ uint) string {
	var raw [8]byte
	if _, err := mem.CopyInBytes(addr, raw[:]); err != nil {
		return ""
	}
	return fmt.Sprintf("%#x {%d}", addr, hostarch.ByteOrder.Uint64(raw[:]))
}
