#!/bin/bash
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0

# Usage: isolated.sh PROGRAM PATTERN
#
# Runs each test that matches gtest's filter in a separate process, as AOSP runs the
# programs that are "isolated" in their Android.bp.

set -euo pipefail

tests=$("$1" --gtest_list_tests --gtest_filter="$2")
status=0
while IFS= read -r line; do
	# A suite's name precedes those of its tests.
	case $line in
	"  "*) "$1" --gtest_filter="$suite${line// /}" || status=$? ;;
	*.) suite=$line ;;
	esac
done <<<"$tests"
exit $status
