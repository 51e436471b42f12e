// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package ashmem implements Android's anonymous shared memory: the device /dev/ashmem,
// which behaves like the C driver of Android's common kernels (in Linux until 5.17), and
// the same requests on memfds.
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
//	device   the vfs side of the device and of an open file
//	ioctl    the requests; memfd.go handles those on memfds
//	area     the state of an open file, and what each state permits
//	ranges   the unpinned pages of an area, and which of them were purged
//	region   the memory, for mm and read(2)
//	tenant   a container and its purgeable areas
//
// # Ownership
//
// An area belongs to an open file. The first mapping creates its region, which the area
// and each mapping hold: the memory is freed with the last of them. The ranges go with
// the area: pages still mapped then are pinned for ever, as on Linux.
//
// # Purging
//
// Linux purges unpinned pages when memory is short. The sentry does not know when that
// is, and has no shrinkers: here, pages are purged when an administrator in the container
// asks for it, by ASHMEM_PURGE_ALL_CACHES, and only those of areas that the container
// opened. Android has unpinned nothing since version 10.
//
// # Limits
//
// Touched memory is the application's, as in tmpfs. Areas and regions are bounded by the
// number of open files and mappings. Unpinned ranges are charged to the container's
// account (see package account), and an area has at most maxRanges of them; beyond that,
// unpinning fails as it does on Linux without memory.
//
// # Locks
//
//	areaFD.posMu              the position of the next read
//	  MemoryManager.mappingMu and activeMu, of the destination of a read
//	area.mu                   all of an area
//	  tenant.mu               a leaf
//	  region.mapsMu           the mappings; mm calls with its mappingMu held
//	    MemoryManager.activeMu  to invalidate mappings
//	      region.dataMu       the memory; mm calls with its activeMu held
//	tenants.mu                a leaf
//
// No lock but posMu is held while application memory is accessed.
package ashmem
