// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//covers:security-context
package syscalls

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
)

const secCtx = binder.FLAT_BINDER_FLAG_TXN_SECURITY_CTX

// label is everybody's security context, including its terminating NUL: that of Linux
// with SELinux and no policy, or the sandbox's default.
var label = func() string {
	if inSandbox() {
		return "u:object_r:unlabeled:s0\x00"
	}
	return "kernel\x00"
}()

// labelSpace is the label's size in a buffer.
var labelSpace = (len(label) + 7) &^ 7

// newCuriousManager starts a manager whose node asks for security contexts.
func newCuriousManager(t *testing.T) *process {
	t.Helper()
	server := newProcess(t)
	server.becomeManagerWith(node(0, 0).withFlags(secCtx))
	return server
}

// expectLabel checks that a message of the thread's process has the label in its buffer,
// after size bytes.
func (th *thread) expectLabel(m *message, size int) {
	th.t.Helper()
	require.EqualValues(th.t, m.buffer+uint64(size), m.secctx)
	got, err := th.ReadMemory(th.t, uintptr(m.secctx), len(label))
	require.NoError(th.t, err)
	require.Equal(th.t, label, string(got))
}

// A node that asks for it gets the caller's security context, after the data and the
// offsets.
func TestSecurityContext(t *testing.T) {
	for _, tc := range []struct {
		name    string
		payload payload
		size    int
	}{
		{"nothing", nil, 0},
		{"five bytes", payload{text("hello")}, 8},
		{"eight bytes", payload{text("12345678")}, 8},
		{"an object", payload{text("1234"), node(0x10, 0)}, 40},
	} {
		for name, flags := range map[string]uint32{"call": 0, "one-way": oneWay} {
			t.Run(tc.name+" "+name, func(t *testing.T) {
				server, client := newCuriousManager(t), newProcess(t)
				client.write(bcTransaction{code: 7, flags: flags, payload: tc.payload})
				got := server.read().message(t)
				require.EqualValues(t, 7, got.code)
				require.Equal(t, flags, got.flags)
				server.expectLabel(got, tc.size)
			})
		}
	}
}

// It's the same for any user.
func TestSecurityContextOfUser(t *testing.T) {
	server, client := newCuriousManager(t), newProcess(t)
	client.setUser(1000)
	client.write(bcTransaction{flags: oneWay})
	got := server.read().message(t)
	require.Equal(t, 1000, got.euid)
	server.expectLabel(got, 0)
}

// Any node can ask for it when it is first sent, but not later.
func TestSecurityContextOfNode(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	asks := server.giveObject(client, node(0x10, 0).withFlags(secCtx))
	asksNot := server.giveObject(client, node(0x20, 0))
	_, answer := client.call(server.thread, bcTransaction{}, payload{node(0x20, 0).withFlags(secCtx), node(0x10, 0)})
	require.Equal(t, []uint32{asksNot, asks}, []uint32{answer.handle(0), answer.handle(1)})
	client.write(bcTransaction{handle: asks, flags: oneWay})
	server.expectLabel(server.expect(brNoop, &message{ptr: 0x10, flags: oneWay}).message(t), 0)
	client.write(bcTransaction{handle: asksNot, flags: oneWay})
	got := server.expect(brNoop, &message{ptr: 0x20, flags: oneWay}).message(t)
	require.Zero(t, got.secctx)
}

// A reply has none, whoever gets it.
func TestSecurityContextOfReply(t *testing.T) {
	server, client := newCuriousManager(t), newProcess(t)
	client.start(readSize, bcTransaction{})
	server.read()
	server.write(bcReply{payload: payload{text("hello")}})
	got := client.finishExpect(brNoop, brTransactionComplete, &message{reply: true, payload: payload{text("hello")}})
	require.Zero(t, got.message(t).secctx)
}

// A call back into a chain has one, too.
func TestSecurityContextOfNestedCall(t *testing.T) {
	manager, client := newManager(t), newProcess(t)
	client.write(bcTransaction{payload: payload{node(0x10, 0).withFlags(secCtx)}})
	h := manager.read().message(t).handle(0)
	manager.startWriteRead(bcTransaction{handle: h})
	client.expect(brNoop, brIncrefs(0x10, 0), brAcquire(0x10, 0), brTransactionComplete, &message{ptr: 0x10, pid: manager.pid()})
	client.write(bcReply{})
	manager.finish().ok(t)
}

// It uses space in the buffer.
func TestSecurityContextTakesSpace(t *testing.T) {
	server, client := newCuriousManager(t), newProcess(t)
	page := client.Must(t, unix.SYS_MMAP, 0, 2*mapSize, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANON, ^uintptr(0), 0)
	send := func(n int) {
		client.write(bcTransaction{edit: func(tr *binder.TransactionData) { tr.Buffer, tr.DataSize = uint64(page), uint64(n) }})
	}
	send(mapSize)
	client.expect(brNoop, brFailedReply)
	send(mapSize - labelSpace + 1)
	client.expect(brNoop, brFailedReply)
	send(mapSize - labelSpace)
	server.expectLabel(server.read().message(t), mapSize-labelSpace)
	server.write(bcReply{})
	client.expect(brNoop, brTransactionComplete, &message{reply: true})
}

// The buffer is freed together with its label, of which nothing is left for the next.
func TestSecurityContextIsFreed(t *testing.T) {
	server, client := newCuriousManager(t), newProcess(t)
	for range 3 {
		client.write(bcTransaction{flags: oneWay, payload: payload{text("hello")}})
		got := server.read().message(t)
		require.Zero(t, server.offset(got))
		server.write(got.free())
	}
}

// A transaction with a label needs more room in the read buffer, but no more than is
// always required.
func TestSecurityContextReadSize(t *testing.T) {
	server, client := newCuriousManager(t), newProcess(t)
	client.write(bcTransaction{flags: oneWay})
	expect(t, server.writeRead(minReadSize-1).ok(t), brNoop)
	server.expectLabel(server.writeRead(minReadSize).ok(t).message(t), 0)
}
