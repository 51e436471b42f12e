// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package ashmem implements Android's anonymous shared memory: the device /dev/ashmem,
// with the behaviour of the driver in C of Android's common kernels, which Linux had
// until 5.17, and the same requests on memfds.
//
// # How memory is shared
//
//	open(/dev/ashmem)        Device.Open ──▶ areaFD ──▶ area
//	ioctl(ASHMEM_SET_SIZE)                              name, size, mask
//	mmap                     configureMMap ────────────▶ region ◀── mappings
//	SCM_RIGHTS, Binder       the areaFD, as any file                (mm)
//	mmap, by the receiver    configureMMap ────────────────▲
//	ioctl(ASHMEM_UNPIN)      ranges of the area
//	ioctl(PURGE_ALL_CACHES)  Device.purge ─▶ tenant ─▶ area.purge ─▶ region.purge
//
// # Files
//
//	device   what vfs sees of the device and of an open file
//	ioctl    the requests; memfd has those on memfds
//	area     the state of an open file, and what can be done in it when
//	ranges   which pages of an area are unpinned, and which of those were purged
//	region   the memory, which mm and read(2) see
//	tenant   a container, and which of its areas can be purged
//
// # Ownership
//
// An area is an open file's. Its region comes with the first mapping, and is held by it
// and by each mapping: the memory goes when the last of them does. The ranges go with the
// area: what is still mapped then is pinned for ever, as on Linux.
//
// # Purging
//
// Linux purges unpinned pages when memory is short. The sentry does not know when that
// is, and has no shrinkers: here, pages are purged when an administrator in the container asks
// for it, by ASHMEM_PURGE_ALL_CACHES, and only those of areas that the container has
// opened. Android has unpinned nothing since version 10.
//
// # Limits
//
// Memory that is touched is the application's, as that of tmpfs is. An area and its region are
// bounded by the number of open files and mappings. Unpinned ranges are charged to the
// container's account (see package account), and there are at most maxRanges in an
// area; beyond, unpinning fails as it does on Linux without memory.
//
// # Locks
//
//	areaFD.posMu              where the next read begins
//	  MemoryManager.mappingMu and activeMu, of the memory that is read to
//	area.mu                   all of an area
//	  tenant.mu               a leaf
//	  region.mapsMu           which mappings there are; mm calls with its mappingMu held
//	    MemoryManager.activeMu  to invalidate mappings
//	      region.dataMu       where the memory is; mm calls with its activeMu held
//	tenants.mu                a leaf
//
// No lock but posMu is held while memory of an application is accessed.
package ashmem
