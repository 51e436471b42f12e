#!/usr/bin/env python3
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0
"""Services and clients in four languages, constantly killed and started.

    soak.py MANAGER SECONDS [SERVICES [CLIENTS]]

MANAGER is rsb_hub or aosp, as for checks.py.

Every client calls every service and checks every answer. Only calls to a service
that was just killed may fail: no answer is wrong, no one-way call is lost or out
of order, no process waits for long, and none dies without being killed. Before and
after, when only the service manager is left, the driver's counters must be the
same, except for threads of the service manager, and run.sh measures the memory.

Prints a table of calls, without those in the last second before a client is
killed.
"""

import json
import os
import random
import re
import signal
import sys
import time

import checks
from checks import BINDER, HERE, HUNG, check, count, eventually

LANGUAGES = checks.LANGUAGES
LOGS = "/dev/binderfs/binder_logs/"

# The average time between two kills.
KILL_SECONDS = 0.25

# The duration given to clients, which are killed earlier.
FOREVER = 1000000

# How long a process may be silent. That is longer than a client waits for the service
# to receive its one-way calls.
SILENT = 200

# How long all of them run before the first measurement, at most.
WARM_UP_SECONDS = 20


class Service(checks.Daemon):
    def __init__(self, number):
        self.language = LANGUAGES[number % len(LANGUAGES)]
        self.name = "soak.%d" % number
        self.started = time.monotonic()
        self.said = []
        super().__init__(*{
            "c": ("gb_test", "soak-server", self.name),
            "cpp": ("cpp_test", "soak-server", self.name),
            "python": ("python3", HERE + "/echo_service.py", BINDER, self.name, "quiet"),
            "rust": ("rsb_test", "soak-server", self.name),
        }[self.language])

    def _read(self):
        for line in self.output():
            self.said.append(line)

    def wrong(self):
        """Returns what is wrong with a running service, if anything is."""
        if self.process.poll() is not None:
            return "ended with %d: %s" % (self.process.returncode, self.said)
        if self.said not in ([], ["registered"]):
            return "said %s" % self.said
        if not self.said and time.monotonic() > self.started + SILENT:
            return "has not been able to register"
        return None


class Client(checks.Daemon):
    def __init__(self, number, services):
        self.language = LANGUAGES[number % len(LANGUAGES)]
        self.name = "client %d" % number
        peers = ["%s:%s" % (s.name, s.language) for s in services]
        self.counts = {"calls": [], "dead": 0, "longest_ms": 0}
        self.last = time.monotonic()
        self.asked_to_end = False
        self.noise = []
        super().__init__(*{
            "c": ("gb_test", "soak-client"),
            "cpp": ("cpp_test", "soak-client"),
            "python": ("python3", HERE + "/peer_client.py", BINDER, "soak-client"),
            "rust": ("rsb_test", "soak-client"),
        }[self.language], str(FOREVER), *peers)

    def _read(self):
        for line in self.output():
            try:
                self.counts = json.loads(line)
                self.last = time.monotonic()
            except ValueError:
                self.noise.append(line)

    def wrong(self):
        if self.process.poll() not in (None, 0):
            return "ended with %d: %s" % (self.process.returncode, self.noise)
        if self.noise:
            return "said %s" % self.noise
        if self.process.returncode is None and time.monotonic() > self.last + SILENT:
            return "has not said anything for %d seconds" % SILENT
        if self.process.returncode == 0 and not self.asked_to_end:
            return "ended early"
        return None


class Soak:
    def __init__(self, services, clients):
        self.service_count = services
        self.client_count = clients
        self.table = {}
        self.killed = {"services": 0, "clients": 0}
        self.dead = self.longest = 0
        self.wrong = []

    def check_process(self, process):
        """Records what is wrong with a process; returns whether anything is."""
        wrong = process.wrong()
        if wrong:
            self.note(process, wrong)
        return wrong

    def note(self, process, wrong):
        """Records what is wrong, the first time with the driver's pending work."""
        if not self.wrong:
            with open(LOGS + "transactions") as f:
                print(f.read())
        self.wrong.append("%s in %s %s" % (process.name, process.language, wrong))
        print(self.wrong[-1], flush=True)

    def add_counts(self, client):
        """Adds the counts of a client that has exited."""
        client.reader.join()
        count(self.table, client.counts["calls"])
        self.dead += client.counts["dead"]
        self.longest = max(self.longest, client.counts["longest_ms"])

    def run(self, seconds):
        services = [Service(i) for i in range(self.service_count)]
        for service in services:
            eventually(["registered"], lambda: service.said)
        clients = [Client(i, services) for i in range(self.client_count)]
        for client in clients:
            self.wait_for_call(client)
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, random.expovariate(1 / KILL_SECONDS)))
            # One in five is a service, as in the population.
            kind = random.choices((services, clients), (1, 4))[0]
            i = random.randrange(len(kind))
            kind[i].end()
            self.check_killed(kind[i])
            if kind is services:
                self.killed["services"] += 1
                services[i] = Service(i)
            else:
                self.killed["clients"] += 1
                self.add_counts(clients[i])
                clients[i] = Client(i, services)
            for group in services, clients:
                for i, process in enumerate(group):
                    if self.check_process(process):
                        process.end()
                        if group is clients:
                            self.add_counts(process)
                            clients[i] = Client(i, services)
                        else:
                            services[i] = Service(i)
        # Unless they are stuck, they exit cleanly on request.
        for client in clients:
            self.wait_for_call(client)
            client.asked_to_end = True
            client.process.send_signal(signal.SIGTERM)
        for client in clients:
            while client.process.poll() is None and not client.wrong():
                time.sleep(0.05)
            if client.process.poll() is None:
                self.check_process(client)
                if client.language == "python":
                    client.process.send_signal(signal.SIGUSR1)
                    time.sleep(1)
            client.end()
            self.add_counts(client)
            self.check_process(client)
        for service in services:
            self.check_process(service)
            service.end()

    def wait_for_call(self, client):
        """Waits until a client has made a call."""
        while not client.counts["calls"] and not client.wrong():
            time.sleep(0.05)

    def check_killed(self, process):
        """Records failures that a killed process had reported before."""
        if getattr(process, "noise", None):
            self.note(process, "said %s" % process.noise)


def counters():
    """Returns how many objects of each kind the driver holds, and the total."""
    with open(LOGS + "stats") as f:
        lines = re.findall(r"^(\w+): active (\d+) total (\d+)$", f.read(), re.MULTILINE)
    return {kind: int(active) for kind, active, _ in lines}, {kind: int(total) for kind, _, total in lines}


def settled():
    """Returns the driver's counts when they have stopped changing."""
    last = None
    for _ in range(HUNG):
        active, _ = counters()
        if active == last:
            break
        last = active
        time.sleep(1)
    return last


def open_files(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def own_threads(pid):
    """Returns how many of a process's threads the driver knows.

    It knows those that have called it. Which ones have is random: it depends on
    which of the service manager's threads is the last to release a dead service.
    """
    with open(LOGS + "state") as f:
        known = re.findall(r"^  thread (\d+):", f.read(), re.MULTILINE)
    return len(set(known) & set(os.listdir("/proc/%d/task" % pid)))


def idle(when, hub):
    """Announces that everything is idle, for run.sh to measure.

    Returns the driver's counts, without the service manager's own threads, and
    how many files the service manager has open.
    """
    active = settled()
    own = own_threads(hub.pid)
    print("idle at the %s: %s, %d of the threads are the service manager's, which has %d files" % (
        when, ", ".join("%s %d" % item for item in active.items()), own, open_files(hub.pid)), flush=True)
    # run.sh writes a line when it has measured.
    if not sys.stdin.isatty():
        sys.stdin.readline()
    active["thread"] -= own
    return active, open_files(hub.pid)


def main(manager, seconds, services=20, clients=100):
    checks.prepare(manager)
    hub, ready = checks.start_manager()
    check("%s becomes the service manager" % checks.manager_name(), ready, True)
    soak = Soak(int(services), int(clients))
    soak.run(min(WARM_UP_SECONDS, int(seconds)))
    before = idle("start", hub)
    started = time.monotonic()
    soak.run(int(seconds))
    took = time.monotonic() - started
    after = idle("end", hub)
    _, total = counters()
    print()
    checks.print_table(soak.table)
    print("%d services and %d clients in %d seconds; killed %d services and %d clients" % (
        soak.service_count, soak.client_count, took, soak.killed["services"], soak.killed["clients"]))
    print("%d calls found their service dead or gone; the longest call took %d ms" % (soak.dead, soak.longest))
    print("in all: " + ", ".join("%s %d" % item for item in total.items()))
    check("every answer is right", sum(row[1] for row in soak.table.values()), 0)
    check("no process is stuck, and none dies without being killed", soak.wrong, [])
    check("each language called every other, and itself",
          sorted({key[:2] for key in soak.table}), sorted((c, s) for c in LANGUAGES for s in LANGUAGES))
    check("the driver's counts and the service manager's files are as at the start", after, before)
    check("%s ends" % checks.manager_name(), checks.end_manager(hub), True)
    print("%d passed, %d failed" % (checks.passed, checks.failed), flush=True)
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
