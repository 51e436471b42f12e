// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//covers:death
package syscalls

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// newMortal returns the manager and a client of which the latter has a handle
// to a node of the former's.
func newMortal(t *testing.T) (owner, client *process, h uint32) {
	t.Helper()
	owner, client = newManager(t), newProcess(t)
	return owner, client, owner.give(client, 0x10, 0x20)
}

// When a node's owner dies, who asked for it is told, with its own cookie.
func TestDeath(t *testing.T) {
	owner, client, h := newMortal(t)
	client.write(bcRequestDeath(h, 0xdead))
	client.startRead()
	owner.kill()
	client.finishExpect(brNoop, brDeadBinder(0xdead))
	client.write(bcDeadBinderDone(0xdead))
	client.expectNothing()
}

// The same when the owner closes the device.
//
//covers:death,close
func TestDeathByClose(t *testing.T) {
	owner, client, h := newMortal(t)
	client.write(bcRequestDeath(h, 0xdead))
	owner.munmap()
	owner.close(owner.fd)
	client.expect(brNoop, brDeadBinder(0xdead))
}

// The manager's death can be asked for too.
func TestDeathOfManager(t *testing.T) {
	manager, client := newManager(t), newProcess(t)
	client.write(bcIncrefs(0), bcAcquire(0), bcRequestDeath(0, 0xdead))
	manager.kill()
	client.expect(brNoop, brDeadBinder(0xdead))
}

// Who asks after the death is told at once.
func TestDeathRequestedLate(t *testing.T) {
	owner, client, h := newMortal(t)
	client.write(bcRequestDeath(h, 1))
	owner.kill()
	client.expect(brNoop, brDeadBinder(1))
	client.write(bcDeadBinderDone(1), bcClearDeath(h, 1))
	client.expect(brNoop, brClearDeathDone(1))
	client.write(bcRequestDeath(h, 2))
	client.expect(brNoop, brDeadBinder(2))
}

// The death of one process is told to each that asked, once for each handle,
// in the order of the nodes' pointers. A read tells of one death.
func TestDeathToldToAll(t *testing.T) {
	owner, one, two := newManager(t), newProcess(t), newProcess(t)
	a, b := owner.give(one, 0x10, 0), owner.give(one, 0x11, 0)
	_, answer := two.call(owner.thread, bcTransaction{}, payload{node(0x10, 0)})
	c := answer.handle(0)
	one.write(bcRequestDeath(a, 0xa), bcRequestDeath(b, 0xb))
	two.write(bcAcquire(c), answer.free(), bcRequestDeath(c, 0xc))
	owner.kill()
	one.expect(brNoop, brDeadBinder(0xa))
	one.expect(brNoop, brDeadBinder(0xb))
	two.expect(brNoop, brDeadBinder(0xc))
}

// A request can be withdrawn, which is acknowledged.
func TestClearDeath(t *testing.T) {
	owner, client, h := newMortal(t)
	client.write(bcRequestDeath(h, 1))
	client.write(bcClearDeath(h, 1))
	client.expect(brNoop, brClearDeathDone(1))
	owner.kill()
	newManager(t) // which shows that the old one is gone
	client.expectNothing()
}

// After the withdrawal another request can be made.
func TestRequestDeathAgain(t *testing.T) {
	owner, client, h := newMortal(t)
	client.write(bcRequestDeath(h, 1), bcClearDeath(h, 1), bcRequestDeath(h, 2))
	client.expect(brNoop, brClearDeathDone(1))
	owner.kill()
	client.expect(brNoop, brDeadBinder(2))
}

// A request for what has one already is ignored.
func TestRequestDeathTwice(t *testing.T) {
	owner, client, h := newMortal(t)
	client.write(bcRequestDeath(h, 1), bcRequestDeath(h, 2))
	client.expectNothing()
	owner.kill()
	client.expect(brNoop, brDeadBinder(1))
	client.expectNothing()
}

// Withdrawals of what was not requested, or with another cookie, are ignored.
func TestClearDeathMismatch(t *testing.T) {
	owner, client, h := newMortal(t)
	client.write(bcClearDeath(h, 1))
	client.expectNothing()
	client.write(bcRequestDeath(h, 1), bcClearDeath(h, 2))
	client.expectNothing()
	owner.kill()
	client.expect(brNoop, brDeadBinder(1))
}

// Requests for handles that do not exist are ignored.
func TestRequestDeathOfNothing(t *testing.T) {
	newManager(t)
	client := newProcess(t)
	client.write(bcRequestDeath(99, 1), bcClearDeath(99, 1))
	client.expectNothing()
}

// So are acknowledgements that nobody asked for.
func TestUnaskedDeadBinderDone(t *testing.T) {
	owner, client, h := newMortal(t)
	client.write(bcDeadBinderDone(1), bcRequestDeath(h, 1), bcDeadBinderDone(1))
	client.expectNothing()
	owner.kill()
	client.expect(brNoop, brDeadBinder(1))
}

// If it is withdrawn after the death was told, but before that was
// acknowledged, the withdrawal is acknowledged after that.
func TestClearDeathAfterDeath(t *testing.T) {
	owner, client, h := newMortal(t)
	client.write(bcRequestDeath(h, 1))
	owner.kill()
	client.expect(brNoop, brDeadBinder(1))
	client.write(bcClearDeath(h, 1))
	client.expectNothing()
	client.write(bcDeadBinderDone(1))
	client.expect(brNoop, brClearDeathDone(1))
}

// If it is withdrawn after the death, but before that was told, both the death
// and, once that is acknowledged, the withdrawal are.
func TestClearDeathBeforeItIsTold(t *testing.T) {
	owner, client, h := newMortal(t)
	client.write(bcRequestDeath(h, 1))
	owner.kill()
	client.awaitReadable()
	client.write(bcClearDeath(h, 1))
	client.expect(brNoop, brDeadBinder(1))
	client.expectNothing()
	client.write(bcDeadBinderDone(1))
	client.expect(brNoop, brClearDeathDone(1))
}

// awaitReadable waits until there is something to read.
func (th *thread) awaitReadable() {
	th.t.Helper()
	th.startPoll(unix.POLLIN, 20_000)
	require.EqualValues(th.t, unix.POLLIN, th.finishPoll())
}

// The handle of a dead node stays, and can be released, until the request is
// withdrawn or the process ends.
func TestReleaseDeadHandle(t *testing.T) {
	owner, client, h := newMortal(t)
	client.write(bcRequestDeath(h, 1))
	owner.kill()
	client.expect(brNoop, brDeadBinder(1))
	client.write(bcRelease(h), bcDecrefs(h))
	client.write(bcDeadBinderDone(1), bcClearDeath(h, 1))
	client.expectNothing()
}

// With the last reference the request is gone; nothing is told of the death.
func TestRequestEndsWithReference(t *testing.T) {
	owner, client, h := newMortal(t)
	client.write(bcRequestDeath(h, 1))
	client.write(bcRelease(h), bcDecrefs(h))
	owner.expect(brNoop, brRelease(0x10, 0x20), brDecrefs(0x10, 0x20))
	owner.kill()
	newManager(t)
	client.expectNothing()
}

// A weak reference is enough to ask.
func TestDeathOfWeakHandle(t *testing.T) {
	owner, client, h := newMortal(t)
	client.write(bcRelease(h), bcRequestDeath(h, 1))
	owner.kill()
	client.expect(brNoop, brDeadBinder(1))
}

// A death is told to a looper; a thread that is not one is not told.
func TestWhoIsToldOfDeath(t *testing.T) {
	owner, client, h := newMortal(t)
	th := client.newThread()
	th.write(bcRequestDeath(h, 1))
	owner.kill()
	client.expect(brNoop, brDeadBinder(1))
}

// A call to a dead node fails, whether or not its death was asked for.
//
//covers:ends,failures
func TestCallDead(t *testing.T) {
	owner, client, h := newMortal(t)
	client.write(bcRequestDeath(h, 1))
	owner.kill()
	client.expect(brNoop, brDeadBinder(1))
	for _, flags := range []uint32{0, oneWay} {
		client.write(bcTransaction{handle: h, flags: flags})
		client.expect(brNoop, brDeadReply)
	}
}

// The acknowledgement can come in the same write as others.
func TestClearDeathAcknowledgedInThread(t *testing.T) {
	_, client, h := newMortal(t)
	th := client.newLooper()
	th.write(bcRequestDeath(h, 1), bcClearDeath(h, 1))
	// It is told to the thread that withdrew.
	client.expectNothing()
	th.expect(brNoop, brClearDeathDone(1))
}

// A thread that is not a looper leaves the acknowledgement to the loopers.
func TestClearDeathByNoLooper(t *testing.T) {
	_, client, h := newMortal(t)
	th := client.newThread()
	th.write(bcRequestDeath(h, 1), bcClearDeath(h, 1))
	client.expect(brNoop, brClearDeathDone(1))
}
