// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sentrybinder/pkg/abi/binder"
)

func TestCallAndReply(t *testing.T) {
	w := newWorld(t)
	manager, client := w.newManager(), w.newApp()

	client.write(client.message(binder.BC_TRANSACTION, 0, 7, binder.TF_ACCEPT_FDS, parcel("question")))
	client.expectNothing()
	got := manager.expectTransaction(binder.BR_TRANSACTION)
	require.Equal(t, "question", string(got.data))
	require.Equal(t, uint32(7), got.TransactionData.Code)
	require.Equal(t, uint32(binder.TF_ACCEPT_FDS), got.TransactionData.Flags)
	require.Equal(t, client.pid, got.TransactionData.SenderPID)
	require.Equal(t, uint32(client.euid), got.TransactionData.SenderEUID)
	manager.expectNothing()

	manager.write(got.free(), manager.reply(parcel("answer")))
	manager.expect(binder.BR_TRANSACTION_COMPLETE)
	answer := client.expectReply()
	require.Equal(t, "answer", string(answer.data))
	require.Zero(t, answer.TransactionData.SenderPID)
	client.write(answer.free())
	client.expectNothing()
	manager.expectNothing()
}

// expectReply reads the reply to a call whose completion th has not read yet.
func (th *thread) expectReply() received {
	th.w.t.Helper()
	return th.received(th.expect(binder.BR_TRANSACTION_COMPLETE, binder.BR_REPLY)[1])
}

// takeCall reads a call and frees its buffer.
func (th *thread) takeCall() received {
	th.w.t.Helper()
	got := th.expectTransaction(binder.BR_TRANSACTION)
	th.write(got.free())
	return got
}

// stack describes what th handles and waits for, innermost first.
//
// +checklocksignore
func (th *thread) stack() string {
	s := ""
	for t := th.state().inner.stack.Get(); t != nil; {
		if t.inner.toThread == th.state() {
			s += fmt.Sprintf("handles %d,", t.code)
			t = t.inner.toParent.Get()
		} else {
			s += fmt.Sprintf("waits for %d,", t.code)
			t = t.inner.fromParent.Get()
		}
	}
	return s
}

// chain is processes of two threads each, which can all call each other.
type chain struct {
	*world
	a, b, c    *thread
	a2, b2, c2 *thread
	handles    map[*app]map[*app]uint32
	lastCode   uint32
}

func newChain(t *testing.T) *chain {
	c := &chain{world: newWorld(t), handles: make(map[*app]map[*app]uint32)}
	for _, th := range []struct{ first, second **thread }{{&c.a, &c.a2}, {&c.b, &c.b2}, {&c.c, &c.c2}} {
		*th.first = c.newApp()
		*th.second = (*th.first).newThread()
	}
	all := []*thread{c.a, c.b, c.c}
	for i, from := range all {
		c.handles[from.app] = make(map[*app]uint32)
		for j, to := range all {
			if i != j {
				c.handles[from.app][to.app] = c.give(to, from, uint64(i+1)*0x10)
			}
		}
	}
	return c
}

// call makes from call to. It returns the call's code.
func (c *chain) call(from, to *thread, flags uint32) uint32 {
	c.t.Helper()
	c.lastCode++
	handle := c.handles[from.app][to.app]
	from.write(from.message(binder.BC_TRANSACTION, uint64(handle), c.lastCode, flags, parcel("call")))
	return c.lastCode
}

// TestNested calls back and forth in a chain: a call to a process goes to its thread that
// waits for the caller, if there is one.
func TestNested(t *testing.T) {
	c := newChain(t)
	one := c.call(c.a, c.b, 0)
	require.Equal(t, one, c.b.takeCall().TransactionData.Code)
	c.b.expectNothing()
	two := c.call(c.b, c.c, 0)
	require.Equal(t, two, c.c.takeCall().TransactionData.Code)

	// c calls a, which waits for b, which waits for c.
	three := c.call(c.c, c.a, 0)
	c.a2.expectNothing()
	require.Equal(t, three, c.nestedCall(c.a).TransactionData.Code)
	require.Equal(t, "handles 3,waits for 1,", c.a.stack())
	require.Equal(t, "waits for 2,handles 1,", c.b.stack())
	require.Equal(t, "waits for 3,handles 2,", c.c.stack())

	// And a calls b; the call goes to the thread that waits for c.
	four := c.call(c.a, c.b, 0)
	c.b2.expectNothing()
	require.Equal(t, four, c.nestedCall(c.b).TransactionData.Code)
	require.Equal(t, "waits for 4,handles 3,waits for 1,", c.a.stack())

	for _, step := range []struct{ from, to *thread }{{c.b, c.a}, {c.a, c.c}, {c.c, c.b}, {c.b, c.a}} {
		step.from.write(step.from.reply(parcel("reply")))
		rs := step.to.read()
		require.EqualValues(t, binder.BR_REPLY, rs[len(rs)-1].br)
		got := step.to.received(rs[len(rs)-1])
		step.to.write(got.free())
	}
	for _, th := range []*thread{c.a, c.b, c.c} {
		require.Empty(t, th.stack())
	}
	c.requireSound()
}

// nestedCall reads the completion of the thread's own call, and then a call to it.
func (c *chain) nestedCall(th *thread) received {
	c.t.Helper()
	got := th.received(th.expect(binder.BR_TRANSACTION_COMPLETE, binder.BR_TRANSACTION)[1])
	th.write(got.free())
	return got
}

// TestOneWayIsNotNested sends a one-way call to a process with a thread that waits for the
// caller: it goes to any thread.
func TestOneWayIsNotNested(t *testing.T) {
	c := newChain(t)
	c.call(c.a, c.b, 0)
	c.b.takeCall()
	code := c.call(c.b, c.a, binder.TF_ONE_WAY)
	c.a.expectNothing()
	got := c.a2.takeCall()
	require.Equal(t, code, got.TransactionData.Code)
	require.Zero(t, got.TransactionData.SenderPID)
	require.Empty(t, c.a2.stack())
}

// TestOutOfTurn makes calls while the thread waits for a reply, and replies to nothing.
func TestOutOfTurn(t *testing.T) {
	c := newChain(t)
	c.b.write(c.b.reply(parcel("to whom?")))
	c.b.expect(binder.BR_FAILED_REPLY)

	c.call(c.a, c.b, 0)
	c.call(c.a, c.b, 0)
	c.a.expect(binder.BR_TRANSACTION_COMPLETE, binder.BR_FAILED_REPLY)
	c.a.write(c.a.reply(parcel("to whom?")))
	c.a.expect(binder.BR_FAILED_REPLY)

	// A thread with an unread call back can't call, either.
	c.b.takeCall()
	c.call(c.b, c.a, 0)
	c.call(c.a, c.b, 0)
	c.a.expect(binder.BR_TRANSACTION)
	c.a.expect(binder.BR_FAILED_REPLY)
	require.Equal(t, "handles 3,waits for 1,", c.a.stack())
	c.requireSound()
}

// TestFailureStops writes commands after a failing one: they are not consumed until the
// failure is read.
func TestFailureStops(t *testing.T) {
	w := newWorld(t)
	w.newManager()
	client := w.newApp()
	out := client.try(client.reply(parcel("")), cmd(binder.BC_ENTER_LOOPER))
	require.NoError(t, out.err)
	require.EqualValues(t, 4+binder.SizeOfTransactionData, out.WriteConsumed)
	out = client.try(cmd(binder.BC_ENTER_LOOPER))
	require.NoError(t, out.err)
	require.Zero(t, out.WriteConsumed)
	client.expect(binder.BR_FAILED_REPLY)
	client.write(cmd(binder.BC_ENTER_LOOPER))
}

// TestCallToOneself: the manager can't call itself, not even through another open device of
// the same process.
func TestCallToOneself(t *testing.T) {
	w := newWorld(t)
	manager := w.newManager()
	manager.write(manager.call(0, 0, parcel("")))
	manager.expect(binder.BR_FAILED_REPLY)

	again := w.openAs(manager.pid, testMapping).newThread()
	again.write(again.call(0, 0, parcel("")))
	again.expect(binder.BR_FAILED_REPLY)
	w.requireSound()
}

// TestOneWayOrder sends one-way calls to two nodes: those to one node arrive one at a time,
// in order, and don't wait for the other's.
func TestOneWayOrder(t *testing.T) {
	w := newWorld(t)
	server, client := w.newApp(), w.newApp()
	first, second := w.give(server, client, 0x10), w.give(server, client, 0x20)
	for i, handle := range []uint32{first, first, second, first, second} {
		client.write(client.message(binder.BC_TRANSACTION, uint64(handle), uint32(i), binder.TF_ONE_WAY, parcel("x")))
	}
	zero := server.expectTransaction(binder.BR_TRANSACTION)
	two := server.expectTransaction(binder.BR_TRANSACTION)
	server.expectNothing()
	require.Equal(t, [2]uint32{0, 2}, [2]uint32{zero.TransactionData.Code, two.TransactionData.Code})
	server.write(two.free())
	require.EqualValues(t, 4, server.takeCall().TransactionData.Code)
	server.expectNothing()
	server.write(zero.free())
	require.EqualValues(t, 1, server.takeCall().TransactionData.Code)
	require.EqualValues(t, 3, server.takeCall().TransactionData.Code)
	server.expectNothing()
	w.requireSound()
}

// TestEndInTheMiddle ends one of three parties while a calls b, which calls c.
func TestEndInTheMiddle(t *testing.T) {
	exit := func(th *thread) { require.NoError(t, th.ioctl(binder.BINDER_THREAD_EXIT, 0)) }
	shut := func(th *thread) { th.app.close() }
	reply := func(th *thread) { th.write(th.reply(parcel("late"))) }
	for _, tc := range []struct {
		name string
		run  func(c *chain, end func(*thread))
	}{
		{"the last, which has read", func(c *chain, end func(*thread)) {
			c.c.takeCall()
			end(c.c)
			c.b.expect(binder.BR_TRANSACTION_COMPLETE, binder.BR_DEAD_REPLY)
			reply(c.b)
			c.b.expect(binder.BR_TRANSACTION_COMPLETE)
			c.a.expectReply()
		}},
		{"the middle", func(c *chain, end func(*thread)) {
			c.c.takeCall()
			end(c.b)
			c.a.expectNothing()
			// The caller of the middle is told when the last replies.
			reply(c.c)
			c.c.expect(binder.BR_TRANSACTION_COMPLETE)
			c.a.expect(binder.BR_TRANSACTION_COMPLETE, binder.BR_DEAD_REPLY)
		}},
		{"the first", func(c *chain, end func(*thread)) {
			c.c.takeCall()
			end(c.a)
			reply(c.c)
			c.b.expectReply()
			reply(c.b)
			c.b.expect(binder.BR_TRANSACTION_COMPLETE)
			require.Empty(c.t, c.b.stack())
		}},
		{"the middle, then the last", func(c *chain, end func(*thread)) {
			c.c.takeCall()
			end(c.b)
			end(c.c)
			c.a.expect(binder.BR_TRANSACTION_COMPLETE, binder.BR_DEAD_REPLY)
		}},
		{"all", func(c *chain, end func(*thread)) {
			end(c.a)
			end(c.b)
			end(c.c)
		}},
	} {
		for how, end := range map[string]func(*thread){"thread": exit, "process": shut} {
			t.Run(tc.name+"/"+how, func(t *testing.T) {
				c := newChain(t)
				c.call(c.a, c.b, 0)
				c.b.takeCall()
				c.call(c.b, c.c, 0)
				tc.run(c, end)
				c.requireSound()
			})
		}
	}
}

// TestExitUnread ends a thread with two calls unread: one that any thread may take, and one
// for that thread.
func TestExitUnread(t *testing.T) {
	c := newChain(t)
	code := c.call(c.a, c.b, 0)
	require.NoError(t, c.b.ioctl(binder.BINDER_THREAD_EXIT, 0))
	require.Equal(t, code, c.b2.takeCall().TransactionData.Code)
	c.call(c.b2, c.a, 0)
	require.NoError(t, c.a.ioctl(binder.BINDER_THREAD_EXIT, 0))
	c.b2.expect(binder.BR_TRANSACTION_COMPLETE, binder.BR_DEAD_REPLY)
	c.a2.expectNothing()
	c.requireSound()
}

// TestEndUnread closes the receiver of calls that it has not read.
func TestEndUnread(t *testing.T) {
	w := newWorld(t)
	server, client := w.newApp(), w.newApp()
	handle := w.give(server, client, 0x10)
	other := client.app.newThread()
	for range 2 {
		client.write(client.call(handle, binder.TF_ONE_WAY, parcel("one-way", nodeObject(0x100))))
	}
	other.write(other.call(handle, 0, parcel("call")))
	server.app.close()
	other.expect(binder.BR_TRANSACTION_COMPLETE, binder.BR_DEAD_REPLY)

	// And a call after that.
	other.write(other.call(handle, 0, parcel("call")))
	other.expect(binder.BR_DEAD_REPLY)
	other.write(other.call(handle, binder.TF_ONE_WAY, parcel("call")))
	other.expect(binder.BR_DEAD_REPLY)
	w.requireSound()
}

// TestEndDuringCopy ends the receiver of a transaction, or the thread that it is for, during
// the copy of the contents.
func TestEndDuringCopy(t *testing.T) {
	contents := parcel("text", nodeObject(0x100), handleObject(2), fileObject(3), "more text")
	for _, tc := range []struct {
		name string
		run  func(c *chain)
	}{
		{"call", func(c *chain) {
			c.a.mem.onCopy = c.b.app.close
			c.a.write(c.a.call(1, 0, contents))
			c.a.expect(binder.BR_DEAD_REPLY)
			require.Empty(c.t, c.a.stack())
		}},
		{"one-way call", func(c *chain) {
			c.a.mem.onCopy = c.b.app.close
			c.a.write(c.a.call(1, binder.TF_ONE_WAY, contents))
			c.a.expect(binder.BR_DEAD_REPLY)
		}},
		{"call back to a thread", func(c *chain) {
			c.call(c.b, c.a, 0)
			c.a.takeCall()
			c.a.mem.onCopy = func() { _ = c.b.ioctl(binder.BINDER_THREAD_EXIT, 0) }
			c.a.write(c.a.call(1, 0, contents))
			c.a.expect(binder.BR_DEAD_REPLY)
			require.Equal(c.t, "handles 1,", c.a.stack())
		}},
		{"reply to a process", func(c *chain) {
			c.call(c.b, c.a, binder.TF_ACCEPT_FDS)
			c.a.takeCall()
			c.a.mem.onCopy = c.b.app.close
			c.a.write(c.a.reply(contents))
			c.a.expect(binder.BR_TRANSACTION_COMPLETE)
			require.Empty(c.t, c.a.stack())
		}},
		{"reply to a thread", func(c *chain) {
			c.call(c.b, c.a, binder.TF_ACCEPT_FDS)
			c.a.takeCall()
			c.a.mem.onCopy = func() { _ = c.b.ioctl(binder.BINDER_THREAD_EXIT, 0) }
			c.a.write(c.a.reply(contents))
			c.a.expect(binder.BR_TRANSACTION_COMPLETE)
			c.b2.expectNothing()
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newChain(t)
			c.a.app.installFile(newEventFile(t))
			before := c.active()
			tc.run(c)
			require.EqualValues(t, 1, c.a.refsOf(3), "the file was kept")
			require.Nil(t, c.a.nodeAt(0x100), "the node was kept")
			require.LessOrEqual(t, c.active()["ref"], before["ref"])
			require.EqualValues(t, strings.Count(c.a.stack(), ","), c.active()["transaction"])
			c.requireSound()
			if len(c.apps) < 3 {
				c.b.requireGone(c.world)
			}
		})
	}
}

// TestReplyFails sends a reply that can't be delivered: the caller is told.
func TestReplyFails(t *testing.T) {
	w := newWorld(t)
	manager := w.newManager()
	for _, tc := range []struct {
		name   string
		client *app
		reply  payload
		want   uint32
	}{
		{"malformed", w.open(testMapping), payload{[]byte("x"), []uint64{8}}, binder.BR_FAILED_REPLY},
		{"too long", w.open(4096), payload{make([]byte, 4097), nil}, binder.BR_FAILED_REPLY},
		{"nothing mapped", w.open(0), parcel("x"), binder.BR_DEAD_REPLY},
		{"a file that is not accepted", w.open(testMapping), parcel(fileObject(3)), binder.BR_FAILED_REPLY},
	} {
		t.Run(tc.name, func(t *testing.T) {
			client := tc.client.newThread()
			client.write(client.call(0, 0, parcel("call")))
			manager.takeCall()
			manager.write(manager.reply(tc.reply))
			manager.expect(binder.BR_TRANSACTION_COMPLETE)
			client.expect(binder.BR_TRANSACTION_COMPLETE, tc.want)
			require.Empty(t, client.stack())
			require.Empty(t, manager.stack())
			w.requireSound()
		})
	}
}

// TestSecurityContext gives a node that requests it the sender's label, after the contents.
func TestSecurityContext(t *testing.T) {
	w := newWorld(t)
	manager, client := w.newApp(), w.newApp()
	o := binder.FlatObject{Flags: binder.FLAT_BINDER_FLAG_TXN_SECURITY_CTX, Binder: 0x10, Cookie: 0x20}
	o.MarshalUnsafe(manager.mem.Bytes[argAddr:])
	require.NoError(t, manager.ioctl(binder.BINDER_SET_CONTEXT_MGR_EXT, argAddr))
	for _, code := range []uint32{binder.BC_TRANSACTION, binder.BC_TRANSACTION_SG} {
		c := client.message(code, 0, 0, binder.TF_ONE_WAY, parcel("odd"))
		if code == binder.BC_TRANSACTION_SG {
			c = append(c, 16, 0, 0, 0, 0, 0, 0, 0)
		}
		client.write(c)
		got := manager.expectTransaction(binder.BR_TRANSACTION_SEC_CTX)
		require.Equal(t, "odd", string(got.data))
		require.EqualValues(t, 0x10, got.TransactionData.Target)
		require.EqualValues(t, 0x20, got.TransactionData.Cookie)
		label, err := manager.peek(got.Secctx, uint64(len(testLabel))+1)
		require.NoError(t, err)
		require.Equal(t, testLabel+"\x00", string(label))
		manager.write(got.free())
		w.requireSound()
	}
}
