#!/bin/bash
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0

# Runs checks.py, in which unmodified Binder clients talk to each other, in
# one sandbox of bin/runsc:
#
#   run.sh [RUNSC-FLAG...]
#
# or on Linux's own driver, to tell a fault of a client from one of ours:
#
#   run.sh --oracle [c|rust]
#
# which needs BINDER_ORACLE to name a program that runs a command on it:
#
#   $BINDER_ORACLE -k c|rust -t SECONDS -- COMMAND [ARG...]

set -euo pipefail

# More than any run takes; the checks have limits of their own.
readonly LIMIT=300

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
root=$top/build/clients/root

checks=(/usr/bin/env -i PATH=/usr/local/bin:/usr/bin:/bin HOME=/root LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1
	python3 /clients/checks.py)

if [[ ${1:-} == --on-linux ]]; then
	# On the oracle's kernel, with the machine's file system and the
	# kernel's own /dev.
	mount --rbind /dev "$root/dev"
	mount -t proc proc "$root/proc"
	mount -t tmpfs tmpfs "$root/tmp"
	mount --bind "$here" "$root/clients"
	exec chroot "$root" "${checks[@]}"
fi

"$here/prepare.sh"
"$here/build.sh"

if [[ ${1:-} == --oracle ]]; then
	[[ -n ${BINDER_ORACLE:-} ]] || {
		echo "run.sh: BINDER_ORACLE names no program that runs a command on Linux's driver" >&2
		exit 1
	}
	exec "$BINDER_ORACLE" -k "${2:-c}" -t "$LIMIT" -- "$here/run.sh" --on-linux
fi

[[ -x $top/bin/runsc ]] || {
	echo "run.sh: there is no bin/runsc; make runsc builds it" >&2
	exit 1
}
# The sandbox keeps its own offset in a regular file, so that it writes over
# what others write: give it a pipe.
timeout -k 10 "$LIMIT" "$top/bin/runsc" --network=none --ignore-cgroups "$@" \
	do -root "$root" -cwd / -volume "$here:/clients" -- "${checks[@]}" 2>&1 | cat
