#!/usr/bin/env python3
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0
"""A service for the client tools to call, on libgbinder's Python module.

    echo_service.py DEVICE NAME

prints "registered" once the service manager has it, and then a line for each
one-way call. When the service manager dies and another takes its place, it
registers again and says so again. Each reply starts with an int32 zero, as
an AIDL reply without an exception does.
"""

import os
import sys

import gbinder
from gi.repository import GLib

INTERFACE = "org.sentrybinder.test.IEcho"

# binder-call refuses the first transaction code, 1.
UPPER, ADD, WIDEN, WHO, NOTE, CALL_BACK, WRITE_FD, OPEN_FD = range(2, 10)

# The code that CALL_BACK calls in the client's object.
ON_EVENT = 2


# A request's and a reply's own read_ methods always read from its start: what
# is more than one value takes a reader.


def upper(req, reply):
    reply.append_string16(req.read_string16().upper())


def add(req, reply):
    reader = req.init_reader()
    _, a = reader.read_int32()
    _, b = reader.read_int32()
    reply.append_int32((a + b) & 0xFFFFFFFF)


def widen(req, reply):
    """Returns an int32 in every other number type."""
    _, n = req.read_int32()
    reply.append_int64((n << 32) & 0xFFFFFFFFFFFFFFFF)
    reply.append_float(n / 2)
    reply.append_double(n / 4)


def who(req, reply):
    """Returns who the driver says is calling."""
    reply.append_int32(req.sender_pid())
    reply.append_int32(req.sender_euid())


def note(req, reply):
    print("note", req.read_string16(), req.sender_pid(), req.sender_euid(), flush=True)


def call_back(req, reply):
    """Calls the object in the request and returns what it answers."""
    reader = req.init_reader()
    remote = reader.read_object()
    text = reader.read_string16()
    client = gbinder.Client(remote, "org.sentrybinder.test.IListener")
    call = client.new_request()
    call.append_string16(text)
    answer, status = client.transact_sync_reply(ON_EVENT, call)
    if status != 0:
        reply.append_string16("failed with %d" % status)
        return
    reader = answer.init_reader()
    reader.read_int32()
    reply.append_string16(reader.read_string16() + "!")


def write_fd(req, reply):
    """Writes into the file descriptor in the request, a string at a time."""
    reader = req.init_reader()
    # The driver's own number, which lives until the request is freed.
    fd = reader.read_fd()
    reply.append_int32(os.write(fd, reader.read_string16().encode()))


def open_fd(req, reply):
    """Returns a file descriptor of a pipe from which the string can be read."""
    r, w = os.pipe()
    os.write(w, req.read_string16().encode())
    os.close(w)
    reply.init_writer().append_fd(r)
    # libgbinder sends a duplicate.
    os.close(r)


METHODS = {
    UPPER: upper,
    ADD: add,
    WIDEN: widen,
    WHO: who,
    NOTE: note,
    CALL_BACK: call_back,
    WRITE_FD: write_fd,
    OPEN_FD: open_fd,
}


def main(device, name):
    manager = gbinder.ServiceManager(device)
    loop = GLib.MainLoop()

    def handler(req, code, flags):
        reply = service.new_reply()
        reply.append_int32(0)
        METHODS[code](req, reply)
        return reply, 0

    service = manager.new_local_object(INTERFACE, handler)

    def register():
        manager.add_service_sync(name, service)
        # Its status is zero even when the service manager refused the name.
        if name in manager.list_sync():
            print("registered", flush=True)
        else:
            print("refused", flush=True)
            loop.quit()

    def presence_changed():
        if manager.is_present():
            register()

    manager.add_presence_handler(presence_changed)
    register()
    loop.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
