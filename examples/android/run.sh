#!/bin/bash
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0

# Runs AOSP's service managers, tools and a service on demand in two sandboxes of
# bin/runsc, inspects them from outside, and checks the results. test/aosp builds the root
# file system. Needs root:
#
#   run.sh [RUNSC-FLAG...]

set -uo pipefail

# Seconds after which a command, or an awaited state, is considered hung. Nothing waits
# this long otherwise.
readonly HUNG=60

readonly GREETER=example.IGreeter/default

cd "$(dirname "$0")/../.." || exit
for program in vendor/bin/greeter system/bin/greet; do
	test/aosp/build.sh --program "/$program" "examples/android/${program##*/}" examples/android/aidl || exit
done
bundle=$PWD/build/android
mkdir -p "$bundle" &&
	cp examples/android/config.json examples/android/init.rc "$bundle" &&
	CGO_ENABLED=0 "${GO:-go}" build -trimpath -o "$bundle/init" ./examples/android/init || exit
[[ -x bin/runsc ]] || {
	echo "run.sh: bin/runsc is missing; make runsc builds it" >&2
	exit 1
}

tmp=$(mktemp -d)
# Names that no other sandbox has, as runsc names files in the root after the sandbox.
# They are shown without the -$$.
one=one-$$ two=two-$$
flags=(--root="$tmp/state" --network=none --ignore-cgroups "$@")
. examples/verdict.sh

runsc() {
	timeout -k 10 "$HUNG" bin/runsc "${flags[@]}" "$@"
}

# Prints the sandboxes' processes on the host.
processes() {
	grep -alF -- "--root=$tmp/state" /proc/[0-9]*/cmdline 2>/dev/null
}

clean_up() {
	runsc delete -force "$one" >/dev/null 2>&1
	runsc delete -force "$two" >/dev/null 2>&1
	# runsc leaves this mount in place for the next sandbox.
	umount -l "$tmp/state/null-netns" 2>/dev/null
	rm -rf --one-file-system "$tmp"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

# say WHAT COMMAND...: shows a command as one would type it.
say() {
	local what=$1
	shift
	echo
	echo "# $what"
	local shown=${*//"$PWD/"/'$PWD/'}
	shown=${shown//"$tmp/"/}
	echo "$ ${shown//-$$/}"
}

# check WHAT WANT COMMAND...: runs a command, shows it with its output, and counts whether
# the output matches WANT.
check() {
	say "$1" "${@:3}"
	show "$("${@:3}" 2>&1 </dev/null)" "$2"
}

# eventually WHAT WANT COMMAND...: the same, for a state whose arrival nothing reports, so
# that there is nothing to wait for.
eventually() {
	local got deadline=$((SECONDS + HUNG))
	say "$1" "${@:3}"
	until
		got=$("${@:3}" 2>&1 </dev/null)
		[[ $got =~ ^($2)$ ]] || ((SECONDS > deadline))
	do
		sleep 0.1
	done
	show "$got" "$2"
}

show() {
	# Pads to keep columns aligned.
	[[ -z $1 ]] || echo "${1//-$$/"$(printf "%$((${#one} - 3))s")"}"
	verdict "$@"
}

# start WHAT NAME COMMAND...: runs a command whose children keep its standard streams,
# which are therefore files: a pipe would never reach its end.
start() {
	say "$1" "${@:3}"
	"${@:3}" </dev/null >"$tmp/$2" 2>"$tmp/$2.errors"
	verdict "status $?" "status 0"
}

start "A sandbox." output runsc run -detach -bundle "$bundle" "$one"
eventually "AOSP's service manager runs, and knows only itself." \
	"Found 1 services:
0	manager: \[android.os.IServiceManager\]" runsc exec "$one" service list
check "init has set up the devices like Android's." \
	"/dev/binderfs/binder
/dev/binderfs/hwbinder
/dev/binderfs/vndbinder" \
	runsc exec "$one" readlink -f /dev/binder /dev/hwbinder /dev/vndbinder
eventually "vndbinder is a separate context, with its own manager." \
	"Found 1 services:
0	manager: \[android.os.IServiceManager\]" runsc exec "$one" vndservice list

check "The greeter is not running, and looking for it does not start it." \
	"Service $GREETER: not found" runsc exec "$one" service check "$GREETER"
say "Waiting for it does: the service manager asks init to start it." "echo world | runsc exec $one greet"
# Its input stays open here, so that the client keeps running.
coproc client { runsc exec "$one" greet 2>&1; }
pid=$client_PID
exec {to}>&"${client[1]}" {from}<&"${client[0]}"
eval "exec ${client[1]}>&- ${client[0]}<&-"
echo world >&"$to"
answer=
read -r -t "$HUNG" answer <&"$from"
echo "$answer"
verdict "$answer" 'Hello world, user 0! I am process [0-9]+\.'
greeter=${answer##* }
greeter=${greeter%.}

check "Now the service is registered." \
	"Found 2 services:
0	$GREETER: \[example.IGreeter\]
1	manager: \[android.os.IServiceManager\]" runsc exec "$one" service list
check "An ordinary user can call it, too; the service command needs no interface for that." \
	"Result: Parcel\(.*'.*H\.e\.l\.l\.'.*'o\. \.y\.o\.u\.,\..*" \
	runsc exec -user 1000:1000 "$one" service call "$GREETER" 1 s16 you
check "It reports its state to dumpsys." "greeted: 2" runsc exec "$one" dumpsys "$GREETER"
check "logd has received its log messages." \
	".* I greeter *: hello to world
.* I greeter *: hello to you" runsc exec "$one" logcat -d -s greeter
check "dumpsys lists services," "Currently running services:
  $GREETER
  manager" runsc exec "$one" dumpsys -l
check "their threads," "Threads in use: [0-9]+/[0-9]+" runsc exec "$one" dumpsys --thread "$GREETER"
check "and, from Binder's logs, who holds a reference to one." \
	".*Client PIDs: [0-9]+, [0-9]+" runsc exec "$one" dumpsys --clients "$GREETER"

start "A second sandbox." output2 runsc run -detach -bundle "$bundle" "$two"
eventually "It has its own service manager, and nothing of the first one's." \
	"Found 1 services:
0	manager: \[android.os.IServiceManager\]" runsc exec "$two" service list
check "In the first one, nothing has changed." \
	"Service $GREETER: found" runsc exec "$one" service check "$GREETER"

exec {to}>&-
wait "$pid"
eventually "When the service has no more clients, it exits." \
	"Service $GREETER: not found" runsc exec "$one" service check "$GREETER"
say "The next client starts it again." "echo again | runsc exec $one greet"
answer=$(echo again | runsc exec "$one" greet 2>&1)
echo "$answer"
verdict "$answer" 'Hello again, user 0! I am process [0-9]+\.'
[[ $answer != *"process $greeter." ]]
verdict "another process: $?" "another process: 0"

check "When init ends, the sandbox does." "" runsc kill "$one" TERM
eventually "The other one keeps running." \
	".*$one *[0-9-]+ *stopped.*$two *[0-9-]+ *running.*" runsc list
check "Its service manager is still there." \
	"Service manager: found" runsc exec "$two" service check manager
check "Deleting one," "" runsc delete -force "$one"
check "and the other." "" runsc delete -force "$two"
eventually "No process is left." "" processes

echo
echo "$passed passed, $failed failed"
((failed == 0))
