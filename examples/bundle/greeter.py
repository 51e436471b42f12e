#!/usr/bin/env python3
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0
"""A service that lives as long as it has clients."""

import os

from gi.repository import GLib

from service_manager import ServiceManager

NAME = "example.IGreeter/default"
INTERFACE = "example.IGreeter"

# binder-call refuses the first transaction code, 1.
GREET = 2


def main():
    manager = ServiceManager()
    loop = GLib.MainLoop()

    def handler(request, code, flags):
        if code != GREET:
            return None, -1
        reply = service.new_reply()
        reply.append_int32(0)
        text = "Hello %s, user %d! I am process %d." % (
            request.read_string16(), request.sender_euid(), os.getpid())
        reply.append_string16(text)
        return reply, 0

    service = manager.gbinder.new_local_object(INTERFACE, handler)
    manager.add_lazy_service(NAME, service, loop.quit)
    print(NAME, "is here: process", os.getpid(), flush=True)
    loop.run()
    print(NAME, "has no more clients", flush=True)


if __name__ == "__main__":
    main()
