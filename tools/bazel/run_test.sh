#!/bin/bash
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0
#
# Runs the test binary of a Go package in one of the places where it can run:
#
#   run_test.sh PLACE BINARY DIR [ARG...]
#
#   host               this machine, in the package's directory DIR, like go test
#   systrap, ptrace    a sandbox of $RUNSC on that platform, whose container has the
#                      annotations in $ANNOTATIONS, KEY=VALUE each
#   linux-c            Linux's C driver, and
#   linux-rust         Linux's Rust driver: $BINDER_ORACLE -k c|rust -s -- COMMAND
#                      runs COMMAND there, with security contexts; without it this
#                      is a skipped test

set -euo pipefail

place=$1
binary=$PWD/$2
dir=$3
shift 3
cd "$dir"

# Bazel silently kills what exceeds the target's timeout. The binary's own limit comes
# first, and shows where each goroutine was.
timeout=${TEST_TIMEOUT:-300}
set -- "$binary" -test.v=test2json -test.paniconexit0 -test.timeout=$((timeout * 9 / 10))s "$@"

# sandbox runs a command in a sandbox on platform $1, with what Android's user space needs
# besides Binder. The output goes through a pipe: a sandbox keeps its own offset in a
# regular file, and would overwrite what others write there. What made the sentry panic,
# if anything did, comes last.
sandbox() {
	local platform=$1 panic=$TEST_TMPDIR/panic rootless="" status=0
	shift
	[[ $(id -u) == 0 ]] || rootless=--rootless
	local annotation annotations=()
	for annotation in ${ANNOTATIONS:-}; do
		annotations+=(--annotation "$annotation")
	done
	"$RUNSC" $rootless --platform="$platform" --network=none --ignore-cgroups --panic-log="$panic" \
		"do" "${annotations[@]}" "$@" | cat || status=$?
	[[ ! -s $panic ]] || cat "$panic"
	return $status
}

# linux runs a command under the Linux driver written in language $1.
linux() {
	local language=$1
	shift
	if [[ -z ${BINDER_ORACLE:-} ]]; then
		echo "=== RUN   $place"
		echo "    BINDER_ORACLE does not name a program that runs a command on Linux's drivers"
		echo "--- SKIP: $place (0.00s)"
		echo PASS
		return
	fi
	"$BINDER_ORACLE" -k "$language" -s -t "$timeout" -- "$@"
}

# A test that runs on a device must find it.
[[ $place == host ]] || set -- "$@" -must-run

case $place in
host) exec "$@" ;;
systrap | ptrace) sandbox "$place" "$@" ;;
linux-*) linux "${place#linux-}" "$@" ;;
*)
	echo "unknown place: $place" >&2
	exit 2
	;;
esac
