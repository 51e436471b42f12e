#!/bin/bash
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0

# Builds the demo and runs it in a sandbox of bin/runsc, as root or as an
# ordinary user:
#
#   run.sh [RUNSC-FLAG...]
#
# or on Linux's own driver:
#
#   run.sh --oracle [c|rust]
#
# which needs BINDER_ORACLE to name a program that runs a command on it:
#
#   $BINDER_ORACLE -k c|rust -t SECONDS -- COMMAND [ARG...]

set -euo pipefail

# More seconds than it takes the demo to report what hangs.
readonly LIMIT=60

cd "$(dirname "$0")/../.."
# Static, so that it runs on any root file system.
CGO_ENABLED=0 "${GO:-go}" build -o build/demo ./examples/demo

if [[ ${1:-} == --oracle ]]; then
	[[ -n ${BINDER_ORACLE:-} ]] || {
		echo "run.sh: BINDER_ORACLE does not name a program that runs a command on Linux's driver" >&2
		exit 1
	}
	exec "$BINDER_ORACLE" -k "${2:-c}" -t "$LIMIT" -- "$PWD/build/demo"
fi

[[ -x bin/runsc ]] || {
	echo "run.sh: bin/runsc is missing; make runsc builds it" >&2
	exit 1
}
flags=(--network=none --ignore-cgroups)
if [[ $(id -u) != 0 ]]; then
	flags+=(--rootless)
fi
# The sandbox keeps its own offset in a regular file, and would overwrite what others
# write there: give it a pipe.
timeout -k 10 "$LIMIT" bin/runsc "${flags[@]}" "$@" do -- build/demo 2>&1 | cat
