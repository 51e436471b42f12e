// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/sentry/vfs"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/sentry/devices/binder/memorytest"
)

// traveller is an application whose device may be sent.
type traveller struct {
	*thread
	file *vfs.FileDescription
	held int
}

// newTraveller returns an application that holds one descriptor of its device.
func (w *world) newTraveller() *traveller {
	file, p := w.newDeviceFile()
	a := &app{Process: p, w: w, mem: newAppIO(appMemory), files: make(map[int32]*vfs.FileDescription), arena: arenaAddr, maxFiles: 16}
	require.NoError(w.t, a.mapAt(testMapAddr, testMapping))
	return &traveller{thread: a.newThread(), file: file, held: 1}
}

// sendTo sends devices to the node that client knows by handle.
func (client *thread) sendTo(handle uint32, devices ...*traveller) {
	for _, d := range devices {
		d.file.IncRef()
		fd := client.app.installFile(d.file)
		client.write(client.call(handle, binder.TF_ONE_WAY, parcel(fileObject(fd))))
		client.app.closeFile(fd)
	}
	client.returned(binder.BR_TRANSACTION_COMPLETE)
}

// closeAll closes tr's own descriptors.
func (tr *traveller) closeAll() {
	for ; tr.held > 0; tr.held-- {
		tr.app.Process.flush()
		tr.file.DecRef(memorytest.Context())
	}
}

// search lets enough time pass for a search for unreachable devices to start.
func (w *world) search() { w.clock.Advance(2 * flightPeriod) }

// TestCircles: devices that are only in flight to each other are ended, and the holders of
// their nodes are notified.
func TestCircles(t *testing.T) {
	for _, tc := range []struct {
		name string
		// to[i] holds the devices that device i is in flight to.
		to [][]int
	}{
		{"to itself", [][]int{{0}}},
		{"to itself, several times", [][]int{{0, 0, 0}}},
		{"into each other", [][]int{{1}, {0}}},
		{"a long circle", [][]int{{1}, {2}, {3}, {4}, {0}}},
		{"a circle with a tail", [][]int{{1}, {0}, {0}, {2}}},
		{"two circles, one in flight to the other", [][]int{{1}, {0}, {3, 1}, {2}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			client := w.newApp()
			var all []*traveller
			handles := make([]uint32, len(tc.to))
			for i := range tc.to {
				all = append(all, w.newTraveller())
				handles[i] = w.give(all[i].thread, client, uint64(0x10*(i+1)))
				client.write(cmd(binder.BC_REQUEST_DEATH_NOTIFICATION, binder.HandleCookie{Handle: handles[i], Cookie: uint64(i)}))
			}
			for i, to := range tc.to {
				for _, j := range to {
					client.sendTo(handles[j], all[i])
				}
			}
			w.search()
			require.EqualValues(t, len(all)+1, w.active()["proc"], "all have descriptors")
			for i, tr := range all[1:] {
				tr.closeAll()
				w.search()
				require.EqualValues(t, len(all)+1, w.active()["proc"], "%d can be reached through the first", i+1)
			}
			all[0].closeAll()
			require.EqualValues(t, len(all)+1, w.active()["proc"])
			w.search()
			require.EqualValues(t, 1, w.active()["proc"])
			deaths := 0
			for {
				out := client.tryRead()
				if out.err != nil {
					break
				}
				for _, r := range out.returns {
					if r.br == binder.BR_DEAD_BINDER {
						deaths++
					}
				}
			}
			require.Equal(t, len(all), deaths)
			for _, handle := range handles {
				client.write(cmd(binder.BC_RELEASE, handle))
			}
			require.Zero(t, w.driver.flights.numQueued())
		})
	}
}

// TestReachable: a device in flight lives while its receiver can be reached, by a
// descriptor, by a call that uses it, or through another receiver.
func TestReachable(t *testing.T) {
	w := newWorld(t)
	client := w.newApp()
	first, second := w.newTraveller(), w.newTraveller()
	toFirst, toSecond := w.give(first.thread, client, 0x10), w.give(second.thread, client, 0x20)
	client.sendTo(toSecond, first)
	client.sendTo(toFirst, second)
	second.closeAll()
	first.file.IncRef() // A call of first's in progress.
	first.closeAll()
	w.search()
	require.EqualValues(t, 3, w.active()["proc"])

	// It reads second, which reads first: all is well.
	first.app.files = make(map[int32]*vfs.FileDescription)
	got := first.expectTransaction(binder.BR_TRANSACTION)
	first.file.DecRef(memorytest.Context())
	w.search()
	require.EqualValues(t, 3, w.active()["proc"])
	fd := got.file(0)
	require.Same(t, second.file, first.files[fd])
	second.expectTransaction(binder.BR_TRANSACTION)
	second.app.closeFile(3)
	require.EqualValues(t, 2, w.active()["proc"])
	first.app.closeFile(fd)
	require.EqualValues(t, 1, w.active()["proc"])
}

// TestChangedMeanwhile: a device read between the count of its references and the end of
// the search is not ended.
func TestChangedMeanwhile(t *testing.T) {
	w := newWorld(t)
	client := w.newApp()
	tr := w.newTraveller()
	client.sendTo(w.give(tr.thread, client, 0x10), tr)
	file := tr.file
	file.IncRef()
	tr.closeAll()
	f := &w.driver.flights
	s := f.search()
	require.Len(t, s.flyers, 1)
	tr.expectTransaction(binder.BR_TRANSACTION)
	require.Greater(t, tr.app.Process.flightChange.Load(), s.asOf)
	tr.app.closeFile(3)
	file.DecRef(memorytest.Context())
	require.EqualValues(t, 1, w.active()["proc"])
}

// TestCirclesAfterRestore: a cycle from before a restore is found afterwards.
func TestCirclesAfterRestore(t *testing.T) {
	w := newWorld(t)
	client := w.newApp()
	tr := w.newTraveller()
	client.sendTo(w.give(tr.thread, client, 0x10), tr)
	tr.closeAll()
	f := &w.driver.flights
	f.forgetTimer() // As after a restore: the files of these tests can't be saved.
	f.start()
	w.search()
	require.EqualValues(t, 1, w.active()["proc"])
}
