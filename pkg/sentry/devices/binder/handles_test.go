// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/errors/linuxerr"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/binder/idpool"
)

// newNodes returns n nodes of th's app, which no other app knows. They stay until it ends.
func (th *thread) newNodes(n int) []*Node {
	p := th.app.Process
	p.mu.Lock()
	defer p.mu.Unlock()
	nodes := make([]*Node, n)
	for i := range nodes {
		o := nodeObject(uint64(i+1) * 0x1000)
		nodes[i] = p.mustAddNode(&o)
		nodes[i].keep()
	}
	return nodes
}

// TestHandlesModel acquires and releases nodes at random. A node gets the lowest free
// handle, and keeps it.
func TestHandlesModel(t *testing.T) {
	const numNodes = 3*handlesPerChunk + 100
	w := newWorld(t)
	owner, user := w.newApp(), w.newApp()
	nodes := owner.newNodes(numNodes)
	sender := owner.state()
	p := user.app.Process

	handles := make(map[int]uint32) // of nodes
	taken := map[uint32]bool{0: true}
	rnd := rand.New(rand.NewPCG(5, 6))
	peak, bound := 0, numNodes
	for step := range 12_000 {
		if step%3000 == 0 {
			// Few handles at times, and many at others.
			bound = numNodes - bound + 20
		}
		i := rnd.IntN(numNodes)
		switch handle, ok := handles[i]; {
		case ok && len(handles) > bound || ok && rnd.IntN(4) == 0:
			require.NoError(t, p.changeRef(user, handle, false, true))
			delete(handles, i)
			delete(taken, handle)
		default:
			got, err := p.acquireNode(user, nodes[i], true, sender, p.account)
			require.NoError(t, err)
			if ok {
				require.Equal(t, handle, got)
				require.NoError(t, p.changeRef(user, handle, false, true))
				break
			}
			want := uint32(0)
			for taken[want] {
				want++
			}
			require.Equal(t, want, got)
			handles[i], taken[got] = got, true
		}
		peak = max(peak, p.chunks().Len())
		if step%500 == 0 {
			p.requireSound(w)
			for i, handle := range handles {
				node, ok := p.useNode(handle, true)
				require.True(t, ok)
				require.Same(t, nodes[i], node.Get())
				unuse(user, node)
			}
		}
	}
	require.Greater(t, peak, 2)
	for _, handle := range handles {
		require.NoError(t, p.changeRef(user, handle, false, true))
	}
	require.Zero(t, p.chunks().Len(), "chunks of a table without handles")
	require.Equal(t, idpool.MinCap, p.ids().Cap())
	p.requireSound(w)
}

// TestChunksComeAndGo releases a chunk in the middle and uses it again.
func TestChunksComeAndGo(t *testing.T) {
	w := newWorld(t)
	owner, user := w.newApp(), w.newApp()
	nodes := owner.newNodes(3 * handlesPerChunk)
	p := user.app.Process
	for i, n := range nodes {
		handle, err := p.acquireNode(user, n, true, owner.state(), p.account)
		require.NoError(t, err)
		require.EqualValues(t, i+1, handle)
	}
	for handle := uint32(handlesPerChunk); handle < 2*handlesPerChunk; handle++ {
		require.NoError(t, p.changeRef(user, handle, false, true))
	}
	require.Nil(t, p.chunks().At(1))
	require.Nil(t, p.refAt(handlesPerChunk))
	require.Nil(t, p.refAt(1<<31))
	p.requireSound(w)

	handle, err := p.acquireNode(user, nodes[handlesPerChunk], true, owner.state(), p.account)
	require.NoError(t, err)
	require.EqualValues(t, handlesPerChunk, handle)
	require.Equal(t, 1, p.chunks().At(1).used)
	p.requireSound(w)
}

func TestHandleZero(t *testing.T) {
	w := newWorld(t)
	manager, client, service := w.newManager(), w.newApp(), w.newApp()

	// Others never get 0, even if it's free.
	require.EqualValues(t, 1, w.give(service, client, 0x10))
	client.write(cmd(binder.BC_ACQUIRE, uint32(0)))
	require.Same(t, w.ctx.managerNow(), client.refAt(0).node())
	require.EqualValues(t, 2, w.give(service, client, 0x20))

	// The manager can't have itself.
	out := manager.try(cmd(binder.BC_ACQUIRE, uint32(0)))
	require.Equal(t, linuxerr.EINVAL, out.err)
	require.Zero(t, out.WriteConsumed)
	require.Zero(t, manager.numRefs())
	client.write(cmd(binder.BC_RELEASE, uint32(0)))
	require.Nil(t, client.refAt(0))
}

// TestHandlesUsedUp fails to send a node to a process without a free handle.
func TestHandlesUsedUp(t *testing.T) {
	w := newWorld(t)
	manager, client := w.newManager(), w.newApp()
	*manager.ids() = idpool.New(2)
	w.give(client, manager, 0x10)
	before := w.active()

	client.write(client.call(0, 0, parcel("one too many", nodeObject(0x20), nodeObject(0x10))))
	client.expect(binder.BR_FAILED_REPLY)
	require.Equal(t, before, w.active())
	w.requireSound()
	_, err := manager.acquireNode(manager, client.newNodes(1)[0], true, client.state(), manager.account)
	require.Equal(t, linuxerr.ENOMEM, err)
}

// TestHandleMismatch breaks the bitmap or the table. No process loses a handle because of
// that, or gets another's.
func TestHandleMismatch(t *testing.T) {
	type scene struct {
		*Process
		user, owner *thread
		nodes       []*Node
	}
	// next acquires a node that the user doesn't have.
	next := func(t *testing.T, s *scene) uint32 {
		handle, err := s.acquireNode(s.user, s.nodes[3], true, s.owner.state(), s.account)
		require.NoError(t, err)
		return handle
	}
	for _, tc := range []struct {
		name string
		run  func(t *testing.T, s *scene)
	}{
		{"free in the bitmap, used in the table", func(t *testing.T, s *scene) {
			require.NoError(t, s.ids().Release(2))
			require.EqualValues(t, 4, next(t, s))
			require.True(t, isUsed(s.ids(), 2), "the bitmap is still wrong")
		}},
		{"used in the bitmap, free in the table", func(t *testing.T, s *scene) {
			id, ok := s.ids().FindUnused(4)
			require.True(t, ok)
			require.NoError(t, id.Acquire())
			require.EqualValues(t, 5, next(t, s))
			require.NoError(t, s.ids().Release(4))
		}},
		{"released in the bitmap before", func(t *testing.T, s *scene) {
			require.NoError(t, s.ids().Release(2))
			require.NoError(t, s.changeRef(s.user, 2, false, true))
			require.Nil(t, s.refAt(2))
			require.EqualValues(t, 2, next(t, s))
			again, err := s.acquireNode(s.user, s.nodes[1], true, s.owner.state(), s.account)
			require.NoError(t, err)
			require.EqualValues(t, 4, again)
			// As before, except for the numbers.
			s.nodes[1], s.nodes[3] = s.nodes[3], s.nodes[1]
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			owner, user := w.newApp(), w.newApp()
			s := &scene{user.app.Process, user, owner, owner.newNodes(4)}
			for _, n := range s.nodes[:3] {
				_, err := s.acquireNode(user, n, true, owner.state(), s.account)
				require.NoError(t, err)
			}
			tc.run(t, s)
			for i, n := range s.nodes[:3] {
				require.Same(t, n, s.refAt(uint32(i+1)).node())
			}
			s.requireSound(w)
		})
	}
}
