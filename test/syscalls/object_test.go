// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//covers:objects
package syscalls

import (
	"testing"

	"github.com/stretchr/testify/require"

	"sentrybinder/pkg/abi/binder"
)

// A node becomes a handle for its receiver. The pointer and the cookie do not leave the
// owner's process; the flags are passed on.
func TestNodeBecomesHandle(t *testing.T) {
	for _, flags := range []uint32{0, binder.FLAT_BINDER_FLAG_ACCEPTS_FDS, 0x7f, binder.FLAT_BINDER_FLAG_INHERIT_RT | 19} {
		manager, client := newManager(t), newProcess(t)
		client.write(bcTransaction{flags: oneWay, payload: payload{node(0x10, 0x20).withFlags(flags)}})
		manager.expect(brNoop, &message{flags: oneWay, payload: payload{handle(1).withFlags(flags)}})
		client.expect(brNoop, brIncrefs(0x10, 0x20), brAcquire(0x10, 0x20), brTransactionComplete)
		manager.kill()
	}
}

// A weak node becomes a weak handle.
func TestWeakNodeBecomesWeakHandle(t *testing.T) {
	manager, client := newManager(t), newProcess(t)
	client.write(bcTransaction{flags: oneWay, payload: payload{weakNode(0x10, 0x20)}})
	manager.expect(brNoop, &message{flags: oneWay, payload: payload{weakHandle(1)}})
	client.expect(brNoop, brIncrefs(0x10, 0x20), brTransactionComplete)
}

// A handle becomes a node again for its owner, with pointer and cookie. The owner is told
// of no new reference.
func TestHandleBecomesNodeForOwner(t *testing.T) {
	owner, client := newManager(t), newProcess(t)
	h := owner.give(client, 0x10, 0x20)
	client.write(bcTransaction{flags: oneWay, payload: payload{handle(h), text("and "), weakHandle(h)}})
	owner.expect(brNoop, &message{flags: oneWay, payload: payload{node(0x10, 0x20), text("and "), weakNode(0x10, 0x20)}})
	owner.expectNothing()
}

// The node in the owner's buffer is a reference. If it is the last, the owner is told of
// its end when it frees the buffer.
//
//covers:objects,counts
func TestHandleSentToOwnerIsAReference(t *testing.T) {
	owner, client := newManager(t), newProcess(t)
	h := owner.give(client, 0x10, 0x20)
	client.write(bcTransaction{flags: oneWay, payload: payload{handle(h)}})
	got := owner.expect(brNoop, &message{flags: oneWay, payload: payload{node(0x10, 0x20)}})
	client.write(bcRelease(h), bcDecrefs(h))
	owner.expectNothing()
	owner.write(got.message(t).free())
	owner.expect(brNoop, brRelease(0x10, 0x20), brDecrefs(0x10, 0x20))
}

// For anybody else, a handle becomes the receiver's own handle. The owner is told
// nothing.
func TestHandleToThirdProcess(t *testing.T) {
	manager, one, two := newManager(t), newProcess(t), newProcess(t)
	h := one.offer(manager, 0x10)
	manager.give(two, 0x99, 0) // so that the numbers differ
	_, answer := two.call(manager.thread, bcTransaction{}, payload{handle(h).withFlags(0x7f), weakHandle(h)})
	require.Equal(t, payload{handle(2).withFlags(0x7f), weakHandle(2)}, payload{answer.object(0), answer.object(1)})
	one.expectNothing()
	two.write(bcTransaction{handle: 2, code: 5, flags: oneWay})
	one.expect(brNoop, &message{ptr: 0x10, cookie: 0x11, code: 5, flags: oneWay})
}

// A weak handle can't be sent as a strong one.
//
//covers:objects,counts
func TestWeakHandleStaysWeak(t *testing.T) {
	owner, client := newManager(t), newProcess(t)
	h := owner.give(client, 0x10, 0x20)
	client.write(bcRelease(h))
	owner.expect(brNoop, brRelease(0x10, 0x20))
	client.write(bcTransaction{flags: oneWay, payload: payload{handle(h)}})
	client.expect(brNoop, brFailedReply)
	client.write(bcTransaction{flags: oneWay, payload: payload{weakHandle(h)}})
	client.expect(brNoop, brTransactionComplete)
	owner.expect(brNoop, &message{flags: oneWay, payload: payload{weakNode(0x10, 0x20)}})
}

// A node sent twice is one handle, even in one message.
func TestSameNodeTwice(t *testing.T) {
	manager, client := newManager(t), newProcess(t)
	client.write(bcTransaction{flags: oneWay, payload: payload{node(0x10, 0x20), node(0x30, 0x40), node(0x10, 0x20)}})
	manager.expect(brNoop, &message{flags: oneWay, payload: payload{handle(1), handle(2), handle(1)}})
	client.expect(brNoop, brIncrefs(0x10, 0x20), brAcquire(0x10, 0x20), brIncrefs(0x30, 0x40), brAcquire(0x30, 0x40), brTransactionComplete)
}

// Null is a node like any other.
func TestNodeZero(t *testing.T) {
	manager, client := newManager(t), newProcess(t)
	client.write(bcTransaction{flags: oneWay, payload: payload{node(0, 0)}})
	got := manager.read().message(t)
	require.Equal(t, "{HANDLE flags=0x0 0x1 cookie=0x0}", describe(got.data, got.offsets))
	client.expect(brNoop, brIncrefs(0, 0), brAcquire(0, 0), brTransactionComplete)
}

// A node keeps the cookie with which it was first sent; sending it with another is an
// error.
//
//covers:objects,malformed
func TestCookieMismatch(t *testing.T) {
	manager, client := newManager(t), newProcess(t)
	client.offer(manager, 0x10)
	client.write(bcTransaction{flags: oneWay, payload: payload{node(0x10, 0x99)}})
	client.expect(brNoop, brFailedReply)
	manager.expectNothing()
}

// A handle that the sender lacks is an error.
//
//covers:objects,malformed
func TestUnknownHandle(t *testing.T) {
	manager, client := newManager(t), newProcess(t)
	for _, o := range []object{handle(1), weakHandle(1), handle(^uint32(0)), handle(0)} {
		client.write(bcTransaction{flags: oneWay, payload: payload{o}})
		client.expect(brNoop, brFailedReply)
	}
	manager.expectNothing()
}

// Whoever has a reference to handle 0 can send it. For the manager it is its own node.
//
//covers:handles,objects
func TestSendHandleZero(t *testing.T) {
	manager, client := newManager(t), newProcess(t)
	client.write(bcIncrefs(0), bcAcquire(0))
	client.write(bcTransaction{flags: oneWay, payload: payload{handle(0)}})
	client.expect(brNoop, brTransactionComplete)
	manager.expect(brNoop, &message{flags: oneWay, payload: payload{node(0, 0)}})
}

// The upper half of a handle is ignored, and zero in what the receiver gets.
func TestUpperHalfOfHandle(t *testing.T) {
	manager, one, two := newManager(t), newProcess(t), newProcess(t)
	h := one.offer(manager, 0x10)
	o := handle(h)
	o.Binder |= 0xabcd << 32
	o.Cookie = 0x1234
	_, answer := two.call(manager.thread, bcTransaction{}, payload{o})
	require.Equal(t, handle(1), answer.object(0))
}

// When a transaction fails at one of its objects, the ones before it are undone, and
// nobody is told of them.
//
//covers:objects,malformed
func TestFailureUndoesObjects(t *testing.T) {
	manager, client := newManager(t), newProcess(t)
	client.write(bcTransaction{flags: oneWay, payload: payload{node(0x10, 0x20), handle(99)}})
	client.expect(brNoop, brFailedReply)
	manager.expectNothing()
	// The number is free again.
	client.write(bcTransaction{flags: oneWay, payload: payload{node(0x30, 0)}})
	manager.expect(brNoop, &message{flags: oneWay, payload: payload{handle(1)}})
}

// Data around objects is unchanged.
func TestDataAroundObjects(t *testing.T) {
	manager, client := newManager(t), newProcess(t)
	p := payload{text("1234"), node(0x10, 0), text("567890ab"), node(0x20, 0), text("odd")}
	client.write(bcTransaction{flags: oneWay, payload: p})
	p[1], p[3] = handle(1), handle(2)
	manager.expect(brNoop, &message{flags: oneWay, payload: p})
}

// Objects in a reply are treated as those in a call.
func TestObjectsInReply(t *testing.T) {
	manager, client := newManager(t), newProcess(t)
	mine := client.offer(manager, 0x50)
	client.start(readSize, bcTransaction{})
	manager.read()
	manager.write(bcReply{payload: payload{node(0x10, 0x20), handle(mine), weakNode(0x30, 0)}})
	client.finishExpect(brNoop, brTransactionComplete,
		&message{reply: true, payload: payload{handle(1), node(0x50, 0x51), weakHandle(2)}})
}

// A hundred objects can be in one message.
func TestManyObjects(t *testing.T) {
	const n = 100
	manager, client := newManager(t), newProcess(t)
	var sent, want payload
	for i := range n {
		sent = append(sent, node(uint64(i+1), 0))
		want = append(want, handle(uint32(i+1)))
	}
	client.write(bcTransaction{flags: oneWay, payload: sent})
	got := manager.expect(brNoop, &message{flags: oneWay, payload: want})
	manager.write(got.message(t).free())
}

// Handles are the lowest free numbers, from 1 on.
//
//covers:handles
func TestLowestHandle(t *testing.T) {
	manager, client := newManager(t), newProcess(t)
	for i := range uint32(5) {
		require.Equal(t, i+1, manager.give(client, uint64(i+1), 0))
	}
	drop := func(h uint32) {
		client.write(bcRelease(h), bcDecrefs(h))
		manager.expect(brNoop, brRelease(uint64(h), 0), brDecrefs(uint64(h), 0))
	}
	drop(4)
	drop(2)
	require.EqualValues(t, 2, manager.give(client, 0x100, 0))
	require.EqualValues(t, 4, manager.give(client, 0x101, 0))
	require.EqualValues(t, 6, manager.give(client, 0x102, 0))
}

// A handle keeps its number as long as any reference to it exists, even if its node is
// dead.
//
//covers:handles
func TestDeadHandleKeepsNumber(t *testing.T) {
	manager, one, two := newManager(t), newProcess(t), newProcess(t)
	h := one.offer(manager, 0x10)
	one.kill()
	manager.write(bcRequestDeath(h, 1))
	manager.expect(brNoop, brDeadBinder(1))
	require.Equal(t, h+1, two.offer(manager, 0x10))
}

// A weak reference suffices to keep the number.
//
//covers:handles
func TestWeakReferenceKeepsNumber(t *testing.T) {
	manager, client := newManager(t), newProcess(t)
	h := manager.give(client, 0x10, 0)
	client.write(bcRelease(h))
	manager.expect(brNoop, brRelease(0x10, 0))
	require.Equal(t, h+1, manager.give(client, 0x11, 0))
}

// Each process has its own numbers.
//
//covers:handles
func TestHandlesArePerProcess(t *testing.T) {
	manager, one, two := newManager(t), newProcess(t), newProcess(t)
	require.EqualValues(t, 1, manager.give(one, 0x10, 0))
	require.EqualValues(t, 1, manager.give(two, 0x11, 0))
}

// Handle 0 is reserved for the manager's node: it stays free without one.
//
//covers:handles
func TestHandleZeroIsReserved(t *testing.T) {
	first, client := newManager(t), newProcess(t)
	h := first.give(client, 0x10, 0)
	require.EqualValues(t, 1, h)
	client.write(bcIncrefs(0), bcAcquire(0))
	client.write(bcRelease(0), bcDecrefs(0))
	require.EqualValues(t, 2, first.give(client, 0x11, 0))
}

// The manager's node is handle 0 even if it is received as an object.
//
//covers:handles,objects
func TestManagerNodeIsHandleZero(t *testing.T) {
	manager, client := newManager(t), newProcess(t)
	_, answer := client.call(manager.thread, bcTransaction{}, payload{node(0, 0)})
	want := 0
	if differs(t, onHandleZero) {
		want = 1
	}
	require.EqualValues(t, want, answer.handle(0))
}

// A node that is sent as a weak and as a strong object at once is announced once for
// each, and after those that were announced when it became strong.
//
//covers:objects,counts
func TestWeakAndStrongAtOnce(t *testing.T) {
	for _, tc := range []struct {
		name  string
		sent  payload
		want  payload
		told  []br
		freed []br
	}{
		{
			"weak, strong", payload{weakNode(0x10, 0), node(0x10, 0)}, payload{weakHandle(1), handle(1)},
			[]br{brIncrefs(0x10, 0), brAcquire(0x10, 0)},
			[]br{brRelease(0x10, 0), brDecrefs(0x10, 0)},
		},
		{
			"strong, weak", payload{node(0x10, 0), weakNode(0x10, 0)}, payload{handle(1), weakHandle(1)},
			[]br{brIncrefs(0x10, 0), brAcquire(0x10, 0)},
			[]br{brRelease(0x10, 0), brDecrefs(0x10, 0)},
		},
		{
			"weak, other, strong",
			payload{weakNode(0x10, 0), node(0x30, 0), node(0x10, 0)}, payload{weakHandle(1), handle(2), handle(1)},
			[]br{brIncrefs(0x30, 0), brAcquire(0x30, 0), brIncrefs(0x10, 0), brAcquire(0x10, 0)},
			[]br{brRelease(0x30, 0), brDecrefs(0x30, 0), brRelease(0x10, 0), brDecrefs(0x10, 0)},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			manager, client := newManager(t), newProcess(t)
			client.write(bcTransaction{flags: oneWay, payload: tc.sent})
			got := manager.expect(brNoop, &message{flags: oneWay, payload: tc.want})
			client.expect(append(append([]br{brNoop}, tc.told...), brTransactionComplete)...)
			for _, ptr := range []uint64{0x10, 0x30} {
				client.write(bcIncrefsDone(ptr, 0), bcAcquireDone(ptr, 0))
			}
			manager.write(got.message(t).free())
			if len(tc.freed) > 2 && differs(t, onFreeOrder) {
				tc.freed = append(tc.freed[2:], tc.freed[:2]...)
			}
			client.expect(append([]br{brNoop}, tc.freed...)...)
		})
	}
}

// A node that others know weakly is announced again when it becomes strong.
//
//covers:objects,counts
func TestWeakThenStrong(t *testing.T) {
	manager, client := newManager(t), newProcess(t)
	client.write(bcTransaction{flags: oneWay, payload: payload{weakNode(0x10, 0x20)}})
	client.expect(brNoop, brIncrefs(0x10, 0x20), brTransactionComplete)
	got := manager.expect(brNoop, &message{flags: oneWay, payload: payload{weakHandle(1)}})
	manager.write(bcIncrefs(1), got.message(t).free())
	client.write(bcTransaction{flags: oneWay, payload: payload{node(0x10, 0x20)}})
	client.expect(brNoop, brAcquire(0x10, 0x20), brTransactionComplete)
	got = manager.expect(brNoop, &message{flags: oneWay, payload: payload{handle(1)}})
	manager.write(got.message(t).free())
	client.write(bcIncrefsDone(0x10, 0x20))
	client.expectNothing()
	client.write(bcAcquireDone(0x10, 0x20))
	client.expect(brNoop, brRelease(0x10, 0x20))
	manager.write(bcDecrefs(1))
	client.expect(brNoop, brDecrefs(0x10, 0x20))
}
