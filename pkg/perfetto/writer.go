// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package perfetto

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/sentry/devices/binder/trace"
)

// Thread is a thread in a trace.
type Thread struct {
	// PID and TID are its IDs in the root PID namespace of the sandbox, NSPID and NSTID
	// those in its own.
	PID, TID, NSPID, NSTID int32

	// Name is the thread's name, Process its process's.
	Name, Process string
}

// Clocks are simultaneous readings of the host's clocks, in nanoseconds.
type Clocks struct {
	Realtime, Monotonic, Boottime int64
}

// Kinds of tracks. Each has its own uuids, by an ID.
const (
	threadTracks uint64 = iota + 1
	waitTracks
	processTracks
	freezerTracks
	lostTrack
)

func uuid(tracks uint64, id int32) uint64 { return tracks<<32 | uint64(uint32(id)) }

// Packets with track events need a sequence number.
const sequence = 1

// category is the category of Linux's own tracepoints.
const category = "binder"

// writer writes a trace.
type writer struct {
	w       *bufio.Writer
	clocks  Clocks
	threads map[int32]*Thread

	// unnamed maps the threads that are missing from threads to their processes.
	unnamed map[int32]int32

	// waits holds the threads, and freezers the processes, that have a track for that.
	waits, freezers map[int32]bool

	// sent holds the numbers given to transactions of all domains but the first that
	// were sent and not yet received. lastID is the last number given.
	sent   map[transaction]int32
	lastID int32

	// first is the first domain in the trace. Its transactions keep their numbers.
	first uint64

	// frozen holds the frozen processes.
	frozen map[int32]bool

	// lost is the number of events dropped so far.
	lost uint64
}

// transaction identifies a transaction: its number is its domain's, while Perfetto has one
// number space for all.
type transaction struct {
	domain uint64
	id     int32
}

// debugID returns the number of e's transaction in the trace. No domain uses negative
// ones.
func (t *writer) debugID(e *trace.Event) int64 {
	if t.first == 0 {
		t.first = e.Domain
	}
	if t.first == e.Domain {
		return int64(e.ID)
	}
	key := transaction{e.Domain, e.ID}
	id, ok := t.sent[key]
	if !ok {
		t.lastID--
		id = t.lastID
	}
	if e.Kind == trace.Received {
		delete(t.sent, key)
	} else {
		t.sent[key] = id
	}
	return int64(id)
}

// chunk is the number of events sorted at a time. Threads may add events to a ring
// slightly out of order.
const chunk = 1 << 16

// Write writes a trace of the encoded events in r. threads are the known ones, clocks
// readings from any time since the host's boot.
func Write(w io.Writer, r io.Reader, threads []Thread, clocks Clocks) error {
	t := &writer{
		w:        bufio.NewWriterSize(w, 1<<20),
		clocks:   clocks,
		threads:  make(map[int32]*Thread),
		unnamed:  make(map[int32]int32),
		waits:    make(map[int32]bool),
		freezers: make(map[int32]bool),
		frozen:   make(map[int32]bool),
		sent:     make(map[transaction]int32),
	}
	for i := range threads {
		t.threads[threads[i].TID] = &threads[i]
	}
	t.start()
	raw := make([]byte, chunk*trace.Size)
	var events []trace.Event
	for before := 0; ; before += len(events) {
		n, err := io.ReadFull(r, raw)
		if err == io.EOF {
			break
		}
		if err != nil && err != io.ErrUnexpectedEOF {
			return err
		}
		events = events[:0]
		for b := raw[:n]; len(b) > 0; b = b[trace.Size:] {
			var e trace.Event
			if err := e.Decode(b); err != nil {
				return fmt.Errorf("after %d events: %w", before+len(events), err)
			}
			events = append(events, e)
		}
		slices.SortStableFunc(events, func(a, b trace.Event) int { return cmp.Compare(a.Time, b.Time) })
		t.events(events)
	}
	t.end()
	return t.w.Flush()
}

// time returns the time of an event in the trace's clock, boot time.
func (t *writer) time(monotonic int64) uint64 {
	return uint64(monotonic + t.clocks.Boottime - t.clocks.Monotonic)
}

// packet writes a packet with the field n.
func (t *writer) packet(n protowire.Number, v message, time uint64) {
	p := message(nil).message(n, v).uint(packetSequence, sequence)
	if time != 0 {
		p = p.uint(packetTimestamp, time)
	}
	// Flush returns the error.
	_, _ = t.w.Write(message(nil).message(traceID, p))
}

// start writes the trace's first packets: the clocks and the known processes and threads.
func (t *writer) start() {
	var clocks message
	for _, c := range [...]struct{ id, time uint64 }{
		{clockRealtime, uint64(t.clocks.Realtime)},
		{clockMonotonic, uint64(t.clocks.Monotonic)},
		{clockBoottime, uint64(t.clocks.Boottime)},
	} {
		clocks = clocks.message(clocksClock, message(nil).uint(clockID, c.id).uint(clockTime, c.time))
	}
	t.packet(packetClockSnapshot, clocks.uint(clocksPrimary, clockBoottime), 0)

	t.tree(slices.Collect(maps.Values(t.threads)))
}

// tree writes threads, with their names if known, and processes with a known name.
func (t *writer) tree(threads []*Thread) {
	slices.SortFunc(threads, func(a, b *Thread) int {
		return cmp.Or(cmp.Compare(a.PID, b.PID), cmp.Compare(a.TID, b.TID))
	})
	var tree message
	last := int32(0)
	for _, th := range threads {
		if th.PID == last || th.Process == "" {
			continue
		}
		last = th.PID
		tree = tree.message(treeProcesses, message(nil).
			int(processPID, int64(th.PID)).
			string(processCmdline, th.Process).
			bool(processCmdlineIsComm, true).
			ids(processNSPID, th.PID, th.NSPID))
	}
	for _, th := range threads {
		m := message(nil).int(threadTID, int64(th.TID)).int(threadTGID, int64(th.PID)).ids(threadNSTID, th.TID, th.NSTID)
		if th.Name != "" {
			m = m.string(threadName, th.Name)
		}
		tree = tree.message(treeThreads, m)
	}
	t.packet(packetProcessTree, tree, t.time(t.clocks.Monotonic))
}

// ids appends the ID of a process or thread in its own namespace, if that isn't the root
// namespace.
func (m message) ids(n protowire.Number, root, own int32) message {
	if own == root {
		return m
	}
	return m.int(n, int64(own))
}

// end writes the trace's last packets: the processes of unnamed threads, and the number of
// lost events.
func (t *writer) end() {
	if len(t.unnamed) > 0 {
		var threads []*Thread
		for tid, pid := range t.unnamed {
			threads = append(threads, &Thread{PID: pid, TID: tid, NSPID: pid, NSTID: tid})
		}
		t.tree(threads)
	}
	t.packet(packetFtraceStats, message(nil).
		uint(statsPhase, statsEndOfTrace).
		message(statsCPU, message(nil).uint(cpuStatsCPU, 0).uint(cpuStatsDropped, t.lost)), 0)
}

// bundleSize is the number of events in a packet.
const bundleSize = 256

// events writes sorted events.
func (t *writer) events(events []trace.Event) {
	for part := range slices.Chunk(events, bundleSize) {
		// Linux has a bundle for each CPU. An event's CPU isn't known here, and says
		// nothing about Binder.
		bundle := message(nil).uint(bundleCPU, 0)
		lost := t.lost
		for i := range part {
			bundle = t.appendEvents(bundle, &part[i])
			if e := &part[i]; e.TID != 0 && t.threads[e.TID] == nil {
				t.unnamed[e.TID] = e.PID
			}
			t.tracks(&part[i])
		}
		if t.lost != lost {
			bundle = bundle.bool(bundleLostEvents, true)
		}
		t.packet(packetFtraceEvents, bundle, 0)
	}
}

// appendEvents appends to bundle the events of Linux's tracepoints for e that Perfetto
// knows.
func (t *writer) appendEvents(bundle message, e *trace.Event) message {
	add := func(n protowire.Number, fields message) {
		bundle = bundle.message(bundleEvent, message(nil).
			uint(ftraceTimestamp, t.time(e.Time)).
			int(ftracePID, int64(e.TID)).
			message(n, fields))
	}
	switch e.Kind {
	case trace.Command:
		add(ftraceCommand, message(nil).uint(commandCode, uint64(e.Code)))
	case trace.Return:
		add(ftraceReturn, message(nil).uint(commandCode, uint64(e.Code)))
	case trace.Received:
		add(ftraceReceived, message(nil).int(receivedDebugID, t.debugID(e)))
		add(ftraceReturn, message(nil).uint(commandCode, uint64(e.Code)))
	case trace.Transaction:
		id := t.debugID(e)
		add(ftraceTransaction, message(nil).
			int(transactionDebugID, id).
			int(transactionNode, int64(e.Node)).
			int(transactionToProc, int64(e.ToPID)).
			int(transactionToTID, int64(e.ToTID)).
			int(transactionReply, int64(e.Reply)).
			uint(transactionCode, uint64(e.Code)).
			uint(transactionFlags, uint64(e.Flags)))
		add(ftraceAllocBuf, message(nil).
			uint(allocBufData, uint64(e.Data)).
			int(allocBufDebugID, id).
			uint(allocBufOffsets, uint64(e.Offsets)).
			uint(allocBufExtra, uint64(e.Extra)))
	}
	return bundle
}

// notices names the returns that are shown on the track of a thread's waits.
var notices = map[uint32]string{
	binder.BR_DEAD_BINDER:                    "BR_DEAD_BINDER",
	binder.BR_CLEAR_DEATH_NOTIFICATION_DONE:  "BR_CLEAR_DEATH_NOTIFICATION_DONE",
	binder.BR_FROZEN_BINDER:                  "BR_FROZEN_BINDER",
	binder.BR_CLEAR_FREEZE_NOTIFICATION_DONE: "BR_CLEAR_FREEZE_NOTIFICATION_DONE",
	binder.BR_DEAD_REPLY:                     "BR_DEAD_REPLY",
	binder.BR_FAILED_REPLY:                   "BR_FAILED_REPLY",
	binder.BR_FROZEN_REPLY:                   "BR_FROZEN_REPLY",
	binder.BR_TRANSACTION_PENDING_FROZEN:     "BR_TRANSACTION_PENDING_FROZEN",
	binder.BR_ONEWAY_SPAM_SUSPECT:            "BR_ONEWAY_SPAM_SUSPECT",
	binder.BR_SPAWN_LOOPER:                   "BR_SPAWN_LOOPER",
}
