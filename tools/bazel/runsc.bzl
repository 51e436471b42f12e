# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0

"""The rule that builds runsc."""

load(":go.bzl", "GoInfo")

def _runsc_binary_impl(ctx):
    runsc = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.run_shell(
        outputs = [runsc],
        inputs = depset(
            ctx.files.srcs + ctx.files._module + ctx.files._make,
            transitive = [d[GoInfo].srcs for d in ctx.attr.deps],
        ),
        command = 'make --silent runsc && mv bin/runsc "$1"',
        arguments = [runsc.path],
        use_default_shell_env = True,
        mnemonic = "Runsc",
        progress_message = "Building runsc",
    )
    return [DefaultInfo(files = depset([runsc]), executable = runsc)]

runsc_binary = rule(
    implementation = _runsc_binary_impl,
    doc = """runsc, built by make runsc on Bazel's tree of the declared sources.

A previously built runsc would not do: Bazel tests the tree as it is, so a test
in the sandbox depends on all of runsc's sources. Building from another directory
costs a copy of gVisor's sources and a link; the go command's cache has the
rest.""",
    attrs = {
        "srcs": attr.label_list(allow_files = True),
        "deps": attr.label_list(providers = [GoInfo]),
        "_make": attr.label(default = "//:make"),
        "_module": attr.label(default = "//:module"),
    },
    executable = True,
)
