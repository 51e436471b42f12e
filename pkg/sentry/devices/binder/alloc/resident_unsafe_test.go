// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package alloc

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/safemem"
)

// residentPages returns how many pages of b take memory.
func residentPages(t testing.TB, b safemem.Block) int {
	t.Helper()
	vec := make([]byte, b.Len()/hostarch.PageSize)
	_, _, errno := unix.Syscall(unix.SYS_MINCORE, b.Addr(), uintptr(b.Len()), uintptr(unsafe.Pointer(unsafe.SliceData(vec))))
	require.Zero(t, errno)
	n := 0
	for _, v := range vec {
		n += int(v & 1)
	}
	return n
}
