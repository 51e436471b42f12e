#!/usr/bin/env python3
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0
"""Clients of IEcho in Python that check every answer.

    peer_client.py DEVICE client NAME SERVER
    peer_client.py DEVICE soak-client SECONDS NAME:SERVER...

"client" makes each call once, "soak-client" makes random calls while services
and clients are killed, until SIGTERM at the latest; SERVER is the language of a
service. The last line of output is a table of calls in JSON; soak-client prints
it every second.
"""

import faulthandler
import json
import os
import random
import signal
import string
import sys
import time

import gbinder
from gi.repository import GLib

import echo_service as echo

# libgbinder's status for a transaction to a dead process.
DEAD_OBJECT = 2

# How long a one-way call may take to arrive.
LOST_SECONDS = 150


class Died(Exception):
    """The service has died, or does not exist."""


class Wrong(Exception):
    """An answer is wrong."""


class Report:
    """The table of calls."""

    def __init__(self):
        self.rows = {}
        self.checks = [0, 0]
        self.shown = 0

    def count(self, server, kind, right):
        row = self.rows.setdefault((server, kind), [0, 0])
        row[0] += 1
        row[1] += not right

    def wrong(self, what):
        if self.shown < 5:
            print("FAILED", what, flush=True)
        self.shown += 1

    def failures(self):
        return sum(row[1] for row in self.rows.values())

    def print(self, **members):
        calls = [["python", *key, *row] for key, row in self.rows.items()]
        passed, failed = self.checks
        print(json.dumps({"calls": calls, "passed": passed, "failed": failed, **members}), flush=True)


class Peer:
    """A service, which is looked up again after it has died."""

    proxies = 0

    def __init__(self, manager, name, server):
        self.manager = manager
        self.name = name
        self.server = server
        self.client = None

    def find(self):
        self.remote, _ = self.manager.get_service_sync(self.name)
        if self.remote is None:
            raise Died
        self.client = gbinder.Client(self.remote, echo.INTERFACE)
        Peer.proxies += 1
        self.tag = "python-%d-%d" % (os.getpid(), Peer.proxies)
        self.sent = 0

    def forget(self):
        self.client = None

    def call(self, code, fill=None, exception=0, serve=False):
        """Makes a call; returns the reader of its reply, and the reply.

        With serve, it serves this process's objects while it waits.
        """
        req = self.client.new_request()
        if fill:
            fill(req.init_writer())
        if serve:
            reply, status = self.transact(code, req)
        else:
            reply, status = self.client.transact_sync_reply(code, req)
        self.check_alive(status)
        if status != 0:
            raise Wrong("call %d of %s: status %d" % (code, self.name, status))
        reader = reply.init_reader()
        if reader.read_int32() != (True, exception):
            raise Wrong("call %d of %s: an exception" % (code, self.name))
        return reader, reply

    def check_alive(self, status):
        """Raises Died if the service has died.

        Once it is notified of the death, libgbinder makes no call, and leaves
        the status undefined.
        """
        if self.remote.is_dead() or status == DEAD_OBJECT:
            raise Died

    def transact(self, code, req):
        loop = GLib.MainLoop()
        answer = []

        def on_reply(reply, status):
            answer.extend((reply, status))
            loop.quit()

        if self.client.transact(code, 0, req, on_reply, lambda: None) == 0:
            return None, DEAD_OBJECT
        loop.run()
        return answer


def text(most):
    return "".join(random.choices(string.ascii_letters + string.digits + " ", k=random.randint(0, most)))


def expect(what, got, want):
    if got != want:
        raise Wrong("%s: got %r, want %r" % (what, got, want))


def call_upper(peer):
    sent = text(200)
    reader, _ = peer.call(echo.UPPER, lambda w: w.append_string16(sent))
    expect("upper", reader.read_string16(), sent.upper())


def call_add(peer):
    a, b = random.getrandbits(32), random.getrandbits(32)

    def fill(writer):
        writer.append_int32(a)
        writer.append_int32(b)

    reader, _ = peer.call(echo.ADD, fill)
    expect("add", reader.read_uint32(), (True, (a + b) & 0xFFFFFFFF))


def call_call_back(peer):
    sent = text(100)

    def on_event(req, code, flags):
        reply = listener.new_reply()
        reply.append_int32(0)
        reply.append_string16(req.read_string16()[::-1])
        return reply, 0

    listener = peer.manager.new_local_object("org.sentrybinder.test.IListener", on_event)

    def fill(writer):
        writer.append_local_object(listener)
        writer.append_string16(sent)

    # libgbinder serves all objects in the main thread, and calls back from another thread
    # than the one that received the call.
    reader, _ = peer.call(echo.CALL_BACK, fill, serve=True)
    expect("callBack", reader.read_string16(), sent[::-1] + "!")


def call_reverse_most(peer):
    call_reverse(peer, 400 << 10)


def call_reverse(peer, most=64 << 10):
    sent = random.randbytes(random.randrange(most))
    reader, _ = peer.call(echo.REVERSE, lambda w: echo.append_bytes(w, sent))
    got = echo.read_bytes(reader)
    if got != sent[::-1]:
        raise Wrong("reverse of %d bytes: got %d" % (len(sent), len(got)))


def call_write_file(peer):
    sent = text(300)
    r, w = os.pipe()

    def fill(writer):
        writer.append_int32(1)
        writer.append_int32(0)
        writer.append_fd(w)
        writer.append_string16(sent)

    with os.fdopen(r) as f:
        try:
            reader, _ = peer.call(echo.WRITE_FILE, fill)
        finally:
            os.close(w)
        # The pipe ends only once the service has closed its descriptor, too. libgbinder's
        # own was closed with the request, which is gone by now.
        came = f.read()
    expect("writeFile", (came, reader.read_int32()), (sent, (True, len(sent))))


def call_open_file(peer):
    sent = text(300)
    reader, _ = peer.call(echo.OPEN_FILE, lambda w: w.append_string16(sent))
    expect("openFile", (reader.read_int32(), reader.read_int32()), ((True, 1), (True, 0)))
    with os.fdopen(reader.read_dup_fd()) as f:
        expect("openFile", f.read(), sent)


def call_notes(peer):
    """Sends notes and waits until the service has received all, in order."""
    deadline = time.monotonic() + LOST_SECONDS
    for _ in range(random.randint(1, 8)):
        req = peer.client.new_request()
        req.append_string16("%s %d" % (peer.tag, peer.sent + 1))
        status = peer.client.transact_sync_oneway(echo.NOTE, req)
        peer.check_alive(status)
        expect("the status of a note", status, 0)
        peer.sent += 1
    pause = 0.0025
    while True:
        asked = time.monotonic()
        reader, _ = peer.call(echo.HEARD, lambda w: w.append_string16(peer.tag))
        _, heard = reader.read_int32()
        if heard == peer.sent:
            return
        if not 0 <= heard < peer.sent or time.monotonic() > deadline:
            raise Wrong("notes: sent %d, heard %d" % (peer.sent, heard))
        # Poll not much more often than needed, and less often if the service is busy: all
        # of these calls may precede each note, which waits until the previous one is
        # handled.
        pause = min(max(2 * pause, 10 * (time.monotonic() - asked)), 10)
        time.sleep(pause)


def call_caller(peer):
    reader, _ = peer.call(echo.CALLER)
    expect("caller", reader.read_int64(), (True, os.getpid() << 32 | os.geteuid()))


def call_fail(peer):
    def fill(writer):
        writer.append_int32(77)
        writer.append_string16("no such luck")

    reader, _ = peer.call(echo.FAIL, fill, exception=echo.EX_SERVICE_SPECIFIC)
    expect("fail", (reader.read_string16(), reader.read_int32(), reader.read_int32()),
           ("no such luck", (True, 0), (True, 77)))


SOAK_CALLS = (
    ("a string", "sync", call_upper),
    ("numbers", "sync", call_add),
    ("an object that the service calls back", "callback", call_call_back),
    ("bytes", "large", call_reverse),
    ("a file descriptor in a call", "fd", call_write_file),
    ("a file descriptor in a reply", "fd", call_open_file),
    ("one-way calls, in order", "oneway", call_notes),
)
CALLS = SOAK_CALLS + (
    ("the caller's pid and uid", "sync", call_caller),
    ("an exception of the service's own", "sync", call_fail),
    ("up to 400 KiB", "large", call_reverse_most),
)


def client(manager, name, server):
    report = Report()
    peer = Peer(manager, name, server)
    peer.find()
    for what, kind, call in CALLS:
        try:
            call(peer)
            wrong = None
        except (Wrong, Died) as e:
            wrong = repr(e)
        report.count(server, kind, wrong is None)
        report.checks[wrong is not None] += 1
        print("%-6s Python calls %s: %s" % ("FAILED" if wrong else "ok", server, what), flush=True)
        if wrong:
            print("      ", wrong, flush=True)
    report.print()
    return report.checks[1] != 0


def soak(manager, seconds, *names):
    report = Report()
    peers = [Peer(manager, *name.split(":")) for name in names]
    context = GLib.MainContext.default()
    end = time.monotonic() + int(seconds)
    dead = longest = 0
    reported = 0
    ended = []
    # On this signal it prints where it is stuck.
    faulthandler.register(signal.SIGUSR1, all_threads=False)
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    while not ended and (now := time.monotonic()) < end:
        peer = random.choice(peers)
        _, kind, call = random.choice(SOAK_CALLS)
        try:
            if peer.client is None:
                peer.find()
            call(peer)
            report.count(peer.server, kind, True)
            time.sleep(0.005)
        except Wrong as e:
            report.wrong("%s: %s" % (kind, e))
            report.count(peer.server, kind, False)
        except Died:
            dead += 1
            peer.forget()
            time.sleep(random.uniform(0.02, 0.1))
        longest = max(longest, time.monotonic() - now)
        # Handle death notifications, and freed nodes.
        while context.iteration(False):
            pass
        if time.monotonic() > reported + 1:
            report.print(dead=dead, longest_ms=int(longest * 1000))
            reported = time.monotonic()
    report.print(dead=dead, longest_ms=int(longest * 1000))
    return report.failures() != 0


def main(device, command, *arguments):
    manager = gbinder.ServiceManager(device)
    return {"client": client, "soak-client": soak}[command](manager, *arguments)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
