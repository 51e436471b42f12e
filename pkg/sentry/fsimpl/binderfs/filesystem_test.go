// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binderfs

import (
	"bytes"
	"fmt"
	"math/rand"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/fspath"
	"gvisor.dev/gvisor/pkg/sentry/arch"
	"gvisor.dev/gvisor/pkg/sentry/kernel/auth"
	"gvisor.dev/gvisor/pkg/sentry/ktime"
	"gvisor.dev/gvisor/pkg/sentry/limits"
	"gvisor.dev/gvisor/pkg/sentry/uniqueid"
	"gvisor.dev/gvisor/pkg/sentry/vfs"
	"gvisor.dev/gvisor/pkg/state"
	"gvisor.dev/gvisor/pkg/usermem"

	abi "sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/binder/idpool"
	"sentrybinder/pkg/sentry/devices/binder"
)

// image is what is saved of a world.
//
// +stateify savable
type image struct {
	vfs    *vfs.VirtualFilesystem
	mnt    *vfs.Mount
	fstype *FilesystemType
	fs     *filesystem

	// log is an open file in binder_logs, or nil.
	log *vfs.FileDescription
}

// world is a binderfs that is mounted nowhere in particular.
type world struct {
	t     testing.TB
	ctx   context.Context
	creds *auth.Credentials
	image
}

// taskContext is the context of a task in a mount namespace.
type taskContext struct {
	context.Context
	mntns *vfs.MountNamespace
}

// Value implements context.Context.Value.
func (c *taskContext) Value(key any) any {
	if key == vfs.CtxMountNamespace {
		c.mntns.IncRef()
		return c.mntns
	}
	return c.Context.Value(key)
}

// newVFS returns a VirtualFilesystem that knows only binderfs.
func newVFS(t testing.TB, ctx context.Context) *vfs.VirtualFilesystem {
	v := &vfs.VirtualFilesystem{}
	require.NoError(t, v.Init(ctx))
	require.NoError(t, Register(v, binder.NewDriver(nil, nil), LinuxDefaults))
	return v
}

// newContext returns a context with all that vfs asks for.
func newContext(t testing.TB) context.Context {
	t.Helper()
	ctx := context.WithValues(context.Background(), map[any]any{
		ktime.CtxRealtimeClock:    &ktime.SyntheticClock{},
		limits.CtxLimits:          limits.NewLimitSet(),
		uniqueid.CtxInotifyCookie: uint32(1),
	})
	// Removing a file takes a mount namespace, if only to check whether it's a mount
	// point there. It can't be saved, so it's elsewhere.
	mntns, err := newVFS(t, ctx).NewMountNamespace(ctx, newCreds(), "", Name, &vfs.MountOptions{}, nil)
	require.NoError(t, err)
	return &taskContext{ctx, mntns}
}

func newCreds() *auth.Credentials {
	return auth.NewRootCredentials(auth.NewRootUserNamespace())
}

// newWorld returns a world with these options.
func newWorld(t testing.TB, options string) *world {
	t.Helper()
	w := &world{t: t, ctx: newContext(t), creds: newCreds()}
	w.vfs = newVFS(t, w.ctx)
	var err error
	w.mnt, err = w.vfs.MountDisconnected(w.ctx, w.creds, "", Name, &vfs.MountOptions{
		GetFilesystemOptions: vfs.GetFilesystemOptions{Data: options},
	})
	require.NoError(t, err)
	w.start()
	return w
}

// start makes a new or loaded world usable, and checks at the end of the test that
// it leaves nothing behind.
func (w *world) start() {
	w.fs = w.mnt.Filesystem().Impl().(*filesystem)
	w.fstype = w.fs.fstype
	w.t.Cleanup(func() {
		w.mnt.DecRef(w.ctx)
		require.Zero(w.t, w.numMinors())
		require.Zero(w.t, w.numBlocks())
	})
}

// numMinors returns the number of minor numbers that the instance uses.
func (w *world) numMinors() int {
	w.fs.mu.Lock()
	defer w.fs.mu.Unlock()
	return w.fs.minors.len()
}

// numBlocks returns the number of blocks of them that all instances hold.
func (w *world) numBlocks() int {
	b := &w.fstype.blocks
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, users := range b.users {
		n += int(users)
	}
	return n
}

// at returns the operand of an operation on a path.
func (w *world) at(path string) *vfs.PathOperation {
	root := vfs.MakeVirtualDentry(w.mnt, w.mnt.Root())
	return &vfs.PathOperation{Root: root, Start: root, Path: fspath.Parse(path)}
}

func (w *world) unlink(path string) error { return w.vfs.UnlinkAt(w.ctx, w.creds, w.at(path)) }

func (w *world) rename(from, to string, flags uint32) error {
	return w.vfs.RenameAt(w.ctx, w.creds, w.at(from), w.at(to), &vfs.RenameOptions{Flags: flags})
}

func (w *world) open(path string, flags uint32) (*vfs.FileDescription, error) {
	fd, err := w.vfs.OpenAt(w.ctx, w.creds, w.at(path), &vfs.OpenOptions{Flags: flags})
	if err == nil {
		w.t.Cleanup(func() { fd.DecRef(w.ctx) })
	}
	return fd, err
}

func (w *world) mustOpen(path string, flags uint32) *vfs.FileDescription {
	w.t.Helper()
	fd, err := w.open(path, flags)
	require.NoError(w.t, err)
	return fd
}

func (w *world) stat(path string) linux.Statx {
	w.t.Helper()
	st, err := w.vfs.StatAt(w.ctx, w.creds, w.at(path), &vfs.StatOptions{Mask: linux.STATX_BASIC_STATS})
	require.NoError(w.t, err)
	return st
}

// add adds a device as an application does.
func (w *world) add(name string) error {
	w.t.Helper()
	fd, err := w.vfs.OpenAt(w.ctx, w.creds, w.at("binder-control"), &vfs.OpenOptions{})
	require.NoError(w.t, err)
	defer fd.DecRef(w.ctx)
	var req abi.BinderfsDevice
	copy(req.Name[:], name)
	mem := make([]byte, req.SizeBytes())
	req.MarshalBytes(mem)
	return w.ioctl(fd, abi.BINDER_CTL_ADD, mem, 0)
}

func (w *world) ioctl(fd *vfs.FileDescription, request uint32, mem []byte, addr uintptr) error {
	_, err := fd.Ioctl(w.ctx, &usermem.BytesIO{Bytes: mem}, 0, arch.SyscallArguments{{}, {Value: uintptr(request)}, {Value: addr}})
	return err
}

// lister collects names.
type lister struct {
	names []string
	max   int
}

// Handle implements vfs.IterDirentsCallback.Handle.
func (l *lister) Handle(d vfs.Dirent) error {
	if len(l.names) == l.max {
		return linuxerr.EINVAL
	}
	l.names = append(l.names, d.Name)
	return nil
}

// list returns the names in a directory, without . and ...
func (w *world) list(path string) []string {
	w.t.Helper()
	l := &lister{max: 1 << 20}
	require.NoError(w.t, w.mustOpen(path, 0).IterDirents(w.ctx, l))
	require.Equal(w.t, []string{".", ".."}, l.names[:2])
	return l.names[2:]
}

// requireErr checks that an error is want, or that there's none if want is nil.
func requireErr(t testing.TB, want *errors.Error, got error, msg ...any) {
	t.Helper()
	if want == nil {
		require.NoError(t, got, msg...)
		return
	}
	require.True(t, linuxerr.Equals(want, got), "the error is %v, want %v; %v", got, want, msg)
}

// restore saves the world, and returns a restored one.
func (w *world) restore() *world {
	w.t.Helper()
	var b bytes.Buffer
	_, err := state.Save(w.ctx, &b, &w.image)
	require.NoError(w.t, err)
	loaded := &world{t: w.t, ctx: newContext(w.t), creds: w.creds}
	_, err = state.Load(loaded.ctx, &b, &loaded.image)
	require.NoError(w.t, err)
	loaded.start()
	return loaded
}

func TestContents(t *testing.T) {
	w := newWorld(t, "stats=global,max=5")
	require.Equal(t, []string{"binder_logs", "features", "vndbinder", "hwbinder", "binder", "binder-control"}, w.list(""))
	require.Equal(t, []string{"freeze_notification", "extended_error", "oneway_spam_detection"}, w.list("features"))
	require.Equal(t, "max=5,stats=global", w.fs.MountOptions())
	st, err := w.vfs.StatFSAt(w.ctx, w.creds, w.at("features"))
	require.NoError(t, err)
	require.EqualValues(t, abi.BINDERFS_SUPER_MAGIC, st.Type)
	require.EqualValues(t, linux.ModeCharacterDevice|0600, w.stat("binder").Mode)
	require.Equal(t, w.fstype.major, w.stat("binder").RdevMajor)
	require.EqualValues(t, 4, w.stat("").Nlink)
}

// Devices keep their numbers and their room while referenced.
func TestDeviceNumbers(t *testing.T) {
	w := newWorld(t, "max=4")
	require.NoError(t, w.add("a"))
	requireErr(t, linuxerr.ENOSPC, w.add("b"))
	minor := w.stat("a").RdevMinor
	held, err := w.vfs.GetDentryAt(w.ctx, w.creds, w.at("a"), &vfs.GetDentryOptions{})
	require.NoError(t, err)
	require.NoError(t, w.unlink("a"))
	requireErr(t, linuxerr.ENOENT, w.unlink("a"))
	requireErr(t, linuxerr.ENOSPC, w.add("b"))
	held.DecRef(w.ctx)
	require.NoError(t, w.add("b"))
	require.Equal(t, minor, w.stat("b").RdevMinor)
	requireErr(t, linuxerr.ENOSPC, w.add("c"))
	require.NoError(t, w.rename("b", "binder", 0))
	require.NoError(t, w.add("c"))
}

// A refused addition leaves nothing behind.
func TestAddRefused(t *testing.T) {
	w := newWorld(t, "max=4")
	before := w.numMinors()
	for name, want := range map[string]*errors.Error{
		"": linuxerr.EACCES, ".": linuxerr.EACCES, "..": linuxerr.EACCES, "a/b": linuxerr.EACCES,
		"binder": linuxerr.EEXIST, "features": linuxerr.EEXIST,
	} {
		requireErr(t, want, w.add(name), name)
	}
	fd := w.mustOpen("binder-control", linux.O_RDWR)
	requireErr(t, linuxerr.EINVAL, w.ioctl(fd, abi.BINDER_VERSION, make([]byte, 264), 0))
	requireErr(t, linuxerr.EFAULT, w.ioctl(fd, abi.BINDER_CTL_ADD, make([]byte, 264), 1))
	require.Equal(t, before, w.numMinors())
	requireErr(t, linuxerr.EIO, w.fs.addDevice(w.ctx, "a", deviceMode, func(uint32) error { return linuxerr.EIO }))
	require.Equal(t, before, w.numMinors())
	require.NoError(t, w.add("a"))
}

func TestRename(t *testing.T) {
	w := newWorld(t, "stats=global")
	for _, tc := range []struct {
		from, to string
		flags    uint32
		err      *errors.Error
	}{
		{"binder-control", "x", 0, linuxerr.EPERM},
		{"binder", "binder-control", 0, linuxerr.EPERM},
		{"binder", "features", 0, linuxerr.EISDIR},
		{"features", "binder", 0, linuxerr.ENOTDIR},
		{"features", "binder_logs", 0, linuxerr.ENOTEMPTY},
		{"features", "features/x", 0, linuxerr.EINVAL},
		{"binder_logs", "features/x", 0, linuxerr.EPERM},
		{"features/extended_error", "features/x", 0, linuxerr.EPERM},
		{"binder", "features/extended_error", 0, linuxerr.EPERM},
		{"binder", "hwbinder", linux.RENAME_NOREPLACE, linuxerr.EEXIST},
		{"binder", "hwbinder", linux.RENAME_EXCHANGE, linuxerr.EINVAL},
		{"binder", "binder", 0, nil},
		{"binder", "hwbinder", 0, nil},
		{"hwbinder", "moved", linux.RENAME_NOREPLACE, nil},
		{"features", "f", 0, nil},
		{"moved", "f/moved", 0, nil},
	} {
		requireErr(t, tc.err, w.rename(tc.from, tc.to, tc.flags), tc.from, tc.to)
	}
	require.Equal(t, []string{"f", "binder_logs", "vndbinder", "binder-control"}, w.list(""))
	require.Equal(t, "moved", w.list("f")[0])
	requireErr(t, linuxerr.EPERM, w.unlink("f/moved"))
	require.EqualValues(t, 4, w.stat("").Nlink)
	require.EqualValues(t, 1, w.stat("f/moved").Nlink)
}

func TestRefused(t *testing.T) {
	w := newWorld(t, "")
	requireErr(t, linuxerr.EPERM, w.unlink("binder-control"))
	requireErr(t, linuxerr.EPERM, w.unlink("features/extended_error"))
	requireErr(t, linuxerr.EPERM, w.vfs.RmdirAt(w.ctx, w.creds, w.at("features")))
	for path, want := range map[string][2]*errors.Error{
		"new":          {linuxerr.EACCES, linuxerr.EPERM},
		"binder":       {linuxerr.EEXIST, linuxerr.EEXIST},
		"features/new": {linuxerr.EACCES, linuxerr.EPERM},
	} {
		_, err := w.open(path, linux.O_CREAT|linux.O_EXCL)
		requireErr(t, want[0], err, path)
		requireErr(t, want[1], w.vfs.MkdirAt(w.ctx, w.creds, w.at(path), &vfs.MkdirOptions{}), path)
		requireErr(t, want[1], w.vfs.SymlinkAt(w.ctx, w.creds, w.at(path), "binder"), path)
		requireErr(t, want[1], w.vfs.LinkAt(w.ctx, w.creds, w.at("hwbinder"), w.at(path)), path)
		requireErr(t, want[1], w.vfs.MknodAt(w.ctx, w.creds, w.at(path), &vfs.MknodOptions{Mode: linux.S_IFIFO}), path)
	}
	// This one was never looked up, so kernfs doesn't know of it.
	requireErr(t, linuxerr.EEXIST, w.vfs.MkdirAt(w.ctx, w.creds, w.at("features/freeze_notification"), &vfs.MkdirOptions{}))
	_, err := w.open("features", linux.O_RDWR)
	requireErr(t, linuxerr.EISDIR, err)
}

// Goroutines do everything at once.
func TestConcurrent(t *testing.T) {
	w := newWorld(t, "max=12")
	rounds := 500
	if testing.Short() {
		rounds = 200
	}
	name := func(r *rand.Rand) string { return string(rune('a' + r.Intn(12))) }
	var wg sync.WaitGroup
	for worker := range 6 {
		wg.Go(func() {
			r := rand.New(rand.NewSource(int64(worker)))
			for range rounds {
				switch r.Intn(5) {
				case 0, 1:
					w.fs.addDevice(w.ctx, name(r), deviceMode, func(uint32) error { return nil })
				case 2:
					w.unlink(name(r))
				case 3:
					w.rename(name(r), name(r), uint32(r.Intn(2))*linux.RENAME_NOREPLACE)
				case 4:
					fd, err := w.vfs.OpenAt(w.ctx, w.creds, w.at(""), &vfs.OpenOptions{})
					if err == nil {
						fd.IterDirents(w.ctx, &lister{max: 100})
						fd.DecRef(w.ctx)
					}
				}
			}
		})
	}
	wg.Wait()
	devices := w.list("")
	for _, name := range devices {
		if len(name) == 1 {
			require.NoError(t, w.unlink(name))
		}
	}
	require.Equal(t, 4, w.numMinors())
	require.Len(t, w.list(""), 5)
}

// A directory can be listed in pieces, while files come and go.
func TestList(t *testing.T) {
	w := newWorld(t, "")
	for _, name := range []string{"a", "b", "c", "d"} {
		require.NoError(t, w.add(name))
	}
	fd := w.mustOpen("", 0)
	l := &lister{max: 4}
	requireErr(t, linuxerr.EINVAL, fd.IterDirents(w.ctx, l))
	require.Equal(t, []string{".", "..", "d", "c"}, l.names)
	require.NoError(t, w.unlink("b"))
	require.NoError(t, w.unlink("d"))
	require.NoError(t, w.add("e"))
	l = &lister{max: 100}
	require.NoError(t, fd.IterDirents(w.ctx, l))
	require.Equal(t, []string{"a", "features", "vndbinder", "hwbinder", "binder", "binder-control"}, l.names)

	_, err := fd.Seek(w.ctx, 0, linux.SEEK_END)
	requireErr(t, linuxerr.EINVAL, err)
	_, err = fd.Seek(w.ctx, 2, linux.SEEK_SET)
	require.NoError(t, err)
	l = &lister{max: 2}
	requireErr(t, linuxerr.EINVAL, fd.IterDirents(w.ctx, l))
	require.Equal(t, []string{"e", "c"}, l.names)
	require.NoError(t, fd.Sync(w.ctx))
}

// A directory frees the memory of entries that are gone.
func TestListShrinks(t *testing.T) {
	w := newWorld(t, "")
	for range 1000 {
		require.NoError(t, w.add("a"))
		require.NoError(t, w.unlink("a"))
	}
	w.fs.root.mu.Lock()
	defer w.fs.root.mu.Unlock()
	require.Len(t, w.fs.root.entries, 5)
	require.Less(t, len(w.fs.root.order), 30)
}

func TestAttributes(t *testing.T) {
	w := newWorld(t, "")
	for _, path := range []string{"", "features", "features/extended_error", "binder", "binder-control"} {
		require.NoError(t, w.vfs.SetStatAt(w.ctx, w.creds, w.at(path), &vfs.SetStatOptions{
			Stat: linux.Statx{Mask: linux.STATX_MODE, Mode: 0111},
		}), path)
		require.EqualValues(t, 0111, w.stat(path).Mode&0777, path)
		names, err := w.vfs.ListXattrAt(w.ctx, w.creds, w.at(path), 0)
		require.NoError(t, err)
		require.Empty(t, names)
		_, err = w.vfs.GetXattrAt(w.ctx, w.creds, w.at(path), &vfs.GetXattrOptions{Name: "trusted.x"})
		requireErr(t, linuxerr.ENOTSUP, err)
		requireErr(t, linuxerr.ENOTSUP, w.vfs.SetXattrAt(w.ctx, w.creds, w.at(path), &vfs.SetXattrOptions{Name: "trusted.x"}))
		requireErr(t, linuxerr.ENOTSUP, w.vfs.RemoveXattrAt(w.ctx, w.creds, w.at(path), "trusted.x"))
	}
	size := &vfs.SetStatOptions{Stat: linux.Statx{Mask: linux.STATX_SIZE}}
	requireErr(t, linuxerr.EINVAL, w.vfs.SetStatAt(w.ctx, w.creds, w.at("binder"), size))
	requireErr(t, linuxerr.EISDIR, w.vfs.SetStatAt(w.ctx, w.creds, w.at("features"), size))

	require.NoError(t, w.vfs.SetMountReadOnly(w.mnt, true))
	requireErr(t, linuxerr.EROFS, w.vfs.SetStatAt(w.ctx, w.creds, w.at("binder"), size))
}

func TestFeature(t *testing.T) {
	w := newWorld(t, "")
	fd := w.mustOpen("features/extended_error", linux.O_RDWR)
	b := make([]byte, 8)
	n, err := fd.Read(w.ctx, usermem.BytesIOSequence(b), vfs.ReadOptions{})
	require.NoError(t, err)
	require.Equal(t, "1\n", string(b[:n]))
	_, err = fd.Write(w.ctx, usermem.BytesIOSequence(b), vfs.WriteOptions{})
	requireErr(t, linuxerr.EINVAL, err)
}

// Only a task can open a device, and none by its number.
func TestOpenDevice(t *testing.T) {
	w := newWorld(t, "")
	_, err := w.open("binder", linux.O_RDWR)
	requireErr(t, linuxerr.ENXIO, err)
	require.True(t, w.vfs.IsDeviceRegistered(vfs.CharDevice, w.fstype.major, 0))
	_, err = w.vfs.OpenDeviceSpecialFile(w.ctx, nil, nil, vfs.CharDevice, w.fstype.major, 0, &vfs.OpenOptions{})
	requireErr(t, linuxerr.ENXIO, err)
}

// A nodev mount lets no device be opened.
func TestNoDevices(t *testing.T) {
	w := newWorld(t, "")
	mnt := w.vfs.NewDisconnectedMount(w.mnt.Filesystem(), w.mnt.Root(), &vfs.MountOptions{Flags: vfs.MountFlags{NoDev: true}})
	defer mnt.DecRef(w.ctx)
	root := vfs.MakeVirtualDentry(mnt, mnt.Root())
	for _, path := range []string{"binder", "binder-control"} {
		_, err := w.vfs.OpenAt(w.ctx, w.creds, &vfs.PathOperation{Root: root, Start: root, Path: fspath.Parse(path)}, &vfs.OpenOptions{})
		requireErr(t, linuxerr.EACCES, err)
	}
}

func TestReconfigure(t *testing.T) {
	w := newWorld(t, "max=5")
	require.NoError(t, w.fs.Reconfigure(w.ctx, w.creds, "max=3"))
	requireErr(t, linuxerr.ENOSPC, w.add("a"))
	requireErr(t, linuxerr.EINVAL, w.fs.Reconfigure(w.ctx, w.creds, "max=9,stats=global"))
	requireErr(t, linuxerr.EINVAL, w.fs.Reconfigure(w.ctx, w.creds, "max=9,foo"))
	nobody := auth.NewUserCredentials(1, 1, nil, nil, w.creds.UserNamespace)
	requireErr(t, linuxerr.EPERM, w.fs.Reconfigure(w.ctx, nobody, "max=9"))
	require.Equal(t, "max=3", w.fs.MountOptions())
}

// A mount that fails, at whichever device, leaves nothing behind.
func TestMountFails(t *testing.T) {
	w := newWorld(t, "")
	before := w.numBlocks()
	for _, options := range []string{"max=0", "max=1", "max=2", "foo"} {
		_, _, err := w.fstype.GetFilesystem(w.ctx, w.vfs, w.creds, "", vfs.GetFilesystemOptions{Data: options})
		require.Error(t, err)
	}
	require.Equal(t, before, w.numBlocks())
}

// An instance that uses all minor numbers doesn't deprive others.
func TestMinors(t *testing.T) {
	var b blocks
	greedy, other := newMinors(), newMinors()
	for i := range numMinors {
		minor, err := greedy.get(&b)
		require.NoError(t, err)
		require.EqualValues(t, i, minor)
	}
	_, err := greedy.get(&b)
	requireErr(t, linuxerr.ENOSPC, err)
	for i := range blockSize + 1 {
		minor, err := other.get(&b)
		require.NoError(t, err)
		require.EqualValues(t, i, minor, "the block with the fewest users")
	}
	greedy.put(7)
	greedy.put(7)
	minor, err := greedy.get(&b)
	require.NoError(t, err)
	require.EqualValues(t, 7, minor)
	for i := range uint32(numMinors) {
		greedy.put(i)
	}
	require.Zero(t, greedy.len())
	require.Equal(t, idpool.MinCap, greedy.pool.Cap())
	b.put(greedy.blocks)
	third := newMinors()
	minor, err = third.get(&b)
	require.NoError(t, err)
	require.EqualValues(t, 2*blockSize, minor, "a block without other users")
}

// The instances of a sandbox have distinct device numbers.
func TestMinorsOfInstances(t *testing.T) {
	w := newWorld(t, "")
	seen := make(map[uint32]bool)
	for range numBlocks - 1 {
		mnt, err := w.vfs.MountDisconnected(w.ctx, w.creds, "", Name, &vfs.MountOptions{})
		require.NoError(t, err)
		t.Cleanup(func() { mnt.DecRef(w.ctx) })
		st, err := w.vfs.StatAt(w.ctx, w.creds, &vfs.PathOperation{
			Root:  vfs.MakeVirtualDentry(mnt, mnt.Root()),
			Start: vfs.MakeVirtualDentry(mnt, mnt.Root()),
			Path:  fspath.Parse("binder"),
		}, &vfs.StatOptions{})
		require.NoError(t, err)
		require.False(t, seen[st.RdevMinor])
		seen[st.RdevMinor] = true
	}
	require.False(t, seen[w.stat("binder").RdevMinor])
}

// A mount without options has room for 4096 devices, however many another has.
func TestDefaultMax(t *testing.T) {
	w := newWorld(t, "")
	for i := range defaultMax - len(LinuxDefaults.Devices) {
		require.NoError(t, w.add(fmt.Sprint(i)))
	}
	requireErr(t, linuxerr.ENOSPC, w.add("another"))
	mnt, err := w.vfs.MountDisconnected(w.ctx, w.creds, "", Name, &vfs.MountOptions{})
	require.NoError(t, err)
	mnt.DecRef(w.ctx)
}

// A released inode can't be referenced again.
func TestTryIncRef(t *testing.T) {
	var i inode
	i.IncRef()
	require.True(t, i.TryIncRef())
	require.False(t, i.drop())
	require.True(t, i.drop())
	require.False(t, i.TryIncRef())
}

// In a user namespace without a root user, nobody owns the directories.
func TestOwners(t *testing.T) {
	devices, others := owners(auth.NewRootUserNamespace())
	require.Equal(t, owner{auth.RootKUID, auth.RootKGID}, devices)
	require.Equal(t, devices, others)
	child, err := auth.NewRootCredentials(auth.NewRootUserNamespace()).NewChildUserNamespace()
	require.NoError(t, err)
	devices, others = owners(child)
	require.Equal(t, owner{auth.RootKUID, auth.RootKGID}, devices)
	require.False(t, others.uid.Ok() || others.gid.Ok())
}

// A restored world goes on where the saved one was.
func TestSaveRestore(t *testing.T) {
	saved := newWorld(t, "max=6,stats=global")
	require.NoError(t, saved.add("a"))
	require.NoError(t, saved.add("b"))
	held, err := saved.vfs.GetDentryAt(saved.ctx, saved.creds, saved.at("hwbinder"), &vfs.GetDentryOptions{})
	require.NoError(t, err)
	require.NoError(t, saved.unlink("hwbinder"))
	require.NoError(t, saved.rename("a", "moved", 0))
	held.DecRef(saved.ctx)
	loaded := saved.restore()
	for _, w := range []*world{saved, loaded} {
		require.Equal(t, "max=6,stats=global", w.fs.MountOptions())
		require.Equal(t, []string{"moved", "b", "binder_logs", "features", "vndbinder", "binder", "binder-control"}, w.list(""))
		require.Equal(t, saved.stat("moved"), w.stat("moved"))
		require.NoError(t, w.add("c"))
		requireErr(t, linuxerr.EEXIST, w.add("c"), "there is room")
		require.NoError(t, w.unlink("b"))
		require.NoError(t, w.add("d"))
		require.NoError(t, w.add("e"))
		requireErr(t, linuxerr.ENOSPC, w.add("f"))
		require.Equal(t, []string{"e", "d", "c", "moved"}, w.list("")[:4])
	}
}
