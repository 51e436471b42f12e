#!/bin/bash
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0

# Measures what a trace costs a call, on one CPU: alternates calls with and without a
# trace in one sandbox of bin/runsc.
#
#   overhead.sh [PAIRS [OTHER-RUNSC]]
#
# With another runsc, it also alternates calls in a sandbox of that one: how long they
# take, relative to those in bin/runsc without a trace, shows what tracepoints and metrics
# cost.

set -euo pipefail

readonly PAIRS=${1:-15} OTHER=${2:-}
cd "$(dirname "$0")/../.."
. test/trace/bundle.sh

dir=$(mktemp -d)
common=("--root=$dir/state" --network=none --ignore-cgroups --overlay2=none)
mine=(taskset -c 0 "$PWD/bin/runsc" "${common[@]}")
other=(taskset -c 0 "$OTHER" "${common[@]}")
# shellcheck disable=SC2317 # Called at the end.
end() {
	"${mine[@]}" delete --force mine >/dev/null 2>&1 || true
	[[ -z $OTHER ]] || "${other[@]}" delete --force other >/dev/null 2>&1 || true
	umount -l "$dir/state/null-netns" 2>/dev/null || true
	rm -rf --one-file-system "$dir"
}
trap end EXIT

make_bundle "$dir"
CGO_ENABLED=0 "${GO:-go}" build -o "$dir/root/bench" ./test/benchmarks/bench
begin() { # RUNSC... ID
	"$@" </dev/null >>"$dir/output" 2>&1 || {
		cat "$dir/output" >&2
		exit 1
	}
}
begin "${mine[@]}" create --bundle "$dir" mine
begin "${mine[@]}" start mine
if [[ -n $OTHER ]]; then
	begin "${other[@]}" create --bundle "$dir" other
	begin "${other[@]}" start other
fi
calls() { # NAME RUNSC... ID
	local name=$1
	shift
	"${@:1:$#-1}" exec "${@: -1}" /bench -time 500ms -sizes 128 -ways binder roundtrip | sed "s/^/$name /"
}
calls warm-up "${mine[@]}" mine >/dev/null
for ((i = 0; i < PAIRS; i++)); do
	[[ -z $OTHER ]] || calls other "${other[@]}" other
	calls off "${mine[@]}" mine
	"${mine[@]}" binder trace -duration 60s -o "$dir/trace" mine 2>"$dir/said" &
	tracer=$!
	until grep -q tracing "$dir/said" || ! kill -0 "$tracer"; do sleep 0.01; done
	calls on "${mine[@]}" mine
	kill -INT "$tracer"
	wait "$tracer"
done | python3 -c '
import json, statistics, sys
runs = {}
for line in sys.stdin:
    name, _, text = line.partition(" ")
    runs.setdefault(name, []).append(json.loads(text))
for name, rs in runs.items():
    print("%-6s %6.2f us a call, median of the medians of %d runs" % (name, statistics.median(r["p50"] for r in rs), len(rs)))
for what, a, b in (("a trace", "on", "off"), ("tracepoints and metrics", "off", "other")):
    if b in runs:
        for figure, title in (("p50", "median"), ("value", "mean")):
            ratios = [x[figure] / y[figure] for x, y in zip(runs[a], runs[b])]
            print("%s: %.3f (%s of a call, median of %d pairs)" % (what, statistics.median(ratios), title, len(ratios)))
'
