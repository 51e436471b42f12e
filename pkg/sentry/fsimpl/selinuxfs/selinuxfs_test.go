// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package selinuxfs

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/fspath"
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/memutil"
	"gvisor.dev/gvisor/pkg/sentry/kernel/auth"
	"gvisor.dev/gvisor/pkg/sentry/ktime"
	"gvisor.dev/gvisor/pkg/sentry/limits"
	"gvisor.dev/gvisor/pkg/sentry/memmap"
	"gvisor.dev/gvisor/pkg/sentry/pgalloc"
	"gvisor.dev/gvisor/pkg/sentry/vfs"
	"gvisor.dev/gvisor/pkg/state"
	"gvisor.dev/gvisor/pkg/usermem"
)

// image is what is saved of a world.
//
// +stateify savable
type image struct {
	vfs *vfs.VirtualFilesystem
	mnt *vfs.Mount

	// fd is an open file.
	fd *vfs.FileDescription
}

// world is a selinuxfs that is mounted nowhere in particular.
type world struct {
	t     testing.TB
	ctx   context.Context
	creds *auth.Credentials
	image
}

func newMemoryFile(t testing.TB) *pgalloc.MemoryFile {
	fd, err := memutil.CreateMemFD("selinuxfs-test", 0)
	require.NoError(t, err)
	mf, err := pgalloc.NewMemoryFile(os.NewFile(uintptr(fd), "selinuxfs-test"), pgalloc.MemoryFileOpts{
		DisableIMAWorkAround:    true,
		DisableMemoryAccounting: true,
	})
	require.NoError(t, err)
	t.Cleanup(mf.Destroy)
	return mf
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, creds: auth.NewRootCredentials(auth.NewRootUserNamespace())}
	w.ctx = context.WithValues(context.Background(), map[any]any{
		ktime.CtxRealtimeClock: &ktime.SyntheticClock{},
		limits.CtxLimits:       limits.NewLimitSet(),
		pgalloc.CtxMemoryFile:  newMemoryFile(t),
		auth.CtxCredentials:    w.creds,
	})
	w.vfs = &vfs.VirtualFilesystem{}
	require.NoError(t, w.vfs.Init(w.ctx))
	require.NoError(t, Register(w.ctx, w.vfs))
	var err error
	w.mnt, err = w.mount(w.creds, "")
	require.NoError(t, err)
	t.Cleanup(func() { w.mnt.DecRef(w.ctx) })
	return w
}

func (w *world) mount(creds *auth.Credentials, data string) (*vfs.Mount, error) {
	return w.vfs.MountDisconnected(w.ctx, creds, "", Name, &vfs.MountOptions{
		GetFilesystemOptions: vfs.GetFilesystemOptions{Data: data},
	})
}

// open opens a file until the end of the test.
func (w *world) open(path string, flags uint32) (*vfs.FileDescription, error) {
	root := vfs.MakeVirtualDentry(w.mnt, w.mnt.Root())
	fd, err := w.vfs.OpenAt(w.ctx, w.creds, &vfs.PathOperation{
		Root: root, Start: root, Path: fspath.Parse(path),
	}, &vfs.OpenOptions{Flags: flags})
	if err == nil {
		w.t.Cleanup(func() { fd.DecRef(w.ctx) })
	}
	return fd, err
}

func (w *world) mustOpen(path string) *vfs.FileDescription {
	w.t.Helper()
	fd, err := w.open(path, linux.O_RDWR)
	require.NoError(w.t, err)
	return fd
}

func (w *world) read(fd *vfs.FileDescription, size int) string {
	w.t.Helper()
	buf := make([]byte, size)
	n, err := fd.Read(w.ctx, usermem.BytesIOSequence(buf), vfs.ReadOptions{})
	if err != io.EOF {
		require.NoError(w.t, err)
	}
	return string(buf[:n])
}

func (w *world) write(fd *vfs.FileDescription, data string) error {
	n, err := fd.Write(w.ctx, usermem.BytesIOSequence([]byte(data)), vfs.WriteOptions{})
	if err == nil {
		require.EqualValues(w.t, len(data), n)
	}
	return err
}

func (w *world) requireErrno(want *errors.Error, err error, args ...any) {
	w.t.Helper()
	require.True(w.t, linuxerr.Equals(want, err), "%v, want %v: %v", err, want, args)
}

// ask returns the answer of a transaction file.
func (w *world) ask(path, question string) (string, error) {
	fd := w.mustOpen(path)
	if err := w.write(fd, question); err != nil {
		return "", err
	}
	return w.read(fd, hostarch.PageSize), nil
}

func TestMount(t *testing.T) {
	w := newWorld(t)
	_, err := w.mount(w.creds, "option")
	w.requireErrno(linuxerr.EINVAL, err)

	child, err := w.creds.NewChildUserNamespace()
	require.NoError(t, err)
	_, err = w.mount(w.creds.ForkIntoUserNamespace(child), "")
	w.requireErrno(linuxerr.EPERM, err, "root only in a user namespace")

	root := vfs.MakeVirtualDentry(w.mnt, w.mnt.Root())
	statfs, err := w.vfs.StatFSAt(w.ctx, w.creds, &vfs.PathOperation{Root: root, Start: root})
	require.NoError(t, err)
	require.EqualValues(t, superMagic, statfs.Type)
}

func TestContents(t *testing.T) {
	w := newWorld(t)
	for path, want := range map[string]string{
		"enforce":                          "0",
		"checkreqprot":                     "0",
		"deny_unknown":                     "0",
		"reject_unknown":                   "0",
		"mls":                              "1",
		"policyvers":                       "33",
		"class/process/index":              "2",
		"class/service_manager/index":      "26",
		"class/service_manager/perms/add":  "1",
		"class/service_manager/perms/find": "2",
		"initial_contexts/kernel":          "u:r:kernel:s0\x00",
		"initial_contexts/unlabeled":       "u:object_r:unlabeled:s0\x00",
		"status":                           "\x01\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00",
	} {
		fd, err := w.open(path, linux.O_RDONLY)
		require.NoError(t, err, path)
		require.Equal(t, want, w.read(fd, 100), path)
		require.Empty(t, w.read(fd, 100), path)
	}
	_, err := w.open("policy", linux.O_RDONLY)
	w.requireErrno(linuxerr.EINVAL, err, "there is no policy")
	_, err = w.open("class/no_class/index", linux.O_RDONLY)
	w.requireErrno(linuxerr.ENOENT, err)
}

// Settings accept what is valid, and don't change.
func TestSettings(t *testing.T) {
	w := newWorld(t)
	for path, tc := range map[string]struct{ good, bad []string }{
		"enforce":              {[]string{"0", "0\n", " 0", "0 junk", "-0"}, []string{"", "1", "1\n", "-1", "x", "\n", "+", "99999999999999999999"}},
		"checkreqprot":         {[]string{"0", "1", "x", ""}, nil},
		"disable":              {[]string{"0", "1", "x", ""}, nil},
		"commit_pending_bools": {[]string{"0", "1"}, []string{"", "x"}},
		"validatetrans": {
			[]string{"u:r:init:s0 u:r:adbd:s0 6 u:r:init:s0"},
			[]string{"", "x", "u:r:init:s0 u:r:adbd:s0 6", "u:r:init:s0 u:r:adbd:s0 x u:r:init:s0", "bad u:r:adbd:s0 6 u:r:init:s0", "u:r:init:s0 bad 6 u:r:init:s0", "u:r:init:s0 u:r:adbd:s0 6 bad"},
		},
		"mls":    {nil, []string{"", "1"}},
		"status": {nil, []string{"", "1"}},
	} {
		fd, err := w.open(path, linux.O_WRONLY)
		require.NoError(t, err)
		for _, data := range tc.good {
			require.NoError(t, w.write(fd, data), "%s %q", path, data)
		}
		for _, data := range tc.bad {
			w.requireErrno(linuxerr.EINVAL, w.write(fd, data), path, data)
		}
		_, err = fd.PWrite(w.ctx, usermem.BytesIOSequence([]byte("0")), 1, vfs.WriteOptions{})
		w.requireErrno(linuxerr.EINVAL, err, path)
	}
	w.requireErrno(linuxerr.ENOMEM, w.write(w.mustOpen("enforce"), strings.Repeat("0", hostarch.PageSize)))
	require.Equal(t, "0", w.read(w.mustOpen("enforce"), 10))
}

func TestLoad(t *testing.T) {
	w := newWorld(t)
	fd := w.mustOpen("load")
	policy := string(policyMagic)
	for _, size := range []int{0, 1, policyPiece - len(policy), policyPiece, 3*policyPiece + 7, maxPolicyLen - len(policy)} {
		require.NoError(t, w.write(fd, policy+strings.Repeat("x", size)))
	}
	w.requireErrno(linuxerr.EFBIG, w.write(fd, policy+strings.Repeat("x", maxPolicyLen)))
	for _, data := range []string{"", "x", policy[:len(policy)-1], "x" + policy, strings.Repeat("x", policyPiece) + policy} {
		w.requireErrno(linuxerr.EINVAL, w.write(fd, data))
	}
	_, err := fd.PWrite(w.ctx, usermem.BytesIOSequence(policyMagic), 1, vfs.WriteOptions{})
	w.requireErrno(linuxerr.EINVAL, err)
}

func TestAnswers(t *testing.T) {
	w := newWorld(t)
	const init, exec = "u:r:init:s0", "u:object_r:adbd_exec:s0"
	for _, tc := range []struct{ path, question, want string }{
		{"access", init + " " + exec + " 2", "ffffffff ffffffff 0 ffffffff 1 1"},
		{"access", init + "\n\t " + exec + " 2 ffff", "ffffffff ffffffff 0 ffffffff 1 1"},
		{"access", init + " " + exec + " 70000", "ffffffff ffffffff 0 ffffffff 1 1"},
		{"context", "u:r:init:s0:c1,c0", "u:r:init:s0:c0,c1\x00"},
		{"context", init + "\x00", init + "\x00"},
		{"create", init + " " + exec + " 2", "u:r:adbd:s0\x00"},
		{"create", init + " " + exec + " 2x", "u:r:adbd:s0\x00"},
		{"create", init + " " + exec + " +2", "u:r:adbd:s0\x00"},
		{"create", init + " " + exec + " 65538", "u:r:adbd:s0\x00"},
		{"create", init + " " + exec + " 6 na%20me", exec + "\x00"},
		{"relabel", init + " " + exec + " 2", init + "\x00"},
		{"member", init + "-s0:c0 " + exec + " 2", init + "\x00"},
		{"user", init + " u", "0\x00"},
		{"user", "bad", "0\x00"},
	} {
		got, err := w.ask(tc.path, tc.question)
		require.NoError(t, err, tc)
		require.Equal(t, tc.want, got, tc)
	}
	for _, path := range []string{"access", "create", "relabel", "member"} {
		for _, question := range []string{"", init, init + " " + exec, init + " " + exec + " x", init + " " + exec + " -1", "bad " + exec + " 2", init + " bad 2", init + " " + exec + "\x00 2"} {
			_, err := w.ask(path, question)
			w.requireErrno(linuxerr.EINVAL, err, path, question)
		}
	}
	for _, question := range []string{"", "bad", init + "\n", init + " "} {
		_, err := w.ask("context", question)
		w.requireErrno(linuxerr.EINVAL, err, question)
	}
}

// An open file takes one question, and keeps its answer.
func TestTransaction(t *testing.T) {
	w := newWorld(t)
	fd := w.mustOpen("context")
	require.Empty(t, w.read(fd, 10))
	require.NoError(t, w.write(fd, "u:r:init:s0"))
	w.requireErrno(linuxerr.EBUSY, w.write(fd, "u:r:init:s0"))
	require.Equal(t, "u:r:i", w.read(fd, 5))
	require.Equal(t, "nit:s0\x00", w.read(fd, 50))
	require.Empty(t, w.read(fd, 10))
	_, err := fd.Seek(w.ctx, 2, linux.SEEK_SET)
	require.NoError(t, err)
	require.Equal(t, "r:", w.read(fd, 2))
	buf := make([]byte, 3)
	_, err = fd.PRead(w.ctx, usermem.BytesIOSequence(buf), 1, vfs.ReadOptions{})
	require.NoError(t, err)
	require.Equal(t, ":r:", string(buf))

	fd = w.mustOpen("context")
	w.requireErrno(linuxerr.EINVAL, w.write(fd, "bad"))
	w.requireErrno(linuxerr.EBUSY, w.write(fd, "u:r:init:s0"))
	require.Empty(t, w.read(fd, 10))

	for size, want := range map[int]*errors.Error{4087: linuxerr.EINVAL, 4088: linuxerr.EFBIG, 5000: linuxerr.EFBIG} {
		w.requireErrno(want, w.write(w.mustOpen("context"), strings.Repeat("a", size)), size)
	}
	fd = w.mustOpen("context")
	w.requireErrno(linuxerr.EFBIG, w.write(fd, strings.Repeat("a", 4088)))
	require.NoError(t, w.write(fd, "u:r:init:s0"), "the earlier write was not a question")
}

// The status page can be mapped, but not writably.
func TestStatus(t *testing.T) {
	w := newWorld(t)
	fd := w.mustOpen("status")
	for _, opts := range []memmap.MMapOpts{{Length: 2 * hostarch.PageSize}, {Length: 1, Offset: hostarch.PageSize}} {
		w.requireErrno(linuxerr.EIO, fd.ConfigureMMap(w.ctx, &opts))
	}
	for max, want := range map[hostarch.AccessType]*errors.Error{hostarch.AnyAccess: linuxerr.EPERM, hostarch.Read: linuxerr.EACCES} {
		opts := memmap.MMapOpts{Length: hostarch.PageSize, Perms: hostarch.ReadWrite, MaxPerms: max}
		w.requireErrno(want, fd.ConfigureMMap(w.ctx, &opts))
	}

	opts := memmap.MMapOpts{Length: hostarch.PageSize, Perms: hostarch.Read, MaxPerms: hostarch.AnyAccess}
	require.NoError(t, fd.ConfigureMMap(w.ctx, &opts))
	defer opts.MappingIdentity.DecRef(w.ctx)
	require.False(t, opts.MaxPerms.Write)
	page := memmap.MappableRange{End: hostarch.PageSize}
	ts, err := opts.Mappable.Translate(w.ctx, page, page, hostarch.Read)
	require.NoError(t, err)
	require.Len(t, ts, 1)
	blocks, err := ts[0].File.MapInternal(ts[0].FileRange(), hostarch.Read)
	require.NoError(t, err)
	require.Equal(t, statusBytes(), blocks.Head().ToSlice()[:statusLen])
}

// After a restore, an earlier question still has its answer.
func TestSave(t *testing.T) {
	w := newWorld(t)
	w.fd = w.mustOpen("create")
	require.NoError(t, w.write(w.fd, "u:r:init:s0 u:object_r:adbd_exec:s0 2"))
	require.Equal(t, "u:r:", w.read(w.fd, 4))

	var saved bytes.Buffer
	_, err := state.Save(w.ctx, &saved, &w.image)
	require.NoError(t, err)
	restored := &world{t: t, ctx: w.ctx, creds: w.creds}
	_, err = state.Load(w.ctx, &saved, &restored.image)
	require.NoError(t, err)
	require.Equal(t, "adbd:s0\x00", restored.read(restored.fd, 100))
	restored.requireErrno(linuxerr.EBUSY, restored.write(restored.fd, "u:r:init:s0 u:r:init:s0 2"))
	got, err := restored.ask("context", "u:r:init:s0")
	require.NoError(t, err)
	require.Equal(t, "u:r:init:s0\x00", got)
	require.Equal(t, "0", restored.read(restored.mustOpen("enforce"), 10))
}
