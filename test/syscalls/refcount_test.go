// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//covers:references,counts
package syscalls

import (
	"testing"

	"github.com/stretchr/testify/require"

	"sentrybinder/pkg/abi/binder"
)

// When the last strong reference is dropped the owner gets BR_RELEASE, when the last weak
// one is, BR_DECREFS.
func TestReleaseAndDecrefs(t *testing.T) {
	owner, client := newManager(t), newProcess(t)
	h := owner.give(client, 0x10, 0x20)
	client.write(bcRelease(h))
	owner.expect(brNoop, brRelease(0x10, 0x20))
	client.write(bcDecrefs(h))
	owner.expect(brNoop, brDecrefs(0x10, 0x20))
	owner.expectNothing()
}

// Both at once arrive in this order, in one read.
func TestReleaseAndDecrefsAtOnce(t *testing.T) {
	owner, client := newManager(t), newProcess(t)
	h := owner.give(client, 0x10, 0x20)
	client.write(bcRelease(h), bcDecrefs(h))
	owner.expect(brNoop, brRelease(0x10, 0x20), brDecrefs(0x10, 0x20))
}

// A strong reference alone keeps the weak one alive, too.
func TestDecrefsBeforeRelease(t *testing.T) {
	owner, client := newManager(t), newProcess(t)
	h := owner.give(client, 0x10, 0x20)
	client.write(bcDecrefs(h))
	owner.expectNothing()
	client.write(bcRelease(h))
	owner.expect(brNoop, brRelease(0x10, 0x20), brDecrefs(0x10, 0x20))
}

// References are counted: only the last matters to the owner.
func TestReferencesAreCounted(t *testing.T) {
	owner, client := newManager(t), newProcess(t)
	h := owner.give(client, 0x10, 0x20)
	client.write(bcAcquire(h), bcAcquire(h), bcIncrefs(h))
	client.write(bcRelease(h), bcRelease(h), bcDecrefs(h))
	owner.expectNothing()
	client.write(bcRelease(h))
	owner.expect(brNoop, brRelease(0x10, 0x20))
}

// The references of two processes count together for the owner.
func TestReferencesOfTwoProcesses(t *testing.T) {
	owner, one, two := newManager(t), newProcess(t), newProcess(t)
	h1 := owner.give(one, 0x10, 0x20)
	// The owner is not told again.
	_, answer := two.call(owner.thread, bcTransaction{}, payload{node(0x10, 0x20)})
	h2 := answer.handle(0)
	two.write(bcAcquire(h2), answer.free())
	owner.expectNothing()
	one.write(bcRelease(h1), bcDecrefs(h1))
	owner.expectNothing()
	two.write(bcRelease(h2))
	owner.expect(brNoop, brRelease(0x10, 0x20), brDecrefs(0x10, 0x20))
}

// After BR_RELEASE a new strong reference is announced again.
func TestAcquireAgain(t *testing.T) {
	owner, client := newManager(t), newProcess(t)
	h := owner.give(client, 0x10, 0x20)
	client.write(bcRelease(h))
	owner.expect(brNoop, brRelease(0x10, 0x20))
	// With a weak reference only, the handle cannot be acquired.
	r := client.writeRead(0, bcAcquire(h))
	require.NoError(t, r.err)
	owner.expectNothing()
	_, answer := client.call2(owner, bcTransaction{}, payload{node(0x10, 0x20)}, brAcquire(0x10, 0x20))
	require.Equal(t, h, answer.handle(0))
}

// call2 is call for a server that is told of references before its reply's completion.
func (th *thread) call2(server *process, tr bcTransaction, reply payload, told ...br) (request, answer *message) {
	th.t.Helper()
	th.start(readSize, tr)
	request = server.read().message(th.t)
	server.write(bcReply{payload: reply}, request.free())
	server.expect(append(append([]br{brNoop}, told...), brTransactionComplete)...)
	answer = th.finish().ok(th.t).message(th.t)
	return request, answer
}

// Until the owner has acknowledged BR_ACQUIRE the node stays, so BR_RELEASE waits for
// BC_ACQUIRE_DONE, and BR_DECREFS for BC_INCREFS_DONE.
func TestReleaseWaitsForDone(t *testing.T) {
	owner, client := newManager(t), newProcess(t)
	_, answer := client.call2(owner, bcTransaction{}, payload{node(0x10, 0x20)}, brIncrefs(0x10, 0x20), brAcquire(0x10, 0x20))
	client.write(answer.free())
	owner.expectNothing()
	owner.write(bcIncrefsDone(0x10, 0x20))
	owner.expectNothing()
	owner.write(bcAcquireDone(0x10, 0x20))
	owner.expect(brNoop, brRelease(0x10, 0x20), brDecrefs(0x10, 0x20))
}

// The acknowledgements may come in the opposite order.
func TestDoneInOtherOrder(t *testing.T) {
	owner, client := newManager(t), newProcess(t)
	_, answer := client.call2(owner, bcTransaction{}, payload{node(0x10, 0x20)}, brIncrefs(0x10, 0x20), brAcquire(0x10, 0x20))
	client.write(answer.free())
	owner.write(bcAcquireDone(0x10, 0x20))
	if differs(t, onAcknowledgements) {
		owner.expectNothing()
		owner.write(bcIncrefsDone(0x10, 0x20))
		owner.expect(brNoop, brRelease(0x10, 0x20), brDecrefs(0x10, 0x20))
		return
	}
	owner.expect(brNoop, brRelease(0x10, 0x20))
	owner.write(bcIncrefsDone(0x10, 0x20))
	owner.expect(brNoop, brDecrefs(0x10, 0x20))
}

// Unexpected acknowledgements, or those for nonexistent nodes or with a wrong cookie, are
// ignored.
func TestUnaskedDone(t *testing.T) {
	owner, client := newManager(t), newProcess(t)
	h := owner.give(client, 0x10, 0x20)
	owner.write(
		bcIncrefsDone(0x10, 0x20), bcAcquireDone(0x10, 0x20),
		bcIncrefsDone(0x99, 0), bcAcquireDone(0x99, 0),
		bcIncrefsDone(0x10, 0x21), bcAcquireDone(0x10, 0x21),
	)
	client.write(bcRelease(h), bcDecrefs(h))
	owner.expect(brNoop, brRelease(0x10, 0x20), brDecrefs(0x10, 0x20))
}

// An acknowledgement with a wrong cookie doesn't count.
func TestDoneWithWrongCookie(t *testing.T) {
	owner, client := newManager(t), newProcess(t)
	_, answer := client.call2(owner, bcTransaction{}, payload{node(0x10, 0x20)}, brIncrefs(0x10, 0x20), brAcquire(0x10, 0x20))
	client.write(answer.free())
	owner.write(bcIncrefsDone(0x10, 0x21), bcAcquireDone(0x10, 0x21))
	owner.expectNothing()
}

// A handle in a buffer lives as long as the buffer. If the receiver takes no reference of
// its own, the owner is told when the buffer is freed.
//
//covers:counts,free-buffer
func TestBufferHoldsReference(t *testing.T) {
	owner, client := newManager(t), newProcess(t)
	_, answer := client.call2(owner, bcTransaction{}, payload{node(0x10, 0x20)}, brIncrefs(0x10, 0x20), brAcquire(0x10, 0x20))
	owner.write(bcIncrefsDone(0x10, 0x20), bcAcquireDone(0x10, 0x20))
	owner.expectNothing()
	client.write(answer.free())
	owner.expect(brNoop, brRelease(0x10, 0x20), brDecrefs(0x10, 0x20))
	client.write(bcTransaction{handle: answer.handle(0)})
	client.expect(brNoop, brFailedReply)
}

// A weak object is announced with BR_INCREFS alone.
func TestWeakNode(t *testing.T) {
	owner, client := newManager(t), newProcess(t)
	_, answer := client.call2(owner, bcTransaction{}, payload{weakNode(0x10, 0x20)}, brIncrefs(0x10, 0x20))
	owner.write(bcIncrefsDone(0x10, 0x20))
	require.EqualValues(t, binder.BINDER_TYPE_WEAK_HANDLE, answer.object(0).Type)
	client.write(answer.free())
	owner.expect(brNoop, brDecrefs(0x10, 0x20))
}

// A handle with only weak references cannot be called.
//
//covers:counts,failures
func TestCallThroughWeakHandle(t *testing.T) {
	owner, client := newManager(t), newProcess(t)
	h := owner.give(client, 0x10, 0x20)
	client.write(bcRelease(h))
	client.write(bcTransaction{handle: h})
	client.expect(brNoop, brFailedReply)
}

// Reference commands on nonexistent handles are ignored, and so are those that would make
// a count negative.
func TestReferenceCommandsOnNothing(t *testing.T) {
	owner, client := newManager(t), newProcess(t)
	h := owner.give(client, 0x10, 0x20)
	client.write(bcIncrefs(99), bcAcquire(99), bcRelease(99), bcDecrefs(99), bcAcquire(^uint32(0)))
	client.write(bcRelease(h), bcRelease(h), bcRelease(h))
	owner.expect(brNoop, brRelease(0x10, 0x20))
	client.write(bcDecrefs(h), bcDecrefs(h))
	owner.expect(brNoop, brDecrefs(0x10, 0x20))
	owner.expectNothing()
}

// The manager is not told of references to handle 0, which are counted nevertheless.
//
//covers:references,handles
func TestReferencesOfManager(t *testing.T) {
	manager, client := newManager(t), newProcess(t)
	client.write(bcIncrefs(0), bcAcquire(0))
	client.write(bcRelease(0), bcDecrefs(0), bcRelease(0), bcDecrefs(0))
	manager.expectNothing()
	client.call(manager.thread, bcTransaction{}, nil)
}

// A process that ends drops all its references.
//
//covers:counts,ends
func TestReferencesEndWithProcess(t *testing.T) {
	owner, client := newManager(t), newProcess(t)
	h := owner.give(client, 0x10, 0x20)
	client.write(bcAcquire(h), bcIncrefs(h), bcAcquire(h))
	client.kill()
	owner.expectInReads(brRelease(0x10, 0x20), brDecrefs(0x10, 0x20))
}

// So does one that closes the device.
//
//covers:counts,close
func TestReferencesEndWithClose(t *testing.T) {
	owner, client := newManager(t), newProcess(t)
	owner.give(client, 0x10, 0x20)
	client.munmap()
	client.close(client.fd)
	owner.expectInReads(brRelease(0x10, 0x20), brDecrefs(0x10, 0x20))
}

// References that nobody acknowledges are dropped with their owner.
//
//covers:counts,ends
func TestOwnerEndsUnacknowledged(t *testing.T) {
	owner, client := newManager(t), newProcess(t)
	client.start(readSize, bcTransaction{})
	owner.read()
	owner.write(bcReply{payload: payload{node(0x10, 0x20)}})
	client.finish().ok(t)
	owner.kill()
}

// The thread that sent the node is told; if the references change later, any of the
// owner's threads is.
func TestWhoIsTold(t *testing.T) {
	owner, client := newManager(t), newProcess(t)
	h := owner.give(client, 0x10, 0x20)
	other := owner.newLooper()
	other.startRead()
	client.write(bcRelease(h))
	other.finishExpect(brNoop, brRelease(0x10, 0x20))
	owner.expectNothing()
}
