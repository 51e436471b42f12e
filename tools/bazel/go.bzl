# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0

"""Rules that build and test Go packages with the machine's own go command.

The go command itself resolves modules, caches and links; Bazel adds the
dependency graph, tests that rerun only when a dependency has changed, and one
command for tests that run in different places.

Imports from outside this module are not declared: go.sum pins them. The go
command itself is not an input either: after an upgrade of Go, Bazel's cached
results stay until their sources change.
"""

GoInfo = provider(
    doc = "A Go package of this module.",
    fields = {"srcs": "depset of its files and those of every package of this module that it imports"},
)

def _go_library_impl(ctx):
    srcs = depset(ctx.files.srcs, transitive = [d[GoInfo].srcs for d in ctx.attr.deps])
    return [GoInfo(srcs = srcs), DefaultInfo(files = srcs)]

go_library = rule(
    implementation = _go_library_impl,
    doc = "The files of a Go package and, through deps, of those it imports from this module.",
    attrs = {
        "srcs": attr.label_list(allow_files = True),
        "deps": attr.label_list(providers = [GoInfo]),
    },
)

def _go_test_binary_impl(ctx):
    binary = ctx.actions.declare_file(ctx.label.name + ".test")
    ctx.actions.run_shell(
        outputs = [binary],
        inputs = depset(
            ctx.files.srcs + ctx.files._module,
            transitive = [d[GoInfo].srcs for d in ctx.attr.deps],
        ),
        # Static, so that it runs under any kernel, and free of paths, so that
        # the go command's cache serves every sandbox directory.
        command = 'CGO_ENABLED=0 go test -c -trimpath -o "$1" "./$2"',
        arguments = [binary.path, ctx.label.package],
        use_default_shell_env = True,
        mnemonic = "GoTestBinary",
        progress_message = "Building the tests of //%s" % ctx.label.package,
    )
    return [DefaultInfo(
        files = depset([binary]),
        executable = binary,
        # With the sources, which a test run by go test finds beside it.
        runfiles = ctx.runfiles(files = ctx.files.srcs + ctx.files.data),
    )]

_go_test_binary = rule(
    implementation = _go_test_binary_impl,
    attrs = {
        "srcs": attr.label_list(allow_files = [".go"]),
        "deps": attr.label_list(providers = [GoInfo]),
        "data": attr.label_list(allow_files = True),
        "_module": attr.label(default = "//:module"),
    },
    executable = True,
)

def _place_test_impl(ctx):
    runfiles = ctx.runfiles(files = [ctx.file._run_test, ctx.executable.binary])
    runfiles = runfiles.merge(ctx.attr.binary[DefaultInfo].default_runfiles)
    environment = ""
    if ctx.attr.runsc:
        runfiles = runfiles.merge(ctx.runfiles(files = [ctx.executable.runsc]))
        environment = 'RUNSC="$PWD/%s" ANNOTATIONS="%s" ' % (
            ctx.executable.runsc.short_path,
            " ".join(ctx.attr.annotations),
        )
    launcher = ctx.actions.declare_file(ctx.label.name + ".sh")
    ctx.actions.write(
        launcher,
        '#!/bin/sh\n%sexec %s %s %s %s "$@"\n' % (
            environment,
            ctx.file._run_test.short_path,
            ctx.attr.place,
            ctx.executable.binary.short_path,
            ctx.label.package,
        ),
        is_executable = True,
    )
    return [DefaultInfo(executable = launcher, runfiles = runfiles)]

_place_test = rule(
    implementation = _place_test_impl,
    attrs = {
        "annotations": attr.string_list(),
        "binary": attr.label(executable = True, cfg = "target"),
        "place": attr.string(),
        "runsc": attr.label(executable = True, cfg = "target"),
        "_run_test": attr.label(default = "//tools/bazel:run_test.sh", allow_single_file = True),
    },
    test = True,
)

def _test_at(name, place, tags = [], **kwargs):
    # The tag tells the summary of make test where a test ran.
    _place_test(name = name, place = place, tags = tags + ["place:" + place], **kwargs)

def go_test(name, srcs, deps = [], data = [], **kwargs):
    """A package's unit tests, run on this machine.

    Args:
      name: the test target.
      srcs: the package's _test.go files.
      deps: the package itself and this module's other packages that its tests import.
      data: what the tests read, found below their working directory.
      **kwargs: attributes of every test rule, such as size.
    """
    _go_test_binary(name = name + "_binary", srcs = srcs, deps = deps, data = data, testonly = True)
    _test_at(name = name, binary = name + "_binary", place = "host", **kwargs)

def syscall_test(name, srcs, deps = [], data = [], runsc = "//runsc", annotations = [], **kwargs):
    """Tests of the device, run in the sandbox and on Linux's own drivers.

    One test binary, and four test targets: name_systrap and name_ptrace run it in
    a sandbox on that gVisor platform, name_linux-c and name_linux-rust on Linux's
    drivers, if $BINDER_ORACLE names a program that can.

    Args:
      name: the prefix of the test targets' names.
      srcs: the package's _test.go files.
      deps: this module's packages that the tests import.
      data: what the tests read, found below their working directory.
      runsc: the runsc to test.
      annotations: of the container in the sandbox, "KEY=VALUE" without spaces.
      **kwargs: attributes of every test rule, such as size.
    """
    _go_test_binary(name = name + "_binary", srcs = srcs, deps = deps, data = data, testonly = True)
    for platform in ["systrap", "ptrace"]:
        _test_at(
            name = name + "_" + platform,
            binary = name + "_binary",
            annotations = annotations,
            place = platform,
            runsc = runsc,
            **kwargs
        )
    for place in ["linux-c", "linux-rust"]:
        _test_at(
            name = name + "_" + place,
            binary = name + "_binary",
            place = place,
            # Bazel doesn't know the driver as an input: never reuse an
            # earlier result.
            tags = ["external"],
            **kwargs
        )
