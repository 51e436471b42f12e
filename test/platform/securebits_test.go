// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/test/syscalls/remote"
)

const (
	secbitKeepCaps       = 1 << 4
	secbitKeepCapsLocked = 1 << 5
)

// requireKeepCaps checks what both calls report for the flag and its lock.
func requireKeepCaps(t *testing.T, p *remote.Process, keep, locked bool) {
	t.Helper()
	var kept, bits uintptr
	if keep {
		kept, bits = 1, secbitKeepCaps
	}
	if locked {
		bits |= secbitKeepCapsLocked
	}
	require.Equal(t, kept, p.Must(t, unix.SYS_PRCTL, unix.PR_GET_KEEPCAPS))
	require.Equal(t, bits, p.Must(t, unix.SYS_PRCTL, unix.PR_GET_SECUREBITS))
}

// TestSecurebitsLock: while the flag is locked, nobody can change or unlock it.
func TestSecurebitsLock(t *testing.T) {
	for _, keep := range []bool{true, false} {
		p := remote.NewProcess(t)
		requireKeepCaps(t, p, false, false)
		var bits uintptr
		if keep {
			bits = secbitKeepCaps
		}
		p.Must(t, unix.SYS_PRCTL, unix.PR_SET_SECUREBITS, bits|secbitKeepCapsLocked)
		requireKeepCaps(t, p, keep, true)
		for _, value := range []uintptr{0, 1} {
			_, err := p.Call(t, unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, value)
			require.Equal(t, unix.EPERM, err)
		}
		_, err := p.Call(t, unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 2)
		require.Equal(t, unix.EINVAL, err)
		for _, other := range []uintptr{0, secbitKeepCaps, bits ^ secbitKeepCaps | secbitKeepCapsLocked} {
			_, err := p.Call(t, unix.SYS_PRCTL, unix.PR_SET_SECUREBITS, other)
			require.Equal(t, unix.EPERM, err, "%#x", other)
		}
		p.Must(t, unix.SYS_PRCTL, unix.PR_SET_SECUREBITS, bits|secbitKeepCapsLocked)

		child := p.Fork(t)
		requireKeepCaps(t, child, keep, true)
		// execve resets the flag despite its lock.
		child.Exec(t)
		requireKeepCaps(t, child, false, true)
		_, err = child.Call(t, unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 1)
		require.Equal(t, unix.EPERM, err)

		p.Must(t, unix.SYS_UNSHARE, unix.CLONE_NEWUSER)
		requireKeepCaps(t, p, false, false)
	}
}

// TestSecurebitsKeepCaps: the flag works, locked or not, and only whoever may set
// capabilities can set it.
func TestSecurebitsKeepCaps(t *testing.T) {
	for _, bits := range []uintptr{secbitKeepCaps, secbitKeepCaps | secbitKeepCapsLocked} {
		p := remote.NewProcess(t)
		p.Must(t, unix.SYS_PRCTL, unix.PR_SET_SECUREBITS, bits)
		p.Must(t, unix.SYS_SETRESUID, 1000, 1000, 1000)
		header, data := remote.Alloc(t, 8), remote.Alloc(t, 24)
		*remote.Struct[unix.CapUserHeader](header) = unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		p.Must(t, unix.SYS_CAPGET, header, data)
		got := *remote.Struct[unix.CapUserData](data)
		require.NotZero(t, got.Permitted&(1<<unix.CAP_SYS_NICE))
		require.Zero(t, got.Effective)

		_, err := p.Call(t, unix.SYS_PRCTL, unix.PR_SET_SECUREBITS, bits)
		require.Equal(t, unix.EPERM, err)
		// PR_SET_KEEPCAPS requires no privilege, except with the lock.
		_, err = p.Call(t, unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 0)
		if bits&secbitKeepCapsLocked != 0 {
			require.Equal(t, unix.EPERM, err)
		} else {
			require.NoError(t, err)
		}
	}
}
