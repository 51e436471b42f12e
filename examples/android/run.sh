#!/bin/bash
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0

# Runs the bundle in two sandboxes of bin/runsc, looks at them from outside,
# and checks what it sees. Its root file system is that of the clients in
# test/clients, which this makes if it isn't there. Needs root:
#
#   run.sh [RUNSC-FLAG...]

set -uo pipefail

# Seconds that a command may take, or something may take to come about, before
# it is called hung. Nothing waits for this long otherwise.
readonly HUNG=60

readonly GREETER=example.IGreeter/default

bundle=$(cd "$(dirname "$0")" && pwd)
cd "$bundle/../.." || exit
test/clients/prepare.sh || exit
[[ -x bin/runsc ]] || {
	echo "run.sh: there is no bin/runsc; make runsc builds it" >&2
	exit 1
}

tmp=$(mktemp -d)
# Names that no other sandbox has, as files in the root are named after it.
# They are shown without the -$$.
one=one-$$ two=two-$$
flags=(--root="$tmp/state" --network=none --ignore-cgroups "$@")
passed=0 failed=0

runsc() {
	timeout -k 10 "$HUNG" bin/runsc "${flags[@]}" "$@"
}

# Prints the host's processes of the sandboxes.
processes() {
	grep -alF -- "--root=$tmp/state" /proc/[0-9]*/cmdline 2>/dev/null
}

clean_up() {
	runsc delete -force "$one" >/dev/null 2>&1
	runsc delete -force "$two" >/dev/null 2>&1
	# runsc leaves this mount there for the next sandbox.
	umount -l "$tmp/state/null-netns" 2>/dev/null
	rm -rf --one-file-system "$tmp"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

# say WHAT COMMAND...: shows a command as somebody would type it.
say() {
	local what=$1
	shift
	echo
	echo "# $what"
	local shown=${*//"$PWD/"/'$PWD/'}
	shown=${shown//"$tmp/"/}
	echo "$ ${shown//-$$/}"
}

# verdict GOT WANT: counts whether GOT is WANT, an extended regular expression.
verdict() {
	if [[ $1 =~ ^($2)$ ]]; then
		((++passed))
	else
		((++failed))
		echo "FAILED: this should be"
		echo "$2"
	fi
}

# check WHAT WANT COMMAND...: shows a command and its output and counts whether
# that is WANT.
check() {
	say "$1" "${@:3}"
	show "$("${@:3}" 2>&1 </dev/null)" "$2"
}

# eventually WHAT WANT COMMAND...: the same, for what comes about by itself and
# tells nobody outside.
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
	# Columns stay columns.
	[[ -z $1 ]] || echo "${1//-$$/"$(printf "%$((${#one} - 3))s")"}"
	verdict "$@"
}

# start WHAT NAME COMMAND...: starts what keeps the command's standard streams,
# which are files: of a pipe nobody would see the end.
start() {
	say "$1" "${@:3}"
	"${@:3}" </dev/null >"$tmp/$2" 2>"$tmp/$2.errors"
	verdict "status $?" "status 0"
}

start "A sandbox." output runsc run -detach -bundle "$bundle" "$one"
eventually "It has a service manager, and nothing else." \
	"manager" runsc exec "$one" rsb_service list
check "The service manager is the first process." \
	"rsb_hub" runsc exec "$one" cat /proc/1/comm
check "The devices are those of the binderfs that the bundle mounts." \
	"/dev/binderfs/binder
/dev/binderfs/hwbinder
/dev/binderfs/vndbinder" \
	runsc exec "$one" readlink -f /dev/binder /dev/hwbinder /dev/vndbinder

check "It knows how to start a service." \
	"$GREETER: declared" runsc exec "$one" rsb_service declared "$GREETER"
check "Looking for it does not start it." \
	"ERROR: $GREETER not found" runsc exec "$one" binder-ping -d /dev/binder "$GREETER"

say "Waiting for it does." "echo world | runsc exec $one greet.py"
# Its input stays open here, so that the client stays.
coproc client { runsc exec "$one" greet.py 2>&1; }
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

check "There it is." \
	"$GREETER *pid=$greeter
manager *pid=1" runsc exec "$one" rsb_service info
check "An ordinary user calls it, too." \
	"0 \"Hello you, user 1000! I am process $greeter.\"U *" \
	runsc exec -user 1000:1000 "$one" binder-call -d /dev/binder -a "$GREETER" 2 '"you"u' reply i32 s16

start "Another sandbox beside it." output2 runsc run -detach -bundle "$bundle" "$two"
eventually "It has a service manager of its own, and nothing of the first one's." \
	"manager" runsc exec "$two" rsb_service list
check "The service can't be called from there." \
	"ERROR: $GREETER not found" runsc exec "$two" binder-ping -d /dev/binder "$GREETER"
check "The driver there knows one process." \
	"proc 1" runsc exec "$two" grep ^proc /dev/binderfs/binder_logs/state
check "In the first one, all is as it was." \
	"OK" runsc exec "$one" binder-ping -d /dev/binder "$GREETER"

check "Each device is a world apart: of vndbinder, nobody is the manager." \
	".*no service manager on /dev/binderfs/vndbinder.*" runsc exec "$one" rsb_service -d vndbinder list
start "Here is one." output3 \
	runsc exec -detach "$one" rsb_hub -d vndbinder
eventually "It knows nobody." \
	"manager" runsc exec "$one" rsb_service -d vndbinder list

exec {to}>&-
wait "$pid"
eventually "When the service has no more clients, it goes." \
	"manager" runsc exec "$one" rsb_service list
check "This is what it has written." \
	"$GREETER is here: process $greeter
$GREETER has no more clients" cat "$tmp/output"
say "Who wants it again starts it again." "echo again | runsc exec $one greet.py"
answer=$(echo again | runsc exec "$one" greet.py 2>&1)
echo "$answer"
verdict "$answer" 'Hello again, user 0! I am process [0-9]+\.'
[[ $answer != *"process $greeter." ]]
verdict "another process: $?" "another process: 0"

check "When the service manager ends, the sandbox does." \
	"" runsc kill "$one" TERM
eventually "The other one has not ended." \
	".*$one *[0-9-]+ *stopped.*$two *[0-9-]+ *running.*" runsc list
check "Its service manager is there." \
	"manager" runsc exec "$two" rsb_service list
check "Away with the one," "" runsc delete -force "$one"
check "and the other." "" runsc delete -force "$two"
eventually "No process is left." "" processes

echo
echo "$passed passed, $failed failed"
((failed == 0))
