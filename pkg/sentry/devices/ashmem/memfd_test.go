// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package ashmem

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/sentry/arch"
	"gvisor.dev/gvisor/pkg/sentry/fsimpl/tmpfs"
	"gvisor.dev/gvisor/pkg/sentry/kernel/auth"
	"gvisor.dev/gvisor/pkg/sentry/ktime"
	"gvisor.dev/gvisor/pkg/sentry/limits"
	"gvisor.dev/gvisor/pkg/sentry/vfs"
	"gvisor.dev/gvisor/pkg/usermem"

	"sentrybinder/pkg/abi/ashmem"
)

// memfd is a memfd of one of root's processes.
type memfd struct {
	t   *testing.T
	ctx context.Context
	fd  *vfs.FileDescription
	mem usermem.BytesIO
}

func newMemfd(t *testing.T, name string, allowSeals bool) *memfd {
	w := newWorld(t)
	ctx := context.WithValues(w.ctx, map[any]any{
		ktime.CtxRealtimeClock: &ktime.SyntheticClock{},
		limits.CtxLimits:       limits.NewLimitSet(),
	})
	creds := auth.CredentialsFromContext(ctx)
	fs, root, err := tmpfs.FilesystemType{}.GetFilesystem(ctx, w.vfs, creds, "", vfs.GetFilesystemOptions{})
	require.NoError(t, err)
	mnt := w.vfs.NewDisconnectedMount(fs, root, &vfs.MountOptions{})
	fs.DecRef(ctx)
	root.DecRef(ctx)
	fd, err := tmpfs.NewMemfd(ctx, creds, mnt, memfdOpts(tmpfs.NewMemfd, allowSeals), "memfd:"+name)
	require.NoError(t, err)
	t.Cleanup(func() {
		fd.DecRef(ctx)
		mnt.DecRef(ctx)
	})
	return &memfd{t, ctx, fd, usermem.BytesIO{Bytes: make([]byte, 512)}}
}

// memfdOpts returns the options of tmpfs.NewMemfd
// (see runsc/patches: without them, they are a bool).
func memfdOpts[O any](_ func(context.Context, *auth.Credentials, *vfs.Mount, O, string) (*vfs.FileDescription, error), allowSeals bool) O {
	var opts O
	v := reflect.ValueOf(&opts).Elem()
	if v.Kind() == reflect.Struct {
		v = v.FieldByName("AllowSeals")
	}
	v.SetBool(allowSeals)
	return opts
}

func (m *memfd) ioctl(request uint32, arg uint64) (uintptr, error) {
	args := arch.SyscallArguments{1: {Value: uintptr(request)}, 2: {Value: uintptr(arg)}}
	return MemfdIoctler{}.Ioctl(m.ctx, m.fd, &m.mem, 0, args)
}

func (m *memfd) expect(want uintptr, wantErr error, request uint32, arg uint64) {
	m.t.Helper()
	got, err := m.ioctl(request, arg)
	require.Equal(m.t, wantErr, err)
	require.Equal(m.t, want, got)
}

func TestMemfd(t *testing.T) {
	name := strings.Repeat("a (deleted)", 22)
	m := newMemfd(t, name, true)
	require.NoError(t, m.fd.SetStat(m.ctx, vfs.SetStatOptions{Stat: linux.Statx{Mask: linux.STATX_SIZE, Size: 5000}}))
	m.expect(5000, nil, ashmem.ASHMEM_GET_SIZE, 0)
	m.expect(0, nil, ashmem.ASHMEM_GET_NAME, 0)
	got, _, _ := bytes.Cut(m.mem.Bytes, []byte{0})
	require.Equal(t, name, string(got))
	m.expect(0, linuxerr.EINVAL, ashmem.ASHMEM_SET_NAME, 0)
	m.expect(0, linuxerr.EINVAL, ashmem.ASHMEM_SET_SIZE, 1)
	m.expect(0, nil, ashmem.ASHMEM_GET_FILE_ID, 0)
	stat, err := m.fd.Stat(m.ctx, vfs.StatOptions{Mask: linux.STATX_INO})
	require.NoError(t, err)
	require.Equal(t, stat.Ino, hostarch.ByteOrder.Uint64(m.mem.Bytes))
	m.expect(0, linuxerr.EFAULT, ashmem.ASHMEM_GET_FILE_ID, 1<<30)
	m.expect(0, linuxerr.EFAULT, ashmem.ASHMEM_GET_NAME, 1<<30)
	m.expect(0, linuxerr.ENOTTY, 0x7763, 0)

	m.expect(ashmem.ASHMEM_NOT_PURGED, nil, ashmem.ASHMEM_PIN, 0)
	m.expect(0, nil, ashmem.ASHMEM_UNPIN, 0)
	m.expect(ashmem.ASHMEM_IS_PINNED, nil, ashmem.ASHMEM_GET_PIN_STATUS, 0)
	m.expect(0, nil, ashmem.ASHMEM_PURGE_ALL_CACHES, 0)
	m.ctx = withCredentials(m.ctx, auth.NewAnonymousCredentials())
	m.expect(0, linuxerr.EPERM, ashmem.ASHMEM_PURGE_ALL_CACHES, 0)
}

func TestMemfdMask(t *testing.T) {
	const readOnly = linux.PROT_READ | linux.PROT_EXEC
	m := newMemfd(t, "", true)
	m.expect(allProt, nil, ashmem.ASHMEM_GET_PROT_MASK, 0)
	m.expect(0, linuxerr.EINVAL, ashmem.ASHMEM_SET_PROT_MASK, 8)
	m.expect(0, nil, ashmem.ASHMEM_SET_PROT_MASK, linux.PROT_WRITE)
	m.expect(allProt, nil, ashmem.ASHMEM_GET_PROT_MASK, 0)
	m.expect(0, nil, ashmem.ASHMEM_SET_PROT_MASK, 0)
	m.expect(readOnly, nil, ashmem.ASHMEM_GET_PROT_MASK, 0)
	seals, err := tmpfs.GetSeals(m.fd)
	require.NoError(t, err)
	require.EqualValues(t, sealFutureWrite, seals)
	m.expect(0, linuxerr.EINVAL, ashmem.ASHMEM_SET_PROT_MASK, linux.PROT_READ|linux.PROT_WRITE)

	sealed := newMemfd(t, "", true)
	require.NoError(t, tmpfs.AddSeals(sealed.fd, linux.F_SEAL_WRITE))
	sealed.expect(readOnly, nil, ashmem.ASHMEM_GET_PROT_MASK, 0)

	unsealable := newMemfd(t, "", false)
	unsealable.expect(0, linuxerr.EPERM, ashmem.ASHMEM_SET_PROT_MASK, linux.PROT_READ)
	unsealable.expect(allProt, nil, ashmem.ASHMEM_GET_PROT_MASK, 0)
}
