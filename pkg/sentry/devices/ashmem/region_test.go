// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package ashmem

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/sentry/kernel/auth"
	"gvisor.dev/gvisor/pkg/sentry/pgalloc"
	"gvisor.dev/gvisor/pkg/sentry/usage"
	"gvisor.dev/gvisor/pkg/sentry/vfs"
	"gvisor.dev/gvisor/pkg/state"

	"sentrybinder/pkg/abi/ashmem"
)

// TestShared: all mappings show the same memory, whichever came first.
func TestShared(t *testing.T) {
	w := newWorld(t)
	f := w.open(w.ctx)
	defer f.close()
	f.must(ashmem.ASHMEM_SET_SIZE, 64*pageSize)
	one, two := f.mustMap(64*pageSize), f.mustMap(pageSize)
	defer two.unmap()
	one.write(0, 'x')
	require.EqualValues(t, 'x', two.read(0))
	two.write(0, 'y')
	require.EqualValues(t, 'y', one.read(0))
	require.Zero(t, one.read(63))
	one.unmap()
	require.EqualValues(t, 'y', two.read(0))
}

// image is what is saved of a world.
//
// +stateify savable
type image struct {
	vfs    *vfs.VirtualFilesystem
	device *Device
	fd     *vfs.FileDescription
}

// copyMemory returns a MemoryFile with the contents of mf, page for page.
func copyMemory(t testing.TB, mf *pgalloc.MemoryFile) *pgalloc.MemoryFile {
	twin := newMemory(t)
	fr, err := twin.Allocate(mf.TotalSize(), pgalloc.AllocOpts{Kind: usage.Tmpfs})
	require.NoError(t, err)
	require.Zero(t, fr.Start)
	for from, end := mf.File(), int64(0); ; {
		start, err := from.Seek(end, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return twin
		}
		require.NoError(t, err)
		end, err = from.Seek(start, unix.SEEK_HOLE)
		require.NoError(t, err)
		_, err = io.Copy(io.NewOffsetWriter(twin.File(), start), io.NewSectionReader(from, start, end-start))
		require.NoError(t, err)
	}
}

// TestSave: a restore brings back all of an area, including its data.
func TestSave(t *testing.T) {
	w := newWorld(t)
	f := w.open(w.ctx)
	f.must(ashmem.ASHMEM_SET_SIZE, 8*pageSize)
	require.NoError(t, f.setName("saved"))
	m := f.mustMap(8 * pageSize)
	for page := range uint64(8) {
		m.write(page, byte('0'+page))
	}
	m.unmap()
	require.Zero(t, f.mustPin(ashmem.ASHMEM_UNPIN, 0, 1))
	require.EqualValues(t, 1, f.must(ashmem.ASHMEM_PURGE_ALL_CACHES, 0))
	require.Zero(t, f.mustPin(ashmem.ASHMEM_UNPIN, 2, 2))
	f.must(ashmem.ASHMEM_SET_PROT_MASK, linux.PROT_READ)
	_, err := f.fd.Seek(w.ctx, 7*pageSize, linux.SEEK_SET)
	require.NoError(t, err)

	var buf bytes.Buffer
	_, err = state.Save(w.ctx, &buf, &image{w.vfs, w.device, f.fd})
	require.NoError(t, err)
	twin := &world{t: t, mf: copyMemory(t, w.mf)}
	f.close()
	ctx := twin.container(auth.NewRootUserNamespace())
	var restored image
	_, err = state.Load(ctx, &buf, &restored)
	require.NoError(t, err)
	g := &file{w: twin, fd: restored.fd, mem: f.mem}
	a := g.area()
	twin.vfs, twin.device, twin.account = restored.vfs, restored.device, a.tenant.account
	twin.ctx = withAccount(ctx, twin.account)
	g.ctx = twin.ctx

	require.EqualValues(t, 2*rangePrice, twin.account.Used())
	require.Equal(t, "saved", g.name())
	require.EqualValues(t, 8*pageSize, g.must(ashmem.ASHMEM_GET_SIZE, 0))
	require.EqualValues(t, linux.PROT_READ, g.must(ashmem.ASHMEM_GET_PROT_MASK, 0))
	pos, err := g.fd.Seek(g.ctx, 0, linux.SEEK_CUR)
	require.NoError(t, err)
	require.EqualValues(t, 7*pageSize, pos)
	for page := range int64(8) {
		got, err := g.read(page*pageSize, 1)
		require.NoError(t, err)
		want := byte('0' + page)
		if page == 0 {
			want = 0
		}
		require.Equal(t, []byte{want}, got)
	}
	require.EqualValues(t, 2, g.must(ashmem.ASHMEM_PURGE_ALL_CACHES, 0))
	require.Equal(t, ashmem.ASHMEM_WAS_PURGED, g.mustPin(ashmem.ASHMEM_PIN, 0, 1))
	require.Equal(t, ashmem.ASHMEM_NOT_PURGED, g.mustPin(ashmem.ASHMEM_PIN, 1, 1))
	require.Equal(t, ashmem.ASHMEM_WAS_PURGED, g.mustPin(ashmem.ASHMEM_PIN, 3, 1))
	got, err := g.read(3*pageSize, 1)
	require.NoError(t, err)
	require.Equal(t, []byte{0}, got)
	g.close()
	require.Zero(t, twin.account.Used())
	require.Zero(t, twin.device.numTenants())
}

// TestConcurrent lets everything happen at the same time, for the race detector.
func TestConcurrent(t *testing.T) {
	const rounds = 200
	w := newWorld(t)
	files := []*file{w.openMapped(16 * pageSize), w.openMapped(16 * pageSize)}
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			f := *files[i%2]
			f.mem.Bytes = make([]byte, len(f.mem.Bytes))
			for n := range uint32(rounds) {
				switch i / 2 {
				case 0:
					m := f.mustMap(16 * pageSize)
					m.at(uint64(n % 16))
					m.unmap()
				case 1:
					f.mustPin(ashmem.ASHMEM_UNPIN, n%16, 1)
					f.mustPin(ashmem.ASHMEM_PIN, (n+3)%16, 1)
				case 2:
					f.must(ashmem.ASHMEM_PURGE_ALL_CACHES, 0)
					if _, err := f.read(0, 16*pageSize); err != nil {
						t.Error(err)
					}
					g := w.openMapped(pageSize)
					g.mustPin(ashmem.ASHMEM_UNPIN, 0, 0)
					g.close()
				}
			}
		}()
	}
	wg.Wait()
	for _, f := range files {
		f.close()
	}
}
