#!/usr/bin/env python3
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0
"""Runs real Binder clients against each other and checks their output.

    checks.py [MANAGER]

MANAGER, the service manager, is rsb_hub or aosp, Android 14's own.

Runs as root on a system with a binder driver and the clients: rsb_hub and
rsb_service (rsbinder-tools), AOSP's servicemanager and service, binder-list,
binder-ping, binder-call and binder-bridge (libgbinder), libgbinder's Python
module, and the programs of this directory: gb_test in C, cpp_test in C++ on
AOSP's libbinder, and rsb_test in Rust. Prints one line per check, then a table
of calls and a summary, and exits with 1 if a check failed.
"""

import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BINDER = "/dev/binder"
HWBINDER = "/dev/hwbinder"
VNDBINDER = "/dev/vndbinder"
ECHO = "test.echo"
LANGUAGES = ("c", "cpp", "python", "rust")

# The service manager of /dev/binder: rsb_hub or aosp.
manager = "rsb_hub"

# How long anything may take before it is considered hung. Nothing waits this long
# otherwise.
HUNG = 60

passed = failed = 0

# The numbers of calls and of failures, by client, server and kind.
table = {}


def check(name, got, want):
    """Counts a check, which passes when got equals want."""
    global passed, failed
    if got == want:
        passed += 1
        print("ok    ", name, flush=True)
        return
    failed += 1
    print("FAILED", name, flush=True)
    for label, value in (("got", got), ("want", want)):
        for line in str(value).splitlines() or [""]:
            print("       %-5s %s" % (label, line), flush=True)


def check_call(kind, name, got, want, client="binder-call", server="python"):
    """Checks the answer to a call."""
    count(table, [[client, server, kind, 1, got != want]])
    check(name, got, want)


def count(table, rows):
    """Adds rows of client, server, kind, calls and failures to a table."""
    for *key, calls, failures in rows:
        row = table.setdefault(tuple(key), [0, 0])
        row[0] += calls
        row[1] += failures


def print_table(table):
    print("%-12s %-8s %-14s %10s %9s" % ("client", "server", "kind", "calls", "failures"))
    for key, row in sorted(table.items()):
        print("%-12s %-8s %-14s %10d %9d" % (*key, *row))
    print("%-36s %10d %9d" % ("all", *map(sum, zip(*table.values()))), flush=True)


def tally(*argv, env=None):
    """Runs a client that makes its own checks, and adds its counts."""
    global passed, failed
    status, out = run(*argv, env=env, limit=5 * HUNG)
    lines = out.splitlines()
    tables = [line for line in lines if line.startswith("{")]
    try:
        counted = json.loads(tables[-1])
    except (IndexError, ValueError):
        check(" ".join(argv) + " finishes", "status %s\n%s" % (status, out), "a table of calls")
        return
    for line in lines:
        if line not in tables:
            print(line, flush=True)
    passed += counted["passed"]
    failed += counted["failed"]
    count(table, counted["calls"])
    if status != 0 and counted["failed"] == 0:
        check(" ".join(argv) + " succeeds", status, 0)


def run(*argv, uid=None, env=None, limit=HUNG):
    """Runs a command; returns (exit status, standard output).

    On a failure, its standard error follows its output.
    """
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, user=uid, group=uid,
        env={**os.environ, **(env or {})},
    ) as p:
        try:
            out, err = p.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            p.kill()
            out, err = p.communicate()
            return "hung", out + err
    return p.returncode, out if p.returncode == 0 else out + err


def eventually(want, f, *args, **kwargs):
    """Calls f until it returns what is wanted; returns its last result.

    For states that nothing reports to these clients.
    """
    deadline = time.monotonic() + HUNG
    while True:
        got = f(*args, **kwargs)
        if got == want or time.monotonic() > deadline:
            return got
        time.sleep(0.05)


class Daemon:
    """A process that keeps running, whose output is read line by line."""

    def __init__(self, *argv, uid=None, env=None):
        self.lines = queue.Queue()
        self.process = subprocess.Popen(
            argv,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            user=uid,
            group=uid,
            env={**os.environ, **(env or {})},
        )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.output():
            self.lines.put(line)
        self.lines.put(None)

    def output(self):
        """Yields each line of output as it comes.

        Leaves out libgbinder's messages about what the checks do on purpose:
        service managers come and go, and objects are gone by the time that
        their deaths are reported.
        """
        for line in self.process.stdout:
            if not line.startswith(("[gbinder] WARNING: ", "[gbinder] Service manager ")):
                yield line.rstrip("\n")

    @property
    def pid(self):
        return self.process.pid

    def line(self):
        """Returns the next line of output; None at its end."""
        try:
            return self.lines.get(timeout=HUNG)
        except queue.Empty:
            return "hung"

    def rest(self):
        """Returns all output until the process has closed it."""
        out = []
        while (line := self.line()) not in (None, "hung"):
            out.append(line)
        return "\n".join(out)

    def end(self, sig=signal.SIGKILL):
        """Sends a signal and returns the exit status."""
        self.process.send_signal(sig)
        try:
            return self.process.wait(timeout=HUNG)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return "hung"


def start_hub(device="binder"):
    """Starts rsb_hub; returns it and its notification to systemd.

    It sends that once it is the context manager, or when it ends.
    """
    path = "/tmp/notify.%d" % os.getpid()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(path)
        s.settimeout(HUNG)
        hub = Daemon(
            "rsb_hub", "--device", device, "--config", "/etc/rsbinder/hub.d",
            env={"NOTIFY_SOCKET": path},
        )
        try:
            notice = s.recv(4096).decode().splitlines()
        except TimeoutError:
            notice = ["hung", hub.rest() if hub.process.poll() is not None else ""]
        os.unlink(path)
    return hub, notice


def manager_name():
    return {"rsb_hub": "rsb_hub", "aosp": "AOSP's servicemanager"}[manager]


def start_manager():
    """Starts the service manager; returns it and whether it became one."""
    if manager == "rsb_hub":
        hub, notice = start_hub()
        return hub, notice[0] == "READY=1"
    # It doesn't report that it is ready.
    servicemanager = Daemon("servicemanager", BINDER)
    return servicemanager, eventually(True, lambda: "manager" in services())


def end_manager(hub):
    """Ends the service manager; returns whether it exited as it should."""
    return hub.end(signal.SIGTERM) == (0 if manager == "rsb_hub" else -signal.SIGTERM)


def start_echo(name=ECHO, device=BINDER, uid=None):
    return Daemon("python3", HERE + "/echo_service.py", device, name, uid=uid)


def services(device=BINDER, uid=None):
    status, out = run("binder-list", "-d", device, uid=uid)
    return sorted(out.split()) if status == 0 else (status, out)


def binder_call(code, *arguments, name=ECHO, device=BINDER, uid=None):
    """Returns what binder-call printed. Its exit status is 2 whatever happens."""
    return run("binder-call", "-d", device, "-a", name, str(code), *arguments, uid=uid)[1]


def echo_client(*arguments, name=ECHO, device=BINDER, uid=None):
    return run("python3", HERE + "/echo_client.py", device, name, *arguments, uid=uid)


def configure(protocol="aidl3", servicemanager="aidl6"):
    """Sets the protocol that libgbinder speaks on /dev/vndbinder.

    On /dev/binder it speaks the service manager's: rsb_hub's is Android 16's,
    and AOSP's service manager is Android 14's.
    """
    with open("/etc/gbinder.conf", "w") as f:
        f.write("[General]\nApiLevel = %d\n" % {"rsb_hub": 36, "aosp": 34}[manager])
        f.write("[Protocol]\n%s = %s\n" % (VNDBINDER, protocol))
        f.write("[ServiceManager]\n%s = %s\n" % (VNDBINDER, servicemanager))


def prepare(which):
    """Sets up the devices and the clients' configuration where they expect them."""
    global manager
    manager = which
    os.environ["SERVICE_MANAGER"] = manager
    configure()
    os.makedirs("/etc/rsbinder/hub.d", exist_ok=True)
    shutil.copy(HERE + "/hub.toml", "/etc/rsbinder/hub.d/hub.toml")
    # As on Android: a binderfs, its devices for everyone, and links to them.
    os.makedirs("/dev/binderfs", exist_ok=True)
    if not os.path.ismount("/dev/binderfs"):
        subprocess.run(
            ("mount", "-t", "binder", "-o", "stats=global", "binder", "/dev/binderfs"), check=True)
    for device in (BINDER, HWBINDER, VNDBINDER):
        real = "/dev/binderfs/" + os.path.basename(device)
        os.chmod(real, 0o666)
        if not os.path.islink(device):
            os.remove(device)
            os.symlink(real, device)


def check_manager():
    hub, ready = start_manager()
    check("%s becomes the service manager" % manager_name(), ready, True)
    check("binder-list lists only it", services(), ["manager"])
    check("binder-ping reaches it",
          run("binder-ping", "-d", BINDER, "manager"), (0, "OK\n"))
    check("binder-ping says that a service does not exist",
          run("binder-ping", "-d", BINDER, "no.such"), (1, "ERROR: no.such not found\n"))
    if manager == "aosp":
        check("service list lists only it", run("service", "list"),
              (0, "Found 1 services:\n0\tmanager: [android.os.IServiceManager]\n"))
        check("service check says that a service does not exist",
              run("service", "check", "no.such"), (0, "Service no.such: not found\n"))
        check("a second servicemanager can't have the device",
              run("servicemanager", BINDER)[0], -signal.SIGABRT)
        return hub

    check("rsb_service list lists only it, too", run("rsb_service", "list"), (0, "manager\n"))
    check("rsb_service check says so too", run("rsb_service", "check", "no.such")[0], 1)
    # The second process has the device open, too, so it is the driver that refuses.
    status, out = run("rsb_hub", "--config", "/etc/rsbinder/hub.d")
    check("a second rsb_hub can't have the device",
          (status, "busy" in out.lower() or "already" in out.lower()), (1, True))

    # The hub writes its dump into a pipe that it receives with the call.
    status, out = run("rsb_service", "dump", "manager")
    check("rsb_service dump reads what the hub wrote into its file descriptor",
          (status, out.startswith("rsb_hub "), "  manager\n" in out), (0, True, True))
    return hub


def check_service(hub):
    echo = start_echo()
    check("a Python service registers", echo.line(), "registered")
    check("it is listed", services(), ["manager", ECHO])
    check("it is listed for an ordinary user", services(uid=1000), ["manager", ECHO])
    if manager == "aosp":
        check("service check finds it", run("service", "check", ECHO), (0, "Service %s: found\n" % ECHO))
        check("service list asks it for its interface", run("service", "list")[1].splitlines()[-1],
              "1\t%s: [org.sentrybinder.test.IEcho]" % ECHO)
    else:
        check("rsb_service knows the processes behind the names",
              [line.split() for line in run("rsb_service", "info")[1].splitlines()],
              [["manager", "pid=%d" % hub.pid], [ECHO, "pid=%d" % echo.pid]])
        check("rsb_service check finds it", run("rsb_service", "check", ECHO)[0], 0)
    check("binder-ping reaches it", run("binder-ping", "-d", BINDER, ECHO), (0, "OK\n"))
    return echo


def check_calls(echo):
    check_call("sync", "binder-call: a string",
          binder_call(2, '"hello, binder"u', "reply", "i32", "s16"),
          '0 "HELLO, BINDER"U \n')
    check_call("sync", "binder-call: an empty string",
          binder_call(2, '""u', "reply", "i32", "s16"), '0 ""U \n')
    check_call("sync", "binder-call: numbers",
          binder_call(3, "40", "2", "reply", "i32", "i32"), "0 42 \n")
    check_call("sync", "binder-call: negative numbers",
          binder_call(3, " -40", " -2", "reply", "i32", "i32"), "0 -42 \n")
    check_call("sync", "binder-call: wider numbers",
          binder_call(4, "6", "reply", "i32", "i64", "f", "d"),
          "0 %d 3.000000 1.500000L \n" % (6 << 32))

    # binder-call prints neither its PID nor what the driver takes it for: the Python
    # client compares the two.
    check_call("sync", "the service is told the caller's pid and uid", echo_client("who"), (0, "pid 0\n"), client="python")
    check_call("sync", "and those of an ordinary user", echo_client("who", uid=1000), (0, "pid 1000\n"), client="python")

    check_call("oneway", "binder-call: one way", binder_call(6, '"one"u', "-o"), "NO REPLY\n")
    check("it arrives, without a pid", echo.line(), "note one 0 0")
    check_call("oneway", "binder-call: one way, as an ordinary user",
          binder_call(6, '"two"u', "-o", uid=1000), "NO REPLY\n")
    check("it arrives with that user's uid", echo.line(), "note two 0 1000")
    for i in range(20):
        binder_call(6, '"n%d"u' % i, "-o")
    check("one-way calls arrive in the order in which they were made",
          [echo.line() for _ in range(20)], ["note n%d 0 0" % i for i in range(20)])

    check_call("sync", "Python: a string", echo_client("upper", "grüße"), (0, "GRÜSSE\n"), client="python")
    check("Python: 200 calls", echo_client("many", "200"), (0, "200\n"))
    # 2 bytes a character there and 2 back, in mappings of 1 MiB - 8 KiB.
    check_call("large", "Python: 400 kB", echo_client("big", "200000"), (0, "same 200000\n"), client="python")

    clients = [
        Daemon("python3", HERE + "/echo_client.py", BINDER, ECHO, "many", "50") for _ in range(6)
    ]
    check("six clients at once", [c.rest() for c in clients], ["50"] * 6)


def check_objects():
    check_call("fd", "a file descriptor in a call", echo_client("write_fd", "to you"), (0, "6 to you\n"), client="python")
    check_call("fd", "a file descriptor in a one-way call",
          echo_client("write_fd_oneway", "one way"), (0, "one way\n"), client="python")
    check_call("fd", "a file descriptor in a reply", echo_client("open_fd", "to me"), (0, "to me\n"), client="python")
    check_call("callback", "an object that the service calls back",
          echo_client("call_back", "stressed"), (0, "event True stressed\nreply desserts!\n"), client="python")


def check_access():
    refused = start_echo("test.other", uid=1000)
    check("the hub refuses an ordinary user a name reserved for root",
          refused.line(), "refused")
    refused.end()
    check("and does not list it", services(), ["manager", ECHO])
    allowed = start_echo("test.open.echo", uid=1000)
    check("but allows a free one", allowed.line(), "registered")
    check("root calls the user's service",
          binder_call(3, "1", "2", "reply", "i32", "i32", name="test.open.echo"),
          "0 3 \n")
    allowed.end()
    check("the hub forgets it when it dies",
          eventually(["manager", ECHO], services), ["manager", ECHO])


def check_death(echo):
    watcher = Daemon("python3", HERE + "/echo_client.py", BINDER, ECHO, "watch")
    check("a client watches the service", watcher.line(), "watching")
    check("the service is killed", echo.end(), -signal.SIGKILL)
    check("the client is notified", watcher.rest(), "died")
    check("the service manager is notified", eventually(["manager"], services), ["manager"])
    check("binder-ping no longer finds it",
          run("binder-ping", "-d", BINDER, ECHO), (1, "ERROR: %s not found\n" % ECHO))
    echo = start_echo()
    check("another takes its name", echo.line(), "registered")
    check("and answers",
          binder_call(2, '"back"u', "reply", "i32", "s16"), '0 "BACK"U \n')
    return echo


def check_bridge():
    hub, notice = start_hub("vndbinder")
    check("a second rsb_hub manages /dev/vndbinder", notice[0], "READY=1")
    check("the two devices are two contexts",
          (services(), services(VNDBINDER)), (["manager", ECHO], ["manager"]))
    bridge = Daemon("binder-bridge", VNDBINDER, BINDER, ECHO)
    check("binder-bridge registers the service on the other device",
          eventually(["manager", ECHO], services, VNDBINDER), ["manager", ECHO])
    check("a call goes through it",
          binder_call(2, '"over the bridge"u', "reply", "i32", "s16", device=VNDBINDER),
          '0 "OVER THE BRIDGE"U \n')
    check("binder-bridge ends", bridge.end(signal.SIGTERM), 0)
    check("and its service with it",
          eventually(["manager"], services, VNDBINDER), ["manager"])
    check("the second rsb_hub ends", hub.end(signal.SIGTERM), 0)


def service_of(language, name):
    """Starts a service that implements IEcho."""
    return Daemon(*{
        "c": ("gb_test", "service", name),
        "cpp": ("cpp_test", "service", name),
        "python": ("python3", HERE + "/echo_service.py", BINDER, name),
        "rust": ("rsb_test", "service", name),
    }[language])


def client_of(language, name, server):
    """Has a client make each of IEcho's calls."""
    tally(*{
        "c": ("gb_test", "client", name, server),
        "cpp": ("cpp_test", "client", name, server),
        "python": ("python3", HERE + "/peer_client.py", BINDER, "client", name, server),
        "rust": ("rsb_test", "client", name, server),
    }[language])


def check_languages():
    """Services and clients in each language, through one service manager."""
    for server in LANGUAGES:
        name = "test." + server
        waiting = Daemon("gb_test", "await", name)
        check("a client in C waits for a service", waiting.line(), "waiting")
        service = service_of(server, name)
        check("the service in %s registers" % server, service.line(), "registered")
        check("the client is notified", waiting.rest(), "registered " + name)
        for client in LANGUAGES:
            client_of(client, name, server)
        watchers = [
            Daemon("gb_test", "watch", name),
            Daemon("cpp_test", "watch", name),
            Daemon("python3", HERE + "/echo_client.py", BINDER, name, "watch"),
        ]
        check("clients in C, C++ and Python watch it", [w.line() for w in watchers], ["watching"] * 3)
        for freezer in "cpp_test", "rsb_test":
            tally(freezer, "freeze", name, server, str(service.pid))
        service.end()
        check("all are notified of its death", [w.rest() for w in watchers], ["died"] * 3)


def check_suites():
    """What AIDL can express, between programs whose interfaces are generated from it."""
    tally("rsb_test", "checks")
    tally("rsb_test", "checks", "cpp")
    for server, program in ("cpp", "cpp_test"), ("rust", "rsb_test"):
        suite = Daemon(program, "suite", "test.suite." + server)
        tally("cpp_test", "suite-client", "test.suite." + server, server)
        check("the service exited as it was told to", suite.process.wait(timeout=HUNG), 7)


def check_dump():
    out = run("gb_test", "dump", "manager")
    check("a dump in C reads what the hub wrote into its file descriptor",
          (out[0], out[1].startswith("rsb_hub "), "  manager\n" in out[1]), (0, True, True))


# libgbinder's names for the protocols of Android 8, 10, 11, 12 and 15: of transactions,
# and of the service manager. rsb_hub speaks the newest.
DIALECTS = (
    ("aidl", "aidl"), ("aidl2", "aidl2"), ("aidl3", "aidl3"), ("aidl4", "aidl4"), ("aidl3", "aidl5"),
)


def check_dialects():
    """The older protocols, on a different device than the current one."""
    device = {"BINDER_DEVICE": VNDBINDER}
    for protocol, dialect in DIALECTS:
        configure(protocol, dialect)
        name = "test." + dialect
        manager = Daemon("gb_test", "manager", VNDBINDER, dialect)
        check("%s: a service manager in C is ready" % dialect, manager.line(), "ready")
        waiting = Daemon("gb_test", "await", name, env=device)
        check("%s: a client waits for a service" % dialect, waiting.line(), "waiting")
        service = Daemon("gb_test", "service", name, env=device)
        check("%s: the service registers" % dialect, service.line(), "registered")
        check("%s: the client is notified" % dialect, "registered " + name in waiting.rest(), True)
        python = start_echo(name + ".python", VNDBINDER)
        check("%s: a service in Python registers, too" % dialect, python.line(), "registered")
        check("%s: binder-list sees them" % dialect, services(VNDBINDER), [name, name + ".python"])
        check("%s: binder-ping reaches it" % dialect,
              run("binder-ping", "-d", VNDBINDER, name), (0, "OK\n"))
        check_call(dialect, "%s: binder-call" % dialect,
                   binder_call(2, '"hello"u', "reply", "i32", "s16", name=name, device=VNDBINDER),
                   '0 "HELLO"U \n', server="c")
        tally("gb_test", "client", name + ".python", "python", env=device)
        tally("python3", HERE + "/peer_client.py", VNDBINDER, "client", name, "c")
        service.end()
        check("%s: the service manager is notified that it died" % dialect,
              eventually([name + ".python"], services, VNDBINDER), [name + ".python"])
        python.end()
        manager.end()
    configure()


def check_hidl():
    """HIDL on /dev/hwbinder, while /dev/binder is in use."""
    interface = "org.sentrybinder.test@1.0::IEcho/"
    manager = Daemon("gb_test", "manager", HWBINDER, "hidl")
    check("HIDL: a service manager in C is ready", manager.line(), "ready")
    waiting = Daemon("gb_test", "await", interface + "c", env={"BINDER_DEVICE": HWBINDER})
    check("HIDL: a client waits for a service", waiting.line(), "waiting")
    service = Daemon("gb_test", "hidl-service", "c")
    check("HIDL: the service registers", service.line(), "registered")
    check("HIDL: the client is notified", waiting.rest(), "registered " + interface + "c")
    python = Daemon("python3", HERE + "/hidl_peer.py", "service", "python")
    check("HIDL: a service in Python registers, too", python.line(), "registered")
    check("HIDL: binder-list sees them",
          services(HWBINDER), [interface + "c", interface + "python"])
    check("HIDL: binder-ping reaches it",
          run("binder-ping", "-d", HWBINDER, interface + "c"), (0, "OK\n"))
    check_call("hidl", "HIDL: binder-call",
               run("binder-call", "-d", HWBINDER, interface + "c", "1", '"hello"h', "reply", "i32", "hstr")[1],
               '0 "HELLO"H \n', server="c")
    tally("python3", HERE + "/hidl_peer.py", "client", "c", "c")
    tally("python3", HERE + "/hidl_peer.py", "client", "python", "python")
    tally("gb_test", "hidl-client", "python", "python")
    both = service_of("c", "test.both")
    check("a service on the other device registers", both.line(), "registered")
    tally("gb_test", "both", "test.both", "c", "c", "c")
    both.end()
    watcher = Daemon("gb_test", "watch", interface + "c", env={"BINDER_DEVICE": HWBINDER})
    check("HIDL: a client watches the service", watcher.line(), "watching")
    check("HIDL: the one-way call arrived", service.line(), "note one way 0 0")
    service.end()
    check("HIDL: the client is notified of its death", watcher.rest(), "died")
    python.end()
    manager.end()


def check_new_manager(hub, echo):
    presence = Daemon("gb_test", "presence")
    check("a client in C finds a service manager", presence.line(), "present")
    check("%s ends" % manager_name(), end_manager(hub), True)
    check("the client is notified", presence.line(), "absent")
    if manager == "rsb_hub":
        check("rsb_service finds no service manager", run("rsb_service", "list")[0], 2)
    hub, ready = start_manager()
    check("another %s takes its place" % manager_name(), ready, True)
    check("the client is notified of that", presence.line(), "present")
    presence.end()
    check("the service registers with it", echo.line(), "registered")
    check("and is called through it",
          binder_call(3, "20", "22", "reply", "i32", "i32"), "0 42 \n")
    check("the service ends", echo.end(signal.SIGTERM), -signal.SIGTERM)
    check("the service manager is notified", eventually(["manager"], services), ["manager"])
    check("%s ends again" % manager_name(), end_manager(hub), True)


def main(which="rsb_hub"):
    prepare(which)
    hub = check_manager()
    echo = check_service(hub)
    check_calls(echo)
    check_objects()
    if manager == "rsb_hub":
        check_access()
        check_dump()
        check_bridge()
        check_dialects()
        check_hidl()
    echo = check_death(echo)
    check_languages()
    check_suites()
    check_new_manager(hub, echo)
    print()
    print_table(table)
    print("%d passed, %d failed" % (passed, failed), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
