// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"math"
	"reflect"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// readAll returns the events in r.
func readAll(t *testing.T, r *Ring) (events []Event) {
	buf := make([]byte, 7*Size)
	for {
		b := r.Read(buf[:0])
		if len(b) == 0 {
			return events
		}
		for ; len(b) > 0; b = b[Size:] {
			var e Event
			require.NoError(t, e.Decode(b))
			events = append(events, e)
		}
	}
}

func TestEventsSurviveEncoding(t *testing.T) {
	// Each field has a distinct value.
	var e Event
	v := reflect.ValueOf(&e).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.Uint16, reflect.Uint32, reflect.Uint64:
			f.SetUint(math.MaxUint16 - uint64(i))
		default:
			f.SetInt(-int64(i) - 1)
		}
	}
	e.Kind = Wait
	b := e.AppendTo(make([]byte, 3, 3+Size))[3:]
	require.Len(t, b, Size)
	require.Equal(t, e.TID, TID(b))
	var got Event
	require.NoError(t, got.Decode(b))
	require.Equal(t, e, got)
}

func TestInvalidEventsAreNotDecoded(t *testing.T) {
	var e Event
	require.Error(t, e.Decode(make([]byte, Size)))
	require.Error(t, e.Decode(make([]byte, Size-1)))
	last := Event{Kind: Lost + 1}
	require.Error(t, e.Decode(last.AppendTo(make([]byte, 0, Size))))
}

func TestRingSizes(t *testing.T) {
	for asked, got := range map[int]int{-1: MinEvents, 0: MinEvents, MinEvents: MinEvents, MinEvents + 1: 2 * MinEvents, MaxEvents: MaxEvents, math.MaxInt: MaxEvents} {
		require.Equal(t, got, NewRing(asked).Cap(), "%d", asked)
	}
}

func TestAFullRingDropsNewEvents(t *testing.T) {
	r := NewRing(MinEvents)
	for round := range int64(3) {
		for i := range int64(MinEvents + 5) {
			r.Add(&Event{Kind: Command, Time: i})
		}
		events := readAll(t, r)
		require.Len(t, events, MinEvents)
		for i, e := range events {
			require.EqualValues(t, i, e.Time)
		}
		require.EqualValues(t, 5*(round+1), r.Dropped())
	}
}

func TestReadersGetRoomAsEventsAreRead(t *testing.T) {
	r := NewRing(MinEvents)
	next := int64(0)
	add := func() {
		r.Add(&Event{Kind: Command, Time: next})
		next++
	}
	for range MinEvents {
		add()
	}
	buf := make([]byte, Size)
	for i := range int64(3 * MinEvents) {
		var e Event
		require.NoError(t, e.Decode(r.Read(buf[:0])))
		require.Equal(t, i, e.Time)
		add()
	}
	require.Zero(t, r.Dropped())
}

func TestAddersAndTheReaderDoNotWait(t *testing.T) {
	const adders, each = 8, 20_000
	for _, test := range []struct {
		name   string
		events int
	}{
		{"mostly full", MinEvents},
		{"room for all", adders * each},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := NewRing(test.events)
			var wg sync.WaitGroup
			for id := range int32(adders) {
				wg.Go(func() {
					for i := range int64(each) {
						r.Add(&Event{Kind: Command, TID: id, Time: i, Start: ^i})
					}
				})
			}
			done := make(chan struct{})
			go func() {
				wg.Wait()
				close(done)
			}()
			var read uint64
			last := map[int32]int64{}
			for over := false; ; {
				events := readAll(t, r)
				for _, e := range events {
					require.Equal(t, ^e.Time, e.Start, "an event mixed with another")
					if before, ok := last[e.TID]; ok {
						require.Less(t, before, e.Time)
					}
					last[e.TID] = e.Time
				}
				read += uint64(len(events))
				if over {
					break
				}
				select {
				case <-done:
					over = true
				default:
				}
			}
			require.EqualValues(t, adders*each, read+r.Dropped())
			require.NotZero(t, read)
		})
	}
}

func BenchmarkAdd(b *testing.B) {
	r := NewRing(MinEvents)
	buf := make([]byte, MinEvents*Size)
	e := Event{Kind: Command, TID: 1}
	for i := 0; b.Loop(); i++ {
		if i%MinEvents == 0 {
			r.Read(buf[:0])
		}
		r.Add(&e)
	}
}
