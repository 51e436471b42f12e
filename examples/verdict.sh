# shellcheck shell=bash
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0

# shellcheck disable=SC2034 # The scripts that source this read them.
passed=0 failed=0

# verdict GOT WANT: counts whether GOT matches WANT, an extended regular expression.
verdict() {
	if [[ $1 =~ ^($2)$ ]]; then
		((++passed))
	else
		((++failed))
		echo "FAILED: want"
		echo "$2"
	fi
}
