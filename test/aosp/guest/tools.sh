#!/bin/bash
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0

# Usage: tools.sh TOOL
#
# Checks the output of one of AOSP's tools, and reports like gtest.

set -uo pipefail

# expect NAME PATTERN COMMAND... runs a command, which must succeed, and whose output,
# with blanks for newlines, must match.
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
selinux)
	# The kernel has labels; libselinux needs this file to believe it.
	mkdir -p /sys/fs/selinux /etc/selinux /vendor/etc/selinux
	mount -t selinuxfs selinuxfs /sys/fs/selinux
	echo SELINUX=permissive >/etc/selinux/config
	contexts=/vendor/etc/selinux/vndservice_contexts
	# manage LABEL starts Android's unmodified service manager with a label.
	manage() {
		runcon "$1" vndservicemanager.selinux /dev/vndbinder &
		manager=$!
		until [[ $(timeout 2 vndservice list 2>/dev/null) == Found* ]]; do sleep 0.1; done
	}
	echo "manager u:object_r:service_manager_vndservice:s0" >$contexts
	manage u:r:vndservicemanager:s0
	expect Label '^u:r:vndservicemanager:s0 $' tr -d '\0' <"/proc/$manager/attr/current"
	for label in u:r:shell:s0 u:r:untrusted_app:s0:c512,c768; do
		expect "Find/${label//[:,]/-}" '^Service manager: found $' runcon $label vndservice check manager
		expect "List/${label//[:,]/-}" '^Found 1 services: 0.manager: ' runcon $label vndservice list
	done
	kill "$manager"
	wait "$manager"
	# A service without a known label can't be found, whoever calls.
	echo "other u:object_r:other_service:s0" >$contexts
	manage u:r:vndservicemanager:s0
	expect NoContext '^Service manager: not found $' vndservice check manager
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
	expect Logcat ' I stand_in: one is there' logcat -s stand_in -m 1
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
