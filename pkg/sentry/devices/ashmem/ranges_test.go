// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package ashmem

import (
	"math"
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/errors/linuxerr"

	"sentrybinder/pkg/sentry/devices/binder/account"
)

// modelPages is how many pages the model's area has.
const modelPages = 16

// model is a model of ranges, page by page.
type model struct {
	// of is the range that each page is in, 0 if it is pinned, and purged holds the
	// purged ranges.
	of     [modelPages]int
	purged map[int]bool
	last   int
}

func (m *model) newRange(purged bool) int {
	m.last++
	m.purged[m.last] = purged
	return m.last
}

// in returns which ranges have pages of p, and whether one of them was purged.
func (m *model) in(p pages) (which map[int]bool, purged bool) {
	which = make(map[int]bool)
	for _, r := range m.of[p.first:p.end] {
		which[r] = true
		purged = purged || m.purged[r]
	}
	return which, purged
}

func (m *model) unpin(p pages) {
	which, purged := m.in(p)
	if len(which) == 1 && !which[0] {
		return
	}
	delete(which, 0)
	joined := m.newRange(purged)
	for i := range m.of {
		if uint64(i) >= p.first && uint64(i) < p.end || which[m.of[i]] {
			m.of[i] = joined
		}
	}
}

func (m *model) pin(p pages) (purged bool) {
	_, purged = m.in(p)
	if p.end < modelPages {
		// The rest of a range after p becomes a range of its own.
		if r := m.of[p.end]; r != 0 && r == m.of[p.end-1] {
			rest := m.newRange(m.purged[r])
			for i := p.end; i < modelPages && m.of[i] == r; i++ {
				m.of[i] = rest
			}
		}
	}
	for i := p.first; i < p.end; i++ {
		m.of[i] = 0
	}
	return purged
}

// list returns the ranges in order.
func (m *model) list() (list []unpinnedRange) {
	last := 0
	for i, r := range m.of {
		switch {
		case r == 0:
		case r == last:
			list[len(list)-1].end++
		default:
			list = append(list, unpinnedRange{pages{uint64(i), uint64(i) + 1}, m.purged[r]})
		}
		last = r
	}
	return list
}

// checkRanges runs script, three bytes a step, on ranges and the model.
func checkRanges(t *testing.T, script []byte) {
	m := &model{purged: make(map[int]bool)}
	acc := account.New(math.MaxInt64)
	r := &ranges{account: acc}
	for ; len(script) >= 3; script = script[3:] {
		p := pages{first: uint64(script[1]) % modelPages}
		p.end = p.first + 1 + uint64(script[2])%(modelPages-p.first)
		switch script[0] % 8 {
		case 0, 1, 2:
			m.unpin(p)
			require.NoError(t, r.unpin(p))
		case 3, 4, 5:
			want := m.pin(p)
			got, err := r.pin(p)
			require.NoError(t, err)
			require.Equal(t, want, got, "pin of %v", p)
		case 6:
			which, _ := m.in(p)
			require.Equal(t, len(which) == 1 && which[0], r.isPinned(p), "status of %v", p)
		case 7:
			want := make(map[pages]bool)
			for _, u := range m.list() {
				if !u.purged {
					want[u.pages] = true
				}
			}
			require.Equal(t, len(want) > 0, r.hasPurgeable())
			r.purge(func(p pages) {
				require.True(t, want[p], "purged %v", p)
				delete(want, p)
			})
			require.Empty(t, want)
			for i := range m.of {
				m.purged[m.of[i]] = m.of[i] != 0
			}
		}
		require.Equal(t, m.list(), append([]unpinnedRange(nil), r.list...))
		require.EqualValues(t, len(r.list)*rangePrice, acc.Used())
	}
	r.clear()
	require.Zero(t, acc.Used())
}

func TestRangesModel(t *testing.T) {
	rnd := rand.New(rand.NewSource(1))
	for range 2000 {
		script := make([]byte, 3*rnd.Intn(60))
		rnd.Read(script)
		checkRanges(t, script)
	}
}

func FuzzRanges(f *testing.F) {
	f.Add([]byte{0, 0, 3, 7, 0, 0, 0, 2, 5, 3, 1, 0})
	f.Add([]byte{0, 0, 15, 3, 4, 0, 3, 8, 0, 7, 0, 0, 0, 4, 0, 3, 0, 15})
	f.Fuzz(checkRanges)
}

// TestRangesLimits: ranges that can't be paid for, or are too many, are refused, and
// nothing changes.
func TestRangesLimits(t *testing.T) {
	acc := account.New(2 * rangePrice)
	r := &ranges{account: acc}
	page := func(n uint64) pages { return pages{n, n + 1} }
	require.NoError(t, r.unpin(pages{0, 5}))
	require.NoError(t, r.unpin(page(6)))
	before := append([]unpinnedRange(nil), r.list...)
	require.Equal(t, linuxerr.ENOMEM, r.unpin(page(8)))
	_, err := r.pin(page(2))
	require.Equal(t, linuxerr.ENOMEM, err)
	require.Equal(t, before, r.list)
	require.NoError(t, r.unpin(pages{4, 9}), "joins two")
	require.EqualValues(t, rangePrice, acc.Used())
	_, err = r.pin(pages{0, 9})
	require.NoError(t, err)
	require.Zero(t, acc.Used())

	acc.SetLimit(math.MaxInt64)
	for n := range uint64(maxRanges) {
		require.NoError(t, r.unpin(page(2*n)))
	}
	require.Equal(t, linuxerr.ENOMEM, r.unpin(page(2*maxRanges)))
	require.Len(t, r.list, maxRanges)
	require.EqualValues(t, maxRanges*rangePrice, acc.Used())
	require.LessOrEqual(t, cap(r.list)*24, maxRanges*rangePrice, "bytes in the list")

	_, err = r.pin(pages{4, 2 * maxRanges})
	require.NoError(t, err)
	require.LessOrEqual(t, cap(r.list), 8, "room kept")
	require.EqualValues(t, 2*rangePrice, acc.Used())
}

// TestRangesLengths: ranges that touch stay two, and page numbers can have their whole
// width.
func TestRangesLengths(t *testing.T) {
	r := &ranges{}
	const last = math.MaxUint64 / 4096
	require.NoError(t, r.unpin(pages{0, 1 << 20}))
	require.NoError(t, r.unpin(pages{1 << 20, last}))
	require.Len(t, r.list, 2)
	require.False(t, r.isPinned(pages{last - 1, last}))
	purged, err := r.pin(pages{1, last})
	require.NoError(t, err)
	require.False(t, purged)
	require.Equal(t, []unpinnedRange{{pages: pages{0, 1}}}, r.list)
}
