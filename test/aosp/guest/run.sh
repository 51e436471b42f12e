#!/bin/bash
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0

# Usage: run.sh SECONDS PROGRAM [ARG...]
#
# Runs one program in the root that build.sh makes, on any kernel, with AOSP's
# servicemanager and whatever else a test expects on Android. The output has sections for
# run.py, each after a line "@@ NAME": the program's standard output, its standard error,
# the output of the service manager and others, and how the program ended.

set -euo pipefail

limit=$1
shift
export PATH=/system/bin:/vendor/bin:/usr/bin:/bin HOME=/ LANG=C.UTF-8

if [[ ! -L /dev/binder ]]; then
	mkdir -p /dev/binderfs
	mount -t binder -o stats=global binder /dev/binderfs
	for device in binder hwbinder vndbinder; do
		chmod 666 "/dev/binderfs/$device"
		ln -sfn "binderfs/$device" "/dev/$device"
	done
fi
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /data/local/tmp
mkdir -p /dev/socket
# Two of Android's users, which are built into bionic.
printf '%s\n' system:x:1000:1000:::/bin/false shell:x:2000:2000:::/bin/sh | cat /etc/passwd - >/tmp/passwd
printf '%s\n' system:x:1000: shell:x:2000: | cat /etc/group - >/tmp/group
mount --bind /tmp/passwd /etc/passwd
mount --bind /tmp/group /etc/group
# A test that freezes a process checks that Android's cgroup exists, but doesn't freeze
# it.
if [[ ! -e /sys/fs/cgroup/uid_0/cgroup.freeze ]]; then
	mount -t tmpfs tmpfs /sys/fs
	mkdir -p /sys/fs/cgroup/uid_0
	touch /sys/fs/cgroup/uid_0/cgroup.freeze
fi
# One test opens as many files as it may.
ulimit -n 1024

servicemanager /dev/binder >/tmp/others 2>&1 &
manager=$!
coproc SERVICES { exec /data/nativetest64/stand_in SurfaceFlinger stand-in 2>>/tmp/others; }
read -r -t 60 _ <&"${SERVICES[0]}" || echo "the services that tests expect are missing after 60 s" >>/tmp/others

cd /tmp
status=0
timeout -k 5 "$limit" "$@" >/tmp/stdout 2>/tmp/stderr </dev/null || status=$?
kill -0 "$manager" 2>/dev/null || status="$status, and the service manager has exited"

for section in stdout stderr others; do
	echo "@@ $section"
	cat "/tmp/$section"
	echo
done
echo "@@ status"
echo "$status"
