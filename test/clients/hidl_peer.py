#!/usr/bin/env python3
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0
"""HIDL on /dev/hwbinder in Python: as much of c/hidl.c as the module supports.

    hidl_peer.py service INSTANCE
    hidl_peer.py client INSTANCE SERVER

It supports strings and vectors, but neither structures with buffers in them nor
handles. The client's last line is a table of calls in JSON.
"""

import struct
import sys

import gbinder
from gi.repository import GLib

from peer_client import Report

DEVICE = "/dev/hwbinder"
INTERFACE = "org.sentrybinder.test@1.0::IEcho"
LISTENER = "org.sentrybinder.test@1.0::IListener"
UPPER, REVERSE, HALVE = 1, 2, 3
CALL_BACK, NOTE = 8, 10


def halve(reader, writer):
    try:
        data = bytes(reader.read_hidl_vec())
    except ValueError:
        # The module can't view a vector without elements.
        data = b""
    numbers = [n // 2 for (n,) in struct.iter_unpack("<I", data)]
    writer.append_hidl_vec(struct.pack("<%dI" % len(numbers), *numbers), len(numbers), 4)


def call_back(reader, writer):
    remote = reader.read_object()
    client = gbinder.Client(remote, LISTENER)
    req = client.new_request()
    req.append_hidl_string(reader.read_hidl_string())
    reply, status = client.transact_sync_reply(1, req)
    answer = reply.init_reader()
    answer.read_int32()
    writer.append_hidl_string(answer.read_hidl_string() + "!" if status == 0 else "failed")


def service(instance):
    manager = gbinder.ServiceManager(DEVICE)

    def handler(req, code, flags):
        reader = req.init_reader()
        reply = local.new_reply()
        reply.append_int32(0)
        writer = reply.init_writer()
        if code == UPPER:
            writer.append_hidl_string(reader.read_hidl_string().upper())
        elif code == REVERSE:
            writer.append_hidl_string_vec(reader.read_hidl_string_vec()[::-1])
        elif code == HALVE:
            halve(reader, writer)
        elif code == CALL_BACK:
            call_back(reader, writer)
        elif code == NOTE:
            print("note", reader.read_hidl_string(), req.sender_pid(), req.sender_euid(), flush=True)
        # The writer owns what the reply points to.
        kept.append(writer)
        del kept[:-8]
        return reply, 0

    kept = []
    local = manager.new_local_object(INTERFACE, handler)
    status = manager.add_service_sync(instance, local)
    print("registered" if status == 0 else "refused %d" % status, flush=True)
    GLib.MainLoop().run()


def client(instance, server):
    manager = gbinder.ServiceManager(DEVICE)
    remote, _ = manager.get_service_sync(INTERFACE + "/" + instance)
    if remote is None:
        sys.exit("FAILED %s not found" % instance)
    caller = gbinder.Client(remote, INTERFACE)
    report = Report()

    def call(what, kind, code, fill, read, want):
        req = caller.new_request()
        writer = req.init_writer()
        fill(writer)
        reply, status = caller.transact_sync_reply(code, req)
        reader = reply.init_reader() if status == 0 else None
        got = read(reader) if reader and reader.read_int32() == (True, 0) else "status %d" % status
        report.count(server, kind, got == want)
        report.checks[got != want] += 1
        print("%-6s Python calls %s, HIDL: %s" % ("ok" if got == want else "FAILED", server, what), flush=True)
        if got != want:
            print("       got   %r\n       want  %r" % (got, want), flush=True)

    call("a string", "hidl", UPPER, lambda w: w.append_hidl_string("hello, hwbinder"),
         lambda r: r.read_hidl_string(), "HELLO, HWBINDER")
    call("a vector of strings", "hidl", REVERSE, lambda w: w.append_hidl_string_vec(["one", "", "three"]),
         lambda r: r.read_hidl_string_vec(), ["three", "", "one"])
    numbers = struct.pack("<1000I", *range(0, 2000, 2))
    call("a vector of numbers", "hidl", HALVE, lambda w: w.append_hidl_vec(numbers, 1000, 4),
         lambda r: bytes(r.read_hidl_vec()), struct.pack("<1000I", *range(1000)))
    report.print()
    return report.checks[1] != 0


if __name__ == "__main__":
    sys.exit({"service": service, "client": client}[sys.argv[1]](*sys.argv[2:]))
