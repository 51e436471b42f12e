// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/errors/linuxerr"

	"sentrybinder/pkg/abi/binder"
)

// nodeModel is a node as its owner and some users know it.
type nodeModel struct {
	*world
	owner *thread
	users []*nodeUser

	// strong and weak are what the owner was last told, acks what it has to answer.
	strong, weak bool
	acks         [][]byte
}

// nodeUser is a process that gets the node, always as handle 1. Its counts are those of its
// references.
type nodeUser struct {
	*thread
	toIt         uint32 // handle of the owner's by which it reaches the user
	strong, weak int
	buffers      []heldBuffer
}

// heldBuffer is a buffer with the node in it.
type heldBuffer struct {
	free   []byte
	strong bool
}

const modelPtr = 0x1000

// TestNodeModel sends a node, strong and weak, to a few processes, which acquire and release
// at random. What the owner is told agrees with the counts whenever it has read and answered
// everything.
func TestNodeModel(t *testing.T) {
	m := &nodeModel{world: newWorld(t)}
	m.owner = m.newApp()
	for range 3 {
		u := &nodeUser{thread: m.newApp()}
		u.toIt = m.give(u.thread, m.owner, 0x10)
		m.users = append(m.users, u)
	}
	rnd := rand.New(rand.NewPCG(7, 8))
	came := map[bool]int{}
	for step := range 4000 {
		u := m.users[rnd.IntN(len(m.users))]
		more := step/100%2 == 0 // alternate between more and fewer references
		switch rnd.IntN(8) {
		case 0:
			if more {
				m.send(u, rnd.IntN(2) == 0)
			}
		case 1, 2:
			u.receive()
		case 3, 4:
			u.freeOne(rnd)
		case 5, 6:
			if what := rnd.IntN(4); more || what >= 2 {
				u.change(what)
			}
		case 7:
			m.listen()
			if rnd.IntN(2) == 0 {
				m.settle()
				came[m.strong]++
			}
		}
		m.requireSound()
	}
	require.Greater(t, came[true], 50)
	require.Greater(t, came[false], 50)
}

func (m *nodeModel) send(u *nodeUser, strong bool) {
	if len(u.buffers) >= 8 {
		return
	}
	o := weakNodeObject(modelPtr)
	if strong {
		o = nodeObject(modelPtr)
	}
	m.owner.write(m.owner.call(u.toIt, binder.TF_ONE_WAY, parcel(o)))
	if strong {
		u.strong++
	} else {
		u.weak++
	}
}

// receive takes the next buffer, if any. The one before it must be free.
func (u *nodeUser) receive() {
	out := u.tryRead()
	if out.err == linuxerr.EAGAIN {
		return
	}
	require.NoError(u.w.t, out.err)
	got := u.received(out.returns[1])
	o := got.object(0)
	require.EqualValues(u.w.t, 1, o.Binder)
	u.buffers = append(u.buffers, heldBuffer{got.free(), o.Type == binder.BINDER_TYPE_HANDLE})
}

func (u *nodeUser) freeOne(rnd *rand.Rand) {
	if len(u.buffers) == 0 {
		return
	}
	i := rnd.IntN(len(u.buffers))
	b := u.buffers[i]
	u.buffers = append(u.buffers[:i], u.buffers[i+1:]...)
	u.write(b.free)
	u.drop(b.strong)
}

// drop records that a reference is released, if there is one.
func (u *nodeUser) drop(strong bool) {
	if strong {
		u.strong = max(0, u.strong-1)
	} else {
		u.weak = max(0, u.weak-1)
	}
}

// change sends one of the four commands for references.
func (u *nodeUser) change(what int) {
	code := []uint32{binder.BC_INCREFS, binder.BC_ACQUIRE, binder.BC_RELEASE, binder.BC_DECREFS}[what]
	u.write(cmd(code, uint32(1)))
	switch {
	case code == binder.BC_INCREFS && u.strong+u.weak > 0:
		u.weak++
	case code == binder.BC_ACQUIRE && u.strong > 0:
		u.strong++
	case code == binder.BC_RELEASE:
		u.drop(true)
	case code == binder.BC_DECREFS:
		u.drop(false)
	}
}

// listen makes one read by the owner.
func (m *nodeModel) listen() bool {
	out := m.owner.tryRead()
	if out.err == linuxerr.EAGAIN {
		return false
	}
	require.NoError(m.t, out.err)
	pc := binder.PtrCookie{Ptr: modelPtr, Cookie: testCookie(modelPtr)}
	for _, r := range out.returns[1:] {
		if r.br == binder.BR_TRANSACTION_COMPLETE {
			continue
		}
		require.Equal(m.t, pc, r.ptrCookie())
		switch r.br {
		case binder.BR_INCREFS:
			require.False(m.t, m.weak)
			m.weak = true
			m.acks = append(m.acks, cmd(binder.BC_INCREFS_DONE, pc))
		case binder.BR_ACQUIRE:
			require.False(m.t, m.strong)
			require.True(m.t, m.weak, "strong before weak")
			m.strong = true
			m.acks = append(m.acks, cmd(binder.BC_ACQUIRE_DONE, pc))
		case binder.BR_RELEASE:
			require.True(m.t, m.strong)
			m.strong = false
		case binder.BR_DECREFS:
			require.True(m.t, m.weak)
			require.False(m.t, m.strong, "weak goes before strong")
			m.weak = false
		default:
			m.t.Fatalf("the owner was told %s", r)
		}
	}
	return true
}

// settle makes the owner answer and read until nothing is left, and checks what it knows
// then.
func (m *nodeModel) settle() {
	for again := true; again; {
		m.owner.write(m.acks...)
		m.acks = nil
		again = m.listen()
	}
	strong, weak := false, false
	for _, u := range m.users {
		strong = strong || u.strong > 0
		weak = weak || u.strong+u.weak > 0
	}
	require.Equal(m.t, strong, m.strong)
	require.Equal(m.t, weak, m.weak)
	require.Equal(m.t, weak, m.owner.nodeAt(modelPtr) != nil)
}

// TestAcknowledge acknowledges what was not requested: it has no effect.
func TestAcknowledge(t *testing.T) {
	w := newWorld(t)
	owner, user := w.newApp(), w.newApp()
	w.give(owner, user, 0x10)
	n := user.refAt(1).node()
	for _, pc := range []binder.PtrCookie{
		{Ptr: 0x10, Cookie: testCookie(0x10)}, // a second time
		{Ptr: 0x10, Cookie: 1},
		{Ptr: 0x20, Cookie: testCookie(0x20)},
	} {
		owner.write(cmd(binder.BC_INCREFS_DONE, pc), cmd(binder.BC_ACQUIRE_DONE, pc))
		strong, weak := n.local()
		require.Zero(t, strong+weak)
		hasStrong, hasWeak := n.told()
		require.True(t, hasStrong && hasWeak)
	}
	user.write(cmd(binder.BC_RELEASE, uint32(1)))
	owner.expect(binder.BR_RELEASE, binder.BR_DECREFS)
	w.requireSound()
}

// TestStrongFromWeak fails to make a strong reference from a weak one: the owner could not
// be told in time.
func TestStrongFromWeak(t *testing.T) {
	w := newWorld(t)
	owner, middle, user := w.newApp(), w.newApp(), w.newApp()
	toMiddle := w.give(middle, owner, 0x10)
	toUser := w.give(user, middle, 0x20)
	owner.write(owner.call(toMiddle, binder.TF_ONE_WAY, parcel(weakNodeObject(0x30))))
	got := middle.expectTransaction(binder.BR_TRANSACTION)
	weak := uint32(got.object(0).Binder)
	require.EqualValues(t, binder.BINDER_TYPE_WEAK_HANDLE, got.object(0).Type)

	before := w.active()
	middle.write(cmd(binder.BC_ACQUIRE, weak))
	middle.write(middle.call(weak, 0, parcel("a call takes a strong reference")))
	middle.expect(binder.BR_FAILED_REPLY)
	middle.write(middle.call(toUser, 0, parcel("so does an object", handleObject(weak))))
	middle.expect(binder.BR_FAILED_REPLY)
	require.Equal(t, before, w.active())

	// A weak one can be passed on.
	middle.write(middle.call(toUser, binder.TF_ONE_WAY, parcel(weakHandleObject(weak))))
	got = user.expectTransaction(binder.BR_TRANSACTION)
	require.EqualValues(t, binder.BINDER_TYPE_WEAK_HANDLE, got.object(0).Type)
	w.requireSound()
}

// TestNodeComesHome sends handles to the owner of their node, which gets its own address
// back and holds a reference while it has the buffer.
func TestNodeComesHome(t *testing.T) {
	for _, tc := range []struct {
		name       string
		send       func(uint32) binder.FlatObject
		come       uint32
		strongHeld int
	}{
		{"strong", handleObject, binder.BINDER_TYPE_BINDER, 1},
		{"weak", weakHandleObject, binder.BINDER_TYPE_WEAK_BINDER, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			owner, user := w.newApp(), w.newApp()
			toOwner := w.give(owner, user, 0x10)
			other := w.give(owner, user, 0x20)
			user.write(user.call(toOwner, binder.TF_ONE_WAY, parcel(tc.send(other))))
			got := owner.expectTransaction(binder.BR_TRANSACTION)
			o := got.object(0)
			require.Equal(t, binder.FlatObject{Type: tc.come, Binder: 0x20, Cookie: testCookie(0x20)}, o)

			n := user.refAt(other).node()
			strong, weak := n.local()
			require.Equal(t, [2]int{tc.strongHeld, 1 - tc.strongHeld}, [2]int{strong, weak})
			user.write(cmd(binder.BC_RELEASE, other))
			require.Nil(t, user.refAt(other))
			if tc.strongHeld == 0 {
				owner.expect(binder.BR_RELEASE)
			} else {
				owner.expectNothing()
			}
			owner.write(got.free())
			rs := owner.read()
			require.EqualValues(t, binder.BR_DECREFS, rs[len(rs)-1].br)
			require.Nil(t, owner.nodeAt(0x20))
		})
	}
}

// TestCookieMismatch fails to send a node with another cookie than before.
func TestCookieMismatch(t *testing.T) {
	w := newWorld(t)
	manager, client := w.newManager(), w.newApp()
	w.give(client, manager, 0x10)
	before := w.active()
	for _, o := range []binder.FlatObject{nodeObject(0x10), weakNodeObject(0x10)} {
		o.Cookie++
		client.write(client.call(0, 0, parcel(o)))
		client.expect(binder.BR_FAILED_REPLY)
	}
	require.Equal(t, before, w.active())
}
