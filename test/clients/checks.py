#!/usr/bin/env python3
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0
"""Runs real Binder clients against each other and checks what they say.

Runs as root on a system with a binder driver and the clients: rsb_hub and
rsb_service (rsbinder-tools), binder-list, binder-ping, binder-call and
binder-bridge (libgbinder-tools) and libgbinder's Python module. Prints one
line per check, a summary last, and exits with 1 if a check failed.
"""

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
VNDBINDER = "/dev/vndbinder"
ECHO = "test.echo"

# How long anything may take before it is called hung. Nothing waits for this
# long otherwise.
HUNG = 60

passed = failed = 0


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


def run(*argv, uid=None):
    """Runs a command; returns (exit status, standard output).

    On a failure, what it wrote to standard error follows its output.
    """
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, user=uid, group=uid
    ) as p:
        try:
            out, err = p.communicate(timeout=HUNG)
        except subprocess.TimeoutExpired:
            p.kill()
            out, err = p.communicate()
            return "hung", out + err
    return p.returncode, out if p.returncode == 0 else out + err


def eventually(want, f, *args, **kwargs):
    """Returns f(), asked again until it is what it should become.

    For what comes about by itself and tells none of these clients.
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
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

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
    """Starts rsb_hub; returns it and the notification that it sent systemd.

    That comes when it has become the context manager, or at its end.
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


def prepare():
    """Puts the clients' configuration where they look for it."""
    shutil.copy(HERE + "/gbinder.conf", "/etc/gbinder.conf")
    os.makedirs("/etc/rsbinder/hub.d", exist_ok=True)
    shutil.copy(HERE + "/hub.toml", "/etc/rsbinder/hub.d/hub.toml")
    # rsb_hub opens its device below here, with or without a binderfs.
    os.makedirs("/dev/binderfs", exist_ok=True)
    for device in ("binder", "vndbinder"):
        if not os.path.exists("/dev/binderfs/" + device):
            os.symlink("../" + device, "/dev/binderfs/" + device)


def check_manager():
    hub, notice = start_hub()
    check("rsb_hub becomes the service manager", notice[0], "READY=1")
    check("binder-list sees it alone", services(), ["manager"])
    check("rsb_service list sees the same", run("rsb_service", "list"), (0, "manager\n"))
    check("binder-ping reaches it",
          run("binder-ping", "-d", BINDER, "manager"), (0, "OK\n"))
    check("binder-ping says that a service does not exist",
          run("binder-ping", "-d", BINDER, "no.such"), (1, "ERROR: no.such not found\n"))
    check("rsb_service check says so too", run("rsb_service", "check", "no.such")[0], 1)

    # The process that asks is on the device too, so a refusal is the driver's.
    status, out = run("rsb_hub", "--config", "/etc/rsbinder/hub.d")
    check("a second rsb_hub is refused the device",
          (status, "busy" in out.lower() or "already" in out.lower()), (1, True))

    # The hub writes its dump into a pipe that comes with the call.
    status, out = run("rsb_service", "dump", "manager")
    check("rsb_service dump reads what the hub wrote into its file descriptor",
          (status, out.startswith("rsb_hub "), "  manager\n" in out), (0, True, True))
    return hub


def check_service(hub):
    echo = start_echo()
    check("a Python service registers", echo.line(), "registered")
    check("it is listed", services(), ["manager", ECHO])
    check("it is listed for an ordinary user", services(uid=1000), ["manager", ECHO])
    check("rsb_service knows the processes behind the names",
          [line.split() for line in run("rsb_service", "info")[1].splitlines()],
          [["manager", "pid=%d" % hub.pid], [ECHO, "pid=%d" % echo.pid]])
    check("rsb_service check finds it", run("rsb_service", "check", ECHO)[0], 0)
    check("binder-ping reaches it", run("binder-ping", "-d", BINDER, ECHO), (0, "OK\n"))
    return echo


def check_calls(echo):
    check("binder-call: a string",
          binder_call(2, '"hello, binder"u', "reply", "i32", "s16"),
          '0 "HELLO, BINDER"U \n')
    check("binder-call: an empty string",
          binder_call(2, '""u', "reply", "i32", "s16"), '0 ""U \n')
    check("binder-call: numbers",
          binder_call(3, "40", "2", "reply", "i32", "i32"), "0 42 \n")
    check("binder-call: negative numbers",
          binder_call(3, " -40", " -2", "reply", "i32", "i32"), "0 -42 \n")
    check("binder-call: wider numbers",
          binder_call(4, "6", "reply", "i32", "i64", "f", "d"),
          "0 %d 3.000000 1.500000L \n" % (6 << 32))

    # The caller's own pid is in its output as little as the driver's idea of
    # it is in the caller's hands: the Python client compares the two.
    check("the service is told the caller's pid and uid", echo_client("who"), (0, "pid 0\n"))
    check("and those of an ordinary user", echo_client("who", uid=1000), (0, "pid 1000\n"))

    check("binder-call: one way", binder_call(6, '"one"u', "-o"), "NO REPLY\n")
    check("it arrives, without a pid", echo.line(), "note one 0 0")
    check("binder-call: one way, as an ordinary user",
          binder_call(6, '"two"u', "-o", uid=1000), "NO REPLY\n")
    check("it arrives with that user's uid", echo.line(), "note two 0 1000")
    for i in range(20):
        binder_call(6, '"n%d"u' % i, "-o")
    check("one-way calls arrive in the order in which they were made",
          [echo.line() for _ in range(20)], ["note n%d 0 0" % i for i in range(20)])

    check("Python: a string", echo_client("upper", "grüße"), (0, "GRÜSSE\n"))
    check("Python: 200 calls", echo_client("many", "200"), (0, "200\n"))
    # 2 bytes a character there and 2 back, in mappings of 1 MiB - 8 KiB.
    check("Python: 400 kB", echo_client("big", "200000"), (0, "same 200000\n"))

    clients = [
        Daemon("python3", HERE + "/echo_client.py", BINDER, ECHO, "many", "50") for _ in range(6)
    ]
    check("six clients at once", [c.rest() for c in clients], ["50"] * 6)


def check_objects():
    check("a file descriptor in a call", echo_client("write_fd", "to you"), (0, "6 to you\n"))
    check("a file descriptor in a one-way call",
          echo_client("write_fd_oneway", "one way"), (0, "one way\n"))
    check("a file descriptor in a reply", echo_client("open_fd", "to me"), (0, "to me\n"))
    check("an object that the service calls back",
          echo_client("call_back", "stressed"), (0, "event True stressed\nreply desserts!\n"))


def check_access():
    refused = start_echo("test.other", uid=1000)
    check("the hub refuses an ordinary user a name that is root's",
          refused.line(), "refused")
    refused.end()
    check("and does not list it", services(), ["manager", ECHO])
    allowed = start_echo("test.open.echo", uid=1000)
    check("but gives it one that is free", allowed.line(), "registered")
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
    check("the client is told", watcher.rest(), "died")
    check("the hub is told", eventually(["manager"], services), ["manager"])
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


def check_new_manager(hub, echo):
    check("rsb_hub ends", hub.end(signal.SIGTERM), 0)
    check("rsb_service finds no service manager", run("rsb_service", "list")[0], 2)
    hub, notice = start_hub()
    check("another rsb_hub takes its place", notice[0], "READY=1")
    check("the service registers with it", echo.line(), "registered")
    check("and is called through it",
          binder_call(3, "20", "22", "reply", "i32", "i32"), "0 42 \n")
    check("the service ends", echo.end(signal.SIGTERM), -signal.SIGTERM)
    check("the service manager is told", eventually(["manager"], services), ["manager"])
    check("rsb_hub ends again", hub.end(signal.SIGTERM), 0)


def main():
    prepare()
    hub = check_manager()
    echo = check_service(hub)
    check_calls(echo)
    check_objects()
    check_access()
    echo = check_death(echo)
    check_bridge()
    check_new_manager(hub, echo)
    print("%d passed, %d failed" % (passed, failed), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
