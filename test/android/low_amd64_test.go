// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package android

import "golang.org/x/sys/unix"

// How ART allocates memory below 4 GiB.
const (
	lowHint = 0
	lowFlag = unix.MAP_32BIT
)
