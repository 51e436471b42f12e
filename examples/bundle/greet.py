#!/usr/bin/env python3
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0
"""Waits for the greeter, which starts it, and has it greet.

Reads names, one a line, and prints what the greeter answers to each. The
greeter has a client, and stays, until there are no more.
"""

import sys

import gbinder
from gi.repository import GLib

from greeter import GREET, INTERFACE, NAME
from service_manager import ServiceManager, call


def main():
    manager = ServiceManager()
    loop = GLib.MainLoop()
    service = manager.get_service(NAME)
    if not service:
        manager.notify(NAME, loop.quit)
        loop.run()
        service = manager.get_service(NAME)
    client = gbinder.Client(service, INTERFACE)
    for line in sys.stdin:
        reply, reader = call(client, GREET, line.strip())
        print(reader.read_string16(), flush=True)


if __name__ == "__main__":
    main()
