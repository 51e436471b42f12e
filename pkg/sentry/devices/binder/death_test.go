// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"testing"

	"github.com/stretchr/testify/require"

	"sentrybinder/pkg/abi/binder"
)

// mourner is a process that holds another's node, and requests notification of its death.
type mourner struct {
	*thread
	owner  *thread
	handle uint32
}

const deathCookie = 0xdead

func newMourner(t *testing.T) *mourner {
	w := newWorld(t)
	m := &mourner{thread: w.newApp(), owner: w.newApp()}
	m.handle = w.give(m.owner, m.thread, 0x10)
	return m
}

func (m *mourner) request() {
	m.write(cmd(binder.BC_REQUEST_DEATH_NOTIFICATION, m.handle, uint64(deathCookie)))
}

func (m *mourner) clear() {
	m.write(cmd(binder.BC_CLEAR_DEATH_NOTIFICATION, m.handle, uint64(deathCookie)))
}

func (m *mourner) done() { m.write(cmd(binder.BC_DEAD_BINDER_DONE, uint64(deathCookie))) }

func (m *mourner) kill() { m.owner.app.close() }

func (m *mourner) release() { m.write(cmd(binder.BC_RELEASE, m.handle)) }

// tell reads br, and nothing else, for the requested death notification.
func (m *mourner) tell(br uint32) {
	m.w.t.Helper()
	require.EqualValues(m.w.t, deathCookie, m.expect(br)[0].cookie())
}

// deaths returns the number of notifications that the driver keeps.
func (m *mourner) deaths() uint64 { return m.w.active()["death"] }

// TestDeathStates goes through all orders of a request, the death, its delivery, the
// answer, a clear, and the release of the handle.
func TestDeathStates(t *testing.T) {
	const (
		dead    = binder.BR_DEAD_BINDER
		cleared = binder.BR_CLEAR_DEATH_NOTIFICATION_DONE
	)
	for _, tc := range []struct {
		name string
		run  func(m *mourner)
		left uint64
	}{
		{"death", func(m *mourner) { m.request(); m.kill(); m.tell(dead); m.done() }, 1},
		{"death before the request", func(m *mourner) { m.kill(); m.request(); m.tell(dead); m.done() }, 1},
		{"clear before the death", func(m *mourner) { m.request(); m.clear(); m.tell(cleared); m.kill() }, 0},
		{"clear and request again", func(m *mourner) {
			m.request()
			m.clear()
			m.request()
			m.tell(cleared)
			m.kill()
			m.tell(dead)
			m.done()
		}, 1},
		{"clear before the delivery", func(m *mourner) {
			m.request()
			m.kill()
			m.clear()
			m.tell(dead)
			m.expectNothing()
			m.done()
			m.tell(cleared)
		}, 0},
		{"clear before the answer", func(m *mourner) {
			m.request()
			m.kill()
			m.tell(dead)
			m.clear()
			m.expectNothing()
			m.done()
			m.tell(cleared)
		}, 0},
		{"clear after the answer", func(m *mourner) {
			m.request()
			m.kill()
			m.tell(dead)
			m.done()
			m.clear()
			m.tell(cleared)
		}, 0},
		{"two answers", func(m *mourner) {
			m.request()
			m.kill()
			m.tell(dead)
			m.clear()
			m.done()
			m.done()
			m.tell(cleared)
		}, 0},
		{"two requests", func(m *mourner) { m.request(); m.request(); m.kill(); m.tell(dead) }, 1},
		{"an answer to nothing", func(m *mourner) { m.request(); m.done(); m.kill(); m.tell(dead) }, 1},
		{"a clear of another cookie", func(m *mourner) {
			m.request()
			m.write(cmd(binder.BC_CLEAR_DEATH_NOTIFICATION, m.handle, uint64(1)))
			m.kill()
			m.tell(dead)
		}, 1},
		{"a clear of nothing", func(m *mourner) { m.clear(); m.kill() }, 0},
		{"no such handle", func(m *mourner) {
			m.write(cmd(binder.BC_REQUEST_DEATH_NOTIFICATION, uint32(9), uint64(deathCookie)))
			m.write(cmd(binder.BC_CLEAR_DEATH_NOTIFICATION, uint32(9), uint64(deathCookie)))
			m.kill()
		}, 0},
		{"release before the death", func(m *mourner) { m.request(); m.release(); m.kill() }, 0},
		{"release before the delivery", func(m *mourner) { m.request(); m.kill(); m.release() }, 0},
		{"release before the answer", func(m *mourner) { m.request(); m.kill(); m.tell(dead); m.release(); m.done() }, 0},
		{"release with a clear pending", func(m *mourner) {
			m.request()
			m.kill()
			m.clear()
			m.release()
			m.tell(dead)
			m.done()
			m.tell(cleared)
		}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := newMourner(t)
			tc.run(m)
			m.expectNothing()
			require.Equal(t, tc.left, m.deaths())
			m.w.requireSound()
		})
	}
}

// TestMournerDies closes a mourner's device, at each stage. newWorld checks that nothing
// is left.
func TestMournerDies(t *testing.T) {
	stages := []func(*mourner){
		(*mourner).request,
		(*mourner).kill,
		func(m *mourner) { m.tell(binder.BR_DEAD_BINDER) },
		(*mourner).clear,
		(*mourner).done,
	}
	for n := range len(stages) + 1 {
		m := newMourner(t)
		for _, stage := range stages[:n] {
			stage(m)
		}
		m.app.close()
		require.Zero(t, m.deaths(), "after %d stages", n)
		m.w.requireSound()
	}
}

// TestWhoHearsOfDeath: the answer to a command goes to the looper that wrote it, and the
// death itself to any thread.
func TestWhoHearsOfDeath(t *testing.T) {
	m := newMourner(t)
	looper := m.app.newLooper()
	looper.write(cmd(binder.BC_REQUEST_DEATH_NOTIFICATION, m.handle, uint64(deathCookie)),
		cmd(binder.BC_CLEAR_DEATH_NOTIFICATION, m.handle, uint64(deathCookie)))
	m.expectNothing()
	looper.expect(binder.BR_CLEAR_DEATH_NOTIFICATION_DONE)

	m.request()
	m.kill()
	m.tell(binder.BR_DEAD_BINDER)
	looper.write(cmd(binder.BC_CLEAR_DEATH_NOTIFICATION, m.handle, uint64(deathCookie)))
	looper.write(cmd(binder.BC_DEAD_BINDER_DONE, uint64(deathCookie)))
	m.expectNothing()
	looper.expect(binder.BR_CLEAR_DEATH_NOTIFICATION_DONE)
}

// TestDeathOfMany notifies every process of the deaths of several nodes, one in each read:
// the recipient may act on it at once.
func TestDeathOfMany(t *testing.T) {
	w := newWorld(t)
	owner := w.newApp()
	var users []*thread
	for i := range 3 {
		user := w.newApp()
		for j := range uint64(3) {
			handle := w.give(owner, user, uint64(i)*0x100+j*0x10)
			user.write(cmd(binder.BC_REQUEST_DEATH_NOTIFICATION, handle, j))
		}
		users = append(users, user)
	}
	owner.app.close()
	for _, user := range users {
		told := make(map[uint64]bool)
		for range 3 {
			told[user.expect(binder.BR_DEAD_BINDER)[0].cookie()] = true
		}
		require.Equal(t, map[uint64]bool{0: true, 1: true, 2: true}, told)
		user.expectNothing()
	}
}
