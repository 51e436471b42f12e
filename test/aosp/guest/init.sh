#!/bin/bash
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0

# Usage: init.sh logd|cgroups COMMAND...
#
# Runs a command after a part of Android's init's work at boot: starting logd, or setting
# up control groups.

set -euo pipefail

case $1 in
logd)
	logd &
	until [[ -S /dev/socket/logdw && -S /dev/socket/logdr ]]; do sleep 0.1; done
	# On a device the log is never empty, and others write to it, too.
	LD_LIBRARY_PATH=/system/lib64/logd /data/nativetest64/stand_in one two three &
	until logcat -d -s stand_in | grep -q three; do sleep 0.1; done
	;;
cgroups)
	unshare --pid --fork /data/nativetest64/cgroup_setup
	for group in foreground background top-app system-background; do
		mkdir -p /dev/{cpuctl,cpuset}/$group
		for file in cpus mems; do
			[[ ! -e /dev/cpuset/$file ]] || cat /dev/cpuset/$file >/dev/cpuset/$group/$file
		done
	done
	;;
esac
shift
exec "$@"
