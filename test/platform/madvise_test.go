// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Memory that is cold or paged out keeps its contents. Locked memory can't be either.
func TestMadviseReclaim(t *testing.T) {
	for _, advice := range []int{unix.MADV_COLD, unix.MADV_PAGEOUT} {
		t.Run(fmt.Sprint(advice), func(t *testing.T) {
			m := newMemory(t, 3*memPage)
			*m.at(0) = 'a'
			require.NoError(t, m.madvise(advice))
			require.EqualValues(t, 'a', *m.at(0))
			require.NoError(t, mapping{m.addr, 0}.madvise(advice))
			require.NoError(t, mapping{m.addr, 1}.madvise(advice), "the size is rounded up")
			require.Equal(t, unix.EINVAL, mapping{m.addr + 1, memPage}.madvise(advice))
			require.Equal(t, unix.EINVAL, mapping{m.addr, -1}.madvise(advice))

			fd := newBackingFile(t, "f", memPage)
			for _, flags := range []int{unix.MAP_PRIVATE, unix.MAP_SHARED} {
				require.NoError(t, newMapping(t, memPage, unix.PROT_READ, flags, fd).madvise(advice))
			}

			m.unmap(t, memPage)
			require.Equal(t, unix.ENOMEM, m.madvise(advice))
			require.NoError(t, syscallError(unix.Syscall(unix.SYS_MLOCK, m.addr, memPage, 0)))
			require.Equal(t, unix.EINVAL, m.madvise(advice))
			require.NoError(t, mapping{m.addr + 2*memPage, memPage}.madvise(advice))
		})
	}
}

// Only a writable shared mapping lets its contents be removed.
func TestMadviseRemoveRefused(t *testing.T) {
	require.Equal(t, unix.EINVAL, newMemory(t, memPage).madvise(unix.MADV_REMOVE))

	fd := newBackingFile(t, "f", memPage)
	private := newMapping(t, memPage, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE, fd)
	require.Equal(t, unix.EACCES, private.madvise(unix.MADV_REMOVE))

	readOnly, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(readOnly) })
	shared := newMapping(t, memPage, unix.PROT_READ, unix.MAP_SHARED, readOnly)
	require.Equal(t, unix.EACCES, shared.madvise(unix.MADV_REMOVE))
	require.EqualValues(t, 'f', *shared.at(0))

	require.NoError(t, syscallError(unix.Syscall(unix.SYS_MLOCK, shared.addr, memPage, 0)))
	require.Equal(t, unix.EINVAL, shared.madvise(unix.MADV_REMOVE), "it is locked")
	require.Equal(t, unix.EINVAL, mapping{shared.addr + 1, memPage}.madvise(unix.MADV_REMOVE))
	unix.Syscall(unix.SYS_MUNLOCK, shared.addr, memPage, 0)
	shared.unmap(t, 0)
	require.Equal(t, unix.ENOMEM, shared.madvise(unix.MADV_REMOVE))
}

// Memory beyond the end of a file can't be locked.
func TestMlockBeyondEnd(t *testing.T) {
	fd := newBackingFile(t, "f", memPage)
	m := newMapping(t, 2*memPage, unix.PROT_READ, unix.MAP_SHARED, fd)
	require.NoError(t, syscallError(unix.Syscall(unix.SYS_MLOCK, m.addr, memPage, 0)))
	require.Equal(t, unix.ENOMEM, syscallError(unix.Syscall(unix.SYS_MLOCK, m.addr, 2*memPage, 0)))
}
