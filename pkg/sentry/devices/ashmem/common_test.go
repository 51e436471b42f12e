// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package ashmem

import (
	"bytes"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/memutil"
	"gvisor.dev/gvisor/pkg/safemem"
	"gvisor.dev/gvisor/pkg/sentry/arch"
	"gvisor.dev/gvisor/pkg/sentry/kernel/auth"
	"gvisor.dev/gvisor/pkg/sentry/memmap"
	"gvisor.dev/gvisor/pkg/sentry/pgalloc"
	"gvisor.dev/gvisor/pkg/sentry/vfs"
	"gvisor.dev/gvisor/pkg/usermem"

	"sentrybinder/pkg/abi/ashmem"
	"sentrybinder/pkg/sentry/devices/binder/account"
)

const pageSize = hostarch.PageSize

// ctxContainer is the key of a test context's container, an account.
type ctxContainer struct{}

// testAccounts implements Accounts for containers in contexts.
//
// +stateify savable
type testAccounts struct{}

// Account implements Accounts.Account.
func (*testAccounts) Account(ctx context.Context) *account.Account {
	acc, _ := ctx.Value(ctxContainer{}).(*account.Account)
	return acc
}

// world is a sandbox with the device, and one container.
type world struct {
	t       testing.TB
	ctx     context.Context
	vfs     *vfs.VirtualFilesystem
	device  *Device
	account *account.Account
	mf      *pgalloc.MemoryFile
}

func newMemory(t testing.TB) *pgalloc.MemoryFile {
	fd, err := memutil.CreateMemFD("ashmem-test", 0)
	require.NoError(t, err)
	mf, err := pgalloc.NewMemoryFile(os.NewFile(uintptr(fd), "ashmem-test"), pgalloc.MemoryFileOpts{
		DisableIMAWorkAround:    true,
		DisableMemoryAccounting: true,
	})
	require.NoError(t, err)
	t.Cleanup(mf.Destroy)
	return mf
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, vfs: &vfs.VirtualFilesystem{}, mf: newMemory(t)}
	require.NoError(t, w.vfs.Init(context.Background()))
	var err error
	w.device, err = newDevice(w.vfs, "-boot", &testAccounts{})
	require.NoError(t, err)
	w.ctx = w.container(auth.NewRootUserNamespace())
	w.account = w.ctx.Value(ctxContainer{}).(*account.Account)
	t.Cleanup(func() {
		require.Zero(t, w.device.numTenants(), "containers left over")
		require.Zero(t, w.account.Used(), "bytes left over")
	})
	return w
}

// container returns the context of root in a new container.
func (w *world) container(ns *auth.UserNamespace) context.Context {
	return context.WithValues(context.Background(), map[any]any{
		pgalloc.CtxMemoryFile: w.mf,
		auth.CtxCredentials:   auth.NewRootCredentials(ns),
		ctxContainer{}:        account.New(math.MaxInt64),
	})
}

// file is an open of the device, and its owner's memory.
type file struct {
	w   *world
	ctx context.Context
	fd  *vfs.FileDescription
	mem usermem.BytesIO
}

// open opens the device in the container of ctx.
func (w *world) open(ctx context.Context) *file {
	w.t.Helper()
	vd := w.vfs.NewAnonVirtualDentry("ashmem")
	defer vd.DecRef(ctx)
	fd, err := w.device.Open(ctx, vd.Mount(), vd.Dentry(), vfs.OpenOptions{Flags: linux.O_RDWR})
	require.NoError(w.t, err)
	return &file{w: w, ctx: ctx, fd: fd, mem: usermem.BytesIO{Bytes: make([]byte, 1024)}}
}

// openMapped opens the device for a region of this size, and maps it.
func (w *world) openMapped(size uint64) *file {
	w.t.Helper()
	f := w.open(w.ctx)
	f.must(ashmem.ASHMEM_SET_SIZE, size)
	m, err := f.mmap(memmap.MMapOpts{Length: size})
	require.NoError(w.t, err)
	m.unmap()
	return f
}

func (f *file) area() *area { return f.fd.Impl().(*areaFD).area }

func (f *file) region() *region {
	a := f.area()
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.inner.region
}

// numRanges returns the number of unpinned ranges.
func (f *file) numRanges() int {
	a := f.area()
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.inner.unpinned.list)
}

// numTenants returns the number of containers with areas.
func (d *Device) numTenants() int {
	d.tenants.mu.Lock()
	defer d.tenants.mu.Unlock()
	return len(d.tenants.byAccount)
}

func (f *file) close() { f.fd.DecRef(f.ctx) }

func (f *file) ioctl(request uint32, arg uint64) (uintptr, error) {
	args := arch.SyscallArguments{1: {Value: uintptr(request)}, 2: {Value: uintptr(arg)}}
	return f.fd.Ioctl(f.ctx, &f.mem, 0, args)
}

// must makes an ioctl that succeeds, and returns its result.
func (f *file) must(request uint32, arg uint64) uintptr {
	f.w.t.Helper()
	n, err := f.ioctl(request, arg)
	require.NoError(f.w.t, err)
	return n
}

// fails makes an ioctl that fails.
func (f *file) fails(want error, request uint32, arg uint64) {
	f.w.t.Helper()
	_, err := f.ioctl(request, arg)
	require.Equal(f.w.t, want, err)
}

// pin makes an ioctl with a Pin for n pages from first on.
func (f *file) pin(request uint32, first, n uint32) (uintptr, error) {
	(&ashmem.Pin{Offset: first * pageSize, Len: n * pageSize}).MarshalBytes(f.mem.Bytes)
	return f.ioctl(request, 0)
}

func (f *file) mustPin(request uint32, first, n uint32) int {
	f.w.t.Helper()
	result, err := f.pin(request, first, n)
	require.NoError(f.w.t, err)
	return int(result)
}

func (f *file) setName(name string) error {
	copy(f.mem.Bytes, name)
	f.mem.Bytes[len(name)] = 0
	_, err := f.ioctl(ashmem.ASHMEM_SET_NAME, 0)
	return err
}

func (f *file) name() string {
	f.must(ashmem.ASHMEM_GET_NAME, 512)
	name, _, _ := bytes.Cut(f.mem.Bytes[512:], []byte{0})
	return string(name)
}

// mapping is a mapping of a file at address addr, and a MappingSpace that records its
// invalidations.
type mapping struct {
	memmap.MMapOpts
	f    *file
	addr hostarch.AddrRange
	lost []hostarch.AddrRange
}

// Invalidate implements memmap.MappingSpace.Invalidate.
func (m *mapping) Invalidate(ar hostarch.AddrRange, _ memmap.InvalidateOpts) {
	m.lost = append(m.lost, ar)
}

// mmap does what mmap(2) does, with the MaxPerms of a file open for reading and writing.
func (f *file) mmap(opts memmap.MMapOpts) (*mapping, error) {
	opts.MaxPerms = hostarch.AnyAccess
	if err := f.fd.ConfigureMMap(f.ctx, &opts); err != nil {
		return nil, err
	}
	m := &mapping{MMapOpts: opts, f: f}
	m.addr, _ = hostarch.Addr(1 << 40).ToRange(uint64(hostarch.Addr(opts.Length).MustRoundUp()))
	if opts.Mappable != nil {
		require.NoError(f.w.t, opts.Mappable.AddMapping(f.ctx, m, m.addr, opts.Offset, opts.MaxPerms.Write))
	}
	return m, nil
}

func (f *file) mustMap(length uint64) *mapping {
	f.w.t.Helper()
	m, err := f.mmap(memmap.MMapOpts{Length: length, Perms: hostarch.ReadWrite})
	require.NoError(f.w.t, err)
	return m
}

func (m *mapping) unmap() {
	if m.Mappable != nil {
		m.Mappable.RemoveMapping(m.f.ctx, m, m.addr, m.Offset, m.MaxPerms.Write)
	}
	m.MappingIdentity.DecRef(m.f.ctx)
}

// at returns the memory of page as m shows it.
func (m *mapping) at(page uint64) safemem.BlockSeq {
	m.f.w.t.Helper()
	required := memmap.MappableRange{Start: page * pageSize, End: (page + 1) * pageSize}
	optional := memmap.MappableRange{Start: m.Offset, End: m.Offset + uint64(m.addr.Length())}
	ts, err := m.Mappable.Translate(m.f.ctx, required, optional, hostarch.ReadWrite)
	require.NoError(m.f.w.t, memmap.CheckTranslateResult(required, optional, hostarch.ReadWrite, ts, err))
	require.NoError(m.f.w.t, err)
	start := ts[0].Offset + required.Start - ts[0].Source.Start
	seq, err := m.f.w.mf.MapInternal(memmap.FileRange{Start: start, End: start + pageSize}, hostarch.ReadWrite)
	require.NoError(m.f.w.t, err)
	return seq
}

// write writes b to the start of page, and read returns the byte there.
func (m *mapping) write(page uint64, b byte) {
	m.f.w.t.Helper()
	_, err := safemem.CopySeq(m.at(page), safemem.BlockSeqOf(safemem.BlockFromSafeSlice([]byte{b})))
	require.NoError(m.f.w.t, err)
}

func (m *mapping) read(page uint64) byte {
	m.f.w.t.Helper()
	var b [1]byte
	_, err := safemem.CopySeq(safemem.BlockSeqOf(safemem.BlockFromSafeSlice(b[:])), m.at(page))
	require.NoError(m.f.w.t, err)
	return b[0]
}

// withCredentials returns ctx as that of a task with other credentials.
func withCredentials(ctx context.Context, creds *auth.Credentials) context.Context {
	return context.WithValue(ctx, auth.CtxCredentials, creds)
}

// withAccount returns ctx as that of a task in another container.
func withAccount(ctx context.Context, acc *account.Account) context.Context {
	return context.WithValue(ctx, ctxContainer{}, acc)
}
