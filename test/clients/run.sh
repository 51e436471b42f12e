#!/bin/bash
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0

# Runs checks.py, in which Binder clients talk to each other, in one sandbox of
# bin/runsc, or soak.py for a given time:
#
#   run.sh [--manager rsb_hub|aosp] [--soak "SECONDS [SERVICES [CLIENTS]]"] [RUNSC-FLAG...]
#
# or on Linux's own driver, to distinguish a client's bug from one of ours:
#
#   run.sh [--manager ...] [--soak ...] --oracle [c|rust]
#
# which needs BINDER_ORACLE to name a program that runs a command on it:
#
#   $BINDER_ORACLE -s -k c|rust -m MEMORY -t SECONDS -- COMMAND [ARG...]

set -euo pipefail

# More seconds than any run of checks.py takes; the checks have their own limits.
limit=600
# How much a sandbox's host memory may grow in a soak, in percent.
readonly GROWTH=5
# A soak of fewer seconds is too short to measure the growth of memory.
readonly MEASURED=60

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
root=$top/build/clients/root

manager=rsb_hub
if [[ ${1:-} == --manager ]]; then
	manager=$2
	shift 2
fi
program="checks.py $manager" seconds=0
if [[ ${1:-} == --soak ]]; then
	program="soak.py $manager $2"
	# Starting and stopping are slower on Linux's driver as a program.
	seconds=${2%% *}
	limit=$((seconds + 600))
	shift 2
fi
# shellcheck disable=SC2206 # To be split into words.
inside=(/usr/bin/env -i PATH=/usr/local/bin:/usr/bin:/bin:/system/bin HOME=/root LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1
	python3 /clients/$program)

if [[ ${1:-} == --on-linux ]]; then
	# On the oracle's kernel, with the machine's file system and the kernel's own /dev.
	mount --rbind /dev "$root/dev"
	mount -t proc proc "$root/proc"
	mount -t tmpfs tmpfs "$root/tmp"
	mount --bind "$here" "$root/clients"
	exec chroot "$root" "${inside[@]}"
fi

"$here/prepare.sh"
"$here/build.sh"

if [[ ${1:-} == --oracle ]]; then
	[[ -n ${BINDER_ORACLE:-} ]] || {
		echo "run.sh: BINDER_ORACLE does not name a program that runs a command on Linux's driver" >&2
		exit 1
	}
	same=(--manager "$manager")
	[[ $program == checks.py* ]] || same+=(--soak "${program#"soak.py $manager "}")
	# AOSP's service manager requests security contexts, which Linux refuses without a
	# security module.
	exec "$BINDER_ORACLE" -s -k "${2:-c}" -m 3G -t "$limit" -- "$here/run.sh" "${same[@]}" --on-linux
fi

[[ -x $top/bin/runsc ]] || {
	echo "run.sh: bin/runsc is missing; make runsc builds it" >&2
	exit 1
}
sandbox=(timeout -k 10 "$limit" "$top/bin/runsc" --network=none --ignore-cgroups "$@"
	do -root "$root" -cwd / -volume "$here:/clients" -- "${inside[@]}")

if [[ $program == checks.py* ]]; then
	# The sandbox keeps its own offset in a regular file, and would overwrite what others
	# write there: give it a pipe.
	"${sandbox[@]}" 2>&1 | cat
	exit
fi

# Prints the PID $1 and those of all its descendants.
family() {
	local child
	echo "$1"
	for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do
		family "$child"
	done
}

# Measures the host memory, in KiB, of the sandbox whose first process is $1: $sentry and
# $others, the private memory of the sentry with the driver and of the other processes
# (gofers, and those that run the applications' code), and $memory, the allocated part of
# the file that holds all memory of the applications. $total is their sum, and $files the
# number of files that the sentry has open.
measure() {
	local pid kib file
	sentry=0 others=0 memory=0 files=0 processes=0
	for pid in $(family "$1"); do
		kib=$(sed -n 's/^Pss_Anon: *\([0-9]*\) kB/\1/p' /proc/"$pid"/smaps_rollup 2>/dev/null || true)
		((++processes, others += ${kib:-0}))
		# Several of them may have the file open.
		((memory == 0)) || continue
		for file in /proc/"$pid"/fd/*; do
			if [[ $(readlink "$file" || true) == "/memfd:runsc-memory"* ]]; then
				memory=$(($(stat -Lc %b "$file") / 2))
				files=$(ls /proc/"$pid"/fd | wc -l)
				((sentry = ${kib:-0}, others -= sentry, --processes))
				break
			fi
		done
	done
	total=$((sentry + others + memory))
}

# Measures once a sandbox uses at most $2 KiB, or has freed nothing for $3 seconds.
settle() {
	local least last=$SECONDS
	measure "$1"
	least=$total
	while ((total > $2 && SECONDS - last < $3)); do
		sleep 2
		measure "$1"
		((total * 100 >= least * 99)) || least=$total last=$SECONDS
	done
}

coproc RUN { exec "${sandbox[@]}" 2>&1; }
pid=$RUN_PID
exec {in}<&"${RUN[0]}" {out}>&"${RUN[1]}"
start=
while IFS= read -r line; do
	printf '%s\n' "$line"
	if [[ $line == "idle at the "* ]] && ((seconds < MEASURED)); then
		echo >&"$out"
	elif [[ $line == "idle at the "* ]]; then
		if [[ -z $start ]]; then
			settle "$pid" 0 10
		else
			# When idle, Go collects garbage every two minutes.
			settle "$pid" $((start * (100 + GROWTH) / 100)) 150
		fi
		echo "the sandbox uses $total KiB of the host's memory: the sentry $sentry, $processes other processes $others," \
			"the applications $memory; and the sentry has $files open files"
		start=${start:-$total}
		echo >&"$out"
	fi
done <&"$in"
wait "$pid"
((seconds >= MEASURED)) || exit 0
if ((100 * total > (100 + GROWTH) * start)); then
	echo "FAILED the sandbox's memory grew by more than $GROWTH %" >&2
	exit 1
fi
echo "ok     the sandbox uses $((100 * total / start)) % of the memory that it used at the start"
