#!/usr/bin/env python3
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0

"""Checks a trace of the demo, and may draw it.

    check.py TRACE.pftrace [PICTURE.svg]

Perfetto's trace processor turns Binder's tracepoints into slices and flows: a call is a
slice "binder transaction" in the sender's thread, from binder_transaction to
binder_transaction_received of the reply, and a slice "binder reply" in the receiver's. This
does the same, to check that the trace has what it needs.
"""

import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace, TrackEvent

import picture

TF_ONE_WAY = 1
BR_DEAD_REPLY, BR_FAILED_REPLY, BR_FROZEN_REPLY = 0x7205, 0x7211, 0x7212
FAILURES = {BR_DEAD_REPLY: "dead", BR_FAILED_REPLY: "failed", BR_FROZEN_REPLY: "frozen"}


@dataclass
class Slice:
    """A slice or, if it ends when it begins, an instant."""

    track: int
    name: str
    start: int
    end: int | None = None
    transaction: int = 0
    args: dict = field(default_factory=dict)


class Timeline:
    """The contents of a trace."""

    def __init__(self, path):
        trace = Trace()
        with open(path, "rb") as f:
            trace.ParseFromString(f.read())
        self.processes, self.threads = {}, {}
        self.slices, self.flows = [], []
        self.waits, self.marks = [], []
        self.errors, self.counts = [], Counter()
        self.lost = 0
        self._stacks = defaultdict(list)
        self._sent = {}
        self._read(trace)

    def _read(self, trace):
        events, tracks, open_waits = [], {}, {}
        for packet in trace.packet:
            self.counts[packet.WhichOneof("data")] += 1
            for p in packet.process_tree.processes:
                self.processes[p.pid] = p.cmdline[0]
            for t in packet.process_tree.threads:
                self.threads[t.tid] = (t.tgid, t.name)
            events.extend(packet.ftrace_events.event)
            for cpu in packet.ftrace_stats.cpu_stats:
                self.lost += cpu.dropped_events
            if packet.HasField("track_descriptor"):
                tracks[packet.track_descriptor.uuid] = packet.track_descriptor
            if packet.HasField("track_event"):
                self._track_event(packet, tracks, open_waits)
        for e in sorted(events, key=lambda e: e.timestamp):
            self.counts[e.WhichOneof("event")] += 1
            self._event(e)

    def label(self, tid):
        """Returns the name of a thread. A short-lived one may have none."""
        pid, name = self.threads[tid]
        return self.processes[pid] if pid == tid or not name else f"{self.processes[pid]}/{name}"

    def _track_event(self, packet, tracks, open_waits):
        e = packet.track_event
        if e.track_uuid not in tracks:
            self.errors.append(f"an event is on track {e.track_uuid}, which does not exist")
            return
        parent = tracks.get(tracks[e.track_uuid].parent_uuid)
        owner = (parent.thread.tid or parent.process.pid) if parent else 0
        if e.type == TrackEvent.TYPE_SLICE_BEGIN:
            open_waits[e.track_uuid] = Slice(owner, e.name, packet.timestamp)
            self.waits.append(open_waits[e.track_uuid])
        elif e.type == TrackEvent.TYPE_SLICE_END:
            open_waits.pop(e.track_uuid).end = packet.timestamp
        else:
            self.marks.append(Slice(owner, e.name, packet.timestamp, packet.timestamp))

    def _event(self, e):
        kind = e.WhichOneof("event")
        stack = self._stacks[e.pid]
        if kind == "binder_transaction":
            self._transaction(e, e.binder_transaction, stack)
        elif kind == "binder_transaction_received":
            self._received(e, e.binder_transaction_received.debug_id, stack)
        elif kind == "binder_return" and e.binder_return.cmd in FAILURES and stack:
            # A call without a reply ends here.
            if stack[-1].name == "binder transaction":
                top = stack.pop()
                top.end, top.args["failed"] = e.timestamp, FAILURES[e.binder_return.cmd]

    def _transaction(self, e, t, stack):
        if t.debug_id in self._sent:
            self.errors.append(f"two transactions {t.debug_id} are under way")
        if t.reply:
            if not stack or stack[-1].name != "binder reply":
                self.errors.append(f"thread {e.pid} replies ({t.debug_id}) to nothing")
                return
            call = stack.pop()
            call.end = e.timestamp
            call.args["to"] = (t.to_proc, t.to_thread)
            self._sent[t.debug_id] = call
            return
        one_way = t.flags & TF_ONE_WAY
        s = Slice(e.pid, "binder transaction async" if one_way else "binder transaction", e.timestamp, transaction=t.debug_id)
        s.args.update(code=t.code, flags=t.flags, to=(t.to_proc, t.to_thread), node=t.target_node)
        if one_way:
            s.end = s.start
        else:
            stack.append(s)
        self.slices.append(s)
        self._sent[t.debug_id] = s

    def _received(self, e, debug_id, stack):
        sent = self._sent.pop(debug_id, None)
        if sent is None:
            self.errors.append(f"transaction {debug_id} is received, but was not sent")
            return
        if sent.name == "binder reply":
            if not stack or stack[-1].name != "binder transaction":
                self.errors.append(f"thread {e.pid} gets a reply ({debug_id}) that it doesn't wait for")
                return
            call = stack.pop()
            call.end = e.timestamp
            if (call, sent) not in self.flows:
                self.errors.append(f"the reply {debug_id} comes from another thread than the call went to")
            return
        one_way = sent.name == "binder transaction async"
        s = Slice(e.pid, "binder async rcv" if one_way else "binder reply", e.timestamp, transaction=debug_id)
        if one_way:
            s.end = s.start
        else:
            stack.append(s)
        if self.threads.get(e.pid, (0,))[0] != sent.args["to"][0]:
            self.errors.append(f"transaction {debug_id} is for process {sent.args['to'][0]}, and thread {e.pid} gets it")
        self.slices.append(s)
        self.flows.append((sent, s))


def check(t):
    """Returns the errors in the demo's trace."""
    wrong = list(t.errors)
    for pid, name in t.processes.items():
        if not name:
            wrong.append(f"process {pid} has no name")
    for s in t.slices:
        if s.track not in t.threads:
            wrong.append(f"thread {s.track} belongs to no process")
        elif t.threads[s.track][0] not in t.processes:
            wrong.append(f"process {t.threads[s.track][0]} is not in the trace")
    names = Counter(s.name for s in t.slices)
    for name in ("binder transaction", "binder reply", "binder transaction async", "binder async rcv"):
        if not names[name]:
            wrong.append(f"no slice {name!r}")
    # android_binder_txns needs calls with both ends, the server's within the client's.
    whole = [(a, b) for a, b in t.flows if b.name == "binder reply" and a.end and b.end]
    if not whole:
        wrong.append("no call has both ends")
    for a, b in whole:
        if not "failed" in a.args and not a.start <= b.start <= b.end <= a.end:
            wrong.append(f"call {a.transaction} is answered outside its own time")
    for role in ("manager", "service", "client"):
        if role not in t.processes.values():
            wrong.append(f"no {role}")
    if not any(m.name == "BR_DEAD_BINDER" for m in t.marks):
        wrong.append("nobody is notified of a death")
    if not any(w.name == "wait for reply" for w in t.waits):
        wrong.append("nobody waits for a reply")
    if t.lost:
        wrong.append(f"{t.lost} events were lost")
    return wrong


def main(path, svg=None):
    t = Timeline(path)
    names = Counter(s.name for s in t.slices)
    for name, n in sorted(names.items()):
        print(f"{n:5}  {name}")
    print(f"{len(t.flows):5}  flows")
    wrong = check(t)
    for line in wrong:
        print("WRONG:", line)
    if wrong:
        sys.exit(1)
    if svg:
        picture.draw(t, svg)


if __name__ == "__main__":
    main(*sys.argv[1:])
