// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//covers:freeze
package syscalls

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Android's CachedAppOptimizer freezes an application twice: first in Binder, which fails
// as long as the application has something to do, and then its cgroup. These tests cover
// both together.

// An appCgroup is the cgroup of an application's process.
type appCgroup struct {
	t   *testing.T
	dir string
}

// newAppCgroup moves p to a new cgroup.
func newAppCgroup(t *testing.T, p *process) appCgroup {
	t.Helper()
	root := t.TempDir()
	if err := unix.Mount("cgroup2", root, "cgroup2", 0, ""); err == unix.ENODEV {
		t.Skip("this sandbox has no cgroup2, which an annotation would add")
	} else {
		require.NoError(t, err)
	}
	t.Cleanup(func() { require.NoError(t, unix.Unmount(root, unix.MNT_DETACH)) })
	c := appCgroup{t, filepath.Join(root, "pid_"+strconv.Itoa(p.pid()))}
	require.NoError(t, os.Mkdir(c.dir, 0o755))
	t.Cleanup(func() {
		p.kill()
		c.await("populated 0")
		require.NoError(t, os.Remove(c.dir))
	})
	c.write("cgroup.procs", strconv.Itoa(p.pid()))
	return c
}

func (c appCgroup) write(file, value string) {
	c.t.Helper()
	require.NoError(c.t, os.WriteFile(filepath.Join(c.dir, file), []byte(value), 0))
}

// await waits until cgroup.events has a line.
func (c appCgroup) await(line string) {
	c.t.Helper()
	eventually(c.t, line, func() bool {
		events, err := os.ReadFile(filepath.Join(c.dir, "cgroup.events"))
		require.NoError(c.t, err)
		return strings.Contains(string(events), line+"\n")
	})
}

func (c appCgroup) freeze() {
	c.t.Helper()
	c.write("cgroup.freeze", "1")
	c.await("frozen 1")
}

func (c appCgroup) thaw() {
	c.t.Helper()
	c.write("cgroup.freeze", "0")
	c.await("frozen 0")
}

// finishThawed returns what a thread reads that was in a read before its cgroup was
// frozen. Linux ends that read with EINTR. In the sandbox, only signals do: the read
// continues.
func (th *thread) finishThawed() returns {
	th.t.Helper()
	r := th.finish()
	if inSandbox() {
		return r.ok(th.t)
	}
	require.Equal(th.t, unix.EINTR, r.err)
	require.Equal(th.t, r.writeSize, r.writeConsumed)
	require.Zero(th.t, r.readConsumed)
	return th.read()
}

// What happens to a background application, from the attempt to freeze it until it's
// back.
func TestAppFreezer(t *testing.T) {
	app, client, freezer, h := newFreezable(t)
	cgroup := newAppCgroup(t, app)

	// It has been called, and can't be frozen until it has answered.
	client.start(readSize, bcTransaction{handle: h})
	request := app.read().message(t)
	require.Equal(t, unix.EAGAIN, freezer.tryFreeze(app.pid(), 10))
	app.write(bcReply{}, request.free())
	app.expect(brNoop, brTransactionComplete)
	client.finish().ok(t)

	app.startRead()
	freezer.freeze(app)
	cgroup.freeze()
	freezer.expectInfo(app, 0, 0)

	// Nobody waits for it in vain, and what is sent is kept as long as there is room.
	client.write(bcTransaction{handle: h})
	client.expect(brNoop, brFrozenReply)
	const messages = 4
	for code := range uint32(messages) {
		client.write(bcTransaction{handle: h, flags: oneWay, code: code + 1, payload: payload{space(asyncSpace / 8)}})
		client.expect(brNoop, brPendingFrozen)
	}
	client.write(bcTransaction{handle: h, flags: oneWay, payload: payload{space(asyncSpace)}})
	client.expect(brNoop, brFailedReply)
	client.expectError(brFailedReply, unix.ENOSPC)
	freezer.expectInfo(app, syncReceived|syncPending, 1)
	require.Equal(t, "S", app.State())

	// Thawed in the opposite order, it finds what was sent.
	freezer.thaw(app)
	client.write(bcTransaction{handle: h, flags: oneWay, code: messages + 1})
	client.expect(brNoop, brTransactionComplete)
	require.Equal(t, "S", app.State(), "it's only half thawed")
	cgroup.thaw()
	got := app.finishThawed().message(t)
	for code := range uint32(messages) {
		require.Equal(t, code+1, got.code)
		app.write(got.free())
		got = app.read().message(t)
	}
	require.EqualValues(t, messages+1, got.code)
	app.write(got.free())
	freezer.expectInfo(app, 0, 0)
	client.call(app.thread, bcTransaction{handle: h}, nil)
}

// An application whose cgroup alone is frozen blocks its callers, and doesn't notice that
// it was frozen.
func TestAppFreezerOfCgroupOnly(t *testing.T) {
	app, client, _, h := newFreezable(t)
	cgroup := newAppCgroup(t, app)
	app.startRead()
	cgroup.freeze()
	client.start(readSize, bcTransaction{handle: h})
	client.AwaitBlocked(t)
	require.Equal(t, "S", app.State())
	cgroup.thaw()
	app.write(bcReply{}, app.finishThawed().message(t).free())
	client.finish().ok(t)
}

// An application that is frozen while it waits for a reply gets it afterwards.
func TestAppFreezerOfCaller(t *testing.T) {
	server, app, freezer, h := newFreezable(t)
	cgroup := newAppCgroup(t, app)
	app.startWriteRead(bcTransaction{handle: h})
	require.Equal(t, unix.EAGAIN, freezer.tryFreeze(app.pid(), 0))
	cgroup.freeze()
	server.write(bcReply{payload: payload{words(7)}}, server.read().message(t).free())
	server.expect(brNoop, brTransactionComplete)
	cgroup.thaw()
	got := app.finishThawed()
	require.Equal(t, "\a\x00\x00\x00", string(got.message(t).data))
}

// An application that is frozen and killed while it handles a call leaves nobody waiting.
func TestAppFreezerKill(t *testing.T) {
	app, client, freezer, h := newFreezable(t)
	cgroup := newAppCgroup(t, app)
	client.write(bcRequestDeath(h, 0x5))
	client.start(readSize, bcTransaction{handle: h})
	app.read()
	cgroup.freeze()
	require.Equal(t, unix.EAGAIN, freezer.tryFreeze(app.pid(), 0))
	app.kill()
	cgroup.await("populated 0")
	client.finishExpect(brNoop, brTransactionComplete, brDeadReply)
	client.expect(brNoop, brDeadBinder(0x5))
}
