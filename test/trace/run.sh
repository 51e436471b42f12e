#!/bin/bash
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0

# Traces the demo in a sandbox of bin/runsc, and checks the trace against Perfetto's own
# definitions, which come from PyPI, and by what its trace processor does with the events:
#
#   run.sh [PICTURE.SVG]
#
# Draws a picture of the trace if a name is given. Needs root, and python3.

set -euo pipefail

# From the version with which this was last tested.
readonly DEFINITIONS=(perfetto==0.59.1 protobuf==7.36.2)
# Seconds after which the demo and its sandbox are considered hung.
readonly LIMIT=60

here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
. test/trace/bundle.sh
[[ -x bin/runsc ]] || {
	echo "run.sh: bin/runsc is missing; make runsc builds it" >&2
	exit 1
}

cache=${SENTRYBINDER_CACHE:-$HOME/.cache/sentrybinder}
venv=$cache/perfetto-0.59.1
if [[ ! -e $venv/complete ]]; then
	# Debian has it in a separate package.
	python3 -c 'import ensurepip' 2>/dev/null || tools/build/need ensurepip=python3-venv
	rm -rf "$venv"
	mkdir -p "$cache"
	python3 -m venv "$venv"
	"$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps "${DEFINITIONS[@]}"
	touch "$venv/complete"
fi

dir=$(mktemp -d)
runsc=("$PWD/bin/runsc" "--root=$dir/state" --network=none --ignore-cgroups --overlay2=none)
tracer=
# shellcheck disable=SC2317 # Called at the end.
end() {
	[[ -z $tracer ]] || kill "$tracer" 2>/dev/null || true
	"${runsc[@]}" delete --force demo >/dev/null 2>&1 || true
	umount -l "$dir/state/null-netns" 2>/dev/null || true
	rm -rf --one-file-system "$dir"
}
trap end EXIT

make_bundle "$dir"
CGO_ENABLED=0 "${GO:-go}" build -o "$dir/root/demo" ./examples/demo
# The sandbox inherits these, and would keep a pipe open.
"${runsc[@]}" create --bundle "$dir" demo </dev/null >"$dir/output" 2>&1
"${runsc[@]}" start demo

"${runsc[@]}" binder trace -duration "${LIMIT}s" -o "$dir/demo.pftrace" demo 2>"$dir/said" &
tracer=$!
for ((i = 0; i < LIMIT * 100; i++)); do
	! grep -q tracing "$dir/said" || break
	kill -0 "$tracer" || break
	sleep 0.01
done
timeout "$LIMIT" "${runsc[@]}" exec demo /demo >"$dir/output" 2>&1 || {
	cat "$dir/output" >&2
	exit 1
}
kill -INT "$tracer"
wait "$tracer" || {
	cat "$dir/said" >&2
	exit 1
}
tracer=
tail -n 1 "$dir/said" | sed "s|$dir/||"
"$venv/bin/python" "$here/check.py" "$dir/demo.pftrace" "$@"
