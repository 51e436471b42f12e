// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package perfetto

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/sentry/devices/binder/trace"
)

// fields is a decoded message: the values of each field, which are numbers or bytes.
type fields map[protowire.Number][]any

func decode(t *testing.T, b []byte) fields {
	t.Helper()
	m := fields{}
	for len(b) > 0 {
		n, kind, size := protowire.ConsumeTag(b)
		require.Positive(t, size)
		b = b[size:]
		switch kind {
		case protowire.VarintType:
			v, size := protowire.ConsumeVarint(b)
			require.Positive(t, size)
			m[n], b = append(m[n], v), b[size:]
		case protowire.BytesType:
			v, size := protowire.ConsumeBytes(b)
			require.Positive(t, size)
			m[n], b = append(m[n], v), b[size:]
		default:
			require.Fail(t, "unexpected type", "%d", kind)
		}
	}
	return m
}

// all returns the messages in field n.
func (m fields) all(t *testing.T, n protowire.Number) (all []fields) {
	t.Helper()
	for _, v := range m[n] {
		all = append(all, decode(t, v.([]byte)))
	}
	return all
}

// one returns the only message in field n.
func (m fields) one(t *testing.T, n protowire.Number) fields {
	t.Helper()
	require.Len(t, m[n], 1)
	return m.all(t, n)[0]
}

func (m fields) number(t *testing.T, n protowire.Number) uint64 {
	t.Helper()
	require.Len(t, m[n], 1)
	return m[n][0].(uint64)
}

func (m fields) text(n protowire.Number) string {
	if len(m[n]) == 0 {
		return ""
	}
	return string(m[n][0].([]byte))
}

// clocks put boot time 1000 ns ahead of monotonic time.
var clocks = Clocks{Realtime: 5_000_000, Monotonic: 500, Boottime: 1500}

// encode returns events as the driver writes them.
func encode(events []trace.Event) []byte {
	raw := make([]byte, 0, len(events)*trace.Size)
	for i := range events {
		raw = events[i].AppendTo(raw)
	}
	return raw
}

// packets writes a trace of events, and returns its packets.
func packets(t *testing.T, threads []Thread, events ...trace.Event) []fields {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, Write(&out, bytes.NewReader(encode(events)), threads, clocks))
	return decode(t, out.Bytes()).all(t, traceID)
}

// with returns the values of the packets' field n, and the times of the packets.
func with(t *testing.T, all []fields, n protowire.Number) (found []fields, times []uint64) {
	for _, p := range all {
		if len(p[n]) != 0 {
			found = append(found, p.one(t, n))
			at := uint64(0)
			if len(p[packetTimestamp]) != 0 {
				at = p.number(t, packetTimestamp)
			}
			times = append(times, at)
		}
	}
	return found, times
}

func TestTracepoints(t *testing.T) {
	all := packets(t, nil,
		trace.Event{Kind: trace.Received, Time: 70, TID: 22, PID: 20, ID: 7, Code: binder.BR_TRANSACTION},
		trace.Event{Kind: trace.Command, Time: 50, TID: 11, PID: 10, Code: binder.BC_TRANSACTION},
		trace.Event{Kind: trace.Transaction, Time: 60, TID: 11, PID: 10, ID: 7, Node: 3, ToPID: 20, ToTID: 22, Code: 5, Flags: 0x10, Data: 128, Offsets: 8, Extra: 24},
	)
	bundles, _ := with(t, all, packetFtraceEvents)
	require.Len(t, bundles, 1)
	require.EqualValues(t, 0, bundles[0].number(t, bundleCPU))
	require.Empty(t, bundles[0][bundleLostEvents])
	events := bundles[0].all(t, bundleEvent)
	require.Len(t, events, 5)
	want := []struct {
		time, tid uint64
		kind      protowire.Number
	}{
		{1050, 11, ftraceCommand}, {1060, 11, ftraceTransaction}, {1060, 11, ftraceAllocBuf}, {1070, 22, ftraceReceived}, {1070, 22, ftraceReturn},
	}
	for i, w := range want {
		require.Equal(t, w.time, events[i].number(t, ftraceTimestamp), "%d", i)
		require.Equal(t, w.tid, events[i].number(t, ftracePID), "%d", i)
		require.Len(t, events[i][w.kind], 1, "%d", i)
	}
	require.EqualValues(t, binder.BC_TRANSACTION, events[0].one(t, ftraceCommand).number(t, commandCode))
	tr := events[1].one(t, ftraceTransaction)
	for n, v := range map[protowire.Number]uint64{transactionDebugID: 7, transactionNode: 3, transactionToProc: 20, transactionToTID: 22, transactionReply: 0, transactionCode: 5, transactionFlags: 0x10} {
		require.Equal(t, v, tr.number(t, n), "%d", n)
	}
	buf := events[2].one(t, ftraceAllocBuf)
	for n, v := range map[protowire.Number]uint64{allocBufData: 128, allocBufDebugID: 7, allocBufOffsets: 8, allocBufExtra: 24} {
		require.Equal(t, v, buf.number(t, n), "%d", n)
	}
	require.EqualValues(t, 7, events[3].one(t, ftraceReceived).number(t, receivedDebugID))
	require.EqualValues(t, binder.BR_TRANSACTION, events[4].one(t, ftraceReturn).number(t, commandCode))
}

// Each domain numbers its own transactions; in a trace, no two in flight share a number.
func TestTransactionsOfDomains(t *testing.T) {
	send, take := trace.Event{Kind: trace.Transaction, TID: 1, ID: 7}, trace.Event{Kind: trace.Received, TID: 2, ID: 7}
	in := func(e trace.Event, domain uint64, time int64) trace.Event {
		e.Domain, e.Time = domain, time
		return e
	}
	all := packets(t, nil, in(send, 5, 1), in(send, 6, 2), in(send, 8, 3), in(take, 8, 4), in(take, 6, 5), in(take, 5, 6), in(send, 6, 7), in(take, 6, 8))
	bundles, _ := with(t, all, packetFtraceEvents)
	var sent, received []int32
	for _, e := range bundles[0].all(t, bundleEvent) {
		if len(e[ftraceTransaction]) != 0 {
			sent = append(sent, int32(e.one(t, ftraceTransaction).number(t, transactionDebugID)))
		}
		if len(e[ftraceReceived]) != 0 {
			received = append(received, int32(e.one(t, ftraceReceived).number(t, receivedDebugID)))
		}
	}
	require.Equal(t, []int32{7, -1, -2, -3}, sent)
	require.Equal(t, []int32{-2, -1, 7, -3}, received)
}

func TestNames(t *testing.T) {
	all := packets(t, []Thread{
		{PID: 20, TID: 22, NSPID: 1, NSTID: 3, Name: "worker", Process: "service"},
		{PID: 10, TID: 10, NSPID: 10, NSTID: 10, Name: "main", Process: "client"},
		{PID: 20, TID: 20, NSPID: 1, NSTID: 1, Name: "service", Process: "service"},
	})
	trees, times := with(t, all, packetProcessTree)
	require.Len(t, trees, 1)
	require.Equal(t, []uint64{1500}, times)
	processes := trees[0].all(t, treeProcesses)
	require.Len(t, processes, 2)
	require.EqualValues(t, 10, processes[0].number(t, processPID))
	require.Equal(t, "client", processes[0].text(processCmdline))
	require.Empty(t, processes[0][processNSPID], "it's in the root namespace")
	require.EqualValues(t, 1, processes[1].number(t, processNSPID))
	threads := trees[0].all(t, treeThreads)
	require.Len(t, threads, 3)
	require.EqualValues(t, 22, threads[2].number(t, threadTID))
	require.EqualValues(t, 20, threads[2].number(t, threadTGID))
	require.EqualValues(t, 3, threads[2].number(t, threadNSTID))
	require.Equal(t, "worker", threads[2].text(threadName))
}

// Even an unknown thread belongs to a process: Perfetto's tables leave out calls of threads
// without one.
func TestThreadsWithoutNames(t *testing.T) {
	all := packets(t, []Thread{{PID: 10, TID: 10, NSPID: 10, NSTID: 10, Name: "main", Process: "client"}},
		trace.Event{Kind: trace.Command, TID: 11, PID: 10},
		trace.Event{Kind: trace.Command, TID: 10, PID: 10},
		trace.Event{Kind: trace.Closed, PID: 30},
	)
	trees, _ := with(t, all, packetProcessTree)
	require.Len(t, trees, 2)
	require.Empty(t, trees[1][treeProcesses])
	th := trees[1].one(t, treeThreads)
	require.EqualValues(t, 11, th.number(t, threadTID))
	require.EqualValues(t, 10, th.number(t, threadTGID))
	require.Empty(t, th[threadName])
}

// slice is a track event of a test.
type slice struct {
	kind  uint64
	name  string
	track string
	time  uint64
}

// trackEvents returns the events on tracks, with the tracks' names.
func trackEvents(t *testing.T, all []fields) (slices []slice) {
	descriptors, _ := with(t, all, packetTrackDescriptor)
	names := map[uint64]string{}
	for _, d := range descriptors {
		id := d.number(t, trackUUID)
		require.NotContains(t, names, id, "a track is described once")
		names[id] = d.text(trackName)
		if len(d[trackParent]) != 0 {
			require.Contains(t, names, d.number(t, trackParent), "a parent comes first")
		}
	}
	events, times := with(t, all, packetTrackEvent)
	for i, e := range events {
		id := e.number(t, trackEventTrack)
		require.Contains(t, names, id)
		slices = append(slices, slice{e.number(t, trackEventType), e.text(trackEventName), names[id], times[i]})
	}
	return slices
}

func TestTracks(t *testing.T) {
	all := packets(t, nil,
		trace.Event{Kind: trace.Wait, Start: 10, Time: 20, TID: 11, PID: 10, Reply: 1},
		trace.Event{Kind: trace.Wait, Start: 30, Time: 40, TID: 11, PID: 10},
		trace.Event{Kind: trace.Return, Time: 41, TID: 11, PID: 10, Code: binder.BR_DEAD_BINDER},
		trace.Event{Kind: trace.Return, Time: 42, TID: 11, PID: 10, Code: binder.BR_TRANSACTION_COMPLETE},
		trace.Event{Kind: trace.Thawed, Time: 43, PID: 20}, // It was frozen before.
		trace.Event{Kind: trace.Frozen, Time: 50, PID: 20},
		trace.Event{Kind: trace.Thawed, Time: 60, PID: 20},
		trace.Event{Kind: trace.Frozen, Time: 70, PID: 20},
		trace.Event{Kind: trace.Closed, Time: 80, PID: 20},
	)
	require.Equal(t, []slice{
		{typeSliceBegin, "wait for reply", "binder waits", 1010},
		{typeSliceEnd, "", "binder waits", 1020},
		{typeSliceBegin, "wait for work", "binder waits", 1030},
		{typeSliceEnd, "", "binder waits", 1040},
		{typeInstant, "BR_DEAD_BINDER", "binder waits", 1041},
		{typeSliceBegin, "frozen", "binder process", 1050},
		{typeSliceEnd, "", "binder process", 1060},
		{typeSliceBegin, "frozen", "binder process", 1070},
		{typeSliceEnd, "", "binder process", 1080},
		{typeInstant, "device closed", "binder process", 1080},
	}, trackEvents(t, all))
}

func TestLostEvents(t *testing.T) {
	filler := trace.Event{Kind: trace.Command, Time: 1, TID: 11, Code: binder.BC_FREE_BUFFER}
	events := slices.Repeat([]trace.Event{filler}, bundleSize)
	events = append(events, trace.Event{Kind: trace.Lost, Time: 2, Extra: 5}, trace.Event{Kind: trace.Lost, Time: 3, Extra: 7})
	all := packets(t, nil, events...)
	bundles, _ := with(t, all, packetFtraceEvents)
	require.Len(t, bundles, 2)
	require.Empty(t, bundles[0][bundleLostEvents])
	require.EqualValues(t, 1, bundles[1].number(t, bundleLostEvents))
	require.Equal(t, []slice{
		{typeInstant, "5 events lost", "binder events lost", 1002},
		{typeInstant, "7 events lost", "binder events lost", 1003},
	}, trackEvents(t, all))
	stats, _ := with(t, all, packetFtraceStats)
	require.Len(t, stats, 1)
	require.EqualValues(t, 12, stats[0].one(t, statsCPU).number(t, cpuStatsDropped))
}

// No event is missing when there are more than are sorted at a time.
func TestManyEvents(t *testing.T) {
	events := make([]trace.Event, chunk+10)
	for i := range events {
		events[i] = trace.Event{Kind: trace.Command, Time: int64(i), TID: 11, Code: binder.BC_FREE_BUFFER}
	}
	bundles, _ := with(t, packets(t, nil, events...), packetFtraceEvents)
	n := 0
	for _, b := range bundles {
		n += len(b[bundleEvent])
	}
	require.Equal(t, len(events), n)
}

func TestInvalidEvents(t *testing.T) {
	require.Error(t, Write(&bytes.Buffer{}, bytes.NewReader(make([]byte, trace.Size)), nil, clocks))
	require.Error(t, Write(&bytes.Buffer{}, bytes.NewReader(make([]byte, 3)), nil, clocks))

	// The error says where.
	valid := slices.Repeat([]trace.Event{{Kind: trace.Command}}, chunk+10)
	raw := append(encode(valid), make([]byte, trace.Size)...)
	require.ErrorContains(t, Write(&bytes.Buffer{}, bytes.NewReader(raw), nil, clocks), fmt.Sprintf("after %d events", chunk+10))
}
