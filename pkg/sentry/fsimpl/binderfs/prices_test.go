// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binderfs

import (
	"fmt"
	"io"
	"math"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/sentry/kernel"
	"gvisor.dev/gvisor/pkg/sentry/vfs"
	"gvisor.dev/gvisor/pkg/usermem"

	abi "sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/sentry/devices/binder"
)

// tenantContext is the context of a task in a container. The task has no other
// properties.
type tenantContext struct {
	context.Context
	task *kernel.Task
}

// Value implements context.Context.Value.
func (c *tenantContext) Value(key any) any {
	if key == kernel.CtxTask {
		return c.task
	}
	return c.Context.Value(key)
}

// newTenantWorld returns a world without an instance, whose user is a container with an
// account.
func newTenantWorld(t testing.TB) (w *world, setLimit func(int64), used func() int64) {
	w = &world{t: t, ctx: newContext(t), creds: newCreds()}
	w.vfs = &vfs.VirtualFilesystem{}
	require.NoError(t, w.vfs.Init(w.ctx))
	driver := binder.NewDriver(nil, nil)
	require.NoError(t, Register(w.vfs, driver, LinuxDefaults))
	w.ctx = &tenantContext{w.ctx, &kernel.Task{}}
	driver.StartContainer(binder.ContainerInfo{MemoryLimit: math.MaxInt64})
	a := driver.Account(w.ctx)
	require.NotNil(t, a)
	t.Cleanup(func() { require.Zero(t, a.Used(), "bytes left over") })
	return w, a.SetLimit, a.Used
}

func (w *world) mount() (*vfs.Mount, error) {
	return w.vfs.MountDisconnected(w.ctx, w.creds, "", Name, &vfs.MountOptions{
		GetFilesystemOptions: vfs.GetFilesystemOptions{Data: "stats=global"},
	})
}

// heapInUse returns the size of all objects in the heap, in bytes.
func heapInUse() uint64 {
	runtime.GC()
	runtime.GC() // The second frees what sync.Pools held.
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestPrices: instances and devices are charged at least the memory that they take, and at
// most eight times as much, even after a look at all of their files.
func TestPrices(t *testing.T) {
	w, _, used := newTenantWorld(t)
	check := func(n int, make func(i int)) {
		t.Helper()
		heap, before := heapInUse(), used()
		for i := range n {
			make(i)
		}
		took := float64(heapInUse()-heap) / float64(n)
		charged := float64(used()-before) / float64(n)
		t.Logf("one takes %.0f bytes and is charged %.0f", took, charged)
		require.LessOrEqual(t, took, charged)
		require.LessOrEqual(t, charged, 8*took)
	}
	check(100, func(int) {
		mnt, err := w.mount()
		require.NoError(t, err)
		t.Cleanup(func() { mnt.DecRef(w.ctx) })
		w.mnt = mnt
		reader := *w // A reader whose context has no task: a task would need a process.
		reader.ctx = w.ctx.(*tenantContext).Context
		reader.readAll("")
	})
	check(1000, func(i int) {
		name := fmt.Sprint("device-", i)
		require.NoError(t, w.add(name))
		w.stat(name)
	})
}

// readAll reads all files in a directory and its subdirectories.
func (w *world) readAll(dir string) {
	w.t.Helper()
	for _, name := range w.list(dir) {
		path := dir + "/" + name
		switch st := w.stat(path); st.Mode & linux.S_IFMT {
		case linux.S_IFDIR:
			w.readAll(path)
		case linux.S_IFREG:
			fd, err := w.vfs.OpenAt(w.ctx, w.creds, w.at(path), &vfs.OpenOptions{})
			require.NoError(w.t, err)
			_, err = fd.Read(w.ctx, usermem.BytesIOSequence(make([]byte, 4096)), vfs.ReadOptions{})
			if err != nil {
				require.Equal(w.t, io.EOF, err)
			}
			fd.DecRef(w.ctx)
		}
	}
}

// TestNoRoom: a mount or a device that the account has no room for leaves nothing behind,
// wherever the room ends.
func TestNoRoom(t *testing.T) {
	w, setLimit, used := newTenantWorld(t)
	refused := 0
	for room := int64(0); ; room += 1 << 10 {
		setLimit(room)
		mnt, err := w.mount()
		if err == nil {
			w.mnt = mnt
			break
		}
		requireErr(t, linuxerr.ENOMEM, err)
		require.Zero(t, used())
		refused++
	}
	require.EqualValues(t, used()>>10, refused)
	w.start()
	require.Equal(t, 1, w.numBlocks(), "the refused mounts kept no numbers")

	minors, before := w.numMinors(), used()
	setLimit(before + devicePrice - 1)
	requireErr(t, linuxerr.ENOMEM, w.add("a"))
	requireErr(t, linuxerr.EFAULT, w.ioctl(w.mustOpen("binder-control", linux.O_RDWR), abi.BINDER_CTL_ADD, make([]byte, 264), 1))
	require.Equal(t, before, used())
	require.Equal(t, minors, w.numMinors())
	setLimit(before + devicePrice)
	requireErr(t, linuxerr.EEXIST, w.add("binder"))
	require.Equal(t, before, used())
	require.NoError(t, w.add("a"))
	requireErr(t, linuxerr.ENOMEM, w.add("b"))

	// A device stays charged while referenced.
	held, err := w.vfs.GetDentryAt(w.ctx, w.creds, w.at("a"), &vfs.GetDentryOptions{})
	require.NoError(t, err)
	require.NoError(t, w.unlink("a"))
	requireErr(t, linuxerr.ENOMEM, w.add("b"))
	held.DecRef(w.ctx)
	require.NoError(t, w.add("b"))
}
