// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"bytes"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/sentry/vfs"
	"gvisor.dev/gvisor/pkg/state"
	"gvisor.dev/gvisor/pkg/tcpip/faketime"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/sentry/devices/binder/memorytest"
)

// containers starts containers, whose IDs are their names.
func (d *Driver) containers(names ...string) []*Tenant {
	var ts []*Tenant
	for _, name := range names {
		d.StartContainer(ContainerInfo{ID: name, Name: name, SecurityContext: "u:r:" + name + ":s0", MemoryLimit: math.MaxInt64})
		ts = append(ts, d.tenants.get(name))
	}
	return ts
}

// neighbours returns a world, and the world of another container.
func neighbours(t *testing.T) (w, other *world) {
	w, other = newWorld(t), newWorld(t)
	other.lastID = 1000
	other.driver, other.clock = w.driver, w.clock
	other.tenant = w.driver.containers("other")[0]
	other.domain, other.ctx = other.tenant.dev, other.tenant.contexts["binder"]
	return w, other
}

// sharing returns worlds in two containers, of one device in one instance.
func sharing(t *testing.T) (w, other *world) {
	w, other = neighbours(t)
	w.domain = w.driver.NewDomain("instance")
	w.ctx = w.domain.NewContext("shared")
	other.domain, other.ctx = w.domain, w.ctx
	// Neither is empty before the other.
	t.Cleanup(func() { w.closeAll(); other.closeAll() })
	return w, other
}

// A container has its own context for each device, and shares nothing with others.
func TestTenants(t *testing.T) {
	d := NewDriver(faketime.NewManualClock(), nil, "a", "b")
	ts := d.containers("one", "two")
	one, two := ts[0], ts[1]
	require.Equal(t, "b", one.contexts["b"].name)
	require.NotSame(t, one.contexts["a"], one.contexts["b"])
	require.NotSame(t, one.contexts["a"], two.contexts["a"])
	require.NotSame(t, one.dev, two.dev)
	require.Same(t, one.dev, one.contexts["b"].domain)
	d.StopContainer("one")
	d.StopContainer("three")
	require.Nil(t, d.tenants.get("one"))
	require.Same(t, two, d.tenants.get("two"))

	// The sentry itself is in none.
	dev := containerDevice{driver: d, name: "a"}
	_, err := dev.Open(memorytest.Context(), nil, nil, vfs.OpenOptions{})
	require.Equal(t, linuxerr.ENXIO, err)
}

// A container that is started again is a new one, whoever was context manager in the first.
func TestRestartedTenant(t *testing.T) {
	w := newWorld(t)
	first := w.newManager()
	require.Equal(t, linuxerr.EPERM, func() error {
		first.app.close()
		return w.newApp().ioctl(binder.BINDER_SET_CONTEXT_MGR, 0)
	}())
	w.closeAll()
	w.driver.StopContainer("id")
	w.driver.StartContainer(ContainerInfo{ID: "again", Name: "name", MemoryLimit: math.MaxInt64})
	w.tenant = w.driver.tenants.get("again")
	w.domain, w.ctx = w.tenant.dev, w.tenant.contexts["binder"]
	w.newManager()
}

// Restored containers have other IDs, even ones that others had before, and their old
// tenants: of several with one name, the newest.
func TestRestoreTenants(t *testing.T) {
	saved := NewDriver(newTestClock(), nil, "binder")
	for _, c := range []ContainerInfo{
		{ID: "0", Name: "again", SecurityContext: "first"},
		{ID: "1", Name: "one", SecurityContext: "of one"},
		{ID: "2", Name: "two", SecurityContext: "of two"},
		{ID: "3", Name: "again", SecurityContext: "second"},
	} {
		saved.StartContainer(c)
	}
	var image bytes.Buffer
	_, err := state.Save(memorytest.Context(), &image, &saved)
	require.NoError(t, err)
	var d *Driver
	_, err = state.Load(memorytest.Context(), &image, &d)
	require.NoError(t, err)
	require.Equal(t, "first", d.tenants.get("0").secctx)
	d.RestoreContainers(map[string]string{"one": "2", "two": "1", "again": "7", "new": "8"})
	for id, want := range map[string]string{"2": "of one", "1": "of two", "7": "second"} {
		require.Equal(t, want, d.tenants.get(id).secctx)
		require.NotNil(t, d.tenants.get(id).contexts["binder"])
	}
	require.Nil(t, d.tenants.get("0"))
	require.Nil(t, d.tenants.get("3"))
	require.Nil(t, d.tenants.get("8"), "it has not been started yet")
}

// A caller is identified by the security context of its own container.
func TestSecurityContextsOfTenants(t *testing.T) {
	w, other := sharing(t)
	manager := w.newApp()
	o := nodeObject(0)
	o.Flags = binder.FLAT_BINDER_FLAG_TXN_SECURITY_CTX
	o.MarshalUnsafe(manager.mem.Bytes[argAddr:])
	require.NoError(t, manager.ioctl(binder.BINDER_SET_CONTEXT_MGR_EXT, argAddr))
	for _, caller := range []struct {
		w     *world
		label string
	}{{w, testLabel}, {other, "u:r:other:s0"}} {
		client := caller.w.newApp()
		client.write(client.call(0, binder.TF_ONE_WAY, parcel("")))
		got := manager.expectTransaction(binder.BR_TRANSACTION_SEC_CTX)
		label, err := manager.peek(got.Secctx, uint64(len(caller.label))+1)
		require.NoError(t, err)
		require.Equal(t, caller.label+"\x00", string(label))
		manager.write(got.free())
	}
}

// A process with its own security context is identified by that, and is charged for it.
func TestSecurityContextOfOpener(t *testing.T) {
	w := newWorld(t)
	manager := w.newApp()
	o := nodeObject(0)
	o.Flags = binder.FLAT_BINDER_FLAG_TXN_SECURITY_CTX
	o.MarshalUnsafe(manager.mem.Bytes[argAddr:])
	require.NoError(t, manager.ioctl(binder.BINDER_SET_CONTEXT_MGR_EXT, argAddr))

	for label, want := range map[string]string{"": testLabel, "u:r:own:s0": "u:r:own:s0"} {
		w.label = label
		before := w.tenant.account.Used()
		a := w.open(testMapping)
		require.EqualValues(t, processPrice+len(label), w.tenant.account.Used()-before)
		client := a.newThread()
		client.write(client.call(0, binder.TF_ONE_WAY, parcel("")))
		got := manager.expectTransaction(binder.BR_TRANSACTION_SEC_CTX)
		sent, err := manager.peek(got.Secctx, uint64(len(want))+1)
		require.NoError(t, err)
		require.Equal(t, want+"\x00", string(sent))
		manager.write(got.free())
	}
}

// A container doesn't freeze another's processes, nor learn that they exist.
func TestFreezeOfNeighbour(t *testing.T) {
	w, other := neighbours(t)
	server, client, freezer := w.newApp(), w.newApp(), w.newApp()
	handle := w.give(server, client, 0x10)
	stranger := other.newApp()
	requireRefused := func() {
		t.Helper()
		require.Equal(t, linuxerr.EINVAL, stranger.setFrozen(server, true))
		require.Equal(t, linuxerr.EINVAL, stranger.setFrozen(server, false))
		info := binder.FrozenStatusInfo{PID: uint32(server.pid)}
		info.MarshalUnsafe(stranger.mem.Bytes[argAddr:])
		require.Equal(t, linuxerr.EINVAL, stranger.ioctl(binder.BINDER_GET_FROZEN_INFO, argAddr))
	}
	requireRefused()
	client.write(client.call(handle, 0, parcel("")))
	server.takeCall()
	server.write(server.reply(parcel("")))
	client.expect(binder.BR_TRANSACTION_COMPLETE, binder.BR_REPLY)
	require.NoError(t, freezer.setFrozen(server, true))
	requireRefused()
	require.True(t, server.isFrozen())
}

// Containers that share an instance freeze each other's processes in it, and only
// there.
func TestFreezeInSharedInstance(t *testing.T) {
	w, other := sharing(t)
	server, freezer := w.newApp(), other.newApp()
	private := w.tenant.contexts["binder"].mustOpen(w.tenant, server.app.pid)
	defer private.release(memorytest.Context())
	require.NoError(t, freezer.setFrozen(server, true))
	require.True(t, server.isFrozen())
	require.False(t, private.isFrozen())
	// Its own container freezes all of a process.
	require.NoError(t, w.newApp().setFrozen(server, true))
	require.True(t, private.isFrozen())
}

// A process ID is listed while its first process exists, in the instance of that one's
// device, or in all instances if the device is in /dev.
func TestLoggedProcesses(t *testing.T) {
	w, other := neighbours(t)
	instance := w.driver.NewDomain("instance")
	inOne := instance.NewContext("b")
	open := func(c *Context, pid int32) *Process { return c.mustOpen(w.tenant, pid) }
	views := map[string]*View{
		"one":   {domain: instance, tenant: w.tenant},
		"two":   {domain: w.driver.NewDomain("instance"), tenant: w.tenant},
		"other": {domain: other.domain, tenant: other.tenant},
	}
	pids := func(name string) (pids []int32) {
		v := views[name]
		for p := range v.LoggedProcesses(math.MaxUint64) {
			pids = append(pids, p.PID)
			again, ok := v.LoggedProcess(p.PID)
			require.True(t, ok)
			require.Equal(t, p, again)
		}
		return pids
	}
	first := open(inOne, 5)
	second := open(w.ctx, 5)
	third := open(w.ctx, 3)
	require.Equal(t, []int32{3, 5}, pids("one"))
	require.Equal(t, []int32{3}, pids("two"))
	require.Empty(t, pids("other"))
	_, ok := views["two"].LoggedProcess(5)
	require.False(t, ok)
	var opened []*Process
	for p := range views["two"].openedBy(pidOf(5)) {
		opened = append(opened, p)
	}
	require.Equal(t, []*Process{second, first}, opened)
	first.release(memorytest.Context())
	require.Equal(t, []int32{3}, pids("one"))
	fourth := open(inOne, 5)
	require.Equal(t, []int32{3}, pids("one"), "there was one already")
	second.release(memorytest.Context())
	fourth.release(memorytest.Context())
	fifth := open(inOne, 5)
	require.Equal(t, []int32{5, 3}, pids("one"))
	third.release(memorytest.Context())
	fifth.release(memorytest.Context())
	require.Empty(t, pids("one"))
}

// A log shows its instance, the reader's /dev, and what the reader's container has open
// elsewhere.
func TestLogsOfTenants(t *testing.T) {
	w, other := neighbours(t)
	instance := w.driver.NewDomain("instance").NewContext("instance")
	for _, tenant := range []*Tenant{w.tenant, other.tenant} {
		p := instance.mustOpen(tenant, 500+int32(len(tenant.name)))
		defer p.release(memorytest.Context())
	}
	for _, w := range []*world{w, other} {
		dying, holder := w.newApp(), w.newApp()
		w.give(dying, holder, 0xdead)
		dying.app.close()
		holder.write(holder.call(99, 0, parcel("")))
		holder.expect(binder.BR_FAILED_REPLY)
	}
	w.driver.StartContainer(ContainerInfo{ID: "third"})
	third := w.driver.tenants.get("third")
	for name, tc := range map[string]struct {
		v     *View
		procs []string
		// dead counts dead nodes, and failed calls.
		dead int
	}{
		"/dev of one":           {w.view(), []string{"proc 3", "proc 504"}, 1},
		"/dev of the other":     {other.view(), []string{"proc 1003", "proc 505"}, 1},
		"the instance, to one":  {&View{domain: instance.domain, tenant: w.tenant}, []string{"proc 3", "proc 505", "proc 504"}, 1},
		"the instance, to none": {&View{domain: instance.domain, tenant: third}, []string{"proc 505", "proc 504"}, 0},
		"the instance":          {&View{domain: instance.domain}, []string{"proc 505", "proc 504"}, 0},
		"/dev of the third":     {&View{domain: third.dev, tenant: third}, nil, 0},
		"one's, to the other":   {&View{domain: w.domain, tenant: other.tenant}, []string{"proc 1003", "proc 3", "proc 505"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			state := stateOf(tc.v)
			require.Equal(t, tc.procs, regexp.MustCompile(`(?m)^proc \d+$`).FindAllString(state, -1))
			require.Equal(t, tc.dead, strings.Count(state, "  node "))
			stats := readLog(tc.v, Log{Kind: LogStats})
			require.Equal(t, tc.procs, regexp.MustCompile(`(?m)^proc \d+$`).FindAllString(stats, -1))
			require.Equal(t, tc.dead != 0, strings.Contains(stats, "BR_FAILED_REPLY: "))
			require.Equal(t, tc.dead, strings.Count(readLog(tc.v, Log{Kind: LogLastFailed}), "\n"))
		})
	}
}
