// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/sync"
	"gvisor.dev/gvisor/pkg/tcpip/faketime"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/sentry/devices/binder/memorytest"
)

// Work is removed from a list that is about to be given up elsewhere. Others still know the
// items of such a list, even of one that was moved aside: the same lock guards them, and
// cancelAll takes one at a time off with it held.

// cancelWorld is a device and the processes that use it.
type cancelWorld struct {
	t       *testing.T
	storm   *hostileStorm
	context *Context
}

func newCancelWorld(t *testing.T) *cancelWorld {
	clock := faketime.NewManualClock()
	driver, tenant := newTenant(clock)
	s := &hostileStorm{driver: driver, tenant: tenant, clock: clock, mf: memorytest.Shared()}
	w := &cancelWorld{t: t, storm: s, context: tenant.contexts["binder"]}
	t.Cleanup(func() {
		require.Equal(t, "binder state:\n", stateOf(s.view()))
		for _, c := range tenant.dev.ObjectCounts() {
			require.Zero(t, c.Active, "objects of kind %s left over", c.Name)
		}
	})
	return w
}

// open returns a thread of a new process.
func (w *cancelWorld) open() *hostileThread {
	p := must(w.context.open(w.storm.tenant, nil, pidOf(w.storm.lastPID.Add(1)), "", w.storm.mf))
	ar, _ := hostarch.Addr(testMapAddr).ToRange(64 << 10)
	require.NoError(w.t, p.AddMapping(memorytest.Context(), nil, ar, 0, false))
	return w.thread(p)
}

// thread returns another thread of p.
func (w *cancelWorld) thread(p *Process) *hostileThread {
	s := newHostileThread(&hostileApp{storm: w.storm, pid: p.pid}, 0)
	s.calm, s.proc = true, p
	return s
}

// exchangeAll writes commands and reads, and returns what it read.
func (s *hostileThread) exchangeAll(t *testing.T, commands ...[]byte) []ret {
	var all []byte
	for _, c := range commands {
		all = append(all, c...)
	}
	n := copy(s.Bytes[hostileWrite:hostileWriteEnd], all)
	require.Len(t, all, n)
	wr := binder.WriteRead{WriteSize: uint64(n), WriteBuffer: hostileWrite, ReadBuffer: hostileRead, ReadSize: hostileWrite - hostileRead}
	wr.MarshalUnsafe(s.Bytes[hostileArg:])
	_ = s.proc.ioctl(s, s, binder.BINDER_WRITE_READ, hostileArg, true)
	wr.UnmarshalUnsafe(s.Bytes[hostileArg:])
	require.Equal(t, wr.WriteSize, wr.WriteConsumed)
	return parseReturns(t, s.Bytes[hostileRead:][:wr.ReadConsumed])
}

// oneWay returns a one-way call with n new nodes in it.
func (s *hostileThread) oneWay(handle uint32, n int) []byte {
	var parts []any
	for i := range n {
		parts = append(parts, nodeObject(uint64(8*(i+1))))
	}
	contents := parcel(parts...)
	offsets := must(binary.Append(nil, binary.LittleEndian, contents.offsets))
	size := copy(s.Bytes[hostileContents:], contents.data)
	copy(s.Bytes[hostileContents+size:], offsets)
	return cmd(binder.BC_TRANSACTION, binder.TransactionData{
		Target:      uint64(handle),
		Flags:       binder.TF_ONE_WAY,
		DataSize:    uint64(size),
		OffsetsSize: uint64(len(offsets)),
		Buffer:      hostileContents,
		Offsets:     hostileContents + uint64(size),
	})
}

// receive returns the address of the buffer of a call.
func (s *hostileThread) receive(t *testing.T) uint64 {
	t.Helper()
	for _, r := range s.exchangeAll(t) {
		if r.br == binder.BR_TRANSACTION {
			var td binder.TransactionData
			td.UnmarshalUnsafe(r.params)
			return td.Buffer
		}
	}
	t.Fatal("no call arrived")
	return 0
}

// cancelRounds returns how often these tests try to make things happen at once.
func cancelRounds() int {
	if testing.Short() {
		return 50
	}
	return 300
}

// CVE-2020-0423: a thread leaves with unread notices about its nodes on its list, while the
// last references to the nodes go: dropping those removes the notices from the list.
func TestCVE_2020_0423(t *testing.T) {
	const nodes = 48
	w := newCancelWorld(t)
	owner, client := w.open(), w.open()
	require.NoError(t, client.ioctl(client.proc, binder.BINDER_VERSION, hostileArg))
	require.NoError(t, client.ioctl(client.proc, binder.BINDER_SET_CONTEXT_MGR, 0))
	for range cancelRounds() {
		th := w.thread(owner.proc)
		// There's no room to read the notices.
		th.exchangeBlind(t, th.oneWay(0, nodes))
		addr := client.receive(t)
		atOnce(
			func() { _ = th.ioctl(th.proc, binder.BINDER_THREAD_EXIT, 0) },
			func() { client.exchangeAll(t, cmd(binder.BC_FREE_BUFFER, addr)) },
		)
	}
	owner.proc.release(owner)
	client.proc.release(client)
}

// exchangeBlind writes commands and reads nothing.
func (s *hostileThread) exchangeBlind(t *testing.T, commands []byte) {
	n := copy(s.Bytes[hostileWrite:hostileWriteEnd], commands)
	wr := s.writeRead(s.proc, binder.WriteRead{WriteSize: uint64(n), WriteBuffer: hostileWrite})
	require.EqualValues(t, n, wr.WriteConsumed)
}

// CVE-2025-68260: a process dies, and the requesters of its death notifications are
// notified, while they give up their references, and with them the requests, read, and die.
func TestCVE_2025_68260(t *testing.T) {
	const nodes = 48
	w := newCancelWorld(t)
	for round := range cancelRounds() {
		owner, client := w.open(), w.open()
		require.NoError(t, client.ioctl(client.proc, binder.BINDER_VERSION, hostileArg))
		require.NoError(t, client.ioctl(client.proc, binder.BINDER_SET_CONTEXT_MGR, 0))
		owner.exchangeBlind(t, owner.oneWay(0, nodes))
		addr := client.receive(t)
		var requests, releases [][]byte
		for h := range uint32(nodes) {
			requests = append(requests, cmd(binder.BC_INCREFS, h+1), cmd(binder.BC_REQUEST_DEATH_NOTIFICATION, h+1, uint64(h)))
			releases = append(releases, cmd(binder.BC_DECREFS, h+1))
		}
		client.exchangeAll(t, append(requests, cmd(binder.BC_FREE_BUFFER, addr))...)
		reader, leaver := w.thread(client.proc), w.thread(client.proc)
		actions := []func(){
			func() { owner.proc.release(owner) },
			func() { client.exchangeAll(t, releases...) },
			func() {
				for range 8 {
					reader.exchangeAll(t)
				}
			},
			func() {
				leaver.exchangeAll(t)
				_ = leaver.ioctl(leaver.proc, binder.BINDER_THREAD_EXIT, 0)
			},
		}
		if round%2 == 0 {
			// The client gives nothing up, but ends.
			actions = []func(){actions[0], func() { client.proc.release(client) }}
		}
		atOnce(actions...)
		if round%2 != 0 {
			client.proc.release(client)
		}
	}
}

// atOnce runs functions at the same time.
func atOnce(functions ...func()) {
	start := make(chan struct{})
	var all sync.WaitGroup
	for _, f := range functions {
		all.Go(func() {
			<-start
			f()
		})
	}
	close(start)
	all.Wait()
}
