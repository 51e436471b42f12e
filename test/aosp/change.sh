#!/bin/bash
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0

# Usage: change.sh SOURCE
#
# Changes the few lines of AOSP's source that don't compile, or mean something else, with
# libstdc++ and glibc. Each change must affect the given number of lines, so that none is
# forgotten when the source changes.

set -euo pipefail
cd "$1"

# change LINES FILE COMMAND runs sed's command.
change() {
	local changed
	sed -i.orig "$3" "$2"
	changed=$(diff "$2.orig" "$2" | grep -c '^>' || true)
	rm "$2.orig"
	if ((changed != $1)); then
		echo "change.sh: $3 changes $changed lines of $2, not $1" >&2
		exit 1
	fi
}

# The default initializers of a nested class are unknown before the end of the outer
# class, so the variant's first alternative can't be constructed.
change 1 frameworks/native/libs/binder/include/binder/Parcel.h \
	's/^    struct KernelFields {$/&KernelFields() {}/'

# From Debian's patch for C++17. In C++20 these are variables.
change 4 system/core/libcutils/include/cutils/atomic.h \
	's/std::memory_order::memory_order_/std::memory_order_/'

# With libstdc++, a duration's count is a long.
change 1 frameworks/native/cmds/dumpsys/dumpsys.cpp \
	's/return std::max(diff.count(), 0LL);/return std::max<long long>(diff.count(), 0LL);/'

# With glibc, a thread inherits its policy unless told not to.
change 1 frameworks/native/libs/binder/tests/schd-dbg.cpp \
	's/^  ASSERT(!pthread_attr_setschedpolicy(&attr, SCHED_FIFO));$/  pthread_attr_setinheritsched(\&attr, PTHREAD_EXPLICIT_SCHED);&/'
