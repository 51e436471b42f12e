// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package alloc

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/hostarch"

	"sentrybinder/pkg/sentry/devices/binder/memorytest"
)

// modelBuffer is a buffer in the model. One of the tokens, or the Space, holds it.
type modelBuffer struct {
	n           int // of its cargo
	span        span
	sender      int32
	async       bool
	fate        fate
	reservation Reservation
	buffer      Buffer
	claimed     Claimed
}

// model is a Space and a naive model of it. Buffers are where a search of all of the
// space finds the best fit, one-way ones take half of it at most, and spam is suspected
// by a count of all of them.
type model struct {
	*fixture
	spans    *spanModel
	size     uint64
	async    uint64
	reported bool
	next     int
	all      []*modelBuffer // by age
	ended    []int
	cargo    cargoes
	released bool

	full, asyncFull, suspected int
}

func newModel(t testing.TB, size uint64) *model {
	return &model{fixture: newFixture(t, size), spans: newSpanModel(size), size: size, async: size / 2}
}

// occupied returns the size of a buffer.
func occupied(data, offsets, extra uint64) uint64 {
	return max(8, (data+7)/8*8+(offsets+7)/8*8+(extra+7)/8*8)
}

func (m *model) reserve(req Request) {
	t := m.t
	m.next++
	r, err := m.Reserve(&req, testCargo{&m.cargo, m.next})
	n := occupied(req.DataSize, req.OffsetsSize, req.ExtraSize)
	switch {
	case m.released:
		require.Equal(t, linuxerr.ESRCH, err)
		return
	case req.Async && n > m.async:
		require.Equal(t, linuxerr.ENOSPC, err)
		m.asyncFull++
		return
	case !m.spans.fits(n):
		require.Equal(t, linuxerr.ENOSPC, err)
		m.full++
		return
	}
	require.NoError(t, err)
	b := &modelBuffer{n: m.next, span: span{r.Placement().Start, n}, sender: req.Sender, async: req.Async}
	require.Equal(t, hostarch.Addr(testMapAddr+b.span.start), r.Addr())
	lastSender := m.spans.take(t, b.span, req.Sender)
	suspect := false
	if req.Async {
		m.async -= n
		counted := m.all
		if lastSender == req.Sender {
			counted = append(slices.Clone(counted), b)
		}
		buffers, bytes := 0, uint64(0)
		for _, other := range counted {
			if other.async && other.sender == req.Sender {
				buffers++
				bytes += other.span.size
			}
		}
		low := m.async < m.size/10
		suspect = low && !m.reported && (buffers > 50 || bytes > m.size/4)
		m.reported = low && (m.reported || suspect)
	}
	require.Equal(t, suspect, r.SpamSuspect())
	if suspect {
		m.suspected++
	}
	require.NoError(t, r.Write(0, b.tag()))
	b.reservation.contents = r.contents
	m.all = append(m.all, b)
}

// tag is what a buffer starts with.
func (b *modelBuffer) tag() []byte { return binary.LittleEndian.AppendUint64(nil, uint64(b.n)) }

// end records that the buffer is gone.
func (m *model) end(b *modelBuffer) {
	m.all = slices.DeleteFunc(m.all, func(other *modelBuffer) bool { return other == b })
	m.ended = append(m.ended, b.n)
	if !m.released {
		m.spans.set(b.span, true)
		if b.async {
			m.async += b.span.size
		}
	}
}

// step takes b to another state, by choice.
func (m *model) step(b *modelBuffer, choice int) {
	t, ctx := m.t, memorytest.Context()
	claim := func() {
		c, err := m.Claim(hostarch.Addr(testMapAddr + b.span.start))
		if b.fate != delivered || m.released {
			require.Error(t, err)
			return
		}
		require.NoError(t, err)
		b.fate, b.claimed.contents = claimed, c.contents
	}
	switch {
	case b.reservation.Ok():
		got := make([]byte, 8)
		require.NoError(t, b.reservation.Read(0, got))
		require.Equal(t, b.tag(), got)
		if choice == 0 {
			b.claimed = b.reservation.Abort()
		} else {
			b.buffer = b.reservation.Commit()
		}
	case b.buffer.Ok():
		switch choice {
		case 0:
			b.claimed = b.buffer.Recall()
		case 1:
			b.fate = stranded
			b.buffer.Strand(ctx)
		case 2:
			claim() // Too early.
			return
		default:
			b.fate = delivered
			b.buffer.Deliver(ctx)
		}
		if b.fate != undelivered && m.released {
			m.end(b)
		}
	case b.claimed.Ok():
		if choice == 1 {
			claim() // Too late.
			return
		}
		got := make([]byte, 8)
		require.NoError(t, b.claimed.Read(0, got))
		require.Equal(t, b.tag(), got)
		b.claimed.Free(ctx)
		m.end(b)
	default:
		claim()
	}
}

func (m *model) release() {
	m.released = true
	for _, b := range slices.Clone(m.all) {
		if b.fate == delivered || b.fate == stranded {
			m.end(b)
		}
	}
	m.Release(memorytest.Context())
	for _, b := range m.all {
		require.True(m.t, b.reservation.Ok() || b.buffer.Ok() || b.claimed.Ok())
	}
}

// check compares the Space with the model.
func (m *model) check() {
	t := m.t
	slices.Sort(m.ended)
	require.Equal(t, m.ended, m.cargo.sorted())
	if m.released {
		return
	}
	m.requireSound(t)
	require.Equal(t, m.async, m.Usage().FreeAsync)
	want := slices.SortedFunc(slices.Values(m.all), func(a, b *modelBuffer) int { return int(a.span.start) - int(b.span.start) })
	i := 0
	for at, more := uint64(0), true; more; {
		at, more = m.Walk(at, func(info Info) {
			require.Less(t, i, len(want))
			require.Equal(t, want[i].span.start, info.Start)
			require.Equal(t, want[i].fate == delivered || want[i].fate == stranded, info.Delivered)
			i++
		})
	}
	require.Equal(t, len(want), i)
}

// finish ends everything.
func (m *model) finish() {
	if !m.released {
		m.release()
	}
	for len(m.all) > 0 {
		m.step(m.all[0], 0)
	}
	m.check()
	require.Zero(m.t, m.memory().Length())
}

// TestModel uses a Space at random.
func TestModel(t *testing.T) {
	const size = 4 * hostarch.PageSize
	rnd := rand.New(rand.NewPCG(3, 4))
	var full, asyncFull, suspected int
	for range 3 {
		m := newModel(t, size)
		for i := range 2000 {
			if len(m.all) == 0 || rnd.IntN(100) < 40 {
				m.reserve(Request{
					DebugID:     int32(i),
					DataSize:    rnd.Uint64N(size / 23),
					OffsetsSize: rnd.Uint64N(5) * 8,
					ExtraSize:   rnd.Uint64N(20),
					Sender:      rnd.Int32N(3),
					Async:       rnd.IntN(3) != 0,
				})
			} else {
				m.step(m.all[rnd.IntN(len(m.all))], rnd.IntN(8))
			}
			if rnd.IntN(50) == 0 {
				m.pass()
			}
			if i%4 == 0 {
				m.check()
			}
		}
		m.finish()
		full, asyncFull, suspected = full+m.full, asyncFull+m.asyncFull, suspected+m.suspected
	}
	require.NotZero(t, full, "the space was never used up")
	require.NotZero(t, asyncFull, "the space for one-way transactions was never used up")
	require.NotZero(t, suspected, "no sender was suspected")
}

// FuzzModel takes two bytes of input for each step.
func FuzzModel(f *testing.F) {
	f.Add([]byte{0, 100, 0, 9, 1, 0, 1, 0, 1, 1, 2, 0, 3, 0, 1, 0, 4, 0, 1, 0})
	f.Add([]byte{0, 255, 0, 255, 1, 7, 1, 7, 3, 3, 3, 3, 4, 0, 1, 0})
	f.Fuzz(func(t *testing.T, in []byte) {
		m := newModel(t, 2*hostarch.PageSize)
		for ; len(in) >= 2 && len(in) < 2000; in = in[2:] {
			op, arg := in[0], in[1]
			switch i := int(op) / 8; {
			case op%8 < 3 || len(m.all) == 0:
				m.reserve(Request{DataSize: uint64(arg) * uint64(op%8+1), ExtraSize: uint64(op), Sender: int32(arg % 2), Async: op&8 != 0})
			case op%8 < 6:
				m.step(m.all[i%len(m.all)], int(arg%8))
			case op%8 == 6:
				m.pass()
			case arg == 0 && !m.released:
				m.release()
			}
			m.check()
		}
		m.finish()
	})
}

// TestWalkWhileChanging frees and places buffers in the middle of a walk: the walk ends,
// and finds all buffers that stay.
func TestWalkWhileChanging(t *testing.T) {
	f := newFixture(t, testSize)
	var kept, others []*Buffer
	for i := range 3 * maxSteps {
		if b := f.send(24); i%3 == 0 {
			kept = append(kept, b)
		} else {
			others = append(others, b)
		}
	}
	found := make(map[uint64]bool)
	batches := 0
	for at, more := uint64(0), true; more; batches++ {
		at, more = f.Walk(at, func(info Info) { found[info.Start] = true })
		for range min(7, len(others)) {
			f.recall(others[0])
			others = others[1:]
		}
		f.send(8)
		f.send(40)
	}
	require.Less(t, batches, 100)
	for _, b := range kept {
		require.True(t, found[b.Placement().Start])
	}
	f.requireSound(t)
}
