// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//covers:priority
package syscalls

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/test/syscalls/remote"
)

// nice returns the thread's nice value.
func (th *thread) nice() int {
	th.t.Helper()
	return 20 - int(th.Must(th.t, unix.SYS_GETPRIORITY, unix.PRIO_PROCESS, 0))
}

// setNice changes the thread's nice value.
func (th *thread) setNice(n int) {
	th.t.Helper()
	th.Must(th.t, unix.SYS_SETPRIORITY, unix.PRIO_PROCESS, 0, uintptr(n))
}

// expectNice checks the thread's nice value. Linux's Rust driver doesn't change it.
func (th *thread) expectNice(want, unchanged int) {
	th.t.Helper()
	if differs(th.t, onNice) {
		want = unchanged
	}
	require.Equal(th.t, want, th.nice())
}

// newNiceServer returns the manager, one of whose nodes, with minimum priority min,
// client has a handle to. All its threads handle calls at nice value 10 unless the call
// says otherwise.
func newNiceServer(t *testing.T, min uint32) (server, client *process, h uint32) {
	server, client = newBareProcess(t), newProcess(t)
	server.setNice(10)
	server.connect(defaultDevice)
	server.becomeManager()
	return server, client, server.giveObject(client, node(0x10, 0).withFlags(min))
}

// A call is handled at the nice value of the caller, but at least as urgently as its node
// requires. With the reply, the thread gets its own back.
func TestNiceOfCall(t *testing.T) {
	for _, tc := range []struct {
		caller int
		min    uint32
		want   int
	}{
		{0, 0, 0}, {5, 0, 0}, {-5, 0, -5}, {-20, 0, -20}, {19, 0, 0},
		{5, 10, 5}, {10, 5, 5}, {12, 12, 12}, {15, 12, 12}, {12, 15, 12},
		{19, 19, 19}, {15, 20, 15}, {19, 127, 19}, {-20, 128, -20}, {19, 255, 19}, {-1, 236, -1},
	} {
		t.Run(fmt.Sprintf("%d at least %d", tc.caller, tc.min), func(t *testing.T) {
			server, client, h := newNiceServer(t, tc.min)
			client.setNice(tc.caller)
			client.start(readSize, bcTransaction{handle: h})
			server.read()
			server.expectNice(tc.want, 10)
			server.write(bcReply{})
			server.expectNice(10, 10)
			client.finish().ok(t)
			require.Equal(t, tc.caller, client.nice())
		})
	}
}

// The caller's nice value is the one at the time of the call.
func TestNiceIsThatOfTheCall(t *testing.T) {
	server, client, h := newNiceServer(t, 0)
	client.setNice(-7)
	client.write(bcTransaction{handle: h})
	client.setNice(3)
	server.read()
	server.expectNice(-7, 10)
	// What the thread does itself in between does not matter.
	server.setNice(7)
	server.write(bcReply{})
	server.expectNice(10, 7)
	client.expect(brNoop, brTransactionComplete, &message{reply: true})
	require.Equal(t, 3, client.nice())
}

// The thread also gets its nice value back if the reply fails, or nobody waits for it; a
// reply without a call changes nothing.
func TestNiceAfterFailingReply(t *testing.T) {
	server, client, h := newNiceServer(t, 0)
	call := func() {
		client.setNice(-7)
		client.startWriteRead(bcTransaction{handle: h})
		server.read()
		server.expectNice(-7, 10)
	}
	call()
	server.write(bcReply{edit: badData})
	server.expectNice(10, 10)
	server.expect(brNoop, brTransactionComplete)
	client.finishExpect(brNoop, brTransactionComplete, brFailedReply)
	call()
	client.kill()
	server.write(bcReply{})
	server.expectNice(10, 10)
	server.expectInReads(brTransactionComplete)
	server.setNice(4)
	server.write(bcReply{})
	server.expectNice(4, 4)
}

// A one-way transaction is handled at its node's minimum if that is more urgent than the
// thread, until the thread looks for more work. The sender does not matter.
func TestNiceOfOneWay(t *testing.T) {
	for _, tc := range []struct {
		min  uint32
		want int
	}{{0, 0}, {5, 5}, {10, 10}, {15, 10}, {255, 10}} {
		for _, sender := range []int{-5, 7, 19} {
			t.Run(fmt.Sprintf("%d at least %d", sender, tc.min), func(t *testing.T) {
				server, client, h := newNiceServer(t, tc.min)
				client.setNice(sender)
				client.write(bcTransaction{handle: h, flags: oneWay})
				server.write(server.read().message(t).free())
				server.expectNice(tc.want, 10)
				server.expectNothing()
				server.expectNice(10, 10)
			})
		}
	}
}

// A thread that looks for process work gets the nice value that the process had when it
// opened the device; one that looks for its own work keeps what it has.
func TestDefaultNice(t *testing.T) {
	newManager(t)
	p := newBareProcess(t)
	p.setNice(3)
	p.connect(defaultDevice)
	for _, th := range []*thread{p.thread, p.newLooper(), p.newThread()} {
		th.setNice(9)
		th.expectNothing()
		th.expectNice(3, 9)
		th.setNice(11)
		th.failCall()
		th.expectNice(11, 11)
	}
}

// A nested call has its own nice value: that of the thread that calls back.
func TestNiceOfNestedCall(t *testing.T) {
	manager, client := newManager(t), newProcess(t)
	client.start(readSize, bcTransaction{payload: payload{node(clientNode, 0).withFlags(15)}})
	request := manager.read().message(t)
	h := request.handle(0)
	manager.write(bcIncrefs(h), bcAcquire(h), bcReply{}, request.free())
	client.finish().ok(t)
	manager.expect(brNoop, brTransactionComplete)

	client.setNice(12)
	client.startWriteRead(bcTransaction{})
	manager.read()
	manager.setNice(4)
	manager.startWriteRead(bcTransaction{handle: h})
	client.finish().ok(t)
	client.expectNice(4, 12)
	client.replyAndWait(bcReply{})
	manager.finish().ok(t)
	require.Equal(t, 4, manager.nice())
	manager.write(bcReply{})
	manager.expectNice(0, 4)
	client.finish().ok(t)
	require.Equal(t, 12, client.nice())
}

// A manager can have a minimum as well.
func TestNiceOfManager(t *testing.T) {
	server, client := newProcess(t), newProcess(t)
	object := node(0, 0).withFlags(12)
	eventually(t, "the device has no context manager", func() bool {
		_, err := server.ioctlBytes(binder.BINDER_SET_CONTEXT_MGR_EXT, object.encode())
		return err == nil
	})
	client.setNice(18)
	client.start(readSize, bcTransaction{})
	server.read()
	server.expectNice(12, 0)
}

// Flags that only Android's kernels implement change nothing.
func TestInheritRealTime(t *testing.T) {
	const flags = binder.FLAT_BINDER_FLAG_INHERIT_RT | binder.FLAT_BINDER_FLAG_SCHED_POLICY
	server, client, h := newNiceServer(t, flags|5)
	client.setNice(7)
	client.start(readSize, bcTransaction{handle: h})
	server.read()
	server.expectNice(5, 10)
	server.write(bcReply{})
	server.expectNice(10, 10)
	client.finish().ok(t)
}

// setPolicy changes the thread's scheduling policy.
func (th *thread) setPolicy(policy, priority uint32) {
	th.t.Helper()
	require.NoError(th.t, unix.SchedSetAttr(th.TID(), &unix.SchedAttr{
		Size: unix.SizeofSchedAttr, Policy: policy, Priority: priority}, 0))
}

// expectPolicy checks the thread's scheduling policy.
func (th *thread) expectPolicy(policy, priority uint32) {
	th.t.Helper()
	attr, err := unix.SchedGetAttr(th.TID(), 0)
	require.NoError(th.t, err)
	require.Equal(th.t, policy, attr.Policy)
	require.Equal(th.t, priority, attr.Priority)
}

// Only nice values are passed on. A caller with a real-time policy passes the one that it
// would have without it, and a thread with such a policy keeps it.
func TestRealTimePolicy(t *testing.T) {
	policies := []struct{ policy, priority uint32 }{{unix.SCHED_NORMAL, 0}, {unix.SCHED_FIFO, 50}, {unix.SCHED_RR, 7}}
	for _, caller := range policies {
		for _, callee := range policies {
			t.Run(fmt.Sprintf("%v to %v", caller, callee), func(t *testing.T) {
				server, client, h := newNiceServer(t, 3)
				client.setPolicy(caller.policy, caller.priority)
				client.setNice(-5)
				server.setPolicy(callee.policy, callee.priority)
				server.setNice(10)
				check := func(nice int) {
					t.Helper()
					server.expectNice(nice, 10)
					server.expectPolicy(callee.policy, callee.priority)
				}
				check(10)
				client.start(readSize, bcTransaction{handle: h})
				server.read()
				check(-5)
				server.write(bcReply{})
				check(10)
				client.finish().ok(t)
				server.expect(brNoop, brTransactionComplete)
				client.write(bcTransaction{handle: h, flags: oneWay})
				server.read()
				check(3)
				require.Equal(t, -5, client.nice())
				client.expectPolicy(caller.policy, caller.priority)
			})
		}
	}
}

// callUnprivileged makes a call at nice value -8 to an unprivileged thread at 5, and
// returns the thread's nice values while it handles the call and after its reply. The
// argument is its limit.
func callUnprivileged(t *testing.T, limit uint64) (during, after int) {
	server, client := newManager(t), newProcess(t)
	*remote.Struct[unix.Rlimit](server.Scratch()) = unix.Rlimit{Cur: limit, Max: 100}
	_, err := server.Call(t, unix.SYS_SETRLIMIT, unix.RLIMIT_NICE, server.Scratch())
	if err == unix.EPERM && limit != 0 {
		t.Skip("RLIMIT_NICE cannot be changed here")
	}
	server.setUser(1000)
	server.setNice(5)
	client.setNice(-8)
	client.startWriteRead(bcTransaction{})
	server.read()
	during = server.nice()
	server.write(bcReply{})
	after = server.nice()
	client.finish().ok(t)
	server.kill()
	return during, after
}

// An unprivileged thread keeps what it has.
func TestNiceOfUnprivileged(t *testing.T) {
	during, after := callUnprivileged(t, 0)
	require.Equal(t, 5, during)
	require.Equal(t, 5, after)
}

// RLIMIT_NICE allows it some values. It gets the nearest, even if it already was more
// urgent, or less.
func TestNiceLimit(t *testing.T) {
	for _, tc := range []struct {
		limit         uint64
		during, after int
	}{{1, 19, 19}, {10, 10, 10}, {20, 0, 0}, {25, -5, 0}, {28, -8, 0}, {40, -8, 0}, {50, -8, 0}} {
		during, after := callUnprivileged(t, tc.limit)
		if differs(t, onNice) {
			tc.during, tc.after = 5, 5
		}
		require.Equal(t, tc.during, during, "limit %d", tc.limit)
		require.Equal(t, tc.after, after, "limit %d", tc.limit)
	}
}
