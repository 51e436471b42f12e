// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/sentry/vfs"
	"gvisor.dev/gvisor/pkg/sync"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/sentry/devices/binder/memorytest"
)

// searching makes searches, one after another, until the returned function is called.
func (w *world) searching() (stop func()) {
	over := make(chan struct{})
	var searches sync.WaitGroup
	searches.Go(func() {
		for {
			select {
			case <-over:
				return
			default:
				w.clock.Advance(flightPeriod)
			}
		}
	})
	return func() {
		close(over)
		searches.Wait()
	}
}

// receive reads everything sent to tr, frees the buffers, and returns the files, each with
// a reference.
func (tr *traveller) receive() (files []*vfs.FileDescription) {
	for {
		out := tr.tryRead()
		if out.err != nil {
			return files
		}
		for _, r := range out.returns {
			if r.br == binder.BR_TRANSACTION {
				got := tr.received(r)
				tr.write(got.free())
			}
		}
		for fd, file := range tr.files {
			delete(tr.files, fd)
			files = append(files, file)
		}
	}
}

// TestWalkInCircles: of two devices in flight to each other, a walker holds one, reads the
// other from it, and lets go of the first, at any time during a search. The device that it
// holds is never ended.
func TestWalkInCircles(t *testing.T) {
	const walkers = 4
	steps := 2000
	if testing.Short() || sync.RaceEnabled {
		steps = 500
	}
	w := newWorld(t)
	ctx := memorytest.Context()
	var starts []func()
	for range walkers {
		client := w.newApp()
		a, b := w.newTraveller(), w.newTraveller()
		toA, toB := w.give(a.thread, client, 0x10), w.give(b.thread, client, 0x20)
		client.sendTo(toB, a)
		client.sendTo(toA, b)
		b.file.DecRef(ctx)
		starts = append(starts, func() {
			for step := range steps {
				// Only a is held.
				require.Equal(t, []*vfs.FileDescription{b.file}, a.receive(), "step %d", step)
				a.file.DecRef(ctx)
				require.Equal(t, []*vfs.FileDescription{a.file}, b.receive(), "step %d", step)
				client.sendTo(toB, a)
				client.sendTo(toA, b)
				a.file.DecRef(ctx)
				a, b, toA, toB = b, a, toB, toA
			}
			a.file.DecRef(ctx)
		})
	}
	// Further devices make a search take longer.
	client, harbour := w.newApp(), w.newApp()
	toHarbour := w.give(harbour, client, 0x10)
	for range 500 {
		tr := w.newTraveller()
		client.sendTo(toHarbour, tr)
		tr.file.DecRef(ctx)
	}
	stop := w.searching()
	atOnce(starts...)
	stop()
	harbour.app.close()
	w.search()
	require.EqualValues(t, walkers+1, w.active()["proc"])
	require.Zero(t, w.driver.flights.numQueued())
}

// berth is the way to a device: at most one descriptor.
type berth struct {
	// reading is held while reading from the device.
	reading sync.Mutex
	tr      *traveller

	mu   sync.Mutex
	open bool
}

// get returns whether there is a descriptor, and if so takes a reference to the file.
func (b *berth) get() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open {
		b.tr.file.IncRef()
	}
	return b.open
}

// put takes over a reference to the file, as the descriptor if there's none.
func (b *berth) put(ctx context.Context) {
	b.mu.Lock()
	had := b.open
	b.open = true
	b.mu.Unlock()
	if had {
		b.tr.file.DecRef(ctx)
	}
}

// close closes the descriptor.
func (b *berth) close(ctx context.Context) {
	b.mu.Lock()
	had := b.open
	b.open = false
	b.mu.Unlock()
	if had {
		b.tr.file.DecRef(ctx)
	}
}

// TestFlightsAtOnce: goroutines send devices to each other, close them, and read others from
// them, all at once. Reachable devices are never ended; when all descriptors are closed,
// nothing is left.
func TestFlightsAtOnce(t *testing.T) {
	const devices, senders = 8, 4
	rounds, steps := 30, 1000
	if testing.Short() || sync.RaceEnabled {
		rounds, steps = 5, 400
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	w := newWorld(t)
	ctx := memorytest.Context()
	stop := w.searching()
	ended := 0
	for round := range rounds {
		berths := make([]berth, devices)
		for i := range berths {
			berths[i].tr, berths[i].open = w.newTraveller(), true
		}
		var starts []func()
		for sender := range senders {
			client := w.newApp()
			handles := make([]uint32, devices)
			for i := range berths {
				handles[i] = w.give(berths[i].tr.thread, client, uint64(8*(1+sender)))
			}
			random := rand.New(rand.NewPCG(seed, uint64(round*senders+sender)))
			starts = append(starts, func() {
				for range steps {
					i, j := random.IntN(devices), random.IntN(devices)
					switch random.IntN(16) {
					case 0:
						berths[i].close(ctx)
					case 1, 2, 3, 4:
						if !berths[i].get() {
							break
						}
						berths[i].reading.Lock()
						require.Zero(t, berths[i].tr.app.Process.released.Load())
						files := berths[i].tr.receive()
						berths[i].reading.Unlock()
						berths[i].tr.file.DecRef(ctx)
						for _, file := range files {
							p := processOf(file)
							require.Zero(t, p.released.Load(), "it is held")
							for k := range berths {
								if berths[k].tr.app.Process == p {
									berths[k].put(ctx)
								}
							}
						}
					default:
						if berths[i].get() {
							require.Zero(t, berths[i].tr.app.Process.released.Load())
							client.sendTo(handles[j], berths[i].tr)
							berths[i].tr.file.DecRef(ctx)
						}
					}
				}
			})
		}
		atOnce(starts...)
		for i := range berths {
			if berths[i].tr.app.Process.released.Load() != 0 {
				ended++
			}
		}
		for i := range berths {
			berths[i].close(ctx)
		}
		// A search may be running.
		eventually(t, "all circles end", func() bool { return w.active()["proc"] == uint64(senders) })
		w.closeAll()
	}
	stop()
	t.Logf("of %d devices, %d were gone before the descriptors of all were closed", rounds*devices, ended)
	require.Zero(t, w.driver.flights.numQueued())
}
