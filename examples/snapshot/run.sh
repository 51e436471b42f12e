#!/bin/bash
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0

# Checkpoints the sandbox of examples/android, whose bundle make example makes, once
# it has booted, restores three clones of it at once, and checks what they say.
# Needs root:
#
#   run.sh [RUNSC-FLAG...]

set -uo pipefail

# Seconds that a command may take before it is called hung.
readonly HUNG=60

cd "$(dirname "$0")/../.." || exit
bundle=$PWD/build/android
[[ -x bin/runsc && -x $bundle/init ]] || {
	echo "run.sh: there is no bin/runsc, or no $bundle; make example makes both" >&2
	exit 1
}

tmp=$(mktemp -d)
# Names that no other sandbox has. They are shown without the -$$.
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
	# runsc leaves this mount there for the next sandbox.
	umount -l "$tmp/state/null-netns" 2>/dev/null
	rm -rf --one-file-system "$tmp"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

# say COMMAND: shows a command as somebody would type it.
say() {
	local shown=${1//"$PWD/"/'$PWD/'}
	shown=${shown//"$tmp/"/}
	echo "$ ${shown//-$$/}"
}

# check WANT COMMAND: shows a command and its output and counts whether that is
# WANT.
check() {
	say "$2"
	local got
	got=$(eval "$2" 2>&1 </dev/null)
	[[ -z $got ]] || echo "${got//-$$/}"
	verdict "$got" "$1"
}

# start COMMAND...: starts what keeps the command's standard streams, which are
# files: of a pipe nobody would see the end.
start() {
	"$@" </dev/null >"$tmp/output.$BASHPID" 2>&1 || cat "$tmp/output.$BASHPID"
}

say "runsc run -detach -bundle $bundle $booted"
verdict "$(start runsc run -detach -bundle "$bundle" "$booted")" ""
# Nobody outside is told when it has booted. Until then libbinder finds no device, or no
# service manager, and says so.
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
