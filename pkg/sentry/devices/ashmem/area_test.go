// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package ashmem

import (
	"io"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/sentry/kernel/auth"
	"gvisor.dev/gvisor/pkg/sentry/memmap"
	"gvisor.dev/gvisor/pkg/sentry/vfs"
	"gvisor.dev/gvisor/pkg/usermem"

	"sentrybinder/pkg/abi/ashmem"
)

// read returns up to n bytes at offset.
func (f *file) read(offset int64, n int) ([]byte, error) {
	b := make([]byte, n)
	got, err := f.fd.PRead(f.ctx, usermem.BytesIOSequence(b), offset, vfs.ReadOptions{})
	return b[:got], err
}

func TestName(t *testing.T) {
	w := newWorld(t)
	f := w.open(w.ctx)
	defer f.close()
	require.Equal(t, "dev/ashmem", f.name())
	require.NoError(t, f.setName("a name"))
	require.Equal(t, "a name", f.name())
	require.NoError(t, f.setName(""))
	require.Equal(t, "dev/ashmem", f.name())

	long := strings.Repeat("x", 255)
	require.NoError(t, f.setName(long))
	require.Equal(t, long, f.name())
	require.NoError(t, f.setName(long+"yz"), "truncated")
	require.Equal(t, long, f.name())

	f.fails(linuxerr.EFAULT, ashmem.ASHMEM_SET_NAME, 1<<30)
	f.fails(linuxerr.EFAULT, ashmem.ASHMEM_GET_NAME, 1<<30)
	require.Equal(t, long, f.name())

	f.must(ashmem.ASHMEM_SET_SIZE, 1)
	require.NoError(t, f.setName("mine/own"))
	m := f.mustMap(1)
	require.Equal(t, "/dev/ashmem/mine/own (deleted)", m.MappingIdentity.MappedName(w.ctx))
	require.Equal(t, linuxerr.EINVAL, f.setName("late"))
	m.unmap()
	require.Equal(t, linuxerr.EINVAL, f.setName("late"), "though it is no longer mapped")
	require.Equal(t, "mine/own", f.name())

	g := w.openMapped(1)
	defer g.close()
	require.Equal(t, "/dev/ashmem (deleted)", g.region().MappedName(w.ctx))
}

func TestSize(t *testing.T) {
	w := newWorld(t)
	f := w.open(w.ctx)
	defer f.close()
	require.Zero(t, f.must(ashmem.ASHMEM_GET_SIZE, 0))
	_, err := f.mmap(memmap.MMapOpts{Length: 1})
	require.Equal(t, linuxerr.EINVAL, err, "mmap without a size")

	// Any size is accepted, but some can't be mapped.
	for _, size := range []uint64{math.MaxUint64, math.MaxUint64 - pageSize, 1 << 63} {
		f.must(ashmem.ASHMEM_SET_SIZE, size)
		require.EqualValues(t, size, f.must(ashmem.ASHMEM_GET_SIZE, 0))
		_, err := f.mmap(memmap.MMapOpts{Length: pageSize})
		require.Equal(t, linuxerr.EINVAL, err)
	}

	f.must(ashmem.ASHMEM_SET_SIZE, pageSize+1)
	for _, tc := range []struct {
		opts memmap.MMapOpts
		want error
	}{
		{memmap.MMapOpts{}, linuxerr.EINVAL},
		{memmap.MMapOpts{Length: 2*pageSize + 1}, linuxerr.EINVAL},
		{memmap.MMapOpts{Length: math.MaxUint64}, linuxerr.ENOMEM},
		{memmap.MMapOpts{Length: 1, Offset: 1}, linuxerr.EINVAL},
		{memmap.MMapOpts{Length: 1, Offset: 1, Private: true}, linuxerr.EINVAL},
		{memmap.MMapOpts{Length: 1, Offset: math.MaxInt64 &^ (pageSize - 1) * 2}, linuxerr.EOVERFLOW},
		{memmap.MMapOpts{Length: 1, Addr: 1, Fixed: true}, linuxerr.EINVAL},
		{memmap.MMapOpts{Length: 1, GrowsDown: true}, linuxerr.EINVAL},
	} {
		_, err := f.mmap(tc.opts)
		require.Equal(t, tc.want, err, "%+v", tc.opts)
	}
	f.must(ashmem.ASHMEM_SET_SIZE, pageSize+2) // None of them created a region.

	m := f.mustMap(2 * pageSize)
	defer m.unmap()
	f.fails(linuxerr.EINVAL, ashmem.ASHMEM_SET_SIZE, pageSize)
	require.EqualValues(t, pageSize+2, f.must(ashmem.ASHMEM_GET_SIZE, 0))
	// Beyond the last page there is nothing, though it can be mapped.
	m, err = f.mmap(memmap.MMapOpts{Length: 2 * pageSize, Offset: pageSize})
	require.NoError(t, err)
	defer m.unmap()
	m.write(1, 'x')
	beyond := memmap.MappableRange{Start: 2 * pageSize, End: 3 * pageSize}
	_, err = m.Mappable.Translate(w.ctx, beyond, beyond, hostarch.Read)
	require.Equal(t, &memmap.BusError{Err: io.EOF}, err)
	both := memmap.MappableRange{Start: pageSize, End: 3 * pageSize}
	ts, err := m.Mappable.Translate(w.ctx, both, both, hostarch.Read)
	require.NoError(t, memmap.CheckTranslateResult(both, both, hostarch.Read, ts, err))
	require.Equal(t, &memmap.BusError{Err: io.EOF}, err)
	require.Len(t, ts, 1)
}

func TestMask(t *testing.T) {
	const (
		r = linux.PROT_READ
		w = linux.PROT_WRITE
		x = linux.PROT_EXEC
	)
	world := newWorld(t)
	f := world.open(world.ctx)
	defer f.close()
	f.must(ashmem.ASHMEM_SET_SIZE, pageSize)
	require.EqualValues(t, r|w|x, f.must(ashmem.ASHMEM_GET_PROT_MASK, 0))
	f.fails(linuxerr.EINVAL, ashmem.ASHMEM_SET_PROT_MASK, 8)
	f.fails(linuxerr.EINVAL, ashmem.ASHMEM_SET_PROT_MASK, 1<<32)
	f.must(ashmem.ASHMEM_SET_PROT_MASK, r|w|x)

	f.must(ashmem.ASHMEM_SET_PROT_MASK, r|w)
	f.fails(linuxerr.EINVAL, ashmem.ASHMEM_SET_PROT_MASK, r|x)
	_, err := f.mmap(memmap.MMapOpts{Length: 1, Perms: hostarch.ReadExecute})
	require.Equal(t, linuxerr.EPERM, err)
	writable := f.mustMap(1)
	defer writable.unmap()
	require.Equal(t, hostarch.ReadWrite, writable.MaxPerms)

	f.must(ashmem.ASHMEM_SET_PROT_MASK, r)
	f.fails(linuxerr.EINVAL, ashmem.ASHMEM_SET_PROT_MASK, r|w)
	require.EqualValues(t, r, f.must(ashmem.ASHMEM_GET_PROT_MASK, 0))
	for _, private := range []bool{false, true} {
		_, err := f.mmap(memmap.MMapOpts{Length: 1, Perms: hostarch.ReadWrite, Private: private})
		require.Equal(t, linuxerr.EPERM, err)
		m, err := f.mmap(memmap.MMapOpts{Length: 1, Perms: hostarch.Read, Private: private})
		require.NoError(t, err)
		require.Equal(t, hostarch.Read, m.MaxPerms)
		m.unmap()
	}
	writable.write(0, 'w') // An older mapping stays as it is.

	f.must(ashmem.ASHMEM_SET_PROT_MASK, 0)
	_, err = f.mmap(memmap.MMapOpts{Length: 1, Perms: hostarch.Read})
	require.Equal(t, linuxerr.EPERM, err)
	m, err := f.mmap(memmap.MMapOpts{Length: 1})
	require.NoError(t, err)
	require.Equal(t, hostarch.NoAccess, m.MaxPerms)
	m.unmap()
}

// TestReadOnlyFile: the file's permissions are checked before the mask.
func TestReadOnlyFile(t *testing.T) {
	w := newWorld(t)
	f := w.open(w.ctx)
	defer f.close()
	f.must(ashmem.ASHMEM_SET_SIZE, pageSize)
	opts := memmap.MMapOpts{Length: 1, Perms: hostarch.ReadWrite, MaxPerms: hostarch.ReadExecute}
	require.Equal(t, linuxerr.EACCES, f.fd.ConfigureMMap(w.ctx, &opts))
	f.must(ashmem.ASHMEM_SET_SIZE, pageSize)
}

// TestPrivate: a private mapping shares only the region's name.
func TestPrivate(t *testing.T) {
	w := newWorld(t)
	f := w.open(w.ctx)
	defer f.close()
	f.must(ashmem.ASHMEM_SET_SIZE, pageSize)
	m, err := f.mmap(memmap.MMapOpts{Length: pageSize, Private: true, Perms: hostarch.ReadWrite})
	require.NoError(t, err)
	require.Nil(t, m.Mappable)
	require.Equal(t, "/dev/ashmem (deleted)", m.MappingIdentity.MappedName(w.ctx))
	m.unmap()
	f.fails(linuxerr.EINVAL, ashmem.ASHMEM_SET_SIZE, 1)
}

func TestFileID(t *testing.T) {
	w := newWorld(t)
	f := w.open(w.ctx)
	defer f.close()
	f.must(ashmem.ASHMEM_SET_SIZE, 1)
	f.fails(linuxerr.EINVAL, ashmem.ASHMEM_GET_FILE_ID, 0)
	m := f.mustMap(1)
	defer m.unmap()
	f.must(ashmem.ASHMEM_GET_FILE_ID, 0)
	require.Equal(t, m.MappingIdentity.InodeID(), hostarch.ByteOrder.Uint64(f.mem.Bytes))
	require.NotZero(t, m.MappingIdentity.InodeID())
	require.NotZero(t, m.MappingIdentity.DeviceID())
	f.fails(linuxerr.EFAULT, ashmem.ASHMEM_GET_FILE_ID, 1<<30)
	g := w.openMapped(1)
	defer g.close()
	require.NotEqual(t, f.region().InodeID(), g.region().InodeID())
}

func TestRequests(t *testing.T) {
	w := newWorld(t)
	f := w.openMapped(1)
	defer f.close()
	f.fails(linuxerr.ENOTTY, 0x7700, 0)
	f.fails(linuxerr.ENOTTY, 0x770c, 0)
	f.fails(linuxerr.ENOTTY, ashmem.ASHMEM_SET_NAME&^0xff00, 0)
}

func TestOpen(t *testing.T) {
	w := newWorld(t)
	vd := w.vfs.NewAnonVirtualDentry("ashmem")
	defer vd.DecRef(w.ctx)
	_, err := w.device.Open(w.ctx, vd.Mount(), vd.Dentry(), vfs.OpenOptions{Flags: linux.O_DIRECT})
	require.Equal(t, linuxerr.EINVAL, err)
}

func TestPins(t *testing.T) {
	w := newWorld(t)
	f := w.open(w.ctx)
	defer f.close()
	f.must(ashmem.ASHMEM_SET_SIZE, 4*pageSize-1)
	for _, request := range []uint32{ashmem.ASHMEM_PIN, ashmem.ASHMEM_UNPIN, ashmem.ASHMEM_GET_PIN_STATUS} {
		_, err := f.pin(request, 0, 1)
		require.Equal(t, linuxerr.EINVAL, err, "before it is mapped")
	}
	m := f.mustMap(4 * pageSize)
	defer m.unmap()
	for page := range uint64(4) {
		m.write(page, byte('a'+page))
	}

	status := func(first, n uint32) int { return f.mustPin(ashmem.ASHMEM_GET_PIN_STATUS, first, n) }
	require.Equal(t, ashmem.ASHMEM_IS_PINNED, status(0, 0))
	require.Zero(t, f.mustPin(ashmem.ASHMEM_UNPIN, 1, 2))
	require.Equal(t, ashmem.ASHMEM_IS_UNPINNED, status(0, 0))
	require.Equal(t, ashmem.ASHMEM_IS_PINNED, status(0, 1))
	require.Equal(t, ashmem.ASHMEM_IS_PINNED, status(3, 0))
	require.Equal(t, ashmem.ASHMEM_IS_UNPINNED, status(2, 2))
	require.Equal(t, ashmem.ASHMEM_NOT_PURGED, f.mustPin(ashmem.ASHMEM_PIN, 2, 1))
	require.Equal(t, ashmem.ASHMEM_IS_UNPINNED, status(1, 1))

	require.EqualValues(t, 1, f.must(ashmem.ASHMEM_PURGE_ALL_CACHES, 0))
	require.Zero(t, f.must(ashmem.ASHMEM_PURGE_ALL_CACHES, 0))
	require.Equal(t, []hostarch.AddrRange{{Start: m.addr.Start + pageSize, End: m.addr.Start + 2*pageSize}}, m.lost)
	require.Equal(t, ashmem.ASHMEM_NOT_PURGED, f.mustPin(ashmem.ASHMEM_PIN, 2, 0))
	require.Equal(t, ashmem.ASHMEM_WAS_PURGED, f.mustPin(ashmem.ASHMEM_PIN, 0, 0))
	require.Equal(t, ashmem.ASHMEM_NOT_PURGED, f.mustPin(ashmem.ASHMEM_PIN, 0, 0))
	require.Equal(t, []byte{'a', 0, 'c', 'd'}, []byte{m.read(0), m.read(1), m.read(2), m.read(3)})

	// The last page is partial; pins are whole pages.
	require.Zero(t, f.mustPin(ashmem.ASHMEM_UNPIN, 3, 1))
	require.Zero(t, f.mustPin(ashmem.ASHMEM_UNPIN, 4, 0), "no page at all")
	require.Equal(t, 1, f.numRanges())

	put := func(p ashmem.Pin) uint64 { p.MarshalBytes(f.mem.Bytes); return 0 }
	for _, p := range []ashmem.Pin{
		{Offset: 1, Len: pageSize},
		{Len: 1},
		{Offset: 1},
		{Offset: 5 * pageSize},
		{Len: 5 * pageSize},
		{Offset: 4 * pageSize, Len: pageSize},
		{Offset: pageSize, Len: math.MaxUint32 &^ (pageSize - 1)},
		{Offset: math.MaxUint32 &^ (pageSize - 1), Len: pageSize},
	} {
		for _, request := range []uint32{ashmem.ASHMEM_PIN, ashmem.ASHMEM_UNPIN, ashmem.ASHMEM_GET_PIN_STATUS} {
			f.fails(linuxerr.EINVAL, request, put(p))
		}
	}
	for _, request := range []uint32{ashmem.ASHMEM_PIN, ashmem.ASHMEM_UNPIN, ashmem.ASHMEM_GET_PIN_STATUS} {
		f.fails(linuxerr.EFAULT, request, 1<<30)
	}
	require.Equal(t, 1, f.numRanges())
}

// TestPinsBeyond4GiB: offsets have 32 bits, but a length of 0 reaches to the end.
func TestPinsBeyond4GiB(t *testing.T) {
	const size = 9 << 30
	w := newWorld(t)
	f := w.openMapped(size)
	defer f.close()
	require.Zero(t, f.mustPin(ashmem.ASHMEM_UNPIN, 1<<20-1, 1<<20-1))
	require.Zero(t, f.mustPin(ashmem.ASHMEM_UNPIN, 1, 0))
	require.EqualValues(t, size/pageSize-1, f.must(ashmem.ASHMEM_PURGE_ALL_CACHES, 0))
}

// TestPurgeApart: only a container's administrator can purge, and only areas that the
// container opened.
func TestPurgeApart(t *testing.T) {
	w := newWorld(t)
	root := auth.CredentialsFromContext(w.ctx).UserNamespace
	one, two := w.openMapped(4*pageSize), w.openMapped(4*pageSize)
	other := w.open(w.container(root))
	for _, f := range []*file{one, two, other} {
		defer f.close()
	}
	other.must(ashmem.ASHMEM_SET_SIZE, 4*pageSize)
	m, err := other.mmap(memmap.MMapOpts{Length: 1})
	require.NoError(t, err)
	m.unmap()
	for _, f := range []*file{one, two, other} {
		require.Zero(t, f.mustPin(ashmem.ASHMEM_UNPIN, 0, 2))
	}

	creds := auth.CredentialsFromContext(w.ctx)
	for name, unable := range map[string]*auth.Credentials{
		"root without the capability": auth.NewUserCredentials(creds.EffectiveKUID, creds.EffectiveKGID, nil, &auth.TaskCapabilities{}, root),
		"a user":                      auth.NewAnonymousCredentials(),
	} {
		user := *one
		user.ctx = withCredentials(w.ctx, unable)
		user.fails(linuxerr.EPERM, ashmem.ASHMEM_PURGE_ALL_CACHES, 0)
		require.Equal(t, ashmem.ASHMEM_NOT_PURGED, one.mustPin(ashmem.ASHMEM_PIN, 0, 1), name)
		require.Zero(t, one.mustPin(ashmem.ASHMEM_UNPIN, 0, 1))
	}
	require.EqualValues(t, 4, one.must(ashmem.ASHMEM_PURGE_ALL_CACHES, 0))
	require.Equal(t, ashmem.ASHMEM_WAS_PURGED, two.mustPin(ashmem.ASHMEM_PIN, 0, 0))
	require.Equal(t, ashmem.ASHMEM_NOT_PURGED, other.mustPin(ashmem.ASHMEM_PIN, 0, 0))

	// The caller's container counts, not that of the file.
	require.Zero(t, other.mustPin(ashmem.ASHMEM_UNPIN, 0, 2))
	passed := *other
	passed.ctx = w.ctx
	require.Zero(t, passed.must(ashmem.ASHMEM_PURGE_ALL_CACHES, 0))
}

// TestRelease: mappings outlive the file, and their pages are then pinned.
func TestRelease(t *testing.T) {
	w := newWorld(t)
	f, g := w.open(w.ctx), w.open(w.ctx)
	defer g.close()
	f.must(ashmem.ASHMEM_SET_SIZE, 4*pageSize)
	m := f.mustMap(4 * pageSize)
	m.write(0, 'x')
	require.Zero(t, f.mustPin(ashmem.ASHMEM_UNPIN, 0, 2))
	require.EqualValues(t, rangePrice, w.account.Used())
	a, r := f.area(), f.region()
	f.close()
	require.Zero(t, w.account.Used())
	require.Zero(t, a.purge(), "by a purge that had already found the area")
	require.Zero(t, g.must(ashmem.ASHMEM_PURGE_ALL_CACHES, 0))
	require.EqualValues(t, 'x', m.read(0))
	m.unmap()
	require.Zero(t, r.refs.Load())
	r.dataMu.Lock()
	defer r.dataMu.Unlock()
	require.True(t, r.data.IsEmpty())
}

func TestRead(t *testing.T) {
	w := newWorld(t)
	f := w.open(w.ctx)
	defer f.close()
	seek := func(offset int64, whence int32) (int64, error) { return f.fd.Seek(w.ctx, offset, whence) }
	_, err := seek(0, linux.SEEK_SET)
	require.Equal(t, linuxerr.EINVAL, err, "without a size")
	got, err := f.read(0, 1)
	require.NoError(t, err)
	require.Empty(t, got)

	const size = 8*pageSize - 10
	f.must(ashmem.ASHMEM_SET_SIZE, size)
	_, err = seek(0, linux.SEEK_SET)
	require.Equal(t, linuxerr.EBADF, err, "before it is mapped")
	_, err = f.read(0, 1)
	require.Equal(t, linuxerr.EBADF, err)

	m, err := f.mmap(memmap.MMapOpts{Length: 2 * pageSize, Offset: 2 * pageSize})
	require.NoError(t, err)
	defer m.unmap()
	m.write(3, 'y')
	m.write(2, 'x')
	last, err := f.mmap(memmap.MMapOpts{Length: pageSize, Offset: 7 * pageSize})
	require.NoError(t, err)
	defer last.unmap()
	last.write(7, 'z')

	all, err := f.read(0, 2*size)
	require.NoError(t, err)
	want := make([]byte, size)
	want[2*pageSize], want[3*pageSize], want[7*pageSize] = 'x', 'y', 'z'
	require.Equal(t, want, all)
	_, err = f.read(size, 1)
	require.Equal(t, io.EOF, err)
	_, err = f.read(math.MaxInt64, 1)
	require.Equal(t, io.EOF, err)
	_, err = f.read(-1, 1)
	require.Equal(t, linuxerr.EINVAL, err)
	_, err = f.fd.PRead(w.ctx, usermem.BytesIOSequence(make([]byte, 1)), 0, vfs.ReadOptions{Flags: linux.RWF_VALID + 1})
	require.Equal(t, linuxerr.EOPNOTSUPP, err)
	_, err = f.fd.Write(w.ctx, usermem.BytesIOSequence([]byte{1}), vfs.WriteOptions{})
	require.Equal(t, linuxerr.EINVAL, err)

	for _, tc := range []struct {
		offset int64
		whence int32
		want   int64
		err    error
	}{
		{99, linux.SEEK_SET, 99, nil},
		{1, linux.SEEK_CUR, 100, nil},
		{-101, linux.SEEK_CUR, 0, linuxerr.EINVAL},
		{0, linux.SEEK_DATA, 2 * pageSize, nil},
		{2*pageSize + 5, linux.SEEK_DATA, 2*pageSize + 5, nil},
		{3 * pageSize, linux.SEEK_HOLE, 4 * pageSize, nil},
		{5, linux.SEEK_HOLE, 5, nil},
		{4 * pageSize, linux.SEEK_DATA, 7 * pageSize, nil},
		{7 * pageSize, linux.SEEK_HOLE, size, nil},
		{size, linux.SEEK_HOLE, 0, linuxerr.ENXIO},
		{size, linux.SEEK_DATA, 0, linuxerr.ENXIO},
		{-1, linux.SEEK_DATA, 0, linuxerr.ENXIO},
		{-10, linux.SEEK_END, size - 10, nil},
		{math.MaxInt64, linux.SEEK_CUR, 0, linuxerr.EINVAL},
		{0, 17, 0, linuxerr.EINVAL},
		{5, linux.SEEK_END, size + 5, nil},
		{3 * pageSize, linux.SEEK_SET, 3 * pageSize, nil},
	} {
		got, err := seek(tc.offset, tc.whence)
		require.Equal(t, tc.err, err, "%+v", tc)
		require.Equal(t, tc.want, got, "%+v", tc)
	}
	b := make([]byte, 2)
	n, err := f.fd.Read(w.ctx, usermem.BytesIOSequence(b), vfs.ReadOptions{})
	require.NoError(t, err)
	require.EqualValues(t, 2, n)
	require.Equal(t, []byte{'y', 0}, b)
	pos, err := seek(0, linux.SEEK_CUR)
	require.NoError(t, err)
	require.EqualValues(t, 3*pageSize+2, pos)

	// A purged page is a hole.
	require.Zero(t, f.mustPin(ashmem.ASHMEM_UNPIN, 2, 1))
	require.EqualValues(t, 1, f.must(ashmem.ASHMEM_PURGE_ALL_CACHES, 0))
	pos, err = seek(0, linux.SEEK_DATA)
	require.NoError(t, err)
	require.EqualValues(t, 3*pageSize, pos)
}
