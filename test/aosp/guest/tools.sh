#!/bin/bash
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0

# Usage: tools.sh TOOL
#
# Checks what one of AOSP's tools says, and writes it like gtest.

set -uo pipefail

# expect NAME PATTERN COMMAND... runs a command, which has to succeed and to write
# lines that match, with a blank instead of each newline.
expect() {
	local name=$tool.$1 pattern=$2 output
	shift 2
	echo "[ RUN      ] $name"
	if output=$("$@") && [[ $(tr '\n' ' ' <<<"$output") =~ $pattern ]]; then
		echo "[       OK ] $name"
	else
		echo "$* wrote: $output"
		echo "[  FAILED  ] $name"
	fi
}

tool=$1
case $tool in
service)
	expect Check '^Service stand-in: found $' service check stand-in
	expect CheckNothing '^Service nothing: not found $' service check nothing
	expect List 'manager: \[android.os.IServiceManager\].*stand-in: \[sentrybinder.test.IStandIn\]' service list
	expect Call '^Result: Parcel\(.0000002a ' service call stand-in 1 i32 40 i32 2
	;;
vndservice)
	vndservicemanager /dev/vndbinder 2>/dev/null &
	expect Check '^Service manager: found $' vndservice check manager
	expect List '^Found 1 services: 0.manager: \[android.os.IServiceManager\] $' vndservice list
	;;
dumpsys)
	expect List 'Currently running services:.*SurfaceFlinger.*manager.*stand-in' dumpsys -l
	expect Dump '^stand-in here $' dumpsys stand-in
	expect Pid '^[0-9]+ $' dumpsys --pid stand-in
	expect Thread '^Threads in use: [0-9]+/[0-9]+ $' dumpsys --thread stand-in
	expect Stability '^Stability: ' dumpsys --stability stand-in
	expect Clients '^Client PIDs: [0-9]+' dumpsys --clients stand-in
	;;
cmd)
	expect List 'Currently running services:.*manager.*stand-in' cmd -l
	expect Command '^one two $' cmd stand-in one two
	;;
logd)
	mkdir -p /dev/socket
	logd &
	until [[ -S /dev/socket/logdw && -S /dev/socket/logdr ]]; do sleep 0.1; done
	coproc SERVICE { LD_LIBRARY_PATH=/system/lib64/logd exec /data/nativetest64/stand_in logging 2>&1; }
	read -r _ <&"${SERVICE[0]}"
	expect Logcat ' I stand_in: logging is there' logcat -s stand_in -m 1
	expect Sizes 'main: ring buffer is 256 KiB' logcat -g
	;;
binderThroughputTest)
	expect Run 'iterations per sec: [0-9]' \
		/data/nativetest64/binderThroughputTest/binderThroughputTest -i 1000 -w 4
	;;
schd-dbg)
	expect Run 'inheritance' /data/nativetest64/schd-dbg/schd-dbg -i 100
	;;
esac
