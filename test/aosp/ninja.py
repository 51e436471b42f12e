#!/usr/bin/env python3
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0

"""Prints the ninja file for what modules.py lists.

It is for /aosp in the build system that prepare.sh makes: src/ is AOSP's source,
stubs/ are ours, aidl/ is the AIDL compiler; outputs go to gen/, obj/ and lib/, and,
as installed in the root, to out/.
"""

import argparse
import os
from pathlib import Path

import modules
from modules import ANDROID, INCLUDES, LIBRARIES, Aidl, Module

DEBIAN = "/usr/lib/x86_64-linux-gnu/android"

HEAD = f"""\
ninja_required_version = 1.10
builddir = /aosp

# Warnings about AOSP's code don't concern us. Like Android's own build, this one
# initializes all variables, on which a test or two rely.
cxxflags = -std=gnu++2a -O2 -fPIC -pthread -DNDEBUG -fno-strict-aliasing -ftrivial-auto-var-init=zero $
    -Wno-everything -include compat.h $
    -DFLAT_BINDER_FLAG_SCHED_POLICY_SHIFT=9 -DFLAT_BINDER_FLAG_INHERIT_RT=0x800
ldflags = -fuse-ld=lld -pthread -Wl,-O1,--as-needed,-s,-rpath,{LIBRARIES}:{DEBIAN} -L{DEBIAN}
aidlenv = LD_LIBRARY_PATH=aidl/usr/lib/x86_64-linux-gnu/android

rule cxx
  command = clang++ $cxxflags $flags -MMD -MF $out.d -c $in -o $out
  description = $in
  depfile = $out.d
  deps = gcc

rule aidl
  command = $aidlenv aidl/usr/lib/android-sdk/build-tools/debian/aidl --lang=$lang $flags -o $dir -h $dir $in
  description = $in

rule proto
  command = protoc --cpp_out=$dir --proto_path=$$(dirname $in) $in
  description = $in

rule copy
  command = cat $in >$out
  description = $out

rule archive
  command = rm -f $out && ar crs $out $in
  description = $out

rule shared
  command = clang++ -shared -Wl,-soname,$soname $ldflags -o $out $in $libs
  description = $out

rule program
  command = clang++ $ldflags -o $out $in $libs
  description = $out
"""


def source(path: str) -> str:
    """Returns the location of a path in modules.py."""
    return path if path.startswith(("stubs", "own", "gen/", "/")) else "src/" + path


def generated(aidl: Aidl, file: str) -> tuple[str, str]:
    """Returns the C++ file and the header generated from an interface."""
    base = file.removesuffix(".aidl")
    return f"gen/{aidl.name}/{base}.cpp", f"gen/{aidl.name}/{'aidl/' if aidl.lang == 'ndk' else ''}{base}.h"


class Writer:
    """Prints one ninja file."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def edge(self, rule: str, outs: list[str], ins: list[str], after: list[str] = (), uses: list[str] = (), **values):
        line = f"build {outs[0]}"
        if len(outs) > 1:
            line += " | " + " ".join(outs[1:])
        line += f": {rule} {' '.join(ins)}"
        if uses:
            line += " | " + " ".join(uses)
        if after:
            line += " || " + " ".join(after)
        self.lines.append(line)
        self.lines += [f"  {key} = {value}" for key, value in values.items() if value]

    def interfaces(self, aidl: Aidl) -> None:
        root = source(aidl.root)
        flags = [aidl.flags] if aidl.flags else []
        flags += [f"-I {source(directory)}" for directory in [aidl.root, *aidl.imports]]
        for file in aidl.files:
            self.edge(
                "aidl",
                list(generated(aidl, file)),
                [root + file],
                lang=aidl.lang,
                dir="gen/" + aidl.name,
                flags=" ".join(flags),
            )

    def module(self, module: Module) -> None:
        for aidl in module.aidl:
            self.interfaces(aidl)
        everything = [module, *used(module)]
        headers = [header for m in everything for a in m.aidl for header in (generated(a, f)[1] for f in a.files)]
        includes = module.includes + [path for m in everything for path in m.exports]
        includes = [source(path) for path in includes] + [f"gen/{a.name}" for m in everything for a in m.aidl]
        includes += [source(path) for path in INCLUDES]
        if module.proto:
            base = os.path.basename(module.proto).removesuffix(".proto")
            made = [f"gen/{base}/{base}.pb.{end}" for end in ("cc", "h")]
            self.edge("proto", made, [source(module.proto)], dir="gen/" + base)
            headers.append(made[1])
            includes.append("gen/" + base)
        flags = " ".join([module.flags, *(f"-I{path}" for path in dict.fromkeys(includes))]).strip()

        sources = {source(src): module.file_flags.get(src, "") for src in module.srcs}
        sources |= {generated(a, f)[0]: "" for a in module.aidl for f in a.files}
        objects = []
        for src, extra in sources.items():
            obj = f"obj/{module.name}/{src.replace('/', '_')}.o"
            objects.append(obj)
            self.edge("cxx", [obj], [src], after=headers, flags=f"{extra} {flags}".strip())

        if module.static:
            self.edge("archive", ["lib/" + module.out], objects)
            return
        static = ["lib/" + m.out for m in used(module) if m.static]
        shared = ["out" + m.out for m in used(module) if m.shared]
        libs = [*static, *module.libs, *shared, *(f"{DEBIAN}/lib{name}.so" for name in ANDROID)]
        self.edge(
            "shared" if module.shared else "program",
            ["out" + module.out],
            objects,
            uses=static + shared,
            soname=os.path.basename(module.out) if module.shared else "",
            libs=" ".join(libs),
        )


def used(module: Module) -> list[Module]:
    """Returns the modules that a module uses, directly or indirectly, users first."""
    found: dict[str, Module] = {}

    def walk(m: Module) -> None:
        for other in m.uses:
            found.pop(other.out, None)
            found[other.out] = other
            walk(other)

    walk(module)
    return list(found.values())


def own(path: str, sources: str, interfaces: str | None, files: list[str]) -> Module:
    """Returns the module of a program of our own, whose files build.sh has copied."""
    root = f"own/{os.path.basename(path)}/"
    aidl = []
    if interfaces:
        files = files or sorted(str(file.relative_to(interfaces)) for file in Path(interfaces).rglob("*.aidl"))
        aidl = [Aidl("own_" + os.path.basename(path), root + "aidl/", files)]
    return Module(
        path,
        [root + "src/" + file.name for file in sorted(Path(sources).glob("*.cpp"))],
        uses=[modules.libbinder_ndk, modules.libbinder],
        aidl=aidl,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", nargs="?", help="of a program of our own, in the root")
    parser.add_argument("sources", nargs="?", help="directory of its C++")
    parser.add_argument("aidl", nargs="?", help="directory of its interfaces")
    parser.add_argument("file", nargs="*", help="of those that are compiled; all by default")
    arguments = parser.parse_args()
    writer = Writer()
    for module in modules.MODULES:
        writer.module(module)
    for out, srcs in modules.FILES.items():
        writer.edge("copy", ["out" + out], [source(src) for src in srcs])
    if arguments.path:
        writer.module(own(arguments.path, arguments.sources, arguments.aidl, arguments.file))
    print(HEAD)
    print("\n".join(writer.lines))


if __name__ == "__main__":
    main()
