// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package list

import (
	"bytes"
	"math"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/log"
)

func TestCountDestroysOnce(t *testing.T) {
	a, r := newItem("v")
	v := a.Get().base()
	require.EqualValues(t, 2, v.ReadRefs())
	b := a.Clone()
	require.EqualValues(t, 3, v.ReadRefs())
	a.Release(ctx)
	b.Release(ctx)
	require.Zero(t, v.destroyed)
	r.Release(ctx)
	require.Equal(t, 1, v.destroyed)
	require.EqualValues(t, 0, v.ReadRefs())
}

// destroyer counts atomically how often it was destroyed.
type destroyer struct {
	Count
	n atomic.Int32
}

func (d *destroyer) Destroy(context.Context) { d.n.Add(1) }

func TestCountConcurrent(t *testing.T) {
	for range 100 {
		d := new(destroyer)
		u := NewUnique(d)
		a := u.Share()
		var wg sync.WaitGroup
		for range 4 {
			b := a.Clone()
			wg.Go(func() {
				for range 100 {
					c := b.Clone()
					runtime.Gosched()
					c.Release(ctx)
				}
				b.Release(ctx)
			})
		}
		a.Release(ctx)
		wg.Wait()
		require.EqualValues(t, 1, d.n.Load())
	}
}

// witness notes what each holder of a reference does with it, and what Destroy sees of
// that.
type witness struct {
	Count
	done, seen [3]int
}

func (w *witness) Destroy(context.Context) { w.seen = w.done }

// TestDestroyComesAfterAllUse: whoever releases the last reference sees what the others
// did before they released theirs. docs/arm64.md says why that has a test.
func TestDestroyComesAfterAllUse(t *testing.T) {
	for round := range 2000 {
		w := new(witness)
		u := NewUnique(w)
		a := u.Share()
		var wg sync.WaitGroup
		for i := range w.done {
			b := a.Clone()
			wg.Go(func() {
				w.done[i] = i + 1
				b.Release(ctx)
			})
		}
		a.Release(ctx)
		wg.Wait()
		require.Equal(t, [3]int{1, 2, 3}, w.seen, "round %d", round)
	}
}

func TestCountSaturates(t *testing.T) {
	notes := production(t)
	strict = true // Saturation is not a violation.
	a, r := newItem("v")
	v := a.Get().base()
	v.n.Store(math.MaxInt32 - 1)
	b := a.Clone()
	require.EqualValues(t, math.MaxInt32, v.ReadRefs())
	require.Empty(t, *notes)
	c := a.Clone()
	require.EqualValues(t, saturated, v.ReadRefs())
	require.Len(t, *notes, 1)
	require.Contains(t, (*notes)[0], "saturated")
	require.True(t, c.Ok())

	// It stays saturated, and silent, whatever happens.
	for range 10 {
		d := c.Clone()
		require.EqualValues(t, saturated, v.ReadRefs())
		d.Release(ctx)
		require.EqualValues(t, saturated, v.ReadRefs())
	}
	for range 10 {
		d := c
		d.Release(ctx)
		require.EqualValues(t, saturated, v.ReadRefs())
	}
	a.Release(ctx)
	b.Release(ctx)
	r.Release(ctx)
	require.Zero(t, v.destroyed)
	require.Len(t, *notes, 1)
}

// TestCountDrift starts from the transient counts that several goroutines can
// cause in a count that is about to saturate or that has.
func TestCountDrift(t *testing.T) {
	for _, test := range []struct {
		name       string
		from, want int32
		dec        bool
		notes      int
	}{
		{"inc/live", 1, 2, false, 0},
		{"inc/last", math.MaxInt32 - 1, math.MaxInt32, false, 0},
		{"inc/overflow", math.MaxInt32, saturated, false, 1},
		{"inc/overflow under way", math.MinInt32 + 1000, saturated, false, 1},
		{"inc/overflow under way, highest", -3<<29 - 2, saturated, false, 1},
		{"inc/saturated, lowest", -3<<29 - 1, saturated, false, 0},
		{"inc/saturated", saturated, saturated, false, 0},
		{"inc/saturated, high", -1<<29 - 1, saturated, false, 0},
		{"inc/underflow under way", -1, saturated, false, 0},
		{"inc/dead", 0, saturated, false, 1},
		{"dec/live", 2, 1, true, 0},
		{"dec/last", 1, 0, true, 0},
		{"dec/dead", 0, saturated, true, 1},
		{"dec/underflow under way", -1000, saturated, true, 1},
		{"dec/underflow, lowest", -1<<29 + 1, saturated, true, 1},
		{"dec/saturated, high", -1 << 29, saturated, true, 0},
		{"dec/saturated", saturated, saturated, true, 0},
		{"dec/overflow under way", math.MinInt32, math.MaxInt32, true, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.EqualValues(t, -1<<30, saturated)
			notes := production(t)
			var c Count
			c.n.Store(test.from)
			if test.dec {
				require.Equal(t, test.want == 0, c.dec())
			} else {
				c.inc()
			}
			require.Equal(t, test.want, c.n.Load())
			require.Len(t, *notes, test.notes)
		})
	}
}

// TestCountSaturatesConcurrently has several goroutines cross the line at once.
func TestCountSaturatesConcurrently(t *testing.T) {
	const goroutines, times = 4, 1000
	production(t)
	note = func(string) {}
	var c Count
	c.n.Store(math.MaxInt32 - goroutines*times/2)
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for i := range times {
				c.inc()
				if i%3 == 0 && c.dec() {
					t.Error("last reference released")
				}
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, saturated, c.ReadRefs())
}

func TestReleaseBelowZero(t *testing.T) {
	bothWays(t, "more references released than taken", func(t *testing.T) (_, _ func()) {
		a, r := newItem("v")
		v := a.Get().base()
		copied := a
		a.Release(ctx)
		r.Release(ctx)
		return func() { copied.Release(ctx) }, func() {
			require.Equal(t, 1, v.destroyed)
			require.EqualValues(t, saturated, v.ReadRefs())
		}
	})
}

func TestCloneOfDead(t *testing.T) {
	bothWays(t, "reference taken to a value without references", func(t *testing.T) (_, _ func()) {
		a, r := newItem("v")
		v := a.Get().base()
		r.Release(ctx)
		copied := a
		a.Release(ctx)
		return func() {
				b := copied.Clone()
				b.Release(ctx)
			}, func() {
				require.Equal(t, 1, v.destroyed)
				require.EqualValues(t, saturated, v.ReadRefs())
			}
	})
}

// TestViolationLog checks what reaches the log in production.
func TestViolationLog(t *testing.T) {
	production(t)
	note = realNote
	var out bytes.Buffer
	old := log.Log()
	log.SetTarget(&log.GoogleEmitter{Writer: &log.Writer{Next: &out}})
	t.Cleanup(func() { log.SetTarget(old.Emitter) })
	for range 3 {
		violation("something went wrong")
	}
	require.Equal(t, 1, strings.Count(out.String(), "binder list: something went wrong\n"))
	require.Contains(t, out.String(), "TestViolationLog")
}

// realNote is production's note.
var realNote = note

func TestStrictInTests(t *testing.T) {
	require.True(t, strict)
}
