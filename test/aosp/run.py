#!/usr/bin/env python3
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0

"""Runs AOSP's programs in sandboxes of bin/runsc and on Linux's own drivers.

Each program runs alone, with AOSP's servicemanager, in a fresh sandbox or on a
fresh Linux. A test must pass everywhere, except as listed in known.txt, which
must list nothing else. With $BINDER_ORACLE, a program that runs a command on
Linux's drivers like tools/oracle/run, they run on Linux, too. The programs'
output is in build/aosp/results.
"""

import argparse
import concurrent.futures
import fnmatch
import itertools
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
ROOT = TOP / "build/aosp/root"
RESULTS = TOP / "build/aosp/results"

SANDBOX = ["systrap", "ptrace"]
LINUX = ["linux-c", "linux-rust"]
TESTS = "/data/nativetest64"
# The parameters of binderRpcTest for the libraries and servers that are built.
RPC = "BinderRpc.*:BinderRpcParcel.*:BinderRpc/*:*clientV1_serverV1_multi_threaded_with_kernel*"

# How many seconds a place may take beyond its program's limit.
START = 60


@dataclass
class Program:
    """A program of AOSP's, or of tools.sh.

    Attributes:
        limit: how many seconds it may run
        isolated: a gtest filter: each of these tests runs in a separate process
        init: what init.sh sets up first, if anything
        linux: whether Linux has what it needs
    """

    name: str
    arguments: list[str] = field(default_factory=list)
    limit: int = 120
    # Annotations in a sandbox's config.
    annotations: list[str] = field(default_factory=list)
    isolated: str = ""
    init: str = ""
    linux: bool = True

    def command(self) -> list[str]:
        init = ["/aosp/init.sh", self.init] if self.init else []
        if self.name in TOOLS:
            return [*init, "/aosp/tools.sh", self.name]
        program = f"{TESTS}/{self.name}/{self.name}"
        if self.isolated:
            return [*init, "/aosp/isolated.sh", program, self.isolated]
        return [*init, program, *self.arguments]


# They count nothing themselves.
TOOLS = ["service", "vndservice", "selinux", "dumpsys", "cmd", "logd", "binderThroughputTest", "schd-dbg"]

PROGRAMS = [
    Program("binderDriverInterfaceTest"),
    Program("binderLibTest", limit=300),
    Program("binderSafeInterfaceTest"),
    Program("binderStabilityTest"),
    Program("binderUnitTest"),
    Program("binderClearBufTest"),
    Program("binderTextOutputTest"),
    Program("binderRecordReplayTest"),
    Program("binderUtilsHostTest"),
    Program("libbinder_ndk_unit_test", limit=300),
    Program("libbinder_ndk_unit_test_host"),
    Program("libbinderdebug_test"),
    Program("servicemanager_test"),
    Program("fakeservicemanager_test"),
    Program("binderRpcTest", [f"--gtest_filter={RPC}:-*vm_socket*"], limit=600),
    Program("binderRpcWireProtocolTest"),
    Program("RpcTlsUtilsTest"),
    Program("KernelLibcutilsTest", annotations=["dev.sentrybinder.ashmem=true"], linux=False),
    Program("libcutils_test", annotations=["dev.sentrybinder.cgroup=v2"], init="cgroups"),
    Program("task_profiles_test", annotations=["dev.sentrybinder.cgroup=v2"], init="cgroups"),
    Program("libutils_test", ["--gtest_filter=-RefBase.Racing*"]),
    Program("libbase_test", ["--gtest_filter=-Expected.test*ConstructibleFromConvertibleType"]),
    Program("libsysutils_tests"),
    Program("liblog-unit-tests", isolated="-liblog.wrap_mode_blocks", init="logd"),
    Program("logd-unit-tests", init="logd"),
    *(Program(name, limit=60, init="logd" if name == "logd" else "") for name in TOOLS if name != "selinux"),
    Program("selinux", limit=60, annotations=["dev.sentrybinder.selinux=permissive"], linux=False),
]


@dataclass
class Result:
    """How a program ended in a place.

    Attributes:
        tests: the outcome of each
        ended: what is wrong with how it ended, if anything
        seconds: how long it took
    """

    tests: dict[str, str]
    ended: str
    seconds: float

    def count(self, outcome: str) -> int:
        return sum(o == outcome for o in self.tests.values())


def run(place: str, program: Program, runsc: str) -> Result:
    """Runs a program in a place, and keeps its output."""
    inside = ["/aosp/run.sh", str(program.limit), *program.command()]
    limit = program.limit + START
    if place in SANDBOX:
        command = [runsc, f"--platform={place}", "--network=none", "--ignore-cgroups", "do"]
        command += [word for a in program.annotations for word in ("-annotation", a)]
        command += ["-root", str(ROOT), "-cwd", "/", "-volume", f"{HERE}/guest:/aosp", "--", *inside]
    else:
        command = [os.environ["BINDER_ORACLE"], "-k", place.removeprefix("linux-"), "-s", "-m", "2G"]
        command += ["-t", str(limit), "--", str(HERE / "guest/on_linux.sh"), str(ROOT), *inside]
    start = time.monotonic()
    # The sandbox keeps its own offset in a regular file: use pipes.
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    ) as process:
        try:
            output, _ = process.communicate(timeout=limit + START)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            output, _ = process.communicate()
    text = output.decode(errors="replace")
    log = RESULTS / place / f"{program.name}.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(text)
    return parse(text, program, time.monotonic() - start)


def parse(text: str, program: Program, seconds: float) -> Result:
    """Parses the output of run.sh."""
    parts = re.split(r"^@@ (stdout|stderr|others|status)\n", text, flags=re.MULTILINE)
    sections = dict(zip(parts[1::2], parts[2::2]))
    status = sections.get("status", "").split("\n")[0]
    tests: dict[str, str] = {}
    # Not only at the start of lines: other processes of a test write there, too.
    line = r"\[( RUN      |       OK |  FAILED  |  SKIPPED )\] ([\w/-]+\.[\w/-]+)"
    for mark, name in re.findall(line, sections.get("stdout", "")):
        outcome = {"RUN": "ended", "OK": "passed", "FAILED": "failed", "SKIPPED": "skipped"}[mark.strip()]
        if outcome != "ended" or name not in tests:
            tests[name] = outcome
    ended = ""
    unfinished = [name for name, outcome in tests.items() if outcome == "ended"]
    for name in unfinished:
        tests[name] = "failed"
    failed = "failed" in tests.values()
    if not status:
        ended = "the place has ended before the program: " + (text.strip().splitlines() or ["it wrote nothing"])[-1]
    elif status == "124":
        ended = f"it has not ended after {program.limit} s"
    elif unfinished:
        ended = f"it ended with status {status}"
    elif not tests:
        ended = f"it ran no test, and ended with status {status}"
    elif status not in ("0", "1") or (status == "1") != failed and program.name not in TOOLS:
        ended = f"it ended with status {status}"
    if ended and unfinished:
        ended += ", in " + ", ".join(unfinished)
    return Result(tests, ended, seconds)


@dataclass
class Known:
    """A line of known.txt: tests that do not pass in some places, and why."""

    outcome: str
    program: str
    tests: str
    places: list[str]
    reason: str

    def covers(self, place: str, program: str, test: str) -> bool:
        return place in self.places and program == self.program and fnmatch.fnmatchcase(test, self.tests)


def read_known(path: Path) -> list[Known]:
    """Reads known.txt."""
    known = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        words, _, reason = line.partition(": ")
        if len(words.split()) != 4 or not reason or words.split()[0] not in ("failed", "skipped", "ended"):
            sys.exit(f"run.py: {path.name}:{number}: not failed|skipped|ended PROGRAM TESTS PLACES: REASON")
        outcome, program, tests, where = words.split()
        names = {"everywhere": LINUX + SANDBOX, "linux": LINUX, "sandbox": SANDBOX}
        places = [name for word in where.split(",") for name in names.get(word, [word])]
        if unknown := set(places) - set(LINUX + SANDBOX):
            sys.exit(f"run.py: {path.name}:{number}: unknown place: {', '.join(unknown)}")
        known.append(Known(outcome, program, tests, places, reason.strip()))
    return known


# By place and program.
Results = dict[str, dict[str, Result]]


def judge(results: Results, known: list[Known]) -> tuple[list[str], int]:
    """Returns what is wrong, and how many tests are known not to pass."""
    wrong = []
    explained = 0
    for place, programs in results.items():
        for program, result in programs.items():
            # The program's end counts as one more test.
            outcomes = result.tests | {"-": "ended" if result.ended else "passed"}
            expected = {}
            for k in known:
                covered = [name for name in outcomes if k.covers(place, program, name)]
                expected |= dict.fromkeys(covered, k.outcome)
                if not covered and program == k.program and place in k.places:
                    wrong.append(f"{place}: {program}: no test {k.tests}, which known.txt lists")
            for name, outcome in outcomes.items():
                if outcome == expected.get(name, "passed"):
                    explained += outcome != "passed" and name != "-"
                elif name == "-":
                    wrong.append(f"{place}: {program}: {result.ended or 'it ended well, but known.txt says it does not'}")
                elif name in expected:
                    wrong.append(f"{place}: {program}: {name} {outcome}, but known.txt says {expected[name]}")
                else:
                    wrong.append(f"{place}: {program}: {name} {outcome}")
    # The sandbox must run the same tests as Linux.
    for linux, place in itertools.product(LINUX, SANDBOX):
        for program, result in results.get(linux, {}).items():
            here = results.get(place, {}).get(program)
            if here and not result.ended and not here.ended and here.tests.keys() != result.tests.keys():
                names = " ".join(sorted(here.tests.keys() ^ result.tests.keys()))
                wrong.append(f"{place}: {program}: the tests differ from those on {linux}: {names}")
    return wrong, explained


def table(results: Results) -> None:
    """Prints the results: passed/failed/skipped, for each program in each place."""
    names = list(dict.fromkeys(name for programs in results.values() for name in programs))
    width = max(map(len, names))
    print(f"\n{'program':{width}}  tests  " + "".join(f"{place:13}" for place in results).rstrip())
    for name in names:
        row = [programs.get(name) for programs in results.values()]
        cells = [
            "/".join(str(r.count(o)) for o in ("passed", "failed", "skipped")) + ("*" if r.ended else "") if r else "-"
            for r in row
        ]
        line = f"{name:{width}}  {max(len(r.tests) for r in row if r):5}  " + "".join(f"{cell:13}" for cell in cells)
        print(line.rstrip())
    print("passed/failed/skipped; * the program did not end as it should\n")


def main() -> int:
    places = SANDBOX + (LINUX if os.environ.get("BINDER_ORACLE") else [])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-places", default=",".join(places), help="some of systrap, ptrace, linux-c and linux-rust")
    parser.add_argument("-programs", default="", help="the programs to run; all by default")
    parser.add_argument("-jobs", type=int, default=min(os.cpu_count(), 4), help="how many programs to run at a time")
    parser.add_argument("-runsc", default=str(TOP / "bin/runsc"))
    arguments = parser.parse_args()
    chosen = arguments.places.split(",")
    if unknown := set(chosen) - set(SANDBOX + LINUX):
        parser.error(f"unknown place: {', '.join(unknown)}")
    if set(chosen) & set(LINUX) and not os.environ.get("BINDER_ORACLE"):
        parser.error("BINDER_ORACLE does not name a program that runs a command on Linux's drivers; make oracle builds one")
    names = arguments.programs.split(",") if arguments.programs else [program.name for program in PROGRAMS]
    if unknown := set(names) - {program.name for program in PROGRAMS}:
        parser.error(f"unknown program: {', '.join(unknown)}")
    programs = [program for program in PROGRAMS if program.name in names]
    known = read_known(HERE / "known.txt")

    results: Results = {place: {} for place in chosen}
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        jobs = {
            pool.submit(run, place, program, arguments.runsc): (place, program)
            for program, place in itertools.product(programs, chosen)
            if place in SANDBOX or program.linux
        }
        for job in concurrent.futures.as_completed(jobs):
            place, program = jobs[job]
            result = results[place][program.name] = job.result()
            counts = ", ".join(f"{result.count(o)} {o}" for o in ("passed", "failed", "skipped") if result.count(o))
            print(f"{place}: {program.name}: {counts or 'nothing'}, {result.seconds:.1f} s {result.ended}".rstrip(), flush=True)

    results = {place: {p.name: found[p.name] for p in programs if p.name in found} for place, found in results.items()}
    table(results)
    for title, name in ("not built", "left-out.txt"), ("not passed", "known.txt"):
        print(f"{title}, as {name} explains:")
        print("".join(f"  {line}" for line in (HERE / name).open() if line.strip() and not line.startswith("#")))
    wrong, explained = judge(results, known)
    for line in wrong:
        print(f"FAILED {line}")
    passed = sum(result.count("passed") for r in results.values() for result in r.values())
    # Tests that are known not to pass count as skipped.
    print(f"\n{passed} passed, {len(wrong)} failed, {explained} skipped")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
