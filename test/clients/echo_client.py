#!/usr/bin/env python3
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0
"""Calls echo_service.py through libgbinder's Python module.

    echo_client.py DEVICE NAME COMMAND [ARGUMENT]

prints the service's answer. It does what the command-line tools cannot:
objects and file descriptors in a call, and death notifications.
"""

import os
import sys

import gbinder
from gi.repository import GLib

import echo_service as echo


def call(client, code, fill):
    """Makes a synchronous call and returns its reply's reader."""
    req = client.new_request()
    fill(req)
    reply, status = client.transact_sync_reply(code, req)
    if status != 0:
        sys.exit("call %d failed with %d" % (code, status))
    reader = reply.init_reader()
    if reader.read_int32() != (True, 0):
        sys.exit("call %d was answered with an exception" % code)
    # The reader reads from the reply without keeping it alive.
    return reader, reply


def upper(client, text):
    reader, _ = call(client, echo.UPPER, lambda req: req.append_string16(text))
    print(reader.read_string16())


def big(client, size):
    """Sends SIZE characters of UTF-16 there and back."""
    text = "".join(chr(ord("a") + i % 23) for i in range(int(size)))
    reader, _ = call(client, echo.UPPER, lambda req: req.append_string16(text))
    answer = reader.read_string16()
    print("same" if answer == text.upper() else "different", len(answer))


def many(client, count):
    for i in range(int(count)):
        reader, _ = call(client, echo.UPPER, lambda req: req.append_string16("call %d" % i))
        answer = reader.read_string16()
        if answer != "CALL %d" % i:
            sys.exit("call %d answered %r" % (i, answer))
    print(count)


def who(client):
    reader, _ = call(client, echo.WHO, lambda req: None)
    same_pid = reader.read_int32() == (True, os.getpid())
    print("pid" if same_pid else "not my pid", reader.read_int32()[1])


def write_fd(client, text):
    """Passes one end of a pipe for the service to write to."""
    r, w = os.pipe()

    def fill(req):
        writer = req.init_writer()
        writer.append_fd(w)
        writer.append_string16(text)

    reader, _ = call(client, echo.WRITE_FD, fill)
    os.close(w)
    print(reader.read_int32()[1], os.read(r, 4096).decode())


def write_fd_oneway(client, text):
    """The same in a one-way call. The pipe ends once that has been handled."""
    r, w = os.pipe()
    req = client.new_request()
    writer = req.init_writer()
    writer.append_fd(w)
    writer.append_string16(text)
    status = client.transact_sync_oneway(echo.WRITE_FD, req)
    if status != 0:
        sys.exit("one-way call failed with %d" % status)
    del writer, req
    os.close(w)
    with os.fdopen(r) as f:
        print(f.read())


def open_fd(client, text):
    reader, _ = call(client, echo.OPEN_FD, lambda req: req.append_string16(text))
    with os.fdopen(reader.read_dup_fd()) as f:
        print(f.read())


def call_back(manager, client, text):
    """Passes an object that the service calls before it replies."""
    loop = GLib.MainLoop()

    def on_event(req, code, flags):
        event = req.read_string16()
        print("event", code == echo.ON_EVENT, event)
        reply = listener.new_reply()
        reply.append_int32(0)
        reply.append_string16(event[::-1])
        return reply, 0

    def on_reply(reply, status):
        if status != 0:
            print("failed with", status)
        else:
            reader = reply.init_reader()
            reader.read_int32()
            print("reply", reader.read_string16())
        loop.quit()

    listener = manager.new_local_object("org.sentrybinder.test.IListener", on_event)
    req = client.new_request()
    req.append_local_object(listener)
    req.append_string16(text)
    client.transact(echo.CALL_BACK, 0, req, on_reply, lambda: None)
    loop.run()


def watch(remote):
    """Prints "watching", and "died" once the service has died."""
    loop = GLib.MainLoop()

    def died():
        print("died" if remote.is_dead() else "notified of a death that did not happen", flush=True)
        loop.quit()

    # libgbinder requested the notification when it got the object.
    remote.add_death_handler(died)
    print("watching", flush=True)
    loop.run()


def main(device, name, command, *arguments):
    manager = gbinder.ServiceManager(device)
    remote, status = manager.get_service_sync(name)
    if remote is None:
        sys.exit("%s not found (%d)" % (name, status))
    client = gbinder.Client(remote, echo.INTERFACE)
    if command == "watch":
        watch(remote)
    elif command == "call_back":
        call_back(manager, client, *arguments)
    else:
        COMMANDS[command](client, *arguments)


COMMANDS = {
    f.__name__: f for f in (upper, big, many, who, write_fd, write_fd_oneway, open_fd)
}

if __name__ == "__main__":
    main(*sys.argv[1:])
