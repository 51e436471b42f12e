// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package android

import "golang.org/x/sys/unix"

// How ART allocates memory below 4 GiB without MAP_32BIT: it tries one address after the
// other. This one is free.
const (
	lowHint = 0x1000_0000
	lowFlag = unix.MAP_FIXED_NOREPLACE
)
