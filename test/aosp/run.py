#!/usr/bin/env python3
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0

"""Runs AOSP's programs in sandboxes of bin/runsc and on Linux's own drivers.

Each program runs by itself, beside AOSP's servicemanager, in a fresh sandbox or a
fresh Linux. A test must pass everywhere, but for what known.txt lists; and
known.txt must list nothing else. With $BINDER_ORACLE, a program that runs a
command on Linux's drivers as tools/oracle/run does, Linux is asked, too. What
the programs wrote is in build/aosp/results.
"""

import argparse
import concurrent.futures
import fnmatch
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
# Which of binderRpcTest's parameters mean libraries, and servers, that are built.
RPC = "*clientV1_serverV1_multi_threaded_with_kernel*"

# What a place may take longer than its program does.
START = 60


@dataclass
class Program:
    """A program of AOSP's, or of tools.sh, and for how many seconds it may run."""

    name: str
    arguments: list[str] = field(default_factory=list)
    limit: int = 120

    def command(self) -> list[str]:
        if not (ROOT / f"{TESTS[1:]}/{self.name}/{self.name}").exists() or self.name in TOOLS:
            return ["/aosp/tools.sh", self.name]
        return [f"{TESTS}/{self.name}/{self.name}", *self.arguments]


# They count nothing themselves.
TOOLS = ["service", "vndservice", "dumpsys", "cmd", "binderThroughputTest", "schd-dbg"]

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
    *(Program(name) for name in TOOLS),
]


@dataclass
class Result:
    """How a program ended in a place.

    Attributes:
        tests: what came of each
        ended: what is wrong with how it ended, if anything
        seconds: that it took
    """

    tests: dict[str, str]
    ended: str
    seconds: float

    def count(self, outcome: str) -> int:
        return sum(o == outcome for o in self.tests.values())


def run(place: str, program: Program, runsc: str) -> Result:
    """Runs a program."""
    inside = ["/aosp/run.sh", str(program.limit), *program.command()]
    limit = program.limit + START
    if place in SANDBOX:
        command = [runsc, f"--platform={place}", "--network=none", "--ignore-cgroups", "do"]
        command += ["-root", str(ROOT), "-cwd", "/", "-volume", f"{HERE}/guest:/aosp", "--", *inside]
    else:
        command = [os.environ["BINDER_ORACLE"], "-k", place.removeprefix("linux-"), "-s", "-m", "2G"]
        command += ["-t", str(limit), "--", str(HERE / "guest/on_linux.sh"), str(ROOT), *inside]
    start = time.monotonic()
    # The sandbox keeps its own offset in a regular file: these are pipes.
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
    """Reads what run.sh wrote."""
    parts = re.split(r"^@@ (stdout|stderr|others|status)\n", text, flags=re.MULTILINE)
    sections = dict(zip(parts[1::2], parts[2::2]))
    status = sections.get("status", "").strip()
    tests: dict[str, str] = {}
    for mark, name in re.findall(r"\[( RUN      |       OK |  FAILED  |  SKIPPED )\] (\w[\w.-]*\.[\w./-]+)", sections.get("stdout", "")):
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
    seen: set[str] = field(default_factory=set)

    def covers(self, place: str, program: str, test: str) -> bool:
        return place in self.places and program == self.program and fnmatch.fnmatchcase(test, self.tests)


def read_known(path: Path) -> list[Known]:
    """Reads known.txt."""
    known = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        words, colon, reason = line.partition(": ")
        try:
            outcome, program, tests, places = words.split()
        except ValueError:
            sys.exit(f"run.py: {path.name}:{number}: not OUTCOME PROGRAM TESTS PLACES: REASON")
        if not colon or outcome not in ("failed", "skipped", "ended"):
            sys.exit(f"run.py: {path.name}:{number}: no reason, or no such outcome")
        names = {"everywhere": LINUX + SANDBOX, "linux": LINUX, "sandbox": SANDBOX}
        expanded = [name for word in places.split(",") for name in names.get(word, [word])]
        known.append(Known(outcome, program, tests, expanded, reason.strip()))
    return known


def judge(results: dict[str, dict[str, Result]], known: list[Known]) -> list[str]:
    """Returns what is not as it should be: results are by place and program."""
    wrong = []
    for place, programs in results.items():
        for program, result in programs.items():
            outcomes = [(name, outcome) for name, outcome in result.tests.items() if outcome != "passed"]
            if result.ended:
                outcomes.append(("-", "ended"))
            for name, outcome in outcomes:
                reasons = [k for k in known if k.outcome == outcome and k.covers(place, program, name)]
                for k in reasons:
                    k.seen.add(place)
                if not reasons:
                    wrong.append(f"{place}: {program}: " + (result.ended if name == "-" else f"{name} {outcome}"))
    for k in known:
        for place in k.places:
            if k.program in results.get(place, {}) and place not in k.seen:
                wrong.append(f"{place}: {k.program}: {k.tests} has not {k.outcome}, as known.txt says")
    # What Linux runs, the sandbox runs.
    for linux in LINUX:
        for place in SANDBOX:
            for program, result in results.get(linux, {}).items():
                here = results.get(place, {}).get(program)
                if here and not result.ended and not here.ended and here.tests.keys() != result.tests.keys():
                    names = sorted(here.tests.keys() ^ result.tests.keys())
                    wrong.append(f"{place}: {program}: not the tests that {linux} runs: {' '.join(names)}")
    return wrong


def table(results: dict[str, dict[str, Result]]) -> None:
    """Prints what came out: passed/failed/skipped, of each program in each place."""
    names = [program.name for program in PROGRAMS if any(program.name in r for r in results.values())]
    width = max(map(len, names))
    print(f"\n{'program':{width}} tests  " + "  ".join(f"{place:12}" for place in results))
    for name in names:
        cells = []
        for place in results:
            result = results[place][name]
            cell = "/".join(str(result.count(outcome)) for outcome in ("passed", "failed", "skipped"))
            cells.append(f"{cell + (' ended' if result.ended else ''):12}")
        tests = max(len(results[place][name].tests) for place in results)
        print(f"{name:{width}} {tests:5}  " + "  ".join(cells).rstrip())
    print("(passed/failed/skipped)\n")


def main() -> int:
    places = SANDBOX + (LINUX if os.environ.get("BINDER_ORACLE") else [])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-places", default=",".join(places), help="of systrap, ptrace, linux-c and linux-rust")
    parser.add_argument("-programs", default="", help="to run; all by default")
    parser.add_argument("-jobs", type=int, default=1, help="how many at a time")
    parser.add_argument("-runsc", default=str(TOP / "bin/runsc"))
    arguments = parser.parse_args()
    chosen = arguments.places.split(",")
    if unknown := set(chosen) - set(SANDBOX + LINUX):
        parser.error(f"no such place: {', '.join(unknown)}")
    if set(chosen) & set(LINUX) and not os.environ.get("BINDER_ORACLE"):
        parser.error("BINDER_ORACLE names no program that runs a command on Linux's drivers; make oracle builds one")
    names = arguments.programs.split(",") if arguments.programs else [program.name for program in PROGRAMS]
    programs = [program for program in PROGRAMS if program.name in names]
    known = read_known(HERE / "known.txt")

    results: dict[str, dict[str, Result]] = {place: {} for place in chosen}
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        jobs = {pool.submit(run, place, program, arguments.runsc): (place, program) for program in programs for place in chosen}
        for job in concurrent.futures.as_completed(jobs):
            place, program = jobs[job]
            result = results[place][program.name] = job.result()
            counts = ", ".join(f"{result.count(o)} {o}" for o in ("passed", "failed", "skipped") if result.count(o))
            print(f"{place}: {program.name}: {counts or 'nothing'} in {result.seconds:.1f} s {result.ended}".rstrip(), flush=True)

    wrong = judge(results, known)
    table(results)
    for k in known:
        if k.seen:
            print(f"{k.outcome} in {', '.join(sorted(k.seen))}: {k.program} {k.tests}: {k.reason}")
    for line in wrong:
        print(f"FAILED {line}")
    everything = [outcome for r in results.values() for result in r.values() for outcome in result.tests.values()]
    passed = everything.count("passed")
    # A test that is known not to pass counts as skipped.
    skipped = max(0, len(everything) - passed - sum(": " in line for line in wrong))
    print(f"\n{passed} passed, {len(wrong)} failed, {skipped} skipped")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
