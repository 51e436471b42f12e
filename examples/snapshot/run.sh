#!/bin/bash
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0

# Checkpoints the sandbox of examples/android once it has booted, restores three clones of
# it at once, and checks their output. make example builds the bundle. Needs root:
#
#   run.sh [RUNSC-FLAG...]

set -uo pipefail

# Seconds after which a command is considered hung.
readonly HUNG=60

cd "$(dirname "$0")/../.." || exit
bundle=$PWD/build/android
[[ -x bin/runsc && -x $bundle/init ]] || {
	echo "run.sh: bin/runsc or $bundle is missing; make example builds both" >&2
	exit 1
}

tmp=$(mktemp -d)
# Names that no other sandbox has, shown without the -$$.
booted=booted-$$ clones=(clone-1-$$ clone-2-$$ clone-3-$$)
flags=(--root="$tmp/state" --network=none --ignore-cgroups "$@")
. examples/verdict.sh

runsc() {
	timeout -k 10 "$HUNG" bin/runsc "${flags[@]}" "$@"
}

clean_up() {
	for id in "$booted" "${clones[@]}"; do
		runsc delete -force "$id" >/dev/null 2>&1
	done
	# runsc leaves this mount in place for the next sandbox.
	umount -l "$tmp/state/null-netns" 2>/dev/null
	rm -rf --one-file-system "$tmp"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

# say COMMAND: shows a command as one would type it.
say() {
	local shown=${1//"$PWD/"/'$PWD/'}
	shown=${shown//"$tmp/"/}
	echo "$ ${shown//-$$/}"
}

# check WANT COMMAND: runs a command, shows it with its output, and counts whether the
# output matches WANT.
check() {
	say "$2"
	local got
	got=$(eval "$2" 2>&1 </dev/null)
	[[ -z $got ]] || echo "${got//-$$/}"
	verdict "$got" "$1"
}

# start COMMAND...: runs a command whose children keep its standard streams, which are
# therefore files: a pipe would never reach its end.
start() {
	"$@" </dev/null >"$tmp/output.$BASHPID" 2>&1 || cat "$tmp/output.$BASHPID"
}

say "runsc run -detach -bundle $bundle $booted"
verdict "$(start runsc run -detach -bundle "$bundle" "$booted")" ""
# Nothing outside reports when it has booted. Until then libbinder finds no device, or no
# service manager, and fails with an error.
for ((deadline = SECONDS + HUNG; SECONDS < deadline; )); do
	[[ $(runsc exec "$booted" service list 2>/dev/null </dev/null) != "Found "* ]] || break
	sleep 0.1
done
check 'Hello world, user 0! I am process [0-9]+\.' "echo world | runsc exec $booted greet"
check "" "runsc checkpoint -leave-running -image-path $tmp/image $booted"
check 'checkpoint.img
pages.img
pages_meta.img' "ls $tmp/image"
for id in "${clones[@]}"; do
	say "runsc restore -detach -background -bundle $bundle -image-path $tmp/image $id &"
	start runsc restore -detach -background -bundle "$bundle" -image-path "$tmp/image" "$id" >"$tmp/said.$id" &
done
say wait
wait
verdict "$(cat "$tmp"/said.*)" ""
for id in "${clones[@]}"; do
	check 'Hello clone, user 0! I am process [0-9]+\.' "echo clone | runsc exec $id greet"
done
check 'Hello again, user 0! I am process [0-9]+\.' "echo again | runsc exec $booted greet"
echo
echo "$passed passed, $failed failed"
((failed == 0))
