#!/usr/bin/env python3
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0
"""A service for the client tools to call, on libgbinder's Python module.

    echo_service.py DEVICE NAME [quiet]

It implements the IEcho of c/echo.c, and calls that only the Python client makes. It
prints "registered" once the service manager has registered it, and then a line
for each one-way call, unless it is quiet. When the service manager dies and
another takes its place, it registers again and says so again. Each reply starts
with an int32 zero, like an AIDL reply without an exception.
"""

import os
import struct
import sys

import gbinder
from gi.repository import GLib

INTERFACE = "org.sentrybinder.test.IEcho"

# binder-call refuses the first transaction code, 1.
UPPER, ADD, WIDEN, WHO, NOTE, CALL_BACK, WRITE_FD, OPEN_FD = range(2, 10)
REVERSE, WRITE_FILE, OPEN_FILE, CALLER, FAIL, NOTES, HEARD = range(10, 17)

# AIDL's exception for service-specific errors.
EX_SERVICE_SPECIFIC = -8

# The number of one-way calls, in all and by tag; see c/echo.c.
notes = 0
heard_of = {}
quiet = False

# The code that CALL_BACK calls in the client's object.
ON_EVENT = 2


# The read_ methods of a request and a reply always read from the start: reading more than
# one value needs a reader.


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
    """Returns the caller according to the driver."""
    reply.append_int32(req.sender_pid())
    reply.append_int32(req.sender_euid())


def note(req, reply):
    global notes
    notes += 1
    text = req.read_string16()
    if not quiet:
        print("note", text, req.sender_pid(), req.sender_euid(), flush=True)
    tag, space, number = text.rpartition(" ")
    if space:
        last = heard_of.get(tag, 0)
        in_order = last >= 0 and int(number) == last + 1
        heard_of[tag] = int(number) if in_order else -1


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
    """Writes the request's string to its file descriptor."""
    reader = req.init_reader()
    # The descriptor that the driver made, which is closed when the request is freed.
    fd = reader.read_fd()
    reply.append_int32(os.write(fd, reader.read_string16().encode()))


def open_fd(req, reply):
    """Returns the descriptor of a pipe that holds the string."""
    append_pipe(reply.init_writer(), req.read_string16())


def append_pipe(writer, text):
    """Appends a pipe's end from which text can be read."""
    r, w = os.pipe()
    os.write(w, text.encode())
    os.close(w)
    writer.append_fd(r)
    # libgbinder sends a duplicate.
    os.close(r)


def append_bytes(writer, data):
    """Appends a byte[]: its length, and the bytes up to a whole int32.

    The module's append_byte_array sends the memory at the address of the
    Python object.
    """
    writer.append_int32(len(data))
    for (word,) in struct.iter_unpack("<I", data + bytes(-len(data) % 4)):
        writer.append_int32(word)


def read_bytes(reader):
    try:
        return bytes(reader.read_byte_array())
    except ValueError:
        # The module can't view an array without elements.
        return b""


def reverse(req, reply):
    append_bytes(reply.init_writer(), read_bytes(req.init_reader())[::-1])


def write_file(req, reply):
    """WRITE_FD with AIDL's ParcelFileDescriptor."""
    reader = req.init_reader()
    head = reader.read_int32(), reader.read_int32()
    fd = reader.read_fd()
    text = reader.read_string16()
    good = head == ((True, 1), (True, 0)) and fd >= 0
    try:
        reply.append_int32(os.write(fd, text.encode()) if good else 0xFFFFFFFF)
    except BrokenPipeError:
        # The caller has died.
        reply.append_int32(0xFFFFFFFF)


def open_file(req, reply):
    writer = reply.init_writer()
    writer.append_int32(1)
    writer.append_int32(0)
    append_pipe(writer, req.read_string16())


def caller(req, reply):
    reply.append_int64(req.sender_pid() << 32 | req.sender_euid())


def fail(req, reply):
    reader = req.init_reader()
    _, code = reader.read_int32()
    message = reader.read_string16()
    writer = reply.init_writer()
    writer.overwrite_int32(0, EX_SERVICE_SPECIFIC)
    writer.append_string16(message)
    writer.append_int32(0)
    writer.append_int32(code & 0xFFFFFFFF)


def count_notes(req, reply):
    reply.append_int32(notes)


def heard(req, reply):
    reply.append_int32(heard_of.get(req.read_string16(), 0) & 0xFFFFFFFF)


METHODS = {
    UPPER: upper,
    ADD: add,
    WIDEN: widen,
    WHO: who,
    NOTE: note,
    CALL_BACK: call_back,
    WRITE_FD: write_fd,
    OPEN_FD: open_fd,
    REVERSE: reverse,
    WRITE_FILE: write_file,
    OPEN_FILE: open_file,
    CALLER: caller,
    FAIL: fail,
    NOTES: count_notes,
    HEARD: heard,
}


def main(device, name, how=""):
    global quiet
    quiet = how == "quiet"
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
