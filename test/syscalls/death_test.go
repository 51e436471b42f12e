// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//covers:death
package syscalls

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// newMortal returns the manager and a client that has a handle to one of the manager's
// nodes.
func newMortal(t *testing.T) (owner, client *process, h uint32) {
	t.Helper()
	owner, client = newManager(t), newProcess(t)
	return owner, client, owner.give(client, 0x10, 0x20)
}

// When a node's owner dies, whoever requested it is notified, with its own cookie.
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

// The manager's death can be requested, too.
func TestDeathOfManager(t *testing.T) {
	manager, client := newManager(t), newProcess(t)
	client.write(bcIncrefs(0), bcAcquire(0), bcRequestDeath(0, 0xdead))
	manager.kill()
	client.expect(brNoop, brDeadBinder(0xdead))
}

// A request after the death is notified at once.
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

// A process's death is reported to everyone who requested it, once for each handle, in
// the order of the nodes' pointers. A read returns one death.
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

// A request can be cleared, which is acknowledged.
func TestClearDeath(t *testing.T) {
	owner, client, h := newMortal(t)
	client.write(bcRequestDeath(h, 1))
	client.write(bcClearDeath(h, 1))
	client.expect(brNoop, brClearDeathDone(1))
	owner.kill()
	newManager(t) // which shows that the old one is gone
	client.expectNothing()
}

// After that another request can be made.
func TestRequestDeathAgain(t *testing.T) {
	owner, client, h := newMortal(t)
	client.write(bcRequestDeath(h, 1), bcClearDeath(h, 1), bcRequestDeath(h, 2))
	client.expect(brNoop, brClearDeathDone(1))
	owner.kill()
	client.expect(brNoop, brDeadBinder(2))
}

// A second request for the same handle is ignored.
func TestRequestDeathTwice(t *testing.T) {
	owner, client, h := newMortal(t)
	client.write(bcRequestDeath(h, 1), bcRequestDeath(h, 2))
	client.expectNothing()
	owner.kill()
	client.expect(brNoop, brDeadBinder(1))
	client.expectNothing()
}

// Clearing a request that was never made, or with another cookie, is ignored.
func TestClearDeathMismatch(t *testing.T) {
	owner, client, h := newMortal(t)
	client.write(bcClearDeath(h, 1))
	client.expectNothing()
	client.write(bcRequestDeath(h, 1), bcClearDeath(h, 2))
	client.expectNothing()
	owner.kill()
	client.expect(brNoop, brDeadBinder(1))
}

// Requests for nonexistent handles are ignored.
func TestRequestDeathOfNothing(t *testing.T) {
	newManager(t)
	client := newProcess(t)
	client.write(bcRequestDeath(99, 1), bcClearDeath(99, 1))
	client.expectNothing()
}

// So are unexpected acknowledgements.
func TestUnaskedDeadBinderDone(t *testing.T) {
	owner, client, h := newMortal(t)
	client.write(bcDeadBinderDone(1), bcRequestDeath(h, 1), bcDeadBinderDone(1))
	client.expectNothing()
	owner.kill()
	client.expect(brNoop, brDeadBinder(1))
}

// If a request is cleared after the death was read, but before that was acknowledged, the
// clearing is acknowledged only then.
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

// If a request is cleared after the death, but before that was read, both the death and,
// once that is acknowledged, the clearing are reported.
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

// The handle of a dead node stays, and can be released, until the request is cleared or
// the process ends.
func TestReleaseDeadHandle(t *testing.T) {
	owner, client, h := newMortal(t)
	client.write(bcRequestDeath(h, 1))
	owner.kill()
	client.expect(brNoop, brDeadBinder(1))
	client.write(bcRelease(h), bcDecrefs(h))
	client.write(bcDeadBinderDone(1), bcClearDeath(h, 1))
	client.expectNothing()
}

// The request goes with the last reference; the death is not reported.
func TestRequestEndsWithReference(t *testing.T) {
	owner, client, h := newMortal(t)
	client.write(bcRequestDeath(h, 1))
	client.write(bcRelease(h), bcDecrefs(h))
	owner.expect(brNoop, brRelease(0x10, 0x20), brDecrefs(0x10, 0x20))
	owner.kill()
	newManager(t)
	client.expectNothing()
}

// A weak reference suffices for a request.
func TestDeathOfWeakHandle(t *testing.T) {
	owner, client, h := newMortal(t)
	client.write(bcRelease(h), bcRequestDeath(h, 1))
	owner.kill()
	client.expect(brNoop, brDeadBinder(1))
}

// A death is delivered to a looper, not to any other thread.
func TestWhoIsToldOfDeath(t *testing.T) {
	owner, client, h := newMortal(t)
	th := client.newThread()
	th.write(bcRequestDeath(h, 1))
	owner.kill()
	client.expect(brNoop, brDeadBinder(1))
}

// A call to a dead node fails, whether or not its death was requested.
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

// A looper that clears a request gets the acknowledgement itself.
func TestClearDeathAcknowledgedInThread(t *testing.T) {
	_, client, h := newMortal(t)
	th := client.newLooper()
	th.write(bcRequestDeath(h, 1), bcClearDeath(h, 1))
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
