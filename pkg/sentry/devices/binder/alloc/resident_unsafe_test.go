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
	// The host's pages may be smaller.
	host := unix.Getpagesize()
	vec := make([]byte, (b.Len()+host-1)/host)
	_, _, errno := unix.Syscall(unix.SYS_MINCORE, b.Addr(), uintptr(b.Len()), uintptr(unsafe.Pointer(unsafe.SliceData(vec))))
	require.Zero(t, errno)
	resident := make(map[int]bool)
	for i, v := range vec {
		if v&1 != 0 {
			resident[i*host/hostarch.PageSize] = true
		}
	}
	return len(resident)
}
